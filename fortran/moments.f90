!> Moments of mixtures whose targets have ranges, in physical units, and derivatives of mean and
!> standard deviation: Gauss-Legendre sums over each kernel. A periodic target is looked at from its
!> cut (fmdn_within).
module fmdn_moments
   use fmdn_evaluate, only: inverse_factor, marginal_factors, mixture_moments
   use fmdn_kinds, only: log_two_pi, pi, wp
   use fmdn_restricted, only: reach
   use fmdn_targets, only: free, from_kernels, half_line, log_truncated, periodic, target_range
   use fmdn_within, only: circular_cut, ends_of_kernels, least_resultant
   implicit none (type, external)
   private
   public :: moments_within, moments_about, moment_gradient

   integer, parameter :: n_nodes = 64, most_pieces = 5
   real(wp), parameter :: most = 1.0e140_wp !! its square times anything is finite
   real(wp), parameter :: far = 9 !! standard deviations beyond which a kernel is nothing
   real(wp), parameter :: longest = 25 !! standard deviations that the nodes resolve

   !> Points of a kernel's line, the values of the target there, and their probabilities.
   type :: line_nodes
      integer :: n = 0
      real(wp) :: y(n_nodes*most_pieces), value(n_nodes*most_pieces), p(n_nodes*most_pieces)
   end type line_nodes

contains

   pure subroutine moments_within(ranges, weights, means, factors, mean, covariance)
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :)
      real(wp), intent(out) :: mean(:), covariance(:, :)
      real(wp) :: first(size(mean)), rule(n_nodes, 2)
      real(wp) :: of_kernels(size(mean), size(weights))
      real(wp) :: within(size(mean), size(mean), size(weights))
      integer :: i, j, k

      if (all(ranges%kind == free)) then
         call mixture_moments(weights, means, factors, mean, covariance)
         return
      end if
      first = 0
      do i = 1, size(mean)
         if (ranges(i)%kind == periodic) first(i) = circular_cut(ranges(i), weights, means(i, :), &
            marginal_factors(factors, i))
      end do
      rule = gauss_legendre()
      do k = 1, size(weights)
         call kernel_moments(ranges, first, rule, means(:, k), factors(:, :, k), &
            of_kernels(:, k), within(:, :, k))
      end do
      mean = matmul(of_kernels, weights)
      covariance = 0
      do k = 1, size(weights)
         do j = 1, size(mean)
            do i = 1, size(mean)
               covariance(i, j) = covariance(i, j) + weights(k)*(within(i, j, k) &
                  + (of_kernels(i, k) - mean(i))*(of_kernels(j, k) - mean(j)))
            end do
         end do
      end do
   end subroutine moments_within

   !> Mean and covariance of one kernel.
   pure subroutine kernel_moments(ranges, first, rule, means, factor, mean, covariance)
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: first(:), rule(:, :), means(:), factor(:, :)
      real(wp), intent(out) :: mean(:), covariance(:, :)
      type(line_nodes) :: at, other
      real(wp) :: inverse(size(mean), size(mean)), sd(size(mean)), slope, rest
      integer :: i, j, node

      inverse = inverse_factor(factor)
      sd = norm2(inverse, 2)
      covariance = 0
      do j = 1, size(mean)
         call line_of(ranges(j), first(j), rule, 2, means(j), sd(j), at)
         mean(j) = sum(at%p(:at%n)*at%value(:at%n))
         covariance(j, j) = sum(at%p(:at%n)*(at%value(:at%n) - mean(j))**2)
         do i = 1, j - 1
            slope = sum(inverse(i, :)*inverse(j, :))/sd(j)**2
            if (.not. abs(slope) > 0) cycle
            ! The other target given this one.
            rest = sqrt(max(sd(i)**2 - (slope*sd(j))**2, (1.0e-8_wp*sd(i))**2))
            do node = 1, at%n
               call line_of(ranges(i), first(i), rule, 2, &
                  means(i) + slope*(at%y(node) - means(j)), rest, other)
               covariance(i, j) = covariance(i, j) + at%p(node)*(at%value(node) - mean(j)) &
                  *(sum(other%p(:other%n)*other%value(:other%n)) - mean(i))
            end do
            covariance(j, i) = covariance(i, j)
         end do
      end do
   end subroutine kernel_moments

   !> The mean of ((target - centre)/scale)**order, for each target.
   pure subroutine moments_about(ranges, weights, means, factors, order, centre, scale, moments)
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :), centre(:), scale(:)
      integer, intent(in) :: order
      real(wp), intent(out) :: moments(:)
      type(line_nodes) :: at
      real(wp) :: first, largest, sd(size(weights)), of_kernels(size(weights)), rule(n_nodes, 2)
      integer :: i, k

      if (any(ranges%kind /= free)) rule = gauss_legendre()
      largest = exp((log(huge(largest)) - 10)/max(order, 1)) ! its power is a number
      do i = 1, size(moments)
         sd = 1/marginal_factors(factors, i)
         if (ranges(i)%kind == free) then
            of_kernels = normal_moment((means(i, :) - centre(i))/scale(i), sd/scale(i), order)
         else
            first = 0
            if (ranges(i)%kind == periodic) first = circular_cut(ranges(i), weights, means(i, :), &
               1/sd)
            do k = 1, size(weights)
               call line_of(ranges(i), first, rule, order, means(i, k), sd(k), at)
               associate (away => (at%value(:at%n) - centre(i))/scale(i))
                  of_kernels(k) = sum(at%p(:at%n)*min(max(away, -largest), largest)**order)
               end associate
            end do
         end if
         moments(i) = dot_product(weights, of_kernels)
      end do
   end subroutine moments_about

   !> The mean of x**order of a Gaussian: m_n = mean m_(n-1) + (n - 1) sd**2 m_(n-2).
   elemental function normal_moment(mean, sd, order) result(moment)
      real(wp), intent(in) :: mean, sd
      integer, intent(in) :: order
      real(wp) :: moment, before, next
      integer :: n

      before = 0
      moment = 1
      do n = 1, order
         next = mean*moment + (n - 1)*sd**2*before
         before = moment
         moment = next
      end do
   end function normal_moment

   !> Derivatives of the mean and of the standard deviation of one target with respect to, in this
   !> order, the kernels' weights (which sum to one), means and standard deviations.
   pure subroutine moment_gradient(range, weights, means, sds, d_mean, d_sd)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: weights(:), means(:), sds(:)   !! (n_kernels), of this target
      real(wp), intent(out) :: d_mean(:, :), d_sd(:, :) !! (n_kernels, 3)
      type(line_nodes), allocatable :: lines(:)
      real(wp) :: rule(n_nodes, 2), first, mean, variance, scores(3, 2)
      integer :: k

      if (range%kind == free) then
         mean = sum(weights*means)
         d_mean(:, 1) = means
         d_mean(:, 2) = weights
         d_mean(:, 3) = 0
         d_sd(:, 1) = sds**2 + (means - mean)**2
         d_sd(:, 2) = 2*weights*(means - mean)
         d_sd(:, 3) = 2*weights*sds
      else
         rule = gauss_legendre()
         first = 0
         if (range%kind == periodic) first = circular_cut(range, weights, means, 1/sds)
         allocate (lines(size(weights)))
         do k = 1, size(weights)
            call line_of(range, first, rule, 2, means(k), sds(k), lines(k))
            lines(k)%value(:lines(k)%n) = min(max(lines(k)%value(:lines(k)%n), -most), most)
            d_mean(k, 1) = sum(lines(k)%p(:lines(k)%n)*lines(k)%value(:lines(k)%n))
         end do
         mean = sum(weights*d_mean(:, 1))
         do k = 1, size(weights)
            scores = kernel_gradient(lines(k), mean, means(k), sds(k))
            d_mean(k, 2:) = weights(k)*scores(2:, 1)
            d_sd(k, :) = [scores(1, 2), weights(k)*scores(2:, 2)]
         end do
         if (range%kind == periodic) call add_cut(range, first, mean, weights, means, sds, &
            d_mean, d_sd)
      end if
      variance = sum(weights*d_sd(:, 1))
      d_sd = d_sd/(2*sqrt(variance))
   end subroutine moment_gradient

   !> A kernel's mean of v and of v**2, v being counted from `mean`, and the derivatives of both
   !> with respect to its own mean and standard deviation: covariances with those of the logarithm
   !> of its density.
   pure function kernel_gradient(line, mean, centre, sd) result(d)
      type(line_nodes), intent(in) :: line
      real(wp), intent(in) :: mean, centre, sd
      real(wp) :: d(3, 2)
      real(wp), dimension(line%n) :: p, v, z, score
      integer :: i

      p = line%p(:line%n)
      v = line%value(:line%n) - mean
      z = (line%y(:line%n) - centre)/sd
      d(1, :) = [sum(p*v), sum(p*v**2)]
      do i = 1, 2
         score = p*(z**i - sum(p*z**i))/sd
         d(1 + i, :) = [sum(v*score), sum(v**2*score)]
      end do
   end function kernel_gradient

   !> What a circle has besides: a wrapped kernel ends at a distance from its mean and not at a
   !> place, so that it moves as a whole; values jump by a period at the cut, and the cut moves.
   pure subroutine add_cut(range, first, mean, weights, means, sds, d_mean, d_square)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: first, mean, weights(:), means(:), sds(:)
      real(wp), intent(inout) :: d_mean(:, :), d_square(:, :)
      real(wp), dimension(size(means)) :: density, z, angle, length, across
      real(wp) :: d_cut(size(means), 3), period, turn, jump, x, y
      integer :: i

      period = range%period()
      jump = (first + period - mean)**2 - (first - mean)**2
      density = 0 ! of each kernel at the cut
      do i = -2, 2
         z = (first + (anint((means - first)/period) + i)*period - means)/sds
         where (abs(z) <= reach*period/sds) density = density + exp(-0.5_wp*(z*z + log_two_pi)) &
            /(sds*erf(reach*period/(sqrt(2.0_wp)*sds)))
      end do
      d_mean(:, 2) = weights*(1 - period*density)
      d_square(:, 2) = weights*(2*(d_mean(:, 1) - mean) - jump*density)

      turn = 2*pi/period
      angle = turn*(means - range%low)
      length = exp(-0.5_wp*(turn*sds)**2)
      x = sum(weights*length*cos(angle))
      y = sum(weights*length*sin(angle))
      if (.not. hypot(x, y) > least_resultant*sum(weights)) return
      length = length/(x*x + y*y)
      across = length*(x*sin(angle) - y*cos(angle))
      d_cut(:, 1) = across/turn
      d_cut(:, 2) = weights*length*(x*cos(angle) + y*sin(angle))
      d_cut(:, 3) = -weights*turn*sds*across
      d_cut = d_cut*sum(weights*density)
      d_mean = d_mean + period*d_cut
      d_square = d_square + jump*d_cut
   end subroutine add_cut

   !> Nodes of one target of a kernel, for moments up to an order: over its line where it is
   !> something, in pieces of one period where there is a period.
   pure subroutine line_of(range, first, rule, order, mean, sd, nodes)
      type(target_range), intent(in) :: range
      integer, intent(in) :: order
      real(wp), intent(in) :: first, rule(:, :), mean, sd
      type(line_nodes), intent(inout) :: nodes
      real(wp) :: a, b, top, decay, extra, width, left, right, turns, z(n_nodes)
      integer :: piece, pieces

      call ends_of_kernels(range, mean, 1/sd, a, b)
      top = min(max(0.0_wp, a), b) ! highest density; it falls as exp(-|top| z) at least
      decay = abs(top)
      extra = 0
      if (range%kind == half_line .or. range%kind == log_truncated) extra = min(order*sd, 30.0_wp)
      if (top > 0) decay = top - extra ! moment n of exp(y) grows as exp(n sd z)
      if (decay > 1) then
         width = min(far, 40/decay)
      else
         width = far + extra
      end if
      a = max(a, top - width)
      b = min(b, top + width)
      nodes%n = 0
      pieces = most_pieces
      if (range%kind /= periodic) pieces = min(1 + int((b - a)/longest), most_pieces)
      do piece = 1, pieces
         turns = 0
         left = a + (b - a)*(piece - 1)/pieces
         right = a + (b - a)*piece/pieces
         if (range%kind == periodic) then
            turns = anint((mean - first)/range%period()) + (piece - 3)
            left = max(a, (first + turns*range%period() - mean)/sd)
            right = min(b, (first + (turns + 1)*range%period() - mean)/sd)
         end if
         if (.not. right > left) cycle
         z = 0.5_wp*((left + right) + (right - left)*rule(:, 1))
         associate (y => nodes%y(nodes%n + 1:nodes%n + n_nodes), &
               value => nodes%value(nodes%n + 1:nodes%n + n_nodes), &
               p => nodes%p(nodes%n + 1:nodes%n + n_nodes))
            y = mean + sd*z
            p = (right - left)*rule(:, 2)*exp(-0.5_wp*(z - top)*(z + top))
            if (range%kind == periodic) then
               value = y - turns*range%period()
            else
               value = y
               if (range%kind /= free) value = from_kernels(range, y)
            end if
         end associate
         nodes%n = nodes%n + n_nodes
      end do
      associate (p => nodes%p(:nodes%n))
         p = p/sum(p)
      end associate
   end subroutine line_of

   !> Nodes and weights on [-1, 1]: Newton steps for the zeros of the Legendre polynomial.
   pure function gauss_legendre() result(rule)
      real(wp) :: rule(n_nodes, 2)
      real(wp) :: x, p, before, next, slope
      integer :: i, j, step

      do i = 1, n_nodes/2
         x = cos(pi*(i - 0.25_wp)/(n_nodes + 0.5_wp))
         do step = 1, 4
            before = 1
            p = x
            do j = 2, n_nodes
               next = ((2*j - 1)*x*p - (j - 1)*before)/j
               before = p
               p = next
            end do
            slope = n_nodes*(x*p - before)/(x*x - 1)
            x = x - p/slope
         end do
         rule(i, :) = [x, 2/((1 - x*x)*slope**2)]
         rule(n_nodes + 1 - i, :) = [-rule(i, 1), rule(i, 2)]
      end do
   end function gauss_legendre

end module fmdn_moments
