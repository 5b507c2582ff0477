!> One member: start, iterate, watch the monitor set, keep the best parameters seen on it.
module fmdn_train
   use, intrinsic :: iso_fortran_env, only: int64
   use fmdn_dispatch, only: kernel_set
   use fmdn_initialise, only: initial_parameters
   use fmdn_kinds, only: ip, wp
   use fmdn_lbfgs, only: lbfgs_options, minimise, objective
   use fmdn_loss, only: add_decay, is_raised, loss_and_gradient, loss_work, new_loss_work
   use fmdn_member, only: member_type
   use fmdn_rows, only: tiled_rows
   use fmdn_splits, only: trains
   use fmdn_status, only: status_ok, stopped_failed, stopped_interrupted, stopped_not_yet, &
      stopped_out_of_memory, stopped_patience
   implicit none (type, external)
   private
   public :: training_options, train_member

   !> Columns of a member's history: one line for the start and one for each iteration.
   integer, parameter, public :: n_history = 6
   integer, parameter, public :: at_training_loss = 1, at_monitor_loss = 2, at_gradient_norm = 3, &
      at_step = 4, at_evaluations = 5, at_seconds = 6

   !> A member's outcome: why it stopped (stopped_not_yet while it runs), iterations done, iteration
   !> whose parameters were kept.
   integer, parameter, public :: n_outcome = 3
   integer, parameter, public :: at_reason = 1, at_iterations = 2, at_best = 3

   type :: training_options
      integer :: max_iter = 1000
      integer :: patience = 50 !! iterations without a better monitor loss; zero: never stop for it
      integer(ip) :: seed = 0
      !> Standardised rows are kept where they are no more numbers than these (a quarter of a
      !> gigabyte), else made in every pass, which takes up to a third longer.
      integer(ip) :: most_kept = 2_ip**25
      !> Weight decay: this over the number of training rows, times the sum of the squared weights.
      real(wp) :: decay = 0
      integer :: memory = 10 !! of the minimiser
      !> Training begins on one tile in so many, goes on with four times as many, and ends with all;
      !> each stage but the last has half of the iterations that are left.
      integer :: first_stride = 1
   end type training_options

   !> Less than this is no improvement of the monitor loss, in nats.
   real(wp), parameter :: improvement = 1.0e-5_wp

   !> The loss as a function of the parameters, and what is watched on the way.
   type, extends(objective) :: training_problem
      type(kernel_set) :: kernels
      type(member_type), pointer :: member => null()
      type(tiled_rows), pointer :: tiles => null()
      integer(ip), pointer :: interrupt => null()
      real(wp), pointer :: history(:, :) => null()
      integer(ip), pointer :: outcome(:) => null()
      type(loss_work) :: work
      integer :: fold = 0
      integer :: patience = 0
      integer :: last_improved = 0
      integer :: before = 0 !! iterations on fewer rows
      real(wp) :: decay = 0
      real(wp) :: loss_offsets(2) = 0
      real(wp) :: last_loss = 0 !! of the last evaluation; the same without decay; on monitor rows
      real(wp) :: training_loss = 0
      real(wp) :: monitor_loss = 0
      real(wp) :: best_loss = huge(1.0_wp)
      real(wp) :: patient_loss = huge(1.0_wp)
      real(wp), allocatable :: best(:), gradient(:)
      integer(int64) :: clock_start = 0
      real(wp) :: clock_rate = 1
   contains
      procedure :: evaluate
      procedure :: accepted
      procedure :: begin_stage
   end type training_problem

contains

   !> Train member number `index` on the rows of all folds but `fold`, which monitors it.
   subroutine train_member(kernels, member, tiles, fold, index, options, loss_offsets, n_threads, &
      interrupt, history, outcome, parameters)
      type(kernel_set), intent(in) :: kernels
      type(member_type), intent(in), target :: member
      type(tiled_rows), intent(in), target :: tiles
      integer, intent(in) :: fold, index, n_threads
      type(training_options), intent(in) :: options
      !> Added to the losses of the history, on training and on monitor rows: physical units.
      real(wp), intent(in) :: loss_offsets(2)
      integer(ip), intent(in), target :: interrupt !! raised by the caller to stop
      real(wp), intent(inout), target :: history(:, 0:) !! (n_history, 0:max_iter)
      integer(ip), intent(inout), target :: outcome(:)
      real(wp), intent(inout) :: parameters(:)
      type(training_problem) :: problem
      real(wp), allocatable :: x(:)
      real(wp) :: f, rate, n_rows
      integer(int64) :: ticks
      integer :: reason, n_iterations, n_evaluations, status, failure, stride

      if (.not. any(trains(tiles%roles, fold) .and. tiles%weights > 0)) then
         outcome(at_reason) = stopped_failed
         return
      end if
      call new_loss_work(member, tiles, n_threads, problem%work, status)
      ! allow(C182): whichever of these fails
      allocate (x(member%n_parameters), problem%best(member%n_parameters), &
         problem%gradient(member%n_parameters), stat=failure)
      if (status /= status_ok .or. failure /= 0) then
         outcome(at_reason) = stopped_out_of_memory
         return
      end if
      problem%kernels = kernels
      problem%member => member
      problem%tiles => tiles
      problem%interrupt => interrupt
      problem%history(1:, 0:) => history
      problem%outcome => outcome
      problem%fold = fold
      problem%patience = options%patience
      problem%loss_offsets = loss_offsets
      call system_clock(problem%clock_start, ticks)
      rate = real(ticks, wp)
      problem%clock_rate = max(1.0_wp, rate)

      call initial_parameters(member, tiles, problem%work%threads(1)%tile, fold, options%seed, &
         index, x)
      problem%best = x
      n_rows = count(trains(tiles%roles, fold) .and. tiles%weights > 0)
      stride = max(1, options%first_stride)
      do
         call problem%begin_stage(stride, options%decay*stride/n_rows)
         call minimise(problem, x, lbfgs_options(memory=options%memory, &
            max_iter=length_of(stride)), f, reason, n_iterations, n_evaluations)
         n_iterations = problem%before + n_iterations
         if (stride == 1 .or. reason >= stopped_interrupted) exit
         if (is_raised(interrupt)) exit
         stride = max(1, stride/4)
         problem%before = n_iterations
         x = problem%best
      end do
      if (is_raised(interrupt)) reason = stopped_interrupted
      if (reason < stopped_failed) parameters = problem%best
      outcome(at_iterations) = n_iterations
      ! Last, because who polls it may read the parameters as soon as it is set.
      !$omp atomic write release
      outcome(at_reason) = reason
   contains
      !> Each stage has as many iterations as it has fewer rows, so that all take as long.
      pure function length_of(stride) result(n)
         integer, intent(in) :: stride
         integer :: n

         n = int(options%max_iter*3_ip*stride/(4_ip*max(1, options%first_stride) - 1))
      end function length_of
   end subroutine train_member

   !> Losses of other rows are to come: what was the best so far is the start.
   subroutine begin_stage(self, stride, decay)
      class(training_problem), intent(inout) :: self
      integer, intent(in) :: stride
      real(wp), intent(in) :: decay

      self%work%stride = stride
      self%decay = decay
      self%best_loss = huge(1.0_wp)
      self%patient_loss = huge(1.0_wp)
      self%last_improved = self%before
   end subroutine begin_stage

   subroutine evaluate(self, x, f, g)
      class(training_problem), intent(inout) :: self
      real(wp), intent(in) :: x(:)
      real(wp), intent(out) :: f
      real(wp), intent(out) :: g(:)

      call loss_and_gradient(self%kernels, self%member, x, self%tiles, self%fold, self%interrupt, &
         self%work, f, self%monitor_loss, g)
      self%training_loss = f
      call add_decay(self%member, self%decay, x, f, g)
      if (is_raised(self%interrupt)) f = huge(f)
      self%last_loss = f
   end subroutine evaluate

   !> Record the step, keep the best, and stop when patience is over.
   subroutine accepted(self, iteration, x, f, g, step, n_evaluations, stop)
      class(training_problem), intent(inout) :: self
      integer, intent(in) :: iteration
      real(wp), intent(in) :: x(:)
      real(wp), intent(in) :: f
      real(wp), intent(in) :: g(:)
      real(wp), intent(in) :: step
      integer, intent(in) :: n_evaluations
      integer, intent(out) :: stop
      integer(int64) :: now
      integer :: line

      line = self%before + iteration
      ! A search that ran out of trials may take an earlier one: the monitor loss is not of this x.
      if (.not. abs(self%last_loss - f) <= 0) then
         call loss_and_gradient(self%kernels, self%member, x, self%tiles, self%fold, &
            self%interrupt, self%work, self%training_loss, self%monitor_loss, self%gradient)
      end if
      stop = stopped_interrupted ! the losses are void then
      if (is_raised(self%interrupt)) return
      call system_clock(now)
      self%history(at_training_loss, line) = self%training_loss + self%loss_offsets(1)
      self%history(at_monitor_loss, line) = self%monitor_loss + self%loss_offsets(2)
      self%history(at_gradient_norm, line) = maxval(abs(g))
      self%history(at_step, line) = step
      self%history(at_evaluations, line) = n_evaluations
      self%history(at_seconds, line) = real(now - self%clock_start, wp)/self%clock_rate
      self%outcome(at_iterations) = line

      stop = stopped_not_yet
      if (self%monitor_loss < self%best_loss) then
         self%best_loss = self%monitor_loss
         self%best = x
         self%outcome(at_best) = line
      end if
      if (self%monitor_loss < self%patient_loss - improvement) then
         self%patient_loss = self%monitor_loss
         self%last_improved = line
      end if
      if (self%patience > 0 .and. line - self%last_improved >= self%patience) then
         stop = stopped_patience
      end if
   end subroutine accepted

end module fmdn_train
