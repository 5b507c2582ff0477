!> Applying a committee: from rows of inputs to one mixture of all members' kernels, or to the log
!> density of targets.
module fmdn_apply
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_bending, only: see
   use fmdn_committee, only: committee_view
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_inputs, only: prepare_inputs
   use fmdn_kinds, only: ip, lanes, tile_size, wp
   use fmdn_loss, only: example_losses, new_tile_work, tile_work
   use fmdn_member, only: member_type, new_member
   use fmdn_mixture, only: mixture_of_outputs
   use fmdn_network, only: forward
   use fmdn_scaling, only: farthest
   use fmdn_status, only: status_not_finite, status_ok, status_out_of_memory
   use fmdn_targets, only: free, infinite, is_inside, log_slope, to_kernels
   implicit none (type, external)
   private
   public :: posterior, log_density, standardise_inputs

contains

   !> The mixture of all members for each row of inputs, in physical units (those of the mapped
   !> targets where they are: fmdn_targets). Kernels come member by
   !> member; their weights include the member's and sum to one. status_not_finite where an input
   !> is infinite, or not a number and not one that may be missing: then the mixtures are void.
   subroutine posterior(view, parameters, inputs, n_threads, weights, means, factors, status)
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:)
      real(wp), intent(in), contiguous :: inputs(:, :) !! (n_inputs, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: weights(:, :)   !! (n_kernels, n_rows)
      real(wp), intent(out) :: means(:, :, :)  !! (n_targets, n_kernels, n_rows)
      real(wp), intent(out) :: factors(:, :, :, :) !! (n_targets, n_targets, n_kernels, n_rows)
      integer, intent(out) :: status
      type(kernel_set) :: kernels
      type(tile_work), target :: work
      real(wp), allocatable :: tile(:, :)
      integer(ip) :: first, last, n_rows
      integer :: k, m, n, from, to, failure

      status = status_ok
      kernels = processor_kernels()
      n_rows = size(inputs, 2, kind=ip)
      m = tile_length(n_rows)
      !$omp parallel num_threads(n_threads) if (n_rows > m) default(none) &
      !$omp shared(kernels, view, parameters, inputs, weights, means, factors, n_rows, m) &
      !$omp private(work, tile, first, last, k, n, from, to, failure) reduction(max: status)
      call new_tile_work(largest(view%members), m, work, status)
      allocate (tile(m, view%n_seen), source=0.0_wp, stat=failure)
      if (failure /= 0) status = status_out_of_memory
      !$omp do schedule(dynamic, 1)
      do first = 1, n_rows, m
         if (status /= status_ok) cycle
         last = min(first + m - 1, n_rows)
         n = int(last - first + 1)
         call standardise_inputs(kernels, view, inputs, first, last, tile, status)
         if (status /= status_ok) cycle
         to = 0
         do k = 1, size(view%members)
            from = to + 1
            to = to + view%members(k)%mixture%n_kernels
            call forward(kernels, view%members(k)%network, &
               parameters(view%members(k)%offset + 1:), m, tile, work%units, work%outputs)
            call mixture_of_outputs(kernels, view%members(k)%mixture, m, n, work%outputs, &
               view%scales%target_centre, view%scales%target_scale, view%weights(k), &
               work%d_outputs, weights(from:to, first:last), means(:, from:to, first:last), &
               factors(:, :, from:to, first:last))
         end do
      end do
      !$omp end do
      !$omp end parallel
   end subroutine posterior

   !> log p(targets | inputs) of the committee, row by row, nats in physical units; -huge outside
   !> the targets' ranges. status_not_finite as for `posterior`.
   subroutine log_density(view, parameters, inputs, targets, n_threads, log_p, status)
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:)
      real(wp), intent(in), contiguous :: inputs(:, :)  !! (n_inputs, n_rows)
      real(wp), intent(in), contiguous :: targets(:, :) !! (n_targets, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: log_p(:)
      integer, intent(out) :: status
      type(kernel_set) :: kernels
      type(tile_work), target :: work
      real(wp), allocatable :: x(:, :), t(:, :), terms(:, :), slopes(:)
      real(wp) :: log_scale
      integer(ip) :: first, last, n_rows
      integer :: k, m, n, failure

      status = status_ok
      kernels = processor_kernels()
      log_scale = sum(log(view%scales%target_scale))
      n_rows = size(inputs, 2, kind=ip)
      m = tile_length(n_rows)
      !$omp parallel num_threads(n_threads) if (n_rows > m) default(none) &
      !$omp shared(kernels, view, parameters, inputs, targets, log_p, log_scale, n_rows, m) &
      !$omp private(work, x, t, terms, slopes, first, last, k, n, failure) reduction(max: status)
      call new_tile_work(largest(view%members), m, work, status)
      ! allow(C182): whichever of these fails
      allocate (x(m, view%n_seen), t(m, view%n_targets), terms(m, size(view%members)), &
         slopes(m), source=0.0_wp, stat=failure)
      if (failure /= 0) status = status_out_of_memory
      !$omp do schedule(dynamic, 1)
      do first = 1, n_rows, m
         if (status /= status_ok) cycle
         last = min(first + m - 1, n_rows)
         n = int(last - first + 1)
         call standardise_inputs(kernels, view, inputs, first, last, x, status)
         call standardise_targets(kernels, view, targets, first, last, t, slopes, status)
         if (status /= status_ok) cycle
         do k = 1, size(view%members)
            call example_losses(kernels, view%members(k), parameters(view%members(k)%offset + 1:), &
               m, x, t, work)
            terms(:, k) = log(max(view%weights(k), tiny(1.0_wp))) - work%losses
         end do
         call add_densities(kernels, terms, work%losses)
         log_p(first:last) = work%losses(:n) - log_scale + slopes(:n)
         where (slopes(:n) <= -infinite) log_p(first:last) = -infinite
      end do
      !$omp end do
      !$omp end parallel
   end subroutine log_density

   !> Rows taken together: as few tiles of as much the same length as possible; one row goes alone.
   pure function tile_length(n_rows) result(m)
      integer(ip), intent(in) :: n_rows
      integer :: m
      integer(ip) :: n_tiles

      n_tiles = max(1_ip, (n_rows + tile_size - 1)/tile_size)
      m = int(max(1_ip, (n_rows + n_tiles - 1)/n_tiles))
      if (m > 1) m = lanes*((m + lanes - 1)/lanes)
   end function tile_length

   !> log(sum(exp(terms))) over the members.
   pure subroutine add_densities(kernels, terms, log_p)
      type(kernel_set), intent(in) :: kernels
      real(wp), intent(inout) :: terms(:, :) !! (rows, members); used up
      real(wp), intent(out) :: log_p(:)
      real(wp) :: total(size(log_p))
      integer :: k

      log_p = maxval(terms, dim=2)
      do k = 1, size(terms, 2)
         terms(:, k) = terms(:, k) - log_p
         call kernels%exp(size(terms, 1, c_int), terms(:, k))
      end do
      total = sum(terms, dim=2)
      call kernels%log(size(total, kind=c_int), total)
      log_p = log_p + total
   end subroutine add_densities

   !> A member as large as any of them in each way: its work space serves them all.
   pure function largest(members) result(member)
      type(member_type), intent(in) :: members(:)
      type(member_type) :: member
      integer :: k, n_units

      n_units = 1
      do k = 1, size(members)
         n_units = max(n_units, members(k)%network%n_units())
      end do
      member = new_member(members(1)%network%n_inputs, [n_units], &
         maxval(members%mixture%covariance), members(1)%mixture%n_targets, &
         maxval(members%mixture%n_kernels), .false.)
      if (.not. allocated(members(1)%mixture%low)) return
      member%mixture%low = members(1)%mixture%low
      member%mixture%high = members(1)%mixture%high
      member%mixture%period = members(1)%mixture%period
   end function largest

   !> Rows first to last of raw inputs as the first rows of a tile of standardised features.
   pure subroutine standardise_inputs(kernels, view, inputs, first, last, tile, status)
      type(kernel_set), intent(in) :: kernels
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: inputs(:, :)
      integer(ip), intent(in) :: first, last
      real(wp), intent(inout), contiguous :: tile(:, :)
      integer, intent(inout) :: status
      real(wp), allocatable :: features(:, :)
      integer :: failure

      associate (centre => view%scales%input_centre, scale => view%scales%input_scale)
         if (view%inputs%is_plain()) then
            call standardise(kernels, inputs, first, last, centre, scale, tile, status)
         else
            allocate (features(view%n_features, last - first + 1), stat=failure)
            if (failure /= 0) status = status_out_of_memory
            if (failure /= 0) return
            call prepare_inputs(kernels, view%inputs, inputs(:, first:last), features, status)
            if (status /= status_ok) return
            call standardise(kernels, features, 1_ip, last - first + 1, centre, scale, tile, status)
         end if
      end associate
      if (status /= status_ok) return
      call see(view%scales%knots, view%scales%in_pieces, int(last - first + 1), tile)
   end subroutine standardise_inputs

   !> Targets of rows first to last as the first rows of a tile, mapped and standardised, and the
   !> logarithms of the maps' slopes, -huge outside the ranges.
   pure subroutine standardise_targets(kernels, view, targets, first, last, tile, slopes, status)
      type(kernel_set), intent(in) :: kernels
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: targets(:, :)
      integer(ip), intent(in) :: first, last
      real(wp), intent(inout), contiguous :: tile(:, :)
      real(wp), intent(inout) :: slopes(:)
      integer, intent(inout) :: status
      real(wp) :: mapped(view%n_targets, last - first + 1), t
      integer(ip) :: row
      integer :: i

      slopes = 0
      associate (centre => view%scales%target_centre, scale => view%scales%target_scale)
         if (all(view%ranges%kind == free)) then
            call standardise(kernels, targets, first, last, centre, scale, tile, status)
            return
         end if
         do row = 1, last - first + 1
            do i = 1, view%n_targets
               t = targets(i, first + row - 1)
               mapped(i, row) = t
               if (.not. abs(t) <= huge(t)) cycle ! standardise finds it
               mapped(i, row) = to_kernels(view%ranges(i), t)
               if (.not. is_inside(view%ranges(i), t)) then
                  slopes(row) = -infinite
                  mapped(i, row) = centre(i)
               else if (slopes(row) > -infinite) then
                  slopes(row) = slopes(row) + log_slope(view%ranges(i), t, mapped(i, row))
               end if
            end do
         end do
         call standardise(kernels, mapped, 1_ip, last - first + 1, centre, scale, tile, status)
      end associate
   end subroutine standardise_targets

   !> Rows first to last as the first rows of a tile, standardised; `status` changes where a number
   !> is not finite.
   pure subroutine standardise(kernels, values, first, last, centre, scale, tile, status)
      type(kernel_set), intent(in) :: kernels
      real(wp), intent(in), contiguous :: values(:, :)
      integer(ip), intent(in) :: first, last
      real(wp), intent(in), contiguous :: centre(:), scale(:)
      real(wp), intent(inout), contiguous :: tile(:, :)
      integer, intent(inout) :: status
      integer(c_int) :: not_finite
      integer(ip) :: i

      not_finite = 0
      call kernels%standardise(int(last - first + 1, c_int), size(values, 1, c_int), values, &
         [(i, i=first, last)], centre, scale, farthest, size(tile, 1, c_int), tile, &
         not_finite)
      if (not_finite /= 0) status = status_not_finite
   end subroutine standardise

end module fmdn_apply
