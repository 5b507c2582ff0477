!> Writing the model file: whole or not at all.
module fmdn_file_writer
   use fmdn_file_words, only: add_to, checksum_label, decimal, detail_length, digits_of, &
      file_version, fnv_hash, in_layout, in_names, in_parameters, in_text, is_name, &
      largest_count, line_feed, magic, quoted
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_blocks, at_inputs, at_members, at_targets, block_header_size, &
      check_layout, header_size, name_of, tag_length, tag_of
   use fmdn_status, only: status_cannot_write, status_invalid_argument, status_invalid_layout, &
      status_not_finite, status_ok, status_text, status_unknown_block
   use fmdn_whole_file, only: close_file, open_file, put_bytes, whole_file
   implicit none (type, external)
   private
   public :: write_model

   integer, parameter :: reals_a_line = 4, integers_a_line = 10

   !> A model file being written, and the checksum so far.
   type :: file_writer
      type(whole_file) :: file
      type(fnv_hash) :: hash
   end type file_writer

contains

   !> Write committees to a file, whole or not at all: on any error the file is as it was before.
   !> `detail` says what is wrong, and where; trailing blanks of `path` do not count.
   subroutine write_model(path, n_entries, sizes, names, layout, parameters, text, status, detail)
      character(len=*), intent(in) :: path, names, text
      integer(ip), intent(in) :: n_entries
      integer(ip), intent(in) :: sizes(4, n_entries) !! see `in_names`
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      type(file_writer) :: to
      integer(ip) :: first(4), last(4), i

      status = status_invalid_argument
      detail = "the sizes of the entries do not add up to the sizes of the arrays"
      last = [len(names, ip), size(layout, kind=ip), size(parameters, kind=ip), len(text, ip)]
      if (n_entries < 1 .or. any(sizes < 0 .or. sizes > spread(last, 2, size(sizes, 2)))) return
      if (any(sum(sizes, dim=2) /= last)) return
      last = 0
      do i = 1, n_entries
         first = last + 1
         last = last + sizes(:, i)
         call check_committee(layout(first(in_layout):last(in_layout)), &
            parameters(first(in_parameters):last(in_parameters)), status, detail)
         detail = "committee " // decimal(i) // ": " // detail
         if (status /= status_ok) return
      end do

      call open_file(path, to%file)
      call put(to, magic // decimal(int(file_version, ip)) // line_feed)
      call put(to, "committees " // decimal(n_entries) // line_feed)
      last = 0
      do i = 1, n_entries
         first = last + 1
         last = last + sizes(:, i)
         call put_committee(to, names(first(in_names):last(in_names)), &
            layout(first(in_layout):last(in_layout)), &
            parameters(first(in_parameters):last(in_parameters)), &
            text(first(in_text):last(in_text)))
      end do
      call put(to, line_feed)
      call put(to, checksum_label // digits_of(to%hash) // line_feed)
      call close_file(to%file)
      status = merge(status_cannot_write, status_ok, to%file%failed)
      detail = to%file%message
   end subroutine write_model

   !> Is this something that `read_model` would give back bit for bit?
   pure subroutine check_committee(layout, parameters, status, detail)
      use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      character(len=tag_length) :: name
      integer(ip) :: at, i

      call check_layout(layout, size(parameters, kind=ip), status, name)
      detail = status_text(status)
      if (status == status_unknown_block) detail = quoted(name) // ": " // detail
      if (status /= status_ok) return

      at = header_size
      do i = 1, layout(at_blocks)
         name = name_of(layout(at + 1:at + 2))
         if (.not. is_name(name) .or. any(tag_of(name) /= layout(at + 1:at + 2)) .or. &
            layout(at + 3) < 0 .or. layout(at + 3) > largest_count .or. &
            (layout(at + 4) /= 0 .and. layout(at + 4) /= 1)) then
            status = status_invalid_layout
            detail = "block " // decimal(i) // ' has an invalid name, version or "required"'
            return
         end if
         at = at + block_header_size + layout(at + 5)
      end do

      i = findloc(ieee_is_finite(parameters), .false., dim=1, kind=ip)
      if (i == 0) return
      status = status_not_finite
      detail = "parameter " // decimal(i) // " is NaN or infinite"
   end subroutine check_committee

   subroutine put_committee(to, name, layout, parameters, text)
      type(file_writer), intent(inout) :: to
      character(len=*), intent(in) :: name, text
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      integer(ip) :: at, i, j, last, n_integers, n_reals, offset
      character(len=21*integers_a_line) :: integers
      character(len=25*reals_a_line) :: reals

      call put(to, line_feed // "committee " // decimal(len(name, ip)) // " ")
      call put(to, name)
      call put(to, line_feed // "inputs " // decimal(layout(at_inputs)) // &
         " targets " // decimal(layout(at_targets)) // &
         " members " // decimal(layout(at_members)) // &
         " blocks " // decimal(layout(at_blocks)) // line_feed)
      call put(to, "text " // decimal(len(text, ip)) // line_feed)
      call put(to, text)
      call put(to, line_feed)
      at = header_size
      do i = 1, layout(at_blocks)
         n_integers = layout(at + 5)
         n_reals = layout(at + 6)
         offset = layout(at + 7)
         call put(to, "block " // quoted(name_of(layout(at + 1:at + 2))) // &
            " version " // decimal(layout(at + 3)) // &
            merge(" required", " optional", layout(at + 4) == 1) // &
            " integers " // decimal(n_integers) // " reals " // decimal(n_reals) // line_feed)
         at = at + block_header_size
         do j = 1, n_integers, integers_a_line
            last = min(j + integers_a_line - 1, n_integers)
            write (integers, "(*(i0, :, 1x))") layout(at + j:at + last)
            call put(to, trim(integers) // line_feed)
         end do
         do j = offset + 1, offset + n_reals, reals_a_line
            last = min(j + reals_a_line - 1, offset + n_reals)
            write (reals, "(*(es25.16e3))") parameters(j:last)
            call put(to, trim(reals) // line_feed)
         end do
         at = at + n_integers
      end do
   end subroutine put_committee

   subroutine put(to, bytes)
      type(file_writer), intent(inout) :: to
      character(len=*), intent(in) :: bytes

      call put_bytes(to%file, bytes)
      call add_to(to%hash, bytes)
   end subroutine put

end module fmdn_file_writer
