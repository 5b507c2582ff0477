! The hot loops, part two: exp, tanh and log of an array, in place. The rules are those of
! kernels_products.F90.
!
! Flags: -O3 -fopenmp-simd -fno-trapping-math, and never -ffast-math or -fno-signed-zeros, which
! let the compiler cancel the exact differences below.

#ifndef ISA
#define ISA base
#endif
#define base "base"
#define v3 "v3"
#define v4 "v4"

!> x = exp(x). Below -708 (results under 3.4e-308) it is 0, above log(huge) it is Inf.
! allow(procedure-not-in-module)
pure subroutine exponential_kernel(n, x) bind(C, name="fmdn_exponential_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n
   real(wp), intent(inout) :: x(n)

   integer, parameter :: lanes = 16
   real(wp) :: tail(lanes)
   integer :: rest

   ! The rest goes through the same vector code, so that no result depends on its position.
   rest = mod(n, lanes)
   call transform(n/lanes, x)
   if (rest == 0) return
   tail = 0
   tail(:rest) = x(n - rest + 1:)
   call transform(1, tail)
   x(n - rest + 1:) = tail(:rest)

contains

   pure subroutine transform(blocks, x)
      integer, intent(in) :: blocks
      real(wp), intent(inout) :: x(lanes, blocks)
      integer :: block, lane

      do block = 1, blocks
         !$omp simd
         do lane = 1, lanes
            x(lane, block) = exponential(x(lane, block))
         end do
      end do
   end subroutine transform

   !> exp(x) = 2**(k - 1) 2 exp(r), x = k log(2) + r, |r| <= log(2)/2; k - 1 since k can be 1024.
   !> The series is Taylor's for 2 exp(r); what it leaves out is under 2**-57.
   pure function exponential(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y
      real(wp), parameter :: lowest = -708, highest = 709.782712893383973_wp
      real(wp), parameter :: log2_high = 47632711549.0_wp/2.0_wp**36 ! log(2) in 36 bits,
      real(wp), parameter :: log2_low = 1.64659495828970812809844307550013e-12_wp ! and the rest
      real(wp), parameter :: log2_inverse = 1.44269504088896340735992468100189214_wp
      real(wp), parameter :: to_integer = 1.5_wp*2.0_wp**52 ! adding it leaves k in the low bits
      real(wp), parameter :: c(0:13) = 2/[1.0_wp, 1.0_wp, 2.0_wp, 6.0_wp, 24.0_wp, 120.0_wp, &
         720.0_wp, 5040.0_wp, 40320.0_wp, 362880.0_wp, 3628800.0_wp, 39916800.0_wp, &
         479001600.0_wp, 6227020800.0_wp]
      real(wp) :: bounded, shifted, k, r, series
      integer :: i

      bounded = merge(lowest, x, x < lowest)
      shifted = min(bounded, highest)*log2_inverse + to_integer
      k = shifted - to_integer
      r = (bounded - k*log2_high) - k*log2_low ! NaN passes here, and what overflows
      series = c(13)
      !GCC$ unroll 13
      do i = 12, 0, -1
         series = series*r + c(i)
      end do
      y = series*transfer(shiftl(transfer(shifted, 1_long) + 1022, 52), 1.0_wp)
      y = merge(0.0_wp, y, x < lowest)
   end function exponential
end subroutine exponential_kernel

!> x = tanh(x), to full relative accuracy also near 0.
! allow(procedure-not-in-module)
pure subroutine hyperbolic_tangent_kernel(n, x) bind(C, name="fmdn_hyperbolic_tangent_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n
   real(wp), intent(inout) :: x(n)

   integer, parameter :: lanes = 16
   real(wp) :: tail(lanes)
   integer :: rest

   rest = mod(n, lanes)
   call transform(n/lanes, x)
   if (rest == 0) return
   tail = 0
   tail(:rest) = x(n - rest + 1:)
   call transform(1, tail)
   x(n - rest + 1:) = tail(:rest)

contains

   pure subroutine transform(blocks, x)
      integer, intent(in) :: blocks
      real(wp), intent(inout) :: x(lanes, blocks)
      integer :: block, lane

      do block = 1, blocks
         !$omp simd
         do lane = 1, lanes
            x(lane, block) = hyperbolic_tangent(x(lane, block))
         end do
      end do
   end subroutine transform

   !> tanh|x| = e/(e + 2), where e = exp(2|x|) - 1 = 2**k (exp(2 r) - 1) + (2**k - 1) and
   !> |x| = k log(2)/2 + r. The series is that of (exp(2 r) - 1 - 2 r)/r**2.
   pure function hyperbolic_tangent(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y
      real(wp), parameter :: highest = 20 ! from here on tanh(x) rounds to 1
      real(wp), parameter :: half_log2_high = 47632711549.0_wp/2.0_wp**37
      real(wp), parameter :: half_log2_low = 1.64659495828970812809844307550013e-12_wp/2
      real(wp), parameter :: half_log2_inverse = 2*1.44269504088896340735992468100189214_wp
      real(wp), parameter :: to_integer = 1.5_wp*2.0_wp**52
      real(wp), parameter :: c(2:13) = [2.0_wp, 4/3.0_wp, 2/3.0_wp, 4/15.0_wp, 4/45.0_wp, &
         8/315.0_wp, 2/315.0_wp, 4/2835.0_wp, 4/14175.0_wp, 8/155925.0_wp, 4/467775.0_wp, &
         8/6081075.0_wp]
      real(wp) :: inside, shifted, k, r, series, scale, e
      integer :: i

      inside = merge(highest, abs(x), abs(x) > highest) ! NaN passes, which min may lose
      shifted = inside*half_log2_inverse + to_integer
      k = shifted - to_integer
      r = (inside - k*half_log2_high) - k*half_log2_low
      series = c(13)
      !GCC$ unroll 12
      do i = 12, 2, -1
         series = series*r + c(i)
      end do
      series = 2*r + r*r*series
      scale = transfer(shiftl(transfer(shifted, 1_long) + 1023, 52), 1.0_wp)
      e = scale*series + (scale - 1)
      y = sign(e/(e + 2), x)
   end function hyperbolic_tangent
end subroutine hyperbolic_tangent_kernel

!> x = log(x); log(0) is -Inf, and NaN below 0.
! allow(procedure-not-in-module)
pure subroutine logarithm_kernel(n, x) bind(C, name="fmdn_logarithm_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n
   real(wp), intent(inout) :: x(n)

   integer, parameter :: lanes = 16
   real(wp) :: tail(lanes)
   integer :: rest

   rest = mod(n, lanes)
   call transform(n/lanes, x)
   if (rest == 0) return
   tail = 1
   tail(:rest) = x(n - rest + 1:)
   call transform(1, tail)
   x(n - rest + 1:) = tail(:rest)

contains

   pure subroutine transform(blocks, x)
      integer, intent(in) :: blocks
      real(wp), intent(inout) :: x(lanes, blocks)
      integer :: block, lane

      do block = 1, blocks
         !$omp simd
         do lane = 1, lanes
            x(lane, block) = logarithm(x(lane, block))
         end do
      end do
   end subroutine transform

   !> log(x) = k log(2) + log(1 + f), x = 2**k (1 + f), sqrt(1/2) <= 1 + f < sqrt(2). With
   !> s = f/(2 + f), log(1 + f) = 2 artanh(s) = f - s (f - 2 s**2/3 - 2 s**4/5 - ...): f is exact.
   pure function logarithm(x) result(y)
      real(wp), intent(in) :: x
      real(wp) :: y
      integer(long), parameter :: one = shiftl(1023_long, 52)
      real(wp), parameter :: infinity = transfer(shiftl(2047_long, 52), 1.0_wp)
      real(wp), parameter :: nan = transfer(shiftl(4095_long, 51), 1.0_wp)
      real(wp), parameter :: root_half = 0.707106781186547524400844362104849039_wp
      real(wp), parameter :: log2_high = 47632711549.0_wp/2.0_wp**36
      real(wp), parameter :: log2_low = 1.64659495828970812809844307550013e-12_wp
      real(wp), parameter :: to_integer = 1.5_wp*2.0_wp**52
      real(wp), parameter :: c(9) = 2/[3.0_wp, 5.0_wp, 7.0_wp, 9.0_wp, 11.0_wp, 13.0_wp, &
         15.0_wp, 17.0_wp, 19.0_wp]
      real(wp) :: up, k, f, s, square, series
      integer(long) :: bits, exponent
      integer :: i

      ! Subnormal numbers have no exponent of their own.
      up = merge(2.0_wp**54, 2.0_wp**(-54), x < 1)
      bits = transfer(merge(x, 1.0_wp, x > 0 .and. x < infinity)*up, 1_long)
      exponent = shiftr(bits + (one - transfer(root_half, 1_long)), 52)
      f = transfer(bits + (one - shiftl(exponent, 52)), 1.0_wp) - 1
      exponent = exponent - shiftr(transfer(up, 1_long), 52)
      k = transfer(exponent + transfer(to_integer, 1_long), 1.0_wp) - to_integer
      s = f/(2 + f)
      square = s*s
      series = c(9)
      !GCC$ unroll 9
      do i = 8, 1, -1
         series = series*square + c(i)
      end do
      y = k*log2_high + (f - (s*(f - square*series) - k*log2_low))
      y = merge(y, x, x < infinity) ! Inf, NaN
      y = merge(-infinity, y, abs(x) <= 0)
      y = merge(nan, y, x < 0)
   end function logarithm
end subroutine logarithm_kernel
