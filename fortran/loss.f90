!> Mean loss of a member on its training rows with the gradient, and on its monitor rows, in one
!> pass. Tiles are cut into chunks whatever the threads; a chunk adds its tiles in order and chunks
!> are added in order, so that the sums do not depend on the number of threads.
module fmdn_loss
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_dispatch, only: aligned_start, kernel_set
   use fmdn_kinds, only: ip, wp
   use fmdn_member, only: member_type
   use fmdn_mixture, only: mixture_gradient, mixture_loss, mixture_work, new_work, &
      outputs_per_kernel
   use fmdn_network, only: backward, forward
   use fmdn_restricted, only: new_restricted_work, restricted_gradient, restricted_loss, &
      restricted_work
   use fmdn_rows, only: fetch_tile, new_view, tile_view, tiled_rows
   use fmdn_splits, only: monitors, trains
   use fmdn_status, only: status_ok, status_out_of_memory
   implicit none (type, external)
   private
   public :: tile_work, new_tile_work, loss_work, new_loss_work, example_losses
   public :: loss_and_gradient, add_decay, is_raised

   !> Chunks at most, and numbers in the gradients of all of them.
   integer, parameter :: max_chunks = 32
   integer(ip), parameter :: max_gradients = 2_ip**24

   !> A row of the monitor set counts at most this loss (standardised units), so that an outlier
   !> there says nothing about when to stop: fourteen standard deviations from every kernel.
   real(wp), parameter, public :: loss_cap = 100

   !> What one thread needs for a tile. Not to be copied: the pointers are into its own storage.
   type :: tile_work
      real(wp), pointer, contiguous :: units(:, :) => null()
      real(wp), pointer, contiguous :: outputs(:, :) => null(), d_outputs(:, :) => null()
      real(wp), allocatable :: losses(:)
      real(wp), allocatable :: weighted(:, :) !! the losses that count and their weights
      type(mixture_work) :: mixture
      type(restricted_work) :: restricted
      type(tile_view) :: tile
      real(wp), allocatable, private :: storage(:)
   end type tile_work

   !> Everything an evaluation needs, allocated once.
   type :: loss_work
      integer :: n_chunks = 0
      integer :: stride = 1 !! only every so manieth tile counts
      type(tile_work), allocatable :: threads(:)
      real(wp), allocatable :: gradients(:, :) !! (n_parameters, n_chunks)
      real(wp), allocatable :: sums(:, :) !! loss and weight, training and monitor; (4, n_chunks)
   end type loss_work

contains

   !> Work space for m examples of a member.
   pure subroutine new_tile_work(member, m, work, status)
      type(member_type), intent(in) :: member
      integer, intent(in) :: m
      type(tile_work), intent(out), target :: work
      integer, intent(out) :: status
      integer :: n_units, n_outputs, first, failure

      n_units = member%network%n_units()
      n_outputs = member%network%n_outputs
      ! allow(C182): whichever of these fails
      allocate (work%storage(m*(n_units + 2*n_outputs) + 7), work%losses(m), work%weighted(m, 2), &
         stat=failure)
      status = status_out_of_memory
      if (failure /= 0) return
      first = aligned_start(work%storage)
      work%units(1:m, 1:n_units) => work%storage(first:)
      first = first + m*n_units
      work%outputs(1:m, 1:n_outputs) => work%storage(first:)
      first = first + m*n_outputs
      work%d_outputs(1:m, 1:n_outputs) => work%storage(first:)
      if (allocated(member%mixture%low)) then
         call new_restricted_work(member%mixture, m, work%restricted, status)
      else
         call new_work(member%mixture, m, work%mixture, status)
      end if
   end subroutine new_tile_work

   !> Work space for passes over the tiles.
   subroutine new_loss_work(member, tiles, n_threads, work, status)
      type(member_type), intent(in) :: member
      type(tiled_rows), intent(in) :: tiles
      integer, intent(in) :: n_threads
      type(loss_work), intent(out) :: work
      integer, intent(out) :: status
      integer :: i, failure

      work%n_chunks = int(min(int(min(tiles%n_tiles, max_chunks), ip), &
         max(1_ip, max_gradients/member%n_parameters)))
      ! allow(C182): whichever of these fails
      allocate (work%threads(max(1, min(n_threads, work%n_chunks))), &
         work%gradients(member%n_parameters, work%n_chunks), work%sums(4, work%n_chunks), &
         stat=failure)
      status = merge(status_ok, status_out_of_memory, failure == 0)
      if (status /= status_ok) return
      do i = 1, size(work%threads)
         call new_tile_work(member, tiles%length, work%threads(i), status)
         if (status == status_ok) call new_view(tiles, work%threads(i)%tile, status)
         if (status /= status_ok) return
      end do
   end subroutine new_loss_work

   !> Losses of m examples (standardised units) into work%losses.
   subroutine example_losses(kernels, member, parameters, m, inputs, targets, work)
      type(kernel_set), intent(in) :: kernels
      type(member_type), intent(in) :: member
      real(wp), intent(in) :: parameters(:)
      integer, intent(in) :: m
      real(wp), intent(in) :: inputs(:, :), targets(:, :)
      type(tile_work), intent(inout) :: work

      call forward(kernels, member%network, parameters, m, inputs, work%units, work%outputs)
      if (allocated(member%mixture%low)) then
         call restricted_loss(kernels, member%mixture, m, work%outputs, targets, work%restricted, &
            work%losses)
      else
         call mixture_loss(kernels, member%mixture, m, work%outputs, targets, work%mixture, &
            work%losses)
      end if
   end subroutine example_losses

   !> Mean training loss and its gradient, and mean monitor loss (nats, standardised units; where no
   !> row monitors, the training loss). A raised `interrupt` ends the pass early: results are void.
   subroutine loss_and_gradient(kernels, member, parameters, tiles, fold, interrupt, work, &
      training_loss, monitor_loss, gradient)
      !$ use omp_lib, only: omp_get_thread_num
      type(kernel_set), intent(in) :: kernels
      type(member_type), intent(in) :: member
      real(wp), intent(in) :: parameters(:)
      type(tiled_rows), intent(in) :: tiles
      integer, intent(in) :: fold
      integer(ip), intent(in) :: interrupt
      type(loss_work), intent(inout) :: work
      real(wp), intent(out) :: training_loss, monitor_loss
      real(wp), intent(out) :: gradient(:)
      real(wp) :: total(4)
      integer :: chunk, thread, tile

      !$omp parallel do num_threads(size(work%threads)) schedule(dynamic) default(none) &
      !$omp shared(kernels, member, parameters, tiles, fold, interrupt, work) &
      !$omp private(chunk, thread, tile)
      do chunk = 1, work%n_chunks
         thread = 1
         !$ thread = omp_get_thread_num() + 1
         work%gradients(:, chunk) = 0
         work%sums(:, chunk) = 0
         do tile = 1 + ((chunk - 1)*tiles%n_tiles)/work%n_chunks, &
            (chunk*tiles%n_tiles)/work%n_chunks
            if (modulo(tile, work%stride) /= modulo(1, work%stride)) cycle
            if (is_raised(interrupt)) exit
            call add_tile(kernels, member, parameters, tiles, tile, fold, work%threads(thread), &
               work%sums(:, chunk), work%gradients(:, chunk))
         end do
      end do
      !$omp end parallel do

      total = 0
      gradient = 0
      do chunk = 1, work%n_chunks
         total = total + work%sums(:, chunk)
         gradient = gradient + work%gradients(:, chunk)
      end do
      training_loss = total(1)/max(total(2), tiny(total))
      gradient = gradient/max(total(2), tiny(total))
      monitor_loss = training_loss
      if (total(4) > 0) monitor_loss = total(3)/total(4)
   end subroutine loss_and_gradient

   !> Weight decay: `decay` times the sum of the squared weights, and its gradient. Biases are free,
   !> and so is the linear path as far as it leads to the kernels' means.
   pure subroutine add_decay(member, decay, parameters, loss, gradient)
      type(member_type), intent(in) :: member
      real(wp), intent(in) :: decay, parameters(:)
      real(wp), intent(inout) :: loss, gradient(:)
      integer :: widths(0:size(member%network%hidden) + 1), layer, first, per_kernel, means
      logical :: free(size(parameters))

      if (.not. decay > 0) return
      widths = [member%network%n_inputs, member%network%hidden, member%network%n_outputs]
      first = 1
      free = .true.
      do layer = 1, ubound(widths, 1)
         free(first:first + widths(layer - 1)*widths(layer) - 1) = .false.
         first = first + (widths(layer - 1) + 1)*widths(layer)
      end do
      if (member%network%linear_path) then
         means = member%mixture%n_targets
         per_kernel = outputs_per_kernel(member%mixture%covariance, means)
         free(first:) = .false.
         do first = first + 1, size(parameters), per_kernel ! each input and kernel: after a logit
            free(first:first + means - 1) = .true.
         end do
      end if
      loss = loss + decay*sum(parameters**2, mask=.not. free)
      where (.not. free) gradient = gradient + 2*decay*parameters
   end subroutine add_decay

   !> Has the caller, in another thread, asked to stop?
   function is_raised(interrupt) result(yes)
      integer(ip), intent(in) :: interrupt
      logical :: yes
      integer(ip) :: value

      !$omp atomic read
      value = interrupt
      yes = value /= 0
   end function is_raised

   !> One tile's share of the sums and of the gradient.
   subroutine add_tile(kernels, member, parameters, tiles, number, fold, work, sums, gradient)
      type(kernel_set), intent(in) :: kernels
      type(member_type), intent(in) :: member
      real(wp), intent(in) :: parameters(:)
      type(tiled_rows), intent(in) :: tiles
      integer, intent(in) :: number, fold
      type(tile_work), intent(inout), target :: work
      real(wp), intent(inout) :: sums(4), gradient(:)
      logical :: mixed
      integer :: m

      call fetch_tile(tiles, number, work%tile)
      m = tiles%length
      associate (tile => work%tile, roles => work%tile%roles, losses => work%weighted(:, 1), &
         weights => work%weighted(:, 2))
         call example_losses(kernels, member, parameters, m, tile%inputs, tile%targets, work)
         mixed = roles(1) /= roles(m) ! rows are sorted by role
         if (mixed .or. monitors(roles(1), fold)) then
            weights = tile%weights
            if (mixed) weights = merge(weights, 0.0_wp, monitors(roles, fold))
            losses = weights*min(work%losses, loss_cap)
            call kernels%sum_columns(int(m, c_int), 2_c_int, work%weighted, sums(3:4))
         end if
         if (.not. (mixed .or. trains(roles(1), fold))) return
         weights = tile%weights
         if (mixed) weights = merge(weights, 0.0_wp, trains(roles, fold))
         if (.not. any(weights > 0)) return
         losses = weights*work%losses
         call kernels%sum_columns(int(m, c_int), 2_c_int, work%weighted, sums(1:2))
         if (allocated(member%mixture%low)) then
            call restricted_gradient(kernels, member%mixture, m, work%outputs, tile%targets, &
               weights, work%restricted, work%d_outputs)
         else
            call mixture_gradient(kernels, member%mixture, m, work%outputs, tile%targets, weights, &
               work%mixture, work%d_outputs)
         end if
         call backward(kernels, member%network, parameters, m, tile%inputs, work%units, &
            work%d_outputs, gradient)
      end associate
   end subroutine add_tile

end module fmdn_loss
