!> Tables as text: every number exact, everything else refused with its line.
program test_legacy_table
   use fmdn_check, only: check, check_close, finish
   use fmdn_decimals, only: get_number
   use fmdn_example_files, only: cr, lf, remove, write_bytes
   use fmdn_file, only: detail_length
   use fmdn_kinds, only: ip, wp
   use fmdn_legacy_table, only: format_rows, read_table, table_sizes
   use fmdn_random, only: for_samples, random_stream, stream_of, uniform
   use fmdn_status, only: status_cannot_open, status_not_a_table, status_ok
   implicit none (type, external)
   character(len=*), parameter :: path = "test_legacy_table.txt"
   character(len=*), parameter :: tab = achar(9)

   call test_numbers()
   call test_not_numbers()
   call test_random_numbers()
   call test_forms()
   call test_refused()
   call test_long_lines()
   call test_written_and_read()
   call remove(path)
   call finish()

contains

   subroutine test_numbers()
      call number("0", 0.0_wp)
      call number("-0.0", 0.0_wp)
      call number("25", 25.0_wp)
      call number("+1.5", 1.5_wp)
      call number(".5", 0.5_wp)
      call number("5.", 5.0_wp)
      call number("1.0D+03", 1000.0_wp)
      call number("1d3", 1000.0_wp)
      call number("-2.5q-1", -0.25_wp)
      call number("1.25E002", 125.0_wp)
      call number("1.5-100", 1.5e-100_wp)
      call number("1.5+003", 1500.0_wp)
      call number("000000000000000000000000000000000000001", 1.0_wp)
      call number("9007199254740993", 9007199254740992.0_wp)
      call number("9007199254740993.0000000000000000000000001", 9007199254740994.0_wp)
      call number("0.1000000000000000055511151231257827", 0.1_wp)
      call number("9223372036854775807", 2.0_wp**63)
      call number("9223372036854775808", 2.0_wp**63)
      call number("1.7976931348623157e308", huge(1.0_wp))
      call number("2.2250738585072014e-308", tiny(1.0_wp))
      call number("5e-324", tiny(1.0_wp)*epsilon(1.0_wp))
      call number("1e-400", 0.0_wp)
      call number("0e99999999999", 0.0_wp)
   end subroutine test_numbers

   subroutine number(text, expected)
      character(len=*), intent(in) :: text
      real(wp), intent(in) :: expected
      real(wp) :: value
      integer(ip) :: behind

      call get_number("a " // text, 3_ip, value, behind)
      call check(behind == 3 + len(text), text // " ends at its end")
      call check_close(value, expected, 0.0_wp, text)
      call get_number(text // ",7", 1_ip, value, behind)
      call check(behind == 1 + len(text), text // " ends at a comma")
      call check_close(value, expected, 0.0_wp, text // " before a comma")
   end subroutine number

   subroutine test_not_numbers()
      character(len=12), parameter :: words(27) = [character(len=12) :: "", ".", "-", "+", "e5", &
         "1e", "1e+", "--1", "1.2.3", "1..", "nan", "NaN", "inf", "-Infinity", "1x", "0x10", &
         "1_dp", "1e5e5", "3*1.0", "1e309", "-1e999999999", "1/2", "1;2", "1,5;", '"1"', "1e5.0", &
         "one"]
      real(wp) :: value
      integer(ip) :: behind
      integer :: i

      do i = 1, size(words)
         if (words(i) == "1,5;") cycle ! two numbers and something else
         call get_number(trim(words(i)), 1_ip, value, behind)
         call check(behind == 1, "'" // trim(words(i)) // "' is not a number")
      end do
   end subroutine test_not_numbers

   !> Numbers of all magnitudes in 3 to 25 digits, against the compiler's own reading.
   subroutine test_random_numbers()
      type(random_stream) :: stream
      character(len=40) :: text, form
      real(wp) :: value, expected
      integer(ip) :: behind, i
      integer :: n_wrong, digits

      stream = stream_of(3_ip, 1, for_samples)
      n_wrong = 0
      do i = 1, 30000
         expected = (uniform(stream, 3*i) - 0.5_wp)*10.0_wp**int(60*uniform(stream, 3*i + 1) - 30)
         digits = 2 + int(23*uniform(stream, 3*i + 2))
         write (form, "(a,i0,a)") "(es40.", digits, "e3)"
         write (text, form) expected
         read (text, *) expected
         text = adjustl(text)
         call get_number(trim(text), 1_ip, value, behind)
         if (behind /= len_trim(text) + 1 .or. abs(value - expected) > 0) n_wrong = n_wrong + 1
      end do
      call check(n_wrong == 0, "numbers of all kinds are read to the last bit")
   end subroutine test_random_numbers

   subroutine test_forms()
      call accept("1 2" // lf // "3 4" // lf, "blanks")
      call accept("1 2" // lf // "3 4", "no end of the last line")
      call accept("1" // tab // "2" // lf // tab // "3 " // tab // " 4 " // lf, "tabs")
      call accept("1,2" // lf // "3 , 4" // lf, "commas")
      call accept("1 2" // cr // lf // "3,4" // cr // lf, "lines of Windows")
      call accept("# a" // lf // lf // "1 2 # b" // lf // "  ! c" // lf // "3 4% d" // lf // " " &
         // lf // "#", "comments and empty lines")
      call accept(char(239) // char(187) // char(191) // "1 2" // lf // "3 4", "byte order mark")
      call accept(repeat(" ", 3000) // "1" // repeat(" ", 3000) // "2" // lf // "3 4", "wide lines")
   end subroutine test_forms

   subroutine accept(bytes, name)
      character(len=*), intent(in) :: bytes, name
      real(wp), allocatable :: values(:, :)
      integer :: status
      character(len=detail_length) :: detail

      call read_all(bytes, values, status, detail)
      call check(status == status_ok, name // ": " // trim(detail))
      if (status /= status_ok) return
      call check(all(shape(values) == [2, 2]), name // ": shape")
      if (size(values) == 4) call check_close(reshape(values, [4]), &
         [1.0_wp, 2.0_wp, 3.0_wp, 4.0_wp], 0.0_wp, name // ": values")
   end subroutine accept

   subroutine read_all(bytes, values, status, detail)
      character(len=*), intent(in) :: bytes
      real(wp), allocatable, intent(out) :: values(:, :)
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      integer(ip) :: n_columns, n_rows, first_line

      call write_bytes(path, bytes)
      call table_sizes(path, n_columns, n_rows, first_line, status, detail)
      if (status /= status_ok) return
      allocate (values(n_columns, n_rows), source=0.0_wp)
      call read_table(path, values, status, detail)
   end subroutine read_all

   subroutine test_refused()
      integer(ip) :: sizes(3)
      integer :: status
      character(len=detail_length) :: detail

      call refuse("", "expected at least one line of numbers")
      call refuse("# nothing" // lf // lf, "expected at least one line of numbers")
      call refuse("x y" // lf // "1 2", 'line 1: expected a number, found "x"')
      call refuse("1 2" // lf // "3 four" // lf, 'line 2: expected a number, found "four"')
      call refuse("1 2" // lf // "3 NaN" // lf, 'line 2: expected a number, found "NaN"')
      call refuse("1 2" // lf // "3 1e999" // lf, 'line 2: expected a number, found "1e999"')
      call refuse("1 2" // lf // "#" // lf // "3" // lf, "line 3: expected 2 numbers, found 1")
      call refuse("1 2" // lf // "3 4 5" // lf, "line 2: expected 2 numbers, found 3")
      call refuse("1,,2" // lf, 'line 1: expected a number, found ","')
      call refuse("1,2," // lf, "line 1: expected a number, found the end of a line")
      call refuse("1,2,", "line 1: expected a number, found the end of the file")
      call refuse(",1,2" // lf, 'line 1: expected a number, found ","')
      call refuse("1;2" // lf, 'line 1: expected a number, found "1;2"')
      call refuse("1 2" // cr // "3 4" // lf, "line 1: expected a number")
      call refuse("1 2" // lf // "3" // achar(0) // "4", 'line 2: expected a number, found "3?4"')
      call refuse("1 2" // lf // repeat("y", 1000), 'line 2: expected a number, found "yyy')

      call table_sizes("no_such_file.txt", sizes(1), sizes(2), sizes(3), status, detail)
      call check(status == status_cannot_open .and. detail /= "", "a file that is not there")
      call table_sizes(".", sizes(1), sizes(2), sizes(3), status, detail)
      call check(status == status_cannot_open .and. detail /= "", "a folder")
   end subroutine test_refused

   subroutine refuse(bytes, message)
      character(len=*), intent(in) :: bytes, message
      real(wp), allocatable :: values(:, :)
      integer :: status
      character(len=detail_length) :: detail

      call read_all(bytes, values, status, detail)
      call check(status == status_not_a_table, "refused: " // message)
      call check(index(detail, message) > 0, "said: " // message // "; got: " // trim(detail))
   end subroutine refuse

   !> Lines longer than what is read at a time, and many of them.
   subroutine test_long_lines()
      character(len=*), parameter :: line = repeat("0.5 ", 400000) // lf
      real(wp), allocatable :: values(:, :)
      integer :: status
      character(len=detail_length) :: detail

      call read_all(line // "# a comment" // lf // line // line, values, status, detail)
      call check(status == status_ok, "long lines: " // trim(detail))
      if (status /= status_ok) return
      call check(all(shape(values) == [400000, 3]), "their shape")
      call check(all(abs(values - 0.5_wp) <= 0), "their values")
   end subroutine test_long_lines

   !> What is written is what was there, in lines of gfortran's own form.
   subroutine test_written_and_read()
      real(wp), parameter :: values(3, 2) = reshape([0.1_wp, -1.0e-300_wp, 44.958335820000002_wp, &
         1.0e22_wp, 0.0_wp, -123456.789_wp], [3, 2])
      character(len=2*(3*26 + 1)) :: text
      real(wp), allocatable :: again(:, :)
      integer :: status
      character(len=detail_length) :: detail

      call format_rows(values, text, status)
      call check(status == status_ok, "rows are written")
      call read_all(text, again, status, detail)
      call check(status == status_ok, "and read: " // trim(detail))
      if (status == status_ok) call check(all(abs(again - values) <= 0), "to the same bits")
      call format_rows(values, text(:10), status)
      call check(status /= status_ok, "a text that is too short is refused")
   end subroutine test_written_and_read

end program test_legacy_table
