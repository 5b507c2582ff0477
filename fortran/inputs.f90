!> What is done to raw inputs before they are scaled. A channel that is missing, a NaN, counts as
!> its centre, with all channels of its group, and an indicator tells the network so: 1 where the
!> group is missing, else 0. The first channels may be projected on components. What comes out are
!> features: components, the inputs that are not projected, one indicator for each group.
module fmdn_inputs
   use, intrinsic :: iso_c_binding, only: c_int
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite, ieee_is_nan
   use fmdn_dispatch, only: kernel_set
   use fmdn_kinds, only: ip, lanes, wp
   use fmdn_layout, only: append_block, at_inputs, block_view, find_block, input_mask_block, &
      projection_block
   use fmdn_status, only: status_invalid_layout, status_not_finite, status_ok, status_out_of_memory
   implicit none (type, external)
   private
   public :: input_map, new_input_map, append_input_map, read_input_map, read_centre_and_axes
   public :: prepare_inputs, backward_to_raw

   type :: input_map
      integer :: n_inputs = 0
      integer :: n_projected = 0  !! inputs that are projected: the first ones
      integer :: n_components = 0 !! on which
      integer :: n_groups = 0
      integer, allocatable :: groups(:)    !! (n_inputs): of which group; 0: never missing
      real(wp), allocatable :: centre(:)   !! (n_inputs): what a missing channel counts as
      real(wp), allocatable :: axes(:, :)  !! (a multiple of `lanes`, n_projected), zero-padded
   contains
      procedure :: n_features
      procedure :: is_plain
   end type input_map

contains

   !> Number of features.
   pure function n_features(self) result(n)
      class(input_map), intent(in) :: self
      integer :: n

      n = self%n_components + self%n_inputs - self%n_projected + self%n_groups
   end function n_features

   !> Are features and inputs the same?
   pure function is_plain(self) result(yes)
      class(input_map), intent(in) :: self
      logical :: yes

      yes = self%n_groups == 0 .and. self%n_projected == 0
   end function is_plain

   !> `groups`: of each input, from 1 without gaps, or none at all; status_invalid_layout if that
   !> makes no sense.
   pure subroutine new_input_map(n_inputs, groups, n_projected, n_components, map, status)
      integer, intent(in) :: n_inputs, groups(:), n_projected, n_components
      type(input_map), intent(out) :: map
      integer, intent(out) :: status
      integer :: group

      status = status_invalid_layout
      map%n_inputs = n_inputs
      allocate (map%groups(0)) ! none
      if (size(groups) > 0) then
         if (size(groups) /= n_inputs) return
         if (any(groups < 0) .or. any(groups > n_inputs)) return
         map%groups = groups
         map%n_groups = maxval(groups)
         if (.not. all([(any(groups == group), group=1, map%n_groups)])) return
      end if
      if (n_projected < 0 .or. n_projected > n_inputs .or. n_components > n_projected) return
      if ((n_components > 0) .neqv. (n_projected > 0)) return
      map%n_projected = n_projected
      map%n_components = n_components
      status = status_ok
   end subroutine new_input_map

   !> Add the blocks that say all this: groups; components and projected channels, whose reals are
   !> centre and axes.
   pure subroutine append_input_map(layout, map)
      integer(ip), allocatable, intent(inout) :: layout(:)
      type(input_map), intent(in) :: map

      if (map%n_groups > 0) call append_block(layout, input_mask_block, int(map%groups, ip), 0_ip)
      if (map%n_projected > 0) call append_block(layout, projection_block, &
         int([map%n_components, map%n_projected], ip), &
         int(map%n_projected, ip)*(1 + map%n_components))
   end subroutine append_input_map

   !> What a layout that check_layout has passed says about its inputs.
   pure subroutine read_input_map(layout, map, status)
      integer(ip), intent(in) :: layout(:)
      type(input_map), intent(out) :: map
      integer, intent(out) :: status
      type(block_view) :: mask, projection
      integer(ip) :: sizes(2)

      mask = find_block(layout, input_mask_block, 1)
      projection = find_block(layout, projection_block, 1)
      status = status_invalid_layout
      sizes = 0
      if (projection%name /= "") then
         if (projection%n_integers /= 2) return
         sizes = layout(projection%first_integer:projection%first_integer + 1)
         if (any(sizes < 1) .or. any(sizes > layout(at_inputs))) return
         if (projection%n_reals /= sizes(2)*(1 + sizes(1))) return
      end if
      associate (groups => layout(mask%first_integer:mask%first_integer + mask%n_integers - 1))
         if (any(abs(groups) > layout(at_inputs))) return
         call new_input_map(int(layout(at_inputs)), int(groups), int(sizes(2)), int(sizes(1)), &
            map, status)
      end associate
   end subroutine read_input_map

   !> Take the reals from the parameters; `feature_centre`: of the scaled features.
   pure subroutine read_centre_and_axes(layout, parameters, feature_centre, map)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:), feature_centre(:)
      type(input_map), intent(inout) :: map
      type(block_view) :: at

      associate (n => map%n_projected, k => map%n_components)
         at = find_block(layout, projection_block, 1)
         map%centre = [parameters(at%offset + 1:at%offset + n), &
            feature_centre(k + 1:k + map%n_inputs - n)]
         allocate (map%axes(lanes*((k + lanes - 1)/lanes), n), source=0.0_wp)
         map%axes(:k, :) = reshape(parameters(at%offset + n + 1:at%offset + n*(1 + k)), [k, n])
      end associate
   end subroutine read_centre_and_axes

   !> Features of some rows. `status` changes where a number is not finite, unless it is a NaN in
   !> a channel that may be missing.
   pure subroutine prepare_inputs(kernels, map, inputs, features, status)
      type(kernel_set), intent(in) :: kernels
      type(input_map), intent(in) :: map
      real(wp), intent(in), contiguous :: inputs(:, :)      !! (n_inputs, n)
      real(wp), intent(inout), contiguous :: features(:, :) !! (n_features, n)
      integer, intent(inout) :: status
      real(wp), allocatable :: channels(:, :), components(:, :)
      logical :: missing(0:map%n_groups)
      integer :: i, n, failure

      n = size(inputs, 2)
      ! allow(C182): whichever of these fails
      allocate (channels(map%n_inputs, n), components(size(map%axes, 1), n), stat=failure)
      if (failure /= 0) status = status_out_of_memory
      if (failure /= 0) return
      associate (k => map%n_components, left => map%n_inputs - map%n_projected)
         do i = 1, n
            call fill_missing(map, inputs(:, i), channels(:, i), missing, status)
            channels(:map%n_projected, i) = channels(:map%n_projected, i) &
               - map%centre(:map%n_projected)
            features(k + 1:k + left, i) = channels(map%n_projected + 1:, i)
            features(k + left + 1:, i) = merge(1.0_wp, 0.0_wp, missing(1:))
         end do
         if (k == 0) return
         call kernels%product(size(components, 1, c_int), int(n, c_int), &
            int(map%n_projected, c_int), map%axes, channels, 1_c_int, int(map%n_inputs, c_int), &
            spread(0.0_wp, 1, n), 0_c_int, components)
         features(:k, :) = components(:k, :)
      end associate
   end subroutine prepare_inputs

   !> Derivatives of some quantities with respect to the raw inputs of one row, from those with
   !> respect to its features; zero for inputs that are missing.
   pure subroutine backward_to_raw(map, raw, d_features, d_inputs)
      type(input_map), intent(in) :: map
      real(wp), intent(in) :: raw(:)           !! (n_inputs)
      real(wp), intent(in) :: d_features(:, :) !! (quantities, n_features)
      real(wp), intent(out) :: d_inputs(:, :)  !! (quantities, n_inputs)
      real(wp) :: filled(map%n_inputs)
      logical :: missing(0:map%n_groups)
      integer :: j, status

      associate (k => map%n_components, p => map%n_projected)
         if (k > 0) d_inputs(:, :p) = matmul(d_features(:, :k), map%axes(:k, :))
         d_inputs(:, p + 1:) = d_features(:, k + 1:k + map%n_inputs - p)
      end associate
      if (map%n_groups == 0) return
      call fill_missing(map, raw, filled, missing, status)
      do j = 1, map%n_inputs
         if (missing(map%groups(j))) d_inputs(:, j) = 0
      end do
   end subroutine backward_to_raw

   !> One row with its centre where it is missing, and which groups are.
   pure subroutine fill_missing(map, raw, filled, missing, status)
      type(input_map), intent(in) :: map
      real(wp), intent(in) :: raw(:)
      real(wp), intent(inout) :: filled(:)
      logical, intent(inout) :: missing(0:)
      integer, intent(inout) :: status
      integer :: j

      missing = .false.
      filled = raw
      do j = 1, size(raw)
         if (ieee_is_finite(raw(j))) cycle
         filled(j) = map%centre(j)
         if (ieee_is_nan(raw(j)) .and. map%n_groups > 0) missing(map%groups(j)) = .true.
         if (.not. ieee_is_nan(raw(j)) .or. map%n_groups == 0 .or. missing(0)) then
            status = status_not_finite
         end if
      end do
      if (any(missing)) where (missing(map%groups)) filled = map%centre
   end subroutine fill_missing

end module fmdn_inputs
