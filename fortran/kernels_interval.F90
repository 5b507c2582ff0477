! The probability of an interval under the standard Gaussian, by logarithms, for many intervals at
! once. Compiled once per instruction set, as kernels_products.F90 is, and under the same rules.

#ifndef ISA
#define ISA base
#endif
#define base "base"
#define v3 "v3"
#define v4 "v4"

!> log_p = log(Phi(b) - Phi(a)) of n intervals a < b, and the densities at the ends over the
!> probability, at_a = phi(a)/p and at_b = phi(b)/p, with nearly all their digits wherever the
!> interval lies. Ends beyond 1e100 count as infinite.
! allow(procedure-not-in-module)
pure subroutine interval_kernel(n, a, b, log_p, at_a, at_b) bind(C, name="fmdn_interval_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n
   real(wp), intent(in) :: a(n), b(n)
   real(wp), intent(inout) :: log_p(n), at_a(n), at_b(n)

   real(wp), parameter :: farthest = 1.0e100_wp
   real(wp), parameter :: root_half = 0.707106781186547524400844362104849039_wp
   real(wp), parameter :: inverse_root_two_pi = 0.398942280401432677939946059934381868_wp
   integer, parameter :: block = 64, lanes = 16
   real(wp), dimension(block) :: low, high, part
   integer :: first, m, padded

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

   do first = 0, n - 1, block
      m = min(block, n - first)
      ! Whole steps of vectors, so that no result depends on its position.
      padded = lanes*((m + lanes - 1)/lanes)
      low(:m) = a(first + 1:first + m)
      high(:m) = b(first + 1:first + m)
      low(m + 1:padded) = 0
      high(m + 1:padded) = 1
      call transform(padded, low, high, part)
      log_p(first + 1:first + m) = part(:m)
      at_a(first + 1:first + m) = low(:m)
      at_b(first + 1:first + m) = high(:m)
   end do

contains

   !> part = log_p, low = at_a and high = at_b of m intervals from low to high. By symmetry let
   !> |a| <= b. With both ends on one side the density at a is taken out:
   !>    p = exp(-a**2/2) (erfcx(a/sqrt 2) - exp(-(b**2 - a**2)/2) erfcx(b/sqrt 2))/2.
   pure subroutine transform(m, low, high, part)
      integer, intent(in) :: m
      real(wp), intent(inout) :: low(m), high(m), part(m)
      real(wp), dimension(block) :: near, far, before, swapped
      real(wp) :: exponents(2*block)
      real(wp) :: density, one, other
      logical :: turned, one_side
      integer :: i

      !$omp simd private(one, other, turned, one_side)
      do i = 1, m
         one = min(max(low(i), -farthest), farthest)
         other = min(max(high(i), -farthest), farthest)
         turned = one + other < 0
         near(i) = merge(-other, one, turned)
         far(i) = merge(-one, other, turned)
         one_side = near(i) > 0
         before(i) = merge(-0.5_wp*near(i)**2, 0.0_wp, one_side)
         exponents(i) = merge(0.0_wp, -0.5_wp*near(i)**2, one_side)
         exponents(m + i) = -0.5_wp*merge((far(i) - near(i))*(far(i) + near(i)), far(i)**2, &
            one_side)
         swapped(i) = merge(1.0_wp, 0.0_wp, turned)
      end do
      call exponential(int(2*m, c_int), exponents)
      !$omp simd private(density, one, other)
      do i = 1, m
         one = exponents(i)*scaled_complement(root_half*abs(near(i)))
         other = exponents(m + i)*scaled_complement(root_half*far(i))
         part(i) = max(0.5_wp*merge(one - other, 2 - (one + other), near(i) > 0), tiny(part))
         density = inverse_root_two_pi/part(i)
         low(i) = density*merge(exponents(m + i), exponents(i), swapped(i) > 0)
         high(i) = density*merge(exponents(i), exponents(m + i), swapped(i) > 0)
      end do
      call logarithm(int(m, c_int), part)
      !$omp simd
      do i = 1, m
         part(i) = part(i) + before(i)
      end do
   end subroutine transform

   !> exp(x**2) erfc(x), x >= 0: P(t)/(x + c), t = (x - c)/(x + c), which maps [0, inf) on [-1, 1)
   !> (Shepherd & Laframboise 1981); P is the Chebyshev expansion there, to 2**-57.
   pure function scaled_complement(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y
      real(wp), parameter :: centre = 3.75_wp
      real(wp), parameter :: c(0:23) = [ &
         1.0919229095627890363_wp, -0.95874157665290946979_wp, 0.73631892522175364133_wp, &
         -0.49047029120768825388_wp, 0.27906204903368522743_wp, -0.13195540117824337329_wp, &
         0.049118778617206058255_wp, -0.012535880044978471964_wp, 0.00098633806014572688283_wp, &
         0.00079482312824767745234_wp, -0.00034864674071764745448_wp, &
         0.000010593866720431546881_wp, 0.000037471310663113977371_wp, &
         -8.9036267414649738094e-6_wp, -3.2885709585930651329e-6_wp, &
         1.6555849395166648215e-6_wp, 2.7865722181858275107e-7_wp, &
         -2.6337499684119528037e-7_wp, -2.5922843337984977434e-8_wp, &
         4.0207875133061637422e-8_wp, 2.7748444991228880856e-9_wp, &
         -5.3688142939511961296e-9_wp, -2.2991140565077378921e-10_wp, &
         4.4046755782598163697e-10_wp]
      real(wp) :: inverse, t, square, even, odd
      integer :: i

      inverse = 1/(x + centre)
      t = 1 - 2*(centre*inverse)
      square = t*t
      even = c(22)
      odd = c(23)
      !GCC$ unroll 11
      do i = 10, 0, -1
         even = even*square + c(2*i)
         odd = odd*square + c(2*i + 1)
      end do
      y = (even + t*odd)*inverse
   end function scaled_complement
end subroutine interval_kernel
