!> Fitting a committee: scales from the rows, members trained in parallel, weights from rows that
!> trained none of them.
module fmdn_fit
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
   use fmdn_bending, only: fit_knots, n_knots
   use fmdn_committee, only: committee_view, select_members, view_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_kinds, only: ip, max_threads, tile_size, wp
   use fmdn_layout, only: block_view, find_block, input_knots_block, input_scale_block, &
      member_weights_block, target_scale_block
   use fmdn_loss, only: example_losses, is_raised, loss_cap, new_tile_work, tile_work
   use fmdn_rows, only: data_set, fetch_tile, fit_scales, new_view, rows_to_train, rows_to_weigh, &
      scale_type, tile_rows, tiled_rows
   use fmdn_scaling, only: farthest
   use fmdn_splits, only: fold_of, max_folds, monitors, role_monitor, role_training, &
      split_rows, trains
   use fmdn_stacking, only: stack
   use fmdn_status, only: status_interrupted, status_invalid_argument, status_no_member, &
      status_not_finite, status_ok, status_out_of_memory, status_too_few_rows, stopped_failed, &
      stopped_interrupted, stopped_not_yet, stopped_out_of_memory
   use fmdn_targets, only: free, log_slope, map_targets, periodic
   use fmdn_train, only: at_reason, n_history, n_outcome, train_member, training_options
   implicit none (type, external)
   private
   public :: fit_committee, fit_committee_scales, map_rows, train_members, weigh_members

contains

   !> All of it, for a planned committee whose inputs are neither missing nor projected: rows
   !> split, members trained and weighed, those that failed left out. With status_interrupted the
   !> members that were finished make the committee, where there are any; with any other but
   !> status_ok it is as it was.
   subroutine fit_committee(inputs, targets, options, n_threads, interrupt, layout, parameters, &
      status, given_roles)
      real(wp), intent(in), target, contiguous :: inputs(:, :)  !! (n_inputs, n_rows)
      real(wp), intent(in), target, contiguous :: targets(:, :) !! (n_targets, n_rows)
      type(training_options), intent(in) :: options
      integer, intent(in) :: n_threads
      integer(ip), intent(in) :: interrupt
      integer(ip), allocatable, intent(inout) :: layout(:)
      real(wp), allocatable, intent(inout) :: parameters(:)
      integer, intent(out) :: status
      integer, intent(in), optional :: given_roles(:) !! of the rows, where they are not to be drawn
      type(committee_view) :: view
      type(data_set) :: data
      real(wp), allocatable, target :: weights(:), noise_sd(:)
      integer, allocatable, target :: roles(:)
      integer(ip), allocatable :: outcome(:, :), chosen(:)
      real(wp), allocatable :: trained(:), kept(:), history(:, :, :), losses(:)
      logical, allocatable :: keep(:)
      integer(ip) :: i, n
      integer :: ended, failure

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      n = size(inputs, 2, kind=ip)
      status = status_invalid_argument
      if (.not. view%inputs%is_plain()) return
      if (size(targets, 2, kind=ip) /= n .or. n < 1 .or. options%max_iter < 0) return
      status = status_not_finite
      if (.not. (all(ieee_is_finite(inputs)) .and. all(ieee_is_finite(targets)))) return
      status = status_out_of_memory
      ! allow(C182): whichever of these fails
      allocate (roles(n), weights(n), noise_sd(size(inputs, 1)), &
         history(n_history, 0:options%max_iter, size(view%members)), &
         outcome(n_outcome, size(view%members)), stat=failure)
      if (failure /= 0) return
      weights = 1
      noise_sd = 0
      history = 0
      outcome = stopped_not_yet
      if (present(given_roles)) then
         status = status_invalid_argument
         if (size(given_roles, kind=ip) /= n) return
         if (any(given_roles < role_training .or. given_roles > max_folds)) return
         if (.not. any(given_roles == role_monitor .or. given_roles > 0)) return
         roles = given_roles
      else
         call split_rows([(i, i=1, n)], n, options%seed, .true., .true., roles, status)
         if (status /= status_ok) return
      end if
      data = data_set(inputs, targets, weights, roles, noise_sd, options%seed)
      trained = parameters
      call fit_committee_scales(data, layout, trained, status)
      if (status /= status_ok) return
      call train_members(data, layout, trained, 1, size(view%members), options, n_threads, &
         interrupt, history, outcome, ended)
      status = ended
      if (status /= status_ok .and. status /= status_interrupted) return

      keep = outcome(at_reason, :) /= stopped_not_yet .and. outcome(at_reason, :) < stopped_failed &
         .and. outcome(at_reason, :) /= stopped_interrupted
      status = status_no_member
      if (.not. any(keep)) return
      call select_members(layout, trained, keep, chosen, kept, status)
      if (status /= status_ok) return
      allocate (losses(count(keep)))
      call weigh_members(data, chosen, kept, n_threads, losses, status)
      if (status /= status_ok) return
      call move_alloc(chosen, layout)
      call move_alloc(kept, parameters)
      status = ended
   end subroutine fit_committee

   !> Write the scales that the rows ask for into a planned committee, and equal weights.
   subroutine fit_committee_scales(data, layout, parameters, status)
      type(data_set), intent(in) :: data
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(inout) :: parameters(:)
      integer, intent(out) :: status
      type(committee_view) :: view
      type(data_set) :: rows
      real(wp), allocatable, target :: mapped(:, :)
      type(scale_type) :: scales
      type(block_view) :: at

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (.not. fits(view, data)) return
      status = status_ok
      call map_rows(view, data, mapped, rows, status)
      if (status /= status_ok) return
      call fit_scales(rows, scales)
      associate (first => view%n_features - view%inputs%n_groups + 1) ! indicators stay 0 or 1
         scales%input_centre(first:) = 0
         scales%input_scale(first:) = 1
         at = find_block(layout, input_knots_block, 1)
         if (at%name == input_knots_block) then
            call fit_input_knots(rows, scales, first, &
               parameters(at%offset + 1:at%offset + at%n_reals))
         end if
      end associate
      where (view%ranges%kind == periodic) ! wherever the rows lie: a rotation changes nothing
         scales%target_centre = 0.5_wp*(view%ranges%low + view%ranges%high)
         scales%target_scale = view%ranges%period()/sqrt(12.0_wp)
      end where
      at = find_block(layout, input_scale_block, 1)
      parameters(at%offset + 1:at%offset + at%n_reals) = [scales%input_centre, scales%input_scale]
      at = find_block(layout, target_scale_block, 1)
      parameters(at%offset + 1:at%offset + at%n_reals) = [scales%target_centre, scales%target_scale]
      at = find_block(layout, member_weights_block, 1)
      parameters(at%offset + 1:at%offset + at%n_reals) = 1/real(at%n_reals, wp)
   end subroutine fit_committee_scales

   !> Knots of the inputs before `first`, where indicators begin, from rows that train or monitor.
   subroutine fit_input_knots(rows, scales, first, knots)
      type(data_set), intent(in) :: rows
      type(scale_type), intent(in) :: scales
      integer, intent(in) :: first
      real(wp), intent(inout) :: knots(n_knots, 2, size(rows%inputs, 1))
      integer(ip), allocatable :: order(:)
      integer :: j

      order = rows_to_train(rows%roles)
      order = pack(order, rows%weights(order) > 0)
      do j = 1, first - 1
         associate (centre => scales%input_centre(j), scale => scales%input_scale(j))
            call fit_knots(max(-farthest, min(farthest, (rows%inputs(j, order) - centre)/scale)), &
               knots(:, :, j))
         end associate
      end do
   end subroutine fit_input_knots

   !> The rows as kernels see them: their targets mapped where ranges say so.
   subroutine map_rows(view, data, mapped, rows, status)
      type(committee_view), intent(in) :: view
      type(data_set), intent(in) :: data
      real(wp), allocatable, intent(out), target :: mapped(:, :)
      type(data_set), intent(out) :: rows
      integer, intent(out) :: status
      integer :: failure

      rows = data
      status = status_ok
      if (all(view%ranges%kind == free)) return
      status = status_out_of_memory
      allocate (mapped, source=data%targets, stat=failure)
      if (failure /= 0) return
      call map_targets(view%ranges, mapped, status)
      rows%targets => mapped
   end subroutine map_rows

   !> Are the rows of the committee's widths? They hold features: prepare_inputs has been over them.
   pure function fits(view, data) result(yes)
      type(committee_view), intent(in) :: view
      type(data_set), intent(in) :: data
      logical :: yes

      yes = size(data%inputs, 1) == view%n_features .and. size(data%targets, 1) == view%n_targets
   end function fits

   !> Train the members `first` to `last`; the result is the same bits whichever call trains a
   !> member and whatever the number of threads. Members run beside each other; those left over
   !> when the threads do not divide their number run one by one with all threads.
   subroutine train_members(data, layout, parameters, first, last, options, n_threads, interrupt, &
      history, outcome, status)
      type(data_set), intent(in) :: data
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(inout) :: parameters(:)
      integer, intent(in) :: first, last, n_threads
      type(training_options), intent(in) :: options
      integer(ip), intent(in) :: interrupt
      real(wp), intent(inout) :: history(:, 0:, :)    !! (n_history, 0:max_iter, n_members)
      integer(ip), intent(inout) :: outcome(:, :)     !! (n_outcome, n_members)
      integer, intent(out) :: status
      type(committee_view) :: view
      type(kernel_set) :: kernels
      type(tiled_rows), target :: common
      type(data_set) :: rows
      real(wp), allocatable, target :: mapped(:, :)
      integer(ip), allocatable :: order(:)
      integer :: k, side_by_side
      logical :: noisy

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (first < 1 .or. last > size(view%members)) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      if (size(history, 1) /= n_history .or. size(outcome, 1) /= n_outcome) return
      if (.not. fits(view, data)) return
      order = rows_to_train(data%roles)
      status = status_too_few_rows
      if (.not. any(data%weights(order) > 0)) return

      call map_rows(view, data, mapped, rows, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      noisy = any(data%noise_sd > 0)
      if (.not. noisy) call tile_rows(kernels, rows, view%scales, order, 0, n_threads, &
         options%most_kept, common, status)
      if (status /= status_ok) return
      side_by_side = last - first + 1
      if (size(order) >= 4*n_threads*tile_size) then
         side_by_side = side_by_side - modulo(side_by_side, n_threads)
      end if
      !$omp parallel do num_threads(n_threads) schedule(dynamic, 1) default(none) &
      !$omp shared(first, side_by_side)
      do k = first, first + side_by_side - 1
         call train_one(k, 1)
      end do
      !$omp end parallel do
      do k = first + side_by_side, last
         call train_one(k, n_threads)
      end do
      if (is_raised(interrupt)) status = status_interrupted
   contains
      subroutine train_one(k, threads)
         integer, intent(in) :: k, threads
         type(tiled_rows), target :: own
         integer :: failure

         if (is_raised(interrupt)) return
         if (.not. noisy) then
            call train_on(common, k, threads)
            return
         end if
         call tile_rows(kernels, rows, view%scales, order, k, threads, huge(1_ip), own, failure)
         if (failure == status_ok) then
            call train_on(own, k, threads)
         else
            outcome(at_reason, k) = stopped_out_of_memory
         end if
      end subroutine train_one

      subroutine train_on(tiles, k, threads)
         type(tiled_rows), intent(in) :: tiles
         integer, intent(in) :: k, threads
         real(wp) :: offsets(2)
         integer :: fold

         fold = fold_of(k, maxval(data%roles))
         associate (of_order => data%roles(order))
            offsets(1) = loss_offset(view, data, rows, pack(order, trains(of_order, fold)))
            offsets(2) = loss_offset(view, data, rows, pack(order, monitors(of_order, fold)), &
               offsets(1))
         end associate
         associate (member => view%members(k))
            call train_member(kernels, member, tiles, fold, k, options, offsets, threads, &
               interrupt, history(:, :, k), outcome(:, k), &
               parameters(member%offset + 1:member%offset + member%n_parameters))
         end associate
      end subroutine train_on
   end subroutine train_members

   !> What turns the mean loss of these rows, in standardised units of the kernels' space, into one
   !> in the targets' units.
   pure function loss_offset(view, data, mapped, order, of_none) result(offset)
      type(committee_view), intent(in) :: view
      type(data_set), intent(in) :: data, mapped !! the rows, and as kernels see them
      integer(ip), intent(in) :: order(:)
      real(wp), intent(in), optional :: of_none !! where none of these rows counts
      real(wp) :: offset, total
      integer(ip) :: i

      offset = sum(log(view%scales%target_scale))
      if (.not. any(view%ranges%is_mapped())) return
      total = sum(data%weights(order))
      if (.not. total > 0) then
         if (present(of_none)) offset = of_none
         return
      end if
      do i = 1, size(order, kind=ip)
         associate (t => order(i))
            offset = offset - data%weights(t)/total*sum(log_slope(view%ranges, &
               data%targets(:, t), mapped%targets(:, t)))
         end associate
      end do
   end function loss_offset

   !> Weights proportional to exp(-mean loss) on the rows that weigh (Kaeufl et al. 2016, eq. 19,
   !> 20), or stacked; on the rows that monitor all members where none weigh. `losses` in nats, in
   !> the targets' units.
   subroutine weigh_members(data, layout, parameters, n_threads, losses, status, stacked)
      type(data_set), intent(in) :: data
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(inout) :: parameters(:)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: losses(:)
      integer, intent(out) :: status
      logical, intent(in), optional :: stacked !! weights by stacking?
      type(committee_view) :: view
      type(tiled_rows) :: tiles
      type(data_set) :: rows
      real(wp), allocatable, target :: mapped(:, :)
      type(tile_work), target :: work
      type(kernel_set) :: kernels
      type(block_view) :: at
      integer(ip), allocatable :: order(:)
      integer(ip) :: i
      real(wp), allocatable :: of_rows(:, :)
      real(wp) :: total
      integer :: k, tile, failure
      logical :: by_stacking

      losses = 0
      by_stacking = .false.
      if (present(stacked)) by_stacking = stacked
      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (n_threads < 1 .or. n_threads > max_threads) return
      if (size(losses) /= size(view%members) .or. .not. fits(view, data)) return
      order = rows_to_weigh(data%roles)
      if (size(order) == 0) then
         order = pack([(i, i=1, size(data%roles, kind=ip))], data%roles == role_monitor)
      end if
      call map_rows(view, data, mapped, rows, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      call tile_rows(kernels, rows, view%scales, order, 0, n_threads, 0_ip, tiles, status)
      if (status /= status_ok) return
      total = sum(tiles%weights)
      allocate (of_rows(merge(size(tiles%weights), 0, by_stacking), size(losses)), stat=failure)
      if (failure /= 0) status = status_out_of_memory
      if (status /= status_ok) return
      !$omp parallel do num_threads(n_threads) schedule(dynamic, 1) default(none) &
      !$omp shared(kernels, view, parameters, tiles, losses, of_rows, by_stacking) &
      !$omp private(tile, work, failure) &
      !$omp reduction(max: status)
      do k = 1, size(view%members)
         call new_tile_work(view%members(k), tiles%length, work, failure)
         if (failure == status_ok) call new_view(tiles, work%tile, failure)
         status = max(status, failure)
         do tile = 1, merge(tiles%n_tiles, 0, failure == status_ok)
            call fetch_tile(tiles, tile, work%tile)
            call example_losses(kernels, view%members(k), parameters(view%members(k)%offset + 1:), &
               tiles%length, work%tile%inputs, work%tile%targets, work)
            work%losses = min(work%losses, loss_cap)
            losses(k) = losses(k) + sum(tiles%weights(:, tile)*work%losses)
            if (by_stacking) then
               of_rows((tile - 1)*tiles%length + 1:tile*tiles%length, k) = work%losses
            end if
         end do
      end do
      !$omp end parallel do
      if (status /= status_ok) return
      if (.not. total > 0) total = 1
      losses = losses/total
      at = find_block(layout, member_weights_block, 1)
      associate (weights => parameters(at%offset + 1:at%offset + at%n_reals))
         if (by_stacking) then
            call stack(of_rows, reshape(tiles%weights, [size(tiles%weights)]), weights)
         else
            weights = exp(max(minval(losses) - losses, -700.0_wp))
            weights = weights/sum(weights)
         end if
      end associate
      losses = losses + loss_offset(view, data, rows, order)
   end subroutine weigh_members

end module fmdn_fit
