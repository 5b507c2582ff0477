!> The kernels of densities and tails, of every instruction set this processor has, against
!> quadruple precision.
program test_kernels_density
   use, intrinsic :: ieee_arithmetic, only: ieee_get_flag, ieee_get_halting_mode, ieee_invalid, &
      ieee_divide_by_zero, ieee_is_nan, ieee_overflow, ieee_positive_inf, ieee_quiet_nan, &
      ieee_set_flag, ieee_value
   use, intrinsic :: iso_fortran_env, only: int64, real128
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: normals, same, spread_points
   use fmdn_kinds, only: wp
   implicit none (type, external)
   real(real128), parameter :: pi = acos(-1.0_real128)
   type(kernel_set) :: kernels
   integer :: level, n_targets

   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      call test_gaussian_tail()
      call test_special_values()
      call test_position()
      call test_flags()
      do n_targets = 1, 3
         call test_log_density(n_targets, 70)
         call test_log_density(n_targets, 1)
      end do
      call test_far_points()
      call test_points_are_independent()
      call test_tail()
   end do
   call finish()

contains

   function named(what) result(text)
      character(*), intent(in) :: what
      character(:), allocatable :: text

      text = what // " (level " // achar(iachar("0") + kernels%level) // ")"
   end function named

   pure function ulps(y, exact) result(worst)
      real(wp), intent(in) :: y(:)
      real(real128), intent(in) :: exact(:)
      real(wp) :: worst

      worst = real(maxval(abs(y - exact)/spacing(real(exact, wp))), wp)
   end function ulps

   !> The largest error in units in the last place; the bounds are the most that a search of a
   !> million points found (5.3, 1.3), and some room.
   subroutine test_gaussian_tail()
      integer, parameter :: n = 30000
      real(wp), allocatable :: u(:), x(:), y(:), e(:)
      real(wp) :: worst(2)

      allocate (u(n), x(n), y(n), e(n))
      u = spread_points(n)
      x(1::3) = 26.54_wp*u(1::3)
      x(2::3) = 6*u(2::3) - 3
      x(3::3) = sign(10**(-20*abs(2*u(3::3) - 1)), u(3::3) - 0.5_wp)
      y = x
      call kernels%gaussian_tail(n, y, e)
      worst = [ulps(y, erfc(real(x, real128))), ulps(e, exp(-real(x, real128)**2))]
      print "(a,i0,2(a,f5.2))", "level ", kernels%level, ", largest error in ulp: erfc", worst(1), &
         ", exp(-x**2)", worst(2)
      call check(worst(1) <= 5.5_wp, named("erfc to 5.5 ulp"))
      call check(worst(2) <= 1.5_wp, named("exp(-x**2) to 1.5 ulp"))
   end subroutine test_gaussian_tail

   function tail_of(x) result(both)
      real(wp), intent(in) :: x
      real(wp) :: both(2), y(1), e(1)

      y = x
      call kernels%gaussian_tail(1, y, e)
      both = [y, e]
   end function tail_of

   subroutine test_special_values()
      real(wp) :: infinity, nan
      logical :: invalid_stops

      infinity = ieee_value(infinity, ieee_positive_inf)
      call check(all(same(tail_of(0.0_wp), [1.0_wp, 1.0_wp])), named("tail at 0"))
      call check(all(same(tail_of(-0.0_wp), [1.0_wp, 1.0_wp])), named("tail at -0"))
      call check(all(same(tail_of(tiny(1.0_wp)/1024), [1.0_wp, 1.0_wp])), named("subnormal"))
      call check(all(same(tail_of(infinity), [0.0_wp, 0.0_wp])), named("tail at Inf"))
      call check(all(same(tail_of(-infinity), [2.0_wp, 0.0_wp])), named("tail at -Inf"))
      call check(all(same(tail_of(huge(1.0_wp)), [0.0_wp, 0.0_wp])), named("tail at huge"))
      call check(all(same(tail_of(-huge(1.0_wp)), [2.0_wp, 0.0_wp])), named("tail at -huge"))
      call check(all(same(tail_of(26.55_wp), [0.0_wp, 0.0_wp])), named("tail past its range"))
      call check(all(tail_of(26.54_wp) > tiny(1.0_wp)), named("tail at the end of its range"))
      ! Comparing a NaN is an invalid operation, so this can't run where that stops the program.
      call ieee_get_halting_mode(ieee_invalid, invalid_stops)
      if (invalid_stops) return
      nan = ieee_value(nan, ieee_quiet_nan)
      call check(all(ieee_is_nan(tail_of(nan))), named("tail at NaN"))
   end subroutine test_special_values

   !> The result for a number is the same wherever it stands, and nothing else is touched.
   subroutine test_position()
      integer, parameter :: longest = 37
      real(wp) :: x(longest), y(0:longest + 1), e(0:longest + 1), alone(2, longest)
      integer :: n, i

      x = 12*spread_points(longest) - 6
      do i = 1, longest
         alone(:, i) = tail_of(x(i))
      end do
      do n = 0, longest
         y = 7
         e = 7
         y(1:n) = x(1:n)
         call kernels%gaussian_tail(n, y(1:n), e(1:n))
         associate (sevens => spread(7.0_wp, 1, longest + 1 - n))
            call check(all(same(y, [7.0_wp, alone(1, 1:n), sevens])) .and. &
               all(same(e, [7.0_wp, alone(2, 1:n), sevens])), &
               named("tail does not depend on the position"))
         end associate
      end do
   end subroutine test_position

   !> A program that stops at floating-point exceptions is not stopped here.
   subroutine test_flags()
      integer, parameter :: n = 1000
      real(wp) :: x(n), e(n)
      logical :: raised(3)

      x = 200*spread_points(n) - 100
      x(1) = huge(x)
      x(2) = ieee_value(x(2), ieee_positive_inf)
      x(3:4) = -x(1:2)
      x(5) = tiny(x)/2
      x(6) = 0
      call ieee_set_flag([ieee_invalid, ieee_divide_by_zero, ieee_overflow], .false.)
      call kernels%gaussian_tail(n, x, e)
      call ieee_get_flag([ieee_invalid, ieee_divide_by_zero, ieee_overflow], raised)
      call check(.not. any(raised), named("no needless exceptions"))
   end subroutine test_flags

   !> A mixture of c targets: log factors, means and triangular factors.
   subroutine example(c, k, log_factors, means, factors)
      integer, intent(in) :: c, k
      real(wp), intent(out) :: log_factors(k), means(c, k), factors(c, c, k)
      integer :: i, j

      log_factors = 2*normals(k, 1)
      means = 3*reshape(normals(c*k, 2), [c, k])
      factors = reshape(normals(c*c*k, 3), [c, c, k])
      do j = 1, c
         factors(j, j, :) = exp(factors(j, j, :))
         do i = j + 1, c
            factors(i, j, :) = 0
         end do
      end do
   end subroutine example

   !> Points and kernels in numbers that do and do not fill the blocks. The error of a term is that
   !> of z, c + 2 roundings of what it sums, twice in its square; that of the sum no more.
   subroutine test_log_density(c, k)
      integer, intent(in) :: c, k
      integer, parameter :: m = 131
      real(wp) :: log_factors(k), means(c, k), factors(c, c, k), points(c, m), log_p(m)
      real(real128) :: terms(k), z, size_z, bound, exact
      integer :: i, j, row
      logical :: right

      call example(c, k, log_factors, means, factors)
      points = 5*reshape(normals(c*m, 4), [c, m])
      call kernels%log_density(c, k, int(m, int64), log_factors, means, factors, points, log_p)
      right = .true.
      do i = 1, m
         bound = 10
         do j = 1, k
            terms(j) = log_factors(j)
            do row = 1, c
               z = sum(factors(row, row:, j)*(real(points(row:, i), real128) - means(row:, j)))
               size_z = sum(abs(factors(row, row:, j) &
                  *(real(points(row:, i), real128) - means(row:, j))))
               terms(j) = terms(j) - z**2/2
            end do
         end do
         exact = maxval(terms) + log(sum(exp(terms - maxval(terms))))
         do j = 1, k
            if (terms(j) < exact - 40) cycle
            do row = 1, c
               size_z = sum(abs(factors(row, row:, j) &
                  *(real(points(row:, i), real128) - means(row:, j))))
               bound = bound + (c + 4)*size_z**2
            end do
         end do
         right = right .and. abs(log_p(i) - exact) <= bound*epsilon(1.0_wp)
      end do
      call check(right, named("log density"))
   end subroutine test_log_density

   !> Where every exponential is zero, and where squares would overflow.
   subroutine test_far_points()
      real(wp) :: log_p(4)

      call kernels%log_density(1, 2, 4_int64, [0.0_wp, -1.0_wp], [0.0_wp, 1.0_wp], &
         [1.0_wp, 0.5_wp], [100.0_wp, -1e9_wp, 1e200_wp, -huge(1.0_wp)/2], log_p)
      call check_close(log_p(1), -1 - 0.5_wp*49.5_wp**2, 1e-12_wp, named("far out"))
      call check_close(log_p(2)/(-1.25e17_wp), 1.0_wp, 1e-8_wp, named("farther out"))
      call check(all(log_p(3:) >= -0.6e300_wp .and. log_p(3:) <= -0.4e300_wp), &
         named("as far as it goes"))
   end subroutine test_far_points

   !> A point's density does not depend on the points it is computed with.
   subroutine test_points_are_independent()
      integer, parameter :: m = 77, k = 45
      real(wp) :: log_p(m), one(1)
      real(wp), allocatable :: log_factors(:), means(:, :), factors(:, :, :), points(:, :)
      integer :: c, i, n
      logical :: alone, several

      alone = .true.
      several = .true.
      do c = 1, 2
         allocate (log_factors(k), means(c, k), factors(c, c, k))
         call example(c, k, log_factors, means, factors)
         points = 3*reshape(normals(c*m, 5), [c, m])
         call kernels%log_density(c, k, int(m, int64), log_factors, means, factors, points, log_p)
         do i = 1, m
            call kernels%log_density(c, k, 1_int64, log_factors, means, factors, points(:, i), one)
            alone = alone .and. same(one(1), log_p(i))
            n = m - i + 1
            block
               real(wp) :: rest(n)

               call kernels%log_density(c, k, int(n, int64), log_factors, means, factors, &
                  points(:, i:), rest)
               several = several .and. all(same(rest, log_p(i:)))
            end block
         end do
         deallocate (log_factors, means, factors)
      end do
      call check(alone, named("density of a point alone"))
      call check(several, named("density does not depend on the position"))
   end subroutine test_points_are_independent

   !> Probabilities and densities, for kernels in numbers that do and do not fill the groups; a
   !> kernel's relative error is that of its z squared and a few units, whichever the tail.
   subroutine test_tail()
      integer, parameter :: numbers(6) = [1, 5, 16, 63, 64, 150], m = 60
      real(wp) :: points(m), p(m), density(m), side, one(1), one_density(1)
      real(wp), allocatable :: weights(:), means(:), factors(:)
      real(real128), allocatable :: z(:)
      real(real128) :: exact, slope, bound
      integer :: i, j, k, sign_of
      logical :: right, alone

      points = [(0.4_wp*(i - m/2), i=1, m)]
      right = .true.
      alone = .true.
      do j = 1, size(numbers)
         k = numbers(j)
         weights = abs(normals(k, 6))
         means = normals(k, 7)
         factors = exp(normals(k, 8))
         do sign_of = -1, 1, 2
            side = sign_of
            call kernels%tail(k, int(m, int64), weights, means, factors, side, points, p, density)
            do i = 1, m
               z = (real(points(i), real128) - means)*factors
               exact = sum(weights*erfc(side*z/sqrt(2.0_real128)))/2
               slope = sum(weights*factors*exp(-z**2/2))/sqrt(2*pi)
               bound = (k + 15)*epsilon(side)
               right = right .and. abs(p(i) - exact) <= bound*exact + 4*epsilon(side) &
                  *sum(weights*z**2*erfc(side*z/sqrt(2.0_real128))) + 1e-300_wp
               right = right .and. abs(density(i) - slope) <= bound*slope + 4*epsilon(side) &
                  *sum(weights*factors*z**2*exp(-z**2/2)) + 1e-300_wp
               call kernels%tail(k, 1_int64, weights, means, factors, side, points(i:i), one, &
                  one_density)
               alone = alone .and. same(one(1), p(i)) .and. same(one_density(1), density(i))
            end do
         end do
      end do
      call check(right, named("tails"))
      call check(alone, named("tail of a point alone"))
   end subroutine test_tail
end program test_kernels_density
