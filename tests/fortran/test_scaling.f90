!> Centre and scale of clean, constant, contaminated and enormous values.
program test_scaling
   use fmdn_check, only: check, check_close, finish
   use fmdn_examples, only: normals, same
   use fmdn_kinds, only: wp
   use fmdn_scaling, only: centre_and_scale
   implicit none (type, external)
   real(wp) :: centre, scale

   call test_direct()
   call test_constant()
   call test_units()
   call test_outliers()
   call test_extremes()
   call finish()

contains

   subroutine test_direct()
      real(wp) :: values(1001)

      call centre_and_scale([4.0_wp, 1.0_wp, 3.0_wp, 2.0_wp], centre, scale)
      call check_close(centre, 2.5_wp, 1e-15_wp, "mean of four")
      call check_close(scale, sqrt(5/3.0_wp), 1e-15_wp, "standard deviation of four, n - 1")

      values = 1e6_wp + normals(size(values), 1)
      call centre_and_scale(values, centre, scale)
      call check_close(centre, sum(values)/size(values), 1e-8_wp, "mean")
      call check_close(scale, sqrt(sum((values - centre)**2)/(size(values) - 1)), 1e-10_wp, &
         "standard deviation far from zero")
   end subroutine test_direct

   subroutine test_constant()
      real(wp), parameter :: nothing(0) = 0

      call centre_and_scale(spread(0.1_wp, 1, 7), centre, scale)
      call check(same(centre, 0.1_wp) .and. same(scale, 0.0_wp), "a constant is its centre")
      call centre_and_scale([-3.7_wp], centre, scale)
      call check(same(centre, -3.7_wp) .and. same(scale, 0.0_wp), "a single value")
      call centre_and_scale(nothing, centre, scale)
      call check(same(centre, 0.0_wp) .and. same(scale, 0.0_wp), "no value")
   end subroutine test_constant

   !> Powers of two change no bit, robust or not.
   subroutine test_units()
      integer, parameter :: powers(4) = [-600, -1, 20, 600]
      real(wp) :: values(257), c, s
      integer :: i, k

      values = normals(size(values), 2)
      do i = 1, 2
         call centre_and_scale(values, c, s)
         do k = 1, size(powers)
            call centre_and_scale(values*2.0_wp**powers(k), centre, scale)
            call check(same(centre, c*2.0_wp**powers(k)) .and. same(scale, s*2.0_wp**powers(k)), &
               "units of a power of two")
         end do
         values(100) = 1e7_wp
      end do
   end subroutine test_units

   !> Outliers do not rule. Standard errors for n normal numbers: median sqrt(pi/2/n), median
   !> absolute deviation 1.17/sqrt(n).
   subroutine test_outliers()
      integer, parameter :: n = 1000
      real(wp) :: values(n)

      values = 3 + 2*normals(n, 3)
      values(17) = 1e6_wp
      call centre_and_scale(values, centre, scale)
      call check_close(centre, 3.0_wp, 5*2*1.26_wp/sqrt(real(n, wp)), "median")
      call check_close(scale, 2.0_wp, 5*2*1.17_wp/sqrt(real(n, wp)), "median absolute deviation")

      ! Heavy tails alone are no reason: the standard deviation of an exponential is 2.08 times
      ! what its median absolute deviation stands for.
      values = 0.5_wp*(normals(n, 4)**2 + normals(n, 5)**2)
      call centre_and_scale(values, centre, scale)
      call check_close(centre, sum(values)/n, 1e-13_wp, "mean of an exponential")
      call check_close(scale, 1.0_wp, 5*sqrt(2.0_wp/n), "standard deviation of an exponential")

      ! Where most values are equal the median absolute deviation is zero, and says nothing.
      values = 1
      values(:10) = 2
      call centre_and_scale(values, centre, scale)
      call check_close(centre, 1.01_wp, 1e-14_wp, "mean of two values")
      call check_close(scale, sqrt(0.01_wp*0.99_wp*n/(n - 1)), 1e-14_wp, &
         "standard deviation of two values")
   end subroutine test_outliers

   !> Squares of these numbers overflow, or vanish.
   subroutine test_extremes()
      call centre_and_scale([-1e300_wp, 1e300_wp], centre, scale)
      call check(same(centre, 0.0_wp), "mean of huge values")
      call check_close(scale/1e300_wp, sqrt(2.0_wp), 1e-15_wp, "scale of huge values")
      call centre_and_scale([-1e-200_wp, 1e-200_wp], centre, scale)
      call check_close(scale*1e200_wp, sqrt(2.0_wp), 1e-15_wp, "scale of tiny values")
      call centre_and_scale([0.0_wp, 1e-300_wp], centre, scale)
      call check(same(scale, 0.0_wp), "what no division survives is constant")
   end subroutine test_extremes

   !> Of any values a number whose square is finite.

end program test_scaling
