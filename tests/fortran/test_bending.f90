!> Bent inputs: half of what is seen is the value, half the normal score of its rank. And pieces.
program test_bending
   use fmdn_bending, only: fit_knots, n_knots, n_pieces, n_seen, see, slopes_of_seen, straight_knots
   use fmdn_check, only: check, check_close, finish
   use fmdn_examples, only: normals, same
   use fmdn_kinds, only: wp
   implicit none (type, external)
   real(wp), allocatable :: knots(:, :, :)

   allocate (knots(n_knots, 2, 1))
   call test_few_values()
   call test_many_values()
   call test_edges()
   call test_pieces()
   call test_slopes()
   call finish()

contains

   function bent(x) result(y)
      real(wp), intent(in) :: x(:)
      real(wp) :: y(size(x))
      real(wp) :: tile(size(x), 1)

      tile(:, 1) = x
      call see(knots, .false., size(x), tile)
      y = tile(:, 1)
   end function bent

   !> Ranks (1 + 3)/2 of four, 3 and 4 of 4: their middles are 1/4, 5/8 and 7/8.
   subroutine test_few_values()
      real(wp), parameter :: z_quarter = -0.6744897501960817_wp, z_five = 0.3186393639643751_wp, &
         z_seven = 1.1503493803760079_wp

      call fit_knots([3.0_wp, 0.0_wp, 9.0_wp, 0.0_wp], knots(:, :, 1))
      call check_close(bent([0.0_wp, 3.0_wp, 9.0_wp]), &
         [0.5_wp*z_quarter, 0.5_wp*(3 + z_five), 0.5_wp*(9 + z_seven)], 1e-12_wp, "at the values")
      call check_close(bent([1.5_wp, -2.0_wp, 19.0_wp]), &
         [0.25_wp*(z_quarter + 3 + z_five), 0.5_wp*z_quarter - 1, 0.5_wp*(9 + z_seven) + 5], &
         1e-12_wp, "between and beyond")
   end subroutine test_few_values

   !> Normal values stay as they are, nearly; skewed ones come nearer to a normal distribution.
   subroutine test_many_values()
      real(wp) :: x(20000), y(20000)

      x = normals(size(x), 1)
      call fit_knots(x, knots(:, :, 1))
      y = bent(x)
      call check(maxval(abs(y - x), mask=abs(x) < 2) < 0.1_wp, "a normal input")
      call check(all(knots(2:, 1, 1) > knots(:n_knots - 1, 1, 1)), "knots ascend")
      call check(skewness(bent_of(exp(x))) < 0.75_wp*skewness(exp(x)), "a skewed input")
      x = [spread(0.0_wp, 1, 15000), x(:5000)]
      y = bent_of(x)
      call check(all(same(y(:15000), y(1))), "ties stay ties")
      call check(all((y(15001:) > y(1)) .eqv. (x(15001:) > 0)), "order stays")
   end subroutine test_many_values

   function bent_of(x) result(y)
      real(wp), intent(in) :: x(:)
      real(wp) :: y(size(x))

      call fit_knots(x, knots(:, :, 1))
      y = bent(x)
   end function bent_of

   pure function skewness(x)
      real(wp), intent(in) :: x(:)
      real(wp) :: skewness, z(size(x))

      z = x - sum(x)/size(x)
      skewness = sum(z**3)/size(x)/sqrt(sum(z**2)/size(x))**3
   end function skewness

   subroutine test_edges()
      real(wp), allocatable :: none(:, :, :)
      real(wp) :: tile(2, 1)

      call check_close(bent_of([0.0_wp, 0.0_wp]), [0.0_wp, 0.0_wp], 1e-15_wp, "a constant")
      call check_close(bent([2.0_wp, 1e15_wp]), [1.0_wp, 5e14_wp], 1e-15_wp, "far from a constant")
      knots(:, :, 1) = straight_knots()
      call check_close(bent([0.0_wp, 1.0_wp]), [0.0_wp, 1.0_wp], 0.0_wp, "an indicator")
      tile = 3
      call see(none, .false., 2, tile)
      call check_close(tile(:, 1), [3.0_wp, 3.0_wp], 0.0_wp, "no knots")
      call fit_knots(normals(n_knots, 2), knots(:, :, 1))
      tile = -0.3_wp
      call see(knots, .false., 1, tile)
      call check(abs(tile(1, 1) + 0.3_wp) > 0 .and. same(tile(2, 1), -0.3_wp), "some rows")
   end subroutine test_edges

   !> Between two knots one piece changes; over all values its mean is 0 and its variance 1, but for
   !> the outermost ones: values are not spread evenly there.
   subroutine test_pieces()
      integer, parameter :: n = 20000
      real(wp) :: x(n), tile(n, n_knots), ends(3, n_knots)
      integer :: k

      call check(n_seen(1, .true.) == n_knots .and. n_seen(1, .false.) == 1, "what is seen")
      x = normals(n, 3)
      call fit_knots(x, knots(:, :, 1))
      tile(:, 1) = x
      call see(knots, .true., n, tile)
      call check_close(tile(:, 1), bent(x), 0.0_wp, "the first is bent")
      associate (pieces => tile(:, 2:))
         call check(all(abs(sum(pieces(:, 2:n_pieces - 1), dim=1)/n) < 0.03_wp), "mean")
         call check(all(abs(sum(pieces(:, 2:n_pieces - 1)**2, dim=1)/n - 1) < 0.1_wp), "variance")
         call check(all(abs(sum(pieces, dim=1)/n) < 0.3_wp), "mean at the ends")
      end associate
      do k = 1, n_pieces
         associate (low => knots(k, 1, 1), high => knots(k + 1, 1, 1))
            ends(:, 1) = [low, 0.5_wp*(low + high), high]
            call see(knots, .true., 3, ends)
            call check(ends(3, 1 + k) > ends(1, 1 + k), "a piece ascends")
            call check_close([ends(2, 1 + k)], [0.5_wp*(ends(1, 1 + k) + ends(3, 1 + k))], &
               1e-12_wp, "straight")
            ends(:, 1 + k) = 0
            call check_close(ends(1, 2:), ends(3, 2:), 0.0_wp, "the others stay")
         end associate
      end do
      call fit_knots(spread(2.0_wp, 1, 5), knots(:, :, 1))
      ends(:, 1) = [1.0_wp, 2.0_wp, 3.0_wp]
      call see(knots, .true., 3, ends)
      call check(all(abs(ends(:, 2:)) <= 0), "a constant has no pieces")
   end subroutine test_pieces

   !> Of sums of squares of what is seen, by differences.
   subroutine test_slopes()
      real(wp), parameter :: step = 1e-6_wp
      real(wp), allocatable :: two(:, :, :)
      real(wp) :: x(2), seen(1, 2*n_knots), above(1, 2*n_knots), below(1, 2*n_knots), slopes(1, 2)
      integer :: i, j
      logical :: in_pieces

      allocate (two(n_knots, 2, 2))
      call fit_knots(normals(500, 4), two(:, :, 1))
      call fit_knots(exp(normals(500, 5)), two(:, :, 2))
      do i = 1, 40
         in_pieces = modulo(i, 2) == 0
         x = 1.5_wp*normals(2, 10 + i)
         seen(1, :2) = x
         seen(1, 3:) = 0
         call see(two, in_pieces, 1, seen)
         call slopes_of_seen(two, in_pieces, seen(1, :n_seen(2, in_pieces)), &
            2*seen(:, :n_seen(2, in_pieces)), slopes)
         do j = 1, 2
            above = 0
            below = 0
            above(1, :2) = x
            below(1, :2) = x
            above(1, j) = x(j) + step
            below(1, j) = x(j) - step
            call see(two, in_pieces, 1, above)
            call see(two, in_pieces, 1, below)
            call check_close([slopes(1, j)], [(sum(above**2) - sum(below**2))/(2*step)], &
               1e-5_wp*(1 + abs(slopes(1, j))), "slopes")
         end do
      end do
   end subroutine test_slopes

end program test_bending
