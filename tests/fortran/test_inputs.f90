!> Raw inputs become features: channels that are missing, projections, and both.
program test_inputs
   use, intrinsic :: ieee_arithmetic, only: ieee_positive_inf, ieee_quiet_nan, &
      ieee_value
   use fmdn_apply, only: log_density, posterior
   use fmdn_check, only: check, check_close, finish
   use fmdn_committee, only: committee_view, plan_committee, view_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: normals, same
   use fmdn_inputs, only: input_map, new_input_map, prepare_inputs
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_parameters, block_view, find_block, input_mask_block, &
      input_scale_block, projection_block
   use fmdn_mixture, only: full
   use fmdn_status, only: status_invalid_argument, status_invalid_layout, status_not_finite, &
      status_ok
   implicit none (type, external)
   integer, parameter :: n_inputs = 7, n = 300
   integer, parameter :: groups(n_inputs) = [1, 2, 0, 1, 2, 3, 0]
   integer, parameter :: none(0) = [integer ::]
   type(kernel_set) :: kernels
   real(wp) :: inputs(n_inputs, n), nan
   integer :: status

   kernels = processor_kernels()
   nan = ieee_value(nan, ieee_quiet_nan)
   inputs = reshape(normals(n_inputs*n, 1), [n_inputs, n])
   call test_missing()
   call test_projection()
   call test_committee(0, 0)
   call test_committee(6, 4)
   call test_refused()
   call test_any_damage()
   call finish()

contains

   !> A group with a NaN in it counts as its centre, and its indicator says so; nothing else moves.
   subroutine test_missing()
      type(input_map) :: map
      real(wp) :: raw(n_inputs, n), features(n_inputs + 3, n)

      call new_input_map(n_inputs, groups, 0, 0, map, status)
      call check(status == status_ok .and. map%n_features() == n_inputs + 3, "as many features")
      map%centre = normals(n_inputs, 2)
      allocate (map%axes(0, 0))
      raw = inputs
      raw(4, 2) = nan  ! group 1: inputs 1 and 4
      raw(6, 3) = nan  ! group 3: input 6
      raw(1:2, 3) = nan
      call prepare_inputs(kernels, map, raw, features, status)
      call check(status == status_ok, "missing channels are no fault")
      call check(all(same(features(:n_inputs, 1), inputs(:, 1))), "nothing missing, all the same")
      call check(all(same(features(:n_inputs, 2), &
         merge(map%centre, inputs(:, 2), groups == 1))), "a group missing")
      call check(all(same(features(:n_inputs, 3), &
         merge(map%centre, inputs(:, 3), groups > 0))), "all that may be missing")
      call check(all(nint(features(n_inputs + 1:, :3)) == &
         reshape([0, 0, 0, 1, 0, 0, 1, 1, 1], [3, 3])), "indicators")
      call check(.not. any(abs(features(n_inputs + 1:, 4:)) > 0), "none where nothing is missing")

      raw(3, 5) = nan
      call prepare_inputs(kernels, map, raw, features, status)
      call check(status == status_not_finite, "refused: NaN where nothing may be missing")
      raw(3, 5) = 0
      raw(1, 5) = ieee_value(nan, ieee_positive_inf)
      status = status_ok
      call prepare_inputs(kernels, map, raw, features, status)
      call check(status == status_not_finite, "refused: infinite, which is not missing")
   end subroutine test_missing

   !> Components are the products of axes and centred channels, whatever rows come along; a missing
   !> channel does not count; inputs beyond the projected ones stay as they are.
   subroutine test_projection()
      integer, parameter :: n_projected = 6, k = 4
      type(input_map) :: map
      real(wp) :: axes(k, n_projected), raw(n_inputs, n), one(k + 4, 1), features(k + 4, n)
      integer :: i

      call new_input_map(n_inputs, groups, n_projected, k, map, status)
      call check(status == status_ok .and. map%n_features() == k + 4, "as many features")
      map%centre = normals(n_inputs, 2)
      axes = reshape(normals(k*n_projected, 3), [k, n_projected])
      allocate (map%axes(32, n_projected), source=0.0_wp)
      map%axes(:k, :) = axes
      raw = inputs
      raw(4, 2) = nan
      call prepare_inputs(kernels, map, raw, features, status)
      call check(status == status_ok, "projected")
      do i = 1, n
         raw(:, i) = inputs(:, i) - map%centre
         if (i == 2) where (groups == 1) raw(:, i) = 0
         call check_close(features(:k, i), matmul(axes, raw(:n_projected, i)), 1e-13_wp, &
            "components")
      end do
      call check(all(same(features(k + 1, :), inputs(7, :))), "an input that is not projected")
      call check(all(nint(features(k + 2:, 2)) == [1, 0, 0]), "indicators")
      do i = 1, n, 37
         status = status_ok
         call prepare_inputs(kernels, map, inputs(:, i:i), one, status)
         if (i /= 2) call check(all(same(one(:, 1), features(:, i))), "one row, the same bits")
      end do
   end subroutine test_projection

   !> A committee with a map gives what one without gives for the features.
   subroutine test_committee(n_projected, k)
      integer, intent(in) :: n_projected, k
      integer(ip), allocatable :: layout(:), plain(:)
      real(wp), allocatable :: parameters(:), of_plain(:), raw(:, :), features(:, :)
      real(wp), allocatable :: weights(:, :), means(:, :, :), factors(:, :, :, :)
      real(wp), allocatable :: plain_weights(:, :), plain_means(:, :, :), plain_factors(:, :, :, :)
      real(wp) :: log_p(n), plain_log_p(n), targets(2, n)
      type(committee_view) :: view, plain_view
      type(block_view) :: at

      call plan(groups, n_projected, k, layout)
      call check(status == status_ok, "planned")
      parameters = 0.3_wp*abs(normals(int(layout(at_parameters)), 5)) + 0.1_wp
      call view_committee(layout, parameters, view, status)
      call check(status == status_ok .and. view%n_features == n_inputs - n_projected + k + 3, &
         "a committee")
      call plan_committee(1_ip, view%n_features, 2, 3, [3], [6], 1, 3, full, .true., plain, status)
      at = find_block(layout, input_scale_block, 1) ! the rest is the same
      of_plain = parameters(at%offset + 1:)
      call view_committee(plain, of_plain, plain_view, status)
      call check(status == status_ok, "the same without a map")

      raw = inputs
      raw(2, ::3) = nan
      raw(6, ::5) = nan
      allocate (features(view%n_features, n))
      call prepare_inputs(kernels, view%inputs, raw, features, status)
      if (k == 0) call check_close(features(6, 1), view%scales%input_centre(6), 0.0_wp, &
         "a missing channel is at its centre, which is scaled to zero")

      allocate (weights(view%n_kernels, n), means(2, view%n_kernels, n), &
         factors(2, 2, view%n_kernels, n))
      allocate (plain_weights, mold=weights)
      allocate (plain_means, mold=means)
      allocate (plain_factors, mold=factors)
      call posterior(view, parameters, raw, 2, weights, means, factors, status)
      call check(status == status_ok, "a posterior with channels missing")
      call posterior(plain_view, of_plain, features, 1, plain_weights, plain_means, &
         plain_factors, status)
      call check(all(same(weights, plain_weights)) .and. all(same(means, plain_means)) .and. &
         all(same(factors, plain_factors)), "which is that of the features")
      targets = 0.5_wp
      call log_density(view, parameters, raw, targets, 2, log_p, status)
      call log_density(plain_view, of_plain, features, targets, 1, plain_log_p, status)
      call check(status == status_ok .and. all(same(log_p, plain_log_p)), "and so is its density")
      raw(3, 7) = nan
      call log_density(view, parameters, raw, targets, 2, log_p, status)
      call check(status == status_not_finite, "refused: another channel missing")
   end subroutine test_committee

   subroutine plan(groups, n_projected, k, layout)
      integer, intent(in) :: groups(:), n_projected, k
      integer(ip), allocatable, intent(out) :: layout(:)

      call plan_committee(1_ip, n_inputs, 2, 3, [3], [6], 1, 3, full, .true., layout, status, &
         groups, n_projected, k)
   end subroutine plan

   subroutine test_refused()
      call refused([1, 2, 0, 1, 2, 3], 0, 0, "a group for each input but one")
      call refused([1, 2, 0, 1, 2, 4, 0], 0, 0, "an empty group")
      call refused([1, 2, 0, -1, 2, 3, 0], 0, 0, "a negative group")
      call refused(none, 8, 2, "more projected than there are")
      call refused(none, 5, 6, "more components than channels")
      call refused(none, 5, 0, "no components")
      call refused(none, 0, 2, "components of nothing")
      call refused(none, -1, 0, "a negative number")
   end subroutine test_refused

   subroutine refused(groups, n_projected, k, what)
      integer, intent(in) :: groups(:), n_projected, k
      character(len=*), intent(in) :: what
      integer(ip), allocatable :: layout(:)

      call plan(groups, n_projected, k, layout)
      call check(status == status_invalid_argument, "refused: " // what)
   end subroutine refused

   !> Any integer of these blocks replaced by any of these: refused, or a map that can be used.
   subroutine test_any_damage()
      integer(ip), parameter :: words(8) = [-huge(1_ip), -1_ip, 0_ip, 1_ip, 5_ip, 9_ip, 2_ip**32, &
         huge(1_ip)]
      integer(ip), allocatable :: layout(:), damaged(:)
      real(wp), allocatable :: parameters(:), features(:, :)
      type(committee_view) :: view
      type(block_view) :: mask, projection
      integer :: position, word, n_refused
      logical :: sound

      call plan(groups, 6, 4, layout)
      allocate (parameters(layout(at_parameters)), source=0.5_wp)
      mask = find_block(layout, input_mask_block, 1)
      projection = find_block(layout, projection_block, 1)
      call check(mask%required .and. projection%required, "other readers must know these blocks")
      sound = .true.
      n_refused = 0
      do position = 1, int(projection%first_integer) + 1
         do word = 1, size(words)
            damaged = layout
            damaged(position) = words(word)
            call view_committee(damaged, parameters, view, status)
            if (status /= status_ok) n_refused = n_refused + 1
            if (status /= status_ok) cycle
            sound = sound .and. size(view%scales%input_scale) == view%n_features
            if (view%n_inputs /= n_inputs) cycle
            if (allocated(features)) deallocate (features)
            allocate (features(view%n_features, n))
            call prepare_inputs(kernels, view%inputs, inputs, features, status)
            sound = sound .and. status == status_ok
         end do
      end do
      call check(sound .and. n_refused > 0, "a damaged map is refused, or it is one")
      layout(mask%first_integer) = 0
      layout(mask%first_integer + 3) = 0
      call view_committee(layout, parameters, view, status)
      call check(status == status_invalid_layout, "a group without channels")
   end subroutine test_any_damage
end program test_inputs
