!> The log density of mixtures of wrapped kernels. Each is three images, the one that is nearest in
!> the middle (docs/theory.md, eq. 13).
module fmdn_wrapped
   use, intrinsic :: iso_c_binding, only: c_int, c_int64_t
   use fmdn_dispatch, only: kernel_set
   use fmdn_evaluate, only: log_factors_of
   use fmdn_kinds, only: ip, wp
   use fmdn_restricted, only: image_shift, n_images
   use fmdn_targets, only: into_period, target_range
   implicit none (type, external)
   private
   public :: log_density_wrapped

contains

   !> log p at points y of the kernels' space.
   pure subroutine log_density_wrapped(kernels, ranges, weights, means, factors, log_masses, y, &
      log_p)
      type(kernel_set), intent(in) :: kernels
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in), contiguous :: weights(:), means(:, :), factors(:, :, :), log_masses(:)
      real(wp), intent(in), contiguous :: y(:, :)
      real(wp), intent(inout), contiguous :: log_p(:)
      real(wp), parameter :: narrow = 9 !! standard deviations to a period: the rest is nothing
      real(wp), dimension(size(ranges), size(weights), n_images(ranges%period())) :: images
      real(wp) :: image_factors(size(ranges), size(ranges), size(weights), size(images, 3))
      real(wp) :: logs(size(weights), size(images, 3), 0:size(ranges)), period(size(ranges))
      integer(ip) :: t
      integer :: i, image

      period = ranges%period()
      image_factors = spread(factors, 4, size(images, 3))
      logs = spread(log_factors_of(kernels, weights, factors, log_masses), 2, size(images, 3))
      if (size(ranges) == 1 .and. any(factors(1, 1, :)*period(1) < narrow .and. weights > 0)) then
         call log_density_of_wide(kernels, period(1), logs(:, 1, 0), means(1, :), &
            factors(1, 1, :), y(1, :), log_p)
         return
      else if (size(ranges) == 1) then
         ! The same images wherever y is.
         do image = 1, size(images, 3)
            images(1, :, image) = into_period(means(1, :), ranges(1)%low, period(1)) &
               + (image - 2)*period(1)
         end do
         call kernels%log_density(1_c_int, size(logs(:, :, 0), kind=c_int), &
            size(y, 2, c_int64_t), logs, images, image_factors, y, log_p)
         return
      end if
      do t = 1, size(y, 2, kind=ip)
         do image = 1, size(images, 3)
            do i = 1, size(ranges)
               images(i, :, image) = means(i, :)
               if (period(i) > 0) images(i, :, image) = means(i, :) + period(i) &
                  *(anint((y(i, t) - means(i, :))/period(i)) + image_shift(period, image, i))
            end do
         end do
         call kernels%log_density(size(ranges, kind=c_int), size(logs(:, :, 0), kind=c_int), &
            1_c_int64_t, logs, images, image_factors, y(:, t:t), log_p(t:t))
      end do
   end subroutine log_density_wrapped

   !> The same of one target, as a plain sum: a kernel that is wide is something everywhere.
   pure subroutine log_density_of_wide(kernels, period, logs, means, factors, y, log_p)
      type(kernel_set), intent(in) :: kernels
      real(wp), intent(in) :: period, logs(:), means(:), factors(:), y(:)
      real(wp), intent(inout) :: log_p(:)
      integer, parameter :: block = 256
      real(wp) :: away(block), terms(block, -1:1), p(block)
      integer(ip) :: first
      integer :: image, k, n

      do first = 1, size(y, kind=ip), block
         n = int(min(int(block, ip), size(y, kind=ip) - first + 1))
         p(:n) = 0
         do k = 1, size(means)
            away(:n) = y(first:first + n - 1) - means(k)
            away(:n) = away(:n) - period*anint(away(:n)/period)
            do image = -1, 1
               terms(:n, image) = logs(k) - 0.5_wp*((away(:n) + image*period)*factors(k))**2
               call kernels%exp(int(n, c_int), terms(:n, image))
               p(:n) = p(:n) + terms(:n, image)
            end do
         end do
         p(:n) = max(p(:n), tiny(p))
         call kernels%log(int(n, c_int), p(:n))
         log_p(first:first + n - 1) = p(:n)
      end do
   end subroutine log_density_of_wide

end module fmdn_wrapped
