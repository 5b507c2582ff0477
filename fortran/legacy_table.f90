!> Tables of numbers as text: one row a line of any length; blanks, tabs or commas between numbers;
!> comments after #, ! or %; empty lines; numbers as Fortran, C or Python write them, 1.0D+03 too.
!> A file is gone through twice, in blocks: once for its sizes, once for its numbers.
module fmdn_legacy_table
   use fmdn_decimals, only: get_number
   use fmdn_file_words, only: decimal, detail_length, line_feed, shown
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_cannot_open, status_invalid_argument, status_not_a_table, &
      status_ok, status_out_of_memory
   implicit none (type, external)
   private
   public :: table_sizes, read_table, format_rows

   integer(ip), parameter :: block_size = 2_ip**20 !! bytes read at a time; longer lines take more
   character(len=*), parameter :: tab = achar(9), carriage_return = achar(13)
   character(len=*), parameter :: byte_order_mark = char(239) // char(187) // char(191)
   integer, parameter :: shown_bytes = 24

   !> What gfortran writes for a number and the blank before it, list-directed.
   integer, parameter, public :: width_of_number = 26

   !> A file, and whole lines of it in a block: bytes `at` to `last` are still to be read.
   type :: table_reader
      integer :: unit = 0
      integer(ip) :: n_bytes = 0   !! of the file
      integer(ip) :: n_taken = 0   !! of them, that went into blocks
      character(len=:), allocatable :: block
      integer(ip) :: n_block = 0   !! bytes in the block, of which the last line may be a part
      integer(ip) :: at = 1, last = 0
      integer(ip) :: line = 0      !! number of the line at `at`
      integer :: status = status_ok
      character(len=detail_length) :: detail = ""
   end type table_reader

contains

   !> Columns, rows, and the number of the first line that holds a row. Unless the status is ok,
   !> `detail` says what was expected, and in which line.
   subroutine table_sizes(path, n_columns, n_rows, first_line, status, detail)
      character(len=*), intent(in) :: path
      integer(ip), intent(out) :: n_columns, n_rows, first_line
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      type(table_reader) :: from
      real(wp) :: value
      logical :: ended

      n_columns = 0
      n_rows = 0
      first_line = 0
      call open_table(path, from)
      do while (next_row(from))
         n_rows = n_rows + 1
         if (n_rows == 1) then
            first_line = from%line
            call next_number(from, .true., value, ended)
            do while (.not. ended)
               n_columns = n_columns + 1
               call next_number(from, .false., value, ended)
            end do
         end if
         call skip_line(from)
      end do
      if (n_rows == 0) call fail(from, status_not_a_table, "expected at least one line of numbers")
      call close_table(from, status, detail)
   end subroutine table_sizes

   !> The numbers of a table whose sizes are known, a row in each column of `values`.
   subroutine read_table(path, values, status, detail)
      character(len=*), intent(in) :: path
      real(wp), intent(inout), contiguous :: values(:, :) !! (n_columns, n_rows)
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      type(table_reader) :: from
      integer(ip) :: row, column, n_columns
      real(wp) :: value
      logical :: ended

      n_columns = size(values, 1, kind=ip)
      call open_table(path, from)
      row = 0
      do while (next_row(from))
         row = row + 1
         if (row > size(values, 2, kind=ip)) exit
         column = 0
         call next_number(from, .true., value, ended)
         do while (.not. ended)
            column = column + 1
            if (column <= n_columns) values(column, row) = value
            call next_number(from, .false., value, ended)
         end do
         if (column /= n_columns) call fail(from, status_not_a_table, "line " // &
            decimal(from%line) // ": expected " // decimal(n_columns) // " numbers, found " // &
            decimal(column))
         call skip_line(from)
      end do
      if (row /= size(values, 2, kind=ip)) call fail(from, status_not_a_table, "expected " // &
         decimal(size(values, 2, kind=ip)) // " rows: was the file changed meanwhile?")
      call close_table(from, status, detail)
   end subroutine read_table

   !> Lines as gfortran writes them list-directed: 17 significant digits, a row a line.
   pure subroutine format_rows(values, text, status)
      real(wp), intent(in) :: values(:, :)      !! (n_columns, n_rows)
      ! allow(C072): of the caller's
      character(len=*), intent(inout) :: text   !! n_rows lines of 26*n_columns + 1 bytes
      integer, intent(out) :: status
      integer(ip) :: row, first, length
      integer :: trouble

      length = width_of_number*size(values, 1, kind=ip)
      status = status_invalid_argument
      if (len(text, kind=ip) /= (length + 1)*size(values, 2, kind=ip)) return
      do row = 1, size(values, 2, kind=ip)
         first = 1 + (row - 1)*(length + 1)
         write (text(first:first + length - 1), *, iostat=trouble) values(:, row)
         if (trouble /= 0) return
         text(first + length:first + length) = line_feed
      end do
      status = status_ok
   end subroutine format_rows

   subroutine open_table(path, from)
      character(len=*), intent(in) :: path
      type(table_reader), intent(out) :: from
      integer :: trouble
      character(len=detail_length) :: message

      open (newunit=from%unit, file=path, access="stream", form="unformatted", action="read", &
         status="old", iostat=trouble, iomsg=message)
      if (trouble /= 0) then
         call fail(from, status_cannot_open, message)
         return
      end if
      inquire (from%unit, size=from%n_bytes)
      if (from%n_bytes < 0) call fail(from, status_cannot_open, &
         "not an ordinary file: a table is read twice")
      allocate (character(len=min(max(from%n_bytes, 1_ip), block_size)) :: from%block)
   end subroutine open_table

   subroutine close_table(from, status, detail)
      type(table_reader), intent(inout) :: from
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail

      if (allocated(from%block)) close (from%unit)
      status = from%status
      detail = from%detail
   end subroutine close_table

   !> Go to the next line that holds something, to its first word; false at the end of the file.
   function next_row(from) result(found)
      type(table_reader), intent(inout) :: from
      logical :: found

      found = .false.
      do while (from%status == status_ok)
         if (from%at > from%last) call fill(from)
         if (from%at > from%last) return
         from%line = from%line + 1
         from%at = skipped(from)
         found = .not. at_end_of_row(from)
         if (found) exit
         call skip_line(from)
      end do
   end function next_row

   !> Go to the start of the next line.
   pure subroutine skip_line(from)
      type(table_reader), intent(inout) :: from
      integer(ip) :: length

      length = index(from%block(from%at:from%last), line_feed, kind=ip)
      from%at = merge(from%at + length, from%last + 1, length > 0)
   end subroutine skip_line

   !> Keep the line that is not whole yet, and read on until one is.
   subroutine fill(from)
      type(table_reader), intent(inout) :: from
      character(len=:), allocatable :: larger
      integer(ip) :: kept, n
      integer :: trouble
      character(len=detail_length) :: message

      kept = from%n_block - from%last
      if (from%last > 0) from%block(:kept) = from%block(from%last + 1:from%n_block)
      from%at = 1
      from%last = 0
      from%n_block = kept
      do while (from%last == 0 .and. from%n_taken < from%n_bytes)
         if (from%n_block == len(from%block, kind=ip)) then
            allocate (character(len=min(2*from%n_block, from%n_block + from%n_bytes - &
               from%n_taken)) :: larger, stat=trouble)
            if (trouble /= 0) then
               call fail(from, status_out_of_memory, "a line is longer than " // &
                  decimal(from%n_block) // " bytes")
               return
            end if
            larger(:from%n_block) = from%block
            call move_alloc(larger, from%block)
         end if
         n = min(len(from%block, kind=ip) - from%n_block, from%n_bytes - from%n_taken)
         read (from%unit, iostat=trouble, iomsg=message) &
            from%block(from%n_block + 1:from%n_block + n)
         if (trouble /= 0) then
            call fail(from, status_cannot_open, message)
            return
         end if
         if (from%n_taken == 0) call drop_byte_order_mark(from, n)
         from%last = index(from%block(from%n_block + 1:from%n_block + n), line_feed, back=.true., &
            kind=ip)
         if (from%last > 0) from%last = from%last + from%n_block
         from%n_block = from%n_block + n
         from%n_taken = from%n_taken + n
      end do
      if (from%last == 0) from%last = from%n_block ! the last line may lack its end
   end subroutine fill

   !> Some programs put one in front of what they export.
   pure subroutine drop_byte_order_mark(from, n)
      type(table_reader), intent(inout) :: from
      integer(ip), intent(in) :: n

      if (n < 3) return
      if (from%block(1:3) == byte_order_mark) from%block(1:3) = ""
   end subroutine drop_byte_order_mark

   !> Is this the end of the line's numbers?
   pure function at_end_of_row(from) result(yes)
      type(table_reader), intent(in) :: from
      logical :: yes

      yes = from%at > from%last
      if (yes) return
      select case (from%block(from%at:from%at))
      case (line_feed, "#", "!", "%")
         yes = .true.
      case default
         yes = .false.
      end select
   end function at_end_of_row

   !> Place of the first byte from here on that is no blank, tab or carriage return before a line's
   !> end.
   pure function skipped(from) result(at)
      type(table_reader), intent(in) :: from
      integer(ip) :: at

      at = from%at
      do while (at <= from%last)
         select case (from%block(at:at))
         case (" ", tab)
            at = at + 1
         case (carriage_return)
            if (at < from%last) then
               if (from%block(at + 1:at + 1) /= line_feed) return
            end if
            at = at + 1
         case default
            return
         end select
      end do
   end function skipped

   !> The next number of the line, or its end.
   subroutine next_number(from, first, value, ended)
      type(table_reader), intent(inout) :: from
      logical, intent(in) :: first !! none has been read from this line
      real(wp), intent(out) :: value
      logical, intent(out) :: ended
      integer(ip) :: before, behind
      logical :: comma

      value = 0
      before = from%at
      from%at = skipped(from)
      ended = from%status /= status_ok .or. at_end_of_row(from)
      if (ended) return
      comma = .not. first .and. from%block(from%at:from%at) == ","
      if (comma) then
         from%at = from%at + 1
         from%at = skipped(from)
      end if
      call get_number(from%block(:from%last), from%at, value, behind)
      if (behind == from%at .or. .not. (first .or. comma .or. from%at > before)) then
         call refuse(from)
         ended = .true.
      end if
      from%at = behind
   end subroutine next_number

   !> What stands here is not a number.
   subroutine refuse(from)
      type(table_reader), intent(inout) :: from
      integer(ip) :: n

      n = scan(from%block(from%at:min(from%at + shown_bytes, from%last)), &
         " ," // tab // line_feed // carriage_return, kind=ip) - 1
      if (n < 0) n = min(int(shown_bytes, ip), from%last - from%at + 1)
      if (from%at <= from%last) n = max(n, 1_ip)
      call fail(from, status_not_a_table, "line " // decimal(from%line) // &
         ": expected a number, found " // shown(from%block(from%at:from%at + n - 1)))
   end subroutine refuse

   pure subroutine fail(from, status, detail)
      type(table_reader), intent(inout) :: from
      integer, intent(in) :: status
      character(len=*), intent(in) :: detail

      if (from%status /= status_ok) return
      from%status = status
      from%detail = detail
   end subroutine fail

end module fmdn_legacy_table
