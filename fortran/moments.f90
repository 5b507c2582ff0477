!> Mean and covariance of mixtures whose targets have ranges, in physical units: Gauss-Legendre sums
!> over each kernel. A periodic target is looked at from its cut (fmdn_within).
module fmdn_moments
   use fmdn_evaluate, only: inverse_factor, marginal_factors, mixture_moments
   use fmdn_kinds, only: pi, wp
   use fmdn_targets, only: free, from_kernels, half_line, log_truncated, periodic, target_range
   use fmdn_within, only: circular_cut, ends_of_kernels
   implicit none (type, external)
   private
   public :: moments_within

   integer, parameter :: n_nodes = 64, most_pieces = 5
   real(wp), parameter :: far = 9 !! standard deviations beyond which a kernel is nothing

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
         call line_of(ranges(j), first(j), rule, means(j), sd(j), at)
         mean(j) = sum(at%p(:at%n)*at%value(:at%n))
         covariance(j, j) = sum(at%p(:at%n)*(at%value(:at%n) - mean(j))**2)
         do i = 1, j - 1
            slope = sum(inverse(i, :)*inverse(j, :))/sd(j)**2
            if (.not. abs(slope) > 0) cycle
            ! The other target given this one.
            rest = sqrt(max(sd(i)**2 - (slope*sd(j))**2, (1.0e-8_wp*sd(i))**2))
            do node = 1, at%n
               call line_of(ranges(i), first(i), rule, means(i) + slope*(at%y(node) - means(j)), &
                  rest, other)
               covariance(i, j) = covariance(i, j) + at%p(node)*(at%value(node) - mean(j)) &
                  *(sum(other%p(:other%n)*other%value(:other%n)) - mean(i))
            end do
            covariance(j, i) = covariance(i, j)
         end do
      end do
   end subroutine kernel_moments

   !> Nodes of one target of a kernel: over its line where it is something, in pieces of one period
   !> where there is a period.
   pure subroutine line_of(range, first, rule, mean, sd, nodes)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: first, rule(:, :), mean, sd
      type(line_nodes), intent(inout) :: nodes
      real(wp) :: a, b, top, decay, extra, reach, left, right, turns, z(n_nodes)
      integer :: piece

      call ends_of_kernels(range, mean, 1/sd, a, b)
      top = min(max(0.0_wp, a), b) ! highest density; it falls as exp(-|top| z) at least
      decay = abs(top)
      extra = 0
      if (range%kind == half_line .or. range%kind == log_truncated) extra = min(2*sd, 30.0_wp)
      if (top > 0) decay = top - extra ! the second moment of exp(y) grows as exp(2 sd z)
      if (decay > 1) then
         reach = min(far, 40/decay)
      else
         reach = far + extra
      end if
      a = max(a, top - reach)
      b = min(b, top + reach)
      nodes%n = 0
      do piece = 1, merge(most_pieces, 1, range%kind == periodic)
         turns = 0
         left = a
         right = b
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

      do i = 1, n_nodes
         x = cos(pi*(i - 0.25_wp)/(n_nodes + 0.5_wp))
         do step = 1, 6
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
      end do
   end function gauss_legendre

end module fmdn_moments
