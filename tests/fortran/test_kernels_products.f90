!> The products and sums of every instruction set this processor has, against plain sums in
!> quadruple precision; and rows into tiles.
program test_kernels_products
   use, intrinsic :: ieee_arithmetic, only: ieee_get_halting_mode, ieee_invalid, &
      ieee_positive_inf, ieee_quiet_nan, ieee_value
   use, intrinsic :: iso_c_binding, only: c_intptr_t, c_loc
   use, intrinsic :: iso_fortran_env, only: int64, real128
   use fmdn_check, only: check, finish
   use fmdn_dispatch, only: aligned_start, kernel_set, processor_kernels
   use fmdn_examples, only: same, spread_points
   use fmdn_kinds, only: lanes, wp
   implicit none (type, external)
   type(kernel_set) :: kernels
   integer :: level

   call test_alignment()
   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      call test_product()
      call test_rows_are_independent()
      call test_accumulate()
      call test_sum_columns()
      call test_standardise()
   end do
   call finish()

contains

   function named(what) result(text)
      character(*), intent(in) :: what
      character(:), allocatable :: text

      text = what // " (level " // achar(iachar("0") + kernels%level) // ")"
   end function named

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

   !> bias + a b and c + a b for sizes that do and do not fill the tiles, b stored either way with
   !> gaps. The error of a sum of k + 1 terms is at most (k + 1) epsilon times the sum of their
   !> sizes.
   subroutine test_product()
      integer, parameter :: sizes(7) = [1, 2, 5, 6, 7, 18, 30]
      integer, parameter :: rows(3) = [lanes, 3*lanes, 4*lanes]
      integer :: im, ik, in

      do im = 1, size(rows)
         do ik = 1, size(sizes)
            do in = 1, size(sizes)
               call one_product(rows(im), sizes(in), sizes(ik), .false., 0)
               call one_product(rows(im), sizes(in), sizes(ik), .true., 1)
            end do
         end do
      end do
   end subroutine test_product

   subroutine one_product(m, n, k, transposed, add)
      integer, intent(in) :: m, n, k, add
      logical, intent(in) :: transposed
      integer, parameter :: gap = 3
      real(wp) :: a(m, k), b((k + gap)*(n + gap)), c(m, n + 1), before(m, n + 1), bias(n)
      real(wp) :: bound
      real(real128) :: exact, magnitude
      integer :: i, j, l, stride_k, stride_n
      logical :: right

      a = reshape(spread_points(m*k), [m, k]) - 0.5_wp
      b = spread_points(size(b)) - 0.4_wp
      before = reshape(spread_points(m*(n + 1)), [m, n + 1]) - 0.6_wp
      c = before
      bias = spread_points(n) - 0.7_wp
      stride_k = merge(n + gap, 1, transposed)
      stride_n = merge(1, k + gap, transposed)
      call kernels%product(m, n, k, a, b, stride_k, stride_n, bias, add, c)
      right = .true.
      do j = 1, n
         do i = 1, m
            exact = merge(bias(j), before(i, j), add == 0)
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
      integer, parameter :: m = 4*lanes, n = 47, k = 29
      real(wp) :: a(m, k), b(k, n), bias(n), whole(m, n), few(lanes, k), part(lanes, n), row(n)
      integer :: first, add, i

      a = reshape(spread_points(m*k), [m, k]) - 0.5_wp
      b = reshape(spread_points(k*n), [k, n]) - 0.5_wp
      bias = spread_points(n)
      do add = 0, 1
         whole = 1
      call kernels%product(m, n, k, a, b, 1, k, bias, add, whole)
      do first = 1, m, lanes
         few = a(first:first + lanes - 1, :)
         part = 1
         call kernels%product(lanes, n, k, few, b, 1, k, bias, add, part)
         call check(all(same(part, whole(first:first + lanes - 1, :))), &
            named("product: rows are independent"))
      end do
      do i = 1, m
         row = 1
         call kernels%row_product(n, k, a(i, :), transpose(b), bias, add, row)
         call check(all(same(row, whole(i, :))), named("a row alone"))
      end do
      end do
   end subroutine test_rows_are_independent

   subroutine test_accumulate()
      integer, parameter :: sizes(8) = [1, 2, 3, 4, 5, 7, 18, 30]
      integer, parameter :: rows(3) = [lanes, 3*lanes, 4*lanes]
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

   subroutine test_sum_columns()
      integer, parameter :: rows(4) = [lanes, 2*lanes, 5*lanes, 9*lanes], n = 7
      real(wp) :: sums(n + 1), before(n + 1)
      real(wp), allocatable :: x(:, :)
      integer :: i, j

      do i = 1, size(rows)
         x = reshape(spread_points(rows(i)*n), [rows(i), n]) - 0.5_wp
         before = spread_points(n + 1)
         sums = before
         call kernels%sum_columns(rows(i), n, x, sums)
         do j = 1, n
            call check(abs(sums(j) - (before(j) + sum(real(x(:, j), real128)))) &
               <= (rows(i) + 1)*epsilon(1.0_wp)*(before(j) + sum(abs(x(:, j)))), &
               named("sums of columns"))
         end do
         call check(same(sums(n + 1), before(n + 1)), named("sums of columns, and no more"))
      end do
   end subroutine test_sum_columns

   !> Rows, picked by their numbers, become columns; wherever a row stands its numbers are the same.
   subroutine test_standardise()
      integer, parameter :: n_columns = 3, n_rows = 50
      real(wp), parameter :: centre(n_columns) = [3.0_wp, -2.0_wp, 0.5_wp]
      real(wp), parameter :: scale(n_columns) = [2.0_wp, 7.0_wp, 1e-3_wp]
      real(wp) :: values(n_columns, n_rows), tile(lanes, n_columns), alone(n_columns), before
      integer(int64) :: order(lanes)
      integer :: n, i, wrong

      values = reshape(10*spread_points(n_columns*n_rows), [n_columns, n_rows])
      values(3, 5:6) = [1e300_wp, -1e300_wp]
      wrong = 0
      do n = 1, lanes
         order = [(1_int64 + modulo(7*i + n, n_rows), i=1, lanes)]
         tile = -1
         call kernels%standardise(n, n_columns, values, order, centre, scale, 1e15_wp, lanes, &
            tile, wrong)
         do i = 1, n
            associate (expected => min(max((values(:, order(i)) - centre)/scale, -1e15_wp), &
               1e15_wp))
               call check(all(abs(tile(i, :) - expected) <= 2*spacing(expected)), &
                  named("standardised rows"))
               call kernels%standardise(1, n_columns, values, order(i:i), centre, scale, 1e15_wp, &
                  1, alone, wrong)
               call check(all(same(tile(i, :), alone)), &
                  named("standardised wherever it stands"))
            end associate
         end do
         call check(all(abs(tile(n + 1:, :) + 1) <= 0), named("no other row is written"))
         call check(wrong == 0, named("all numbers are finite"))
         do i = 1, n
            before = values(2, order(i))
            values(2, order(i)) = ieee_value(before, merge(ieee_quiet_nan, ieee_positive_inf, &
               modulo(i, 2) == 0 .and. .not. invalid_stops()))
            call kernels%standardise(n, n_columns, values, order, centre, scale, 1e15_wp, lanes, &
               tile, wrong)
            call check(wrong == 1, named("one is not"))
            values(2, order(i)) = before
            wrong = 0
         end do
      end do
   end subroutine test_standardise

   !> Does comparing a NaN, an invalid operation, stop the program?
   function invalid_stops() result(yes)
      logical :: yes

      call ieee_get_halting_mode(ieee_invalid, yes)
   end function invalid_stops
end program test_kernels_products
