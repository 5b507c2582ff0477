!> The boundary for the original Fortran package's files (see fmdn_c): its committees, which
!> fmdn_file_read reads too, and tables of numbers as text.
module fmdn_c_legacy
   use, intrinsic :: iso_c_binding, only: c_char, c_double, c_int, c_int64_t
   use fmdn_characters, only: to_characters, to_string
   use fmdn_file, only: detail_length, write_legacy_committee
   use fmdn_kinds, only: ip
   use fmdn_legacy_table, only: format_rows, read_table, table_sizes, width_of_number
   use fmdn_status, only: status_invalid_argument
   implicit none (type, external)
   private
   public :: fmdn_legacy_write, fmdn_table_sizes, fmdn_table_read, fmdn_table_format

contains

   !> Write a committee into a file of the original's format, whole or not at all. `detail` says
   !> what is wrong, blank padded.
   subroutine fmdn_legacy_write(n_path, path, n_layout, layout, n_parameters, parameters, &
      n_detail, detail, status) bind(C)
      integer(c_int64_t), value :: n_path, n_layout, n_parameters, n_detail
      character(kind=c_char), intent(in) :: path(n_path)
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      character(len=detail_length) :: what

      call write_legacy_committee(to_string(path), layout, parameters, status, what)
      call to_characters(what, detail)
   end subroutine fmdn_legacy_write

   !> Sizes of a table: columns, rows, number of the first line that holds a row. `detail` says what
   !> was expected, and in which line, blank padded.
   subroutine fmdn_table_sizes(n_path, path, sizes, n_detail, detail, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_path, n_detail
      character(kind=c_char), intent(in) :: path(n_path)
      integer(c_int64_t), intent(inout) :: sizes(3)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      character(len=detail_length) :: what

      call table_sizes(to_string(path), sizes(1), sizes(2), sizes(3), status, what)
      call to_characters(what, detail)
   end subroutine fmdn_table_sizes

   !> The numbers of a table of the sizes that fmdn_table_sizes gave, row after row.
   subroutine fmdn_table_read(n_path, path, n_columns, n_rows, values, n_detail, detail, status) &
      bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_path, n_columns, n_rows, n_detail
      character(kind=c_char), intent(in) :: path(n_path)
      real(c_double), intent(inout) :: values(n_columns, n_rows)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      character(len=detail_length) :: what

      call read_table(to_string(path), values, status, what)
      call to_characters(what, detail)
   end subroutine fmdn_table_read

   !> Rows of numbers as text, 17 significant digits, 26 bytes a number and 1 for the end of a line:
   !> what gfortran writes list-directed.
   subroutine fmdn_table_format(n_columns, n_rows, values, n_text, text, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_columns, n_rows, n_text
      real(c_double), intent(in) :: values(n_columns, n_rows)
      character(kind=c_char), intent(inout) :: text(n_text)
      integer(c_int), intent(out) :: status
      character(len=:), allocatable :: line
      integer(ip) :: row, width

      width = width_of_number*n_columns + 1
      status = status_invalid_argument
      if (n_columns < 1 .or. n_rows < 0 .or. n_text /= width*n_rows) return
      allocate (character(len=width) :: line)
      do row = 1, n_rows
         call format_rows(values(:, row:row), line, status)
         call to_characters(line, text(1 + (row - 1)*width:row*width))
      end do
   end subroutine fmdn_table_format

end module fmdn_c_legacy
