!> A text in memory that is read word by word: what is expected next is taken or refused.
!> After the first failure nothing more is taken; `status` and `detail` keep what was wrong.
module fmdn_file_scanner
   use fmdn_file_words, only: decimal, detail_length, line_feed, shown
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_damaged, status_ok
   implicit none (type, external)
   private
   public :: scanner, expect, next_is, get_count, skip, skip_values, get_integers, get_reals, &
      remaining, fail, fail_here

   integer, parameter :: longest_value = 40 !! bytes

   type :: scanner
      character(len=:), allocatable :: bytes
      integer(ip) :: position = 1 !! of the next byte
      integer(ip) :: last = 0     !! byte that may be read
      integer :: status = status_ok
      character(len=detail_length) :: detail = ""
   end type scanner

contains

   pure subroutine expect(from, bytes)
      type(scanner), intent(inout) :: from
      character(len=*), intent(in) :: bytes

      if (.not. next_is(from, bytes)) call fail_here(from, "expected " // shown(bytes))
      if (from%status == status_ok) from%position = from%position + len(bytes)
   end subroutine expect

   pure function next_is(from, bytes) result(yes)
      type(scanner), intent(in) :: from
      character(len=*), intent(in) :: bytes
      logical :: yes

      yes = from%status == status_ok .and. remaining(from) >= len(bytes)
      if (yes) yes = from%bytes(from%position:from%position + len(bytes) - 1) == bytes
   end function next_is

   !> A label and a count from 0 to `most`; 0 when that is not what follows.
   pure subroutine get_count(from, label, most, count)
      type(scanner), intent(inout) :: from
      character(len=*), intent(in) :: label
      integer(ip), intent(in) :: most
      integer(ip), intent(out) :: count
      integer(ip) :: first
      integer :: n

      count = 0
      call expect(from, label)
      if (from%status /= status_ok) return
      first = from%position
      do n = 0, 17
         if (n == remaining(from)) exit
         if (scan(from%bytes(first + n:first + n), "0123456789") == 0) exit
      end do
      if (n == 0) call fail_here(from, "expected a count after " // shown(label))
      if (from%status /= status_ok) return
      read (from%bytes(first:first + n - 1), "(i18)") count
      if (count > most) then
         call fail_here(from, "expected at most " // decimal(max(most, 0_ip)) // " after " // &
            shown(label))
         count = 0
         return
      end if
      from%position = first + n
   end subroutine get_count

   pure subroutine skip(from, n, first)
      type(scanner), intent(inout) :: from
      integer(ip), intent(in) :: n
      integer(ip), intent(out) :: first !! position of the first of the `n` bytes

      first = from%position
      if (n > remaining(from)) call fail_here(from, "expected " // decimal(n) // " bytes")
      if (from%status == status_ok) from%position = first + n
   end subroutine skip

   !> The next value, bytes `first` to `last`, separated from others by blanks and line ends.
   pure subroutine next_value(from, first, last)
      type(scanner), intent(inout) :: from
      integer(ip), intent(out) :: first, last

      do first = from%position, from%last
         if (.not. is_space(from%bytes(first:first))) exit
      end do
      do last = first, from%last
         if (is_space(from%bytes(last:last))) exit
      end do
      last = last - 1
      from%position = first
      if (last < first .or. last - first >= longest_value) call fail_here(from, "expected a number")
      if (from%status == status_ok) from%position = last + 1
   end subroutine next_value

   pure subroutine skip_values(from, n)
      type(scanner), intent(inout) :: from
      integer(ip), intent(in) :: n
      integer(ip) :: first, last, i

      do i = 1, n
         call next_value(from, first, last)
         if (from%status /= status_ok) return
      end do
      if (n > 0) call expect(from, line_feed)
   end subroutine skip_values

   pure subroutine get_integers(from, values)
      type(scanner), intent(inout) :: from
      integer(ip), intent(out) :: values(:)
      integer(ip) :: first, last, i
      integer :: trouble

      do i = 1, size(values, kind=ip)
         call next_value(from, first, last)
         if (from%status /= status_ok) return
         associate (value => from%bytes(first:last))
            trouble = verify(value, "0123456789-")
            if (trouble == 0) read (value, "(i40)", iostat=trouble) values(i)
         end associate
         if (trouble == 0) cycle
         from%position = first
         call fail_here(from, "expected an integer of 64 bits")
         return
      end do
      if (size(values) > 0) call expect(from, line_feed)
   end subroutine get_integers

   pure subroutine get_reals(from, values)
      use, intrinsic :: ieee_arithmetic, only: ieee_is_finite, ieee_overflow, ieee_set_flag, &
         ieee_set_halting_mode, ieee_support_halting
      type(scanner), intent(inout) :: from
      real(wp), intent(out) :: values(:)
      integer(ip) :: first, last, i
      integer :: trouble

      ! A number out of range is a message here, also in a program that stops at overflows.
      if (ieee_support_halting(ieee_overflow)) call ieee_set_halting_mode(ieee_overflow, .false.)
      do i = 1, size(values, kind=ip)
         call next_value(from, first, last)
         if (from%status /= status_ok) exit
         associate (value => from%bytes(first:last))
            trouble = verify(value, "0123456789.+-Ee")
            if (trouble == 0) read (value, "(f40.0)", iostat=trouble) values(i)
         end associate
         if (trouble == 0) then
            if (ieee_is_finite(values(i))) cycle
         end if
         from%position = first
         call fail_here(from, "expected a finite real number")
         exit
      end do
      call ieee_set_flag(ieee_overflow, .false.)
      if (size(values) > 0) call expect(from, line_feed)
   end subroutine get_reals

   pure function remaining(from) result(n_bytes)
      type(scanner), intent(in) :: from
      integer(ip) :: n_bytes

      n_bytes = from%last - from%position + 1
   end function remaining

   pure function is_space(byte) result(yes)
      character(len=1), intent(in) :: byte
      logical :: yes

      yes = byte == " " .or. byte == line_feed
   end function is_space

   pure subroutine fail(from, status, detail)
      type(scanner), intent(inout) :: from
      integer, intent(in) :: status
      character(len=*), intent(in) :: detail

      if (from%status /= status_ok) return
      from%status = status
      from%detail = detail
   end subroutine fail

   !> The file is not what it should be at its current position.
   pure subroutine fail_here(from, expected)
      type(scanner), intent(inout) :: from
      character(len=*), intent(in) :: expected
      integer(ip) :: line, i

      if (from%status /= status_ok) return
      line = 1
      do i = 1, from%position - 1
         if (from%bytes(i:i) == line_feed) line = line + 1
      end do
      call fail(from, status_damaged, "line " // decimal(line) // &
         " (byte " // decimal(from%position) // "): " // expected // ", found " // &
         shown(from%bytes(from%position:min(from%position + 15, from%last))))
   end subroutine fail_here

end module fmdn_file_scanner
