!> Modes of mixtures: all points where the density, in the targets' units, is highest around, found
!> by climbs from the kernels' means and from where pairs of kernels cross. (Where ridges cross
!> there may be a peak that no mean leads to.)
!>
!> In the kernels' space, with r_k the responsibilities of the kernels at y, P_k their precisions,
!> v_k = P_k (mean_k - y), and s the logarithm of |dy/dt|, the height of that density is
!>
!>     F(y) = log sum_k w_k/Z_k N(y; mean_k, P_k^-1) + sum_i s_i(y_i)
!>     dF   = sum_k r_k v_k + s'                        =: u + s'
!>     d2F  = sum_k r_k (v_k v_k' - P_k) - u u' + s''
!>
!> A step is Newton's where d2F is negative definite, else (sum_k r_k P_k)^-1 dF: the fixed point of
!> Carreira-Perpinan (2000). It is shortened until F rises, and ends where targets end.
module fmdn_modes
   use fmdn_dispatch, only: kernel_set
   use fmdn_kinds, only: log_two_pi, wp
   use fmdn_restricted, only: image_shift, n_images
   use fmdn_targets, only: from_kernels, half_line, infinite, into_period, log_probit, log_slope, &
      log_truncated, probit, target_range
   use fmdn_within, only: log_masses_of
   implicit none (type, external)
   private
   public :: modes_within, most_crossings

   integer, parameter :: most_crossings = 20 !! of pairs of kernels, that are climbed from

   !> A density that is mapped may rise without end in a film along its ends: the last thousandth of
   !> the range is left out.
   real(wp), parameter :: film = 3

   real(wp), parameter :: root_two_pi = exp(0.5_wp*log_two_pi)

   !> A mixture as a climb sees it.
   type :: landscape
      type(target_range), allocatable :: ranges(:)
      real(wp), allocatable :: low(:), high(:), period(:) !! in the kernels' space
      real(wp), allocatable :: log_weights(:)             !! with all that does not depend on y
      real(wp), allocatable :: means(:, :), precisions(:, :, :)
   end type landscape

contains

   !> Modes, highest first, and log p there.
   pure subroutine modes_within(kernels, ranges, weights, means, factors, modes, heights, n)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :)
      real(wp), intent(inout) :: modes(:, :) !! (n_targets, as many as there is room for)
      real(wp), intent(inout) :: heights(:)
      integer, intent(out) :: n              !! modes that were found
      type(landscape) :: on
      real(wp), dimension(size(means, 1)) :: y, highest, widths
      real(wp) :: starts(size(means, 1), size(weights) + most_crossings)
      real(wp) :: found(size(means, 1), size(heights)), height, top
      logical :: is_mode
      integer :: i, n_starts

      on = landscape_of(kernels, ranges, weights, means, factors)
      call find_starts(on, weights, starts, n_starts)
      n = 0
      top = -infinite
      do i = 1, n_starts
         y = starts(:, i)
         call climb(on, y, height, widths, is_mode)
         if (height > top) then
            top = height
            highest = y
         end if
         if (is_mode) call insert(on, y, height, widths, found, heights, n)
      end do
      if (n == 0) then ! nothing but a flat top
         n = 1
         found(:, 1) = highest
         heights(1) = top
      end if
      do i = 1, n
         modes(:, i) = from_kernels(ranges, found(:, i))
      end do
   end subroutine modes_within

   pure function landscape_of(kernels, ranges, weights, means, factors) result(on)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :)
      type(landscape) :: on
      integer :: i, k

      on%ranges = ranges
      on%low = ranges%kernel_low()
      on%high = ranges%kernel_high()
      on%period = ranges%period()
      where (ranges%kind == probit .or. ranges%kind == log_probit)
         on%low = -film
         on%high = film
      end where
      on%means = means
      allocate (on%precisions, mold=factors)
      on%log_weights = log(max(weights, tiny(weights))) &
         - log_masses_of(kernels, ranges, means, factors) - 0.5_wp*size(means, 1)*log_two_pi
      do k = 1, size(weights)
         on%precisions(:, :, k) = matmul(transpose(factors(:, :, k)), factors(:, :, k))
         do i = 1, size(means, 1)
            on%log_weights(k) = on%log_weights(k) + log(factors(i, i, k))
         end do
      end do
   end function landscape_of

   !> The kernels' means, and of the points where two kernels are equally many standard deviations
   !> away, (P_i + P_j) y = P_i mean_i + P_j mean_j, those where one of the two is highest.
   pure subroutine find_starts(on, weights, starts, n)
      type(landscape), intent(in) :: on
      real(wp), intent(in) :: weights(:)
      real(wp), intent(inout) :: starts(:, :)
      integer, intent(out) :: n
      real(wp), dimension(size(starts, 1)) :: y, away
      real(wp) :: heights(most_crossings), height
      logical :: held(size(starts, 1)), is_positive
      integer :: i, j, last, lowest

      n = 0
      do i = 1, size(weights)
         if (.not. weights(i) > 0) cycle
         n = n + 1
         starts(:, n) = inside(on, on%means(:, i))
      end do
      last = n
      held = .false.
      do i = 1, size(weights)
         do j = 1, i - 1
            if (.not. min(weights(i), weights(j)) > 0) cycle
            ! mean_i + (P_i + P_j)^-1 P_j (mean_j - mean_i)
            call solve(on%precisions(:, :, i) + on%precisions(:, :, j), &
               matmul(on%precisions(:, :, j), on%means(:, j) - on%means(:, i)), held, away, &
               is_positive)
            if (.not. is_positive) cycle
            height = on%log_weights(i) - 0.5_wp*dot_product(away, &
               matmul(on%precisions(:, :, i), away))
            y = inside(on, on%means(:, i) + away)
            away = away - (on%means(:, j) - on%means(:, i))
            height = max(height, on%log_weights(j) - 0.5_wp*dot_product(away, &
               matmul(on%precisions(:, :, j), away)))
            if (n - last < most_crossings) then
               n = n + 1
               lowest = n - last
            else
               lowest = minloc(heights, 1)
               if (heights(lowest) >= height) cycle
            end if
            heights(lowest) = height
            starts(:, last + lowest) = y
         end do
      end do
   end subroutine find_starts

   !> The point that is nearest within the ranges.
   pure function inside(on, y) result(point)
      type(landscape), intent(in) :: on
      real(wp), intent(in) :: y(:)
      real(wp) :: point(size(y))
      integer :: i

      point = min(max(y, on%low), on%high)
      do i = 1, size(y)
         if (on%period(i) > 0) point(i) = into_period(y(i), on%ranges(i)%low, on%period(i))
      end do
   end function inside

   !> Climb from y to the top.
   pure subroutine climb(on, y, height, widths, is_mode)
      type(landscape), intent(in) :: on
      real(wp), intent(inout) :: y(:)
      real(wp), intent(out) :: height
      real(wp), intent(out) :: widths(:) !! standard deviations around it
      logical, intent(out) :: is_mode    !! or a saddle
      integer, parameter :: max_steps = 100, max_halvings = 40
      real(wp), dimension(size(y)) :: slope, new_slope, step, new
      real(wp), dimension(size(y), size(y)) :: curvature, precision, new_curvature, new_precision
      real(wp) :: length, new_height, part
      logical :: held(size(y)), is_positive
      integer :: i, halvings

      call look(on, y, height, slope, curvature, precision)
      do i = 1, max_steps
         held = (y <= on%low .and. slope < 0) .or. (y >= on%high .and. slope > 0)
         call solve(-curvature, slope, held, step, is_positive)
         if (.not. is_positive) call solve(precision, slope, held, step, is_positive)
         if (.not. is_positive) exit
         length = sqrt(max(dot_product(step, matmul(precision, step)), 0.0_wp))
         if (length > 2) step = step*(2/length) ! and not over to the next hill
         part = 1
         do halvings = 1, max_halvings
            new = min(max(y + part*step, on%low), on%high)
            call look(on, new, new_height, new_slope, new_curvature, new_precision)
            if (new_height >= height) exit
            part = 0.5_wp*part
         end do
         if (halvings > max_halvings) exit
         length = maxval(abs(new - y)*diagonal_roots(precision))
         y = new
         height = new_height
         slope = new_slope
         curvature = new_curvature
         precision = new_precision
         if (length < 1.0e-11_wp) exit
      end do
      widths = 1/diagonal_roots(precision)
      held = (y <= on%low .and. slope < 0) .or. (y >= on%high .and. slope > 0)
      ! A top may be flat to rounding.
      call solve(1.0e-6_wp*precision - curvature, slope, held, step, is_mode)
      do i = 1, size(y)
         if (on%period(i) > 0) y(i) = into_period(y(i), on%ranges(i)%low, on%period(i))
      end do
   end subroutine climb

   pure function diagonal_roots(matrix) result(roots)
      real(wp), intent(in) :: matrix(:, :)
      real(wp) :: roots(size(matrix, 1))
      integer :: i

      do i = 1, size(roots)
         roots(i) = sqrt(matrix(i, i))
      end do
   end function diagonal_roots

   !> Height, its derivatives, and the mean precision sum r_k P_k at y.
   pure subroutine look(on, y, height, slope, curvature, precision)
      type(landscape), intent(in) :: on
      real(wp), intent(in) :: y(:)
      real(wp), intent(out) :: height, slope(:), curvature(:, :), precision(:, :)
      real(wp), parameter :: nothing = 40 !! exp(-nothing) is
      real(wp) :: pulls(size(y), size(on%log_weights)*n_images(on%period))
      real(wp) :: terms(size(pulls, 2)), z(size(y)), largest, r, total
      integer :: i, image, j, k, n

      n = n_images(on%period)
      do k = 1, size(on%log_weights)
         do image = 1, n
            j = image + n*(k - 1)
            z = y - on%means(:, k)
            do i = 1, size(y)
               if (on%period(i) > 0) z(i) = z(i) - on%period(i)*(anint(z(i)/on%period(i)) &
                  + image_shift(on%period, image, i))
            end do
            pulls(:, j) = -matmul(on%precisions(:, :, k), z)
            terms(j) = on%log_weights(k) + 0.5_wp*dot_product(z, pulls(:, j))
         end do
      end do
      largest = maxval(terms)
      total = 0
      slope = 0
      curvature = 0
      precision = 0
      do k = 1, size(on%log_weights)
         do image = 1, n
            j = image + n*(k - 1)
            if (terms(j) < largest - nothing) cycle
            r = exp(terms(j) - largest)
            total = total + r
            slope = slope + r*pulls(:, j)
            precision = precision + r*on%precisions(:, :, k)
            do i = 1, size(y)
               curvature(:, i) = curvature(:, i) + r*pulls(i, j)*pulls(:, j)
            end do
         end do
      end do
      height = largest + log(total)
      slope = slope/total
      precision = precision/total
      do i = 1, size(y)
         curvature(:, i) = curvature(:, i)/total - precision(:, i) - slope(i)*slope
      end do
      do i = 1, size(y)
         call add_range(on%ranges(i), y(i), height, slope(i), curvature(i, i))
      end do
   end subroutine look

   !> Add s(y), s'(y) and s''(y) of a range.
   pure subroutine add_range(range, y, height, slope, curvature)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: y
      real(wp), intent(inout) :: height, slope, curvature
      real(wp) :: change

      if (range%is_mapped()) height = height + log_slope(range, from_kernels(range, y), y)
      select case (range%kind)
      case (log_truncated)
         slope = slope - 1
      case (half_line)
         slope = slope + merge(-1, 1, range%low > -infinite)
      case (probit)
         slope = slope + y
         curvature = curvature + 1
      case (log_probit)
         change = log(range%high/range%low)*exp(-0.5_wp*y*y)/root_two_pi
         slope = slope + y - change
         curvature = curvature + 1 + y*change
      case default ! the target's own units
      end select
   end subroutine add_range

   !> matrix x = right by Cholesky's factors; x is zero where it is held.
   pure subroutine solve(matrix, right, held, x, is_positive)
      real(wp), intent(in) :: matrix(:, :), right(:)
      logical, intent(in) :: held(:)
      real(wp), intent(out) :: x(:)
      logical, intent(out) :: is_positive !! the matrix, where it is not held
      real(wp) :: l(size(x), size(x)), pivot
      integer :: i, j

      is_positive = .false.
      l = 0
      x = 0
      do j = 1, size(x)
         if (held(j)) then
            l(j, j) = 1
            cycle
         end if
         pivot = matrix(j, j) - sum(l(j, :j - 1)**2)
         if (.not. pivot > epsilon(pivot)*abs(matrix(j, j))) return
         l(j, j) = sqrt(pivot)
         do i = j + 1, size(x)
            if (.not. held(i)) l(i, j) = (matrix(i, j) - sum(l(i, :j - 1)*l(j, :j - 1)))/l(j, j)
         end do
         x(j) = (right(j) - sum(l(j, :j - 1)*x(:j - 1)))/l(j, j)
      end do
      do j = size(x), 1, -1
         x(j) = (x(j) - sum(l(j + 1:, j)*x(j + 1:)))/l(j, j)
      end do
      is_positive = .true.
   end subroutine solve

   !> Put a mode in its place among those found, unless it is there.
   pure subroutine insert(on, y, height, widths, found, heights, n)
      type(landscape), intent(in) :: on
      real(wp), intent(in) :: y(:), height, widths(:)
      real(wp), intent(inout) :: found(:, :), heights(:)
      integer, intent(inout) :: n
      real(wp), parameter :: near = 0.01_wp !! standard deviations
      real(wp) :: away(size(y))
      integer :: i, place

      do i = 1, n
         away = abs(found(:, i) - y)
         where (on%period > 0) away = min(away, on%period - away)
         if (all(away < near*widths)) return
      end do
      place = 1 + count(heights(:n) >= height)
      if (place > size(heights)) return
      n = min(n + 1, size(heights))
      do i = n, place + 1, -1
         found(:, i) = found(:, i - 1)
         heights(i) = heights(i - 1)
      end do
      found(:, place) = y
      heights(place) = height
   end subroutine insert

end module fmdn_modes
