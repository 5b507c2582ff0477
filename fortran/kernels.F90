! The hot loops: two small matrix products; exp, tanh and log of an array, in place; and the
! derivative of tanh.
!
! This file is compiled once per instruction set, with -DISA=base, v3 or v4; each copy gives its
! name to its procedures (fmdn_product_v4, ...), and fmdn_dispatch chooses among them at run time.
! It holds external procedures only, and uses no module procedure and no input or output, so that
! no instruction of one set can land in code that all processors share.
!
! Flags: -O3 -fopenmp-simd -fno-trapping-math, and never -ffast-math or -fno-signed-zeros, which
! let the compiler cancel the exact differences below.
!
! Local arrays with constant bounds, and constant inner loops, are what the compiler keeps in
! vector registers. All arrays should start on a 64-byte boundary; any alignment is correct, but
! vectors that straddle cache lines cost up to a third of the speed.

#ifndef ISA
#define ISA base
#endif
#define base "base"
#define v3 "v3"
#define v4 "v4"

!> c(1:m, 1:n) = c + a b, with a(1:m, 1:k) and element (l, j) of b at
!> b(1 + (l - 1)*stride_k + (j - 1)*stride_n), so that b may be a matrix or its transpose.
!> m is a multiple of 16. Each element is c + (((0 + a b) + a b) + ...), l ascending: a row's
!> result depends on that row alone.
! allow(procedure-not-in-module)
pure subroutine product_kernel(m, n, k, a, b, stride_k, stride_n, c) &
   bind(C, name="fmdn_product_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: m, n, k, stride_k, stride_n
   real(wp), intent(in) :: a(m, k), b(1 + (k - 1)*stride_k + (n - 1)*stride_n)
   real(wp), intent(inout) :: c(m, n)

   integer, parameter :: rows = merge(16, 8, ISA == "v4"), columns = 6
   real(wp) :: tile(rows, columns)
   integer(long) :: at(columns), l_at
   integer :: i, j, l, row, column

   if (k < 1) return
   do j = 0, n - 1, columns
      ! Columns past the last repeat it, and are not stored.
      do column = 1, columns
         at(column) = (min(j + column, n) - 1)*int(stride_n, long) + 1
      end do
      do i = 0, m - rows, rows
         !GCC$ unroll 6
         do column = 1, columns
            !$omp simd
            do row = 1, rows
               tile(row, column) = 0
            end do
         end do

         l_at = 0
         do l = 1, k
            !GCC$ unroll 6
            do column = 1, columns
               !$omp simd
               do row = 1, rows
                  tile(row, column) = tile(row, column) + a(i + row, l)*b(at(column) + l_at)
               end do
            end do
            l_at = l_at + stride_k
         end do

         !GCC$ unroll 6
         do column = 1, columns
            if (j + column > n) exit
            !$omp simd
            do row = 1, rows
               c(i + row, j + column) = c(i + row, j + column) + tile(row, column)
            end do
         end do
      end do
   end do
end subroutine product_kernel

!> g(1:p, 1:q) = g + transpose(d) a, with d(1:m, 1:p), a(1:m, 1:q) and m a multiple of 16.
!> The order of summation is fixed for an instruction set.
! allow(procedure-not-in-module)
pure subroutine accumulate_kernel(m, p, q, d, a, g) bind(C, name="fmdn_accumulate_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: m, p, q
   real(wp), intent(in) :: d(m, p), a(m, q)
   real(wp), intent(inout) :: g(p, q)

   ! A tile of scalar products, in column-major order; each has `width` partial sums.
   integer, parameter :: rows = 4, columns = merge(6, 3, ISA == "v4")
   integer, parameter :: width = merge(8, merge(4, 2, ISA == "v3"), ISA == "v4")
   real(wp) :: sums(width*rows*columns)
   integer :: i, j, k, row, column, lane, element, fold, d_column(rows), a_column(columns)

   if (m < width) return
   do j = 0, q - 1, columns
      ! Rows and columns past the last repeat it, and are not stored.
      do column = 1, columns
         a_column(column) = min(j + column, q)
      end do
      do k = 0, p - 1, rows
         do row = 1, rows
            d_column(row) = min(k + row, p)
         end do
         !GCC$ unroll 24
         do element = 0, rows*columns - 1
            !$omp simd
            do lane = 1, width
               sums(element*width + lane) = 0
            end do
         end do

         do i = 0, m - width, width
            !GCC$ unroll 6
            do column = 1, columns
               !GCC$ unroll 4
               do row = 1, rows
                  element = (column - 1)*rows + row - 1
                  !$omp simd
                  do lane = 1, width
                     sums(element*width + lane) = sums(element*width + lane) &
                        + d(i + lane, d_column(row))*a(i + lane, a_column(column))
                  end do
               end do
            end do
         end do

         ! Add neighbours until one sum per element is left: few shuffles, all lanes busy.
         !GCC$ unroll 3
         do fold = 1, trailz(width)
            !$omp simd
            do lane = 1, shiftr(size(sums), fold)
               sums(lane) = sums(2*lane - 1) + sums(2*lane)
            end do
         end do

         !GCC$ unroll 6
         do column = 1, columns
            if (j + column > q) exit
            !GCC$ unroll 4
            do row = 1, rows
               if (k + row > p) exit
               g(k + row, j + column) = g(k + row, j + column) + sums((column - 1)*rows + row)
            end do
         end do
      end do
   end do
end subroutine accumulate_kernel

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
      real(wp), parameter :: infinity = transfer(shiftl(2047_long, 52), 1.0_wp)
      real(wp), parameter :: log2_high = 47632711549.0_wp/2.0_wp**36 ! log(2) in 36 bits,
      real(wp), parameter :: log2_low = 1.64659495828970812809844307550013e-12_wp ! and the rest
      real(wp), parameter :: log2_inverse = 1.44269504088896340735992468100189214_wp
      real(wp), parameter :: to_integer = 1.5_wp*2.0_wp**52 ! adding it leaves k in the low bits
      real(wp), parameter :: c(0:13) = 2/[1.0_wp, 1.0_wp, 2.0_wp, 6.0_wp, 24.0_wp, 120.0_wp, &
         720.0_wp, 5040.0_wp, 40320.0_wp, 362880.0_wp, 3628800.0_wp, 39916800.0_wp, &
         479001600.0_wp, 6227020800.0_wp]
      real(wp) :: inside, shifted, k, r, series
      integer :: i

      inside = max(min(x, highest), lowest)
      shifted = inside*log2_inverse + to_integer
      k = shifted - to_integer
      r = (inside - k*log2_high) - k*log2_low
      series = c(13)
      !GCC$ unroll 13
      do i = 12, 0, -1
         series = series*r + c(i)
      end do
      y = series*transfer(shiftl(transfer(shifted, 1_long) + 1022, 52), 1.0_wp)
      y = merge(0.0_wp, y, x < lowest)
      y = merge(y, abs(x) + infinity, x <= highest) ! Inf, NaN
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
      real(wp), parameter :: infinity = transfer(shiftl(2047_long, 52), 1.0_wp)
      real(wp), parameter :: half_log2_high = 47632711549.0_wp/2.0_wp**37
      real(wp), parameter :: half_log2_low = 1.64659495828970812809844307550013e-12_wp/2
      real(wp), parameter :: half_log2_inverse = 2*1.44269504088896340735992468100189214_wp
      real(wp), parameter :: to_integer = 1.5_wp*2.0_wp**52
      real(wp), parameter :: c(2:13) = [2.0_wp, 4/3.0_wp, 2/3.0_wp, 4/15.0_wp, 4/45.0_wp, &
         8/315.0_wp, 2/315.0_wp, 4/2835.0_wp, 4/14175.0_wp, 8/155925.0_wp, 4/467775.0_wp, &
         8/6081075.0_wp]
      real(wp) :: inside, shifted, k, r, series, scale, e
      integer :: i

      inside = min(abs(x), highest)
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
      y = merge(y, x, abs(x) <= infinity) ! NaN, which min may lose
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

!> d = d (1 - y**2): from a derivative with respect to y = tanh(x) to one with respect to x.
! allow(procedure-not-in-module)
pure subroutine tanh_gradient_kernel(n, y, d) bind(C, name="fmdn_tanh_gradient_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n
   real(wp), intent(in) :: y(n)
   real(wp), intent(inout) :: d(n)
   integer :: i

   !$omp simd
   do i = 1, n
      d(i) = d(i)*(1 - y(i)**2)
   end do
end subroutine tanh_gradient_kernel
