!> Rows into tiles: standardised, in order, padded; and who sees which noise.
program test_rows
   use, intrinsic :: ieee_arithmetic, only: ieee_positive_inf, ieee_value
   use fmdn_check, only: check, check_close, finish
   use fmdn_examples, only: data_of, linear_rows, row_store, same
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_kinds, only: ip, lanes, tile_size, wp
   use fmdn_rows, only: data_set, fetch_tile, fit_scales, new_view, rows_to_train, rows_to_weigh, &
      scale_type, tile_rows, tile_view, tiled_rows
   use fmdn_splits, only: fold_of, monitors, role_weighting, trains
   use fmdn_status, only: status_ok
   implicit none (type, external)
   integer, parameter :: n = 1000, n_inputs = 3, n_targets = 2
   type(row_store), target :: rows
   type(data_set) :: data
   type(scale_type) :: scales
   type(tiled_rows) :: tiles
   type(kernel_set) :: kernels
   integer(ip), allocatable :: order(:)
   integer :: status

   rows = linear_rows(n, n_inputs, n_targets, 1)
   data = data_of(rows, 11)
   kernels = processor_kernels()
   call test_order()
   call test_scales()
   call test_tiles()
   call test_noise()
   call test_made_again()
   call test_lengths()
   call test_no_rows()
   call finish()

contains

   subroutine test_order()
      integer(ip) :: i

      order = rows_to_train(rows%roles)
      call check(size(order) == count(rows%roles /= role_weighting), "rows that train or monitor")
      call check(.not. any(rows%roles(order) == role_weighting), "none of them weighs")
      call check(all(rows%roles(order(2:)) >= rows%roles(order(:size(order) - 1))), &
         "sorted by role")
      call check(all([(count(order == i) <= 1, i=1, n)]), "each once")
      order = rows_to_weigh(rows%roles)
      call check(size(order) == count(rows%roles == role_weighting) .and. &
         all(rows%roles(order) == role_weighting), "rows that weigh")
   end subroutine test_order

   !> Rows that weigh and rows without weight say nothing; noise adds its variance.
   subroutine test_scales()
      type(row_store), target :: other
      type(scale_type) :: of_other
      real(wp), allocatable :: values(:)

      call fit_scales(data, scales)
      values = pack(rows%targets(2, :), rows%roles /= role_weighting)
      associate (m => size(values))
         call check_close(scales%target_centre(2), sum(values)/m, 1e-14_wp, "centre")
         call check_close(scales%target_scale(2), &
            sqrt(sum((values - sum(values)/m)**2)/(m - 1)), 1e-14_wp, "scale")
      end associate

      other = rows
      where (rows%roles == role_weighting) other%targets(1, :) = 1e9_wp
      other%targets(1, 1:n/2) = 5
      other%weights(1:n/2) = 0
      other%targets(2, :) = 4.25_wp
      other%noise_sd = [3.0_wp, 0.0_wp, 4.0_wp]
      other%inputs(3, :) = -2
      call fit_scales(data_of(other, 11), of_other)
      values = pack(rows%targets(1, :), rows%roles /= role_weighting .and. other%weights > 0)
      associate (m => size(values))
         call check_close(of_other%target_scale(1), &
            sqrt(sum((values - sum(values)/m)**2)/(m - 1)), 1e-14_wp, &
            "rows without weight do not count")
      end associate
      call check(same(of_other%target_centre(2), 4.25_wp) .and. &
         same(of_other%target_scale(2), 1.0_wp), "a constant target has scale one")
      call check(same(of_other%input_scale(3), 4.0_wp), "a constant with noise has the noise's")
      call check_close(of_other%input_scale(1)/hypot(scales%input_scale(1), 3.0_wp), 1.0_wp, &
         0.01_wp, "noise adds its variance")
   end subroutine test_scales

   subroutine test_tiles()
      integer :: i, tile, t
      logical :: right, padded
      real(wp), allocatable :: inputs(:, :, :), targets(:, :, :)

      order = rows_to_train(rows%roles)
      rows%weights = [(1 + modulo(i, 3)/2.0_wp, i=1, n)]
      call tile_rows(kernels, data, scales, order, 0, 1, huge(1_ip), tiles, status)
      call check(status == status_ok, "tiled")
      call check(tiles%n_tiles == (size(order) + tile_size - 1)/tile_size, "number of tiles")
      right = .true.
      padded = .true.
      inputs = inputs_of(tiles)
      targets = targets_of(tiles)
      do i = 1, tiles%n_tiles*tiles%length
         tile = 1 + (i - 1)/tiles%length
         t = i - (tile - 1)*tiles%length
         if (i <= size(order)) then
            associate (row => order(i))
               right = right .and. tiles%roles(t, tile) == rows%roles(row) &
                  .and. same(tiles%weights(t, tile), rows%weights(row)) &
                  .and. all(same(inputs(t, :, tile), &
                  (rows%inputs(:, row) - scales%input_centre)*(1/scales%input_scale))) &
                  .and. all(same(targets(t, :, tile), &
                  (rows%targets(:, row) - scales%target_centre)*(1/scales%target_scale)))
            end associate
         else
            padded = padded .and. same(tiles%weights(t, tile), 0.0_wp) &
               .and. all(abs(inputs(t, :, tile)) <= huge(1.0_wp)) &
               .and. all(abs(targets(t, :, tile)) <= huge(1.0_wp))
         end if
      end do
      call check(right, "rows are where the order says, standardised")
      call check(padded, "the rest has no weight")
   end subroutine test_tiles

   !> A row that trains a member has a draw of its own for it; a row that monitors or weighs has one
   !> draw for all members.
   subroutine test_noise()
      type(tiled_rows) :: first, second
      real(wp), allocatable :: inputs(:, :, :), noise_free(:, :, :)
      real(wp) :: noise_1(n), noise_2(n)
      logical :: trains_both(n), monitors_both(n)
      integer :: m

      data%noise_sd = [0.5_wp, 0.0_wp, 2.0_wp]
      call tile_rows(kernels, data, scales, order, 1, 1, huge(1_ip), first, status)
      call tile_rows(kernels, data, scales, order, 1, 1, huge(1_ip), second, status)
      call check(all(same(inputs_of(first), inputs_of(second))), "the same member, the same noise")
      call tile_rows(kernels, data, scales, order, 2, 1, huge(1_ip), second, status)
      inputs = inputs_of(first)
      noise_free = inputs_of(tiles)
      call check(all(same(inputs(:, 2, :), noise_free(:, 2, :))), "no noise where sd is 0")
      call check(all(same(targets_of(first), targets_of(tiles))), "no noise on targets")

      m = size(order)
      noise_1 = 0
      noise_2 = 0
      noise_1(:m) = noise_of(first, 3, order)
      noise_2(:m) = noise_of(second, 3, order)
      trains_both = .false.
      monitors_both = .false.
      trains_both(:m) = trains(rows%roles(order), fold_of(1, 10)) &
         .and. trains(rows%roles(order), fold_of(2, 10))
      call check_close(sum(noise_1(:m)**2)/m, 4.0_wp, 5*4*sqrt(2.0_wp/m), "variance of the noise")
      call check_close(sum(noise_1*noise_2, mask=trains_both)/count(trains_both), 0.0_wp, &
         5*4/sqrt(real(count(trains_both), wp)), "each member trains on noise of its own")
      associate (noise => noise_of(first, 1, order))
         call check_close(sum(noise*noise_1(:m))/m, 0.0_wp, 5/sqrt(real(m, wp)), &
            "inputs have independent noise")
      end associate

      call tile_rows(kernels, data, scales, order, 11, 1, huge(1_ip), second, status) ! as member 1
      noise_2(:m) = noise_of(second, 3, order)
      monitors_both(:m) = monitors(rows%roles(order), fold_of(1, 10))
      call check(maxval(abs(noise_1 - noise_2), mask=monitors_both) <= 0, &
         "one draw for rows that monitor")
      call check(any(abs(noise_1 - noise_2) > 0), "but not for those that train")

      ! The noise of a row is its own, whatever other rows are tiled with it.
      call tile_rows(kernels, data, scales, order(301:310), 11, 1, huge(1_ip), second, status)
      call check(maxval(abs(noise_of(second, 3, order(301:310)) - noise_2(301:310))) <= 0, &
         "noise does not depend on the order")
   end subroutine test_noise

   !> Noise in physical units on the rows in `order`.
   function noise_of(noisy, input, order) result(noise)
      type(tiled_rows), intent(in) :: noisy
      integer, intent(in) :: input
      integer(ip), intent(in) :: order(:)
      real(wp) :: noise(size(order))
      real(wp), allocatable :: values(:), inputs(:, :, :)

      inputs = inputs_of(noisy)
      values = reshape(inputs(:, input, :), [noisy%length*noisy%n_tiles])
      noise = scales%input_scale(input)*values(:size(order)) + scales%input_centre(input) &
         - rows%inputs(input, order)
   end function noise_of

   !> Inputs of all tiles, shape (length, n_inputs, n_tiles).
   function inputs_of(tiles) result(inputs)
      type(tiled_rows), intent(in) :: tiles
      real(wp), allocatable :: inputs(:, :, :)
      type(tile_view) :: view
      integer :: tile

      allocate (inputs(tiles%length, size(rows%inputs, 1), tiles%n_tiles))
      do tile = 1, tiles%n_tiles
         call fetch_tile(tiles, tile, view)
         inputs(:, :, tile) = view%inputs
      end do
   end function inputs_of

   function targets_of(tiles) result(targets)
      type(tiled_rows), intent(in) :: tiles
      real(wp), allocatable :: targets(:, :, :)
      type(tile_view) :: view
      integer :: tile

      allocate (targets(tiles%length, size(rows%targets, 1), tiles%n_tiles))
      do tile = 1, tiles%n_tiles
         call fetch_tile(tiles, tile, view)
         targets(:, :, tile) = view%targets
      end do
   end function targets_of

   !> Tiles that are made when they are fetched are the same as kept ones, whichever thread made
   !> them; and what is not finite is noticed.
   subroutine test_made_again()
      type(tiled_rows) :: kept, made
      type(tile_view) :: view_kept, view_made
      integer :: tile

      call tile_rows(kernels, data, scales, order, 3, 3, huge(1_ip), kept, status)
      call tile_rows(kernels, data, scales, order, 3, 1, 0_ip, made, status)
      call new_view(made, view_made, status)
      call check(status == status_ok .and. made%n_tiles == kept%n_tiles, "as many tiles")
      do tile = kept%n_tiles, 1, -1
         call fetch_tile(kept, tile, view_kept)
         call fetch_tile(made, tile, view_made)
         call check(all(same(view_kept%inputs, view_made%inputs)) &
            .and. all(same(view_kept%targets, view_made%targets)) &
            .and. all(same(view_kept%weights, view_made%weights)) &
            .and. all(view_kept%roles == view_made%roles), "made again or kept: the same tile")
      end do
      call check(view_made%finite, "finite")
      rows%inputs(2, int(order(n/2))) = ieee_value(1.0_wp, ieee_positive_inf)
      call fetch_tile(made, 1 + (n/2 - 1)/made%length, view_made)
      call check(.not. view_made%finite, "not finite")
      call fetch_tile(made, made%n_tiles, view_made)
      call check(.not. view_made%finite, "which is not forgotten")
   end subroutine test_made_again

   !> A tile is an odd multiple of `lanes` long, at most `tile_size`, and little is padding.
   subroutine test_lengths()
      type(tiled_rows) :: some
      integer :: m

      do m = 1, n
         call tile_rows(kernels, data, scales, order(:min(m, size(order))), 0, 1, 0_ip, &
            some, status)
         associate (rows_tiled => min(m, size(order)))
            call check(modulo(some%length, 2*lanes) == lanes .and. some%length <= tile_size &
               .and. some%length*some%n_tiles >= rows_tiled &
               .and. some%length*some%n_tiles < rows_tiled + 2*lanes*some%n_tiles, &
               "length of tiles")
         end associate
      end do
   end subroutine test_lengths

   subroutine test_no_rows()
      call tile_rows(kernels, data, scales, [integer(ip) ::], 0, 1, huge(1_ip), tiles, status)
      call check(status == status_ok .and. tiles%n_tiles == 0, "no rows, no tiles")
   end subroutine test_no_rows
end program test_rows
