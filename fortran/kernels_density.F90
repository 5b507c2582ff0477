! The density and the tails of a mixture of Gaussian kernels, at points. Compiled once per
! instruction set, as kernels_products.F90 is, and under the same rules.

#ifndef ISA
#define ISA base
#endif
#define base "base"
#define v3 "v3"
#define v4 "v4"

!> x = erfc(x), and e = exp(-x**2), both with all their digits also far out. Beyond 26.54, where
!> erfc falls under 3e-308, both are 0.
! allow(procedure-not-in-module)
pure subroutine gaussian_tail_kernel(n, x, e) bind(C, name="fmdn_gaussian_tail_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n
   real(wp), intent(inout) :: x(n), e(n)

   integer, parameter :: lanes = 16
   real(wp) :: x_tail(lanes), e_tail(lanes)
   integer :: rest

   rest = mod(n, lanes)
   call transform(n/lanes, x, e)
   if (rest == 0) return
   x_tail = 0
   x_tail(:rest) = x(n - rest + 1:)
   call transform(1, x_tail, e_tail)
   x(n - rest + 1:) = x_tail(:rest)
   e(n - rest + 1:) = e_tail(:rest)

contains

   pure subroutine transform(blocks, x, e)
      integer, intent(in) :: blocks
      real(wp), intent(inout) :: x(lanes, blocks), e(lanes, blocks)
      integer :: block, lane

      do block = 1, blocks
         !$omp simd
         do lane = 1, lanes
            e(lane, block) = exponential_of_square(x(lane, block))
            x(lane, block) = complementary_error(x(lane, block), e(lane, block))
         end do
      end do
   end subroutine transform

   !> exp(-x**2), as in `exponential`; x**2 = high**2 + low, where high has half the digits and its
   !> square is exact.
   pure function exponential_of_square(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y
      integer(long), parameter :: upper_half = not(shiftl(1_long, 27) - 1)
      real(wp), parameter :: highest = 26.54_wp
      real(wp), parameter :: infinity = transfer(shiftl(2047_long, 52), 1.0_wp)
      real(wp), parameter :: log2_high = 47632711549.0_wp/2.0_wp**36
      real(wp), parameter :: log2_low = 1.64659495828970812809844307550013e-12_wp
      real(wp), parameter :: log2_inverse = 1.44269504088896340735992468100189214_wp
      real(wp), parameter :: to_integer = 1.5_wp*2.0_wp**52
      real(wp), parameter :: c(2:13) = 1/[2.0_wp, 6.0_wp, 24.0_wp, 120.0_wp, &
         720.0_wp, 5040.0_wp, 40320.0_wp, 362880.0_wp, 3628800.0_wp, 39916800.0_wp, &
         479001600.0_wp, 6227020800.0_wp]
      real(wp) :: inside, high, low, shifted, k, power, r, square, even, odd
      integer :: i

      inside = min(abs(x), highest)
      high = transfer(iand(transfer(inside, 1_long), upper_half), 1.0_wp)
      low = (inside - high)*(inside + high)
      shifted = to_integer - high*high*log2_inverse
      k = shifted - to_integer
      r = ((-high*high - k*log2_high) - k*log2_low) - low
      ! Even and odd powers apart: two short chains of operations instead of a long one.
      square = r*r
      even = c(12)
      odd = c(13)
      !GCC$ unroll 5
      do i = 5, 1, -1
         even = even*square + c(2*i)
         odd = odd*square + c(2*i + 1)
      end do
      power = transfer(shiftl(transfer(shifted, 1_long) + 1023, 52), 1.0_wp) ! 2**k
      y = power*(1 + (r + square*(even + r*odd)))
      y = merge(y, 0.0_wp, abs(x) <= highest)
      y = merge(y, x, abs(x) <= infinity) ! NaN, which min may lose
   end function exponential_of_square

   !> erfc|x| = e P(t)/(|x| + a), t = (|x| - a)/(|x| + a), which maps [0, 26.6] on [-1, 0.71]
   !> (Shepherd & Laframboise 1981); P is the Chebyshev expansion there, to 2**-58.
   pure function complementary_error(x, e) result(y)
      real(wp), intent(in) :: x, e
      real(wp) :: y
      real(wp), parameter :: a = 4.5_wp
      real(wp), parameter :: c(0:22) = [ &
         1.1023632384645727601_wp, -1.0049269806415523091_wp, 0.83395124208464889296_wp, &
         -0.62812599561474577272_wp, 0.42728027748873688319_wp, -0.26052397656822283577_wp, &
         0.14074148035772284379_wp, -0.066140725292399157807_wp, 0.026198967215356534328_wp, &
         -0.0082090201030139431366_wp, 0.0017034198691005617423_wp, -0.00002684598804777697078_wp, &
         -0.00014249048722524017901_wp, 0.000052983612950616387705_wp, &
         -2.7395660580776488303e-6_wp, -4.8428846168541161609e-6_wp, 1.6072621048949926876e-6_wp, &
         1.8086277569867934518e-7_wp, -2.3575422643654759173e-7_wp, 1.7842311651146567909e-8_wp, &
         2.7220304111790602793e-8_wp, -3.4425165594815425601e-9_wp, -2.3721149746152504041e-9_wp]
      real(wp) :: inside, inverse, t, square, even, odd
      integer :: i

      inside = min(abs(x), 27.0_wp)
      inverse = 1/(inside + a)
      t = 2*(inside*inverse) - 1
      square = t*t
      even = c(22)*square + c(20)
      odd = c(21)
      !GCC$ unroll 10
      do i = 9, 0, -1
         even = even*square + c(2*i)
         odd = odd*square + c(2*i + 1)
      end do
      y = e*((even + t*odd)*inverse)
      y = merge(2 - y, y, x < 0)
   end function complementary_error
end subroutine gaussian_tail_kernel

!> log p of a mixture of k kernels at m points: log(sum(exp(terms))), the largest term taken out, so
!> that it is finite wherever the points are. `log_factors` is log(a_j |U_j|) - c/2 log(2 pi).
! allow(procedure-not-in-module)
pure subroutine log_density_kernel(c, k, m, log_factors, means, factors, points, log_p) &
   bind(C, name="fmdn_log_density_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: c, k
   integer(long), value :: m
   real(wp), intent(in) :: log_factors(k), means(c, k), factors(c, c, k), points(c, m)
   real(wp), intent(inout) :: log_p(m)

   !> No point is farther than this many standard deviations, so that squares stay finite.
   real(wp), parameter :: farthest = 1.0e150_wp

   ! Points and kernels taken together: their terms stay in the first-level cache.
   integer, parameter :: block = 64, group = 32
   real(wp) :: terms(block*group), largest(block), total(block)
   integer(long) :: first
   integer :: j, n

   interface
      pure subroutine exponential(n, x) bind(C, name="fmdn_exponential_" // ISA)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(inout) :: x(n)
      end subroutine exponential

      pure subroutine logarithm(n, x) bind(C, name="fmdn_logarithm_" // ISA)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(inout) :: x(n)
      end subroutine logarithm
   end interface

   do first = 0, m - 1, block
      n = int(min(int(block, long), m - first))
      if (n == 1) then
         call at_one_point(points(1, first + 1), log_p(first + 1))
         cycle
      end if
      largest(:n) = -huge(largest)
      total(:n) = 0
      do j = 0, k - 1, group
         if (c == 1) then
            call terms_of_one_target(n, min(group, k - j), log_factors(j + 1), means(1, j + 1), &
               factors(1, 1, j + 1), points(1, first + 1), terms)
         else
            call terms_of_targets(n, min(group, k - j), log_factors(j + 1), means(1, j + 1), &
               factors(1, 1, j + 1), points(1, first + 1), terms)
         end if
         call add(n, min(group, k - j), terms, largest, total)
      end do
      call logarithm(int(n, c_int), total)
      log_p(first + 1:first + n) = largest(:n) + total(:n)
   end do

contains

   pure subroutine terms_of_one_target(n, k, log_factors, means, factors, points, terms)
      integer, intent(in) :: n, k
      real(wp), intent(in) :: log_factors(k), means(k), factors(k), points(n)
      real(wp), intent(inout) :: terms(n, k)
      real(wp) :: z
      integer :: i, j

      do j = 1, k
         !$omp simd private(z)
         do i = 1, n
            z = min(abs((points(i) - means(j))*factors(j)), farthest)
            terms(i, j) = log_factors(j) - 0.5_wp*z*z
         end do
      end do
   end subroutine terms_of_one_target

   pure subroutine terms_of_targets(n, k, log_factors, means, factors, points, terms)
      integer, intent(in) :: n, k
      real(wp), intent(in) :: log_factors(k), means(c, k), factors(c, c, k), points(c, n)
      real(wp), intent(inout) :: terms(n, k)
      real(wp) :: x(n, c), z(n), distance
      integer :: i, j, l, row

      x = transpose(points)
      do j = 1, k
         terms(:, j) = log_factors(j)
         do row = 1, c
            z = 0
            do l = row, c
               !$omp simd
               do i = 1, n
                  z(i) = z(i) + factors(row, l, j)*(x(i, l) - means(l, j))
               end do
            end do
            !$omp simd private(distance)
            do i = 1, n
               distance = min(abs(z(i)), farthest)
               terms(i, j) = terms(i, j) - 0.5_wp*distance*distance
            end do
         end do
      end do
   end subroutine terms_of_targets

   !> The same operations for one point, vectors along the kernels.
   pure subroutine at_one_point(x, log_p)
      real(wp), intent(in) :: x(c)
      real(wp), intent(inout) :: log_p
      real(wp) :: terms(group), z(group), largest, total, before(1), distance
      integer :: first, j, l, n, row

      largest = -huge(largest)
      total = 0
      do first = 0, k - 1, group
         n = min(group, k - first)
         terms(:n) = log_factors(first + 1:first + n)
         do row = 1, c
            z = 0
            do l = row, c
               !$omp simd
               do j = 1, n
                  z(j) = z(j) + factors(row, l, first + j)*(x(l) - means(l, first + j))
               end do
            end do
            !$omp simd private(distance)
            do j = 1, n
               distance = min(abs(z(j)), farthest)
               terms(j) = terms(j) - 0.5_wp*distance*distance
            end do
         end do
         before = largest
         largest = max(largest, maxval(terms(:n)))
         before = before - largest
         if (first > 0) call exponential(1_c_int, before)
         terms(:n) = terms(:n) - largest
         call exponential(int(n, c_int), terms)
         total = total*before(1)
         do j = 1, n
            total = total + terms(j)
         end do
      end do
      before = total
      call logarithm(1_c_int, before)
      log_p = largest + before(1)
   end subroutine at_one_point

   !> Add the terms of a group to `total`, in units of exp(largest).
   pure subroutine add(n, k, terms, largest, total)
      integer, intent(in) :: n, k
      real(wp), intent(inout) :: terms(n, k), largest(n), total(n)
      real(wp) :: before(n)
      integer :: i, j

      before = largest
      do j = 1, k
         !$omp simd
         do i = 1, n
            largest(i) = max(largest(i), terms(i, j))
         end do
      end do
      do j = 1, k
         !$omp simd
         do i = 1, n
            terms(i, j) = terms(i, j) - largest(i)
         end do
      end do
      before = before - largest
      call exponential(int(n, c_int), before)
      call exponential(int(n*k, c_int), terms)
      total = total*before
      do j = 1, k
         !$omp simd
         do i = 1, n
            total(i) = total(i) + terms(i, j)
         end do
      end do
   end subroutine add
end subroutine log_density_kernel

!> Probability below each of m points (side = -1) or above (side = 1) of a mixture of k kernels of
!> one target, and its density there. The order of summation is fixed for an instruction set.
! allow(procedure-not-in-module)
pure subroutine tail_kernel(k, m, weights, means, factors, side, points, p, density) &
   bind(C, name="fmdn_tail_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: k
   integer(long), value :: m
   real(wp), intent(in) :: weights(k), means(k), factors(k), points(m)
   real(wp), value :: side
   real(wp), intent(inout) :: p(m), density(m)

   real(wp), parameter :: root_half = 0.707106781186547524400844362104849039_wp
   real(wp), parameter :: inverse_root_two_pi = 0.398942280401432677939946059934381868_wp
   integer, parameter :: lanes = 16, group = 64 ! kernels that share a sum, and those taken together
   real(wp) :: x(group), e(group), probability(lanes), slope(lanes)
   integer(long) :: i
   integer :: first, block, fold, j, n, padded, whole

   interface
      pure subroutine gaussian_tail(n, x, e) bind(C, name="fmdn_gaussian_tail_" // ISA)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(inout) :: x(n), e(n)
      end subroutine gaussian_tail
   end interface

   do i = 1, m
      probability = 0
      slope = 0
      do first = 0, k - 1, group
         n = min(group, k - first)
         whole = lanes*(n/lanes)
         padded = lanes*((n + lanes - 1)/lanes)
         !$omp simd
         do j = 1, n
            x(j) = side*root_half*((points(i) - means(first + j))*factors(first + j))
         end do
         do j = n + 1, padded
            x(j) = 0
         end do
         call gaussian_tail(int(padded, c_int), x, e)
         do block = first, first + whole - 1, lanes
            !$omp simd
            do j = 1, lanes
               probability(j) = probability(j) + weights(block + j)*x(block - first + j)
               slope(j) = slope(j) + weights(block + j)*factors(block + j)*e(block - first + j)
            end do
         end do
         do j = 1, n - whole
            block = first + whole
            probability(j) = probability(j) + weights(block + j)*x(whole + j)
            slope(j) = slope(j) + weights(block + j)*factors(block + j)*e(whole + j)
         end do
      end do
      !GCC$ unroll 4
      do fold = 1, trailz(lanes)
         !$omp simd
         do j = 1, shiftr(lanes, fold)
            probability(j) = probability(2*j - 1) + probability(2*j)
            slope(j) = slope(2*j - 1) + slope(2*j)
         end do
      end do
      p(i) = 0.5_wp*probability(1)
      density(i) = inverse_root_two_pi*slope(1)
   end do
end subroutine tail_kernel
