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
   use fmdn_status, only: status_cannot_open, status_invalid_argument, status_no_such_committee, &
      status_not_finite, status_too_few_rows, status_unfinished
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
   call test_many()
   call test_nothing()
   call test_files()
   call test_checkpoint()
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
         call check_close(posterior%pdf(x), exp(posterior%log_density(x)), 0.0_wp, "density")
         call check_close(integral, (posterior%cdf(mean(1) + 1e-4_wp) &
            - posterior%cdf(mean(1) - 1e-4_wp))/2e-4_wp, 1e-6_wp, "joint and marginal density")
      end associate
   end subroutine test_mixture

   !> Many observations at once: the mixtures of each by itself, and their log density.
   subroutine test_many()
      integer, parameter :: n = 700
      type(mixture), allocatable :: all_of_them(:)
      real(wp) :: log_p(n), gap, away(2), spread(2, 2)
      integer :: i, k

      call network%posterior(rows%inputs(:, :n), all_of_them, status, n_threads=2)
      call check(status == status_ok .and. size(all_of_them) == n, "posteriors of many")
      call network%log_density(rows%inputs(:, :n), rows%targets(:, :n), log_p, status, n_threads=2)
      call check(status == status_ok, "log density of many")
      gap = 0
      do i = 1, n
         gap = max(gap, abs(log_p(i) - all_of_them(i)%log_density(rows%targets(:, i))))
      end do
      call check(gap < 1e-11_wp, "log density of committee and mixtures")
      do i = 1, n, 100
         call network%posterior(rows%inputs(:, i), posterior, status)
         call check_close(posterior%mean(), all_of_them(i)%mean(), 1e-13_wp, "one of many")
      end do
      call check(network%n_inputs() == 2 .and. network%n_targets() == 2 .and. &
         network%n_members() == 3, "sizes of the committee")
      call check(posterior%n_targets() == 2 .and. posterior%n_kernels() >= 3, "of the mixture")

      ! cov = sum_k w_k (cov_k + (mean_k - mean)(mean_k - mean)')
      associate (each => posterior%covariances(), mean => posterior%mean(), &
            total => posterior%covariance())
         spread = 0
         do k = 1, posterior%n_kernels()
            away = posterior%means(:, k) - mean
            spread = spread + posterior%weights(k)*(each(:, :, k) &
               + matmul(reshape(away, [2, 1]), reshape(away, [1, 2])))
         end do
         call check_close(total, spread, 1e-14_wp, "covariance of the mixture")
         call check_close(posterior%standard_deviation()**2, [total(1, 1), total(2, 2)], 1e-14_wp, &
            "standard deviations")
      end associate
   end subroutine test_many

   !> What is not there has no mass, and no size.
   subroutine test_nothing()
      type(mixture) :: nothing
      type(committee) :: nobody
      real(wp), parameter :: here(2) = [0.0_wp, 0.0_wp]

      call check(size(nothing%mean()) == 0 .and. size(nothing%covariance()) == 0 .and. &
         size(nothing%standard_deviation()) == 0 .and. size(nothing%covariances()) == 0 .and. &
         size(nothing%sample(3, 1)) == 0, "an empty mixture")
      call check(nothing%n_targets() == 0 .and. nothing%n_kernels() == 0, "has no size")
      call check(nobody%n_inputs() == 0 .and. nobody%n_targets() == 0 .and. &
         nobody%n_members() == 0, "nor has an empty committee")
      call check(nothing%log_density(here) <= -huge(1.0_wp), "its log density")
      call check_close(nothing%pdf(here), 0.0_wp, 0.0_wp, "its density")
      call check_close(nothing%cdf(0.0_wp), 0.0_wp, 0.0_wp, "its distribution")
      call check(nothing%quantile(0.5_wp) <= -huge(1.0_wp), "its quantiles")
      call check(posterior%log_density([0.0_wp]) <= -huge(1.0_wp), "at half a point")
      call check_close(posterior%cdf(0.0_wp, 3), 0.0_wp, 0.0_wp, "of a third target")
      call check(posterior%quantile(0.5_wp, 0) <= -huge(1.0_wp), "of target 0")
   end subroutine test_nothing

   !> A file whose members are not all trained is not taken for a committee.
   subroutine test_checkpoint()
      type(committee) :: part, loaded
      type(committee_view) :: view
      character(len=200) :: detail
      integer(ip) :: sizes(4, 1)
      integer :: unit

      part = network
      call view_committee(part%layout, part%parameters, view, status)
      associate (second => view%members(2))
         part%parameters(second%offset + 1:second%offset + second%n_parameters) = 0
      end associate
      call part%save(path, status)
      call loaded%load(path, status, detail=detail)
      call check(status == status_unfinished .and. detail == "1 of 3 members are missing", &
         "a member is missing: " // trim(detail))
      call check(.not. allocated(loaded%layout), "nothing is loaded")

      sizes(:, 1) = [10_ip, size(network%layout, kind=ip), size(network%parameters, kind=ip), 2_ip]
      call write_model(path, 1_ip, sizes, "checkpoint", network%layout, network%parameters, "{}", &
         status, detail)
      call loaded%load(path, status)
      call check(status == status_unfinished, "a checkpoint whose members were not weighed yet")
      open (newunit=unit, file=path)
      close (unit, status="delete")
   end subroutine test_checkpoint

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
      call check(status == status_no_such_committee .and. &
         detail == 'there is none called "another"', "no committee of that name")

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
      type(mixture), allocatable :: many(:)
      real(wp) :: log_p(8)
      type(fit_options) :: settings
      real(wp), allocatable :: inputs(:, :)

      call nothing%posterior([1.0_wp, 2.0_wp], of_nothing, status)
      call check(status == status_invalid_argument, "refused: posterior of nothing")
      call nothing%save(path, status)
      call check(status == status_invalid_argument, "refused: nothing to save")
      call network%posterior(rows%inputs(:1, :9), many, status)
      call check(status == status_invalid_argument, "refused: observations of another length")
      call network%posterior(rows%inputs(:, :9), many, status, n_threads=0)
      call check(status == status_invalid_argument, "refused: on no threads")
      call network%posterior(rows%inputs(:, :9), many, status, n_threads=100000)
      call check(status == status_invalid_argument, "refused: on a hundred thousand")
      call network%log_density(rows%inputs(:, :9), rows%targets(:, :9), log_p, status)
      call check(status == status_invalid_argument, "refused: log density of another length")
      call check(all(log_p <= -huge(1.0_wp)), "which is none")
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
