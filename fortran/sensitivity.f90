!> How a posterior changes with the observation: derivatives of its means and standard deviations,
!> and of its kernels, with respect to the raw inputs. The chain rule from the mixture back through
!> the networks, the scaling and what is done to raw inputs (docs/theory.md).
module fmdn_sensitivity
   use fmdn_apply, only: standardise_inputs
   use fmdn_bending, only: slopes_of_seen
   use fmdn_committee, only: committee_view
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_evaluate, only: inverse_factor, kernel_covariance
   use fmdn_inputs, only: backward_to_raw
   use fmdn_kinds, only: ip, wp
   use fmdn_member, only: member_type
   use fmdn_mixture, only: full, isotropic, factor_row, log_scale_max, log_scale_min, &
      mixture_of_outputs, mixture_shape, outputs_per_kernel
   use fmdn_moments, only: moment_gradient
   use fmdn_network, only: backward_to_inputs, forward
   use fmdn_status, only: status_ok
   implicit none (type, external)
   private
   public :: moment_sensitivity, kernel_sensitivity

   !> One row in one member: its standardised features, and what the network makes of them.
   type :: member_row
      real(wp), allocatable :: units(:, :)   !! (1, n_units)
      real(wp), allocatable :: outputs(:, :) !! (1, n_outputs)
   end type member_row

   !> One row in all members; the mixture's weights include the members'.
   type :: row_view
      real(wp), allocatable :: features(:, :)    !! (1, n_seen), standardised
      type(member_row), allocatable :: members(:)
      real(wp), allocatable :: weights(:, :), means(:, :, :), factors(:, :, :, :)
   end type row_view

contains

   !> Derivatives of posterior means and standard deviations, in the targets' units. Zero for
   !> inputs that are missing. status_not_finite as for `posterior`: then they are void.
   subroutine moment_sensitivity(view, parameters, inputs, n_threads, d_mean, d_sd, status)
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:)
      real(wp), intent(in), contiguous :: inputs(:, :) !! (n_inputs, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: d_mean(:, :, :), d_sd(:, :, :) !! (n_inputs, n_targets, n_rows)
      integer, intent(out) :: status
      type(kernel_set) :: kernels
      integer(ip) :: row
      integer :: failure

      status = status_ok
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) schedule(dynamic, 1) &
      !$omp shared(kernels, view, parameters, inputs, d_mean, d_sd) &
      !$omp private(failure) reduction(max: status)
      do row = 1, size(inputs, 2, kind=ip)
         call moments_of_row(kernels, view, parameters, inputs, row, d_mean(:, :, row), &
            d_sd(:, :, row), failure)
         status = max(status, failure)
      end do
      !$omp end parallel do
   end subroutine moment_sensitivity

   !> Derivatives of the weights, means and covariances of the kernels of all members, in the space
   !> in which these live (fmdn_targets).
   subroutine kernel_sensitivity(view, parameters, inputs, n_threads, d_weights, d_means, &
      d_covariances, status)
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:)
      real(wp), intent(in), contiguous :: inputs(:, :) !! (n_inputs, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: d_weights(:, :, :)  !! (n_inputs, n_kernels, n_rows)
      real(wp), intent(out) :: d_means(:, :, :, :) !! (n_inputs, n_targets, n_kernels, n_rows)
      !> (n_inputs, n_targets, n_targets, n_kernels, n_rows)
      real(wp), intent(out) :: d_covariances(:, :, :, :, :)
      integer, intent(out) :: status
      type(kernel_set) :: kernels
      integer(ip) :: row
      integer :: failure

      status = status_ok
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) schedule(dynamic, 1) &
      !$omp shared(kernels, view, parameters, inputs, d_weights, d_means, d_covariances) &
      !$omp private(failure) reduction(max: status)
      do row = 1, size(inputs, 2, kind=ip)
         call kernels_of_row(kernels, view, parameters, inputs, row, d_weights(:, :, row), &
            d_means(:, :, :, row), d_covariances(:, :, :, :, row), failure)
         status = max(status, failure)
      end do
      !$omp end parallel do
   end subroutine kernel_sensitivity

   subroutine moments_of_row(kernels, view, parameters, inputs, row, d_mean, d_sd, status)
      type(kernel_set), intent(in) :: kernels
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:), inputs(:, :)
      integer(ip), intent(in) :: row
      real(wp), intent(out) :: d_mean(:, :), d_sd(:, :)
      integer, intent(out) :: status
      type(row_view) :: at
      real(wp), allocatable :: sds(:, :), by_kernels(:, :, :), seeds(:, :), total(:, :)
      integer :: c, i, k, first, last

      call look(kernels, view, parameters, inputs, row, at, status)
      if (status /= status_ok) return
      c = view%n_targets
      allocate (sds(view%n_kernels, c), by_kernels(view%n_kernels, 3, 2*c))
      do k = 1, view%n_kernels
         sds(k, :) = norm2(inverse_factor(at%factors(:, :, k, 1)), 2)
      end do
      do i = 1, c
         call moment_gradient(view%ranges(i), at%weights(:, 1), at%means(i, :, 1), sds(:, i), &
            by_kernels(:, :, i), by_kernels(:, :, c + i))
      end do

      allocate (total(2*c, view%n_inputs), source=0.0_wp)
      last = 0
      do k = 1, size(view%members)
         first = last + 1
         last = last + view%members(k)%mixture%n_kernels
         seeds = by_outputs(view%members(k)%mixture, view%scales%target_scale, view%weights(k), &
            at%members(k)%outputs, at%weights(first:last, 1), at%factors(:, :, first:last, 1), &
            sds(first:last, :), by_kernels(first:last, :, :))
         total = total + by_inputs(view, parameters, k, at, inputs(:, row), seeds)
      end do
      d_mean = transpose(total(:c, :))
      d_sd = transpose(total(c + 1:, :))
   end subroutine moments_of_row

   subroutine kernels_of_row(kernels, view, parameters, inputs, row, d_weights, d_means, &
      d_covariances, status)
      type(kernel_set), intent(in) :: kernels
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:), inputs(:, :)
      integer(ip), intent(in) :: row
      real(wp), intent(out) :: d_weights(:, :), d_means(:, :, :), d_covariances(:, :, :, :)
      integer, intent(out) :: status
      type(row_view) :: at
      real(wp), allocatable :: identity(:, :), by_input(:, :), slopes(:, :, :), mean_logit(:)
      integer :: i, j, k, member, first, before, n

      call look(kernels, view, parameters, inputs, row, at, status)
      if (status /= status_ok) return
      first = 1
      do member = 1, size(view%members)
         associate (shape => view%members(member)%mixture, scale => view%scales%target_scale)
            n = view%members(member)%network%n_outputs
            identity = reshape([((merge(1.0_wp, 0.0_wp, i == j), i=1, n), j=1, n)], [n, n])
            by_input = by_inputs(view, parameters, member, at, inputs(:, row), identity)
            n = n/shape%n_kernels
            mean_logit = 0*by_input(1, :)
            do k = 1, shape%n_kernels
               if (view%weights(member) > 0) mean_logit = mean_logit &
                  + at%weights(first + k - 1, 1)/view%weights(member)*by_input((k - 1)*n + 1, :)
            end do
            do k = 1, shape%n_kernels
               before = (k - 1)*n
               d_weights(:, first) = at%weights(first, 1)*(by_input(before + 1, :) - mean_logit)
               slopes = covariance_slopes(shape, scale, &
                  at%members(member)%outputs(1, before + 1:before + n), at%factors(:, :, first, 1))
               do j = 1, shape%n_targets
                  d_means(:, j, first) = scale(j)*by_input(before + 1 + j, :)
                  do i = 1, shape%n_targets
                     d_covariances(:, i, j, first) = matmul(slopes(:, i, j), &
                        by_input(before + 1:before + n, :))
                  end do
               end do
               first = first + 1
            end do
         end associate
      end do
   end subroutine kernels_of_row

   !> Apply all members to one row.
   subroutine look(kernels, view, parameters, inputs, row, at, status)
      type(kernel_set), intent(in) :: kernels
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:), inputs(:, :)
      integer(ip), intent(in) :: row
      type(row_view), intent(out) :: at
      integer, intent(out) :: status
      real(wp), allocatable :: exponents(:)
      integer :: k, first, last

      status = status_ok
      allocate (at%features(1, view%n_seen), source=0.0_wp)
      call standardise_inputs(kernels, view, inputs, row, row, at%features, status)
      if (status /= status_ok) return
      allocate (at%members(size(view%members)), at%weights(view%n_kernels, 1), &
         at%means(view%n_targets, view%n_kernels, 1), &
         at%factors(view%n_targets, view%n_targets, view%n_kernels, 1))
      last = 0
      do k = 1, size(view%members)
         associate (member => view%members(k), of_member => at%members(k))
            first = last + 1
            last = last + member%mixture%n_kernels
            allocate (of_member%units(1, member%network%n_units()), &
               of_member%outputs(1, member%network%n_outputs), source=0.0_wp)
            exponents = 0*of_member%outputs(1, :)
            call forward(kernels, member%network, parameters(member%offset + 1:), 1, at%features, &
               of_member%units, of_member%outputs)
            call mixture_of_outputs(kernels, member%mixture, 1, 1, of_member%outputs, &
               view%scales%target_centre, view%scales%target_scale, view%weights(k), exponents, &
               at%weights(first:last, :), at%means(:, first:last, :), &
               at%factors(:, :, first:last, :))
         end associate
      end do
   end subroutine look

   !> Derivatives of quantities with respect to the raw inputs, from those with respect to the
   !> outputs of one member.
   function by_inputs(view, parameters, member, at, raw, seeds) result(d_inputs)
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:)
      integer, intent(in) :: member
      type(row_view), intent(in) :: at
      real(wp), intent(in) :: raw(:), seeds(:, :) !! (quantities, n_outputs)
      real(wp) :: d_inputs(size(seeds, 1), view%n_inputs)
      real(wp) :: d_seen(size(seeds, 1), view%n_seen), d_features(size(seeds, 1), view%n_features)
      integer :: j

      call backward_to_inputs(view%members(member)%network, &
         parameters(view%members(member)%offset + 1:), size(seeds, 1), at%features, &
         at%members(member)%units, seeds, d_seen)
      call slopes_of_seen(view%scales%knots, view%scales%in_pieces, at%features(1, :), d_seen, &
         d_features)
      do j = 1, view%n_features
         d_features(:, j) = d_features(:, j)/view%scales%input_scale(j)
      end do
      call backward_to_raw(view%inputs, raw, d_features, d_inputs)
   end function by_inputs

   !> Derivatives of the moments with respect to the outputs of one member, (2 n_targets,
   !> n_outputs), from those with respect to the weights, means and standard deviations of its
   !> kernels.
   function by_outputs(shape, scale, member_weight, outputs, weights, factors, sds, by_kernels) &
      result(seeds)
      type(mixture_shape), intent(in) :: shape
      real(wp), intent(in) :: scale(:), member_weight
      real(wp), intent(in) :: outputs(:, :) !! (1, n_outputs)
      real(wp), intent(in) :: weights(:), factors(:, :, :), sds(:, :)
      real(wp), intent(in) :: by_kernels(:, :, :) !! (n_kernels, 3, 2 n_targets)
      real(wp) :: seeds(2*shape%n_targets, size(outputs, 2))
      real(wp) :: slopes(size(outputs, 2)/shape%n_kernels, shape%n_targets, shape%n_targets)
      real(wp) :: mean
      integer :: c, i, k, n, before, q

      c = shape%n_targets
      n = size(slopes, 1)
      seeds = 0
      do k = 1, shape%n_kernels
         before = (k - 1)*n
         slopes = covariance_slopes(shape, scale, outputs(1, before + 1:before + n), &
            factors(:, :, k))
         do q = 1, 2*c
            i = 1 + modulo(q - 1, c) ! the target
            mean = 0
            if (member_weight > 0) mean = sum(weights*by_kernels(:, 1, q))/member_weight
            seeds(q, before + 1:before + n) = by_kernels(k, 3, q)*slopes(:, i, i)/(2*sds(k, i))
            seeds(q, before + 1) = weights(k)*(by_kernels(k, 1, q) - mean)
            seeds(q, before + 1 + i) = scale(i)*by_kernels(k, 2, q)
         end do
      end do
   end function by_outputs

   !> Derivatives of one kernel's covariance with respect to its outputs: (n, n_targets, n_targets).
   !> With R = 1/U, d covariance = -(covariance dU' R' + R dU covariance).
   function covariance_slopes(shape, scale, outputs, factor) result(slopes)
      type(mixture_shape), intent(in) :: shape
      real(wp), intent(in) :: scale(:), outputs(:), factor(:, :)
      real(wp) :: slopes(size(outputs), shape%n_targets, shape%n_targets)
      real(wp), dimension(shape%n_targets, shape%n_targets) :: covariance, inverse
      real(wp) :: by_output
      integer :: a, b, i, j, row

      covariance = kernel_covariance(factor)
      slopes = 0
      if (shape%covariance /= full) then
         do i = 1, shape%n_targets
            row = 1 + shape%n_targets + merge(1, i, shape%covariance == isotropic)
            if (.not. is_clamped(outputs(row))) slopes(row, i, i) = 2*covariance(i, i)
         end do
         return
      end if
      inverse = inverse_factor(factor)
      do b = 1, shape%n_targets
         do a = 1, b
            row = factor_row(shape%n_targets, a, b)
            by_output = 1/scale(b)
            if (a == b) by_output = -factor(a, a)
            if (a == b .and. is_clamped(outputs(row))) cycle
            do j = 1, shape%n_targets
               do i = 1, shape%n_targets
                  slopes(row, i, j) = -by_output*(covariance(i, b)*inverse(j, a) &
                     + inverse(i, a)*covariance(b, j))
               end do
            end do
         end do
      end do
   end function covariance_slopes

   elemental function is_clamped(s) result(yes)
      real(wp), intent(in) :: s
      logical :: yes

      yes = s < log_scale_min .or. s > log_scale_max
   end function is_clamped

end module fmdn_sensitivity
