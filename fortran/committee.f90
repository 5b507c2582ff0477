!> A committee: what it consists of, how its members' sizes are drawn, and a choice of members.
module fmdn_committee
   use fmdn_bending, only: n_knots, n_seen, straight_knots
   use fmdn_inputs, only: append_input_map, input_map, new_input_map, read_centre_and_axes, &
      read_input_map
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, at_blocks, at_members, at_targets, block_view, &
      check_layout, find_block, get_block, input_knots_block, input_scale_block, &
      member_weights_block, network_block, start_layout, tag_length, target_scale_block
   use fmdn_member, only: append_member, max_kernels, max_members, max_targets, max_units, &
      member_type, new_member, read_members
   use fmdn_mixture, only: full, isotropic
   use fmdn_random, only: for_shape, stream_of, uniform
   use fmdn_rows, only: scale_type
   use fmdn_status, only: status_invalid_argument, status_invalid_layout, status_ok
   use fmdn_targets, only: append_ranges, free, infinite, periodic, read_ranges, target_range
   implicit none (type, external)
   private
   public :: committee_view, plan_committee, add_knots, add_ranges, view_committee, select_members

   !> Kernels are wrapped three times for each periodic target.
   integer, parameter :: max_periodic = 4

   !> Shapes, offsets and scales of a committee whose numbers stay in the caller's parameters.
   type :: committee_view
      type(member_type), allocatable :: members(:)
      type(input_map) :: inputs
      type(scale_type) :: scales
      type(target_range), allocatable :: ranges(:)
      real(wp), allocatable :: weights(:)
      integer :: n_inputs = 0, n_targets = 0
      integer :: n_features = 0 !! what the scaled inputs are: fmdn_inputs
      integer :: n_seen = 0     !! by the networks: fmdn_bending
      integer :: n_kernels = 0 !! of all members together
   end type committee_view

contains

   !> Draw the members' sizes, uniformly between the bounds given, and lay the committee out.
   pure subroutine plan_committee(seed, n_inputs, n_targets, n_members, hidden_low, hidden_high, &
      kernels_low, kernels_high, covariance, linear_path, layout, status, groups, n_projected, &
      n_components)
      integer(ip), intent(in) :: seed
      integer, intent(in) :: n_inputs, n_targets, n_members
      integer, intent(in) :: hidden_low(:), hidden_high(:) !! units of each hidden layer
      integer, intent(in) :: kernels_low, kernels_high
      integer, intent(in) :: covariance !! isotropic, diagonal or full
      logical, intent(in) :: linear_path
      integer(ip), allocatable, intent(out) :: layout(:)
      integer, intent(out) :: status
      integer, intent(in), optional :: groups(:) !! of inputs that may be missing: fmdn_inputs
      integer, intent(in), optional :: n_projected, n_components
      type(input_map) :: inputs
      integer :: hidden(size(hidden_low)), n_kernels, k, layer, kind_used

      status = status_invalid_argument
      if (min(n_inputs, n_targets, n_members, kernels_low) < 1) return
      if (n_inputs > max_units .or. n_targets > max_targets .or. n_members > max_members) return
      if (size(hidden) < 1 .or. any(hidden_low < 1) .or. any(hidden_high < hidden_low)) return
      if (any(hidden_high > max_units)) return
      if (kernels_high < kernels_low .or. kernels_high > max_kernels) return
      if (covariance < isotropic .or. covariance > full) return

      if (present(groups)) then
         call new_input_map(n_inputs, groups, n_projected, n_components, inputs, status)
      else
         call new_input_map(n_inputs, [integer ::], 0, 0, inputs, status)
      end if
      if (status /= status_ok) status = status_invalid_argument
      if (status /= status_ok) return
      kind_used = merge(isotropic, covariance, n_targets == 1)
      call start_layout(n_inputs, n_targets, n_members, layout)
      call append_input_map(layout, inputs)
      call append_block(layout, input_scale_block, [integer(ip) ::], &
         2*int(inputs%n_features(), ip))
      call append_block(layout, target_scale_block, [integer(ip) ::], 2*int(n_targets, ip))
      call append_block(layout, member_weights_block, [integer(ip) ::], int(n_members, ip))
      do k = 1, n_members
         n_kernels = drawn(k, 0, kernels_low, kernels_high)
         do layer = 1, size(hidden)
            hidden(layer) = drawn(k, layer, hidden_low(layer), hidden_high(layer))
         end do
         call append_member(layout, &
            new_member(inputs%n_features(), hidden, kind_used, n_targets, n_kernels, linear_path))
      end do
      status = status_ok
   contains
      pure function drawn(member, number, low, high) result(n)
         integer, intent(in) :: member, number, low, high
         integer :: n

         n = low + int((high - low + 1) &
            *uniform(stream_of(seed, member, for_shape), int(number, ip)))
         n = min(n, high)
      end function drawn
   end subroutine plan_committee

   !> Give a planned committee knots for its inputs, which fit_committee_scales fits to the rows;
   !> its networks see the inputs in pieces as well, if wanted.
   pure subroutine add_knots(in_pieces, layout, parameters, status)
      logical, intent(in) :: in_pieces
      integer(ip), allocatable, intent(inout) :: layout(:)
      real(wp), allocatable, intent(inout) :: parameters(:)
      integer, intent(out) :: status
      integer(ip), allocatable :: new_layout(:)
      real(wp), allocatable :: new_parameters(:), reals(:)
      type(committee_view) :: view
      type(block_view) :: block
      integer(ip) :: i
      integer :: j, k

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (allocated(view%scales%knots)) return
      call start_layout(view%n_inputs, view%n_targets, size(view%members), new_layout)
      new_parameters = [(straight_knots(), j=1, view%n_features)]
      call append_block(new_layout, input_knots_block, [int(n_knots, ip), merge(1_ip, 0_ip, &
         in_pieces)], size(new_parameters, kind=ip))
      k = 0
      do i = 1, layout(at_blocks)
         block = get_block(layout, i)
         reals = parameters(block%offset + 1:block%offset + block%n_reals)
         if (block%name == network_block) then
            k = k + 1
            associate (network => view%members(k)%network, mixture => view%members(k)%mixture)
               network%n_inputs = n_seen(view%n_features, in_pieces)
               view%members(k) = new_member(network%n_inputs, network%hidden, mixture%covariance, &
                  mixture%n_targets, mixture%n_kernels, network%linear_path)
            end associate
            call append_member(new_layout, view%members(k))
            reals = [(0.0_wp, j=1, int(view%members(k)%n_parameters))]
         else
            call append_block(new_layout, block%name, &
               layout(block%first_integer:block%first_integer + block%n_integers - 1), &
               block%n_reals, block%version, block%required)
         end if
         new_parameters = [new_parameters, reals]
      end do
      call move_alloc(new_layout, layout)
      call move_alloc(new_parameters, parameters)
      status = status_ok
   end subroutine add_knots

   !> Give a planned committee the ranges of its targets, if they say anything.
   pure subroutine add_ranges(ranges, layout, parameters, status)
      type(target_range), intent(in) :: ranges(:)
      integer(ip), allocatable, intent(inout) :: layout(:)
      real(wp), allocatable, intent(inout) :: parameters(:)
      integer, intent(out) :: status
      integer(ip), allocatable :: longer(:)
      real(wp), allocatable :: more(:)
      type(committee_view) :: view

      status = status_ok
      if (all(ranges%kind == free)) return
      longer = layout
      more = [parameters, ranges%low, ranges%high]
      call append_ranges(longer, ranges%kind)
      call view_committee(longer, more, view, status)
      if (status /= status_ok) status = status_invalid_argument
      if (status /= status_ok) return
      call move_alloc(longer, layout)
      call move_alloc(more, parameters)
   end subroutine add_ranges

   !> Kernels of full covariance cannot be cut off: their mass inside has no closed form.
   pure function suits(ranges, covariance) result(yes)
      type(target_range), intent(in) :: ranges(:)
      integer, intent(in) :: covariance
      logical :: yes

      yes = count(ranges%kind == periodic) <= max_periodic
      if (covariance == full) yes = yes .and. .not. any(ranges%is_cut())
   end function suits

   !> What a layout and its parameters say. Refuses what does not fit together.
   pure subroutine view_committee(layout, parameters, view, status, trouble)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      type(committee_view), intent(out) :: view
      integer, intent(out) :: status
      character(len=tag_length), intent(out), optional :: trouble !! name of an unknown block
      character(len=tag_length) :: name
      type(block_view) :: inputs, targets, weights

      call check_layout(layout, size(parameters, kind=ip), status, name)
      if (present(trouble)) trouble = name
      if (status /= status_ok) return
      call read_members(layout, view%members, status)
      if (status /= status_ok) return

      call read_input_map(layout, view%inputs, status)
      if (status /= status_ok) return

      status = status_invalid_layout
      view%n_inputs = view%inputs%n_inputs
      view%n_features = view%inputs%n_features()
      view%n_targets = int(layout(at_targets))
      view%n_kernels = sum(view%members%mixture%n_kernels)
      inputs = find_block(layout, input_scale_block, 1)
      targets = find_block(layout, target_scale_block, 1)
      weights = find_block(layout, member_weights_block, 1)
      if (any([character(len=tag_length) :: inputs%name, targets%name, weights%name] == "")) return
      if (inputs%n_reals /= 2*view%n_features .or. targets%n_reals /= 2*view%n_targets) return
      if (weights%n_reals /= size(view%members)) return
      associate (from_inputs => parameters(inputs%offset + 1:inputs%offset + inputs%n_reals), &
            from_targets => parameters(targets%offset + 1:targets%offset + targets%n_reals))
         view%scales%input_centre = from_inputs(:view%n_features)
         view%scales%input_scale = from_inputs(view%n_features + 1:)
         view%scales%target_centre = from_targets(:view%n_targets)
         view%scales%target_scale = from_targets(view%n_targets + 1:)
      end associate
      inputs = find_block(layout, input_knots_block, 1)
      if (inputs%name == input_knots_block) then
         if (inputs%n_integers /= 2 .or. inputs%n_reals /= 2_ip*n_knots*view%n_features) return
         associate (integers => layout(inputs%first_integer:inputs%first_integer + 1))
            if (integers(1) /= n_knots .or. integers(2) < 0 .or. integers(2) > 1) return
            view%scales%in_pieces = integers(2) == 1
         end associate
         view%scales%knots = reshape(parameters(inputs%offset + 1:inputs%offset + inputs%n_reals), &
            [n_knots, 2, view%n_features])
      end if
      view%n_seen = n_seen(view%n_features, view%scales%in_pieces)
      call read_centre_and_axes(layout, parameters, view%scales%input_centre, view%inputs)
      call read_ranges(layout, parameters, view%n_targets, view%ranges, status)
      if (status /= status_ok) return
      status = status_invalid_layout
      if (.not. suits(view%ranges, maxval(view%members%mixture%covariance))) return
      if (any(view%ranges%is_cut() .or. view%ranges%kind == periodic)) call restrict(view)
      view%weights = parameters(weights%offset + 1:weights%offset + weights%n_reals)
      status = status_ok
   end subroutine view_committee

   !> Tell the members' kernels their ranges, standardised.
   pure subroutine restrict(view)
      type(committee_view), intent(inout) :: view
      real(wp), dimension(view%n_targets) :: low, high
      integer :: k

      associate (centre => view%scales%target_centre, scale => view%scales%target_scale)
         if (.not. all(scale > 0)) return ! only planned yet
         low = view%ranges%kernel_low()
         high = view%ranges%kernel_high()
         where (low > -infinite) low = (low - centre)/scale
         where (high < infinite) high = (high - centre)/scale
         do k = 1, size(view%members)
            view%members(k)%mixture%low = low
            view%members(k)%mixture%high = high
            view%members(k)%mixture%period = view%ranges%period()/scale
         end do
      end associate
   end subroutine restrict

   !> The committee of the members in `keep`, their weights normalised; other blocks are carried on.
   pure subroutine select_members(layout, parameters, keep, new_layout, new_parameters, status)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      logical, intent(in) :: keep(:)
      integer(ip), allocatable, intent(out) :: new_layout(:)
      real(wp), allocatable, intent(out) :: new_parameters(:)
      integer, intent(out) :: status
      type(committee_view) :: view
      type(block_view) :: block
      real(wp), allocatable :: reals(:)
      integer(ip) :: i
      integer :: k

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (size(keep) /= size(view%members) .or. .not. any(keep)) return
      call start_layout(view%n_inputs, view%n_targets, count(keep), new_layout)
      allocate (new_parameters(0))
      k = 0
      do i = 1, layout(at_blocks)
         block = get_block(layout, i)
         reals = parameters(block%offset + 1:block%offset + block%n_reals)
         if (block%name == network_block) then
            k = k + 1
            if (.not. keep(k)) cycle
         else if (block%name == member_weights_block) then
            reals = pack(reals, keep)
            if (sum(reals) > 0) reals = reals/sum(reals)
         end if
         call append_block(new_layout, block%name, &
            layout(block%first_integer:block%first_integer + block%n_integers - 1), &
            size(reals, kind=ip), block%version, block%required)
         new_parameters = [new_parameters, reals]
      end do
      status = status_ok
   end subroutine select_members

end module fmdn_committee
