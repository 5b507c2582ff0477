!> The boundary for recalibrated posteriors of one target (fmdn_recalibration, see fmdn_c). A map
!> crosses as its knots: normal scores of the networks' posteriors, and what they become.
module fmdn_c_recalibration
   use, intrinsic :: iso_c_binding, only: c_double, c_int, c_int64_t
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_kinds, only: ip, max_threads, wp
   use fmdn_recalibration, only: new_score_map, recalibrated_cdf, recalibrated_log_density, &
      recalibrated_moments, recalibrated_quantile, recalibrated_sample, score_map, &
      set_recalibration
   use fmdn_random, only: for_samples, stream_of
   use fmdn_status, only: status_invalid_argument, status_ok
   use fmdn_targets, only: new_ranges, target_range
   implicit none (type, external)
   private
   public :: fmdn_change_recalibration, fmdn_map_scores, fmdn_recalibrated_log_density, &
      fmdn_recalibrated_cdf, fmdn_recalibrated_quantile, fmdn_recalibrated_moments, &
      fmdn_recalibrated_sample

contains

   !> A committee with another map (with none: no knot, or one that changes nothing), into arrays
   !> that have room for one block more: n_layout + 7 and n_parameters + 2 n_knots; `sizes`: the
   !> lengths used.
   subroutine fmdn_change_recalibration(n_layout, layout, n_parameters, parameters, n_knots, &
      scores, normal, n_longer, longer, n_more, more, sizes, status) bind(C)
      integer(c_int64_t), value :: n_layout, n_parameters, n_knots, n_longer, n_more
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      real(c_double), intent(in) :: scores(n_knots), normal(n_knots)
      integer(c_int64_t), intent(inout) :: longer(n_longer)
      real(c_double), intent(inout) :: more(n_more)
      integer(c_int64_t), intent(inout) :: sizes(2)
      integer(c_int), intent(out) :: status
      integer(ip), allocatable :: new_layout(:)
      real(wp), allocatable :: new_parameters(:)
      type(committee_view) :: view

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      new_layout = layout
      new_parameters = parameters
      call set_recalibration(scores, normal, new_layout, new_parameters, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      sizes = [size(new_layout, kind=ip), size(new_parameters, kind=ip)]
      if (sizes(1) > n_longer .or. sizes(2) > n_more) return
      longer(:sizes(1)) = new_layout
      more(:sizes(2)) = new_parameters
      status = status_ok
   end subroutine fmdn_change_recalibration

   !> The map itself: g(z) and g'(z); or the other way (back /= 0): z with g(z) given in `g`.
   subroutine fmdn_map_scores(n_knots, scores, normal, back, n, z, g, slopes, status) bind(C)
      integer(c_int64_t), value :: n_knots, n
      real(c_double), intent(in) :: scores(n_knots), normal(n_knots)
      integer(c_int), value :: back
      real(c_double), intent(inout) :: z(n), g(n), slopes(n)
      integer(c_int), intent(out) :: status
      type(score_map) :: map

      call new_score_map(scores, normal, map, status)
      if (status /= status_ok) return
      if (back /= 0) z = map%inverse(g)
      g = map%value(z)
      slopes = map%slope(z)
   end subroutine fmdn_map_scores

   !> log p at n_points for each of n mixtures: the same points for all (n_sets = 1), or its own for
   !> each (n_sets = n).
   subroutine fmdn_recalibrated_log_density(n_knots, scores, normal, n_kernels, n, n_ranges, &
      kinds, low, high, weights, means, factors, n_points, n_sets, points, n_threads, log_p, &
      status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_knots, n_kernels, n, n_points, n_sets, n_ranges
      real(c_double), intent(in) :: scores(n_knots), normal(n_knots)
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_kernels, n)
      real(c_double), intent(in) :: factors(n_kernels, n), points(n_points, n_sets)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: log_p(n_points, n)
      integer(c_int), intent(out) :: status
      type(score_map) :: map
      type(target_range) :: range
      type(kernel_set) :: kernels
      integer(ip) :: i

      call gather(scores, normal, kinds, low, high, n_kernels, n, n_sets, n_threads, map, range, &
         status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) &
      !$omp shared(kernels, map, range, n, n_sets, weights, means, factors, points, log_p)
      do i = 1, n
         call recalibrated_log_density(kernels, map, range, weights(:, i), means(:, i), &
            factors(:, i), points(:, min(i, n_sets)), log_p(:, i))
      end do
      !$omp end parallel do
   end subroutine fmdn_recalibrated_log_density

   !> Probability below (above: above) n_points; n_sets as above.
   subroutine fmdn_recalibrated_cdf(n_knots, scores, normal, n_kernels, n, n_ranges, kinds, low, &
      high, weights, means, factors, n_points, n_sets, points, above, n_threads, p, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_knots, n_kernels, n, n_points, n_sets, n_ranges
      real(c_double), intent(in) :: scores(n_knots), normal(n_knots)
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_kernels, n)
      real(c_double), intent(in) :: factors(n_kernels, n), points(n_points, n_sets)
      integer(c_int), value :: above, n_threads
      real(c_double), intent(inout) :: p(n_points, n)
      integer(c_int), intent(out) :: status
      type(score_map) :: map
      type(target_range) :: range
      type(kernel_set) :: kernels
      integer(ip) :: i

      call gather(scores, normal, kinds, low, high, n_kernels, n, n_sets, n_threads, map, range, &
         status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) &
      !$omp shared(kernels, map, range, n, n_sets, weights, means, factors, points, above, p)
      do i = 1, n
         call recalibrated_cdf(kernels, map, range, weights(:, i), means(:, i), factors(:, i), &
            points(:, min(i, n_sets)), above /= 0, p(:, i))
      end do
      !$omp end parallel do
   end subroutine fmdn_recalibrated_cdf

   !> Quantiles at n_points probabilities; n_sets as above.
   subroutine fmdn_recalibrated_quantile(n_knots, scores, normal, n_kernels, n, n_ranges, kinds, &
      low, high, weights, means, factors, n_points, n_sets, probabilities, n_threads, quantiles, &
      status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_knots, n_kernels, n, n_points, n_sets, n_ranges
      real(c_double), intent(in) :: scores(n_knots), normal(n_knots)
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_kernels, n)
      real(c_double), intent(in) :: factors(n_kernels, n), probabilities(n_points, n_sets)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: quantiles(n_points, n)
      integer(c_int), intent(out) :: status
      type(score_map) :: map
      type(target_range) :: range
      type(kernel_set) :: kernels
      integer(ip) :: i, j

      call gather(scores, normal, kinds, low, high, n_kernels, n, n_sets, n_threads, map, range, &
         status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) private(j) &
      !$omp shared(kernels, map, range, n, n_sets, weights, means, factors, n_points) &
      !$omp shared(probabilities, quantiles)
      do i = 1, n
         do j = 1, n_points
            quantiles(j, i) = recalibrated_quantile(kernels, map, range, weights(:, i), &
               means(:, i), factors(:, i), probabilities(j, min(i, n_sets)))
         end do
      end do
      !$omp end parallel do
   end subroutine fmdn_recalibrated_quantile

   !> Mean and variance of each of n mixtures.
   subroutine fmdn_recalibrated_moments(n_knots, scores, normal, n_kernels, n, n_ranges, kinds, &
      low, high, weights, means, factors, n_threads, mean, variance, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_knots, n_kernels, n, n_ranges
      real(c_double), intent(in) :: scores(n_knots), normal(n_knots)
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_kernels, n)
      real(c_double), intent(in) :: factors(n_kernels, n)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: mean(n), variance(n)
      integer(c_int), intent(out) :: status
      type(score_map) :: map
      type(target_range) :: range
      type(kernel_set) :: kernels
      integer(ip) :: i

      call gather(scores, normal, kinds, low, high, n_kernels, n, 1_ip, n_threads, map, range, &
         status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) &
      !$omp shared(kernels, map, range, n, weights, means, factors, mean, variance)
      do i = 1, n
         call recalibrated_moments(kernels, map, range, weights(:, i), means(:, i), &
            factors(:, i), mean(i), variance(i))
      end do
      !$omp end parallel do
   end subroutine fmdn_recalibrated_moments

   !> n_samples samples of each of n mixtures; sample j of mixture i depends on (seed, i, j) alone.
   subroutine fmdn_recalibrated_sample(n_knots, scores, normal, n_kernels, n, n_ranges, kinds, &
      low, high, weights, means, factors, seed, n_samples, n_threads, samples, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_knots, n_kernels, n, n_ranges, seed, n_samples
      real(c_double), intent(in) :: scores(n_knots), normal(n_knots)
      integer(c_int), intent(in) :: kinds(n_ranges)
      real(c_double), intent(in) :: low(n_ranges), high(n_ranges)
      real(c_double), intent(in) :: weights(n_kernels, n), means(n_kernels, n)
      real(c_double), intent(in) :: factors(n_kernels, n)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: samples(n_samples, n)
      integer(c_int), intent(out) :: status
      type(score_map) :: map
      type(target_range) :: range
      type(kernel_set) :: kernels
      integer(ip) :: i, j

      call gather(scores, normal, kinds, low, high, n_kernels, n, 1_ip, n_threads, map, range, &
         status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) private(j) &
      !$omp shared(kernels, map, range, n, weights, means, factors, seed, n_samples, samples)
      do i = 1, n
         do j = 1, n_samples
            samples(j, i) = recalibrated_sample(kernels, map, range, weights(:, i), means(:, i), &
               factors(:, i), stream_of(seed, int(i), for_samples), j - 1)
         end do
      end do
      !$omp end parallel do
   end subroutine fmdn_recalibrated_sample

   !> Map and range as the core takes them; refuses what it cannot use.
   pure subroutine gather(scores, normal, kinds, low, high, n_kernels, n, n_sets, n_threads, map, &
      range, status)
      real(wp), intent(in) :: scores(:), normal(:)
      integer, intent(in) :: kinds(:)
      real(wp), intent(in) :: low(:), high(:)
      integer(ip), intent(in) :: n_kernels, n, n_sets
      integer, intent(in) :: n_threads
      type(score_map), intent(out) :: map
      type(target_range), intent(out) :: range
      integer, intent(out) :: status
      type(target_range), allocatable :: ranges(:)

      status = status_invalid_argument
      if (n_kernels < 1 .or. size(kinds) > 1) return
      if (n_sets /= 1 .and. n_sets /= n) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      call new_score_map(scores, normal, map, status)
      if (status /= status_ok .or. size(kinds) == 0) return
      call new_ranges(kinds, low, high, ranges, status)
      if (status == status_ok) range = ranges(1)
   end subroutine gather

end module fmdn_c_recalibration
