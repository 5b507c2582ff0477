!> Kernels that are cut off and wrapped: the loss against its definition, its gradient against
!> central differences, and the integral of the density, for each covariance and kind of range.
program test_restricted
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: normals
   use fmdn_kinds, only: wp
   use fmdn_mixture, only: diagonal, full, isotropic, mixture_loss, mixture_shape, mixture_work, &
      new_work, outputs_per_kernel
   use fmdn_restricted, only: new_restricted_work, restricted_gradient, restricted_loss, &
      restricted_work
   use fmdn_targets, only: infinite
   implicit none (type, external)
   integer, parameter :: qp = selected_real_kind(30)
   integer, parameter :: m = 32, n_kernels = 3, c = 2
   character(len=*), parameter :: names(0:4) = [character(len=12) :: "free", "bounded", &
      "half line", &
      "periodic", "both"]
   type(kernel_set) :: kernels
   integer :: level, covariance, kind

   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      do covariance = isotropic, full
         do kind = 0, 4
            if (covariance == full .and. kind /= 0 .and. kind /= 3) cycle
            call test_loss()
            call test_gradient()
            if (level == 0) call test_integral()
            call test_extremes()
         end do
      end do
      call test_translation()
   end do
   call finish()

contains

   function title() result(text)
      character(len=60) :: text

      write (text, "(a,i0,a,i0,2a)") "level ", level, ", covariance ", covariance, ", ", names(kind)
   end function title

   function example_shape() result(shape)
      type(mixture_shape) :: shape

      shape = mixture_shape(covariance, c, n_kernels)
      shape%low = [-infinite, -infinite]
      shape%high = [infinite, infinite]
      shape%period = [0.0_wp, 0.0_wp]
      if (kind == 1 .or. kind == 4) shape%low(1) = -0.8_wp
      if (kind == 1 .or. kind == 4) shape%high(1) = 1.1_wp
      if (kind == 2) shape%low(1) = -0.5_wp
      if (kind == 2) shape%high(2) = 0.7_wp
      if (kind == 3) shape%period(1) = 3.0_wp
      if (kind >= 3) shape%period(2) = 2.5_wp
   end function example_shape

   function example_outputs() result(outputs)
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels)

      outputs = reshape(normals(size(outputs), 3), shape(outputs))
   end function example_outputs

   !> Inside the ranges; anywhere on a circle.
   function example_targets() result(targets)
      real(wp) :: targets(m, c)
      type(mixture_shape) :: shape
      integer :: i

      shape = example_shape()
      targets = reshape(2*normals(m*c, 5), [m, c])
      do i = 1, c
         if (shape%low(i) > -infinite) targets(:, i) = shape%low(i) + abs(targets(:, i))
         if (shape%high(i) < infinite) targets(:, i) = min(targets(:, i), shape%high(i))
      end do
   end function example_targets

   subroutine evaluate(outputs, targets, losses, example_weights, gradient)
      real(wp), intent(in) :: outputs(:, :, :), targets(:, :)
      real(wp), intent(out) :: losses(m)
      real(wp), intent(in), optional :: example_weights(:)
      real(wp), intent(out), optional :: gradient(:, :, :)
      type(restricted_work) :: work
      integer :: status

      call new_restricted_work(example_shape(), m, work, status)
      call restricted_loss(kernels, example_shape(), m, outputs, targets, work, losses)
      if (.not. present(gradient)) return
      gradient = 0
      call restricted_gradient(kernels, example_shape(), m, outputs, targets, example_weights, &
         work, &
         gradient)
   end subroutine evaluate

   !> Diagonal kernels by their definition, in quadruple precision; free ones as `mixture_loss`.
   subroutine test_loss()
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels), targets(m, c), losses(m)
      real(wp) :: expected(m)
      real(qp) :: density, factor, sd, mean, d, p
      type(mixture_shape) :: shape
      type(mixture_work) :: work
      integer :: example, i, k, n, status

      outputs = example_outputs()
      targets = example_targets()
      shape = example_shape()
      call evaluate(outputs, targets, losses)
      if (kind == 0) then
         call new_work(shape, m, work, status)
         call mixture_loss(kernels, shape, m, outputs, targets, work, expected)
         call check_close(losses, expected, 1.0e-12_wp, trim(title()) // ": loss")
         return
      end if
      if (covariance == full) return
      do example = 1, m
         density = 0
         do k = 1, n_kernels
            factor = exp(outputs(example, 1, k))/sum(exp(outputs(example, 1, :)))
            do i = 1, c
               sd = exp(real(outputs(example, 3 + merge(i, 1, covariance == diagonal), k), qp))
               mean = outputs(example, 1 + i, k)
               d = targets(example, i) - mean
               p = probability(shape%low(i), shape%high(i), mean, sd)
               if (shape%period(i) > 0) then
                  d = d - shape%period(i)*anint(d/shape%period(i))
                  p = erf(1.5_qp*shape%period(i)/(sd*sqrt(2.0_qp)))
                  factor = factor*sum([(gaussian((d + n*shape%period(i))/sd), n=-1, 1)])/(sd*p)
               else
                  factor = factor*gaussian(d/sd)/(sd*p)
               end if
            end do
            density = density + factor
         end do
         expected(example) = real(-log(density), wp)
      end do
      call check_close(losses, expected, 1.0e-11_wp, trim(title()) // ": loss")
   end subroutine test_loss

   pure function gaussian(z) result(p)
      real(qp), intent(in) :: z
      real(qp) :: p

      p = exp(-0.5_qp*z*z)/sqrt(8*atan(1.0_qp))
   end function gaussian

   !> Between low and high, from the side where the tails are small.
   pure function probability(low, high, mean, sd) result(p)
      real(wp), intent(in) :: low, high
      real(qp), intent(in) :: mean, sd
      real(qp) :: p, a, b

      a = -100
      b = 100
      if (low > -infinite) a = (low - mean)/(sd*sqrt(2.0_qp))
      if (high < infinite) b = (high - mean)/(sd*sqrt(2.0_qp))
      p = merge(0.5_qp*(erfc(a) - erfc(b)), 0.5_qp*(erfc(-b) - erfc(-a)), a + b > 0)
   end function probability

   subroutine test_gradient()
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels), targets(m, c)
      real(wp), dimension(m, size(outputs, 2), n_kernels) :: gradient, shifted
      real(wp) :: example_weights(m), up(m), down(m)
      real(wp), parameter :: h = 1.0e-6_wp
      integer :: j, k

      outputs = example_outputs()
      targets = example_targets()
      example_weights = abs(normals(m, 8))
      call evaluate(outputs, targets, up, example_weights, gradient)
      do k = 1, n_kernels
         do j = 1, size(outputs, 2)
            shifted = outputs
            shifted(:, j, k) = outputs(:, j, k) + h
            call evaluate(shifted, targets, up)
            shifted(:, j, k) = outputs(:, j, k) - h
            call evaluate(shifted, targets, down)
            call check_close(gradient(:, j, k), example_weights*(up - down)/(2*h), &
               2.0e-8_wp*max(1.0_wp, maxval(abs(gradient(:, j, k)))), trim(title()) // ": gradient")
         end do
      end do
   end subroutine test_gradient

   !> The density of the first example over its ranges, by the midpoint rule: one. (Kernels of full
   !> covariance are narrow here: what they lose beyond their reach has no share in it.)
   subroutine test_integral()
      integer, parameter :: n = 160
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels), targets(m, c), losses(m)
      real(wp) :: low(c), width(c), total
      type(mixture_shape) :: shape
      integer :: i, j, t

      shape = example_shape()
      outputs = spread(0.5_wp*outputs_of_one(), 1, m)
      do i = 1, outputs_per_kernel(covariance, c) - 3
         if (covariance == full .and. i == 2) cycle
         outputs(:, 3 + i, :) = 0.4_wp*outputs(:, 3 + i, :) - 1
      end do
      where (shape%period > 0)
         low = 10 ! wherever a period begins
         width = shape%period
      else where
         low = max(shape%low, -6.0_wp)
         width = min(shape%high, 6.0_wp) - low
      end where
      total = 0
      do j = 1, n
         do i = 1, n, m
            targets(:, 1) = low(1) + width(1)*([(i + t - 0.5_wp, t=0, m - 1)])/n
            targets(:, 2) = low(2) + width(2)*(j - 0.5_wp)/n
            call evaluate(outputs, targets, losses)
            total = total + sum(exp(-losses))
         end do
      end do
      ! The rule errs by h**2/24 times the jump of the slope at an end; none on a circle.
      call check_close(total*product(width)/n**2, 1.0_wp, &
         merge(1.0e-9_wp, 1.0e-3_wp, all(shape%period > 0) .or. kind == 0), &
         trim(title()) // ": integral")
   end subroutine test_integral

   function outputs_of_one() result(outputs)
      real(wp) :: outputs(outputs_per_kernel(covariance, c), n_kernels)

      outputs = reshape(normals(size(outputs), 4), shape(outputs))
   end function outputs_of_one

   !> Whatever a network says, loss and gradient are numbers.
   subroutine test_extremes()
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels), targets(m, c), losses(m)
      real(wp), dimension(m, size(outputs, 2), n_kernels) :: gradient
      real(wp), parameter :: sizes(*) = [1.0e-9_wp, 30.0_wp, 1.0e4_wp, 1.0e12_wp]
      real(wp) :: example_weights(m)
      integer :: i

      targets = example_targets()
      example_weights = 1
      do i = 1, size(sizes)
         outputs = sizes(i)*example_outputs()
         if (covariance == full) outputs(:, 5, :) = min(max(outputs(:, 5, :), -1.0e4_wp), 1.0e4_wp)
         call evaluate(outputs, targets, losses, example_weights, gradient)
         call check(all(abs(losses) <= huge(1.0_wp)), trim(title()) // ": finite loss")
         call check(all(abs(gradient) <= huge(1.0_wp)), trim(title()) // ": finite gradient")
      end do
   end subroutine test_extremes

   !> Targets and means that are moved together, around the circle, give the same losses.
   subroutine test_translation()
      real(wp) :: targets(m, c), before(m), after(m)
      real(wp), allocatable :: outputs(:, :, :)

      kind = 3
      do covariance = isotropic, full
         outputs = example_outputs()
         targets = example_targets()
         call evaluate(outputs, targets, before)
         outputs(:, 2, :) = outputs(:, 2, :) + 41.7_wp
         targets(:, 1) = targets(:, 1) + 41.7_wp - 6*3.0_wp
         call evaluate(outputs, targets, after)
         call check_close(after, before, 1.0e-11_wp, trim(title()) // ": translation")
      end do
   end subroutine test_translation
end program test_restricted
