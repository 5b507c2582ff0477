!> A minimiser that knows nothing of networks: limited-memory BFGS (Nocedal 1980, Math. Comp. 35,
!> 773) with a line search for the strong Wolfe conditions. Equation and algorithm numbers are those
!> of Nocedal & Wright (2006), Numerical Optimization, 2nd edition.
module fmdn_lbfgs
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
   use fmdn_kinds, only: wp
   use fmdn_status, only: stopped_decrease, stopped_failed, stopped_gradient, stopped_line_search, &
      stopped_max_iter, stopped_not_yet, stopped_out_of_memory
   implicit none (type, external)
   private
   public :: objective, lbfgs_options, minimise

   real(wp), parameter :: c1 = 1e-4_wp !! sufficient decrease, (3.7a)
   real(wp), parameter :: c2 = 0.9_wp !! curvature, (3.7b)
   real(wp), parameter :: least_cosine = 1e-10_wp !! between s and y of a pair that is kept
   real(wp), parameter :: infinite = 1e50_wp !! counts as infinite, so that no product overflows
   integer, parameter :: max_trials = 20 !! evaluations in one line search
   integer, parameter :: decrease_window = 10 !! iterations over which the decrease is judged

   !> What is minimised, with all the data that it needs.
   type, abstract :: objective
   contains
      procedure(evaluate_interface), deferred :: evaluate
      procedure(accepted_interface), deferred :: accepted
   end type objective

   abstract interface
      !> The function and its gradient. A NaN or an infinity in them says that x is out of bounds.
      subroutine evaluate_interface(self, x, f, g)
         import :: objective, wp
         implicit none (type, external)
         class(objective), intent(inout) :: self
         real(wp), intent(in) :: x(:) !! shape (n)
         real(wp), intent(out) :: f
         real(wp), intent(out) :: g(:) !! shape (n)
      end subroutine evaluate_interface

      !> Called at the start (iteration 0) and after each step that was taken, never at a rejected
      !> trial: the place to watch a monitor set and to record history. Nearly always `x` is the
      !> point evaluated last; where a line search ended without (3.7) it is an earlier one.
      subroutine accepted_interface(self, iteration, x, f, g, step, n_evaluations, stop)
         import :: objective, wp
         implicit none (type, external)
         class(objective), intent(inout) :: self
         integer, intent(in) :: iteration
         real(wp), intent(in) :: x(:) !! shape (n)
         real(wp), intent(in) :: f
         real(wp), intent(in) :: g(:) !! shape (n)
         real(wp), intent(in) :: step !! in units of the search direction; 0 at the start
         integer, intent(in) :: n_evaluations !! up to now
         integer, intent(out) :: stop !! stopped_not_yet to go on, else the reason to stop
      end subroutine accepted_interface
   end interface

   type :: lbfgs_options
      integer :: memory = 10 !! pairs kept; 0 is steepest descent
      integer :: max_iter = 1000
      real(wp) :: gradient_tolerance = 1e-6_wp !! stop when max |g| is below
      !> Stop when f has fallen by less than this times max(|f|, 1) in ten iterations.
      real(wp) :: decrease_tolerance = 1e-9_wp
   end type lbfgs_options

   !> The latest pairs s = x' - x and y = g' - g, in columns that are reused in turn.
   type :: pair_memory
      real(wp), allocatable :: s(:, :), y(:, :) !! shape (n, memory)
      real(wp), allocatable :: sy(:) !! s'y of each pair, shape (memory)
      real(wp), allocatable :: alpha(:) !! of algorithm 7.4, shape (memory)
      integer :: n_pairs = 0
      integer :: newest = 0 !! column of the latest pair
      real(wp) :: scale = 1 !! of the first matrix H0 = s'y / y'y, (7.20)
   end type pair_memory

   !> A point on the search line.
   type :: line_point
      real(wp) :: step = 0
      real(wp) :: f = 0
      real(wp) :: slope = 0 !! derivative of f by step
   end type line_point

contains

   !> Minimise `problem`, starting at `x`. Each step taken lowers f; `x` returns the lowest point.
   subroutine minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
      class(objective), intent(inout) :: problem
      real(wp), intent(inout) :: x(:) !! shape (n); unchanged when the reason is stopped_failed
      type(lbfgs_options), intent(in) :: options
      real(wp), intent(out) :: f !! at x; huge when it is not finite at the start
      integer, intent(out) :: reason !! stopped_* of fmdn_status, or what `accepted` gave
      integer, intent(out) :: n_iterations, n_evaluations
      type(pair_memory) :: memory
      real(wp), allocatable :: g(:), direction(:), x_new(:), g_new(:), g_low(:)
      real(wp) :: f_new, step, f_before(0:decrease_window - 1)
      logical :: found
      integer :: n, status

      f = huge(f)
      reason = stopped_failed
      n_iterations = 0
      n_evaluations = 0
      n = size(x)
      ! allow(C182): whichever of these fails
      allocate (g(n), direction(n), x_new(n), g_new(n), g_low(n), memory%s(n, options%memory), &
         memory%y(n, options%memory), memory%sy(options%memory), memory%alpha(options%memory), &
         stat=status)
      if (status /= 0) then
         reason = stopped_out_of_memory
         return
      end if

      call problem%evaluate(x, f_new, g)
      n_evaluations = 1
      if (.not. is_usable(f_new, g)) return
      f = f_new
      f_before(0) = f
      call problem%accepted(0, x, f, g, 0.0_wp, n_evaluations, reason)
      if (reason == stopped_not_yet) reason = reason_to_stop(options, f, g, 0, f_before)

      do while (reason == stopped_not_yet)
         call quasi_newton_direction(memory, g, direction)
         step = 1
         if (memory%n_pairs == 0) step = 1/max(1.0_wp, norm2(g))
         call line_search(problem, x, f, g, direction, step, x_new, f_new, g_new, g_low, &
            n_evaluations, found)
         if (.not. found) then
            if (memory%n_pairs == 0) reason = stopped_line_search
            memory%n_pairs = 0 ! once more, along the gradient
            cycle
         end if
         call remember(memory, x, g, x_new, g_new)
         x = x_new
         g = g_new
         f = f_new
         n_iterations = n_iterations + 1
         call problem%accepted(n_iterations, x, f, g, step, n_evaluations, reason)
         if (reason == stopped_not_yet) then
            reason = reason_to_stop(options, f, g, n_iterations, f_before)
         end if
         f_before(modulo(n_iterations, decrease_window)) = f
      end do
   end subroutine minimise

   !> The options' reason to stop here, if any.
   pure function reason_to_stop(options, f, g, iteration, f_before) result(reason)
      type(lbfgs_options), intent(in) :: options
      real(wp), intent(in) :: f, g(:)
      integer, intent(in) :: iteration
      real(wp), intent(in) :: f_before(0:) !! f of the last iterations, at modulo(iteration, window)
      integer :: reason
      real(wp) :: f_old

      reason = stopped_not_yet
      if (iteration >= options%max_iter) reason = stopped_max_iter
      if (iteration >= decrease_window) then
         f_old = f_before(modulo(iteration, decrease_window))
         if (f_old - f < options%decrease_tolerance*max(abs(f), abs(f_old), 1.0_wp)) then
            reason = stopped_decrease
         end if
      end if
      if (maxval(abs(g)) < options%gradient_tolerance) reason = stopped_gradient
   end function reason_to_stop

   !> direction = -H g, with H built from the pairs: algorithm 7.4.
   pure subroutine quasi_newton_direction(memory, g, direction)
      type(pair_memory), intent(inout) :: memory
      real(wp), intent(in) :: g(:)
      real(wp), intent(out) :: direction(:)
      integer :: age, i

      direction = -g
      if (memory%n_pairs == 0) return
      associate (s => memory%s, y => memory%y, sy => memory%sy, alpha => memory%alpha)
         do age = 0, memory%n_pairs - 1
            i = 1 + modulo(memory%newest - 1 - age, size(sy))
            alpha(i) = dot_product(s(:, i), direction)/sy(i)
            direction = direction - alpha(i)*y(:, i)
         end do
         direction = memory%scale*direction
         do age = memory%n_pairs - 1, 0, -1
            i = 1 + modulo(memory%newest - 1 - age, size(sy))
            direction = direction + (alpha(i) - dot_product(y(:, i), direction)/sy(i))*s(:, i)
         end do
      end associate
   end subroutine quasi_newton_direction

   !> Keep the pair of this step, over the oldest one, where it has curvature enough to keep H
   !> positive definite, and more than the rounding errors of the gradients.
   pure subroutine remember(memory, x, g, x_new, g_new)
      type(pair_memory), intent(inout) :: memory
      real(wp), intent(in) :: x(:), g(:), x_new(:), g_new(:)
      real(wp) :: sy, norm_y
      integer :: i

      if (size(memory%sy) == 0) return
      norm_y = norm2(g_new - g)
      sy = dot_product(x_new - x, g_new - g)
      if (sy <= least_cosine*norm2(x_new - x)*norm_y .or. norm_y <= epsilon(g)*norm2(g)) return
      i = 1 + modulo(memory%newest, size(memory%sy))
      memory%s(:, i) = x_new - x
      memory%y(:, i) = g_new - g
      memory%sy(i) = sy
      memory%scale = sy/norm_y/norm_y
      memory%newest = i
      memory%n_pairs = min(memory%n_pairs + 1, size(memory%sy))
   end subroutine remember

   !> Look along `direction` for a step that satisfies the strong Wolfe conditions (3.7): algorithms
   !> 3.5 and 3.6 in one loop. Such a step lies between `low`, the lowest so far, where f descends
   !> towards `high`, and `high`, which is infinite until a trial has gone too far.
   subroutine line_search(problem, x, f, g, direction, step, x_new, f_new, g_new, g_low, &
      n_evaluations, found)
      class(objective), intent(inout) :: problem
      real(wp), intent(in) :: x(:), f, g(:), direction(:)
      real(wp), intent(inout) :: step !! the first to try; the one found
      real(wp), intent(out) :: x_new(:), f_new, g_new(:) !! the point found
      real(wp), intent(out) :: g_low(:) !! workspace: the gradient at `low`
      integer, intent(inout) :: n_evaluations
      logical, intent(out) :: found !! a lower point; it may fail (3.7b) where the trials ran out
      type(line_point) :: low, high, trial, before
      real(wp) :: slope, width
      integer :: i

      found = .false.
      slope = 0
      if (norm2(direction) < infinite) slope = dot_product(g, direction)
      if (slope >= 0) return
      low = line_point(0.0_wp, f, slope)
      high%step = huge(step)

      do i = 1, max_trials
         x_new = x + step*direction
         call problem%evaluate(x_new, f_new, g_new)
         n_evaluations = n_evaluations + 1
         trial = line_point(step, huge(f), 0.0_wp)
         if (is_usable(f_new, g_new)) trial = line_point(step, f_new, dot_product(g_new, direction))

         if (trial%f > f + c1*step*slope .or. trial%f >= low%f) then
            high = trial
         else
            found = abs(trial%slope) <= c2*abs(slope)
            if (found) return
            before = low
            if ((trial%slope > 0) .eqv. (high%step > low%step)) high = low
            low = trial
            g_low = g_new
         end if

         if (high%step < huge(step)) then
            ! Rounding: nothing is left to gain in between, or no x.
            width = abs(high%step - low%step)
            if (width*abs(low%slope) <= epsilon(f)*abs(f)) exit
            if (all(width*abs(direction) <= epsilon(x)*abs(x))) exit
            step = cubic_minimiser(low, high, 0.01_wp, 0.9_wp, 0.5_wp)
         else
            step = cubic_minimiser(before, low, 2.0_wp, 5.0_wp, 5.0_wp)
         end if
      end do

      found = low%step > 0
      if (.not. found) return
      step = low%step
      x_new = x + step*direction
      f_new = low%f
      g_new = g_low
   end subroutine line_search

   !> Where the cubic through the values and slopes of `a` and `b` has its minimum (3.59), kept
   !> between the fractions `least` and `most` of the way from `a` to `b`; `default` if it has none.
   pure function cubic_minimiser(a, b, least, most, default) result(step)
      type(line_point), intent(in) :: a, b
      real(wp), intent(in) :: least, most, default
      real(wp) :: step, fraction, slope_a, slope_b, d1, d2, square, numerator, denominator

      fraction = default
      if (b%f < infinite) then
         slope_a = a%slope*(b%step - a%step)
         slope_b = b%slope*(b%step - a%step)
         d1 = slope_a + slope_b - 3*(b%f - a%f)
         square = d1**2 - slope_a*slope_b
         d2 = sqrt(max(square, 0.0_wp))
         numerator = d1 + d2 - slope_a
         denominator = slope_b - slope_a + 2*d2
         if (square >= 0 .and. abs(numerator) < 10*abs(denominator)) then
            fraction = min(max(numerator/denominator, least), most)
         end if
      end if
      step = a%step + fraction*(b%step - a%step)
   end function cubic_minimiser

   !> Is everything finite? No comparison here sees a NaN, so none traps.
   pure function is_usable(f, g) result(usable)
      real(wp), intent(in) :: f, g(:)
      logical :: usable

      usable = ieee_is_finite(f) .and. all(ieee_is_finite(g))
      if (usable) usable = abs(f) < infinite .and. all(abs(g) < infinite)
   end function is_usable

end module fmdn_lbfgs
