!> The core for Fortran programs: `use fmdn`. A committee that is fitted or loaded gives the
!> posterior of an observation as a mixture; a mixture answers questions about it.
!>
!>     type(committee) :: network
!>     type(mixture) :: posterior
!>     call network%load("event.mdn", status)
!>     call network%posterior(observed, posterior, status)
!>     print *, posterior%quantile(0.05_wp), posterior%quantile(0.95_wp)
!>
!> Nothing here stops, prints or keeps state: threads may share a committee that none of them
!> changes. docs/fortran.md has the whole story.
module fmdn
   use fmdn_apply, only: log_density_of_rows => log_density, posterior_of_rows => posterior
   use fmdn_committee, only: add_ranges, committee_view, plan_committee, view_committee
   use fmdn_file, only: detail_length, read_committee, write_legacy_committee, write_model
   use fmdn_fit, only: fit_committee
   use fmdn_kinds, only: ip, max_threads, wp
   use fmdn_layout, only: at_inputs, at_members, at_parameters, at_targets
   use fmdn_mixture, only: diagonal, full, isotropic
   use fmdn_posteriors, only: mixture
   use fmdn_recalibration, only: read_recalibration, score_map
   use fmdn_sensitivity, only: kernels_of_rows => kernel_sensitivity, &
      moments_of_rows => moment_sensitivity
   use fmdn_splits, only: role_monitor, role_training, role_weighting
   use fmdn_status, only: status_invalid_argument, status_ok, status_out_of_memory, status_text
   use fmdn_targets, only: infinite, new_ranges, range_free => free, range_half_line => half_line, &
      range_log_probit => log_probit, range_log_truncated => log_truncated, &
      range_periodic => periodic, range_probit => probit, range_truncated => truncated, target_range
   use fmdn_train, only: training_options
   implicit none (type, external)
   private
   public :: committee, mixture, fit_options, status_text, status_ok, wp
   public :: isotropic, diagonal, full, detail_length, role_monitor, role_training, role_weighting
   public :: target_range, infinite, range_free, range_truncated, range_log_truncated, &
      range_half_line, range_probit, range_log_probit, range_periodic

   !> Settings of a fit; `hidden` and `kernels` are drawn between two bounds for each member.
   type :: fit_options
      integer :: n_members = 10
      integer :: hidden(2) = [25, 50]
      integer :: kernels(2) = [3, 8]
      integer :: covariance = full !! or diagonal, or isotropic
      logical :: linear_path = .false.
      integer :: max_iter = 1000
      integer :: patience = 50 !! zero: never stop for it
      integer :: seed = 0
      integer :: n_threads = 1
      !> Where each target can lie, and how kernels keep to it (docs/bounds.md); not allocated:
      !> anywhere.
      type(target_range), allocatable :: ranges(:)
   end type fit_options

   !> Trained networks: all that there is to them, free to be copied, sent and kept.
   type :: committee
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      character(len=:), allocatable :: text !! names and provenance, as JSON
   contains
      procedure :: fit
      procedure :: load
      procedure :: save => save_committee
      procedure :: n_inputs
      procedure :: n_targets
      procedure :: n_members
      procedure, private :: posterior_of_one
      procedure, private :: posterior_of_many
      generic :: posterior => posterior_of_one, posterior_of_many
      procedure :: log_density
      procedure :: sensitivity
      procedure :: kernel_sensitivity
   end type committee

contains

   !> Train on rows of inputs (n_inputs, n) and targets (n_targets, n): one tenth weighs the
   !> members, another tenth of the rest monitors each. Unless the status is ok, what was there
   !> is kept.
   subroutine fit(self, inputs, targets, options, status, roles)
      class(committee), intent(inout) :: self
      real(wp), intent(in), target, contiguous :: inputs(:, :), targets(:, :)
      type(fit_options), intent(in) :: options
      integer, intent(out) :: status
      integer, intent(in), optional :: roles(:) !! of the rows, where they are not drawn
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      type(target_range), allocatable :: ranges(:)
      integer :: failure

      call plan_committee(int(options%seed, ip), size(inputs, 1), size(targets, 1), &
         options%n_members, options%hidden(1:1), options%hidden(2:2), options%kernels(1), &
         options%kernels(2), options%covariance, options%linear_path, layout, status)
      if (status /= status_ok) return
      status = status_out_of_memory
      allocate (parameters(layout(at_parameters)), source=0.0_wp, stat=failure)
      if (failure /= 0) return
      if (allocated(options%ranges)) then
         call new_ranges(options%ranges%kind, options%ranges%low, options%ranges%high, ranges, &
            status)
         if (size(options%ranges) /= size(targets, 1)) status = status_invalid_argument
         if (status == status_ok) call add_ranges(ranges, layout, parameters, status)
         if (status /= status_ok) return
      end if
      call fit_committee(inputs, targets, &
         training_options(options%max_iter, options%patience, int(options%seed, ip)), &
         options%n_threads, 0_ip, layout, parameters, status, roles)
      if (status /= status_ok) return
      call move_alloc(layout, self%layout)
      call move_alloc(parameters, self%parameters)
      self%text = "{}"
   end subroutine fit

   !> Read a model file; of several committees in it the one called `name`, else the first. Unless
   !> the status is ok, what was there is kept.
   subroutine load(self, path, status, name, detail)
      class(committee), intent(inout) :: self
      character(len=*), intent(in) :: path
      integer, intent(out) :: status
      character(len=*), intent(in), optional :: name
      character(len=detail_length), intent(out), optional :: detail !! what is wrong, and where
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      character(len=:), allocatable :: text, wanted
      character(len=detail_length) :: what

      wanted = ""
      if (present(name)) wanted = name
      call read_committee(path, wanted, layout, parameters, text, status, what)
      if (present(detail)) detail = what
      if (status /= status_ok) return
      call move_alloc(layout, self%layout)
      call move_alloc(parameters, self%parameters)
      call move_alloc(text, self%text)
   end subroutine load

   !> Write a file, whole or not at all: a model file, or with the format "original" the original
   !> Fortran package's.
   subroutine save_committee(self, path, status, detail, format)
      class(committee), intent(in) :: self
      character(len=*), intent(in) :: path
      integer, intent(out) :: status
      character(len=detail_length), intent(out), optional :: detail !! what is wrong
      character(len=*), intent(in), optional :: format
      character(len=detail_length) :: what
      character(len=8) :: kind
      integer(ip) :: sizes(4, 1)

      kind = "fmdn"
      if (present(format)) kind = format
      status = status_invalid_argument
      what = "there is no committee to save, or no such format"
      if (allocated(self%layout) .and. kind == "original") then
         call write_legacy_committee(path, self%layout, self%parameters, status, what)
      else if (allocated(self%layout) .and. kind == "fmdn") then
         sizes(:, 1) = [0_ip, size(self%layout, kind=ip), size(self%parameters, kind=ip), &
            len(self%text, kind=ip)]
         call write_model(path, 1_ip, sizes, "", self%layout, self%parameters, self%text, status, &
            what)
      end if
      if (present(detail)) detail = what
   end subroutine save_committee

   pure function n_inputs(self) result(n)
      class(committee), intent(in) :: self
      integer :: n

      n = 0
      if (allocated(self%layout)) n = int(self%layout(at_inputs))
   end function n_inputs

   pure function n_targets(self) result(n)
      class(committee), intent(in) :: self
      integer :: n

      n = 0
      if (allocated(self%layout)) n = int(self%layout(at_targets))
   end function n_targets

   pure function n_members(self) result(n)
      class(committee), intent(in) :: self
      integer :: n

      n = 0
      if (allocated(self%layout)) n = int(self%layout(at_members))
   end function n_members

   !> The posterior of one observation (n_inputs), recalibrated if that is asked for:
   !> status_no_recalibration where the committee has no map.
   subroutine posterior_of_one(self, observed, result, status, recalibrated)
      class(committee), intent(in) :: self
      real(wp), intent(in) :: observed(:)
      type(mixture), intent(out) :: result
      integer, intent(out) :: status
      logical, intent(in), optional :: recalibrated !! default: no
      type(committee_view) :: view
      type(score_map), allocatable :: map
      real(wp), allocatable :: weights(:, :), means(:, :, :), factors(:, :, :, :)

      call look(self, size(observed), view, status)
      if (status == status_ok) call look_for_map(self, recalibrated, map, status)
      if (status /= status_ok) return
      allocate (weights(view%n_kernels, 1), means(view%n_targets, view%n_kernels, 1), &
         factors(view%n_targets, view%n_targets, view%n_kernels, 1))
      call posterior_of_rows(view, self%parameters, reshape(observed, [size(observed), 1]), 1, &
         weights, means, factors, status)
      if (status /= status_ok) return
      result = mixture(weights(:, 1), means(:, :, 1), factors(:, :, :, 1), view%ranges)
      if (allocated(map)) result%recalibration = map
   end subroutine posterior_of_one

   !> The posteriors of many observations (n_inputs, n), on `n_threads` threads.
   subroutine posterior_of_many(self, observed, results, status, n_threads, recalibrated)
      class(committee), intent(in) :: self
      real(wp), intent(in), contiguous :: observed(:, :)
      type(mixture), allocatable, intent(out) :: results(:)
      integer, intent(out) :: status
      integer, intent(in), optional :: n_threads !! default: 1
      logical, intent(in), optional :: recalibrated !! default: no
      type(committee_view) :: view
      type(score_map), allocatable :: map
      real(wp), allocatable :: weights(:, :), means(:, :, :), factors(:, :, :, :)
      integer(ip) :: i, n
      integer :: failure

      call look(self, size(observed, 1), view, status, n_threads)
      if (status == status_ok) call look_for_map(self, recalibrated, map, status)
      if (status /= status_ok) return
      n = size(observed, 2, kind=ip)
      status = status_out_of_memory
      ! allow(C182): whichever of these fails
      allocate (weights(view%n_kernels, n), means(view%n_targets, view%n_kernels, n), &
         factors(view%n_targets, view%n_targets, view%n_kernels, n), stat=failure)
      if (failure /= 0) return
      call posterior_of_rows(view, self%parameters, observed, threads(n_threads), weights, means, &
         factors, status)
      if (status /= status_ok) return
      allocate (results(n))
      do i = 1, n
         results(i) = mixture(weights(:, i), means(:, :, i), factors(:, :, :, i), view%ranges)
         if (allocated(map)) results(i)%recalibration = map
      end do
   end subroutine posterior_of_many

   !> log p(targets | observed) of many rows (n_inputs, n) and (n_targets, n), nats; -huge
   !> outside the targets' ranges.
   subroutine log_density(self, observed, targets, log_p, status, n_threads)
      class(committee), intent(in) :: self
      real(wp), intent(in), contiguous :: observed(:, :), targets(:, :)
      real(wp), intent(out) :: log_p(:) !! (n)
      integer, intent(out) :: status
      integer, intent(in), optional :: n_threads !! default: 1
      type(committee_view) :: view

      log_p = -huge(log_p)
      call look(self, size(observed, 1), view, status, n_threads)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (size(targets, 1) /= view%n_targets) return
      if (size(targets, 2) /= size(observed, 2) .or. size(log_p) /= size(observed, 2)) return
      call log_density_of_rows(view, self%parameters, observed, targets, threads(n_threads), &
         log_p, status)
      if (status /= status_ok) log_p = -huge(log_p)
   end subroutine log_density

   !> Derivatives of the means and standard deviations of one observation's posterior with respect
   !> to its inputs: (n_inputs, n_targets), in the targets' units for one of the input's.
   subroutine sensitivity(self, observed, d_mean, d_sd, status)
      class(committee), intent(in) :: self
      real(wp), intent(in) :: observed(:) !! (n_inputs)
      real(wp), allocatable, intent(out) :: d_mean(:, :), d_sd(:, :)
      integer, intent(out) :: status
      type(committee_view) :: view
      real(wp), allocatable :: of_mean(:, :, :), of_sd(:, :, :)

      call look(self, size(observed), view, status)
      if (status /= status_ok) return
      allocate (of_mean(view%n_inputs, view%n_targets, 1))
      allocate (of_sd, mold=of_mean)
      call moments_of_rows(view, self%parameters, reshape(observed, [size(observed), 1]), 1, &
         of_mean, of_sd, status)
      if (status /= status_ok) return
      d_mean = of_mean(:, :, 1)
      d_sd = of_sd(:, :, 1)
   end subroutine sensitivity

   !> The same of the kernels' weights (n_inputs, n_kernels), means (n_inputs, n_targets, n_kernels)
   !> and covariances (n_inputs, n_targets, n_targets, n_kernels).
   subroutine kernel_sensitivity(self, observed, d_weights, d_means, d_covariances, status)
      class(committee), intent(in) :: self
      real(wp), intent(in) :: observed(:) !! (n_inputs)
      real(wp), allocatable, intent(out) :: d_weights(:, :), d_means(:, :, :)
      real(wp), allocatable, intent(out) :: d_covariances(:, :, :, :)
      integer, intent(out) :: status
      type(committee_view) :: view
      real(wp), allocatable :: weights(:, :, :), means(:, :, :, :), covariances(:, :, :, :, :)

      call look(self, size(observed), view, status)
      if (status /= status_ok) return
      associate (i => view%n_inputs, c => view%n_targets, k => view%n_kernels)
         allocate (weights(i, k, 1), means(i, c, k, 1), covariances(i, c, c, k, 1))
      end associate
      call kernels_of_rows(view, self%parameters, reshape(observed, [size(observed), 1]), 1, &
         weights, means, covariances, status)
      if (status /= status_ok) return
      d_weights = weights(:, :, 1)
      d_means = means(:, :, :, 1)
      d_covariances = covariances(:, :, :, :, 1)
   end subroutine kernel_sensitivity

   !> The committee looked at, unless it cannot take such observations.
   subroutine look(self, n_observed, view, status, n_threads)
      class(committee), intent(in) :: self
      integer, intent(in) :: n_observed
      type(committee_view), intent(out) :: view
      integer, intent(out) :: status
      integer, intent(in), optional :: n_threads

      status = status_invalid_argument
      if (.not. (allocated(self%layout) .and. allocated(self%parameters))) return
      if (threads(n_threads) < 1 .or. threads(n_threads) > max_threads) return
      call view_committee(self%layout, self%parameters, view, status)
      if (status == status_ok .and. n_observed /= view%n_inputs) status = status_invalid_argument
   end subroutine look

   !> The committee's map, if it is wanted.
   subroutine look_for_map(self, recalibrated, map, status)
      class(committee), intent(in) :: self
      logical, intent(in), optional :: recalibrated
      type(score_map), allocatable, intent(out) :: map
      integer, intent(out) :: status

      status = status_ok
      if (.not. present(recalibrated)) return
      if (.not. recalibrated) return
      allocate (map)
      call read_recalibration(self%layout, self%parameters, map, status)
   end subroutine look_for_map

   pure function threads(n_threads) result(n)
      integer, intent(in), optional :: n_threads
      integer :: n

      n = 1
      if (present(n_threads)) n = n_threads
   end function threads

end module fmdn
