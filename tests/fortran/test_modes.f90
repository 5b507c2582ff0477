!> Modes of mixtures of several targets, against what is known of them, and against the density.
program test_modes
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_kinds, only: ip, wp
   use fmdn_mixture, only: precision_factor
   use fmdn_modes, only: modes_within
   use fmdn_random, only: fill_normal, random_stream, stream_of, for_samples
   use fmdn_targets, only: half_line, infinite, log_truncated, periodic, probit, &
      target_range, truncated
   use fmdn_within, only: log_density_within
   implicit none (type, external)
   integer, parameter :: most = 30
   type(kernel_set) :: kernels

   kernels = processor_kernels()
   call test_crossing_ridges()
   call test_flat_top()
   call test_ranges()
   call test_many_kernels()
   call finish()

contains

   !> Two kernels whose ridges cross outside of both: three modes; room for one: the highest.
   subroutine test_crossing_ridges()
      type(target_range) :: ranges(2)
      real(wp) :: weights(2), means(2, 2), factors(2, 2, 2), modes(2, most), heights(most), highest
      integer :: n

      weights = 0.5_wp
      means = reshape([0.0_wp, 0.0_wp, 4.0_wp, 4.0_wp], [2, 2])
      factors = 0
      factors(1, 1, 1) = 1/3.0_wp
      factors(2, 2, 1) = sqrt(5.0_wp)
      factors(1, 1, 2) = factors(2, 2, 1)
      factors(2, 2, 2) = factors(1, 1, 1)
      call modes_within(kernels, ranges, weights, means, factors, modes, heights, n)
      call check(n == 3, "three modes of two kernels")
      call check_tops(ranges, weights, means, factors, modes(:, :n), heights(:n), "ridges")
      highest = heights(1)
      call modes_within(kernels, ranges, weights, means, factors, modes(:, :1), heights(:1), n)
      call check(n == 1, "room for one mode")
      call check_close(heights(1), highest, 1.0e-12_wp, "the highest")
   end subroutine test_crossing_ridges

   !> Two kernels two standard deviations apart: a top whose curvature is zero.
   subroutine test_flat_top()
      type(target_range) :: ranges(2)
      real(wp) :: factors(2, 2, 2), modes(2, most), heights(most)
      integer :: n

      factors = spread(reshape([1.0_wp, 0.0_wp, 0.0_wp, 1.0_wp], [2, 2]), 3, 2)
      call modes_within(kernels, ranges, [0.5_wp, 0.5_wp], &
         reshape([-1.0_wp, 0.0_wp, 1.0_wp, 0.0_wp], [2, 2]), factors, modes, heights, n)
      call check(n == 1, "one flat top")
      call check_close(modes(:, 1), [0.0_wp, 0.0_wp], 1.0e-2_wp, "in the middle")
   end subroutine test_flat_top

   !> A target of each kind: every mode is a top, inside.
   subroutine test_ranges()
      type(target_range), parameter :: ranges(5) = [target_range(truncated, 0.0_wp, 1.0_wp), &
         target_range(half_line, 2.0_wp, infinite), target_range(probit, -1.0_wp, 3.0_wp), &
         target_range(periodic, 0.0_wp, 360.0_wp), target_range(log_truncated, 0.1_wp, 9.0_wp)]
      real(wp), parameter :: sds(5) = [0.2_wp, 0.4_wp, 0.5_wp, 15.0_wp, 0.4_wp]
      real(wp) :: means(5, 3), factors(5, 5, 3), modes(5, most), heights(most)
      integer :: i, n

      means(:, 1) = [-0.3_wp, 1.0_wp, 0.5_wp, 355.0_wp, 0.0_wp]
      means(:, 2) = [0.7_wp, -1.0_wp, -0.5_wp, 10.0_wp, 1.0_wp]
      means(:, 3) = [1.2_wp, 0.0_wp, 0.0_wp, 180.0_wp, 5.0_wp]
      factors = 0
      do i = 1, 5
         factors(i, i, :) = 1/sds(i)
      end do
      call modes_within(kernels, ranges, [0.4_wp, 0.3_wp, 0.3_wp], means, factors, modes, heights, &
         n)
      call check(n == 3, "a mode for each kernel")
      call check_tops(ranges, [0.4_wp, 0.3_wp, 0.3_wp], means, factors, modes(:, :n), &
         heights(:n), "ranges")
   end subroutine test_ranges

   subroutine test_many_kernels()
      integer, parameter :: c = 3, k = 40
      type(target_range) :: ranges(c)
      type(random_stream) :: stream
      real(wp) :: weights(k), means(c, k), factors(c, c, k), root(c, c), modes(c, k + 20), &
         heights(k + 20), z(c*c + c)
      integer :: i, n

      stream = stream_of(5_ip, 1, for_samples)
      do i = 1, k
         call fill_normal(stream, int(i, ip)*100, z)
         weights(i) = 1.0_wp/k
         means(:, i) = z(:c)
         root = reshape(z(c + 1:), [c, c])
         root = matmul(root, transpose(root))
         root(1, 1) = root(1, 1) + 0.1_wp
         root(2, 2) = root(2, 2) + 0.1_wp
         root(3, 3) = root(3, 3) + 0.1_wp
         factors(:, :, i) = precision_factor(root)
      end do
      call modes_within(kernels, ranges, weights, means, factors, modes, heights, n)
      call check(n >= 1, "many kernels have a mode")
      call check_tops(ranges, weights, means, factors, modes(:, :n), heights(:n), "many kernels")
   end subroutine test_many_kernels

   !> Heights are log p at the modes, falling, and lower a thousandth of a unit to any side.
   subroutine check_tops(ranges, weights, means, factors, modes, heights, name)
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(in) :: weights(:), means(:, :), factors(:, :, :), modes(:, :), heights(:)
      character(*), intent(in) :: name
      real(wp) :: log_p(size(heights)), beside(size(ranges), 1), lower(1), step
      integer :: i, j, side

      call log_density_within(kernels, ranges, weights, means, factors, modes, log_p)
      call check_close(heights, log_p, 1.0e-11_wp, name // ": heights")
      call check(all(heights(2:) <= heights(:size(heights) - 1)), name // ": falling")
      do j = 1, size(heights)
         do i = 1, size(ranges)
            do side = -1, 1, 2
               step = 1.0e-3_wp
               if (ranges(i)%kind == probit) step = 1.0e-4_wp
               beside(:, 1) = modes(:, j)
               beside(i, 1) = beside(i, 1) + side*step
               call log_density_within(kernels, ranges, weights, means, factors, beside, lower)
               call check(lower(1) < heights(j), name // ": a top")
            end do
         end do
      end do
   end subroutine check_tops

end program test_modes
