!> The network's outputs read as a mixture of Gaussian kernels, and the loss: minus the logarithm of
!> its density at the target. Outputs of one kernel, in order: a logit, the mean (c numbers), then
!>
!>     isotropic  s = log(sigma)
!>     diagonal   s(1:c) = log(sigma(1:c))
!>     full       U packed by columns, inverse(covariance) = transpose(U) U, U upper triangular
!>                (Papamakarios & Murray 2016), diagonal elements as s(i) = -log(U(i,i))
!>
!> With z = (t - mean)/sigma, or z = U (t - mean), the loss of an example is (docs/theory.md, eq. 4)
!>
!>     l = -log sum_j exp(log a_j - S_j - z_j'z_j/2 - c/2 log(2 pi)),   a = softmax(logits)
!>
!> where S sums s over the c dimensions. The clamp on s enters z and S alike.
module fmdn_mixture
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_dispatch, only: kernel_set
   use fmdn_kinds, only: log_two_pi, wp
   implicit none (type, external)
   private
   public :: mixture_shape, mixture_work, new_work, outputs_per_kernel, factor_row
   public :: mixture_loss, mixture_gradient, mixture_of_outputs, precision_factor

   integer, parameter, public :: isotropic = 1, diagonal = 2, full = 3

   !> Bounds of s for standardised targets.
   real(wp), parameter, public :: log_sigma_min = log(1.0e-4_wp), log_sigma_max = log(1.0e3_wp)

   type :: mixture_shape
      integer :: covariance = isotropic
      integer :: n_targets = 1
      integer :: n_kernels = 1
   end type mixture_shape

   !> What the loss keeps for its gradient; the example is the first dimension, the kernel the last.
   type :: mixture_work
      real(wp), allocatable :: weights(:, :)          !! a_j
      real(wp), allocatable :: log_terms(:, :)        !! log(a_j) + log density of kernel j
      real(wp), allocatable :: responsibilities(:, :) !! softmax of log_terms
      real(wp), allocatable :: residuals(:, :, :)     !! z
      real(wp), allocatable :: precisions(:, :, :)    !! 1/sigma, or U(i,i)
      real(wp), allocatable :: log_sum(:), total(:)
   end type mixture_work

contains

   !> Network outputs that one kernel takes.
   pure function outputs_per_kernel(covariance, n_targets) result(n)
      integer, intent(in) :: covariance, n_targets
      integer :: n

      select case (covariance)
      case (isotropic); n = 2 + n_targets
      case (diagonal); n = 1 + 2*n_targets
      case default; n = 1 + n_targets + n_targets*(n_targets + 1)/2
      end select
   end function outputs_per_kernel

   !> Place of U(i,j), i <= j, among a kernel's outputs of full covariance.
   pure function factor_row(n_targets, i, j) result(row)
      integer, intent(in) :: n_targets, i, j
      integer :: row

      row = 1 + n_targets + (j*(j - 1))/2 + i
   end function factor_row

   !> Numbers s of one kernel.
   pure function n_scales(shape) result(n)
      type(mixture_shape), intent(in) :: shape
      integer :: n

      n = merge(1, shape%n_targets, shape%covariance == isotropic)
   end function n_scales

   !> Work space for m examples.
   pure function new_work(shape, m) result(work)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      type(mixture_work) :: work

      allocate (work%weights(m, shape%n_kernels), work%log_terms(m, shape%n_kernels), &
         work%responsibilities(m, shape%n_kernels), &
         work%residuals(m, shape%n_targets, shape%n_kernels), &
         work%precisions(m, n_scales(shape), shape%n_kernels), work%log_sum(m), work%total(m))
   end function new_work

   !> Losses of m examples in nats; `work` is left ready for `mixture_gradient`.
   subroutine mixture_loss(kernels, shape, m, outputs, targets, work, losses)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: targets(m, shape%n_targets)
      type(mixture_work), intent(inout) :: work
      real(wp), intent(out) :: losses(m)
      integer :: j

      work%log_terms = outputs(:, 1, :)
      call softmax(kernels, m, shape%n_kernels, work%log_terms, work%weights, work%log_sum, &
         work%total)
      call scales(kernels, shape, m, outputs, work%precisions)
      do j = 1, shape%n_kernels
         call log_kernel(shape, m, outputs(:, :, j), targets, work%precisions(:, :, j), &
            work%residuals(:, :, j), losses)
         work%log_terms(:, j) = outputs(:, 1, j) - work%log_sum + losses
      end do
      call softmax(kernels, m, shape%n_kernels, work%log_terms, work%responsibilities, &
         work%log_sum, work%total)
      losses = -work%log_sum
   end subroutine mixture_loss

   !> p = softmax(x) over the second dimension and log(sum(exp(x))), both safe for any finite x.
   subroutine softmax(kernels, m, k, x, p, log_sum, total)
      type(kernel_set), intent(in) :: kernels
      integer, intent(in) :: m, k
      real(wp), intent(in) :: x(m, k)
      real(wp), intent(inout) :: p(m, k), log_sum(m), total(m)
      integer :: j

      log_sum = x(:, 1)
      do j = 2, k
         log_sum = max(log_sum, x(:, j))
      end do
      do j = 1, k
         p(:, j) = x(:, j) - log_sum
      end do
      call kernels%exp(int(m*k, c_int), p)
      total = p(:, 1)
      do j = 2, k
         total = total + p(:, j)
      end do
      do j = 1, k
         p(:, j) = p(:, j)/total
      end do
      call kernels%log(int(m, c_int), total)
      log_sum = log_sum + total
   end subroutine softmax

   !> exp(-s) of all kernels: 1/sigma or U(i,i).
   subroutine scales(kernels, shape, m, outputs, precisions)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(:, :, :)
      real(wp), intent(inout) :: precisions(:, :, :)
      integer :: i, j

      do j = 1, shape%n_kernels
         do i = 1, size(precisions, 2)
            precisions(:, i, j) = -clamped(outputs(:, log_scale_row(shape, i), j))
         end do
      end do
      call kernels%exp(int(m*size(precisions, 2)*shape%n_kernels, c_int), precisions)
   end subroutine scales

   !> Place of s(i) among a kernel's outputs.
   pure function log_scale_row(shape, i) result(row)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: i
      integer :: row

      row = 1 + shape%n_targets + i
      if (shape%covariance == full) row = factor_row(shape%n_targets, i, i)
   end function log_scale_row

   elemental function clamped(s) result(inside)
      real(wp), intent(in) :: s
      real(wp) :: inside

      inside = min(max(s, log_sigma_min), log_sigma_max)
   end function clamped

   !> Log density of one kernel at the targets, and z.
   pure subroutine log_kernel(shape, m, outputs, targets, precisions, z, log_density)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets))
      real(wp), intent(in) :: targets(m, shape%n_targets)
      real(wp), intent(in) :: precisions(m, n_scales(shape))
      real(wp), intent(inout) :: z(m, shape%n_targets)
      real(wp), intent(out) :: log_density(m)
      integer :: c, i, j

      c = shape%n_targets
      log_density = -0.5_wp*c*log_two_pi
      do i = 1, c
         z(:, i) = targets(:, i) - outputs(:, 1 + i)
      end do
      select case (shape%covariance)
      case (isotropic)
         do i = 1, c
            z(:, i) = z(:, i)*precisions(:, 1)
         end do
         log_density = log_density - c*clamped(outputs(:, 2 + c))
      case (diagonal)
         do i = 1, c
            z(:, i) = z(:, i)*precisions(:, i)
            log_density = log_density - clamped(outputs(:, 1 + c + i))
         end do
      case default
         do i = 1, c      ! row i of U needs only residuals i..c, so z overwrites them in order
            z(:, i) = z(:, i)*precisions(:, i)
            do j = i + 1, c
               z(:, i) = z(:, i) + outputs(:, factor_row(c, i, j))*z(:, j)
            end do
            log_density = log_density - clamped(outputs(:, factor_row(c, i, i)))
         end do
      end select
      do i = 1, c
         log_density = log_density - 0.5_wp*z(:, i)**2
      end do
   end subroutine log_kernel

   !> Derivatives of the sum of weighted losses with respect to the outputs, after `mixture_loss`
   !> (docs/theory.md, eq. 5-9). Where s is clamped the loss does not depend on it: derivative zero.
   pure subroutine mixture_gradient(shape, m, outputs, targets, example_weights, work, d_outputs)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: targets(m, shape%n_targets), example_weights(m)
      type(mixture_work), intent(inout) :: work
      real(wp), intent(inout) :: d_outputs(m, &
         outputs_per_kernel(shape%covariance, shape%n_targets), shape%n_kernels)
      integer :: j

      do j = 1, shape%n_kernels
         d_outputs(:, 1, j) = example_weights*(work%weights(:, j) - work%responsibilities(:, j))
         work%responsibilities(:, j) = example_weights*work%responsibilities(:, j)
         call kernel_gradient(shape, m, outputs(:, :, j), targets, work%precisions(:, :, j), &
            work%residuals(:, :, j), work%responsibilities(:, j), d_outputs(:, :, j))
      end do
   end subroutine mixture_gradient

   !> Derivatives with respect to mean, s and U of one kernel; g: weighted responsibilities.
   pure subroutine kernel_gradient(shape, m, outputs, targets, precisions, z, g, d_outputs)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets))
      real(wp), intent(in) :: targets(m, shape%n_targets)
      real(wp), intent(in) :: precisions(m, n_scales(shape)), z(m, shape%n_targets), g(m)
      real(wp), intent(inout) :: d_outputs(m, outputs_per_kernel(shape%covariance, &
         shape%n_targets))
      integer :: c, i, j, row

      c = shape%n_targets
      select case (shape%covariance)
      case (isotropic)
         d_outputs(:, 2 + c) = c
         do i = 1, c
            d_outputs(:, 1 + i) = -g*z(:, i)*precisions(:, 1)
            d_outputs(:, 2 + c) = d_outputs(:, 2 + c) - z(:, i)**2
         end do
         d_outputs(:, 2 + c) = merge(g*d_outputs(:, 2 + c), 0.0_wp, is_inside(outputs(:, 2 + c)))
      case (diagonal)
         do i = 1, c
            row = 1 + c + i
            d_outputs(:, 1 + i) = -g*z(:, i)*precisions(:, i)
            d_outputs(:, row) = merge(g*(1 - z(:, i)**2), 0.0_wp, is_inside(outputs(:, row)))
         end do
      case default
         do j = 1, c
            d_outputs(:, 1 + j) = -g*z(:, j)*precisions(:, j)
            do i = 1, j - 1
               row = factor_row(c, i, j)
               d_outputs(:, 1 + j) = d_outputs(:, 1 + j) - g*z(:, i)*outputs(:, row)
               d_outputs(:, row) = g*z(:, i)*(targets(:, j) - outputs(:, 1 + j))
            end do
            row = factor_row(c, j, j)
            d_outputs(:, row) = merge( &
               g*(1 - z(:, j)*precisions(:, j)*(targets(:, j) - outputs(:, 1 + j))), 0.0_wp, &
               is_inside(outputs(:, row)))
         end do
      end select
   end subroutine kernel_gradient

   elemental function is_inside(s) result(inside)
      real(wp), intent(in) :: s
      logical :: inside

      inside = s > log_sigma_min .and. s < log_sigma_max
   end function is_inside

   !> The mixture of one example: weights, means and precision factors U (upper triangular, zeros
   !> below) in the units of `centre` and `scale`.
   pure subroutine mixture_of_outputs(shape, outputs, centre, scale, weights, means, factors)
      type(mixture_shape), intent(in) :: shape
      real(wp), intent(in) :: outputs(outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: centre(:), scale(:)
      real(wp), intent(out) :: weights(:), means(:, :), factors(:, :, :)
      integer :: c, i, j, k, row

      c = shape%n_targets
      weights = exp(max(outputs(1, :) - maxval(outputs(1, :)), -700.0_wp))
      weights = weights/sum(weights)
      factors = 0
      do k = 1, shape%n_kernels
         means(:, k) = centre + scale*outputs(2:1 + c, k)
         do j = 1, c
            row = merge(2 + c, log_scale_row(shape, j), shape%covariance == isotropic)
            factors(j, j, k) = exp(-clamped(outputs(row, k)))/scale(j)
            if (shape%covariance /= full) cycle
            do i = 1, j - 1
               factors(i, j, k) = outputs(factor_row(c, i, j), k)/scale(j)
            end do
         end do
      end do
   end subroutine mixture_of_outputs

   !> U, upper triangular with positive diagonal, such that transpose(U) U = inverse(covariance).
   pure function precision_factor(covariance) result(u)
      real(wp), intent(in) :: covariance(:, :)
      real(wp) :: u(size(covariance, 1), size(covariance, 1))
      real(wp) :: r(size(covariance, 1), size(covariance, 1))
      integer :: c, i, j

      ! covariance = r transpose(r), r upper triangular: Cholesky from the last row up; u = 1/r.
      c = size(covariance, 1)
      r = 0
      do j = c, 1, -1
         r(j, j) = sqrt(covariance(j, j) - sum(r(j, j + 1:)**2))
         do i = j - 1, 1, -1
            r(i, j) = (covariance(i, j) - sum(r(i, j + 1:)*r(j, j + 1:)))/r(j, j)
         end do
      end do
      u = 0
      do j = 1, c
         u(j, j) = 1/r(j, j)
         do i = j - 1, 1, -1
            u(i, j) = -sum(r(i, i + 1:j)*u(i + 1:j, j))/r(i, i)
         end do
      end do
   end function precision_factor

end module fmdn_mixture
