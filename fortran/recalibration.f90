!> A monotone map that makes the coverage of a target's posteriors right. With F the distribution
!> function of a posterior and z = Phi^-1(F) the normal score, the recalibrated posterior has
!> Phi(g(z)), g increasing (docs/theory.md, eq. 17): between knots a cubic with continuous slope
!> (Fritsch & Butland 1984), beyond them a straight line. Through a single knot it has slope one.
module fmdn_recalibration
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
   use fmdn_dispatch, only: kernel_set
   use fmdn_kinds, only: ip, log_two_pi, wp
   use fmdn_layout, only: append_block, at_blocks, at_inputs, at_members, at_targets, block_view, &
      find_block, get_block, recalibration_block, start_layout
   use fmdn_random, only: random_stream
   use fmdn_status, only: status_invalid_argument, status_invalid_layout, status_no_recalibration, &
      status_ok
   use fmdn_targets, only: normal_score, target_range
   use fmdn_within, only: cdf_within, log_density_within, quantile_within, sample_within
   implicit none (type, external)
   private
   public :: score_map, new_score_map, read_recalibration, set_recalibration
   public :: recalibrated_log_density, recalibrated_cdf, recalibrated_quantile, &
      recalibrated_moments, recalibrated_sample

   real(wp), parameter :: root_half = sqrt(0.5_wp)
   real(wp), parameter :: farthest = 1.0e6_wp, nearest = 1.0e-12_wp !! knots, from 0 and another

   !> g, by its knots: g(x) = y, with these slopes.
   type :: score_map
      real(wp), allocatable :: x(:), y(:), slopes(:)
   contains
      procedure :: value
      procedure :: slope
      procedure :: inverse
   end type score_map

contains

   !> The map through the knots; status_invalid_argument unless both increase, and are such that a
   !> slope can be computed.
   pure subroutine new_score_map(x, y, map, status)
      real(wp), intent(in) :: x(:), y(:)
      type(score_map), intent(out) :: map
      integer, intent(out) :: status
      real(wp), allocatable :: chords(:)
      integer :: n

      n = size(x)
      status = status_invalid_argument
      if (n < 1 .or. size(y) /= n) return
      if (.not. (all(ieee_is_finite(x)) .and. all(ieee_is_finite(y)))) return
      if (any(abs(x) > farthest) .or. any(abs(y) > farthest)) return
      if (any(x(2:) - x(:n - 1) < nearest) .or. any(y(2:) - y(:n - 1) < nearest)) return
      map%x = x
      map%y = y
      if (n == 1) then
         map%slopes = [1.0_wp]
      else
         chords = (y(2:) - y(:n - 1))/(x(2:) - x(:n - 1))
         map%slopes = [chords(1), 2/(1/chords(:n - 2) + 1/chords(2:)), chords(n - 1)]
      end if
      status = status_ok
   end subroutine new_score_map

   !> g(z).
   elemental function value(self, z) result(g)
      class(score_map), intent(in) :: self
      real(wp), intent(in) :: z
      real(wp) :: g, cubic(0:3), t
      integer :: i

      i = interval_of(self%x, z)
      if (i == 0) then
         g = self%y(1) + self%slopes(1)*(z - self%x(1))
      else if (i == size(self%x)) then
         g = self%y(i) + self%slopes(i)*(z - self%x(i))
      else
         cubic = cubic_of(self, i)
         t = z - self%x(i)
         g = cubic(0) + t*(cubic(1) + t*(cubic(2) + t*cubic(3)))
      end if
   end function value

   !> g'(z), positive.
   elemental function slope(self, z) result(d)
      class(score_map), intent(in) :: self
      real(wp), intent(in) :: z
      real(wp) :: d, cubic(0:3), t
      integer :: i

      i = interval_of(self%x, z)
      if (i == 0 .or. i == size(self%x)) then
         d = self%slopes(max(i, 1))
      else
         cubic = cubic_of(self, i)
         t = z - self%x(i)
         d = cubic(1) + t*(2*cubic(2) + 3*t*cubic(3))
      end if
   end function slope

   !> z with g(z) = y: Newton steps within the interval.
   elemental function inverse(self, y) result(z)
      class(score_map), intent(in) :: self
      real(wp), intent(in) :: y
      integer, parameter :: max_steps = 100
      real(wp) :: z, low, high, miss, step
      integer :: i

      i = interval_of(self%y, y)
      if (i == 0 .or. i == size(self%y)) then
         i = max(i, 1)
         z = self%x(i) + (y - self%y(i))/self%slopes(i)
         return
      end if
      low = self%x(i)
      high = self%x(i + 1)
      z = low + (y - self%y(i))*(high - low)/(self%y(i + 1) - self%y(i))
      do i = 1, max_steps
         miss = self%value(z) - y
         if (miss > 0) then
            high = z
         else
            low = z
         end if
         step = miss/self%slope(z)
         if (.not. (z - step > low .and. z - step < high)) step = z - 0.5_wp*(low + high)
         z = z - step
         if (abs(step) <= 2*epsilon(z)*max(1.0_wp, abs(z))) exit
      end do
   end function inverse

   !> Knots at or below a point.
   pure function interval_of(knots, point) result(i)
      real(wp), intent(in) :: knots(:), point
      integer :: i

      i = count(knots <= point)
   end function interval_of

   !> Coefficients in powers of z - x(i) between knots i and i + 1.
   pure function cubic_of(map, i) result(c)
      class(score_map), intent(in) :: map
      integer, intent(in) :: i
      real(wp) :: c(0:3), h, chord

      h = map%x(i + 1) - map%x(i)
      chord = (map%y(i + 1) - map%y(i))/h
      c(0) = map%y(i)
      c(1) = map%slopes(i)
      c(2) = (3*chord - 2*map%slopes(i) - map%slopes(i + 1))/h
      c(3) = (map%slopes(i) + map%slopes(i + 1) - 2*chord)/(h*h)
   end function cubic_of

   !> The map of a committee; status_no_recalibration where it has none.
   pure subroutine read_recalibration(layout, parameters, map, status)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      type(score_map), intent(out) :: map
      integer, intent(out) :: status
      type(block_view) :: at, again
      integer(ip) :: n

      at = find_block(layout, recalibration_block, 1)
      again = find_block(layout, recalibration_block, 2)
      status = status_no_recalibration
      if (at%name == "" .or. at%version /= 1) return
      status = status_invalid_layout
      n = at%n_reals/2
      if (again%name /= "" .or. at%n_integers /= 0 .or. at%n_reals /= 2*n) return
      if (layout(at_targets) /= 1) return
      call new_score_map(parameters(at%offset + 1:at%offset + n), &
         parameters(at%offset + n + 1:at%offset + 2*n), map, status)
      if (status /= status_ok) status = status_invalid_layout
   end subroutine read_recalibration

   !> Give a committee of one target another map; none, if that changes nothing or has no knots.
   pure subroutine set_recalibration(x, y, layout, parameters, status)
      real(wp), intent(in) :: x(:), y(:)
      integer(ip), allocatable, intent(inout) :: layout(:)
      real(wp), allocatable, intent(inout) :: parameters(:)
      integer, intent(out) :: status
      integer(ip), allocatable :: new_layout(:)
      real(wp), allocatable :: new_parameters(:)
      type(score_map) :: map
      type(block_view) :: block
      integer(ip) :: i
      logical :: is_none

      status = status_invalid_argument
      if (layout(at_targets) /= 1) return
      is_none = size(x) + size(y) == 0
      if (.not. is_none) then
         call new_score_map(x, y, map, status)
         if (status /= status_ok) return
         is_none = size(x) == 1 .and. all(abs(x - y) <= 0)
      end if
      call start_layout(int(layout(at_inputs)), 1, int(layout(at_members)), new_layout)
      allocate (new_parameters(0))
      do i = 1, layout(at_blocks)
         block = get_block(layout, i)
         if (block%name == recalibration_block) cycle
         call append_block(new_layout, block%name, &
            layout(block%first_integer:block%first_integer + block%n_integers - 1), &
            block%n_reals, block%version, block%required)
         new_parameters = [new_parameters, &
            parameters(block%offset + 1:block%offset + block%n_reals)]
      end do
      if (.not. is_none) then
         call append_block(new_layout, recalibration_block, [integer(ip) ::], &
            2*size(x, kind=ip), required=.false.)
         new_parameters = [new_parameters, x, y]
      end if
      call move_alloc(new_layout, layout)
      call move_alloc(new_parameters, parameters)
      status = status_ok
   end subroutine set_recalibration

   !> log p at points; -huge where it is nothing.
   pure subroutine recalibrated_log_density(kernels, map, range, weights, means, factors, points, &
      log_p)
      type(kernel_set), intent(in) :: kernels
      type(score_map), intent(in) :: map
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:), points(:)
      real(wp), intent(inout), contiguous :: log_p(:)
      real(wp) :: z(size(points)), g(size(points))

      z = scores_at(kernels, range, weights, means, factors, points)
      g = map%value(z)
      call log_density_within(kernels, [range], weights, reshape(means, [1, size(means)]), &
         reshape(factors, [1, 1, size(means)]), reshape(points, [1, size(points)]), log_p)
      ! The derivative of Phi(g(z)): p g'(z) phi(g)/phi(z).
      where (log_p > -huge(log_p)) log_p = log_p + log(map%slope(z)) + 0.5_wp*(z - g)*(z + g)
   end subroutine recalibrated_log_density

   !> Probability below each of the points, or above it.
   pure subroutine recalibrated_cdf(kernels, map, range, weights, means, factors, points, above, p)
      type(kernel_set), intent(in) :: kernels
      type(score_map), intent(in) :: map
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:), points(:)
      logical, intent(in) :: above
      real(wp), intent(inout), contiguous :: p(:)

      p = map%value(scores_at(kernels, range, weights, means, factors, points))
      p = 0.5_wp*erfc(merge(root_half, -root_half, above)*p)
   end subroutine recalibrated_cdf

   !> The value below which the probability is q.
   pure function recalibrated_quantile(kernels, map, range, weights, means, factors, q) result(x)
      type(kernel_set), intent(in) :: kernels
      type(score_map), intent(in) :: map
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      real(wp), intent(in) :: q
      real(wp) :: x, z

      if (q <= 0 .or. q >= 1) then
         x = quantile_within(kernels, range, weights, means, factors, q)
      else
         z = map%inverse(normal_score(q, 1 - q))
         x = at_score(kernels, range, weights, means, factors, z)
      end if
   end function recalibrated_quantile

   !> Mean and variance: sums over normal scores, of which there are enough for ten digits.
   pure subroutine recalibrated_moments(kernels, map, range, weights, means, factors, mean, &
      variance)
      type(kernel_set), intent(in) :: kernels
      type(score_map), intent(in) :: map
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      real(wp), intent(out) :: mean, variance
      integer, parameter :: n = 280
      real(wp), parameter :: step = 0.05_wp
      real(wp) :: x(-n/2:n/2), p(-n/2:n/2), y
      integer :: i

      do i = -n/2, n/2
         y = step*i
         p(i) = step*exp(-0.5_wp*(y*y + log_two_pi))
         x(i) = at_score(kernels, range, weights, means, factors, map%inverse(y))
      end do
      p = p/sum(p)
      mean = sum(p*x)
      variance = sum(p*(x - mean)**2)
   end subroutine recalibrated_moments

   !> Sample number `index` (from 0) of a stream: that of the mixture, moved.
   pure function recalibrated_sample(kernels, map, range, weights, means, factors, stream, index) &
      result(x)
      type(kernel_set), intent(in) :: kernels
      type(score_map), intent(in) :: map
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      type(random_stream), intent(in) :: stream
      integer(ip), intent(in) :: index
      real(wp) :: x, one(1), z(1)

      call sample_within(kernels, [range], weights, reshape(means, [1, size(means)]), &
         reshape(factors, [1, 1, size(means)]), stream, index, one)
      z = map%inverse(scores_at(kernels, range, weights, means, factors, one))
      x = at_score(kernels, range, weights, means, factors, z(1))
   end function recalibrated_sample

   !> Normal scores of points.
   pure function scores_at(kernels, range, weights, means, factors, points) result(z)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:), points(:)
      real(wp) :: z(size(points))
      real(wp) :: below(size(points)), above(size(points))

      call cdf_within(kernels, range, weights, means, factors, points, .false., below)
      call cdf_within(kernels, range, weights, means, factors, points, .true., above)
      z = normal_score(below, above)
   end function scores_at

   !> The point of a normal score.
   pure function at_score(kernels, range, weights, means, factors, z) result(x)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: range
      real(wp), intent(in), contiguous :: weights(:), means(:), factors(:)
      real(wp), intent(in) :: z
      real(wp) :: x

      x = quantile_within(kernels, range, weights, means, factors, 0.5_wp*erfc(-root_half*z), &
         0.5_wp*erfc(root_half*z))
   end function at_score

end module fmdn_recalibration
