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
   use fmdn_kinds, only: wp
   use fmdn_status, only: status_ok, status_out_of_memory
   implicit none (type, external)
   private
   public :: mixture_shape, mixture_work, new_work, outputs_per_kernel, factor_row
   public :: mixture_loss, mixture_gradient, mixture_of_outputs, precision_factor

   integer, parameter, public :: isotropic = 1, diagonal = 2, full = 3

   !> Bounds of s for standardised targets.
   real(wp), parameter, public :: log_scale_min = log(1.0e-4_wp), log_scale_max = log(1.0e3_wp)

   type :: mixture_shape
      integer :: covariance = isotropic
      integer :: n_targets = 1
      integer :: n_kernels = 1
      !> Where kernels are cut off and wrapped (fmdn_restricted), standardised; not allocated where
      !> none is.
      real(wp), allocatable :: low(:), high(:), period(:)
   end type mixture_shape

   !> What the loss keeps for its gradient; the example is the first dimension, the kernel the last.
   type :: mixture_work
      real(wp), allocatable :: weights(:, :)          !! a_j
      real(wp), allocatable :: responsibilities(:, :) !! of the kernels for the target
      real(wp), allocatable :: residuals(:, :, :)     !! z
      real(wp), allocatable :: precisions(:, :, :)    !! 1/sigma, or U(i,i)
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
   pure subroutine new_work(shape, m, work, status)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      type(mixture_work), intent(out) :: work
      integer, intent(out) :: status
      integer :: failure

      ! allow(C182): whichever of these fails
      allocate (work%weights(m, shape%n_kernels), &
         work%responsibilities(m, shape%n_kernels), &
         work%residuals(m, shape%n_targets, shape%n_kernels), &
         work%precisions(m, n_scales(shape), shape%n_kernels), &
         stat=failure)
      status = merge(status_ok, status_out_of_memory, failure == 0)
   end subroutine new_work

   !> Losses of m examples in nats; `work` is left ready for `mixture_gradient`.
   pure subroutine mixture_loss(kernels, shape, m, outputs, targets, work, losses)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: targets(m, shape%n_targets)
      type(mixture_work), intent(inout) :: work
      real(wp), intent(out) :: losses(m)

      call kernels%mixture_loss(int(m, c_int), int(shape%n_targets, c_int), &
         int(shape%n_kernels, c_int), int(shape%covariance, c_int), log_scale_min, log_scale_max, &
         size(outputs, 2, c_int), outputs, targets, size(work%precisions, 2, c_int), work%weights, &
         work%responsibilities, work%residuals, work%precisions, losses)
   end subroutine mixture_loss

   !> Derivatives of the sum of weighted losses with respect to the outputs, after `mixture_loss`.
   pure subroutine mixture_gradient(kernels, shape, m, outputs, targets, example_weights, work, &
      d_outputs)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: targets(m, shape%n_targets), example_weights(m)
      type(mixture_work), intent(in) :: work
      real(wp), intent(inout) :: d_outputs(m, &
         outputs_per_kernel(shape%covariance, shape%n_targets), shape%n_kernels)

      call kernels%mixture_gradient(int(m, c_int), int(shape%n_targets, c_int), &
         int(shape%n_kernels, c_int), int(shape%covariance, c_int), log_scale_min, log_scale_max, &
         size(outputs, 2, c_int), outputs, targets, size(work%precisions, 2, c_int), work%weights, &
         work%responsibilities, work%residuals, work%precisions, example_weights, d_outputs)
   end subroutine mixture_gradient

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

      inside = min(max(s, log_scale_min), log_scale_max)
   end function clamped

   !> The mixtures of n of the m examples: weights, which sum to `total_weight`, means and precision
   !> factors U (upper triangular, zeros below) in the units of `centre` and `scale`.
   pure subroutine mixture_of_outputs(kernels, shape, m, n, outputs, centre, scale, total_weight, &
      exponents, weights, means, factors)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m, n
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: centre(:), scale(:), total_weight
      real(wp), intent(inout) :: exponents(m, shape%n_kernels, 0:n_scales(shape)) !! work space
      real(wp), intent(out) :: weights(:, :)       !! (n_kernels, n)
      real(wp), intent(out) :: means(:, :, :)      !! (n_targets, n_kernels, n)
      real(wp), intent(out) :: factors(:, :, :, :) !! (n_targets, n_targets, n_kernels, n)
      integer, parameter :: block = 32
      real(wp) :: largest(m), total(m)
      integer :: first, last, i, j, k, place, t

      largest = outputs(:, 1, 1)
      do k = 2, shape%n_kernels
         largest = max(largest, outputs(:, 1, k))
      end do
      do k = 1, shape%n_kernels
         exponents(:, k, 0) = max(outputs(:, 1, k) - largest, -700.0_wp)
         do j = 1, n_scales(shape)
            exponents(:, k, j) = -clamped(outputs(:, log_scale_row(shape, j), k))
         end do
      end do
      call kernels%exp(size(exponents, kind=c_int), exponents)
      total = exponents(:, 1, 0)
      do k = 2, shape%n_kernels
         total = total + exponents(:, k, 0)
      end do
      total = total_weight/total

      ! The example comes first in the outputs and last in the mixtures: a few at a time, so that
      ! what is written stays in the first-level cache.
      do first = 1, n, block
         last = min(first + block - 1, n)
         do k = 1, shape%n_kernels
            do t = first, last
               weights(k, t) = exponents(t, k, 0)*total(t)
            end do
            do j = 1, shape%n_targets
               place = min(j, n_scales(shape))
               do t = first, last
                  means(j, k, t) = centre(j) + scale(j)*outputs(t, 1 + j, k)
                  factors(j, j, k, t) = exponents(t, k, place)/scale(j)
               end do
               factors(j + 1:, j, k, first:last) = 0
               if (shape%covariance /= full) factors(:j - 1, j, k, first:last) = 0
               if (shape%covariance /= full) cycle
               do i = 1, j - 1
                  place = factor_row(shape%n_targets, i, j)
                  do t = first, last
                     factors(i, j, k, t) = outputs(t, place, k)/scale(j)
                  end do
               end do
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
