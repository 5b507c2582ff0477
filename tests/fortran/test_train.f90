!> One member: why it stops, what it keeps, and what it says on the way.
program test_train
   use, intrinsic :: ieee_arithmetic, only: ieee_all, ieee_get_halting_mode, ieee_set_flag, &
      ieee_set_halting_mode
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: data_of, linear_rows, row_store, same
   use fmdn_initialise, only: initial_parameters
   use fmdn_kinds, only: ip, wp
   use fmdn_loss, only: loss_and_gradient, loss_work, new_loss_work
   use fmdn_member, only: member_type, new_member
   use fmdn_mixture, only: full
   use fmdn_rows, only: fetch_tile, fit_scales, rows_to_train, scale_type, tile_rows, tile_view, &
      tiled_rows
   use fmdn_splits, only: role_training
   use fmdn_status, only: status_ok, stopped_failed, stopped_interrupted, stopped_max_iter, &
      stopped_not_yet, stopped_patience
   use fmdn_train, only: at_best, at_evaluations, at_gradient_norm, at_iterations, &
      at_monitor_loss, at_reason, at_seconds, at_step, at_training_loss, n_history, n_outcome, &
      train_member, training_options
   implicit none (type, external)
   integer, parameter :: fold = 1, index = 1
   type(kernel_set) :: kernels
   type(member_type), target :: member
   type(row_store), target :: rows
   type(tiled_rows), target :: tiles
   type(tile_view) :: view
   real(wp), allocatable :: parameters(:), history(:, :)
   integer(ip) :: outcome(n_outcome)
   integer(ip), volatile :: interrupt
   integer :: i

   kernels = processor_kernels()
   interrupt = 0
   call test_learns()
   call test_patience()
   call test_max_iter()
   call test_decay()
   call test_stages()
   call test_threads()
   call test_interrupted_before()
   do i = 1, 5
      call test_interrupted_on_the_way(i)
   end do
   call test_failures()
   call finish()

contains

   !> A small member and a few rows, on which it soon learns too much.
   subroutine prepare(n, n_hidden)
      integer, intent(in) :: n, n_hidden
      type(scale_type) :: scales
      integer :: status

      rows = linear_rows(n, 3, 1, 1)
      member = new_member(3, [n_hidden], full, 1, 2, .true.)
      call fit_scales(data_of(rows, 1), scales)
      call tile_rows(kernels, data_of(rows, 1), scales, rows_to_train(rows%roles), 0, 1, &
         huge(1_ip), tiles, status)
      if (status /= status_ok) error stop "no tiles"
      if (allocated(parameters)) deallocate (parameters)
      allocate (parameters(member%n_parameters), source=-99.0_wp)
   end subroutine prepare

   subroutine train(max_iter, patience, offset, n_threads, decay, first_stride)
      integer, intent(in) :: max_iter, patience, n_threads
      real(wp), intent(in) :: offset !! of training losses; three times that of monitor losses
      real(wp), intent(in), optional :: decay
      integer, intent(in), optional :: first_stride
      type(training_options) :: options

      options = training_options(max_iter, patience, 1_ip)
      if (present(decay)) options%decay = decay
      if (present(first_stride)) options%first_stride = first_stride
      if (allocated(history)) deallocate (history)
      allocate (history(n_history, 0:max_iter), source=0.0_wp)
      outcome = stopped_not_yet
      call train_member(kernels, member, tiles, fold, index, options, offset*[1, 3], &
         n_threads, interrupt, history, outcome, parameters)
   end subroutine train

   !> Training and monitor loss at the parameters.
   function losses_at(x) result(losses)
      real(wp), intent(in) :: x(:)
      real(wp) :: losses(2)
      type(loss_work) :: work
      real(wp) :: gradient(size(x))
      integer :: status

      call new_loss_work(member, tiles, 1, work, status)
      call loss_and_gradient(kernels, member, x, tiles, fold, 0_ip, work, losses(1), losses(2), &
         gradient)
   end function losses_at

   !> The expected loss of the true posterior of t ~ N(0, 1) given three inputs t + N(0, 1/4), with
   !> variance 1/13, is log(2 pi e/13)/2 = 0.136 nat; that of the prior 1.419.
   subroutine test_learns()
      real(wp) :: first(2)

      call prepare(1500, 6)
      call train(150, 50, 0.0_wp, 1)
      call initial_parameters(member, tiles, view, fold, 1_ip, index, parameters)
      first = losses_at(parameters)
      call check(same(history(at_training_loss, 0), first(1)) .and. &
         same(history(at_monitor_loss, 0), first(2)), "history begins at the start")
      call check_close(first(1), 1.419_wp, 0.1_wp, "which knows the prior")
      associate (n => int(outcome(at_iterations)), best => int(outcome(at_best)))
         ! The standard deviation of a loss is sqrt(1/2) nat; 1215 rows train, 135 monitor.
         call check_close(history(at_training_loss, best), 0.136_wp, 5*sqrt(0.5_wp/1215), &
            "training loss of the posterior")
         call check_close(history(at_monitor_loss, best), 0.136_wp, 5*sqrt(0.5_wp/135), &
            "monitor loss of the posterior")
         call check(all(history(at_training_loss, 1:n) < history(at_training_loss, 0:n - 1)), &
            "each step lowers the training loss")
         call check(all(history(at_evaluations, 1:n) > history(at_evaluations, 0:n - 1)), &
            "each step takes evaluations")
         call check(all(history(at_seconds, 1:n) >= history(at_seconds, 0:n - 1)), "time goes on")
         call check(all(history(at_gradient_norm, 0:n) > 0) .and. all(history(at_step, 1:n) > 0), &
            "gradients and steps")
         call check(all(abs(history(:, n + 1:)) <= 0), "nothing after the end")
      end associate
   end subroutine test_learns

   !> It stops `patience` iterations after the last improvement, and keeps the best.
   subroutine test_patience()
      integer, parameter :: patience = 7
      real(wp) :: best_loss
      integer :: n, best

      call prepare(120, 12)
      call train(500, patience, 2.5_wp, 1)
      call check(outcome(at_reason) == stopped_patience, "stopped by patience")
      n = int(outcome(at_iterations))
      best = int(outcome(at_best))
      best_loss = minval(history(at_monitor_loss, 0:n))
      call check(same(history(at_monitor_loss, best), best_loss), "the best is the lowest")
      call check(all(history(at_monitor_loss, 0:best - 1) > best_loss), "the first of that")
      associate (losses => losses_at(parameters) + 2.5_wp*[1, 3])
         call check(same(losses(2), best_loss), "the best parameters are kept")
         call check(same(losses(1), history(at_training_loss, best)), "with their training loss")
      end associate
      call check(minval(history(at_monitor_loss, 0:n - patience)) < best_loss + 1e-5_wp, &
         "no improvement for the time of patience")
      call check(minval(history(at_monitor_loss, 0:n - patience - 1)) &
         >= history(at_monitor_loss, n - patience) + 1e-5_wp, "but one just before")
      call check(history(at_training_loss, n) < history(at_training_loss, best), &
         "it had begun to learn too much")
   end subroutine test_patience

   subroutine test_max_iter()
      real(wp), allocatable :: start(:)

      call prepare(120, 12)
      call train(3, 50, 0.0_wp, 1)
      call check(outcome(at_reason) == stopped_max_iter .and. outcome(at_iterations) == 3, &
         "three iterations")
      call train(0, 50, 0.0_wp, 1)
      call check(outcome(at_reason) == stopped_max_iter .and. outcome(at_iterations) == 0, &
         "no iterations")
      allocate (start, mold=parameters)
      call initial_parameters(member, tiles, view, fold, 1_ip, index, start)
      call check(all(same(parameters, start)), "no iterations leave the start")

      ! Without patience it goes on, and still keeps the best.
      call train(80, 0, 0.0_wp, 1)
      call check(outcome(at_reason) == stopped_max_iter .and. outcome(at_best) < 60, &
         "no patience set, none lost")
      associate (losses => losses_at(parameters))
         call check(same(losses(2), history(at_monitor_loss, outcome(at_best))), &
            "the best is kept without patience")
      end associate
   end subroutine test_max_iter

   !> The weights of the first layer stay smaller; the losses that are told are without the decay.
   subroutine test_decay()
      real(wp) :: free

      call prepare(120, 12)
      call train(60, 0, 0.0_wp, 1)
      free = sum(parameters(:36)**2)
      call train(60, 0, 0.0_wp, 1, decay=30.0_wp)
      associate (losses => losses_at(parameters))
         call check(sum(parameters(:36)**2) < 0.5_wp*free, "decay holds the weights")
         call check(same(losses(1), history(at_training_loss, outcome(at_best))), &
            "the loss is that of the rows alone")
      end associate
   end subroutine test_decay

   !> A fourth of the tiles, then all: the lowest monitor loss that counts is that of all rows.
   subroutine test_stages()
      integer :: n

      call prepare(4000, 4)
      call train(60, 0, 0.0_wp, 1, first_stride=4)
      n = int(outcome(at_iterations))
      call check(outcome(at_reason) == stopped_max_iter .and. n == 60, "all iterations, shared")
      associate (best => int(outcome(at_best)), losses => losses_at(parameters))
         call check(best > 48, "the best is of the last stage, a fifth of the iterations")
         call check(same(losses(2), history(at_monitor_loss, best)), "which sees all rows")
         call check(same(losses(1), history(at_training_loss, best)), "and trains on them")
         call check_close(losses(1), 0.136_wp, 5*sqrt(0.5_wp/3240), "to the posterior")
      end associate
   end subroutine test_stages

   subroutine test_threads()
      real(wp), allocatable :: one(:)

      call prepare(700, 5)
      call train(20, 50, 0.0_wp, 1)
      one = parameters
      call train(20, 50, 0.0_wp, 2)
      call check(all(same(one, parameters)), "two threads, the same bits")
   end subroutine test_threads

   subroutine test_interrupted_before()
      call prepare(120, 12)
      interrupt = 1
      call train(100, 50, 0.0_wp, 1)
      interrupt = 0
      call check(outcome(at_reason) == stopped_interrupted .and. outcome(at_iterations) == 0, &
         "interrupted before it began")
      call check(all(abs(parameters) < 10), "with parameters that are finite")
   end subroutine test_interrupted_before

   !> Another thread raises the interrupt after some iterations; the best so far is kept.
   subroutine test_interrupted_on_the_way(after)
      integer, intent(in) :: after
      integer(ip) :: iterations
      integer :: i

      call prepare(700, 12)
      outcome = stopped_not_yet ! before the other thread looks at it
      !$omp parallel sections num_threads(2) private(iterations, i)
      !$omp section
      call train(100000, 0, 0.0_wp, 1)
      !$omp section
      do i = 1, 10000
         call sleep_briefly()
         !$omp atomic read
         iterations = outcome(at_iterations)
         if (iterations >= after) exit
      end do
      !$omp atomic write
      interrupt = 1
      !$omp end parallel sections
      interrupt = 0
      call check(outcome(at_reason) == stopped_interrupted, "interrupted on the way")
      call check(outcome(at_iterations) >= after .and. outcome(at_iterations) < 90000, "soon")
      associate (losses => losses_at(parameters))
         call check(same(losses(2), history(at_monitor_loss, outcome(at_best))), &
            "the best so far is kept")
      end associate
   end subroutine test_interrupted_on_the_way

   subroutine sleep_briefly()
      integer(ip) :: start, now, rate

      call system_clock(start, rate)
      do
         call system_clock(now)
         if (now - start > rate/1000) exit
      end do
   end subroutine sleep_briefly

   !> A loss that is not finite from the start, and no row to train: failed, parameters untouched.
   subroutine test_failures()
      logical :: halting(size(ieee_all))

      call ieee_get_halting_mode(ieee_all, halting)
      call ieee_set_halting_mode(ieee_all, .false.)
      call prepare(120, 12)
      call fetch_tile(tiles, 1, view)
      view%targets(1, 1) = 1e200_wp
      tiles%roles(1, 1) = role_training
      call train(10, 50, 0.0_wp, 1)
      call ieee_set_flag(ieee_all, .false.)
      call ieee_set_halting_mode(ieee_all, halting)
      call check(outcome(at_reason) == stopped_failed, "a loss that is not finite")
      call check(all(abs(parameters + 99) <= 0), "leaves the parameters untouched")

      call prepare(120, 12)
      where (tiles%roles /= fold) tiles%weights = 0
      call train(10, 50, 0.0_wp, 1)
      call check(outcome(at_reason) == stopped_failed, "no row to train")
      call check(all(abs(parameters + 99) <= 0), "no row to train leaves them untouched")
   end subroutine test_failures
end program test_train
