!> A member of a committee: its network and its mixture, as its block of the layout says.
module fmdn_member
   use fmdn_bending, only: n_seen
   use fmdn_inputs, only: input_map, read_input_map
   use fmdn_kinds, only: ip
   use fmdn_layout, only: append_block, at_members, at_targets, block_view, find_block, &
      input_knots_block, network_block
   use fmdn_mixture, only: full, isotropic, mixture_shape, outputs_per_kernel
   use fmdn_network, only: n_network_parameters, network_shape
   use fmdn_status, only: status_invalid_layout, status_ok
   implicit none (type, external)
   private
   public :: member_type, new_member, append_member, read_members

   !> Limits that keep every size within default integers.
   integer, parameter, public :: max_targets = 1000, max_kernels = 1000, max_units = 10**6
   integer, parameter, public :: max_members = 10**4

   type :: member_type
      type(network_shape) :: network
      type(mixture_shape) :: mixture
      integer(ip) :: n_parameters = 0
      integer(ip) :: offset = 0 !! number of the committee's parameters before this member's
   end type member_type

contains

   pure function new_member(n_inputs, hidden, covariance, n_targets, n_kernels, linear_path) &
      result(member)
      integer, intent(in) :: n_inputs, hidden(:), covariance, n_targets, n_kernels
      logical, intent(in) :: linear_path
      type(member_type) :: member

      member%mixture = mixture_shape(covariance, n_targets, n_kernels)
      member%network%n_inputs = n_inputs
      member%network%hidden = hidden
      member%network%n_outputs = n_kernels*outputs_per_kernel(covariance, n_targets)
      member%network%linear_path = linear_path
      member%n_parameters = n_network_parameters(member%network)
   end function new_member

   !> Add the member's block: covariance, kernels, linear path, number of layers, their widths.
   pure subroutine append_member(layout, member)
      integer(ip), allocatable, intent(inout) :: layout(:)
      type(member_type), intent(in) :: member

      call append_block(layout, network_block, int([member%mixture%covariance, &
         member%mixture%n_kernels, merge(1, 0, member%network%linear_path), &
         size(member%network%hidden), member%network%hidden], ip), member%n_parameters)
   end subroutine append_member

   !> All members of a layout that check_layout has passed.
   pure subroutine read_members(layout, members, status)
      integer(ip), intent(in) :: layout(:)
      type(member_type), allocatable, intent(out) :: members(:)
      integer, intent(out) :: status
      type(block_view) :: view
      type(input_map) :: inputs
      integer(ip), allocatable :: shape(:)
      integer :: k, c, n

      call read_input_map(layout, inputs, status)
      if (status /= status_ok) return
      status = status_invalid_layout
      if (layout(at_members) > size(layout) .or. layout(at_targets) > max_targets) return
      view = find_block(layout, input_knots_block, 1)
      if (view%name /= "" .and. view%n_integers /= 2) return
      n = inputs%n_features()
      if (view%name /= "") n = n_seen(n, layout(view%first_integer + 1) /= 0)
      allocate (members(layout(at_members)))
      c = int(layout(at_targets))
      do k = 1, size(members)
         view = find_block(layout, network_block, k)
         if (view%name == "" .or. view%n_integers < 5) return
         shape = layout(view%first_integer:view%first_integer + view%n_integers - 1)
         if (shape(1) < isotropic .or. shape(1) > full) return
         if (shape(2) < 1 .or. shape(2) > max_kernels) return
         if (shape(3) < 0 .or. shape(3) > 1 .or. shape(4) /= size(shape) - 4) return
         if (any(shape(5:) < 1) .or. any(shape(5:) > max_units)) return
         members(k) = new_member(n, int(shape(5:)), int(shape(1)), c, &
            int(shape(2)), shape(3) == 1)
         if (members(k)%n_parameters /= view%n_reals) return
         members(k)%offset = view%offset
      end do
      view = find_block(layout, network_block, size(members) + 1)
      if (view%name /= "") return
      status = status_ok
   end subroutine read_members

end module fmdn_member
