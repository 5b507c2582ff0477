!> Fitting: members trained in any order on any number of threads to the same bits, and weighed.
program test_fit
   use fmdn_apply, only: log_density
   use fmdn_check, only: check, check_close, finish
   use fmdn_committee, only: committee_view, select_members, view_committee
   use fmdn_examples, only: data_of, linear_rows, normals, row_store, same, small_layout
   use fmdn_fit, only: fit_committee_scales, train_members, weigh_members
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_parameters
   use fmdn_loss, only: loss_cap
   use fmdn_mixture, only: full
   use fmdn_rows, only: rows_to_weigh
   use fmdn_splits, only: role_monitor, role_training, role_weighting
   use fmdn_status, only: status_interrupted, status_invalid_argument, status_ok, &
      status_too_few_rows, stopped_failed, stopped_max_iter, stopped_not_yet
   use fmdn_train, only: at_reason, n_history, n_outcome, training_options
   implicit none (type, external)
   !> So many rows that of four members on three threads the last one gets all of them.
   integer, parameter :: n = 1800
   integer, parameter :: n_inputs = 3, n_targets = 2, n_members = 4, max_iter = 7
   type(row_store), target :: rows
   integer(ip), allocatable :: layout(:), outcome(:, :)
   real(wp), allocatable :: parameters(:), history(:, :, :)
   integer :: status

   rows = linear_rows(n, n_inputs, n_targets, 1)
   layout = small_layout(n_inputs, n_targets, n_members, full, .true.)
   call test_training()
   call test_training_with_noise()
   call test_refused()
   call test_units()
   call test_weights()
   call finish()

contains

   !> Train members one after the other in the order given, or all at once.
   subroutine train(n_threads, order, most_kept)
      integer, intent(in) :: n_threads
      integer, intent(in), optional :: order(:)
      integer(ip), intent(in), optional :: most_kept
      type(training_options) :: options
      integer :: i

      call start()
      options = training_options(max_iter, 50, 5_ip)
      if (present(most_kept)) options%most_kept = most_kept
      if (present(order)) then
         do i = 1, size(order)
            call train_members(data_of(rows, 5), layout, parameters, order(i), order(i), &
               options, n_threads, 0_ip, history, outcome, status)
         end do
      else
         call train_members(data_of(rows, 5), layout, parameters, 1, n_members, &
            options, n_threads, 0_ip, history, outcome, status)
      end if
      if (status /= status_ok) error stop "not trained"
   end subroutine train

   !> Parameters with scales and nothing trained.
   subroutine start()
      if (allocated(parameters)) deallocate (parameters, history, outcome)
      allocate (parameters(layout(at_parameters)), source=0.0_wp)
      allocate (history(n_history, 0:max_iter, n_members), source=0.0_wp)
      allocate (outcome(n_outcome, n_members), source=int(stopped_not_yet, ip))
      call fit_committee_scales(data_of(rows, 5), layout, parameters, status)
      if (status /= status_ok) error stop "no scales"
   end subroutine start

   !> One by one, backwards, on more threads: the same bits.
   subroutine test_training()
      real(wp), allocatable :: expected(:), expected_history(:, :, :)

      call train(1)
      expected = parameters
      expected_history = history(:5, :, :) ! the last line is time
      call check(all(outcome(at_reason, :) == stopped_max_iter), "all are trained")
      call check(all(history(1, max_iter, :) < history(1, 0, :) - 0.3_wp), "all have learnt")
      call train(3)
      call check(all(same(parameters, expected)), "on three threads, the same bits")
      call check(all(same(history(:5, :, :), expected_history)), "and the same history")
      call train(2, [3, 1, 4, 2])
      call check(all(same(parameters, expected)), "one by one, the same bits")
      call train(2, most_kept=0_ip)
      call check(all(same(parameters, expected)), "rows standardised in every pass, the same bits")
   end subroutine test_training

   subroutine test_training_with_noise()
      real(wp), allocatable :: clean(:, :), expected(:)

      clean = history(1, :, :)
      rows%noise_sd = [0.3_wp, 0.0_wp, 0.5_wp]
      call train(1)
      expected = parameters
      call check(all(history(1, max_iter, :) > clean(max_iter + 1, :)), "noise makes it harder")
      call train(4, [4, 2, 3, 1])
      call check(all(same(parameters, expected)), "noise one by one on four, the same bits")
      rows%noise_sd = 0
   end subroutine test_training_with_noise

   subroutine test_refused()
      type(row_store), target :: other

      call start()
      call train_range(data_rows(rows), 0, 1)
      call check(status == status_invalid_argument, "refused: member 0")
      call train_range(data_rows(rows), 1, n_members + 1)
      call check(status == status_invalid_argument, "refused: a member too many")
      call train_members(data_of(rows, 5), layout, parameters, 1, 1, &
         training_options(max_iter, 50, 5_ip), 0, 0_ip, history, outcome, status)
      call check(status == status_invalid_argument, "refused: no threads")
      other = linear_rows(20, n_inputs + 1, n_targets, 1)
      call train_range(other, 1, 1)
      call check(status == status_invalid_argument, "refused: rows of another width")
      other = linear_rows(20, n_inputs, n_targets, 1)
      other%roles = role_weighting
      call train_range(other, 1, 1)
      call check(status == status_too_few_rows, "refused: no row to train")
      call train_members(data_of(rows, 5), layout, parameters, 1, n_members, &
         training_options(max_iter, 50, 5_ip), 2, 1_ip, history, outcome, status)
      call check(status == status_interrupted .and. all(outcome == stopped_not_yet), "interrupted")
      call train_range(rows, 3, 2)
      call check(status == status_ok .and. all(outcome == stopped_not_yet), "no members asked for")

      ! A member all of whose rows have no weight fails; those that see a row are trained.
      other = linear_rows(40, n_inputs, n_targets, 1)
      other%weights = merge(1.0_wp, 0.0_wp, other%roles == 2)
      call train_range(other, 1, n_members)
      call check(status == status_ok .and. &
         all((outcome(at_reason, :) == stopped_failed) .eqv. [.false., .true., .false., .false.]), &
         "a member without rows to train fails by itself")
   end subroutine test_refused

   function data_rows(some) result(copy)
      type(row_store), intent(in) :: some
      type(row_store) :: copy

      copy = some
   end function data_rows

   subroutine train_range(some, first, last)
      type(row_store), intent(in), target :: some
      integer, intent(in) :: first, last

      call train_members(data_of(some, 5), layout, parameters, first, last, &
         training_options(max_iter, 50, 5_ip), 2, 0_ip, history, outcome, status)
   end subroutine train_range

   !> Inputs and targets in units of a power of two: the same networks to the last bit.
   subroutine test_units()
      real(wp), allocatable :: expected(:)
      real(wp) :: losses(n_members)
      integer :: n_scales

      n_scales = 2*n_inputs + 2*n_targets
      call train(2)
      expected = parameters
      losses = history(1, max_iter, :)
      rows%inputs = rows%inputs*2.0_wp**40
      rows%targets = rows%targets*2.0_wp**(-7)
      call train(2)
      call check(all(same(parameters(n_scales + 1:), expected(n_scales + 1:))), &
         "units of a power of two change no bit of a network")
      call check(all(same(parameters(:2*n_inputs), expected(:2*n_inputs)*2.0_wp**40)), &
         "but the scales")
      call check_close(history(1, max_iter, :), losses - 7*n_targets*log(2.0_wp), 1e-12_wp, &
         "losses are in physical units")
      rows = linear_rows(n, n_inputs, n_targets, 1)
      parameters = expected
   end subroutine test_units

   !> Proportional to exp(-loss) on the rows that weigh; each loss is minus the mean log density of
   !> the member by itself.
   subroutine test_weights()
      real(wp) :: losses(n_members), again(n_members), one(1)
      real(wp), allocatable :: weights(:), log_p(:), alone(:)
      integer(ip), allocatable :: order(:), one_layout(:)
      type(committee_view) :: view
      integer :: k

      rows%weights = normals(n, 3)**2
      call weigh_members(data_of(rows, 5), layout, parameters, 1, losses, status)
      call check(status == status_ok, "weighed")
      call view_committee(layout, parameters, view, status)
      weights = view%weights
      call check_close(sum(weights), 1.0_wp, 1e-15_wp, "weights sum to one")
      call check_close(weights, exp(-losses)/sum(exp(-losses)), 1e-14_wp, "weights are exp(-loss)")

      order = rows_to_weigh(rows%roles)
      allocate (log_p(size(order)))
      do k = 1, n_members
         call select_members(layout, parameters, [(k == status, status=1, n_members)], &
            one_layout, alone, status)
         call view_committee(one_layout, alone, view, status)
         call log_density(view, alone, rows%inputs(:, order), rows%targets(:, order), 1, log_p, &
            status)
         call check_close(losses(k), -sum(log_p*rows%weights(order))/sum(rows%weights(order)), &
            1e-12_wp, "loss of a member")
      end do

      call weigh_members(data_of(rows, 5), layout, parameters, 3, again, status)
      call check(all(same(again, losses)), "on three threads, the same bits")
      call weigh_members(data_of(rows, 5), layout, parameters, 3, one, status)
      call check(status == status_invalid_argument, "losses of another number")

      ! An outlier among the rows that weigh counts at most the cap, in standardised units.
      rows%weights = 1
      rows%targets(:, order(1)) = 1e9_wp
      call weigh_members(data_of(rows, 5), layout, parameters, 1, losses, status)
      call check(all(losses < 3 + loss_cap/size(order)) .and. &
         all(losses > 0.5_wp*loss_cap/size(order)), "an outlier does not weigh the members")

      ! Without rows that weigh, those that monitor all members do; without them, all are equal.
      rows = linear_rows(n, n_inputs, n_targets, 1)
      call weigh_members(data_of(rows, 5), layout, parameters, 1, losses, status)
      where (rows%roles == role_weighting)
         rows%roles = role_monitor
      else where
         rows%roles = role_training
      end where
      call weigh_members(data_of(rows, 5), layout, parameters, 1, again, status)
      call check(all(same(losses, again)), "rows that monitor all members weigh them")
      rows%roles = role_training
      call weigh_members(data_of(rows, 5), layout, parameters, 1, again, status)
      call view_committee(layout, parameters, view, status)
      call check(all(same(view%weights, 0.25_wp)), "without any, equal weights")
      rows = linear_rows(n, n_inputs, n_targets, 1)
   end subroutine test_weights
end program test_fit
