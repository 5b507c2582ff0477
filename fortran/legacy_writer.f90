!> Writing the original's committee file (see fmdn_legacy_reader), as gfortran does: markers of 4
!> bytes, this processor's order of bytes. A committee that it cannot hold is refused.
module fmdn_legacy_writer
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
   use, intrinsic :: iso_fortran_env, only: int32
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_file_words, only: decimal, detail_length, quoted
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_blocks, block_view, get_block, input_scale_block, &
      member_weights_block, network_block, tag_length, target_scale_block
   use fmdn_legacy_reader, only: linear_units, max_layers, tanh_units
   use fmdn_member, only: max_members
   use fmdn_status, only: status_cannot_write, status_not_finite, status_not_legacy, status_ok, &
      status_text
   use fmdn_whole_file, only: close_file, open_file, put_bytes, whole_file
   implicit none (type, external)
   private
   public :: write_legacy_committee

   !> The longest record that gfortran does not cut into several.
   integer(ip), parameter :: longest_record = huge(1_int32) - 8

contains

   !> Write a committee, whole or not at all; `detail` says why it cannot be written.
   subroutine write_legacy_committee(path, layout, parameters, status, detail)
      character(len=*), intent(in) :: path
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      type(committee_view) :: view
      character(len=tag_length) :: unknown
      type(whole_file) :: to
      integer :: k, n

      call view_committee(layout, parameters, view, status, unknown)
      detail = status_text(status)
      if (unknown /= "") detail = quoted(unknown) // ": " // detail
      if (status /= status_ok) return
      detail = misfit(layout, view)
      if (detail /= "") status = status_not_legacy
      if (status /= status_ok) return
      if (.not. all(ieee_is_finite(parameters))) then
         status = status_not_finite
         detail = "the committee's parameters"
         return
      end if

      call open_file(path, to)
      call put_integers(to, [size(view%members), view%n_inputs])
      call put_integers(to, view%members%mixture%n_kernels)
      do k = 1, size(view%members)
         associate (member => view%members(k), hidden => view%members(k)%network%hidden)
            n = size(hidden)
            call put_integers(to, [n + 1])
            call put_integers(to, [spread(tanh_units, 1, n), linear_units])
            call put_integers(to, [view%n_inputs, hidden, member%network%n_outputs])
            call put_reals(to, parameters(member%offset + 1:member%offset + member%n_parameters))
         end associate
      end do
      call put_reals(to, view%weights)
      call put_reals(to, [view%scales%input_centre, view%scales%target_centre])
      call put_reals(to, [view%scales%input_scale, view%scales%target_scale])
      call close_file(to)
      status = merge(status_cannot_write, status_ok, to%failed)
      detail = to%message
   end subroutine write_legacy_committee

   !> What of this committee the format has no place for; blank where there is nothing.
   pure function misfit(layout, view) result(what)
      integer(ip), intent(in) :: layout(:)
      type(committee_view), intent(in) :: view
      character(len=detail_length) :: what
      character(len=tag_length), parameter :: held(4) = [character(len=tag_length) :: &
         input_scale_block, target_scale_block, member_weights_block, network_block]
      type(block_view) :: block
      integer(ip) :: i
      integer :: k

      what = ""
      do i = 1, layout(at_blocks)
         block = get_block(layout, i)
         if (.not. block%required .or. any(held == block%name)) cycle
         what = "it has the block " // quoted(block%name)
      end do
      if (view%n_targets /= 1) what = "it has " // decimal(int(view%n_targets, ip)) // " targets"
      if (size(view%members) > max_members) what = "it has too many members"
      do k = 1, size(view%members)
         if (view%members(k)%network%linear_path) what = "it has a linear path"
         if (size(view%members(k)%network%hidden) >= max_layers) what = "it has too many layers"
         if (8*view%members(k)%n_parameters > longest_record) what = "it has too many parameters"
      end do
   end function misfit

   subroutine put_integers(to, values)
      type(whole_file), intent(inout) :: to
      integer, intent(in) :: values(:)

      call put_marker(to, 4*size(values, kind=ip))
      call put_bytes(to, transfer(int(values, int32), repeat(" ", 4*size(values))))
      call put_marker(to, 4*size(values, kind=ip))
   end subroutine put_integers

   subroutine put_reals(to, values)
      type(whole_file), intent(inout) :: to
      real(wp), intent(in) :: values(:)
      integer, parameter :: block = 512
      integer(ip) :: first, last

      call put_marker(to, 8*size(values, kind=ip))
      do first = 1, size(values, kind=ip), block
         last = min(first + block - 1, size(values, kind=ip))
         call put_bytes(to, transfer(values(first:last), repeat(" ", int(8*(last - first + 1)))))
      end do
      call put_marker(to, 8*size(values, kind=ip))
   end subroutine put_reals

   subroutine put_marker(to, n_bytes)
      type(whole_file), intent(inout) :: to
      integer(ip), intent(in) :: n_bytes

      call put_bytes(to, transfer(int(n_bytes, int32), "    "))
   end subroutine put_marker

end module fmdn_legacy_writer
