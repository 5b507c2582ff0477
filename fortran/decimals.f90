!> Decimal numbers in a text, read fast: most are products of two numbers that are exact, in double
!> or quadruple precision, and one rounding is all that happens to them (Clinger 1990). A number
!> that is not takes the compiler's own way.
module fmdn_decimals
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite, ieee_overflow, ieee_set_flag, &
      ieee_set_halting_mode, ieee_support_halting
   use fmdn_kinds, only: ip, wp
   implicit none (type, external)
   private
   public :: get_number

   !> Quadruple precision, where there is one.
   integer, parameter :: long = merge(selected_real_kind(30), wp, selected_real_kind(30) > 0)
   integer, parameter :: quick_digits = precision(1.0_wp), long_digits = precision(1.0_long)
   integer(ip), parameter :: most = 922337203685477579_ip !! (huge(1_ip) - 9)/10: a digit may follow
   integer, parameter :: longest_number = 400 !! bytes

   !> 10**n is exact where 5**n fits into the digits.
   real(wp), parameter :: per_five = log(2.0_wp)/log(5.0_wp)
   integer, parameter :: quick_power = int(real(digits(1.0_wp), wp)*per_five)
   integer, parameter :: long_power = int(real(digits(1.0_long), wp)*per_five)
   integer, parameter :: powers(0:48) = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, &
      17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, &
      40, 41, 42, 43, 44, 45, 46, 47, 48]
   real(wp), parameter :: quick_ten(0:quick_power) = 10.0_wp**powers(:quick_power)
   real(long), parameter :: long_ten(0:long_power) = 10.0_long**powers(:long_power)

contains

   !> The number that starts at byte `at`, and the byte behind it: `at` where there is none, or one
   !> that is too large. Exponents begin with e, d or q, or with a sign.
   pure subroutine get_number(bytes, at, value, behind)
      character(len=*), intent(in) :: bytes
      integer(ip), intent(in) :: at
      real(wp), intent(out) :: value
      integer(ip), intent(out) :: behind
      integer(ip) :: whole, i, first, point, n_bytes
      integer :: n_digits, exponent, power, digit
      logical :: valid, held

      value = 0
      behind = at
      n_bytes = len(bytes, kind=ip)
      first = at
      if (first <= n_bytes) then
         if (bytes(first:first) == "-" .or. bytes(first:first) == "+") first = first + 1
      end if
      whole = 0
      n_digits = 0
      point = 0
      held = .true.
      do i = first, n_bytes
         digit = ichar(bytes(i:i)) - ichar("0")
         if (digit >= 0 .and. digit <= 9) then
            if (n_digits > 0 .or. digit > 0) n_digits = n_digits + 1
            held = held .and. whole <= most
            if (held) whole = 10*whole + digit
         else if (bytes(i:i) == "." .and. point == 0) then
            point = i
         else
            exit
         end if
      end do
      if (i - first - merge(1, 0, point > 0) == 0) return ! no digit
      power = 0
      if (point > 0) power = -int(i - 1 - point)
      if (i <= n_bytes) then
         if (.not. ends_number(bytes(i:i))) then
            call get_exponent(bytes, i, exponent, valid)
            if (.not. valid) return
            power = power + exponent
         end if
      end if

      if (n_digits == 0) then
         value = 0
      else if (n_digits <= quick_digits .and. abs(power) <= quick_power) then
         value = real(whole, wp)
         if (power >= 0) then
            value = value*quick_ten(power)
         else
            value = value/quick_ten(-power)
         end if
         if (bytes(at:at) == "-") value = -value
      else if (held .and. n_digits <= long_digits .and. abs(power) <= long_power) then
         if (power >= 0) then
            value = real(real(whole, long)*long_ten(power), wp)
         else
            value = real(real(whole, long)/long_ten(-power), wp)
         end if
         if (bytes(at:at) == "-") value = -value
      else
         call read_slowly(bytes(at:i - 1), value, valid)
         if (.not. valid) return
      end if
      behind = i
   end subroutine get_number

   !> The exponent at byte `i`, which moves behind it, to the end of the number.
   pure subroutine get_exponent(bytes, i, exponent, valid)
      character(len=*), intent(in) :: bytes
      integer(ip), intent(inout) :: i
      integer, intent(out) :: exponent
      logical, intent(out) :: valid
      integer, parameter :: enough = 100000
      integer(ip) :: first, n_bytes
      integer :: digit
      logical :: negative

      n_bytes = len(bytes, kind=ip)
      exponent = 0
      negative = .false.
      valid = index("eEdDqQ+-", bytes(i:i)) > 0
      if (.not. valid) return
      if (bytes(i:i) /= "+" .and. bytes(i:i) /= "-") i = i + 1
      if (i <= n_bytes) then
         negative = bytes(i:i) == "-"
         if (negative .or. bytes(i:i) == "+") i = i + 1
      end if
      first = i
      do i = first, n_bytes
         digit = ichar(bytes(i:i)) - ichar("0")
         if (digit < 0 .or. digit > 9) exit
         exponent = min(enough, 10*exponent + digit)
      end do
      valid = i > first
      if (valid .and. i <= n_bytes) valid = ends_number(bytes(i:i))
      if (negative) exponent = -exponent
   end subroutine get_exponent

   !> May this byte follow a number?
   pure function ends_number(byte) result(yes)
      character(len=1), intent(in) :: byte
      logical :: yes

      select case (byte)
      case (" ", ",", "#", "!", "%", achar(9), achar(10), achar(13))
         yes = .true.
      case default
         yes = .false.
      end select
   end function ends_number

   pure subroutine read_slowly(bytes, value, valid)
      character(len=*), intent(in) :: bytes
      real(wp), intent(out) :: value
      logical, intent(out) :: valid
      integer :: trouble

      value = 0
      valid = len(bytes) <= longest_number
      if (.not. valid) return
      ! A number out of range is a message, also in a program that stops at overflows.
      if (ieee_support_halting(ieee_overflow)) call ieee_set_halting_mode(ieee_overflow, .false.)
      read (bytes, "(f400.0)", iostat=trouble) value
      valid = trouble == 0
      if (valid) valid = ieee_is_finite(value)
      call ieee_set_flag(ieee_overflow, .false.)
   end subroutine read_slowly

end module fmdn_decimals
