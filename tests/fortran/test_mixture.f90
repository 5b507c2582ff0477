!> The mixture's loss against its definition, its gradient against central differences, and both
!> where numbers get out of hand: isotropic, diagonal and full kernels of one to three targets, on
!> every instruction set of this processor.
program test_mixture
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_evaluate, only: mixture_log_density
   use fmdn_examples, only: normals
   use fmdn_kinds, only: log_two_pi, pi, wp
   use fmdn_mixture, only: diagonal, factor_row, full, isotropic, log_scale_max, log_scale_min, &
      mixture_gradient, mixture_loss, mixture_of_outputs, mixture_shape, mixture_work, new_work, &
      outputs_per_kernel, precision_factor
   implicit none (type, external)
   integer, parameter :: m = 16, n_kernels = 3
   type(kernel_set) :: kernels
   integer :: level, covariance, c
   character(len=50) :: name

   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      do covariance = isotropic, full
         do c = 1, 3
            write (name, "(3(a,i0))") "level ", level, ", covariance ", covariance, ", targets ", c
            call test_places()
            call test_loss()
            call test_gradient()
            call test_example_weights()
            call test_clamp()
            call test_extremes()
            call test_mixture_of_outputs()
         end do
      end do
   end do
   call test_precision_factor()
   call finish()

contains

   function example_shape() result(shape)
      type(mixture_shape) :: shape

      shape = mixture_shape(covariance, c, n_kernels)
   end function example_shape

   function example_outputs(seed) result(outputs)
      integer, intent(in) :: seed
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels)

      outputs = reshape(normals(size(outputs), seed), shape(outputs))
   end function example_outputs

   function example_targets() result(targets)
      real(wp) :: targets(m, c)

      targets = reshape(2*normals(m*c, 99), [m, c])
   end function example_targets

   !> Losses of all examples.
   function losses_of(outputs, targets) result(losses)
      real(wp), intent(in) :: outputs(:, :, :), targets(:, :)
      real(wp) :: losses(m)
      type(mixture_work) :: work
      integer :: status

      call new_work(example_shape(), m, work, status)
      call mixture_loss(kernels, example_shape(), m, outputs, targets, work, losses)
   end function losses_of

   !> Derivatives of sum(example_weights*losses).
   function gradient_of(outputs, targets, example_weights) result(gradient)
      real(wp), intent(in) :: outputs(:, :, :), targets(:, :), example_weights(:)
      real(wp) :: gradient(m, outputs_per_kernel(covariance, c), n_kernels)
      real(wp) :: losses(m)
      type(mixture_work) :: work
      integer :: status

      call new_work(example_shape(), m, work, status)
      call mixture_loss(kernels, example_shape(), m, outputs, targets, work, losses)
      gradient = 0
      call mixture_gradient(kernels, example_shape(), m, outputs, targets, example_weights, work, &
         gradient)
   end function gradient_of

   !> Logit, mean, and the elements of U fill a kernel's outputs, each place once.
   subroutine test_places()
      integer :: i, j
      integer, allocatable :: places(:)

      places = [(1 + i, i=0, c)]
      if (covariance == full) then
         places = [places, [((factor_row(c, i, j), i=1, j), j=1, c)]]
      else
         places = [places, [(1 + c + i, i=1, merge(c, 1, covariance == diagonal))]]
      end if
      call check(size(places) == outputs_per_kernel(covariance, c), trim(name) // ": outputs")
      call check(all([(count(places == i) == 1, i=1, size(places))]), trim(name) // ": places")
   end subroutine test_places

   !> sum_j a_j N(t; mean_j, covariance_j), with the covariances inverted by hand.
   subroutine test_loss()
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels), targets(m, c)
      real(wp) :: expected(m), density, u(c, c), residual(c), total
      integer :: example, i, j, k

      outputs = example_outputs(1)
      targets = example_targets()
      do example = 1, m
         density = 0
         total = 0
         do k = 1, n_kernels
            u = 0
            do j = 1, c
               select case (covariance)
               case (isotropic)
                  u(j, j) = 1/exp(outputs(example, 2 + c, k))
               case (diagonal)
                  u(j, j) = 1/exp(outputs(example, 1 + c + j, k))
               case default
                  u(j, j) = 1/exp(outputs(example, 1 + c + j*(j + 1)/2, k))
                  do i = 1, j - 1
                     u(i, j) = outputs(example, 1 + c + j*(j - 1)/2 + i, k)
                  end do
               end select
            end do
            residual = targets(example, :) - outputs(example, 2:1 + c, k)
            density = density + exp(outputs(example, 1, k))*product([(u(i, i), i=1, c)]) &
               /sqrt((2*pi)**c) &
               *exp(-0.5_wp*dot_product(residual, matmul(matmul(transpose(u), u), residual)))
            total = total + exp(outputs(example, 1, k))
         end do
         expected(example) = -log(density/total)
      end do
      call check_close(losses_of(outputs, targets)/expected, spread(1.0_wp, 1, m), 1e-12_wp, &
         trim(name) // ": loss")
   end subroutine test_loss

   subroutine test_gradient()
      real(wp), parameter :: h = 1e-5_wp
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels), targets(m, c)
      real(wp), dimension(m, outputs_per_kernel(covariance, c), n_kernels) :: gradient, differences
      real(wp) :: up(m), down(m), keep(m)
      integer :: row, k

      outputs = example_outputs(2)
      targets = example_targets()
      gradient = gradient_of(outputs, targets, spread(1.0_wp, 1, m))
      do k = 1, n_kernels
         do row = 1, size(outputs, 2)
            keep = outputs(:, row, k)
            outputs(:, row, k) = keep + h
            up = losses_of(outputs, targets)
            outputs(:, row, k) = keep - h
            down = losses_of(outputs, targets)
            outputs(:, row, k) = keep
            differences(:, row, k) = (up - down)/(2*h)
         end do
      end do
      call check_close(norm2(gradient - differences)/norm2(gradient), 0.0_wp, 1e-8_wp, &
         trim(name) // ": gradient")
      call check_close(maxval(abs(gradient - differences)/(abs(gradient) + 1e-2_wp)), 0.0_wp, &
         1e-6_wp, trim(name) // ": every element of the gradient")
   end subroutine test_gradient

   !> Each example counts by its weight, and not at all with none.
   subroutine test_example_weights()
      real(wp), dimension(m, outputs_per_kernel(covariance, c), n_kernels) :: outputs, gradient
      real(wp), dimension(m, outputs_per_kernel(covariance, c), n_kernels) :: weighted
      real(wp) :: example_weights(m)
      integer :: example

      outputs = example_outputs(3)
      gradient = gradient_of(outputs, example_targets(), spread(1.0_wp, 1, m))
      example_weights = [(0.25_wp*(example - 1), example=1, m)]
      weighted = gradient_of(outputs, example_targets(), example_weights)
      do example = 1, m
         gradient(example, :, :) = example_weights(example)*gradient(example, :, :)
      end do
      call check_close(norm2(weighted - gradient), 0.0_wp, 1e-14_wp*norm2(gradient), &
         trim(name) // ": weights of examples")
      call check(all(abs(weighted(1, :, :)) <= 0), trim(name) // ": no weight, no gradient")
   end subroutine test_example_weights

   !> Beyond its bounds s acts as if it were at them, in the quadratic form and the determinant.
   subroutine test_clamp()
      real(wp), dimension(m, outputs_per_kernel(covariance, c), n_kernels) :: outputs, gradient
      real(wp) :: at_bound(m), targets(m, c)
      real(wp), parameter :: bounds(2) = [log_scale_min, log_scale_max]
      integer :: bound, i, row

      targets = example_targets()
      do bound = 1, 2
         do i = 1, merge(1, c, covariance == isotropic)
            row = merge(factor_row(c, i, i), 1 + c + i, covariance == full)
            outputs = example_outputs(4)
            outputs(:, row, :) = bounds(bound)
            at_bound = losses_of(outputs, targets)
            outputs(:, row, :) = bounds(bound) + merge(-50, 50, bound == 1)
            call check_close(losses_of(outputs, targets), at_bound, 0.0_wp, &
               trim(name) // ": clamped in both places")
            gradient = gradient_of(outputs, targets, spread(1.0_wp, 1, m))
            call check(all(abs(gradient(:, row, :)) <= 0), &
               trim(name) // ": the loss does not depend on a clamped s")
            call check(any(abs(gradient(:, 2, :)) > 0), trim(name) // ": but on the mean")
         end do
      end do

      ! A sharp kernel at its own mean: density (2 pi)**(-c/2) exp(-sum(s)) at the lower bound.
      outputs = 0
      outputs(:, 2 + c:, :) = -700
      if (covariance == full) outputs(:, 2 + c:, :) = 0
      do i = 1, merge(c, 0, covariance == full)
         outputs(:, factor_row(c, i, i), :) = -700
      end do
      targets = 0
      at_bound = 0.5_wp*c*log_two_pi + c*log_scale_min
      call check_close(losses_of(outputs, targets), at_bound, 1e-12_wp, &
         trim(name) // ": the sharpest kernel")
   end subroutine test_clamp

   !> Raw outputs of +-700 and targets 1e4 standard deviations away: a large loss, no trap (this
   !> program runs with traps), and a gradient that is finite.
   subroutine test_extremes()
      real(wp), dimension(m, outputs_per_kernel(covariance, c), n_kernels) :: outputs, signs
      integer :: place, k

      signs = sign(700.0_wp, example_outputs(5))
      call finite(signs, example_targets(), "all outputs +-700")
      call finite(signs, 1e4_wp*example_targets(), "all outputs +-700, targets far away")
      call finite(example_outputs(6), 1e4_wp*example_targets(), "targets far away")
      do k = -1, 1, 2
         do place = 1, size(outputs, 2)
            outputs = example_outputs(6)
            outputs(:, place, :) = 700*k
            call finite(outputs, 1e4_wp*example_targets(), "one output +-700, targets far away")
            outputs(:, place, :) = signs(:, place, :)
            call finite(outputs, example_targets(), "one output of either sign")
         end do
      end do
   end subroutine test_extremes

   subroutine finite(outputs, targets, what)
      real(wp), intent(in) :: outputs(:, :, :), targets(:, :)
      character(len=*), intent(in) :: what

      call check(all(abs(losses_of(outputs, targets)) < 1e30_wp), trim(name) // ": loss, " // what)
      call check(all(abs(gradient_of(outputs, targets, spread(1.0_wp, 1, m))) < 1e30_wp), &
         trim(name) // ": gradient, " // what)
   end subroutine finite

   !> The same density in physical units: the loss and the logarithm of the scales apart.
   subroutine test_mixture_of_outputs()
      real(wp) :: outputs(m, outputs_per_kernel(covariance, c), n_kernels), targets(m, c), losses(m)
      real(wp) :: weights(n_kernels, m - 1), means(c, n_kernels, m - 1)
      real(wp) :: factors(c, c, n_kernels, m - 1), work(m, n_kernels, 0:c)
      real(wp) :: centre(c), scale(c), log_p(m - 1)
      integer :: example, i, j
      logical :: triangular, summed

      outputs = example_outputs(7)
      outputs(1, 1, :) = [700.0_wp, -700.0_wp, 0.0_wp]
      targets = example_targets()
      losses = losses_of(outputs, targets)
      centre = 100*normals(c, 8)
      scale = [(0.01_wp*17**i, i=1, c)]
      call mixture_of_outputs(kernels, example_shape(), m, m - 1, outputs, centre, scale, 0.3_wp, &
         work, weights, means, factors)
      do example = 1, m - 1
         call mixture_log_density(kernels, weights(:, example), means(:, :, example), &
            factors(:, :, :, example), reshape(centre + scale*targets(example, :), [c, 1]), &
            log_p(example:example))
      end do
      summed = all(abs(sum(weights, 1) - 0.3_wp) < 1e-15_wp) .and. all(weights >= 0)
      triangular = all([((abs(factors(j, i, :, :)) <= 0 .or. j <= i, i=1, c), j=1, c)]) &
         .and. all([(factors(i, i, :, :) > 0, i=1, c)])
      call check_close(log_p, log(0.3_wp) - losses(:m - 1) - sum(log(scale)), 1e-10_wp, &
         trim(name) // ": density in physical units")
      call check(summed, trim(name) // ": weights sum to the total")
      call check(triangular, trim(name) // ": factors are upper triangular, positive on it")
   end subroutine test_mixture_of_outputs

   subroutine test_precision_factor()
      real(wp), allocatable :: root(:, :), matrix(:, :), u(:, :), identity(:, :)
      integer :: n, i, j

      do n = 1, 5
         if (allocated(root)) deallocate (root, identity)
         allocate (root(n, n), identity(n, n))
         root = reshape(normals(n*n, n), [n, n])
         identity = 0
         do i = 1, n
            identity(i, i) = 1
         end do
         matrix = matmul(root, transpose(root)) + 0.1_wp*identity
         u = precision_factor(matrix)
         call check_close(matmul(matmul(transpose(u), u), matrix), identity, 1e-11_wp, &
            "factor of the inverse")
         call check(all([((abs(u(i, j)) <= 0, i=j + 1, n), j=1, n)]), "upper triangular")
         call check(all([(u(i, i) > 0, i=1, n)]), "positive diagonal")
      end do
   end subroutine test_precision_factor
end program test_mixture
