!> The boundary for the ranges of targets (see fmdn_c and fmdn_targets): kinds, and ends in the
!> targets' units, +-huge where there is none.
module fmdn_c_targets
   use, intrinsic :: iso_c_binding, only: c_double, c_int, c_int64_t
   use fmdn_committee, only: add_ranges, committee_view, view_committee
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_invalid_argument, status_ok
   use fmdn_targets, only: from_kernels, map_targets, new_ranges, target_range
   implicit none (type, external)
   private
   public :: fmdn_add_ranges, fmdn_get_ranges, fmdn_map_targets

contains

   !> A planned committee with the ranges of its targets, into arrays that have room for one block
   !> more: n_layout + 7 + n_targets and n_parameters + 2 n_targets. Not for ranges that are all
   !> free.
   subroutine fmdn_add_ranges(n_layout, layout, n_parameters, parameters, n_targets, kinds, low, &
      high, n_longer, longer, n_more, more, status) bind(C)
      integer(c_int64_t), value :: n_layout, n_parameters, n_targets, n_longer, n_more
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      integer(c_int), intent(in) :: kinds(n_targets)
      real(c_double), intent(in) :: low(n_targets), high(n_targets)
      integer(c_int64_t), intent(inout) :: longer(n_longer)
      real(c_double), intent(inout) :: more(n_more)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      integer(ip), allocatable :: new_layout(:)
      real(wp), allocatable :: new_parameters(:)

      call new_ranges(kinds, low, high, ranges, status)
      if (status /= status_ok) return
      new_layout = layout
      new_parameters = parameters
      call add_ranges(ranges, new_layout, new_parameters, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (size(new_layout) /= n_longer .or. size(new_parameters) /= n_more) return
      longer = new_layout
      more = new_parameters
      status = status_ok
   end subroutine fmdn_add_ranges

   !> Kinds and ends of the targets' ranges.
   subroutine fmdn_get_ranges(n_layout, layout, n_parameters, parameters, n_targets, kinds, low, &
      high, status) bind(C)
      integer(c_int64_t), value :: n_layout, n_parameters, n_targets
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      integer(c_int), intent(inout) :: kinds(n_targets)
      real(c_double), intent(inout) :: low(n_targets), high(n_targets)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (n_targets /= view%n_targets) return
      kinds = view%ranges%kind
      low = view%ranges%low
      high = view%ranges%high
      status = status_ok
   end subroutine fmdn_get_ranges

   !> Targets as their kernels see them, or back.
   subroutine fmdn_map_targets(n_targets, kinds, low, high, back, n_rows, targets, status) bind(C)
      integer(c_int64_t), value :: n_targets, n_rows
      integer(c_int), intent(in) :: kinds(n_targets)
      real(c_double), intent(in) :: low(n_targets), high(n_targets)
      integer(c_int), value :: back
      real(c_double), intent(inout) :: targets(n_targets, n_rows)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      integer(c_int64_t) :: t

      call new_ranges(kinds, low, high, ranges, status)
      if (status /= status_ok) return
      if (back == 0) then
         call map_targets(ranges, targets, status)
      else
         do t = 1, n_rows
            targets(:, t) = from_kernels(ranges, targets(:, t))
         end do
      end if
   end subroutine fmdn_map_targets

end module fmdn_c_targets
