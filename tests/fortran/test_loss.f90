!> Sums over rows: the same bits for any number of threads, weights, who trains and who monitors,
!> and the gradient of the whole.
program test_loss
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: data_of, linear_rows, normals, row_store, same
   use fmdn_kinds, only: ip, wp
   use fmdn_loss, only: add_decay, example_losses, loss_and_gradient, loss_cap, loss_work, &
      new_loss_work, new_tile_work, tile_work
   use fmdn_member, only: member_type, new_member
   use fmdn_mixture, only: diagonal, full, isotropic
   use fmdn_rows, only: fetch_tile, fit_scales, rows_to_train, scale_type, tile_rows, tile_view, &
      tiled_rows
   use fmdn_splits, only: monitors, role_training, role_weighting, trains
   use fmdn_status, only: status_ok
   implicit none (type, external)
   type(kernel_set) :: kernels
   character(len=60) :: name

   kernels = processor_kernels()
   call test_threads()
   call test_gradients()
   call test_decay()
   call test_roles()
   call test_weights()
   call test_outlier_that_monitors()
   call test_units()
   call test_interrupt()
   call finish()

contains

   !> Tiles of the rows, with their own scales unless some are given.
   function tiles_of(rows, given) result(tiles)
      type(row_store), intent(in), target :: rows
      type(scale_type), intent(in), optional :: given
      type(tiled_rows) :: tiles
      type(scale_type) :: scales
      integer :: status

      call fit_scales(data_of(rows, 1), scales)
      if (present(given)) scales = given
      call tile_rows(kernels, data_of(rows, 1), scales, rows_to_train(rows%roles), 0, 1, &
         huge(1_ip), tiles, status)
      if (status /= status_ok) error stop "no tiles"
   end function tiles_of

   !> Loss, monitor loss and gradient.
   subroutine evaluate(member, tiles, parameters, fold, n_threads, training, monitor, gradient)
      type(member_type), intent(in) :: member
      type(tiled_rows), intent(in) :: tiles
      real(wp), intent(in) :: parameters(:)
      integer, intent(in) :: fold, n_threads
      real(wp), intent(out) :: training, monitor, gradient(:)
      type(loss_work) :: work
      integer :: status

      call new_loss_work(member, tiles, n_threads, work, status)
      call loss_and_gradient(kernels, member, parameters, tiles, fold, 0_ip, work, training, &
         monitor, gradient)
   end subroutine evaluate

   function example_member(covariance, n_targets, linear_path) result(member)
      integer, intent(in) :: covariance, n_targets
      logical, intent(in) :: linear_path
      type(member_type) :: member

      member = new_member(3, [5, 4], covariance, n_targets, 2, linear_path)
   end function example_member

   !> More tiles than chunks, and fewer.
   subroutine test_threads()
      integer, parameter :: threads(2) = [2, 4], n_rows(2) = [5000, 700]
      type(member_type) :: member
      type(row_store) :: rows
      real(wp), allocatable :: parameters(:), gradient(:), again(:)
      real(wp) :: training, monitor, training_again, monitor_again
      integer :: i, j

      member = example_member(full, 2, .true.)
      parameters = 0.5_wp*normals(int(member%n_parameters), 1)
      allocate (gradient, again, mold=parameters)
      do j = 1, size(n_rows)
         rows = linear_rows(n_rows(j), 3, 2, 1)
         call evaluate(member, tiles_of(rows), parameters, 1, 1, training, monitor, gradient)
         do i = 1, size(threads)
            write (name, "(i0,a,i0,a)") n_rows(j), " rows, ", threads(i), " threads"
            call evaluate(member, tiles_of(rows), parameters, 1, threads(i), training_again, &
               monitor_again, again)
            call check(same(training, training_again) .and. same(monitor, monitor_again), &
               trim(name) // ": losses")
            call check(all(same(gradient, again)), trim(name) // ": gradient")
         end do
      end do
   end subroutine test_threads

   subroutine test_gradients()
      real(wp), parameter :: h = 1e-5_wp
      type(member_type) :: member
      type(row_store) :: rows
      type(tiled_rows) :: tiles
      real(wp), allocatable :: parameters(:), gradient(:), differences(:), unused(:)
      real(wp) :: up, down, monitor, keep
      integer :: covariance, n_targets, path, i

      do covariance = isotropic, full
         do n_targets = 1, 3
            do path = 0, 1
               write (name, "(3(a,i0))") "covariance ", covariance, ", targets ", n_targets, &
                  ", linear path ", path
               member = example_member(covariance, n_targets, path == 1)
               rows = linear_rows(120, 3, n_targets, 2)
               rows%weights = normals(120, 3)**2
               tiles = tiles_of(rows)
               parameters = 0.3_wp*normals(int(member%n_parameters), 4)
               if (allocated(gradient)) deallocate (gradient, differences, unused)
               allocate (gradient, differences, unused, mold=parameters)
               call evaluate(member, tiles, parameters, 2, 1, up, monitor, gradient)
               do i = 1, size(parameters)
                  keep = parameters(i)
                  parameters(i) = keep + h
                  call evaluate(member, tiles, parameters, 2, 1, up, monitor, unused)
                  parameters(i) = keep - h
                  call evaluate(member, tiles, parameters, 2, 1, down, monitor, unused)
                  parameters(i) = keep
                  differences(i) = (up - down)/(2*h)
               end do
               call check_close(norm2(gradient - differences)/norm2(gradient), 0.0_wp, 1e-6_wp, &
                  trim(name) // ": gradient")
            end do
         end do
      end do
   end subroutine test_gradients

   !> The squares of the weights, not of the biases or of the linear path to the means.
   subroutine test_decay()
      real(wp), parameter :: h = 1e-5_wp
      type(member_type) :: member
      real(wp), allocatable :: parameters(:), gradient(:), unused(:), expected(:)
      real(wp) :: loss, up, down
      integer :: i, j, path

      do path = 0, 1
         member = example_member(full, 2, path == 1)
         parameters = normals(int(member%n_parameters), 5)
         if (allocated(gradient)) deallocate (gradient, unused)
         allocate (gradient, unused, mold=parameters)
         loss = 0
         gradient = 0
         call add_decay(member, 0.5_wp, parameters, loss, gradient)
         ! layers of 3 -> 5 -> 4 -> 12 with their biases
         expected = parameters
         expected([(i, i=16, 20), (i, i=41, 44), (i, i=93, 104)]) = 0
         ! for each input and kernel: logit, two means, three numbers of the covariance
         if (path == 1) expected([([106 + 6*i, 107 + 6*i], i=0, 5)]) = 0
         call check_close(loss, 0.5_wp*sum(expected**2), 1e-13_wp, "decay of the weights")
         do i = 1, size(parameters)
            up = 0
            down = 0
            call add_decay(member, 0.5_wp, parameters + [(merge(h, 0.0_wp, j == i), &
               j=1, size(parameters))], up, unused)
            call add_decay(member, 0.5_wp, parameters - [(merge(h, 0.0_wp, j == i), &
               j=1, size(parameters))], down, unused)
            call check_close(gradient(i), (up - down)/(2*h), 1e-8_wp, "gradient of the decay")
         end do
      end do
   end subroutine test_decay

   !> The means over the rows of each role, computed one tile at a time from the rows themselves.
   subroutine test_roles()
      type(member_type) :: member
      type(row_store), target :: rows
      type(scale_type) :: scales
      type(tiled_rows) :: tiles
      type(tile_view) :: view
      type(tile_work) :: work
      real(wp), allocatable :: parameters(:), gradient(:)
      real(wp) :: training, monitor, sums(4)
      integer :: status, tile

      member = example_member(full, 2, .false.)
      rows = linear_rows(500, 3, 2, 5)
      rows%weights = normals(500, 6)**2
      parameters = 0.5_wp*normals(int(member%n_parameters), 7)
      allocate (gradient, mold=parameters)
      call fit_scales(data_of(rows, 1), scales)
      call tile_rows(kernels, data_of(rows, 1), scales, rows_to_train(rows%roles), 0, 1, &
         huge(1_ip), tiles, status)
      sums = 0
      call new_tile_work(member, tiles%length, work, status)
      do tile = 1, tiles%n_tiles
         call fetch_tile(tiles, tile, view)
         call example_losses(kernels, member, parameters, tiles%length, view%inputs, &
            view%targets, work)
         associate (w => tiles%weights(:, tile), roles => tiles%roles(:, tile))
            sums(:2) = sums(:2) + [sum(w*work%losses, mask=trains(roles, 3)), &
               sum(w, mask=trains(roles, 3))]
            sums(3:) = sums(3:) + [sum(w*work%losses, mask=monitors(roles, 3)), &
               sum(w, mask=monitors(roles, 3))]
         end associate
      end do
      call evaluate(member, tiles_of(rows), parameters, 3, 1, training, monitor, gradient)
      call check_close(training, sums(1)/sums(2), 1e-13_wp, "rows that train")
      call check_close(monitor, sums(3)/sums(4), 1e-13_wp, "rows that monitor")
      call check(abs(training - monitor) > 1e-3_wp, "they are not the same rows")

      rows%roles = role_training
      call evaluate(member, tiles_of(rows), parameters, 3, 1, training, monitor, gradient)
      call check(same(training, monitor), "where none monitors, the training loss")

      rows%weights(:250) = 0
      call evaluate(member, tiles_of(rows), parameters, 3, 1, training, monitor, gradient)
      rows%roles(:250) = role_weighting
      associate (before => [training, gradient])
         call evaluate(member, tiles_of(rows), parameters, 3, 1, training, monitor, gradient)
         call check_close([training, gradient], before, 1e-12_wp, "no weight is not being there")
      end associate
   end subroutine test_roles

   !> A row twice is a row of weight two; a common factor changes nothing.
   subroutine test_weights()
      integer, parameter :: n = 300, n_twice = 100
      type(member_type) :: member
      type(row_store), target :: rows, repeated
      real(wp), allocatable :: parameters(:), gradient(:), again(:)
      type(scale_type) :: scales
      real(wp) :: training, monitor, training_again

      member = example_member(diagonal, 2, .true.)
      parameters = 0.5_wp*normals(int(member%n_parameters), 8)
      allocate (gradient, again, mold=parameters)
      rows = linear_rows(n, 3, 2, 9)
      rows%roles = role_training
      repeated = rows
      repeated%inputs = reshape([rows%inputs, rows%inputs(:, :n_twice)], [3, n + n_twice])
      repeated%targets = reshape([rows%targets, rows%targets(:, :n_twice)], [2, n + n_twice])
      repeated%weights = [rows%weights, rows%weights(:n_twice)]
      repeated%roles = [rows%roles, rows%roles(:n_twice)]
      rows%weights(:n_twice) = 2

      ! The scales take no notice of weights, and differ when rows are repeated.
      call fit_scales(data_of(rows, 1), scales)
      call evaluate(member, tiles_of(rows, scales), parameters, 1, 1, training, monitor, gradient)
      call evaluate(member, tiles_of(repeated, scales), parameters, 1, 1, training_again, &
         monitor, again)
      call check_close(training_again, training, 1e-13_wp, "loss of repeated rows")
      call check_close(again, gradient, 1e-13_wp, "gradient of repeated rows")
      rows%weights = 8*rows%weights
      call evaluate(member, tiles_of(rows, scales), parameters, 1, 1, training_again, monitor, &
         again)
      call check(same(training, training_again) .and. all(same(gradient, again)), &
         "a common factor of the weights")
   end subroutine test_weights

   !> An outlier among the rows that monitor counts `loss_cap`, and no more.
   subroutine test_outlier_that_monitors()
      type(member_type) :: member
      type(row_store), target :: rows
      type(scale_type) :: scales
      real(wp), allocatable :: parameters(:), gradient(:)
      real(wp) :: training, monitor, without
      integer :: outlier

      member = example_member(full, 1, .false.)
      rows = linear_rows(200, 3, 1, 10)
      call fit_scales(data_of(rows, 1), scales)
      parameters = 0.1_wp*normals(int(member%n_parameters), 11)
      allocate (gradient, mold=parameters)
      outlier = findloc(rows%roles, 4, dim=1)
      rows%weights(outlier) = 0
      call evaluate(member, tiles_of(rows, scales), parameters, 4, 1, training, without, gradient)
      rows%weights(outlier) = 1
      rows%targets(1, outlier) = 1e6_wp
      call evaluate(member, tiles_of(rows, scales), parameters, 4, 1, training, monitor, gradient)
      associate (n => count(rows%roles == 4))
         call check_close(monitor, ((n - 1)*without + loss_cap)/n, 1e-12_wp, &
            "an outlier among the rows that monitor")
      end associate
      call evaluate(member, tiles_of(rows, scales), parameters, 5, 1, training, monitor, gradient)
      call check(training > 1e6_wp, "but one that trains has its loss")
   end subroutine test_outlier_that_monitors

   !> At fixed parameters the loss and the gradient do not depend on the units of the rows.
   subroutine test_units()
      type(member_type) :: member
      type(row_store) :: rows, other
      real(wp), allocatable :: parameters(:), gradient(:), again(:)
      real(wp) :: training, monitor, training_again, monitor_again

      member = example_member(full, 2, .true.)
      rows = linear_rows(400, 3, 2, 12)
      parameters = 0.5_wp*normals(int(member%n_parameters), 13)
      allocate (gradient, again, mold=parameters)
      call evaluate(member, tiles_of(rows), parameters, 1, 1, training, monitor, gradient)
      other = rows
      other%inputs = rows%inputs*2.0_wp**30
      other%targets = rows%targets*2.0_wp**(-30)
      call evaluate(member, tiles_of(other), parameters, 1, 1, training_again, monitor_again, &
         again)
      call check(same(training, training_again) .and. same(monitor, monitor_again) &
         .and. all(same(gradient, again)), "units of a power of two change no bit")
      other%inputs = 1000*rows%inputs
      other%targets = 0.001_wp*rows%targets
      call evaluate(member, tiles_of(other), parameters, 1, 1, training_again, monitor_again, &
         again)
      call check_close(training_again, training, 1e-12_wp, "loss in other units")
      call check_close(again, gradient, 1e-12_wp, "gradient in other units")
   end subroutine test_units

   !> An interrupted pass ends at once, with numbers that are void but finite.
   subroutine test_interrupt()
      type(member_type) :: member
      type(row_store), target :: rows
      type(scale_type) :: scales
      type(tiled_rows) :: tiles
      type(loss_work) :: work
      real(wp), allocatable :: parameters(:), gradient(:)
      real(wp) :: training, monitor
      integer :: status

      member = example_member(full, 2, .true.)
      rows = linear_rows(400, 3, 2, 14)
      parameters = normals(int(member%n_parameters), 15)
      allocate (gradient, mold=parameters)
      call fit_scales(data_of(rows, 1), scales)
      call tile_rows(kernels, data_of(rows, 1), scales, rows_to_train(rows%roles), 0, 1, &
         huge(1_ip), tiles, status)
      call new_loss_work(member, tiles, 2, work, status)
      call loss_and_gradient(kernels, member, parameters, tiles, 1, 1_ip, work, training, monitor, &
         gradient)
      call check(all(abs([training, monitor, gradient]) <= 0), "an interrupted pass did nothing")
   end subroutine test_interrupt
end program test_loss
