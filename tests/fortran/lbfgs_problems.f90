!> Functions to minimise, and one recorder that watches every step taken on them.
module fmdn_lbfgs_problems
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite, ieee_negative_inf, ieee_positive_inf, &
      ieee_quiet_nan, ieee_value
   use fmdn_kinds, only: wp
   use fmdn_lbfgs, only: objective
   use fmdn_status, only: stopped_not_yet
   implicit none (type, external)
   private
   public :: recorded, rarely_finite, start
   public :: rosenbrock, badly_scaled, logistic, mild, exponential, constant
   public :: linear, barely_lower, concave, exploding, wrong_gradient, corner
   public :: nan_outside, infinity_outside, nan_gradient_outside, minus_infinity_outside

   real(wp), parameter, public :: penalty = 1e-5_wp !! of the logistic regression
   real(wp), parameter, public :: wall_centre = 0.01_wp !! minimum of the functions with a wall at 0

   abstract interface
      subroutine function_and_gradient(x, f, g)
         import :: wp
         implicit none (type, external)
         real(wp), intent(in) :: x(:)
         real(wp), intent(out) :: f, g(:)
      end subroutine function_and_gradient
   end interface

   !> A function, and what its minimiser said about the steps it took.
   type, extends(objective) :: recorded
      procedure(function_and_gradient), nopass, pointer :: compute => null()
      integer :: stop_at = -1, stop_reason = stopped_not_yet
      integer :: n_calls = 0, n_not_finite = 0, n_accepted = 0
      integer :: n_calls_accepted = 0 !! when the last step was taken
      logical :: in_order = .true. !! iterations 0, 1, 2, ... and the right count of evaluations
      logical :: lower = .true. !! every step lowers f
      logical :: strong_wolfe = .true. !! every step satisfies both conditions
      logical :: finite = .true.
      logical :: step_scaled = .true. !! first step min(1, 1/|g|) along -g
      real(wp), allocatable :: x(:), g(:), f(:) !! the last point; f of every one
   contains
      procedure :: evaluate => evaluate_recorded
      procedure :: accepted => accepted_recorded
   end type recorded

   !> NaN everywhere but along the gradient from the last point: quasi-Newton steps fail.
   type, extends(recorded) :: rarely_finite
   contains
      procedure :: evaluate => evaluate_rarely
   end type rarely_finite

contains

   subroutine evaluate_recorded(self, x, f, g)
      class(recorded), intent(inout) :: self
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)
      real(wp) :: first_step

      call self%compute(x, f, g)
      if (.not. (ieee_is_finite(f) .and. all(ieee_is_finite(g)))) then
         self%n_not_finite = self%n_not_finite + 1
      end if
      self%n_calls = self%n_calls + 1
      if (self%n_calls == 2 .and. allocated(self%g)) then
         first_step = min(1.0_wp, 1/norm2(self%g))
         self%step_scaled = all(abs(x - self%x + first_step*self%g) <= 1e-14_wp*(1 + abs(self%x)))
      end if
   end subroutine evaluate_recorded

   subroutine evaluate_rarely(self, x, f, g)
      class(rarely_finite), intent(inout) :: self
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)
      real(wp) :: cosine

      call self%recorded%evaluate(x, f, g)
      if (.not. allocated(self%x)) return
      cosine = -dot_product(x - self%x, self%g)/(norm2(x - self%x)*norm2(self%g))
      if (cosine < 1 - 1e-9_wp) f = ieee_value(f, ieee_quiet_nan)
   end subroutine evaluate_rarely

   subroutine accepted_recorded(self, iteration, x, f, g, step, n_evaluations, stop)
      class(recorded), intent(inout) :: self
      integer, intent(in) :: iteration, n_evaluations
      real(wp), intent(in) :: x(:), f, g(:), step
      integer, intent(out) :: stop
      real(wp) :: slope_before, slope

      if (iteration /= self%n_accepted .or. n_evaluations /= self%n_calls) self%in_order = .false.
      if (.not. (ieee_is_finite(f) .and. all(ieee_is_finite(g)))) self%finite = .false.
      if (iteration == 0) then
         if (step > 0) self%in_order = .false.
         self%f = [f]
      else
         if (step <= 0) self%in_order = .false.
         if (f >= self%f(iteration)) self%lower = .false.
         slope_before = dot_product(self%g, x - self%x)
         slope = dot_product(g, x - self%x)
         ! The last digits of x - self%x are lost; the minimiser's slopes are better.
         if (f > self%f(iteration) + 1e-4_wp*slope_before*(1 - 1e-6_wp) + 1e-15_wp*abs(f)) then
            self%strong_wolfe = .false.
         end if
         if (abs(slope) > 0.9_wp*abs(slope_before)*(1 + 1e-6_wp)) self%strong_wolfe = .false.
         self%f = [self%f, f]
      end if
      self%x = x
      self%g = g
      self%n_accepted = self%n_accepted + 1
      self%n_calls_accepted = self%n_calls
      stop = stopped_not_yet
      if (iteration == self%stop_at) stop = self%stop_reason
   end subroutine accepted_recorded

   !> Start number `s` in `n` dimensions.
   pure function start(n, s) result(x)
      integer, intent(in) :: n, s
      real(wp) :: x(n)
      integer :: i

      x = [(2*sin(real(i*s, wp)), i=1, n)]
   end function start

   !> Rosenbrock's valley, chained: sum of 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2.
   subroutine rosenbrock(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)
      integer :: i
      real(wp) :: d

      f = 0
      g = 0
      do i = 1, size(x) - 1
         d = x(i + 1) - x(i)**2
         f = f + 100*d**2 + (1 - x(i))**2
         g(i) = g(i) - 400*x(i)*d - 2*(1 - x(i))
         g(i + 1) = g(i + 1) + 200*d
      end do
   end subroutine rosenbrock

   !> Sum of h_i (x_i - 1)^2 / 2 with h from 1 to 10^8 in equal ratios.
   subroutine badly_scaled(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)
      integer :: i

      g = [(10**(8*real(i - 1, wp)/(size(x) - 1))*(x(i) - 1), i=1, size(x))]
      f = dot_product(g, x - 1)/2
   end subroutine badly_scaled

   !> Logistic regression on 200 examples a_i with labels t_i: mean of log(1 + exp(-t_i a_i'x)) plus
   !> penalty |x|^2 / 2, where a_ij = sin(0.7 i j + 0.1 i^2) 10^(-(j-1)/4) and t_i = +-1 is the sign
   !> of sum_j a_ij + sin(1.3 i^2). The curvatures at the minimum lie between 1e-5 and 0.07.
   subroutine logistic(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)
      integer, parameter :: n = 200
      real(wp) :: a(size(x)), t, z
      integer :: i, j

      f = penalty*dot_product(x, x)/2
      g = penalty*x
      do i = 1, n
         a = [(sin(0.7_wp*i*j + 0.1_wp*i**2)*10**(-0.25_wp*(j - 1)), j=1, size(x))]
         t = sign(1.0_wp, sum(a) + sin(1.3_wp*i**2))
         z = t*dot_product(a, x)
         f = f + (max(-z, 0.0_wp) + log(1 + exp(-abs(z))))/n
         g = g - t*a/(1 + exp(z))/n
      end do
   end subroutine logistic

   !> Sum of i (x_i - i)^2 / 2.
   subroutine mild(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)
      integer :: i

      g = [(i*(x(i) - i), i=1, size(x))]
      f = sum([(i*(x(i) - i)**2, i=1, size(x))])/2
   end subroutine mild

   !> Sum of exp(x_i) - 2 x_i, lowest at log 2.
   subroutine exponential(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      f = sum(exp(x) - 2*x)
      g = exp(x) - 2
   end subroutine exponential

   subroutine constant(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      f = 7
      g = 0*x
   end subroutine constant

   !> Falls for ever at the same rate, but for the last digit of the gradient.
   subroutine linear(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      f = -sum(x)
      g = -1 + merge(epsilon(f)/2, 0.0_wp, sin(x) > 0)
   end subroutine linear

   !> From 0 the first step goes to 1, where the slope is small enough but f lower by 10^-5 only.
   subroutine barely_lower(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)
      real(wp), parameter :: b = 1.5_wp - 3e-5_wp, c = -0.5_wp + 2e-5_wp

      f = sum(-x + b*x**2 + c*x**3)
      g = -1 + 2*b*x + 3*c*x**2
   end subroutine barely_lower

   subroutine concave(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      f = -sum(x**2)
      g = -2*x
   end subroutine concave

   !> -exp(x), minus infinity where that overflows.
   subroutine exploding(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      f = ieee_value(f, ieee_negative_inf)
      g = f
      if (maxval(x) > 700) return
      f = -sum(exp(x))
      g = -exp(x)
   end subroutine exploding

   !> The gradient has the wrong sign.
   subroutine wrong_gradient(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      call mild(x, f, g)
      g = -g
   end subroutine wrong_gradient

   !> Sum of |x_i|: no smooth minimum.
   subroutine corner(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      f = sum(abs(x))
      g = sign(1.0_wp, x)
   end subroutine corner

   !> Sum of x_i - c log(x_i), lowest at x_i = c, close to the wall at 0.
   subroutine nan_outside(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      f = ieee_value(f, ieee_quiet_nan)
      g = f
      if (minval(x) <= 0) return
      f = sum(x - wall_centre*log(x))
      g = 1 - wall_centre/x
   end subroutine nan_outside

   subroutine infinity_outside(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      call nan_outside(x, f, g)
      if (minval(x) > 0) return
      f = ieee_value(f, ieee_positive_inf)
      g = 0
   end subroutine infinity_outside

   !> Beyond the wall f looks like a fine minimum; only one element of the gradient tells.
   subroutine nan_gradient_outside(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      call nan_outside(x, f, g)
      if (minval(x) > 0) return
      f = -1e10_wp
      g = 0
      g(size(g)) = ieee_value(f, ieee_quiet_nan)
   end subroutine nan_gradient_outside

   subroutine minus_infinity_outside(x, f, g)
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f, g(:)

      call nan_outside(x, f, g)
      if (minval(x) > 0) return
      f = ieee_value(f, ieee_negative_inf)
      g = 0
   end subroutine minus_infinity_outside
end module fmdn_lbfgs_problems
