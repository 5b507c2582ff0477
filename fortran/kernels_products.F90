! The hot loops, part one: small matrix products and sums, and rows into tiles.
!
! The kernel files are compiled once per instruction set, with -DISA=base, v3 or v4; each copy gives
! its name to its procedures (fmdn_product_v4, ...), and fmdn_dispatch chooses among them at run
! time. They hold external procedures only, and use no module procedure and no input or output, so
! that no instruction of one set can land in code that all processors share.
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

!> c(1:m, 1:n) from a b, with a(1:m, 1:k) and element (l, j) of b at
!> b(1 + (l - 1)*stride_k + (j - 1)*stride_n), so that b may be a matrix or its transpose:
!> c = bias + a b with bias(j) for column j (update 0), c = c + a b (update 1), or
!> c = (1 - c**2)*(a b), the chain rule through c = tanh (update 2). m is a multiple of 32, k at
!> least 1. a b is summed in the order of l: a row's result depends on that row alone.
! allow(procedure-not-in-module)
pure subroutine product_kernel(m, n, k, a, b, stride_k, stride_n, bias, update, c) &
   bind(C, name="fmdn_product_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: m, n, k, stride_k, stride_n, update
   real(wp), intent(in) :: a(m, k), b(1 + (k - 1)*stride_k + (n - 1)*stride_n), bias(n)
   real(wp), intent(inout) :: c(m, n)

   integer, parameter :: rows = merge(32, merge(8, 4, ISA == "v3"), ISA == "v4"), columns = 6
   real(wp) :: tile(rows, columns)
   integer(long) :: at(columns), l_at
   integer :: i, j, l, row, column

   if (k < 1) return ! which also tells the compiler that there is a term
   ! A panel of a, then all of b: both stay in the first-level cache.
   do i = 0, m - rows, rows
      do j = 0, n - 1, columns
         ! Columns past the last repeat it, and are not stored.
         do column = 1, columns
            at(column) = (min(j + column, n) - 1)*int(stride_n, long) + 1
         end do
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
            select case (update)
            case (0)
               !$omp simd
               do row = 1, rows
                  c(i + row, j + column) = bias(j + column) + tile(row, column)
               end do
            case (1)
               !$omp simd
               do row = 1, rows
                  c(i + row, j + column) = c(i + row, j + column) + tile(row, column)
               end do
            case default
               !$omp simd
               do row = 1, rows
                  c(i + row, j + column) = (1 - c(i + row, j + column)**2)*tile(row, column)
               end do
            end select
         end do
      end do
   end do
end subroutine product_kernel

!> One row of the above, update 0 or 1, with a(1:k) and b(1:n, 1:k) stored transposed; the same sums
!> in the same order, vectors along the columns.
! allow(procedure-not-in-module)
pure subroutine row_product_kernel(n, k, a, b, bias, update, c) &
   bind(C, name="fmdn_row_product_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n, k, update
   real(wp), intent(in) :: a(k), b(n, k), bias(n)
   real(wp), intent(inout) :: c(n)
   integer, parameter :: columns = 32
   real(wp) :: sums(columns)
   integer :: j, l, column, width

   do j = 0, n - 1, columns
      width = min(columns, n - j)
      sums = 0
      do l = 1, k
         !$omp simd
         do column = 1, width
            sums(column) = sums(column) + b(j + column, l)*a(l)
         end do
      end do
      if (update == 0) c(j + 1:j + width) = bias(j + 1:j + width)
      c(j + 1:j + width) = c(j + 1:j + width) + sums(:width)
   end do
end subroutine row_product_kernel

!> g(1:p, 1:q) = g + transpose(d) a, with d(1:m, 1:p), a(1:m, 1:q) and m a multiple of 32.
!> The order of summation is fixed for an instruction set.
! allow(procedure-not-in-module)
pure subroutine accumulate_kernel(m, p, q, d, a, g) bind(C, name="fmdn_accumulate_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: m, p, q
   real(wp), intent(in) :: d(m, p), a(m, q)
   real(wp), intent(inout) :: g(p*int(q, long))

   ! A tile of scalar products, in column-major order; each has `width` partial sums.
   integer, parameter :: rows = 4, columns = merge(6, 3, ISA == "v4")
   integer, parameter :: width = merge(8, merge(4, 2, ISA == "v3"), ISA == "v4")

   ! The way round that wastes less at the edges.
   if (padded(p, rows)*padded(q, columns) <= padded(p, columns)*padded(q, rows)) then
      call add_products(p, d, q, a, 1_long, int(p, long), g)
   else
      call add_products(q, a, p, d, int(p, long), 1_long, g)
   end if

contains

   pure function padded(n, multiple)
      integer, intent(in) :: n, multiple
      integer(long) :: padded

      padded = multiple*((n + multiple - 1)/multiple)
   end function padded

   !> Scalar products of the columns of x and y: number (k, j) goes to
   !> g(1 + (k - 1)*stride_k + (j - 1)*stride_j).
   pure subroutine add_products(n_x, x, n_y, y, stride_k, stride_j, g)
      integer, intent(in) :: n_x, n_y
      integer(long), intent(in) :: stride_k, stride_j
      real(wp), intent(in) :: x(m, n_x), y(m, n_y)
      real(wp), intent(inout) :: g(p*int(q, long))
      real(wp) :: sums(width*rows*columns)
      integer :: i, j, k, row, column, lane, element, fold, x_column(rows), y_column(columns)
      integer(long) :: at

      do j = 0, n_y - 1, columns
         ! Rows and columns past the last repeat it, and are not stored.
         do column = 1, columns
            y_column(column) = min(j + column, n_y)
         end do
         do k = 0, n_x - 1, rows
            do row = 1, rows
               x_column(row) = min(k + row, n_x)
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
                           + x(i + lane, x_column(row))*y(i + lane, y_column(column))
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

            do column = 1, min(columns, n_y - j)
               do row = 1, min(rows, n_x - k)
                  at = 1 + (k + row - 1)*stride_k + (j + column - 1)*stride_j
                  g(at) = g(at) + sums((column - 1)*rows + row)
               end do
            end do
         end do
      end do
   end subroutine add_products
end subroutine accumulate_kernel

!> sums(1:n) = sums + the sums of the columns of x(1:m, 1:n), m a multiple of 32, in an order that
!> is fixed for all instruction sets.
! allow(procedure-not-in-module)
pure subroutine sum_columns_kernel(m, n, x, sums) bind(C, name="fmdn_sum_columns_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: m, n
   real(wp), intent(in) :: x(m, n)
   real(wp), intent(inout) :: sums(n)
   integer, parameter :: width = 32
   real(wp) :: partial(width)
   integer :: i, j, lane, fold

   do j = 1, n
      !$omp simd
      do lane = 1, width
         partial(lane) = x(lane, j)
      end do
      do i = width, m - width, width
         !$omp simd
         do lane = 1, width
            partial(lane) = partial(lane) + x(i + lane, j)
         end do
      end do
      !GCC$ unroll 5
      do fold = 1, trailz(width)
         !$omp simd
         do lane = 1, shiftr(width, fold)
            partial(lane) = partial(lane) + partial(lane + shiftr(width, fold))
         end do
      end do
      sums(j) = sums(j) + partial(1)
   end do
end subroutine sum_columns_kernel

!> tile(1:n, j) = (values(j, order) - centre(j))/scale(j), at most `farthest` from 0: rows of the
!> caller's, standardised, become columns. `not_finite` becomes 1 where a value is NaN or infinite.
! allow(procedure-not-in-module)
pure subroutine standardise_kernel(n, n_columns, values, order, centre, scale, farthest, m, tile, &
   not_finite) &
   bind(C, name="fmdn_standardise_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, long => c_int64_t, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: n, n_columns, m
   real(wp), value :: farthest
   ! allow(C071): a matrix as one line; as many rows as the numbers in `order` ask for
   real(wp), intent(in) :: values(*), centre(n_columns), scale(n_columns)
   integer(long), intent(in) :: order(n)
   real(wp), intent(inout) :: tile(m, n_columns)
   integer(c_int), intent(inout) :: not_finite
   integer, parameter :: width = 8
   integer(long), parameter :: exponent = shiftl(2047_long, 52) ! all ones: not finite
   real(wp) :: line(width), inverse(n_columns)
   integer(long) :: largest(width), before(width)
   integer :: i, j, lane, filled

   inverse = 1/max(scale, tiny(scale))
   largest = 0
   do i = 0, n - 1, width
      filled = min(width, n - i)
      before(:filled) = (order(i + 1:i + filled) - 1)*n_columns
      before(filled + 1:) = before(1) ! not written
      do j = 1, n_columns
         !$omp simd
         do lane = 1, width
            line(lane) = values(before(lane) + j)
            largest(lane) = max(largest(lane), iand(transfer(line(lane), 1_long), exponent))
            line(lane) = standardised(finite(line(lane)), j)
         end do
         if (filled == width) then
            tile(i + 1:i + width, j) = line
         else
            tile(i + 1:n, j) = line(:filled)
         end if
      end do
   end do
   if (maxval(largest) == exponent) not_finite = 1

contains

   pure function standardised(value, j) result(x)
      real(wp), intent(in) :: value
      integer, intent(in) :: j
      real(wp) :: x

      x = min(max((value - centre(j))*inverse(j), -farthest), farthest)
   end function standardised

   !> What is not finite becomes zero, so that no exception is raised.
   pure function finite(value) result(x)
      real(wp), intent(in) :: value
      real(wp) :: x
      integer(long) :: bits

      bits = transfer(value, 1_long)
      x = transfer(merge(0_long, bits, iand(bits, exponent) == exponent), 1.0_wp)
   end function finite
end subroutine standardise_kernel
