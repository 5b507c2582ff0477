!> Densities that integrate to one, distribution functions that are their integrals, quantiles that
!> are the inverse, moments, and samples that have them.
program test_evaluate
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_evaluate, only: marginal_factors, mixture_cdf, mixture_log_density, mixture_moments, &
      mixture_quantile, mixture_sample
   use fmdn_examples, only: same
   use fmdn_kinds, only: ip, log_two_pi, pi, wp
   use fmdn_mixture, only: precision_factor
   use fmdn_random, only: for_samples, stream_of
   implicit none (type, external)

   !> One target: narrow and wide kernels, overlapping and far apart, one with hardly a weight.
   real(wp), parameter :: weights(5) = [0.5_wp, 0.25_wp, 0.15_wp, 0.1_wp - 1e-9_wp, 1e-9_wp]
   real(wp), parameter :: means(5) = [0.0_wp, 0.4_wp, -3.0_wp, 8.0_wp, 40.0_wp]
   real(wp), parameter :: sds(5) = [1.0_wp, 0.1_wp, 2.0_wp, 0.01_wp, 3.0_wp]

   type(kernel_set) :: kernels

   kernels = processor_kernels()
   call test_density()
   call test_cdf()
   call test_quantile()
   call test_extreme_quantiles()
   call test_hard_quantiles()
   call test_moments()
   call test_two_targets()
   call test_samples()
   call finish()

contains

   !> At one point.
   function log_density(weights, means, factors, x) result(log_p)
      real(wp), intent(in), contiguous :: weights(:), means(:, :), factors(:, :, :), x(:)
      real(wp) :: log_p, one(1), point(size(x), 1)

      point(:, 1) = x
      call mixture_log_density(kernels, weights, means, factors, point, one)
      log_p = one(1)
   end function log_density

   function cdf(weights, means, factors, x, above) result(p)
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      real(wp), intent(in) :: x
      logical, intent(in) :: above
      real(wp) :: p, one(1)

      call mixture_cdf(kernels, weights, means, factors, [x], above, one)
      p = one(1)
   end function cdf

   function factors_1d() result(factors)
      real(wp) :: factors(1, 1, size(sds))

      factors(1, 1, :) = 1/sds
   end function factors_1d

   pure function density(x) result(p)
      real(wp), intent(in) :: x
      real(wp) :: p

      p = sum(weights/(sds*sqrt(2*pi))*exp(-0.5_wp*((x - means)/sds)**2))
   end function density

   pure function slope(x) result(derivative)
      real(wp), intent(in) :: x
      real(wp) :: derivative

      derivative = sum(-(x - means)/sds**2*weights/(sds*sqrt(2*pi)) &
         *exp(-0.5_wp*((x - means)/sds)**2))
   end function slope

   subroutine test_density()
      real(wp) :: x
      integer :: i

      do i = -20, 60, 4
         x = i + 0.3_wp
         if (density(x) < 1e-280_wp) cycle
         call check_close(log_density(weights, reshape(means, [1, 5]), factors_1d(), [x]), &
            log(density(x)), 1e-13_wp*max(1.0_wp, abs(log(density(x)))), "log density")
      end do
      ! Where every exponential is zero the log density still is that of the nearest kernel, here
      ! the one with the widest tail.
      call check_close(log_density(weights, reshape(means, [1, 5]), factors_1d(), &
         [1e3_wp]), log(1e-9_wp) - 0.5_wp*log_two_pi - log(3.0_wp) - 0.5_wp*320.0_wp**2, 1e-8_wp, &
         "log density far out")
   end subroutine test_density

   !> The integral of the density from where it vanishes, by the trapezoidal rule with the first
   !> Euler-Maclaurin term, on a grid far finer than the kernels.
   subroutine test_cdf()
      real(wp), parameter :: step = 1e-3_wp
      real(wp) :: total, x, below, above
      integer :: i

      total = 0
      do i = -20000, 70000
         x = i*step
         if (modulo(i, 5000) == 0) then
            below = cdf(weights, means, 1/sds, x, .false.)
            above = cdf(weights, means, 1/sds, x, .true.)
            call check_close(below, (total + 0.5_wp*density(x))*step - slope(x)*step**2/12, &
               1e-12_wp, "cdf")
            call check_close(below + above, 1.0_wp, 1e-15_wp, "below and above")
         end if
         total = total + density(x)
      end do
      call check_close(total*step, 1.0_wp, 1e-12_wp, "the density integrates to one")
      call check_close(cdf([1.0_wp], [0.0_wp], [1.0_wp], -30.0_wp, .false.) &
         /4.906713927148187e-198_wp, 1.0_wp, 1e-12_wp, "a tail to full relative accuracy")
      call check_close(cdf([1.0_wp], [0.0_wp], [1.0_wp], 30.0_wp, .true.) &
         /4.906713927148187e-198_wp, 1.0_wp, 1e-12_wp, "and the other tail")
   end subroutine test_cdf

   !> Inverse in both directions, to 1e-12.
   subroutine test_quantile()
      real(wp) :: q, x
      integer :: i

      do i = 1, 999
         q = i/1000.0_wp
         x = mixture_quantile(kernels, weights, means, 1/sds, q)
         call check_close(cdf(weights, means, 1/sds, x, .false.), q, 1e-12_wp, &
            "cdf of a quantile")
      end do
      do i = -60, 60
         x = 0.05_wp*i
         q = cdf(weights, means, 1/sds, x, .false.)
         call check_close(mixture_quantile(kernels, weights, means, 1/sds, q), x, 1e-12_wp, &
            "quantile of a probability")
      end do
      call check_close(mixture_quantile(kernels, [1.0_wp], [3.0_wp], [0.5_wp], 0.975_wp), &
         3 + 2*1.959963984540054_wp, 1e-13_wp, "quantile of one kernel")
      x = mixture_quantile(kernels, weights, means, 1/sds, 0.0_wp)
      call check(same(x, -huge(x)), "q = 0")
      x = mixture_quantile(kernels, weights, means, 1/sds, 1.0_wp)
      call check(same(x, huge(x)), "q = 1")
   end subroutine test_quantile

   !> Tails of any smallness, to 1e-12 of the probability.
   subroutine test_extreme_quantiles()
      real(wp) :: q, x
      integer :: i

      do i = 1, 300, 13
         q = 10.0_wp**(-i)
         x = mixture_quantile(kernels, weights, means, 1/sds, q)
         call check_close(cdf(weights, means, 1/sds, x, .false.)/q, 1.0_wp, 1e-11_wp, &
            "lower tail")
      end do
      do i = 1, 15
         q = 1 - 10.0_wp**(-i)
         x = mixture_quantile(kernels, weights, means, 1/sds, q)
         call check_close(cdf(weights, means, 1/sds, x, .true.)/(1 - q), 1.0_wp, &
            1e-11_wp, "upper tail")
      end do
      x = mixture_quantile(kernels, [1.0_wp], [0.0_wp], [1.0_wp], 1e-300_wp)
      call check_close(x, -37.0471_wp, 1e-4_wp, "quantile of 1e-300")
   end subroutine test_extreme_quantiles

   !> Plateaus between kernels that are narrow and far apart, kernels without weight, and scales
   !> from 1e-150 to 1e150.
   subroutine test_hard_quantiles()
      real(wp), parameter :: w(3) = [0.3_wp, 0.0_wp, 0.7_wp]
      real(wp), parameter :: mean(3) = [-1e6_wp, 0.0_wp, 1e6_wp]
      real(wp), parameter :: precision(3) = [1e3_wp, 1.0_wp, 1e2_wp]
      real(wp), parameter :: qs(7) = [1e-9_wp, 0.1_wp, 0.29999_wp, 0.3_wp, 0.30001_wp, 0.9_wp, &
         0.999999_wp]
      real(wp) :: x
      integer :: i, j

      do i = 1, size(qs)
         do j = -150, 150, 50
            associate (unit => 10.0_wp**j)
               x = mixture_quantile(kernels, w, unit*mean, precision/unit, qs(i))
               ! A unit in the last place of x changes the probability by precision*epsilon*|x|.
               call check_close(cdf(w, unit*mean, precision/unit, x, .false.), qs(i), &
                  1e3_wp*1e6_wp*epsilon(1.0_wp), "quantile of kernels far apart")
            end associate
         end do
      end do
   end subroutine test_hard_quantiles

   subroutine test_moments()
      real(wp) :: mean(1), variance(1, 1)

      call mixture_moments(weights, reshape(means, [1, 5]), factors_1d(), mean, variance)
      call check_close(mean(1), sum(weights*means), 1e-14_wp, "mean")
      call check_close(variance(1, 1), sum(weights*(sds**2 + means**2)) - sum(weights*means)**2, &
         1e-13_wp, "variance")
   end subroutine test_moments

   !> Two correlated targets, by integration over a grid.
   subroutine test_two_targets()
      real(wp), parameter :: step = 0.05_wp, two_weights(2) = [0.3_wp, 0.7_wp]
      real(wp) :: covariances(2, 2, 2), two_means(2, 2), factors(2, 2, 2)
      real(wp) :: mean(2), covariance(2, 2), x(2), p, sums(0:5)
      integer :: i, j, k

      call example_2d(two_means, covariances, factors)
      sums = 0
      do i = -240, 240
         do j = -240, 240
            x = [i, j]*step
            p = exp(log_density(two_weights, two_means, factors, x))*step**2
            sums = sums + p*[1.0_wp, x(1), x(2), x(1)**2, x(1)*x(2), x(2)**2]
         end do
      end do
      call check_close(sums(0), 1.0_wp, 1e-11_wp, "the density integrates to one, 2-D")
      call mixture_moments(two_weights, two_means, factors, mean, covariance)
      call check_close(mean, sums(1:2), 1e-10_wp, "mean, 2-D")
      call check_close([covariance(1, 1), covariance(1, 2), covariance(2, 1), covariance(2, 2)], &
         [sums(3) - sums(1)**2, sums(4) - sums(1)*sums(2), sums(4) - sums(1)*sums(2), &
         sums(5) - sums(2)**2], 1e-10_wp, "covariance, 2-D")
      do k = 1, 2
         call check_close(marginal_factors(factors, k), 1/sqrt(covariances(k, k, :)), 1e-13_wp, &
            "1/sd of one target")
      end do
   end subroutine test_two_targets

   subroutine example_2d(two_means, covariances, factors)
      real(wp), intent(out) :: two_means(2, 2), covariances(2, 2, 2), factors(2, 2, 2)
      integer :: k

      two_means = reshape([1.0_wp, -1.0_wp, -1.0_wp, 2.0_wp], [2, 2])
      covariances = reshape([1.0_wp, 0.9_wp, 0.9_wp, 1.0_wp, 0.25_wp, -0.3_wp, -0.3_wp, 1.0_wp], &
         [2, 2, 2])
      do k = 1, 2
         factors(:, :, k) = precision_factor(covariances(:, :, k))
      end do
   end subroutine example_2d

   !> Samples: each kernel's share, uniform probabilities (Kolmogorov), and in 2-D the covariances;
   !> five standard errors, or a chance of 1e-6.
   subroutine test_samples()
      integer, parameter :: n = 20000
      real(wp) :: x(1, n), y(2, n), sorted(n), again(2), one(2), mean(2), covariance(2, 2)
      real(wp) :: two_means(2, 2), covariances(2, 2, 2), factors(2, 2, 2), fourth
      real(wp), parameter :: two_weights(2) = [0.3_wp, 0.7_wp]
      integer :: i, j
      integer(ip) :: s

      do s = 1, n
         call mixture_sample(weights, reshape(means, [1, 5]), factors_1d(), &
            stream_of(1_ip, 1, for_samples), s - 1, x(:, s))
      end do
      call check_close(count(abs(x(1, :) - 8) < 0.1_wp)/real(n, wp), 0.1_wp, &
         5*sqrt(0.09_wp/n), "share of a kernel")
      sorted = [(cdf(weights, means, 1/sds, x(1, i), .false.), i=1, n)]
      call sort(sorted)
      associate (grid => [(i/real(n, wp), i=1, n)])
         ! P(D sqrt(n) > 2.7) = 2 exp(-2*2.7**2) = 9e-7
         call check(max(maxval(grid - sorted), maxval(sorted - grid + 1.0_wp/n)) &
            < 2.7_wp/sqrt(real(n, wp)), "probabilities of samples are uniform")
      end associate

      call example_2d(two_means, covariances, factors)
      do s = 1, n
         call mixture_sample(two_weights, two_means, factors, stream_of(2_ip, 1, for_samples), &
            s - 1, y(:, s))
      end do
      call mixture_moments(two_weights, two_means, factors, mean, covariance)
      do i = 1, 2
         call check_close(sum(y(i, :))/n, mean(i), 5*sqrt(covariance(i, i)/n), "mean of samples")
         do j = 1, i
            associate (products => (y(i, :) - mean(i))*(y(j, :) - mean(j)))
               fourth = sum((products - covariance(i, j))**2)/n
               call check_close(sum(products)/n, covariance(i, j), 5*sqrt(fourth/n), &
                  "covariance of samples")
            end associate
         end do
      end do
      associate (first_kernel => pack([(i, i=1, n)], [((y(2, i) < 0.5_wp &
            .and. y(1, i) > 0.8_wp), i=1, n)]))
         call check(size(first_kernel) > 1000, "the first kernel is among the samples")
      end associate

      ! No number of the stream is used twice: how far a sample is from its kernel says nothing of
      ! the kernel of the next one.
      do s = 1, n
         call mixture_sample([0.5_wp, 0.5_wp], reshape([-100.0_wp, 100.0_wp], [1, 2]), &
            reshape([1.0_wp, 1.0_wp], [1, 1, 2]), stream_of(1_ip, 1, for_samples), s - 1, x(:, s))
      end do
      associate (distance => abs(abs(x(1, :n - 1)) - 100), side => sign(1.0_wp, x(1, 2:)))
         call check_close(sum((distance - sqrt(2/pi))*side)/n, 0.0_wp, &
            5*sqrt((1 - 2/pi)/n), "samples are independent")
      end associate

      ! A sample depends on its number alone.
      call mixture_sample(two_weights, two_means, factors, stream_of(2_ip, 1, for_samples), &
         777_ip, again)
      call check(all(same(again, y(:, 778))), "sample 777 by itself")
      call mixture_sample(two_weights, two_means, factors, stream_of(3_ip, 1, for_samples), &
         777_ip, one)
      call check(.not. any(same(again, one)), "another seed, another sample")
   end subroutine test_samples

   !> Heapsort.
   pure subroutine sort(x)
      real(wp), intent(inout) :: x(:)
      real(wp) :: keep
      integer :: i

      do i = size(x)/2, 1, -1
         call sift(x, i)
      end do
      do i = size(x), 2, -1
         keep = x(1)
         x(1) = x(i)
         x(i) = keep
         call sift(x(:i - 1), 1)
      end do
   end subroutine sort

   pure subroutine sift(x, start)
      real(wp), intent(inout) :: x(:)
      integer, intent(in) :: start
      real(wp) :: keep
      integer :: parent, child

      parent = start
      keep = x(parent)
      do while (2*parent <= size(x))
         child = 2*parent
         if (child < size(x)) then
            if (x(child + 1) > x(child)) child = child + 1
         end if
         if (x(child) <= keep) exit
         x(parent) = x(child)
         parent = child
      end do
      x(parent) = keep
   end subroutine sift
end program test_evaluate
