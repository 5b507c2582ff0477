!> Mixtures whose kernels are restricted: cut off where a target's range ends, and wrapped around
!> its period. A kernel that is cut off is divided by its mass inside,
!>
!>     product over i of  N(t_i; mu_i, s_i)/(Phi(b_i) - Phi(a_i)),   a_i, b_i = (low, high -
!> mu_i)/s_i
!>
!> and a wrapped one is the sum of its images, shifted by -1, 0 and 1 periods from the nearest one,
!> divided by its mass within one and a half periods of its mean (docs/theory.md, eq. 12-14).
!>
!> Both come down to the loss of a mixture of more kernels with other logits: an image for each
!> shift, its logit less the logarithm of the mass.
module fmdn_restricted
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_dispatch, only: kernel_set
   use fmdn_kinds, only: wp
   use fmdn_mixture, only: full, isotropic, log_scale_max, log_scale_min, mixture_gradient, &
      mixture_loss, mixture_shape, mixture_work, new_work, outputs_per_kernel
   use fmdn_status, only: status_out_of_memory
   use fmdn_targets, only: infinite
   implicit none (type, external)
   private
   public :: restricted_work, new_restricted_work, restricted_loss, restricted_gradient
   public :: n_images, image_shift

   !> Wrapped kernels end this many periods from their mean.
   real(wp), parameter, public :: reach = 1.5_wp

   !> Work space; the example is the first dimension.
   type :: restricted_work
      type(mixture_work) :: images
      real(wp), allocatable :: outputs(:), d_outputs(:) !! of the images
      real(wp), allocatable :: log_weights(:)           !! of the kernels
      real(wp), allocatable :: log_mass(:)              !! of the kernels inside the ranges
      real(wp), allocatable :: d_mean(:), d_scale(:)    !! its derivatives, for each target
   end type restricted_work

contains

   !> Images of a kernel.
   pure function n_images(period) result(n)
      real(wp), intent(in) :: period(:) !! zero: not periodic
      integer :: n

      n = 3**count(period > 0)
   end function n_images

   !> Periods by which image number `image` is shifted in target i: its digit to the base of three.
   pure function image_shift(period, image, i) result(shift)
      real(wp), intent(in) :: period(:)
      integer, intent(in) :: image, i
      integer :: shift

      shift = 0
      if (period(i) > 0) shift = modulo((image - 1)/3**count(period(:i - 1) > 0), 3) - 1
   end function image_shift

   !> The images as a mixture.
   pure function shape_of_images(shape) result(images)
      type(mixture_shape), intent(in) :: shape
      type(mixture_shape) :: images

      images%covariance = shape%covariance
      images%n_targets = shape%n_targets
      images%n_kernels = shape%n_kernels*n_images(shape%period)
   end function shape_of_images

   pure subroutine new_restricted_work(shape, m, work, status)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      type(restricted_work), intent(out) :: work
      integer, intent(out) :: status
      type(mixture_shape) :: images
      integer :: n, failure

      images = shape_of_images(shape)
      n = m*images%n_kernels*outputs_per_kernel(shape%covariance, shape%n_targets)
      ! allow(C182): whichever of these fails
      allocate (work%outputs(n), work%d_outputs(n), work%log_weights(m*shape%n_kernels), &
         work%log_mass(m*shape%n_kernels), work%d_mean(m*shape%n_targets*shape%n_kernels), &
         work%d_scale(m*shape%n_targets*shape%n_kernels), stat=failure)
      status = status_out_of_memory
      if (failure == 0) call new_work(images, m, work%images, status)
   end subroutine new_restricted_work

   !> As `mixture_loss`.
   pure subroutine restricted_loss(kernels, shape, m, outputs, targets, work, losses)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: targets(m, shape%n_targets)
      type(restricted_work), intent(inout) :: work
      real(wp), intent(out) :: losses(m)
      type(mixture_shape) :: images
      real(wp) :: total(m)

      images = shape_of_images(shape)
      call log_masses(kernels, shape, m, outputs, work%log_mass, work%d_mean, work%d_scale)
      call log_softmax(kernels, m, shape%n_kernels, size(outputs, 2), outputs, work%log_weights)
      call fill_images(shape, m, size(outputs, 2), outputs, targets, work%log_weights, &
         work%log_mass, work%outputs)
      call log_total(kernels, m, images%n_kernels, size(outputs, 2), work%outputs, total)
      call mixture_loss(kernels, images, m, work%outputs, targets, work%images, losses)
      losses = losses - total
   end subroutine restricted_loss

   !> As `mixture_gradient`, after `restricted_loss`.
   pure subroutine restricted_gradient(kernels, shape, m, outputs, targets, example_weights, work, &
      d_outputs)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(in) :: targets(m, shape%n_targets), example_weights(m)
      type(restricted_work), intent(inout) :: work
      real(wp), intent(inout) :: d_outputs(m, &
         outputs_per_kernel(shape%covariance, shape%n_targets), shape%n_kernels)

      call mixture_gradient(kernels, shape_of_images(shape), m, work%outputs, targets, &
         example_weights, work%images, work%d_outputs)
      call gather_images(kernels, shape, m, n_images(shape%period), size(outputs, 2), outputs, &
         example_weights, work%log_weights, work%images%responsibilities, work%d_outputs, &
         work%d_mean, work%d_scale, d_outputs)
   end subroutine restricted_gradient

   !> The logarithm of each kernel's mass inside the ranges, and its derivatives with respect to the
   !> means and the log scales. Full covariance: zero, for kernels are not cut off then, and wrapped
   !> ones keep what lies beyond their reach out of account.
   pure subroutine log_masses(kernels, shape, m, outputs, log_mass, d_mean, d_scale)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m
      real(wp), intent(in) :: outputs(m, outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(inout) :: log_mass(m, shape%n_kernels)
      real(wp), dimension(m, shape%n_targets, shape%n_kernels), intent(inout) :: d_mean, d_scale
      real(wp), dimension(m) :: precision, a, b, log_p, at_a, at_b
      integer :: i, j, row, t

      log_mass = 0
      d_mean = 0
      d_scale = 0
      if (shape%covariance == full) return
      do j = 1, shape%n_kernels
         do i = 1, shape%n_targets
            associate (low => shape%low(i), high => shape%high(i), period => shape%period(i), &
                  mean => outputs(:, 1 + i, j))
               if (low <= -infinite .and. high >= infinite .and. .not. period > 0) cycle
               row = 1 + shape%n_targets + merge(1, i, shape%covariance == isotropic)
               precision = -min(max(outputs(:, row, j), log_scale_min), log_scale_max)
               call kernels%exp(int(m, c_int), precision)
               a = -infinite
               b = infinite
               if (period > 0) then
                  a = -reach*period*precision
                  b = -a
               else
                  if (low > -infinite) a = (low - mean)*precision
                  if (high < infinite) b = (high - mean)*precision
               end if
               call kernels%interval(int(m, c_int), a, b, log_p, at_a, at_b)
               if (.not. period > 0) d_mean(:, i, j) = (at_a - at_b)*precision
               if (low <= -infinite .and. .not. period > 0) a = 0
               if (high >= infinite .and. .not. period > 0) b = 0
               do t = 1, m
                  log_mass(t, j) = log_mass(t, j) + log_p(t)
                  d_scale(t, i, j) = a(t)*at_a(t) - b(t)*at_b(t)
               end do
            end associate
         end do
      end do
   end subroutine log_masses

   !> log(softmax(a)) over the kernels.
   pure subroutine log_softmax(kernels, m, k, n_outputs, outputs, log_weights)
      type(kernel_set), intent(in) :: kernels
      integer, intent(in) :: m, k, n_outputs
      real(wp), intent(in) :: outputs(m, n_outputs, k)
      real(wp), intent(inout) :: log_weights(m, k)
      real(wp) :: total(m)
      integer :: j

      call log_total(kernels, m, k, n_outputs, outputs, total)
      do j = 1, k
         log_weights(:, j) = outputs(:, 1, j) - total
      end do
   end subroutine log_softmax

   !> log(sum(exp(logits))) over k kernels of n_outputs outputs each.
   pure subroutine log_total(kernels, m, k, n_outputs, outputs, total)
      type(kernel_set), intent(in) :: kernels
      integer, intent(in) :: m, k, n_outputs
      real(wp), intent(in) :: outputs(m, n_outputs, k)
      real(wp), intent(out) :: total(m)
      real(wp), dimension(m) :: largest, term
      integer :: j

      largest = outputs(:, 1, 1)
      do j = 2, k
         largest = max(largest, outputs(:, 1, j))
      end do
      total = 0
      do j = 1, k
         term = outputs(:, 1, j) - largest
         call kernels%exp(int(m, c_int), term)
         total = total + term
      end do
      call kernels%log(int(m, c_int), total)
      total = total + largest
   end subroutine log_total

   !> Outputs of the images: those of the kernels, with other logits and shifted means.
   pure subroutine fill_images(shape, m, n_outputs, outputs, targets, log_weights, log_mass, images)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m, n_outputs
      real(wp), intent(in) :: outputs(m, n_outputs, shape%n_kernels), targets(m, shape%n_targets)
      real(wp), dimension(m, shape%n_kernels), intent(in) :: log_weights, log_mass
      real(wp), intent(inout) :: images(m, n_outputs, n_images(shape%period), shape%n_kernels)
      integer :: i, j, image

      do j = 1, shape%n_kernels
         do image = 1, size(images, 3)
            images(:, :, image, j) = outputs(:, :, j)
            images(:, 1, image, j) = log_weights(:, j) - log_mass(:, j)
            do i = 1, shape%n_targets
               associate (period => shape%period(i), mean => outputs(:, 1 + i, j))
                  if (period > 0) images(:, 1 + i, image, j) = mean &
                     + period*(anint((targets(:, i) - mean)/period) &
                     + image_shift(shape%period, image, i))
               end associate
            end do
         end do
      end do
   end subroutine fill_images

   !> Derivatives with respect to the outputs: the sum of the images', and that of the mass.
   pure subroutine gather_images(kernels, shape, m, n, n_outputs, outputs, example_weights, &
      log_weights, responsibilities, d_images, d_mean, d_scale, d_outputs)
      type(kernel_set), intent(in) :: kernels
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: m, n, n_outputs
      real(wp), intent(in) :: outputs(m, n_outputs, shape%n_kernels), example_weights(m)
      real(wp), intent(in) :: log_weights(m, shape%n_kernels)
      real(wp), intent(in) :: responsibilities(m, n, shape%n_kernels)
      real(wp), intent(in) :: d_images(m, n_outputs, n, shape%n_kernels)
      real(wp), dimension(m, shape%n_targets, shape%n_kernels), intent(in) :: d_mean, d_scale
      real(wp), intent(inout) :: d_outputs(m, n_outputs, shape%n_kernels)
      real(wp), dimension(m) :: g, weights
      integer :: i, j, image, row

      do j = 1, shape%n_kernels
         g = responsibilities(:, 1, j)
         d_outputs(:, :, j) = d_images(:, :, 1, j)
         do image = 2, n
            g = g + responsibilities(:, image, j)
            d_outputs(:, :, j) = d_outputs(:, :, j) + d_images(:, :, image, j)
         end do
         weights = log_weights(:, j)
         call kernels%exp(int(m, c_int), weights)
         d_outputs(:, 1, j) = example_weights*(weights - g)
         if (shape%covariance == full) cycle
         g = example_weights*g
         do i = 1, shape%n_targets
            d_outputs(:, 1 + i, j) = d_outputs(:, 1 + i, j) + g*d_mean(:, i, j)
            row = 1 + shape%n_targets + merge(1, i, shape%covariance == isotropic)
            associate (s => outputs(:, row, j))
               where (s > log_scale_min .and. s < log_scale_max) d_outputs(:, row, j) = &
                  d_outputs(:, row, j) + g*d_scale(:, i, j)
            end associate
         end do
      end do
   end subroutine gather_images

end module fmdn_restricted
