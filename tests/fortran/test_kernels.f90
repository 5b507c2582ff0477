!> The kernels of every instruction set this processor has: products against plain sums in
!> quadruple precision, functions against the quadruple precision intrinsics.
program test_kernels
   use, intrinsic :: ieee_arithmetic, only: ieee_get_flag, ieee_get_halting_mode, ieee_invalid, &
      ieee_divide_by_zero, ieee_is_nan, ieee_negative_inf, ieee_overflow, ieee_positive_inf, &
      ieee_quiet_nan, ieee_set_flag, ieee_value
   use, intrinsic :: iso_c_binding, only: c_intptr_t, c_loc
   use, intrinsic :: iso_fortran_env, only: int64, real128
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: aligned_start, kernel_set, processor_kernels
   use fmdn_kinds, only: lanes, wp
   implicit none (type, external)
   integer, parameter :: n_points = 40000
   type(kernel_set) :: kernels
   integer :: level

   call test_alignment()
   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      call test_product()
      call test_rows_are_independent()
      call test_accumulate()
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

   !> The same numbers, to the last bit.
   elemental function same(a, b) result(yes)
      real(wp), intent(in) :: a, b
      logical :: yes

      yes = transfer(a, 1_int64) == transfer(b, 1_int64)
   end function same

   !> Points that fill (0, 1) evenly, in no order.
   pure function spread_points(n) result(u)
      integer, intent(in) :: n
      real(wp) :: u(n)
      integer :: i

      do i = 1, n
         u(i) = modulo(i*0.618033988749894848_wp, 1.0_wp)
      end do
   end function spread_points

   subroutine test_alignment()
      real(wp), target :: x(40)
      integer :: i, start

      do i = 1, 9
         start = aligned_start(x(i:))
         call check(start >= 1 .and. start <= 8, "aligned start: the first there is")
         call check(modulo(transfer(c_loc(x(i + start - 1)), 0_c_intptr_t), 64_c_intptr_t) == 0, &
            "aligned start: on a 64-byte boundary")
      end do
   end subroutine test_alignment

   !> c + a b for sizes that do and do not fill the tiles, b stored either way with gaps. The
   !> error of a sum of k + 1 terms is at most (k + 1) epsilon times the sum of their sizes.
   subroutine test_product()
      integer, parameter :: sizes(7) = [1, 2, 5, 6, 7, 18, 30]
      integer, parameter :: rows(3) = [lanes, 3*lanes, 128]
      integer :: im, ik, in

      do im = 1, size(rows)
         do ik = 1, size(sizes)
            do in = 1, size(sizes)
               call one_product(rows(im), sizes(in), sizes(ik), .false.)
               call one_product(rows(im), sizes(in), sizes(ik), .true.)
            end do
         end do
      end do
      call one_product(128, 13, 0, .false.)
   end subroutine test_product

   subroutine one_product(m, n, k, transposed)
      integer, intent(in) :: m, n, k
      logical, intent(in) :: transposed
      integer, parameter :: gap = 3
      real(wp) :: a(m, k), b((k + gap)*(n + gap)), c(m, n + 1), before(m, n + 1), bound
      real(real128) :: exact, magnitude
      integer :: i, j, l, stride_k, stride_n
      logical :: right

      a = reshape(spread_points(m*k), [m, k]) - 0.5_wp
      b = spread_points(size(b)) - 0.4_wp
      before = reshape(spread_points(m*(n + 1)), [m, n + 1]) - 0.6_wp
      c = before
      stride_k = merge(n + gap, 1, transposed)
      stride_n = merge(1, k + gap, transposed)
      call kernels%product(m, n, k, a, b, stride_k, stride_n, c)
      right = .true.
      do j = 1, n
         do i = 1, m
            exact = before(i, j)
            magnitude = abs(exact)
            do l = 1, k
               exact = exact + real(a(i, l), real128)*b(1 + (l - 1)*stride_k + (j - 1)*stride_n)
               magnitude = magnitude &
                  + abs(real(a(i, l), real128)*b(1 + (l - 1)*stride_k + (j - 1)*stride_n))
            end do
            bound = (k + 1)*epsilon(bound)*real(magnitude, wp)
            right = right .and. abs(c(i, j) - exact) <= bound
         end do
      end do
      call check(right, named("product"))
      call check(all(same(c(:, n + 1), before(:, n + 1))), named("product stays inside c"))
   end subroutine one_product

   !> An example's result does not depend on the examples it is computed with.
   subroutine test_rows_are_independent()
      integer, parameter :: m = 128, n = 17, k = 29
      real(wp) :: a(m, k), b(k, n), whole(m, n), few(lanes, k), part(lanes, n)
      integer :: first

      a = reshape(spread_points(m*k), [m, k]) - 0.5_wp
      b = reshape(spread_points(k*n), [k, n]) - 0.5_wp
      whole = 1
      call kernels%product(m, n, k, a, b, 1, k, whole)
      do first = 1, m, lanes
         few = a(first:first + lanes - 1, :)
         part = 1
         call kernels%product(lanes, n, k, few, b, 1, k, part)
         call check(all(same(part, whole(first:first + lanes - 1, :))), &
            named("product: rows are independent"))
      end do
   end subroutine test_rows_are_independent

   subroutine test_accumulate()
      integer, parameter :: sizes(8) = [1, 2, 3, 4, 5, 7, 18, 30]
      integer, parameter :: rows(3) = [lanes, 3*lanes, 128]
      integer :: im, ip, iq

      do im = 1, size(rows)
         do ip = 1, size(sizes)
            do iq = 1, size(sizes)
               call one_accumulate(rows(im), sizes(ip), sizes(iq))
            end do
         end do
      end do
      call one_accumulate(0, 3, 5)
   end subroutine test_accumulate

   subroutine one_accumulate(m, p, q)
      integer, intent(in) :: m, p, q
      real(wp) :: d(m, p), a(m, q), g(p, q + 1), before(p, q + 1), bound
      real(real128) :: exact, magnitude
      integer :: i, j
      logical :: right

      d = reshape(spread_points(m*p), [m, p]) - 0.5_wp
      a = reshape(spread_points(m*q), [m, q]) - 0.4_wp
      before = reshape(spread_points(p*(q + 1)), [p, q + 1]) - 0.6_wp
      g = before
      call kernels%accumulate(m, p, q, d, a, g)
      right = .true.
      do j = 1, q
         do i = 1, p
            exact = before(i, j) + sum(real(d(:, i), real128)*a(:, j))
            magnitude = abs(before(i, j)) + sum(abs(real(d(:, i), real128)*a(:, j)))
            bound = (m + 1)*epsilon(bound)*real(magnitude, wp)
            right = right .and. abs(g(i, j) - exact) <= bound
         end do
      end do
      call check(right, named("accumulate"))
      call check(all(same(g(:, q + 1), before(:, q + 1))), named("accumulate stays inside g"))
   end subroutine one_accumulate

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

   subroutine test_special_values()
      real(wp) :: infinity, nan, subnormal
      logical :: invalid_stops

      infinity = ieee_value(infinity, ieee_positive_inf)
      subnormal = tiny(subnormal)/1024

      call check(same(exp1(0.0_wp), 1.0_wp), named("exp(0)"))
      call check(same(exp1(-0.0_wp), 1.0_wp), named("exp(-0)"))
      call check(same(exp1(-infinity), 0.0_wp), named("exp(-Inf)"))
      call check(same(exp1(-huge(1.0_wp)), 0.0_wp), named("exp(-huge)"))
      call check(same(exp1(-708.001_wp), 0.0_wp), named("exp below its range"))
      call check(exp1(-708.0_wp) > 0, named("exp at the end of its range"))
      call check(same(exp1(infinity), infinity), named("exp(Inf)"))
      call check(same(exp1(huge(1.0_wp)), infinity), named("exp(huge)"))
      call check(same(exp1(709.79_wp), infinity), named("exp above its range"))
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

      ! Comparing a NaN is an invalid operation, so this can't run where that stops the program.
      call ieee_get_halting_mode(ieee_invalid, invalid_stops)
      if (invalid_stops) return
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

   !> A program that stops at floating-point exceptions is not stopped here, unless by a NaN or the
   !> logarithm of a negative number.
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
      y = x
      call kernels%exp(n_points, y)
      y = x
      call kernels%tanh(n_points, y)
      y = abs(x)
      call kernels%log(n_points, y)
      call ieee_get_flag([ieee_invalid, ieee_divide_by_zero, ieee_overflow], raised)
      call check(.not. any(raised), named("no needless exceptions"))
   end subroutine test_flags
end program test_kernels
