!> The facade: fit, ask, save and load as a Fortran program does.
program test_fmdn
   use, intrinsic :: ieee_arithmetic, only: ieee_positive_inf, ieee_quiet_nan, ieee_value
   use fmdn, only: committee, fit_options, mixture, status_ok, status_text, wp
   use fmdn_check, only: check, check_close, finish
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_examples, only: linear_rows, row_store, same, small_layout
   use fmdn_file, only: write_model
   use fmdn_kinds, only: ip
   use fmdn_mixture, only: full
   use fmdn_status, only: status_cannot_open, status_invalid_argument, status_not_finite, &
      status_too_few_rows
   implicit none (type, external)
   character(len=*), parameter :: path = "test_fmdn.mdn"
   type(row_store), target :: rows
   type(committee) :: network
   type(mixture) :: posterior
   integer :: status

   rows = linear_rows(3000, 2, 2, 1)
   call test_fit()
   call test_members()
   call test_mixture()
   call test_files()
   call test_refused()
   call finish()

contains

   function options() result(settings)
      type(fit_options) :: settings

      settings%n_members = 3
      settings%hidden = [4, 6]
      settings%kernels = [1, 2]
      settings%max_iter = 60
      settings%n_threads = 2
      settings%linear_path = .true.
   end function options

   !> t ~ N(0, 1), d = t + N(0, 1/4) for each of two targets: posterior N(0.8 d, 0.2), independent.
   subroutine test_fit()
      real(wp), parameter :: observed(2) = [0.8_wp, -1.1_wp]

      call network%fit(rows%inputs, rows%targets, options(), status)
      call check(status == status_ok, "fitted: " // status_text(status))
      if (status /= status_ok) return
      call network%posterior(observed, posterior, status)
      call check(status == status_ok, "posterior: " // status_text(status))
      call check_close(sum(posterior%weights), 1.0_wp, 1e-14_wp, "weights sum to one")
      ! With 2700 rows, kernels that bend and members that stop early the means are known to about
      ! a tenth of the posterior sd, 0.447, and the sd to a tenth as well.
      call check_close(posterior%mean(), 0.8_wp*observed, 0.1_wp, "posterior mean")
      call check_close(posterior%standard_deviation(), [sqrt(0.2_wp), sqrt(0.2_wp)], 0.05_wp, &
         "posterior standard deviation")
   end subroutine test_fit

   !> Members have learnt different things, and do not weigh the same.
   subroutine test_members()
      type(committee_view) :: view

      call view_committee(network%layout, network%parameters, view, status)
      call check(status == status_ok .and. size(view%members) == 3, "three members")
      call check_close(sum(view%weights), 1.0_wp, 1e-15_wp, "weights of members sum to one")
      call check(.not. any(abs(view%weights - 1/3.0_wp) < 1e-9_wp), "and differ")
   end subroutine test_members

   !> The answers about a mixture agree with each other.
   subroutine test_mixture()
      integer, parameter :: n = 4000
      real(wp) :: samples(2, n), x(2), step, integral
      integer :: target, i

      samples = posterior%sample(n, 3)
      associate (mean => posterior%mean(), sd => posterior%standard_deviation())
         do target = 1, 2
            call check_close(sum(samples(target, :))/n, mean(target), &
               5*sd(target)/sqrt(real(n, wp)), "mean of samples")
            call check_close(posterior%cdf(posterior%quantile(0.3_wp, target), target), 0.3_wp, &
               1e-12_wp, "cdf of a quantile")
            call check_close(count(samples(target, :) < posterior%quantile(0.3_wp, target)) &
               /real(n, wp), 0.3_wp, 5*sqrt(0.21_wp/n), "share of samples below a quantile")
         end do
         call check(same(posterior%quantile(0.9_wp), posterior%quantile(0.9_wp, 1)), &
            "the first target, unless another is named")

         ! The marginal distribution is the joint density integrated over the other target.
         step = sd(2)/20
         integral = 0
         do i = -200, 200
            x = [mean(1), mean(2) + i*step]
            integral = integral + exp(posterior%log_density(x))*step
         end do
         call check_close(integral, (posterior%cdf(mean(1) + 1e-4_wp) &
            - posterior%cdf(mean(1) - 1e-4_wp))/2e-4_wp, 1e-6_wp, "joint and marginal density")
      end associate
   end subroutine test_mixture

   !> Saved and loaded: the same bits.
   subroutine test_files()
      type(committee) :: loaded
      character(len=200) :: detail
      integer :: unit

      call network%save(path, status)
      call check(status == status_ok, "saved: " // status_text(status))
      call loaded%load(path, status, detail=detail)
      call check(status == status_ok .and. detail == "", "loaded: " // trim(detail))
      call check(all(loaded%layout == network%layout) .and. &
         all(same(loaded%parameters, network%parameters)) .and. loaded%text == network%text, &
         "what was saved is loaded")
      call loaded%load(path, status, name="another", detail=detail)
      call check(status == status_invalid_argument .and. detail /= "", "no committee of that name")

      associate (other => small_layout(3, 1, 2, full, .false.))
         call write_model(path, 2_ip, reshape([5_ip, size(network%layout, kind=ip), &
            size(network%parameters, kind=ip), 2_ip, 5_ip, size(other, kind=ip), other(6), 4_ip], &
            [4, 2]), "firstother", [network%layout, other], [network%parameters, &
            spread(1.5_wp, 1, int(other(6)))], "{}[12]", status, detail)
         call check(status == status_ok, "two committees in a file: " // trim(detail))
         call loaded%load(path, status, name="other", detail=detail)
         call check(status == status_ok .and. loaded%text == "[12]" .and. &
            size(loaded%parameters) == other(6), "the second by its name: " // trim(detail))
         call check(all(same(loaded%parameters, 1.5_wp)), "with its own parameters")
      end associate
      call loaded%load(path, status)
      call check(all(loaded%layout == network%layout), "the first without a name")
      open (newunit=unit, file=path)
      close (unit, status="delete")
      call loaded%load(path, status, detail=detail)
      call check(status == status_cannot_open, "no file: " // trim(detail))
      call check(all(loaded%layout == network%layout), "what was there is kept")
   end subroutine test_files

   subroutine test_refused()
      type(committee) :: nothing
      type(mixture) :: of_nothing
      type(fit_options) :: settings
      real(wp), allocatable :: inputs(:, :)

      call nothing%posterior([1.0_wp, 2.0_wp], of_nothing, status)
      call check(status == status_invalid_argument, "refused: posterior of nothing")
      call nothing%save(path, status)
      call check(status == status_invalid_argument, "refused: nothing to save")
      call network%posterior([1.0_wp], of_nothing, status)
      call check(status == status_invalid_argument, "refused: an observation of another length")
      call network%posterior([1.0_wp, ieee_value(1.0_wp, ieee_positive_inf)], of_nothing, status)
      call check(status == status_not_finite, "refused: an infinite observation")
      call network%posterior([1.0_wp, ieee_value(1.0_wp, ieee_quiet_nan)], of_nothing, status)
      call check(status == status_not_finite, "refused: an observation that is NaN")

      call nothing%fit(rows%inputs, rows%targets(:, :100), options(), status)
      call check(status == status_invalid_argument, "refused: inputs and targets of two lengths")
      call nothing%fit(rows%inputs(:, :0), rows%targets(:, :0), options(), status)
      call check(status == status_invalid_argument, "refused: no rows")
      call nothing%fit(rows%inputs(:, :2), rows%targets(:, :2), options(), status)
      call check(status == status_too_few_rows, "refused: two rows")
      settings = options()
      settings%kernels = [0, 2]
      call nothing%fit(rows%inputs, rows%targets, settings, status)
      call check(status == status_invalid_argument, "refused: no kernels")
      settings = options()
      settings%max_iter = -1
      call nothing%fit(rows%inputs, rows%targets, settings, status)
      call check(status == status_invalid_argument, "refused: a negative number of iterations")
      settings = options()
      settings%n_threads = 0
      call nothing%fit(rows%inputs, rows%targets, settings, status)
      call check(status == status_invalid_argument, "refused: no threads")
      inputs = rows%inputs
      inputs(1, 17) = ieee_value(1.0_wp, ieee_quiet_nan)
      call nothing%fit(inputs, rows%targets, options(), status)
      call check(status == status_not_finite, "refused: a NaN among the inputs")
      call check(.not. allocated(nothing%layout), "what is refused leaves nothing")
   end subroutine test_refused
end program test_fmdn
