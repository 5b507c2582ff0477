!> What the programs read: tables whose rows have to be as long as others.
module program_data
   use program_command_line, only: fail
   use fmdn_file_words, only: decimal, detail_length
   use fmdn_kinds, only: ip, wp
   use fmdn_legacy_table, only: read_table, table_sizes
   use fmdn_status, only: status_ok, status_text
   implicit none (type, external)
   private
   public :: read_rows, fail_with

contains

   !> Read a table of so many columns, which `columns` explains; of any number from two on where
   !> that is 0. Anything else ends the program.
   subroutine read_rows(program_name, path, n_columns, columns, rows)
      character(len=*), intent(in) :: program_name, path, columns
      integer, intent(in) :: n_columns
      real(wp), allocatable, intent(out) :: rows(:, :) !! (n_columns, n_rows)
      integer(ip) :: n_found, n_rows, first_line
      integer :: status, failure
      character(len=detail_length) :: detail
      character(len=:), allocatable :: expected

      call table_sizes(path, n_found, n_rows, first_line, status, detail)
      if (status /= status_ok) call fail_with(program_name, path, status, detail)
      expected = "at least 2"
      if (n_columns > 0) expected = decimal(int(n_columns, ip))
      if (n_found /= n_columns .and. (n_columns > 0 .or. n_found < 2)) then
         call fail(program_name, path // ": line " // decimal(first_line) // ": expected " // &
            expected // " numbers (" // columns // "), found " // decimal(n_found))
      end if
      allocate (rows(n_found, n_rows), stat=failure)
      if (failure /= 0) call fail(program_name, path // ": out of memory")
      call read_table(path, rows, status, detail)
      if (status /= status_ok) call fail_with(program_name, path, status, detail)
   end subroutine read_rows

   !> End the program with what a status means.
   subroutine fail_with(program_name, path, status, detail)
      character(len=*), intent(in) :: program_name, path, detail
      integer, intent(in) :: status
      character(len=:), allocatable :: message

      message = path // ": " // status_text(status)
      if (detail /= "") message = message // " (" // trim(detail) // ")"
      call fail(program_name, message)
   end subroutine fail_with

end module program_data
