!> The minimiser: evaluations next to SciPy's, walls, hooks, reasons to stop, odd functions.
program test_lbfgs
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
   use fmdn_check, only: check, check_close, finish
   use fmdn_kinds, only: wp
   use fmdn_lbfgs, only: lbfgs_options, minimise, objective
   use fmdn_lbfgs_problems, only: badly_scaled, barely_lower, concave, constant, corner, &
      exploding, exponential, infinity_outside, linear, logistic, mild, minus_infinity_outside, &
      nan_gradient_outside, nan_outside, penalty, rarely_finite, recorded, rosenbrock, start, &
      wall_centre, wrong_gradient
   use fmdn_status, only: stopped_decrease, stopped_failed, stopped_gradient, stopped_line_search, &
      stopped_max_iter, stopped_patience
   implicit none (type, external)

   type(lbfgs_options), parameter :: defaults = lbfgs_options()
   !> Ends at the gradient alone, as SciPy does with ftol=0.
   type(lbfgs_options), parameter :: by_gradient = lbfgs_options(decrease_tolerance=0.0_wp)
   integer :: reason, n_iterations, n_evaluations
   real(wp) :: f

   call against_scipy()
   call walls()
   call the_hook()
   call reasons_to_stop()
   call odd_functions()
   call finish()

contains

   !> Minima and numbers of evaluations from the starts 1 to 5, next to those of SciPy 1.17.1:
   !> minimize(function, start, jac=True, method="L-BFGS-B",
   !>          options=dict(maxcor=10, gtol=1e-6, ftol=0, maxiter=10000, maxfun=100000)).
   !>
   !>     Rosenbrock, n = 2      26   31   33   51   40
   !>     Rosenbrock, n = 100   602  609  617  614  607
   !>     badly scaled, n = 6   104  110  111   91  117
   !>     logistic, n = 12      108   77   99   85   97
   !>
   !> The long runs are chaotic: a last digit changes single counts by a fifth, hence the totals.
   !> A gradient below 1e-6 leaves f - minimum <= n 1e-12 / (2 h), h the least curvature there:
   !> 0.399, 0.4987, 1 and `penalty`.
   subroutine against_scipy()
      real(wp), parameter :: zero(5) = 0, local = 3.986623854269_wp
      real(wp), parameter :: logistic_minimum = 0.499676271374912_wp ! SciPy with gtol=1e-10

      call compare(rosenbrock, 2, zero, 2.6e-12_wp, 181, "Rosenbrock, n = 2")
      ! The fourth start leads to the local minimum near x_1 = -1; there SciPy goes, too.
      call compare(rosenbrock, 100, [0.0_wp, 0.0_wp, 0.0_wp, local, 0.0_wp], 1.1e-10_wp, 3049, &
         "Rosenbrock, n = 100")
      call compare(badly_scaled, 6, zero, 3e-12_wp, 533, "badly scaled quadratic, n = 6")
      call compare(logistic, 12, spread(logistic_minimum, 1, 5), 12e-12_wp/(2*penalty), 466, &
         "logistic regression, n = 12")
   end subroutine against_scipy

   subroutine compare(compute, n, minimum, tolerance, scipy_evaluations, name)
      interface
         subroutine compute(x, f, g)
            import :: wp
            implicit none (type, external)
            real(wp), intent(in) :: x(:)
            real(wp), intent(out) :: f, g(:)
         end subroutine compute
      end interface
      integer, intent(in) :: n, scipy_evaluations
      real(wp), intent(in) :: minimum(:), tolerance
      character(*), intent(in) :: name
      type(recorded) :: problem
      real(wp) :: x(n)
      integer :: s, total

      total = 0
      do s = 1, size(minimum)
         problem = recorded(compute=compute)
         x = start(n, s)
         call minimise(problem, x, by_gradient, f, reason, n_iterations, n_evaluations)
         total = total + n_evaluations
         call check(reason == stopped_gradient, name // ": ends at the gradient")
         call check_close(f, minimum(s), tolerance, name // ": minimum")
         call check_reports(problem, x, name)
         call check(problem%strong_wolfe, name // ": strong Wolfe conditions")
         call check(problem%step_scaled, name // ": length of the first step")
      end do
      print "(2a,i0,a,i0)", name, ": evaluations ", total, ", SciPy ", scipy_evaluations
      call check(10*total <= 13*scipy_evaluations, name // ": evaluations within 1.3 of SciPy's")
   end subroutine compare

   !> What minimise returns agrees with what the hook saw and with the function.
   subroutine check_reports(problem, x, name)
      class(recorded), intent(inout) :: problem
      real(wp), intent(in) :: x(:)
      character(*), intent(in) :: name
      real(wp) :: f_again, g_again(size(x))

      call check(problem%in_order, name // ": hook called in order")
      call check(problem%lower, name // ": every step lowers f")
      call check(problem%finite, name // ": hook sees finite numbers")
      call check(n_iterations == problem%n_accepted - 1, name // ": number of iterations")
      call check(n_evaluations == problem%n_calls, name // ": number of evaluations")
      call check_close(x, problem%x, 0.0_wp, name // ": x is the last point taken")
      call problem%compute(x, f_again, g_again)
      call check_close(f, f_again, 0.0_wp, name // ": f belongs to x")
      call check_close(problem%g, g_again, 0.0_wp, name // ": g belongs to x")
   end subroutine check_reports

   !> NaN and infinities beside the minimum are stepped back from, and seen by nobody.
   subroutine walls()
      type(recorded) :: problem
      real(wp) :: x(3)
      integer :: i

      do i = 1, 4
         problem = recorded()
         if (i == 1) problem%compute => nan_outside
         if (i == 2) problem%compute => infinity_outside
         if (i == 3) problem%compute => nan_gradient_outside
         if (i == 4) problem%compute => minus_infinity_outside
         x = [0.5_wp, 1.0_wp, 2.0_wp]
         call minimise(problem, x, by_gradient, f, reason, n_iterations, n_evaluations)
         call check(problem%n_not_finite > 0, "wall: it was in the way")
         call check(reason == stopped_gradient, "wall: minimum reached")
         ! Curvature there is 1/c.
         call check_close(x, spread(wall_centre, 1, 3), 1.1e-6_wp*wall_centre, "wall: minimum")
         call check_reports(problem, x, "wall")

         problem%n_accepted = 0
         x = [1.0_wp, -1.0_wp, 1.0_wp]
         call minimise(problem, x, by_gradient, f, reason, n_iterations, n_evaluations)
         call check(reason == stopped_failed, "start behind the wall: reason")
         call check_close(x, [1.0_wp, -1.0_wp, 1.0_wp], 0.0_wp, "start behind the wall: x stays")
         call check(ieee_is_finite(f), "start behind the wall: f is finite")
         call check(problem%n_accepted == 0, "start behind the wall: hook not called")
         call check(n_iterations == 0 .and. n_evaluations == 1, "start behind the wall: counts")
      end do
   end subroutine walls

   !> The hook's wish to stop is granted at once, for its reason.
   subroutine the_hook()
      type(recorded) :: problem
      real(wp) :: x(10), again(10)

      problem = recorded(compute=rosenbrock, stop_at=7, stop_reason=stopped_patience)
      x = start(10, 1)
      call minimise(problem, x, defaults, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_patience, "hook: its reason is returned")
      call check(n_iterations == 7, "hook: stops where it says")
      call check_reports(problem, x, "hook")

      problem = recorded(compute=rosenbrock, stop_at=0, stop_reason=42)
      x = start(10, 1)
      call minimise(problem, x, defaults, f, reason, n_iterations, n_evaluations)
      call check(reason == 42, "hook at the start: its reason is returned")
      call check(n_iterations == 0 .and. n_evaluations == 1, "hook at the start: no step")
      call check_close(x, start(10, 1), 0.0_wp, "hook at the start: x unchanged")

      ! The hook goes before the options: here both would stop.
      problem = recorded(compute=constant, stop_at=0, stop_reason=stopped_patience)
      call minimise(problem, x, defaults, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_patience, "hook: goes before the options")

      problem = recorded(compute=rosenbrock)
      x = start(10, 1)
      call minimise(problem, x, defaults, f, reason, n_iterations, n_evaluations)
      problem = recorded(compute=rosenbrock)
      again = start(10, 1)
      call minimise(problem, again, defaults, f, reason, n_iterations, n_evaluations)
      call check_close(again, x, 0.0_wp, "the same run gives the same bits")
   end subroutine the_hook

   subroutine reasons_to_stop()
      type(recorded) :: problem
      type(lbfgs_options) :: options
      real(wp) :: x(20), g(20), one(1)
      integer :: k, memory, with_less
      logical :: small

      do k = 0, 5, 5
         problem = recorded(compute=rosenbrock)
         x = start(20, 1)
         options = lbfgs_options(max_iter=k)
         call minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
         call check(reason == stopped_max_iter .and. n_iterations == k, "max_iter: stops there")
         call check_reports(problem, x, "max_iter")
      end do

      problem = recorded(compute=rosenbrock)
      x = 1
      call minimise(problem, x, defaults, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_gradient, "start at the minimum: reason")
      call check(n_iterations == 0 .and. n_evaluations == 1, "start at the minimum: no step")
      call check_close(x, spread(1.0_wp, 1, 20), 0.0_wp, "start at the minimum: x unchanged")

      ! The gradient is judged by its largest element, at the first point where it is small enough.
      problem = recorded(compute=rosenbrock)
      x = start(20, 2)
      options = lbfgs_options(gradient_tolerance=1e-2_wp, decrease_tolerance=0.0_wp)
      call minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
      call rosenbrock(x, f, g)
      call check(reason == stopped_gradient .and. maxval(abs(g)) < 1e-2_wp, "gradient: is small")
      problem = recorded(compute=rosenbrock)
      x = start(20, 2)
      options%max_iter = n_iterations - 1
      call minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
      call rosenbrock(x, f, g)
      call check(reason == stopped_max_iter .and. maxval(abs(g)) >= 1e-2_wp, "gradient: no sooner")

      ! f falls by less than 10^-4 max(f, 1) in ten iterations at the last point, and not before.
      problem = recorded(compute=rosenbrock)
      x = start(20, 1)
      options = lbfgs_options(gradient_tolerance=0.0_wp, decrease_tolerance=1e-4_wp)
      call minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_decrease .and. n_iterations > 10, "decrease: reason")
      do k = 10, n_iterations
         associate (old => problem%f(k - 9), new => problem%f(k + 1))
            small = old - new < 1e-4_wp*max(old, 1.0_wp)
         end associate
         call check(small .eqv. k == n_iterations, "decrease: judged over ten iterations")
      end do

      ! All the gradient is below 10^-6, and the curvature is i.
      with_less = huge(with_less)
      do memory = 0, 2
         problem = recorded(compute=mild)
         x = 0
         options = lbfgs_options(memory=memory, decrease_tolerance=0.0_wp)
         call minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
         call check(reason == stopped_gradient, "memory of 0, 1, 2: reason")
         call check_close(x, [(real(k, wp), k=1, 20)], 1.1e-6_wp, "memory of 0, 1, 2: minimum")
         if (memory < 2) call check(n_evaluations < with_less/2, "memory of 0, 1: it helps")
         with_less = n_evaluations
      end do

      ! Where rounding ends the descent it is soon noticed, be the minimum zero or not.
      options = lbfgs_options(gradient_tolerance=0.0_wp, decrease_tolerance=0.0_wp)
      do k = 1, 2
         problem = recorded()
         if (k == 1) problem%compute => rosenbrock
         if (k == 2) problem%compute => logistic
         x(:12) = -0.5_wp
         call minimise(problem, x(:12), options, f, reason, n_iterations, n_evaluations)
         call check(reason == stopped_line_search, "rounding: reason")
         call check(n_evaluations - problem%n_calls_accepted <= 10, "rounding: soon noticed")
      end do

      problem = recorded(compute=barely_lower)
      one = 0
      call minimise(problem, one, by_gradient, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_gradient .and. problem%strong_wolfe, "sufficient decrease")

      do k = -3, 3
         problem = recorded(compute=exponential)
         one = k + 0.5_wp
         call minimise(problem, one, by_gradient, f, reason, n_iterations, n_evaluations)
         call check(reason == stopped_gradient .and. n_evaluations < 20, "one dimension: reason")
         call check_close(one, [log(2.0_wp)], 0.6e-6_wp, "one dimension: minimum")
      end do
   end subroutine reasons_to_stop

   !> Functions without a minimum, and functions that lie: it ends, no higher than it started.
   subroutine odd_functions()
      integer, parameter :: most_trials = 40 ! an iteration: quasi-Newton, then along the gradient
      type(recorded) :: problem
      type(rarely_finite) :: rare
      type(lbfgs_options) :: options
      real(wp) :: x(3)
      integer :: i

      problem = recorded(compute=constant)
      x = [1.0_wp, 2.0_wp, 3.0_wp]
      call minimise(problem, x, defaults, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_gradient .and. n_evaluations == 1, "flat: stops at the start")
      problem = recorded(compute=constant)
      options = lbfgs_options(gradient_tolerance=0.0_wp)
      call minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_line_search .and. n_evaluations == 1, "flat: no way down")
      call check_close(x, [1.0_wp, 2.0_wp, 3.0_wp], 0.0_wp, "flat: x unchanged")

      do i = 1, 3
         problem = recorded()
         if (i == 1) problem%compute => linear
         if (i == 2) problem%compute => concave
         if (i == 3) problem%compute => exploding
         x = [1.0_wp, 2.0_wp, 3.0_wp]
         options = lbfgs_options(max_iter=200)
         call minimise(problem, x, options, f, reason, n_iterations, n_evaluations)
         call check(any(reason == [stopped_max_iter, stopped_line_search]), "unbounded: ends")
         call check(n_evaluations <= 1 + most_trials*(n_iterations + 1), "unbounded: evaluations")
         call check(f < -1e6_wp, "unbounded: goes far down")
         call check(all(ieee_is_finite(x)), "unbounded: x is finite")
         call check_reports(problem, x, "unbounded")
      end do

      problem = recorded(compute=wrong_gradient)
      x = [5.0_wp, 5.0_wp, 5.0_wp]
      call minimise(problem, x, defaults, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_line_search .and. n_iterations == 0, "wrong gradient: gives up")
      call check(n_evaluations <= most_trials, "wrong gradient: soon")
      call check_close(x, [5.0_wp, 5.0_wp, 5.0_wp], 0.0_wp, "wrong gradient: x unchanged")

      problem = recorded(compute=corner)
      x = [1.0_wp, 2.0_wp, 3.5_wp]
      call minimise(problem, x, by_gradient, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_line_search, "corner: gives up")
      call check_reports(problem, x, "corner")

      ! Each quasi-Newton step fails; the step along the gradient that follows brings it there.
      rare%compute => mild
      x = 0
      call minimise(rare, x, by_gradient, f, reason, n_iterations, n_evaluations)
      call check(reason == stopped_gradient .and. n_iterations > 2, "once more: gets there")
      call check_close(x, [1.0_wp, 2.0_wp, 3.0_wp], 1e-6_wp, "once more: minimum")
      call check(n_evaluations > 20*(n_iterations - 1), "once more: after the other has failed")
   end subroutine odd_functions
end program test_lbfgs
