!> The core for Fortran programs: `use fmdn`. A committee that is fitted or loaded gives the
!> posterior of an observation as a mixture; a mixture answers questions about it.
!>
!>     type(committee) :: network
!>     type(mixture) :: posterior
!>     call network%load("event.mdn", status)
!>     call network%posterior(observed, posterior, status)
!>     print *, posterior%quantile(0.05_wp), posterior%quantile(0.95_wp)
module fmdn
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
   use fmdn_apply, only: posterior_of_rows => posterior
   use fmdn_committee, only: committee_view, plan_committee, select_members, view_committee
   use fmdn_dispatch, only: processor_kernels
   use fmdn_evaluate, only: marginal_factors, mixture_cdf, mixture_log_density, mixture_moments, &
      mixture_quantile, mixture_sample
   use fmdn_file, only: model_contents, read_model, write_model
   use fmdn_fit, only: fit_committee_scales, train_members, weigh_members
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_parameters
   use fmdn_mixture, only: full
   use fmdn_random, only: for_samples, stream_of
   use fmdn_rows, only: data_set
   use fmdn_splits, only: split_rows
   use fmdn_status, only: status_invalid_argument, status_no_member, status_not_finite, status_ok, &
      status_text, stopped_failed, stopped_not_yet
   use fmdn_train, only: at_reason, n_history, n_outcome, training_options
   implicit none (type, external)
   private
   public :: committee, mixture, fit_options, status_text, status_ok, wp

   !> Settings of a fit; `hidden` and `kernels` are drawn between two bounds for each member.
   type :: fit_options
      integer :: n_members = 10
      integer :: hidden(2) = [25, 50]
      integer :: kernels(2) = [3, 8]
      integer :: covariance = full
      logical :: linear_path = .false.
      integer :: max_iter = 1000
      integer :: patience = 50 !! zero: never stop for it
      integer :: seed = 0
      integer :: n_threads = 1
   end type fit_options

   !> The posterior of one observation, in the units of the targets.
   type :: mixture
      real(wp), allocatable :: weights(:)       !! (n_kernels), sum one
      real(wp), allocatable :: means(:, :)      !! (n_targets, n_kernels)
      real(wp), allocatable :: factors(:, :, :) !! (n_targets, n_targets, n_kernels): U of evaluate
   contains
      procedure :: log_density
      procedure :: cdf
      procedure :: quantile
      procedure :: mean
      procedure :: standard_deviation
      procedure :: sample
   end type mixture

   !> Trained networks.
   type :: committee
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      character(len=:), allocatable :: text !! names and provenance, as JSON
   contains
      procedure :: fit
      procedure :: load
      procedure :: save => save_committee
      procedure :: posterior
   end type committee

contains

   !> Train on rows of inputs (n_inputs, n) and targets (n_targets, n).
   subroutine fit(self, inputs, targets, options, status)
      class(committee), intent(inout) :: self
      real(wp), intent(in), target, contiguous :: inputs(:, :), targets(:, :)
      type(fit_options), intent(in) :: options
      integer, intent(out) :: status
      type(data_set) :: data
      real(wp), allocatable, target :: weights(:), noise_sd(:)
      integer, allocatable, target :: roles(:)
      integer(ip), allocatable :: layout(:), outcome(:, :)
      real(wp), allocatable :: parameters(:), history(:, :, :), losses(:)
      logical, allocatable :: keep(:)
      integer(ip) :: i, n

      n = size(inputs, 2, kind=ip)
      status = status_invalid_argument
      if (size(targets, 2) /= n .or. n < 1 .or. options%max_iter < 0) return
      status = status_not_finite
      if (.not. (all(ieee_is_finite(inputs)) .and. all(ieee_is_finite(targets)))) return
      allocate (roles(n), weights(n), noise_sd(size(inputs, 1)))
      weights = 1
      noise_sd = 0
      call split_rows([(i, i=1, n)], n, int(options%seed, ip), .true., .true., roles, status)
      if (status /= status_ok) return
      data = data_set(inputs, targets, weights, roles, noise_sd, int(options%seed, ip))

      call plan_committee(data%seed, size(inputs, 1), size(targets, 1), options%n_members, &
         options%hidden(1:1), options%hidden(2:2), options%kernels(1), options%kernels(2), &
         options%covariance, options%linear_path, layout, status)
      if (status /= status_ok) return
      allocate (parameters(layout(at_parameters)), &
         history(n_history, options%max_iter + 1, options%n_members))
      allocate (outcome(n_outcome, options%n_members))
      parameters = 0
      history = 0
      outcome = stopped_not_yet
      call fit_committee_scales(data, layout, parameters, status)
      if (status /= status_ok) return
      call train_members(data, layout, parameters, 1, options%n_members, &
         training_options(options%max_iter, options%patience, data%seed), options%n_threads, 0_ip, &
         history, outcome, status)
      if (status /= status_ok) return

      status = status_no_member
      keep = outcome(at_reason, :) /= stopped_not_yet .and. outcome(at_reason, :) /= stopped_failed
      if (.not. any(keep)) return
      call select_members(layout, parameters, keep, self%layout, self%parameters, status)
      if (status /= status_ok) return
      allocate (losses(count(keep)))
      call weigh_members(data, self%layout, self%parameters, options%n_threads, losses, status)
      self%text = "{}"
   end subroutine fit

   !> Read a model file; of several committees in it the one called `name`, else the first.
   subroutine load(self, path, status, name, detail)
      class(committee), intent(inout) :: self
      character(len=*), intent(in) :: path
      integer, intent(out) :: status
      character(len=*), intent(in), optional :: name
      character(len=200), intent(out), optional :: detail !! what is wrong with the file, and where
      type(model_contents) :: contents
      character(len=200) :: what
      integer(ip) :: first(4), last(4)
      integer :: entry

      call read_model(path, contents, status, what)
      if (present(detail)) detail = what
      if (status /= status_ok) return
      last = 0
      do entry = 1, size(contents%sizes, 2)
         first = last + 1
         last = last + contents%sizes(:, entry)
         if (.not. present(name)) exit
         if (contents%names(first(1):last(1)) == name) exit
      end do
      status = status_invalid_argument
      if (present(detail)) detail = "no committee of that name"
      if (entry > size(contents%sizes, 2)) return
      self%layout = contents%layout(first(2):last(2))
      self%parameters = contents%parameters(first(3):last(3))
      self%text = contents%text(first(4):last(4))
      if (present(detail)) detail = ""
      status = status_ok
   end subroutine load

   !> Write a model file, whole or not at all.
   subroutine save_committee(self, path, status)
      class(committee), intent(in) :: self
      character(len=*), intent(in) :: path
      integer, intent(out) :: status
      character(len=200) :: detail
      integer(ip) :: sizes(4, 1)

      status = status_invalid_argument
      if (.not. allocated(self%layout)) return
      sizes(:, 1) = [0_ip, size(self%layout, kind=ip), size(self%parameters, kind=ip), &
         len(self%text, kind=ip)]
      call write_model(path, 1_ip, sizes, "", self%layout, self%parameters, self%text, status, &
         detail)
   end subroutine save_committee

   !> The posterior of one observation (n_inputs).
   subroutine posterior(self, observed, result, status)
      class(committee), intent(in) :: self
      real(wp), intent(in) :: observed(:)
      type(mixture), intent(out) :: result
      integer, intent(out) :: status
      type(committee_view) :: view
      real(wp), allocatable :: weights(:, :), means(:, :, :), factors(:, :, :, :)

      status = status_invalid_argument
      if (.not. allocated(self%layout)) return
      call view_committee(self%layout, self%parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (size(observed) /= view%n_inputs) return
      allocate (weights(view%n_kernels, 1), means(view%n_targets, view%n_kernels, 1), &
         factors(view%n_targets, view%n_targets, view%n_kernels, 1))
      call posterior_of_rows(view, self%parameters, reshape(observed, [size(observed), 1]), 1, &
         weights, means, factors, status)
      if (status /= status_ok) return
      result%weights = weights(:, 1)
      result%means = means(:, :, 1)
      result%factors = factors(:, :, :, 1)
      status = status_ok
   end subroutine posterior

   !> log p(x), nats.
   pure function log_density(self, x) result(log_p)
      class(mixture), intent(in) :: self
      real(wp), intent(in) :: x(:) !! (n_targets)
      real(wp) :: log_p, one(1)

      call mixture_log_density(processor_kernels(), self%weights, self%means, self%factors, &
         reshape(x, [size(x), 1]), one)
      log_p = one(1)
   end function log_density

   !> Probability of a value of target number `target` (default: 1) below x.
   pure function cdf(self, x, target) result(p)
      class(mixture), intent(in) :: self
      real(wp), intent(in) :: x
      integer, intent(in), optional :: target
      real(wp) :: p, one(1), means(size(self%weights))
      integer :: i

      i = chosen(target)
      means = self%means(i, :)
      call mixture_cdf(processor_kernels(), self%weights, means, &
         marginal_factors(self%factors, i), [x], .false., one)
      p = one(1)
   end function cdf

   !> Value of target number `target` (default: 1) below which the probability is q.
   pure function quantile(self, q, target) result(x)
      class(mixture), intent(in) :: self
      real(wp), intent(in) :: q
      integer, intent(in), optional :: target
      real(wp) :: x, means(size(self%weights))
      integer :: i

      i = chosen(target)
      means = self%means(i, :)
      x = mixture_quantile(processor_kernels(), self%weights, means, &
         marginal_factors(self%factors, i), q)
   end function quantile

   pure function chosen(target) result(i)
      integer, intent(in), optional :: target
      integer :: i

      i = 1
      if (present(target)) i = target
   end function chosen

   !> Posterior mean of each target.
   pure function mean(self) result(values)
      class(mixture), intent(in) :: self
      real(wp) :: values(size(self%means, 1))

      values = matmul(self%means, self%weights)
   end function mean

   !> Posterior standard deviation of each target.
   pure function standard_deviation(self) result(values)
      class(mixture), intent(in) :: self
      real(wp) :: values(size(self%means, 1))
      real(wp) :: covariance(size(self%means, 1), size(self%means, 1))
      integer :: i

      call mixture_moments(self%weights, self%means, self%factors, values, covariance)
      values = [(sqrt(covariance(i, i)), i=1, size(values))]
   end function standard_deviation

   !> Samples (n_targets, n); sample number j depends on (seed, j) alone.
   pure function sample(self, n, seed) result(samples)
      class(mixture), intent(in) :: self
      integer, intent(in) :: n, seed
      real(wp) :: samples(size(self%means, 1), n)
      integer :: j

      do j = 1, n
         call mixture_sample(self%weights, self%means, self%factors, &
            stream_of(int(seed, ip), 1, for_samples), int(j - 1, ip), samples(:, j))
      end do
   end function sample

end module fmdn
