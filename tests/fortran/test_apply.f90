!> Applying a committee: one mixture of all members, and its density.
program test_apply
   use fmdn_apply, only: log_density, posterior
   use fmdn_check, only: check, check_close, finish
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_evaluate, only: mixture_log_density
   use fmdn_examples, only: data_of, linear_rows, row_store, same, small_layout
   use fmdn_fit, only: fit_committee_scales, train_members, weigh_members
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_parameters
   use fmdn_mixture, only: full
   use fmdn_status, only: status_ok
   use fmdn_train, only: n_history, n_outcome, training_options
   implicit none (type, external)
   integer, parameter :: n_targets = 2, n_members = 4
   type(row_store), target :: rows
   integer(ip), allocatable :: layout(:)
   real(wp), allocatable :: parameters(:)
   integer :: status

   rows = linear_rows(1800, 3, n_targets, 1)
   layout = small_layout(3, n_targets, n_members, full, .true.)
   call fit()
   call test_posterior()
   call finish()

contains

   !> Scales, a few iterations, weights.
   subroutine fit()
      integer, parameter :: max_iter = 7
      real(wp) :: history(n_history, 0:max_iter, n_members), losses(n_members)
      integer(ip) :: outcome(n_outcome, n_members)

      allocate (parameters(layout(at_parameters)), source=0.0_wp)
      call fit_committee_scales(data_of(rows, 5), layout, parameters, status)
      if (status /= status_ok) error stop "no scales"
      call train_members(data_of(rows, 5), layout, parameters, 1, n_members, &
         training_options(max_iter, 50, 5_ip), 2, 0_ip, history, outcome, status)
      if (status /= status_ok) error stop "not trained"
      call weigh_members(data_of(rows, 5), layout, parameters, 1, losses, status)
      if (status /= status_ok) error stop "not weighed"
   end subroutine fit

   !> The committee's mixture: weights sum to one, and its density is the one of `log_density`, on
   !> any number of rows and threads.
   subroutine test_posterior()
      integer, parameter :: m = 300
      type(committee_view) :: view
      real(wp), allocatable :: weights(:, :), means(:, :, :), factors(:, :, :, :)
      real(wp), allocatable :: one_weights(:, :), one_means(:, :, :), one_factors(:, :, :, :)
      real(wp) :: log_p(m), again(m)
      type(kernel_set) :: kernels
      integer :: i

      call view_committee(layout, parameters, view, status)
      allocate (weights(view%n_kernels, m), means(n_targets, view%n_kernels, m), &
         factors(n_targets, n_targets, view%n_kernels, m))
      one_weights = weights(:, :1)
      one_means = means(:, :, :1)
      one_factors = factors(:, :, :, :1)
      call posterior(view, parameters, rows%inputs(:, :m), 3, weights, means, factors, status)
      call log_density(view, parameters, rows%inputs(:, :m), rows%targets(:, :m), 3, log_p, status)
      call check_close(sum(weights, 1), spread(1.0_wp, 1, m), 1e-15_wp*view%n_kernels, &
         "weights of kernels sum to one")
      kernels = processor_kernels()
      do i = 1, m
         call mixture_log_density(kernels, weights(:, i), means(:, :, i), factors(:, :, :, i), &
            rows%targets(:, i:i), again(i:i))
      end do
      call check_close(log_p, again, 1e-11_wp, "the density of the mixture")
      ! Means 12/13 of those of the inputs, sd sqrt(1/13) or more: both targets are learnt.
      call check(sum(log_p)/m > -2.2_wp, "which knows more than the prior, -2.84")

      call posterior(view, parameters, rows%inputs(:, 257:257), 1, one_weights, one_means, &
         one_factors, status)
      call check(all(same(one_weights(:, 1), weights(:, 257))) .and. &
         all(same(one_means(:, :, 1), means(:, :, 257))) .and. &
         all(same(one_factors(:, :, :, 1), factors(:, :, :, 257))), "one row, the same bits")
      call log_density(view, parameters, rows%inputs(:, 257:257), rows%targets(:, 257:257), 1, &
         again(:1), status)
      call check(same(again(1), log_p(257)), "density of one row, the same bits")

      ! Far outside of what it was trained on: still a density.
      call posterior(view, parameters, 1e6_wp*rows%inputs(:, :1), 1, one_weights, one_means, &
         one_factors, status)
      call check_close(sum(one_weights), 1.0_wp, 1e-14_wp, "weights far outside sum to one")
      call check(all(abs(one_means) < 1e12_wp) .and. all([(one_factors(1, 1, i, 1) > 0 &
         .and. one_factors(2, 2, i, 1) > 0, i=1, view%n_kernels)]), "kernels far outside")
   end subroutine test_posterior
end program test_apply
