!> Numbers about mixtures whose targets have ranges, in physical units: log density, distribution
!> function, quantiles and samples. Kernels are as for fmdn_evaluate, in the space that the ranges
!> say (fmdn_targets); moments are in fmdn_moments.
!>
!> A periodic target is looked at from the point opposite to its circular mean, the cut: its values
!> run from there to one period above, and the circular mean lies in [low, high) of the range.
module fmdn_within
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_dispatch, only: kernel_set
   use fmdn_evaluate, only: mixture_cdf, mixture_log_density, mixture_quantile, mixture_sample
   use fmdn_kinds, only: ip, log_two_pi, pi, wp
   use fmdn_random, only: random_stream
   use fmdn_restricted, only: reach
   use fmdn_targets, only: free, from_kernels, infinite, into_period, is_inside, log_slope, &
      periodic, target_range, to_kernels, truncated
   use fmdn_wrapped, only: log_density_wrapped
   implicit none (type, external)
   private
   public :: log_density_within, cdf_within, quantile_within, quantiles_within, sample_within
   public :: ends_of_kernels, circular_cut, log_masses_of

   !> Resultant length of a circle's directions below which it has no mean.
   real(wp), parameter, public :: least_resultant = 1.0e-12_wp

contains

   !> log p at points; -huge outside the ranges.
   pure subroutine log_density_within(kernels, ranges, weights, means, factors, points, log_p)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in), contiguous :: weights(:), means(:, :), factors(:, :, :)
      real(wp), intent(in), contiguous :: points(:, :) !! (n_targets, n)
      real(wp), intent(inout), contiguous :: log_p(:)
      real(wp) :: period(size(ranges)), log_masses(size(weights))
      real(wp), allocatable :: y(:, :), slopes(:)
      integer(ip) :: t
      integer :: i

      if (all(ranges%kind == free)) then
         call mixture_log_density(kernels, weights, means, factors, points, log_p)
         return
      end if
      log_masses = log_masses_of(kernels, ranges, means, factors)
      period = ranges%period()
      allocate (y, mold=points)
      allocate (slopes(size(points, 2)), source=0.0_wp)
      do t = 1, size(points, 2, kind=ip)
         do i = 1, size(ranges)
            y(i, t) = to_kernels(ranges(i), points(i, t))
            slopes(t) = slopes(t) + log_slope(ranges(i), points(i, t), y(i, t))
         end do
      end do
      if (all(period <= 0)) then
         call mixture_log_density(kernels, weights, means, factors, y, log_p, log_masses)
      else
         call log_density_wrapped(kernels, ranges, weights, means, factors, log_masses, y, log_p)
      end if
      log_p = log_p + slopes
      do t = 1, size(points, 2, kind=ip)
         if (.not. all(is_inside(ranges, points(:, t)))) log_p(t) = -infinite
      end do
   end subroutine log_density_within

   !> The logarithms of the kernels' masses inside the ranges, as in their loss.
   pure function log_masses_of(kernels, ranges, means, factors) result(log_masses)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: means(:, :), factors(:, :, :)
      real(wp) :: log_masses(size(means, 2))
      real(wp), dimension(size(means, 2)) :: a, b, log_p, at_a, at_b
      integer :: i, j

      log_masses = 0
      do i = 1, size(ranges)
         if (.not. (ranges(i)%is_cut() .or. ranges(i)%kind == periodic)) cycle
         call ends_of_kernels(ranges(i), means(i, :), factors(i, i, :), a, b)
         call kernels%interval(size(a, kind=c_int), a, b, log_p, at_a, at_b)
         log_masses = log_masses + log_p
      end do
      do j = 1, size(means, 2) ! those of full covariance: fmdn_restricted
         do i = 2, size(ranges)
            if (any(abs(factors(:i - 1, i, j)) > 0)) log_masses(j) = 0
         end do
      end do
   end function log_masses_of

   !> Where kernels end in their own space, in standard deviations from their means.
   elemental subroutine ends_of_kernels(range, mean, factor, a, b)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: mean, factor
      real(wp), intent(out) :: a, b

      a = -infinite
      b = infinite
      if (range%kind == periodic) then
         b = reach*range%period()*factor
         a = -b
      else if (range%is_cut()) then
         if (range%kernel_low() > -infinite) a = (range%kernel_low() - mean)*factor
         if (range%kernel_high() < infinite) b = (range%kernel_high() - mean)*factor
      end if
   end subroutine ends_of_kernels

   !> Opposite to the circular mean.
   pure function circular_cut(range, weights, means, factors) result(cut)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: weights(:), means(:), factors(:)
      real(wp) :: cut
      real(wp) :: turn, x, y, angle(size(means)), length(size(means))

      turn = 2*pi/range%period()
      angle = turn*(into_period(means, range%low, range%period()) - range%low)
      length = weights*exp(-0.5_wp*(turn/factors)**2)
      x = sum(length*cos(angle))
      y = sum(length*sin(angle))
      cut = range%low
      if (hypot(x, y) > least_resultant*sum(weights)) cut = range%low &
         + modulo(atan2(y, x), 2*pi)/turn - 0.5_wp*range%period()
   end function circular_cut

   !> Probability of a value below each of the points, one target; of one above it with `above`.
   pure subroutine cdf_within(kernels, range, weights, means, factors, points, above, p)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:), points(:)
      logical, intent(in) :: above
      real(wp), intent(inout), contiguous :: p(:)
      real(wp) :: y(size(points)), log_masses(size(weights)), first, slope
      integer(ip) :: t

      if (.not. (range%is_cut() .or. range%kind == periodic)) then
         y = points
         if (range%kind /= free) y = to_kernels(range, points)
         call mixture_cdf(kernels, weights, means, factors, y, above, p)
      else
         first = range%kernel_low()
         if (range%kind == periodic) first = circular_cut(range, weights, means, factors)
         log_masses = log_masses_of(kernels, [range], reshape(means, [1, size(means)]), &
            reshape(factors, [1, 1, size(means)]))
         do t = 1, size(points, kind=ip)
            y(t) = to_kernels(range, points(t))
            if (range%kind == periodic) y(t) = into_period(points(t), first, range%period())
            call tail_within(kernels, range, weights, means, factors, log_masses, first, y(t), &
               above, p(t), slope)
         end do
      end if
      if (range%kind == periodic) return
      where (points <= range%low) p = merge(1.0_wp, 0.0_wp, above)
      where (points >= range%high) p = merge(0.0_wp, 1.0_wp, above)
   end subroutine cdf_within

   !> Probability below (or above) y, and the density there, in the kernels' space; of a periodic
   !> target from `first` on.
   pure subroutine tail_within(kernels, range, weights, means, factors, log_masses, first, y, &
      above, p, density)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: weights(:), means(:), factors(:), log_masses(:), first, y
      logical, intent(in) :: above
      real(wp), intent(out) :: p, density
      integer, parameter :: most_pieces = 5
      real(wp), parameter :: far = 12 !! standard deviations: beyond, a circle's pieces are nothing
      real(wp), dimension(most_pieces*size(means)) :: from, to, log_p, at_from, at_to
      real(wp), dimension(most_pieces*size(means)) :: scales, masses
      real(wp) :: a, b, low, high, z, turns
      integer :: k, n, piece, pieces

      density = 0
      n = 0
      pieces = merge(most_pieces, 1, range%kind == periodic)
      do k = 1, size(means)
         call ends_of_kernels(range, means(k), factors(k), a, b)
         do piece = 1, pieces
            turns = 0
            low = a
            high = b
            if (range%kind == periodic) then
               ! The kernel's own line in pieces of one period from `first` on.
               turns = anint((means(k) - first)/range%period()) + (piece - 3)
               low = max(a, (first + turns*range%period() - means(k))*factors(k), -far)
               high = min(b, (first + (turns + 1)*range%period() - means(k))*factors(k), far)
            end if
            z = (y + turns*range%period() - means(k))*factors(k)
            if (z >= low .and. z <= high) density = density &
               + weights(k)*factors(k)*exp(-0.5_wp*z*z - log_masses(k) - 0.5_wp*log_two_pi)
            if (above) then
               low = max(low, z)
            else
               high = min(high, z)
            end if
            if (.not. high > low) cycle
            n = n + 1
            from(n) = low
            to(n) = high
            scales(n) = weights(k)
            masses(n) = log_masses(k)
         end do
      end do
      call kernels%interval(int(n, c_int), from(:n), to(:n), log_p(:n), at_from(:n), at_to(:n))
      p = sum(scales(:n)*exp(log_p(:n) - masses(:n)))
   end subroutine tail_within

   !> The values below which the probability is q, one target: as mixture_quantile where kernels
   !> reach everywhere, else the same steps between the ends. q <= 0 and q >= 1 give the ends.
   pure subroutine quantiles_within(kernels, range, weights, means, factors, q, rest, x)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      real(wp), intent(in) :: q(:), rest(:) !! 1 - q
      real(wp), intent(out) :: x(:)
      real(wp) :: first, log_masses(size(weights))
      integer :: i

      if (range%is_cut() .or. range%kind == periodic) then
         first = range%kernel_low()
         if (range%kind == periodic) first = circular_cut(range, weights, means, factors)
         log_masses = log_masses_of(kernels, [range], reshape(means, [1, size(means)]), &
            reshape(factors, [1, 1, size(means)]))
         do i = 1, size(q)
            x(i) = quantile_between(kernels, range, weights, means, factors, log_masses, first, &
               q(i), rest(i))
         end do
      else
         do i = 1, size(q)
            x(i) = mixture_quantile(kernels, weights, means, factors, q(i), rest(i))
         end do
      end if
      if (range%is_mapped()) x = from_kernels(range, x)
      if (range%is_cut()) x = min(max(x, range%low), range%high)
   end subroutine quantiles_within

   !> The same for one probability; `above` is 1 - q, if it has digits of its own.
   pure function quantile_within(kernels, range, weights, means, factors, q, above) result(x)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      real(wp), intent(in) :: q
      real(wp), intent(in), optional :: above
      real(wp) :: x, rest, one(1)

      rest = 1 - q
      if (present(above)) rest = above
      call quantiles_within(kernels, range, weights, means, factors, [q], [rest], one)
      x = one(1)
   end function quantile_within

   !> It in the kernels' space, of a periodic target from `first` on.
   pure function quantile_between(kernels, range, weights, means, factors, log_masses, first, q, &
      rest) result(y)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: weights(:), means(:), factors(:), log_masses(:), first, q, rest
      real(wp) :: y
      integer, parameter :: max_steps = 200
      real(wp) :: low, high, p, density, tail, step, newton, steps_before(2), resolution
      logical :: upper
      integer :: i

      low = first
      high = range%kernel_high()
      if (range%kind == periodic) high = low + range%period()
      y = low
      if (q <= 0) return
      y = high
      if (rest <= 0) return
      if (range%kind /= periodic) then ! Phi(-z) <= exp(-z**2/2) over the mass, as for mixtures
         low = max(low, minval(means - sqrt(-2*(log(q) + log_masses))/factors))
         high = min(high, maxval(means + sqrt(-2*(log(rest) + log_masses))/factors))
      end if
      upper = q > 0.5_wp
      tail = merge(rest, q, upper)
      y = 0.5_wp*(low + high)
      steps_before = high - low
      do i = 1, max_steps
         call tail_within(kernels, range, weights, means, factors, log_masses, first, y, upper, p, &
            density)
         if ((p > tail) .neqv. upper) then
            high = y
         else
            low = y
         end if
         resolution = epsilon(y)*abs(y)
         if (abs(p - tail) <= 8*epsilon(q)*tail .or. high - low <= 2*resolution) exit
         step = 0.5_wp*(low + high) - y
         newton = p*log(max(p, tiny(p))/tail)
         if (density*(high - low) > abs(newton)) then
            newton = sign(max(abs(newton/density), resolution), merge(newton, -newton, upper))
            if (y + newton > low .and. y + newton < high .and. &
               abs(newton) < 0.5_wp*steps_before(2)) step = newton
         end if
         steps_before = [abs(step), steps_before(1)]
         y = y + step
      end do
   end function quantile_between

   !> Sample number `index` (from 0) of a stream, inside the ranges: as mixture_sample, each target
   !> of a kernel that is restricted by its quantile at the probability below.
   pure subroutine sample_within(kernels, ranges, weights, means, factors, stream, index, x)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :)
      type(random_stream), intent(in) :: stream
      integer(ip), intent(in) :: index
      real(wp), intent(out) :: x(:)
      real(wp), parameter :: root_half = sqrt(0.5_wp)
      real(wp), parameter :: negligible = 9 !! what lies beyond so many standard deviations
      type(target_range) :: line
      real(wp) :: a, b, mean, z
      integer :: i, k

      call mixture_sample(weights, means, factors, stream, index, x, k)
      do i = 1, size(x)
         if (ranges(i)%kind == free) cycle
         mean = means(i, k)
         z = (x(i) - mean)*factors(i, i, k)
         call ends_of_kernels(ranges(i), mean, factors(i, i, k), a, b)
         if (min(abs(a), abs(b)) < negligible .and. is_alone(factors(:, :, k), i)) then
            line = target_range(truncated)
            if (a > -infinite) line%low = mean + a/factors(i, i, k)
            if (b < infinite) line%high = mean + b/factors(i, i, k)
            x(i) = quantile_within(kernels, line, [1.0_wp], [mean], [factors(i, i, k)], &
               0.5_wp*erfc(-root_half*z), 0.5_wp*erfc(root_half*z))
         end if
         x(i) = from_kernels(ranges(i), x(i))
      end do
   end subroutine sample_within

   !> Is target i independent of the others within this kernel?
   pure function is_alone(factor, i) result(yes)
      real(wp), intent(in) :: factor(:, :)
      integer, intent(in) :: i
      logical :: yes

      yes = all(abs(factor(:i - 1, i)) <= 0) .and. all(abs(factor(i, i + 1:)) <= 0)
   end function is_alone

end module fmdn_within
