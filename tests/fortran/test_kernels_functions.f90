!> exp, tanh and log of every instruction set this processor has, against the quadruple precision
!> intrinsics.
program test_kernels_functions
   use, intrinsic :: ieee_arithmetic, only: ieee_get_flag, ieee_get_halting_mode, ieee_invalid, &
      ieee_divide_by_zero, ieee_is_nan, ieee_negative_inf, ieee_overflow, ieee_positive_inf, &
      ieee_quiet_nan, ieee_set_flag, ieee_value
   use, intrinsic :: iso_fortran_env, only: real128
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: same, spread_points
   use fmdn_kinds, only: lanes, wp
   implicit none (type, external)
   integer, parameter :: n_points = 40000
   type(kernel_set) :: kernels
   integer :: level

   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      call test_accuracy()
      call test_special_values()
      call test_position()
      call test_flags()
   end do
   call finish()

contains

   function named(what) result(text)
      character(*), intent(in) :: what
      character(:), allocatable :: text

      text = what // " (level " // achar(iachar("0") + kernels%level) // ")"
   end function named

   !> The largest error, in units in the last place of the exact value. 0.5 is the best there is;
   !> the bounds are the most that a search of two million points found (1.14, 2.55, 1.00), and
   !> some room.
   subroutine test_accuracy()
      real(wp), allocatable :: u(:), x(:), y(:)
      real(wp) :: worst(3)

      allocate (u(n_points), x(n_points), y(n_points))
      u = spread_points(n_points)

      x(1::2) = -708 + (708 + 709.78_wp)*u(1::2)
      x(2::2) = u(2::2)*4 - 2
      y = x
      call kernels%exp(n_points, y)
      worst(1) = ulps(y, exp(real(x, real128)))

      x(1::2) = 10**(-300*u(1::2))*22
      x(2::2) = u(2::2) - 0.5_wp
      y = x
      call kernels%tanh(n_points, y)
      worst(2) = ulps(y, tanh(real(x, real128)))

      x(1::3) = 10**(616*u(1::3) - 308)
      x(2::3) = 0.4_wp + 2*u(2::3)
      x(3::3) = 1 + sign(10**(-15*abs(2*u(3::3) - 1)), u(3::3) - 0.5_wp)/2
      y = x
      call kernels%log(n_points, y)
      worst(3) = ulps(y, log(real(x, real128)))

      print "(a,i0,3(a,f5.2))", "level ", kernels%level, &
         ", largest error in ulp: exp", worst(1), ", tanh", worst(2), ", log", worst(3)
      call check(worst(1) <= 1.25_wp, named("exp to 1.25 ulp"))
      call check(worst(2) <= 2.75_wp, named("tanh to 2.75 ulp"))
      call check(worst(3) <= 1.25_wp, named("log to 1.25 ulp"))
   end subroutine test_accuracy

   pure function ulps(y, exact) result(worst)
      real(wp), intent(in) :: y(:)
      real(real128), intent(in) :: exact(:)
      real(wp) :: worst

      worst = real(maxval(abs(y - exact)/spacing(real(exact, wp))), wp)
   end function ulps

   function exp1(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y, vector(1)

      vector = x
      call kernels%exp(1, vector)
      y = vector(1)
   end function exp1

   function tanh1(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y, vector(1)

      vector = x
      call kernels%tanh(1, vector)
      y = vector(1)
   end function tanh1

   function log1(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y, vector(1)

      vector = x
      call kernels%log(1, vector)
      y = vector(1)
   end function log1

   !> Does comparing a NaN, an invalid operation, stop the program?
   function invalid_stops() result(yes)
      logical :: yes

      call ieee_get_halting_mode(ieee_invalid, yes)
   end function invalid_stops

   subroutine test_special_values()
      real(wp) :: infinity, nan, subnormal
      logical :: overflow_stops

      infinity = ieee_value(infinity, ieee_positive_inf)
      subnormal = tiny(subnormal)/1024

      call check(same(exp1(0.0_wp), 1.0_wp), named("exp(0)"))
      call check(same(exp1(-0.0_wp), 1.0_wp), named("exp(-0)"))
      call check(same(exp1(-infinity), 0.0_wp), named("exp(-Inf)"))
      call check(same(exp1(-huge(1.0_wp)), 0.0_wp), named("exp(-huge)"))
      call check(same(exp1(-708.001_wp), 0.0_wp), named("exp below its range"))
      call check(exp1(-708.0_wp) > 0, named("exp at the end of its range"))
      call check_close(exp1(709.782712893383973_wp)/huge(1.0_wp), 1.0_wp, 1.0e-12_wp, &
         named("exp(log(huge))"))

      call check(same(tanh1(infinity), 1.0_wp), named("tanh(Inf)"))
      call check(same(tanh1(-infinity), -1.0_wp), named("tanh(-Inf)"))
      call check(same(tanh1(huge(1.0_wp)), 1.0_wp), named("tanh(huge)"))
      call check(same(tanh1(0.0_wp), 0.0_wp), named("tanh(0)"))
      call check(same(tanh1(-0.0_wp), -0.0_wp), named("tanh(-0)"))
      call check(same(tanh1(subnormal), subnormal), named("tanh of a subnormal number"))
      call check(same(tanh1(-0.3_wp), -tanh1(0.3_wp)), named("tanh is odd"))

      call check(same(log1(0.0_wp), -infinity), named("log(0)"))
      call check(same(log1(-0.0_wp), -infinity), named("log(-0)"))
      call check(same(log1(infinity), infinity), named("log(Inf)"))
      call check(same(log1(1.0_wp), 0.0_wp), named("log(1)"))
      call check(ieee_is_nan(log1(-1.0_wp)), named("log(-1)"))
      call check(ieee_is_nan(log1(ieee_value(nan, ieee_negative_inf))), named("log(-Inf)"))
      call check_close(log1(subnormal), real(log(real(subnormal, real128)), wp), &
         spacing(700.0_wp), named("log of a subnormal number"))
      call check_close(log1(huge(1.0_wp)), real(log(real(huge(1.0_wp), real128)), wp), &
         spacing(700.0_wp), named("log(huge)"))

      call ieee_get_halting_mode(ieee_overflow, overflow_stops)
      if (.not. overflow_stops) then
         call check(same(exp1(infinity), infinity), named("exp(Inf)"))
         call check(same(exp1(huge(1.0_wp)), infinity), named("exp(huge)"))
         call check(same(exp1(709.79_wp), infinity), named("exp above its range"))
      end if

      if (invalid_stops()) return
      nan = ieee_value(nan, ieee_quiet_nan)
      call check(ieee_is_nan(exp1(nan)), named("exp(NaN)"))
      call check(ieee_is_nan(tanh1(nan)), named("tanh(NaN)"))
      call check(ieee_is_nan(log1(nan)), named("log(NaN)"))
   end subroutine test_special_values

   !> The result for a number is the same wherever it stands, and nothing else is touched.
   subroutine test_position()
      integer, parameter :: longest = 3*lanes + 5
      real(wp) :: x(longest), y(0:longest + 1), alone(longest, 3)
      integer :: n, i

      x = 3*spread_points(longest)
      do i = 1, longest
         alone(i, :) = [exp1(x(i)), tanh1(x(i)), log1(x(i))]
      end do
      do n = 0, longest
         y = 7
         y(1:n) = x(1:n)
         call kernels%exp(n, y(1:n))
         call check(all(same(y, [7.0_wp, alone(1:n, 1), spread(7.0_wp, 1, longest + 1 - n)])), &
            named("exp does not depend on the position"))
         y(1:n) = x(1:n)
         call kernels%tanh(n, y(1:n))
         call check(all(same(y, [7.0_wp, alone(1:n, 2), spread(7.0_wp, 1, longest + 1 - n)])), &
            named("tanh does not depend on the position"))
         y(1:n) = x(1:n)
         call kernels%log(n, y(1:n))
         call check(all(same(y, [7.0_wp, alone(1:n, 3), spread(7.0_wp, 1, longest + 1 - n)])), &
            named("log does not depend on the position"))
      end do
   end subroutine test_position

   !> A program that stops at floating-point exceptions is not stopped here, unless by a NaN, the
   !> logarithm of a negative number, or a number whose exponential is too large.
   subroutine test_flags()
      real(wp), allocatable :: x(:), y(:)
      logical :: raised(3)

      allocate (x(n_points), y(n_points))
      x = 2.0e4_wp*spread_points(n_points) - 1.0e4_wp
      x(1) = huge(x)
      x(2) = ieee_value(x(2), ieee_positive_inf)
      x(3:4) = -x(1:2)
      x(5) = tiny(x)/2
      x(6) = 0
      call ieee_set_flag([ieee_invalid, ieee_divide_by_zero, ieee_overflow], .false.)
      y = min(x, 709.0_wp)
      call kernels%exp(n_points, y)
      y = x
      call kernels%tanh(n_points, y)
      y = abs(x)
      call kernels%log(n_points, y)
      call ieee_get_flag([ieee_invalid, ieee_divide_by_zero, ieee_overflow], raised)
      call check(.not. any(raised), named("no needless exceptions"))
   end subroutine test_flags
end program test_kernels_functions
