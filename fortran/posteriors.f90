!> The posterior of one observation as a value: a mixture of Gaussian kernels that answers
!> questions, in the units of the targets. Where these have ranges, weights, means and factors are
!> those of the kernels in the space that the ranges say (fmdn_targets); a recalibrated one is not
!> the sum of its kernels any more (fmdn_recalibration). An empty mixture, a point
!> of another length and a target that is not there have no mass: their density is 0 (its logarithm
!> -huge) and their quantiles are -huge.
module fmdn_posteriors
   use fmdn_dispatch, only: processor_kernels
   use fmdn_evaluate, only: kernel_covariance, marginal_factors
   use fmdn_kinds, only: ip, wp
   use fmdn_moments, only: moments_within
   use fmdn_random, only: for_samples, stream_of
   use fmdn_recalibration, only: recalibrated_cdf, recalibrated_log_density, recalibrated_moments, &
      recalibrated_quantile, recalibrated_sample, score_map
   use fmdn_targets, only: target_range
   use fmdn_within, only: cdf_within, log_density_within, quantile_within, sample_within
   implicit none (type, external)
   private
   public :: mixture

   type :: mixture
      real(wp), allocatable :: weights(:)       !! (n_kernels), sum one
      real(wp), allocatable :: means(:, :)      !! (n_targets, n_kernels)
      real(wp), allocatable :: factors(:, :, :) !! (n_targets, n_targets, n_kernels): U of evaluate
      type(target_range), allocatable :: ranges(:) !! (n_targets); not allocated: free
      type(score_map), allocatable :: recalibration !! of one target; not allocated: none
   contains
      procedure :: n_targets
      procedure :: n_kernels
      procedure :: pdf
      procedure :: log_density
      procedure :: cdf
      procedure :: quantile
      procedure :: mean
      procedure :: standard_deviation
      procedure :: covariance
      procedure :: covariances
      procedure :: sample
   end type mixture

contains

   pure function n_targets(self) result(n)
      class(mixture), intent(in) :: self
      integer :: n

      n = 0
      if (allocated(self%means)) n = size(self%means, 1)
   end function n_targets

   pure function n_kernels(self) result(n)
      class(mixture), intent(in) :: self
      integer :: n

      n = 0
      if (allocated(self%weights)) n = size(self%weights)
   end function n_kernels

   !> p(x).
   pure function pdf(self, x) result(p)
      class(mixture), intent(in) :: self
      real(wp), intent(in) :: x(:) !! (n_targets)
      real(wp) :: p

      p = exp(self%log_density(x))
   end function pdf

   !> log p(x), nats.
   pure function log_density(self, x) result(log_p)
      class(mixture), intent(in) :: self
      real(wp), intent(in) :: x(:) !! (n_targets)
      type(target_range) :: ranges(self%n_targets())
      real(wp) :: log_p, one(1)

      log_p = -huge(log_p)
      if (self%n_kernels() == 0 .or. size(x) /= self%n_targets()) return
      ranges = ranges_of(self)
      if (allocated(self%recalibration)) then
         call recalibrated_log_density(processor_kernels(), self%recalibration, ranges(1), &
            self%weights, self%means(1, :), self%factors(1, 1, :), x, one)
      else
         call log_density_within(processor_kernels(), ranges, self%weights, self%means, &
            self%factors, reshape(x, [size(x), 1]), one)
      end if
      log_p = one(1)
   end function log_density

   !> Probability of a value of target number `target` (default: 1) below x.
   pure function cdf(self, x, target) result(p)
      class(mixture), intent(in) :: self
      real(wp), intent(in) :: x
      integer, intent(in), optional :: target
      type(target_range) :: ranges(self%n_targets())
      real(wp) :: p, one(1), means(self%n_kernels())
      integer :: i

      p = 0
      i = chosen(self, target)
      if (i == 0) return
      means = self%means(i, :)
      ranges = ranges_of(self)
      if (allocated(self%recalibration)) then
         call recalibrated_cdf(processor_kernels(), self%recalibration, ranges(1), self%weights, &
            means, self%factors(1, 1, :), [x], .false., one)
      else
         call cdf_within(processor_kernels(), ranges(i), self%weights, means, &
            marginal_factors(self%factors, i), [x], .false., one)
      end if
      p = one(1)
   end function cdf

   !> Value of target number `target` (default: 1) below which the probability is q. That of a
   !> periodic target is counted from the point opposite to its circular mean.
   pure function quantile(self, q, target) result(x)
      class(mixture), intent(in) :: self
      real(wp), intent(in) :: q
      integer, intent(in), optional :: target
      type(target_range) :: ranges(self%n_targets())
      real(wp) :: x, means(self%n_kernels())
      integer :: i

      x = -huge(x)
      i = chosen(self, target)
      if (i == 0) return
      means = self%means(i, :)
      ranges = ranges_of(self)
      if (allocated(self%recalibration)) then
         x = recalibrated_quantile(processor_kernels(), self%recalibration, ranges(1), &
            self%weights, means, self%factors(1, 1, :), q)
      else
         x = quantile_within(processor_kernels(), ranges(i), self%weights, means, &
            marginal_factors(self%factors, i), q)
      end if
   end function quantile

   pure function ranges_of(self) result(ranges)
      type(mixture), intent(in) :: self
      type(target_range) :: ranges(self%n_targets())

      if (allocated(self%ranges)) ranges = self%ranges
   end function ranges_of

   !> The target asked for, zero where it is not there.
   pure function chosen(self, target) result(i)
      type(mixture), intent(in) :: self
      integer, intent(in), optional :: target
      integer :: i

      i = 1
      if (present(target)) i = target
      if (i < 1 .or. i > self%n_targets()) i = 0
   end function chosen

   !> Posterior mean of each target.
   pure function mean(self) result(values)
      class(mixture), intent(in) :: self
      real(wp) :: values(self%n_targets())
      real(wp) :: matrix(self%n_targets(), self%n_targets())

      if (size(values) > 0) call moments(self, values, matrix)
   end function mean

   !> Posterior standard deviation of each target.
   pure function standard_deviation(self) result(values)
      class(mixture), intent(in) :: self
      real(wp) :: values(self%n_targets())
      real(wp) :: matrix(self%n_targets(), self%n_targets())
      integer :: i

      matrix = self%covariance()
      values = [(sqrt(matrix(i, i)), i=1, size(values))]
   end function standard_deviation

   !> Posterior covariance of the targets.
   pure function covariance(self) result(matrix)
      class(mixture), intent(in) :: self
      real(wp) :: matrix(self%n_targets(), self%n_targets())
      real(wp) :: centre(self%n_targets())

      if (size(centre) > 0) call moments(self, centre, matrix)
   end function covariance

   pure subroutine moments(self, centre, matrix)
      type(mixture), intent(in) :: self
      real(wp), intent(out) :: centre(:), matrix(:, :)
      type(target_range) :: ranges(self%n_targets())

      ranges = ranges_of(self)
      if (allocated(self%recalibration)) then
         call recalibrated_moments(processor_kernels(), self%recalibration, ranges(1), &
            self%weights, self%means(1, :), self%factors(1, 1, :), centre(1), matrix(1, 1))
      else
         call moments_within(ranges, self%weights, self%means, self%factors, centre, matrix)
      end if
   end subroutine moments

   !> Covariance of the targets in each kernel: (n_targets, n_targets, n_kernels).
   pure function covariances(self) result(matrices)
      class(mixture), intent(in) :: self
      real(wp) :: matrices(self%n_targets(), self%n_targets(), self%n_kernels())
      integer :: k

      do k = 1, size(matrices, 3)
         matrices(:, :, k) = kernel_covariance(self%factors(:, :, k))
      end do
   end function covariances

   !> Samples (n_targets, n); sample number j depends on (seed, j) alone.
   pure function sample(self, n, seed) result(samples)
      class(mixture), intent(in) :: self
      integer, intent(in) :: n, seed
      type(target_range) :: ranges(self%n_targets())
      real(wp) :: samples(self%n_targets(), n)
      integer :: j

      if (size(samples) == 0) return
      ranges = ranges_of(self)
      do j = 1, n
         if (allocated(self%recalibration)) then
            samples(1, j) = recalibrated_sample(processor_kernels(), self%recalibration, &
               ranges(1), self%weights, self%means(1, :), self%factors(1, 1, :), &
               stream_of(int(seed, ip), 1, for_samples), int(j - 1, ip))
         else
            call sample_within(processor_kernels(), ranges, self%weights, self%means, &
               self%factors, stream_of(int(seed, ip), 1, for_samples), int(j - 1, ip), &
               samples(:, j))
         end if
      end do
   end function sample

end module fmdn_posteriors
