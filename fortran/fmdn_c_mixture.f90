!> The boundary for mixtures (see fmdn_c), which cross as weights, means and precision factors
!> (fmdn_evaluate), and the ranges of their targets (fmdn_c_targets): n_ranges is n_targets, or zero
!> where no target has one.
module fmdn_c_mixture
   use, intrinsic :: iso_c_binding, only: c_double, c_int, c_int64_t
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_evaluate, only: kernel_covariance, marginal_factors
   use fmdn_kinds, only: ip, max_threads, wp
   use fmdn_modes, only: modes_within
   use fmdn_moments, only: moments_about, moments_within
   use fmdn_random, only: for_samples, random_stream, stream_of
   use fmdn_status, only: status_invalid_argument, status_ok
   use fmdn_targets, only: new_ranges, target_range
   use fmdn_within, only: cdf_within, log_density_within, quantiles_within, sample_within
   implicit none (type, external)
   private
   public :: fmdn_mixture_log_density, fmdn_mixture_cdf, fmdn_mixture_quantile, &
      fmdn_mixture_moments, fmdn_mixture_moments_about, fmdn_mixture_modes, fmdn_mixture_sample, &
      fmdn_mixture_marginal, fmdn_mixture_covariances

   !> What one thread takes at a time, and the least number of kernels at points worth more threads.
   integer(ip), parameter :: points_at_once = 4096, enough_for_threads = 50000

contains

   !> log p at n_points for each of n mixtures: the same points for all (n_sets = 1), or its own for
   !> each (n_sets = n).
   subroutine fmdn_mixture_log_density(n_targets, n_kernels, n, n_ranges, kinds, low, high, &
      weights, means, factors, n_points, n_sets, points, n_threads, log_p, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_targets, n_kernels, n, n_points, n_sets
      integer(c_int64_t), value :: n_ranges
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_targets, n_kernels, n)
      real(c_double), intent(in) :: factors(n_targets, n_targets, n_kernels, n)
      real(c_double), intent(in) :: points(n_targets, n_points, n_sets)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: log_p(n_points, n)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      type(kernel_set) :: kernels
      integer(ip) :: i, first, last

      status = status_invalid_argument
      if (n_kernels < 1 .or. n_targets < 1) return
      if (n_sets /= 1 .and. n_sets /= n) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      call gather_ranges(n_targets, kinds, low, high, ranges, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do collapse(2) num_threads(n_threads) default(none) private(last) &
      !$omp if (n*n_points*n_kernels >= enough_for_threads) &
      !$omp shared(kernels, ranges, n, n_points, n_sets, weights, means, factors, points, log_p)
      do i = 1, n
         do first = 1, n_points, points_at_once
            last = min(first + points_at_once - 1, n_points)
            call log_density_within(kernels, ranges, weights(:, i), means(:, :, i), &
               factors(:, :, :, i), points(:, first:last, min(i, n_sets)), log_p(first:last, i))
         end do
      end do
      !$omp end parallel do
      status = status_ok
   end subroutine fmdn_mixture_log_density

   !> Probability below (above: above) n_points for each of n one-dimensional mixtures; n_sets as
   !> above.
   subroutine fmdn_mixture_cdf(n_kernels, n, n_ranges, kinds, low, high, weights, means, &
      factors, n_points, n_sets, points, above, n_threads, p, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_kernels, n, n_points, n_sets
      integer(c_int64_t), value :: n_ranges
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_kernels, n)
      real(c_double), intent(in) :: factors(n_kernels, n)
      real(c_double), intent(in) :: points(n_points, n_sets)
      integer(c_int), value :: above, n_threads
      real(c_double), intent(inout) :: p(n_points, n)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      type(kernel_set) :: kernels
      integer(ip) :: i, first, last

      status = status_invalid_argument
      if (n_kernels < 1) return
      if (n_sets /= 1 .and. n_sets /= n) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      call gather_ranges(1_ip, kinds, low, high, ranges, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do collapse(2) num_threads(n_threads) default(none) private(last) &
      !$omp if (n*n_points*n_kernels >= enough_for_threads) &
      !$omp shared(kernels, ranges, n, n_points, n_sets, weights, means, factors, points, above, p)
      do i = 1, n
         do first = 1, n_points, points_at_once
            last = min(first + points_at_once - 1, n_points)
            call cdf_within(kernels, ranges(1), weights(:, i), means(:, i), factors(:, i), &
               points(first:last, min(i, n_sets)), above /= 0, p(first:last, i))
         end do
      end do
      !$omp end parallel do
      status = status_ok
   end subroutine fmdn_mixture_cdf

   !> Quantiles at n_points probabilities for each of n one-dimensional mixtures.
   subroutine fmdn_mixture_quantile(n_kernels, n, n_ranges, kinds, low, high, weights, means, &
      factors, n_points, probabilities, n_threads, quantiles, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_kernels, n, n_points
      integer(c_int64_t), value :: n_ranges
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_kernels, n)
      real(c_double), intent(in) :: factors(n_kernels, n)
      real(c_double), intent(in) :: probabilities(n_points)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: quantiles(n_points, n)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      type(kernel_set) :: kernels
      integer(ip), parameter :: at_once = 64
      integer(ip) :: i, first, last

      status = status_invalid_argument
      if (n_kernels < 1) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      call gather_ranges(1_ip, kinds, low, high, ranges, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do collapse(2) num_threads(n_threads) default(none) private(last) &
      !$omp if (n*n_points*n_kernels >= enough_for_threads/10) &
      !$omp shared(kernels, ranges, n, n_points, weights, means, factors, probabilities, quantiles)
      do i = 1, n
         do first = 1, n_points, at_once
            last = min(first + at_once - 1, n_points)
            call quantiles_within(kernels, ranges(1), weights(:, i), means(:, i), factors(:, i), &
               probabilities(first:last), 1 - probabilities(first:last), quantiles(first:last, i))
         end do
      end do
      !$omp end parallel do
      status = status_ok
   end subroutine fmdn_mixture_quantile

   !> Mean and covariance of each of n mixtures.
   subroutine fmdn_mixture_moments(n_targets, n_kernels, n, n_ranges, kinds, low, high, &
      weights, means, factors, mean, covariance, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_targets, n_kernels, n
      integer(c_int64_t), value :: n_ranges
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_targets, n_kernels, n)
      real(c_double), intent(in) :: factors(n_targets, n_targets, n_kernels, n)
      real(c_double), intent(inout) :: mean(n_targets, n), covariance(n_targets, n_targets, n)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      integer(ip) :: i

      status = status_invalid_argument
      if (n_kernels < 1 .or. n_targets < 1) return
      call gather_ranges(n_targets, kinds, low, high, ranges, status)
      if (status /= status_ok) return
      do i = 1, n
         call moments_within(ranges, weights(:, i), means(:, :, i), factors(:, :, :, i), &
            mean(:, i), covariance(:, :, i))
      end do
      status = status_ok
   end subroutine fmdn_mixture_moments

   !> The mean of ((target - centre)/scale)**order, for each target of each of n mixtures.
   subroutine fmdn_mixture_moments_about(n_targets, n_kernels, n, n_ranges, kinds, low, high, &
      weights, means, factors, order, centre, scale, moments, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_targets, n_kernels, n
      integer(c_int64_t), value :: n_ranges
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_targets, n_kernels, n)
      real(c_double), intent(in) :: factors(n_targets, n_targets, n_kernels, n)
      integer(c_int), value :: order
      real(c_double), intent(in) :: centre(n_targets, n), scale(n_targets, n)
      real(c_double), intent(inout) :: moments(n_targets, n)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      integer(ip) :: i

      status = status_invalid_argument
      if (n_kernels < 1 .or. n_targets < 1 .or. order < 0) return
      if (any(scale <= 0)) return
      call gather_ranges(n_targets, kinds, low, high, ranges, status)
      if (status /= status_ok) return
      do i = 1, n
         call moments_about(ranges, weights(:, i), means(:, :, i), factors(:, :, :, i), order, &
            centre(:, i), scale(:, i), moments(:, i))
      end do
      status = status_ok
   end subroutine fmdn_mixture_moments_about

   !> Up to n_modes modes of each of n mixtures, highest first, and log p there: -huge where there
   !> are no more.
   subroutine fmdn_mixture_modes(n_targets, n_kernels, n, n_ranges, kinds, low, high, weights, &
      means, factors, n_modes, n_threads, modes, heights, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_targets, n_kernels, n, n_modes
      integer(c_int64_t), value :: n_ranges
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_targets, n_kernels, n)
      real(c_double), intent(in) :: factors(n_targets, n_targets, n_kernels, n)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: modes(n_targets, n_modes, n), heights(n_modes, n)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      type(kernel_set) :: kernels
      integer(ip) :: i
      integer :: found

      status = status_invalid_argument
      if (n_kernels < 1 .or. n_targets < 1 .or. n_modes < 1) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      call gather_ranges(n_targets, kinds, low, high, ranges, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) private(found) &
      !$omp schedule(dynamic) if (n > 1) &
      !$omp shared(kernels, ranges, n, weights, means, factors, modes, heights)
      do i = 1, n
         call modes_within(kernels, ranges, weights(:, i), means(:, :, i), factors(:, :, :, i), &
            modes(:, :, i), heights(:, i), found)
         heights(found + 1:, i) = -huge(heights)
      end do
      !$omp end parallel do
      status = status_ok
   end subroutine fmdn_mixture_modes

   !> n_samples samples of each of n mixtures; sample j of mixture i depends on (seed, i, j) alone.
   subroutine fmdn_mixture_sample(n_targets, n_kernels, n, n_ranges, kinds, low, high, &
      weights, means, factors, seed, n_samples, samples, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_targets, n_kernels, n, seed, n_samples
      integer(c_int64_t), value :: n_ranges
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_targets, n_kernels, n)
      real(c_double), intent(in) :: factors(n_targets, n_targets, n_kernels, n)
      real(c_double), intent(inout) :: samples(n_targets, n_samples, n)
      integer(c_int), intent(out) :: status
      type(target_range), allocatable :: ranges(:)
      type(kernel_set) :: kernels
      type(random_stream) :: stream
      integer(ip) :: i, j

      status = status_invalid_argument
      if (n_kernels < 1 .or. n_targets < 1) return
      call gather_ranges(n_targets, kinds, low, high, ranges, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      do i = 1, n
         stream = stream_of(seed, int(i), for_samples)
         do j = 1, n_samples
            call sample_within(kernels, ranges, weights(:, i), means(:, :, i), &
               factors(:, :, :, i), stream, j - 1, samples(:, j, i))
         end do
      end do
      status = status_ok
   end subroutine fmdn_mixture_sample

   !> The ranges as the core takes them; none given: all free.
   pure subroutine gather_ranges(n_targets, kinds, low, high, ranges, status)
      integer(ip), intent(in) :: n_targets
      integer, intent(in) :: kinds(:)
      real(wp), intent(in) :: low(:), high(:)
      type(target_range), allocatable, intent(out) :: ranges(:)
      integer, intent(out) :: status

      if (size(kinds) == 0) then
         allocate (ranges(n_targets))
         status = status_ok
      else
         call new_ranges(kinds, low, high, ranges, status)
         if (size(kinds) /= n_targets) status = status_invalid_argument
      end if
   end subroutine gather_ranges

   !> One target of each of n mixtures, counted from 1, by itself: its kernels' means and 1/sd. The
   !> weights are those of the mixtures.
   subroutine fmdn_mixture_marginal(n_targets, n_kernels, n, means, factors, target, &
      marginal_means, precisions, status) bind(C)
      integer(c_int64_t), value :: n_targets, n_kernels, n
      real(c_double), intent(in) :: means(n_targets, n_kernels, n)
      real(c_double), intent(in) :: factors(n_targets, n_targets, n_kernels, n)
      integer(c_int), value :: target
      real(c_double), intent(inout) :: marginal_means(n_kernels, n)
      real(c_double), intent(inout) :: precisions(n_kernels, n)
      integer(c_int), intent(out) :: status
      integer(ip) :: i

      status = status_invalid_argument
      if (target < 1 .or. target > n_targets) return
      do i = 1, n
         marginal_means(:, i) = means(target, :, i)
         precisions(:, i) = marginal_factors(factors(:, :, :, i), target)
      end do
      status = status_ok
   end subroutine fmdn_mixture_marginal

   !> The covariance of each kernel of n mixtures.
   subroutine fmdn_mixture_covariances(n_targets, n_kernels, n, factors, covariances, status) &
      bind(C)
      integer(c_int64_t), value :: n_targets, n_kernels, n
      real(c_double), intent(in) :: factors(n_targets, n_targets, n_kernels, n)
      real(c_double), intent(inout) :: covariances(n_targets, n_targets, n_kernels, n)
      integer(c_int), intent(out) :: status
      integer(ip) :: i, k

      do i = 1, n
         do k = 1, n_kernels
            covariances(:, :, k, i) = kernel_covariance(factors(:, :, k, i))
         end do
      end do
      status = status_ok
   end subroutine fmdn_mixture_covariances

end module fmdn_c_mixture
