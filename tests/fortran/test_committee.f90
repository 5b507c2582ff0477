!> Committees: drawn, trained in any order on any number of threads to the same bits, weighed,
!> selected, and one mixture of all.
program test_committee
   use fmdn_check, only: check, check_close, finish
   use fmdn_apply, only: log_density, posterior
   use fmdn_committee, only: committee_view, plan_committee, select_members, view_committee
   use fmdn_evaluate, only: mixture_log_density
   use fmdn_examples, only: data_of, linear_rows, normals, row_store, same, small_layout
   use fmdn_fit, only: fit_committee_scales, train_members, weigh_members
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, at_members, at_parameters, block_view, check_layout, &
      find_block, member_weights_block, tag_length
   use fmdn_loss, only: loss_cap
   use fmdn_member, only: max_kernels, max_targets, max_units
   use fmdn_mixture, only: diagonal, full, isotropic
   use fmdn_rows, only: rows_to_weigh
   use fmdn_splits, only: role_monitor, role_training, role_weighting
   use fmdn_status, only: status_interrupted, status_invalid_argument, status_invalid_layout, &
      status_ok, status_too_few_rows, stopped_failed, stopped_max_iter, stopped_not_yet
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
   call test_plan()
   call test_any_damage()
   call test_training()
   call test_training_with_noise()
   call test_refused()
   call test_units()
   call test_weights()
   call test_posterior()
   call test_selection()
   call finish()

contains

   !> Train members one after the other in the order given, or all at once.
   subroutine train(n_threads, order)
      integer, intent(in) :: n_threads
      integer, intent(in), optional :: order(:)
      integer :: i

      call start()
      if (present(order)) then
         do i = 1, size(order)
            call train_members(data_of(rows, 5), layout, parameters, order(i), order(i), &
               training_options(max_iter, 50, 5_ip), n_threads, 0_ip, history, outcome, status)
         end do
      else
         call train_members(data_of(rows, 5), layout, parameters, 1, n_members, &
            training_options(max_iter, 50, 5_ip), n_threads, 0_ip, history, outcome, status)
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

   !> Sizes are drawn between the bounds, all of them, and what makes no sense is refused.
   subroutine test_plan()
      integer(ip), allocatable :: planned(:), again(:)
      type(committee_view) :: view
      integer :: hidden(200, 2), kernels(200), k
      character(len=tag_length) :: trouble

      call plan(9_ip, 4, 2, 200, [3, 20], [5, 20], 2, 4, diagonal, planned)
      call check_layout(planned, planned(at_parameters), status, trouble)
      call check(status == status_ok, "a plan is a layout")
      call view_committee(planned, spread(0.0_wp, 1, int(planned(at_parameters))), view, status)
      call check(status == status_ok .and. size(view%members) == 200, "and a committee")
      do k = 1, 200
         hidden(k, :) = view%members(k)%network%hidden
         kernels(k) = view%members(k)%mixture%n_kernels
      end do
      ! Each of three sizes: 67 expected, sd 6.7.
      call check(all([(count(hidden(:, 1) == k) > 33, k=3, 5)]) .and. minval(hidden(:, 1)) == 3 &
         .and. maxval(hidden(:, 1)) == 5 .and. all(hidden(:, 2) == 20), "hidden units are drawn")
      call check(all([(count(kernels == k) > 33, k=2, 4)]) .and. minval(kernels) == 2 &
         .and. maxval(kernels) == 4, "kernels are drawn")
      call check(view%n_kernels == sum(kernels), "kernels together")

      call plan(9_ip, 4, 2, 200, [3, 20], [5, 20], 2, 4, diagonal, again)
      call check(all(again == planned), "the same seed, the same plan")
      call plan(9_ip, 4, 2, 50, [3, 20], [5, 20], 2, 4, diagonal, again)
      call view_committee(again, spread(0.0_wp, 1, int(again(at_parameters))), view, status)
      call check(all(view%members%mixture%n_kernels == kernels(:50)), &
         "a member does not depend on how many there are")
      call plan(9_ip, 4, 1, 2, [3], [5], 2, 4, full, again)
      call view_committee(again, spread(0.0_wp, 1, int(again(at_parameters))), view, status)
      call check(all(view%members%mixture%covariance == isotropic), &
         "with one target all covariances are the same")

      call refused(0, 2, 1, [3], [5], 1, 2, full, "no inputs")
      call refused(4, 0, 1, [3], [5], 1, 2, full, "no targets")
      call refused(4, max_targets + 1, 1, [3], [5], 1, 2, full, "too many targets")
      call refused(4, 2, 0, [3], [5], 1, 2, full, "no members")
      call refused(4, 2, 1, [integer ::], [integer ::], 1, 2, full, "no layers")
      call refused(4, 2, 1, [0], [5], 1, 2, full, "no units")
      call refused(4, 2, 1, [6], [5], 1, 2, full, "bounds of units in the wrong order")
      call refused(4, 2, 1, [3], [max_units + 1], 1, 2, full, "too many units")
      call refused(4, 2, 1, [3], [5], 0, 2, full, "no kernels")
      call refused(4, 2, 1, [3], [5], 3, 2, full, "bounds of kernels in the wrong order")
      call refused(4, 2, 1, [3], [5], 1, max_kernels + 1, full, "too many kernels")
      call refused(4, 2, 1, [3], [5], 1, 2, 0, "covariance 0")
      call refused(4, 2, 1, [3], [5], 1, 2, 4, "covariance 4")
   end subroutine test_plan

   subroutine plan(seed, inputs, targets, members, low, high, kernels_low, kernels_high, &
      covariance, planned)
      integer(ip), intent(in) :: seed
      integer, intent(in) :: inputs, targets, members, low(:), high(:), kernels_low, kernels_high
      integer, intent(in) :: covariance
      integer(ip), allocatable, intent(out) :: planned(:)

      call plan_committee(seed, inputs, targets, members, low, high, kernels_low, kernels_high, &
         covariance, .false., planned, status)
   end subroutine plan

   subroutine refused(inputs, targets, members, low, high, kernels_low, kernels_high, covariance, &
      what)
      integer, intent(in) :: inputs, targets, members, low(:), high(:), kernels_low, kernels_high
      integer, intent(in) :: covariance
      character(len=*), intent(in) :: what
      integer(ip), allocatable :: planned(:)

      call plan(1_ip, inputs, targets, members, low, high, kernels_low, kernels_high, covariance, &
         planned)
      call check(status == status_invalid_argument, "refused: " // what)
   end subroutine refused

   !> Any word of a layout replaced by any of these: refused, or a committee that can be used.
   subroutine test_any_damage()
      integer(ip), parameter :: words(7) = [-huge(1_ip), -1_ip, 0_ip, 1_ip, 3_ip, 2_ip**32, &
         huge(1_ip)]
      integer(ip), allocatable :: damaged(:)
      type(committee_view) :: view
      integer :: position, word
      logical :: sound

      call start()
      sound = .true.
      do position = 1, size(layout)
         do word = 1, size(words)
            damaged = layout
            damaged(position) = words(word)
            call view_committee(damaged, parameters, view, status)
            if (status /= status_ok) cycle
            sound = sound .and. size(view%scales%input_scale) == view%n_inputs &
               .and. size(view%weights) == size(view%members) &
               .and. view%members(n_members)%offset + view%members(n_members)%n_parameters &
               <= size(parameters)
         end do
      end do
      call check(sound, "a damaged layout is refused, or it is a committee")
      call view_committee(layout, parameters(2:), view, status)
      call check(status == status_invalid_layout, "a parameter too few")
   end subroutine test_any_damage

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
         call log_density(view, alone, rows%inputs(:, order), rows%targets(:, order), 1, log_p)
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

   !> The committee's mixture: weights sum to one, and its density is the one of `log_density`, on
   !> any number of rows and threads.
   subroutine test_posterior()
      integer, parameter :: m = 300
      type(committee_view) :: view
      real(wp), allocatable :: weights(:, :), means(:, :, :), factors(:, :, :, :)
      real(wp), allocatable :: one_weights(:, :), one_means(:, :, :), one_factors(:, :, :, :)
      real(wp) :: log_p(m), again(m), losses(n_members)
      integer :: i

      call weigh_members(data_of(rows, 5), layout, parameters, 1, losses, status)
      call view_committee(layout, parameters, view, status)
      allocate (weights(view%n_kernels, m), means(n_targets, view%n_kernels, m), &
         factors(n_targets, n_targets, view%n_kernels, m))
      one_weights = weights(:, :1)
      one_means = means(:, :, :1)
      one_factors = factors(:, :, :, :1)
      call posterior(view, parameters, rows%inputs(:, :m), 3, weights, means, factors)
      call log_density(view, parameters, rows%inputs(:, :m), rows%targets(:, :m), 3, log_p)
      call check_close(sum(weights, 1), spread(1.0_wp, 1, m), 1e-15_wp*view%n_kernels, &
         "weights of kernels sum to one")
      again = [(mixture_log_density(weights(:, i), means(:, :, i), factors(:, :, :, i), &
         rows%targets(:, i)), i=1, m)]
      call check_close(log_p, again, 1e-11_wp, "the density of the mixture")
      ! Means 12/13 of those of the inputs, sd sqrt(1/13) or more: both targets are learnt.
      call check(sum(log_p)/m > -2.2_wp, "which knows more than the prior, -2.84")

      call posterior(view, parameters, rows%inputs(:, 257:257), 1, one_weights, one_means, &
         one_factors)
      call check(all(same(one_weights(:, 1), weights(:, 257))) .and. &
         all(same(one_means(:, :, 1), means(:, :, 257))) .and. &
         all(same(one_factors(:, :, :, 1), factors(:, :, :, 257))), "one row, the same bits")
      call log_density(view, parameters, rows%inputs(:, 257:257), rows%targets(:, 257:257), 1, &
         again(:1))
      call check(same(again(1), log_p(257)), "density of one row, the same bits")

      ! Far outside of what it was trained on: still a density.
      call posterior(view, parameters, 1e6_wp*rows%inputs(:, :1), 1, one_weights, one_means, &
         one_factors)
      call check_close(sum(one_weights), 1.0_wp, 1e-14_wp, "weights far outside sum to one")
      call check(all(abs(one_means) < 1e12_wp) .and. all([(one_factors(1, 1, i, 1) > 0 &
         .and. one_factors(2, 2, i, 1) > 0, i=1, view%n_kernels)]), "kernels far outside")
   end subroutine test_posterior

   !> The members kept are what they were; blocks that this version does not know go along.
   subroutine test_selection()
      integer(ip), allocatable :: of_two(:), with_more(:)
      real(wp), allocatable :: parameters_of_two(:), more(:)
      type(committee_view) :: view, two
      type(block_view) :: at
      character(len=tag_length) :: trouble
      integer :: i, j
      integer, parameter :: kept(2) = [2, 4]

      with_more = layout
      call append_block(with_more, "novelty", [5_ip, 6_ip], 3_ip, version=4_ip, required=.false.)
      more = [parameters, 7.0_wp, 8.0_wp, 9.0_wp]
      call select_members(with_more, more, [.false., .true., .false., .true.], of_two, &
         parameters_of_two, status)
      call check(status == status_ok .and. of_two(at_members) == 2, "two are selected")
      call check_layout(of_two, size(parameters_of_two, kind=ip), status, trouble)
      call check(status == status_ok, "a layout of two")
      call view_committee(layout, parameters, view, status)
      call view_committee(of_two, parameters_of_two, two, status)
      call check_close(two%weights, view%weights(kept)/sum(view%weights(kept)), 1e-15_wp, &
         "weights are normalised")
      do i = 1, 2
         associate (old => view%members(kept(i)), new => two%members(i))
            call check(all([(same(parameters(old%offset + j), &
               parameters_of_two(new%offset + j)), j=1, int(old%n_parameters))]), &
               "networks are the same")
         end associate
      end do
      at = find_block(of_two, "novelty", 1)
      call check(at%version == 4 .and. .not. at%required .and. &
         all(of_two(at%first_integer:at%first_integer + 1) == [5, 6]) .and. &
         all(same(parameters_of_two(at%offset + 1:at%offset + 3), [7.0_wp, 8.0_wp, 9.0_wp])), &
         "an unknown block goes along")
      at = find_block(of_two, member_weights_block, 1)
      call check(at%n_reals == 2, "two weights")

      call select_members(layout, parameters, spread(.true., 1, n_members), of_two, &
         parameters_of_two, status)
      call check(all(of_two == layout), "all of them: the same layout")
      call select_members(layout, parameters, spread(.false., 1, n_members), of_two, &
         parameters_of_two, status)
      call check(status == status_invalid_argument, "refused: none of them")
      call select_members(layout, parameters, [.true.], of_two, parameters_of_two, status)
      call check(status == status_invalid_argument, "refused: another number of members")
   end subroutine test_selection
end program test_committee
