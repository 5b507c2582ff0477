!> The density of wrapped kernels against the sum of their images, one by one: narrow and wide ones,
!> of one target and of two.
program test_wrapped
   use fmdn_check, only: check_close, finish
   use fmdn_dispatch, only: processor_kernels
   use fmdn_kinds, only: log_two_pi, wp
   use fmdn_targets, only: periodic, target_range
   use fmdn_wrapped, only: log_density_wrapped
   implicit none (type, external)
   type(target_range), parameter :: circle = target_range(periodic, -1.0_wp, 3.0_wp)
   real(wp), parameter :: period = 4, weights(3) = [0.5_wp, 0.2_wp, 0.3_wp]
   real(wp), parameter :: means(2, 3) = reshape([-2.51_wp, 0.03_wp, 2.93_wp, 7.01_wp, 0.11_wp, &
      1.03_wp], [2, 3])
   integer, parameter :: n = 300

   call test_one_target([0.3_wp, 0.1_wp, 0.02_wp], "narrow")
   call test_one_target([0.3_wp, 2.0_wp, 0.01_wp], "wide and narrow")
   call test_two_targets()
   call finish()

contains

   subroutine test_one_target(sds, name)
      real(wp), intent(in) :: sds(3)
      character(*), intent(in) :: name
      real(wp) :: y(1, n), log_p(n), expected(n), away
      integer :: image, k, t

      expected = 0
      do t = 1, n
         y(1, t) = circle%low + period*(t - 0.5_wp)/n
         do k = 1, 3
            do image = -5, 5
               away = y(1, t) - means(1, k) + image*period
               if (abs(away) < 1.5_wp*period) expected(t) = expected(t) + weights(k)/sds(k) &
                  *exp(-0.5_wp*((away/sds(k))**2 + log_two_pi))
            end do
         end do
      end do
      call log_density_wrapped(processor_kernels(), [circle], weights, means(:1, :), &
         reshape(1/sds, [1, 1, 3]), spread(0.0_wp, 1, 3), y, log_p)
      where (expected > 1.0e-250_wp) ! what is not lost to underflow here
         log_p = log_p - log(expected)
      else where
         log_p = 0
      end where
      call check_close(log_p, spread(0.0_wp, 1, n), 1.0e-11_wp, name)
   end subroutine test_one_target

   !> Independent ones: each target's images by themselves.
   subroutine test_two_targets()
      real(wp), parameter :: sds(2) = [0.4_wp, 1.5_wp]
      real(wp) :: y(2, n), log_p(n), factors(2, 2, 3), one(2), expected(n), away
      integer :: i, image, k, t

      factors = 0
      factors(1, 1, :) = 1/sds(1)
      factors(2, 2, :) = 1/sds(2)
      expected = 0
      do t = 1, n
         y(:, t) = circle%low + period*[t - 0.5_wp, modulo(7*t, n) + 0.1_wp]/n
         do k = 1, 3
            one = 0
            do i = 1, 2
               do image = -5, 5
                  away = y(i, t) - means(i, k) + image*period
                  if (abs(away) < 1.5_wp*period) one(i) = one(i) &
                     + exp(-0.5_wp*((away/sds(i))**2 + log_two_pi))/sds(i)
               end do
            end do
            expected(t) = expected(t) + weights(k)*product(one)
         end do
      end do
      call log_density_wrapped(processor_kernels(), [circle, circle], weights, means, factors, &
         spread(0.0_wp, 1, 3), y, log_p)
      call check_close(log_p, log(expected), 1.0e-11_wp, "two targets")
   end subroutine test_two_targets

end program test_wrapped
