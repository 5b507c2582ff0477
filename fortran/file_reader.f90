!> Reading the model file: no number in it is believed before the file is seen to be whole and
!> large enough, and nothing that was written by another version is taken for something else.
module fmdn_file_reader
   use fmdn_file_scanner, only: expect, fail, fail_here, get_count, get_integers, get_reals, &
      next_is, remaining, scanner, skip, skip_values
   use fmdn_file_words, only: add_to, checksum_label, decimal, detail_length, digits_of, &
      file_version, fnv_hash, in_layout, in_names, in_parameters, in_text, is_name, &
      largest_count, line_feed, magic, quoted
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_blocks, at_format, at_inputs, at_members, at_parameters, at_targets, &
      block_header_size, check_layout, header_size, layout_format, tag_length, tag_of
   use fmdn_status, only: status_cannot_open, status_damaged, status_newer_file, &
      status_not_a_model, status_ok, status_out_of_memory, status_text, status_truncated, &
      status_unknown_block
   implicit none (type, external)
   private
   public :: model_contents, read_model

   character(len=*), parameter :: carriage_return = achar(13)
   integer, parameter :: checksum_line = len(checksum_label) + 16 + 1 !! bytes of the last line

   !> What a file holds: the entries' names, layouts, parameters and texts, each one after another.
   type :: model_contents
      integer(ip), allocatable :: sizes(:, :) !! (4, n_entries)
      character(len=:), allocatable :: names
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      character(len=:), allocatable :: text
   end type model_contents

contains

   !> Read a file; trailing blanks of `path` do not count. Unless the status is ok, `contents` is
   !> empty and `detail` says what is wrong, and where.
   subroutine read_model(path, contents, status, detail)
      character(len=*), intent(in) :: path
      type(model_contents), intent(out) :: contents
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      type(scanner) :: from

      call load(trim(path), from)
      call check_checksum(from)
      call parse(from, .false., contents)
      call allocate_contents(from, contents)
      call parse(from, .true., contents)
      call check_layouts(from, contents)
      if (from%status /= status_ok) contents = model_contents()
      status = from%status
      detail = from%detail
   end subroutine read_model

   !> The first line, the last line, then the whole file: what is not a model is not read at all.
   subroutine load(path, from)
      character(len=*), intent(in) :: path
      type(scanner), intent(inout) :: from
      character(len=:), allocatable :: head, tail
      integer(ip) :: n_bytes
      integer :: unit, trouble
      character(len=detail_length) :: message

      open (newunit=unit, file=path, access="stream", form="unformatted", action="read", &
         status="old", iostat=trouble, iomsg=message)
      if (trouble /= 0) then
         call fail(from, status_cannot_open, message)
         return
      end if
      inquire (unit, size=n_bytes)
      allocate (character(len=max(0_ip, min(n_bytes, 64_ip))) :: head)
      allocate (character(len=max(0_ip, min(n_bytes, int(checksum_line, ip)))) :: tail)
      read (unit, iostat=trouble, iomsg=message) head
      if (trouble == 0 .and. n_bytes > 0) then
         read (unit, pos=n_bytes - len(tail) + 1, iostat=trouble, iomsg=message) tail
      end if
      if (n_bytes < 0) call fail(from, status_cannot_open, "not an ordinary file")
      if (trouble /= 0) call fail(from, status_cannot_open, message)
      if (from%status == status_ok) call check_first_line(from, head, n_bytes <= len(head))
      if (from%status == status_ok) call check_last_line(from, tail)
      if (from%status == status_ok) then
         allocate (character(len=n_bytes) :: from%bytes, stat=trouble)
         if (trouble == 0) then
            read (unit, pos=1, iostat=trouble, iomsg=message) from%bytes
            if (trouble /= 0) call fail(from, status_cannot_open, message)
         else
            call fail(from, status_out_of_memory, decimal(n_bytes) // " bytes to read")
         end if
      end if
      close (unit, iostat=trouble, iomsg=message)
      if (trouble /= 0) call fail(from, status_cannot_open, message)
   end subroutine load

   pure subroutine check_first_line(from, head, whole)
      type(scanner), intent(inout) :: from
      character(len=*), intent(in) :: head
      logical, intent(in) :: whole !! the file holds nothing more
      integer :: end_of_line, version, n

      end_of_line = index(head, line_feed)
      n = min(len(head), len(magic))
      if (len(head) == 0) then
         call fail(from, status_truncated, "the file is empty")
      else if (head(:n) /= magic(:n)) then
         call fail(from, status_not_a_model, &
            'the first line is not "' // magic // '" and a version')
      else if (end_of_line == 0 .and. whole) then
         call fail(from, status_truncated, "the file ends in its first line")
      else if (end_of_line == 0) then
         call fail(from, status_not_a_model, "the first line is too long")
      else if (head(end_of_line - 1:end_of_line - 1) == carriage_return) then
         call fail(from, status_damaged, "the line ends were changed to those of Windows " // &
            "(CR LF): copy the original file as it is (binary), not as text")
      else
         associate (digits => head(len(magic) + 1:end_of_line - 1))
            version = 0
            if (verify(digits, "0123456789") == 0 .and. len(digits) <= 9) then
               read (digits, "(i9)") version
            end if
            if (version < 1) then
               call fail(from, status_not_a_model, "the first line has no version")
            else if (version > file_version) then
               call fail(from, status_newer_file, "the file has version " // digits // &
                  ", and this program reads version " // decimal(int(file_version, ip)))
            end if
         end associate
      end if
   end subroutine check_first_line

   pure subroutine check_last_line(from, tail)
      type(scanner), intent(inout) :: from
      character(len=*), intent(in) :: tail !! the last bytes of the file
      integer, parameter :: n = len(checksum_label)
      logical :: complete

      complete = len(tail) == checksum_line
      if (complete) complete = tail(:n) == checksum_label .and. tail(checksum_line:) == line_feed &
         .and. verify(tail(n + 1:checksum_line - 1), "0123456789abcdefABCDEF") == 0
      if (.not. complete) call fail(from, status_truncated, 'the last line is not "' // &
         checksum_label // '" and 16 digits: the file was cut off, or something was added to it')
   end subroutine check_last_line

   pure subroutine check_checksum(from)
      type(scanner), intent(inout) :: from
      character(len=16) :: found
      type(fnv_hash) :: hash
      integer(ip) :: words(2)
      integer :: trouble

      if (from%status /= status_ok) return
      from%last = len(from%bytes, ip) - checksum_line
      found = from%bytes(from%last + len(checksum_label) + 1:)
      read (found, "(2z8)", iostat=trouble) words
      call add_to(hash, from%bytes(:from%last))
      if (trouble == 0) then
         if (all(words == [hash%high, hash%low])) return
      end if
      call fail(from, status_damaged, "the checksum in the last line is " // found // &
         ", that of the lines before it is " // digits_of(hash))
   end subroutine check_checksum

   !> Go through the file: once to check its form and count (`contents%sizes`), and once more to
   !> `keep` what it says, in arrays of the right size.
   pure subroutine parse(from, keep, contents)
      type(scanner), intent(inout) :: from
      logical, intent(in) :: keep
      type(model_contents), intent(inout) :: contents
      integer(ip) :: n_entries, ends(4), i
      integer :: trouble

      if (from%status /= status_ok) return
      from%position = index(from%bytes, line_feed, kind=ip) + 1
      call get_count(from, "committees ", remaining(from)/50, n_entries)
      if (n_entries < 1) call fail_here(from, "expected at least one committee")
      call expect(from, line_feed)
      if (from%status /= status_ok) return
      if (.not. keep) then
         allocate (contents%sizes(4, n_entries), source=0_ip, stat=trouble)
         if (trouble /= 0) call fail(from, status_out_of_memory, &
            decimal(n_entries) // " committees")
      end if
      ends = 0
      do i = 1, n_entries
         call parse_committee(from, keep, contents, ends, i)
         if (from%status /= status_ok) return
      end do
      call expect(from, line_feed)
      if (remaining(from) > 0) call fail_here(from, "expected the end of the last committee")
   end subroutine parse

   pure subroutine parse_committee(from, keep, contents, ends, entry)
      type(scanner), intent(inout) :: from
      logical, intent(in) :: keep
      type(model_contents), intent(inout) :: contents
      integer(ip), intent(inout) :: ends(4) !! what the entries before hold, in each of the arrays
      integer(ip), intent(in) :: entry
      integer(ip) :: header(header_size), sizes(4), name_at, text_at, i

      sizes(in_layout:in_parameters) = [int(header_size, ip), 0_ip]
      call get_count(from, line_feed // "committee ", remaining(from), sizes(in_names))
      call expect(from, " ")
      call skip(from, sizes(in_names), name_at)
      header(at_format) = layout_format
      call get_count(from, line_feed // "inputs ", largest_count, header(at_inputs))
      call get_count(from, " targets ", largest_count, header(at_targets))
      call get_count(from, " members ", largest_count, header(at_members))
      call get_count(from, " blocks ", remaining(from)/50, header(at_blocks))
      call get_count(from, line_feed // "text ", remaining(from), sizes(in_text))
      call expect(from, line_feed)
      call skip(from, sizes(in_text), text_at)
      call expect(from, line_feed)
      do i = 1, header(at_blocks)
         if (from%status /= status_ok) return
         call parse_block(from, keep, contents, ends, sizes)
      end do
      if (from%status /= status_ok) return
      if (keep) then
         header(at_parameters) = sizes(in_parameters)
         contents%layout(ends(in_layout) + 1:ends(in_layout) + header_size) = header
         contents%names(ends(in_names) + 1:ends(in_names) + sizes(in_names)) = &
            from%bytes(name_at:name_at + sizes(in_names) - 1)
         contents%text(ends(in_text) + 1:ends(in_text) + sizes(in_text)) = &
            from%bytes(text_at:text_at + sizes(in_text) - 1)
      end if
      contents%sizes(:, entry) = sizes
      ends = ends + sizes
   end subroutine parse_committee

   pure subroutine parse_block(from, keep, contents, ends, sizes)
      type(scanner), intent(inout) :: from
      logical, intent(in) :: keep
      type(model_contents), intent(inout) :: contents
      integer(ip), intent(in) :: ends(4)
      integer(ip), intent(inout) :: sizes(4) !! of this committee so far
      integer(ip) :: head(block_header_size), name_at, n, first

      call expect(from, 'block "')
      n = max(0, index(from%bytes(from%position:from%position + &
         min(remaining(from), tag_length + 1_ip) - 1), '"') - 1)
      call skip(from, n, name_at)
      if (.not. is_name(from%bytes(name_at:name_at + n - 1))) call fail_here(from, &
         'expected the name of a block, 1 to 16 ASCII characters and "')
      head(1:2) = tag_of(from%bytes(name_at:name_at + n - 1))
      call get_count(from, '" version ', largest_count, head(3))
      head(4) = merge(0_ip, 1_ip, next_is(from, " optional"))
      call expect(from, merge(" optional", " required", head(4) == 0))
      call get_count(from, " integers ", remaining(from)/2, head(5))
      call get_count(from, " reals ", remaining(from)/2, head(6))
      call expect(from, line_feed)
      if (from%status /= status_ok) return

      head(7) = sizes(in_parameters)
      if (keep) then
         first = ends(in_layout) + sizes(in_layout) + 1
         contents%layout(first:first + block_header_size - 1) = head
         first = first + block_header_size
         call get_integers(from, contents%layout(first:first + head(5) - 1))
         first = ends(in_parameters) + sizes(in_parameters) + 1
         call get_reals(from, contents%parameters(first:first + head(6) - 1))
      else
         call skip_values(from, head(5))
         call skip_values(from, head(6))
      end if
      sizes(in_layout) = sizes(in_layout) + block_header_size + head(5)
      sizes(in_parameters) = sizes(in_parameters) + head(6)
   end subroutine parse_block

   pure subroutine allocate_contents(from, contents)
      type(scanner), intent(inout) :: from
      type(model_contents), intent(inout) :: contents
      integer(ip) :: totals(4)
      integer :: trouble

      if (from%status /= status_ok) return
      totals = sum(contents%sizes, dim=2)
      allocate (character(len=totals(in_names)) :: contents%names, stat=trouble)
      if (trouble == 0) allocate (contents%layout(totals(in_layout)), stat=trouble)
      if (trouble == 0) allocate (contents%parameters(totals(in_parameters)), stat=trouble)
      if (trouble == 0) allocate (character(len=totals(in_text)) :: contents%text, stat=trouble)
      if (trouble /= 0) call fail(from, status_out_of_memory, &
         decimal(totals(in_parameters)) // " parameters to read")
   end subroutine allocate_contents

   pure subroutine check_layouts(from, contents)
      type(scanner), intent(inout) :: from
      type(model_contents), intent(in) :: contents
      integer(ip) :: at, i
      integer :: status
      character(len=tag_length) :: trouble

      if (from%status /= status_ok) return
      at = 0
      do i = 1, size(contents%sizes, 2, ip)
         associate (n => contents%sizes(in_layout, i))
            call check_layout(contents%layout(at + 1:at + n), contents%sizes(in_parameters, i), &
               status, trouble)
            at = at + n
         end associate
         if (status == status_unknown_block) call fail(from, status, "committee " // decimal(i) // &
            " needs block " // quoted(trouble) // ", which this version does not know")
         if (status /= status_ok) call fail(from, status, &
            "committee " // decimal(i) // ": " // status_text(status))
      end do
   end subroutine check_layouts

end module fmdn_file_reader
