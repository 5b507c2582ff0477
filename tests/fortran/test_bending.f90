!> Bent inputs: half of what is seen is the value, half the normal score of its rank.
program test_bending
   use fmdn_bending, only: bend, fit_knots, n_knots, straight_knots
   use fmdn_check, only: check, check_close, finish
   use fmdn_examples, only: normals, same
   use fmdn_kinds, only: wp
   implicit none (type, external)
   real(wp), allocatable :: knots(:, :, :)

   allocate (knots(n_knots, 2, 1))
   call test_few_values()
   call test_many_values()
   call test_edges()
   call finish()

contains

   function bent(x) result(y)
      real(wp), intent(in) :: x(:)
      real(wp) :: y(size(x))
      real(wp) :: tile(size(x), 1)

      tile(:, 1) = x
      call bend(knots, size(x), tile)
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
      call bend(none, 2, tile)
      call check_close(tile(:, 1), [3.0_wp, 3.0_wp], 0.0_wp, "no knots")
      call fit_knots(normals(n_knots, 2), knots(:, :, 1))
      tile = -0.3_wp
      call bend(knots, 1, tile)
      call check(abs(tile(1, 1) + 0.3_wp) > 0 .and. same(tile(2, 1), -0.3_wp), "some rows")
   end subroutine test_edges

end program test_bending
