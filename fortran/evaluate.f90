!> Numbers about mixtures, in physical units: log density, distribution function, quantiles, moments
!> and samples. A mixture is its weights(k), means(c, k) and precision factors(c, c, k): upper
!> triangular, inverse(covariance) = transpose(U) U. Sizes are checked by the callers.
module fmdn_evaluate
   use, intrinsic :: iso_c_binding, only: c_int, c_int64_t
   use fmdn_dispatch, only: kernel_set
   use fmdn_kinds, only: ip, log_two_pi, wp
   use fmdn_random, only: fill_normal, random_stream, uniform
   implicit none (type, external)
   private
   public :: mixture_log_density, log_factors_of, mixture_cdf, mixture_quantile, mixture_moments, &
      mixture_sample, marginal_factors, inverse_factor, kernel_covariance

contains

   !> log p at points; with `log_masses` of kernels that are divided by their masses.
   pure subroutine mixture_log_density(kernels, weights, means, factors, points, log_p, log_masses)
      type(kernel_set), intent(in) :: kernels
      real(wp), intent(in), contiguous :: weights(:), means(:, :), factors(:, :, :)
      real(wp), intent(in), contiguous :: points(:, :) !! (n_targets, n)
      real(wp), intent(inout), contiguous :: log_p(:)
      real(wp), intent(in), optional :: log_masses(:)

      call kernels%log_density(size(means, 1, c_int), size(weights, kind=c_int), &
         size(points, 2, c_int64_t), log_factors_of(kernels, weights, factors, log_masses), means, &
         factors, points, log_p)
   end subroutine mixture_log_density

   !> What `kernels%log_density` takes of each kernel: the logarithm of its highest density, and of
   !> the diagonal of its factor.
   pure function log_factors_of(kernels, weights, factors, log_masses) result(logs)
      type(kernel_set), intent(in) :: kernels
      real(wp), intent(in) :: weights(:), factors(:, :, :)
      real(wp), intent(in), optional :: log_masses(:)
      real(wp) :: logs(size(weights), 0:size(factors, 1))
      integer :: i

      logs(:, 0) = max(weights, tiny(weights))
      do i = 1, size(factors, 1)
         logs(:, i) = factors(i, i, :)
      end do
      call kernels%log(size(logs, kind=c_int), logs)
      do i = 1, size(factors, 1)
         logs(:, 0) = logs(:, 0) + (logs(:, i) - 0.5_wp*log_two_pi)
      end do
      if (present(log_masses)) logs(:, 0) = logs(:, 0) - log_masses
   end function log_factors_of

   !> Probability of a value below each of the points, one target; of one above it with `above`.
   pure subroutine mixture_cdf(kernels, weights, means, factors, points, above, p)
      type(kernel_set), intent(in) :: kernels
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:), points(:)
      logical, intent(in) :: above
      real(wp), intent(inout), contiguous :: p(:)
      integer, parameter :: block = 128
      real(wp) :: density(block)
      integer(ip) :: first, last

      do first = 1, size(points, kind=ip), block
         last = min(first + block - 1, size(points, kind=ip))
         call kernels%tail(size(weights, kind=c_int), last - first + 1, weights, means, factors, &
            merge(1.0_wp, -1.0_wp, above), points(first:last), p(first:last), density)
      end do
   end subroutine mixture_cdf

   !> The value below which the probability is q, one target: Newton steps for the logarithm of the
   !> nearer tail, which is nearly a parabola far out, inside a bracket that shrinks. q <= 0 and
   !> q >= 1 give minus and plus `huge`. `above` is 1 - q, if it has digits of its own.
   pure function mixture_quantile(kernels, weights, means, factors, q, above) result(x)
      type(kernel_set), intent(in) :: kernels
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      real(wp), intent(in) :: q
      real(wp), intent(in), optional :: above
      real(wp) :: x
      integer, parameter :: max_steps = 200
      real(wp) :: low, high, p(1), slope(1), tail, step, newton, steps_before(2), resolution, rest
      logical :: upper
      integer :: i

      x = -huge(x)
      if (q <= 0) return
      x = huge(x)
      rest = 1 - q
      if (present(above)) rest = above
      if (rest <= 0) return
      ! Phi(-z) <= exp(-z**2/2) bounds every kernel's own quantile, and so the mixture's.
      low = minval(means - sqrt(-2*log(q))/factors)
      high = maxval(means + sqrt(-2*log(rest))/factors)
      upper = q > 0.5_wp
      tail = merge(rest, q, upper)
      x = min(max(sum(weights*means), low), high)
      steps_before = high - low
      do i = 1, max_steps
         call kernels%tail(size(weights, kind=c_int), 1_c_int64_t, weights, means, factors, &
            merge(1.0_wp, -1.0_wp, upper), [x], p, slope)
         if ((p(1) > tail) .neqv. upper) then
            high = x
         else
            low = x
         end if
         resolution = epsilon(x)*abs(x)
         if (abs(p(1) - tail) <= 4*epsilon(q)*tail .or. high - low <= 2*resolution) exit
         step = 0.5_wp*(low + high) - x
         newton = p(1)*log(max(p(1), tiny(p))/tail)
         if (slope(1)*(high - low) > abs(newton)) then
            newton = sign(max(abs(newton/slope(1)), resolution), merge(newton, -newton, upper))
            ! Newton may cycle, or creep where a kernel is narrow: then halve the bracket.
            if (x + newton > low .and. x + newton < high .and. &
               abs(newton) < 0.5_wp*steps_before(2)) step = newton
         end if
         steps_before = [abs(step), steps_before(1)]
         x = x + step
      end do
   end function mixture_quantile

   !> Mean and covariance.
   pure subroutine mixture_moments(weights, means, factors, mean, covariance)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :)
      real(wp), intent(out) :: mean(:), covariance(:, :)
      real(wp) :: within(size(mean), size(mean))
      integer :: i, j, k

      mean = matmul(means, weights)
      covariance = 0
      do k = 1, size(weights)
         within = kernel_covariance(factors(:, :, k))
         do j = 1, size(mean)
            do i = 1, size(mean)
               covariance(i, j) = covariance(i, j) + weights(k)*(within(i, j) &
                  + (means(i, k) - mean(i))*(means(j, k) - mean(j)))
            end do
         end do
      end do
   end subroutine mixture_moments

   !> The covariance whose precision factor is u.
   pure function kernel_covariance(u) result(covariance)
      real(wp), intent(in) :: u(:, :)
      real(wp) :: covariance(size(u, 1), size(u, 1)), inverse(size(u, 1), size(u, 1))
      integer :: i, j

      inverse = inverse_factor(u)
      do j = 1, size(u, 1)
         do i = 1, size(u, 1)
            covariance(i, j) = sum(inverse(i, :)*inverse(j, :))
         end do
      end do
   end function kernel_covariance

   !> 1/sd of one target in each kernel.
   pure function marginal_factors(factors, target) result(precision)
      real(wp), intent(in) :: factors(:, :, :)
      integer, intent(in) :: target
      real(wp) :: precision(size(factors, 3))
      real(wp) :: inverse(size(factors, 1), size(factors, 1))
      integer :: k

      precision = factors(1, 1, :)
      if (size(factors, 1) == 1) return ! to the last bit
      do k = 1, size(factors, 3)
         inverse = inverse_factor(factors(:, :, k))
         precision(k) = 1/norm2(inverse(target, :))
      end do
   end function marginal_factors

   !> Inverse of an upper triangular matrix.
   pure function inverse_factor(u) result(r)
      real(wp), intent(in) :: u(:, :)
      real(wp) :: r(size(u, 1), size(u, 1))
      integer :: i, j

      r = 0
      do j = 1, size(u, 1)
         r(j, j) = 1/u(j, j)
         do i = j - 1, 1, -1
            r(i, j) = -sum(u(i, i + 1:j)*r(i + 1:j, j))/u(i, i)
         end do
      end do
   end function inverse_factor

   !> Sample number `index` (from 0) of a stream: a kernel by its weight, then U (x - mean) = z.
   pure subroutine mixture_sample(weights, means, factors, stream, index, x, kernel)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :)
      type(random_stream), intent(in) :: stream
      integer(ip), intent(in) :: index
      real(wp), intent(out) :: x(:)
      integer, intent(out), optional :: kernel !! that it comes from
      real(wp) :: z(size(x)), remaining
      integer(ip) :: pairs
      integer :: i, k

      ! Each sample owns a run of pairs of the stream: the first for the kernel, the rest for z.
      pairs = index*(1 + (size(x) + 1)/2)
      remaining = uniform(stream, 2*pairs)*sum(weights)
      do k = 1, size(weights) - 1
         remaining = remaining - weights(k)
         if (remaining < 0) exit
      end do
      if (present(kernel)) kernel = k
      call fill_normal(stream, pairs + 1, z)
      do i = size(x), 1, -1
         x(i) = means(i, k) &
            + (z(i) - sum(factors(i, i + 1:, k)*(x(i + 1:) - means(i + 1:, k))))/factors(i, i, k)
      end do
   end subroutine mixture_sample

end module fmdn_evaluate
