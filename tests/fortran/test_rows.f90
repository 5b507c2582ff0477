!> Rows into tiles: standardised, in order, padded; and who sees which noise.
program test_rows
   use fmdn_check, only: check, check_close, finish
   use fmdn_examples, only: data_of, linear_rows, row_store, same
   use fmdn_kinds, only: ip, tile_size, wp
   use fmdn_rows, only: data_set, fit_scales, rows_to_train, rows_to_weigh, scale_type, &
      tile_rows, tiled_rows
   use fmdn_splits, only: fold_of, monitors, role_weighting, trains
   use fmdn_status, only: status_ok
   implicit none (type, external)
   integer, parameter :: n = 1000, n_inputs = 3, n_targets = 2
   type(row_store), target :: rows
   type(data_set) :: data
   type(scale_type) :: scales
   type(tiled_rows) :: tiles
   integer(ip), allocatable :: order(:)
   integer :: status

   rows = linear_rows(n, n_inputs, n_targets, 1)
   data = data_of(rows, 11)
   call test_order()
   call test_scales()
   call test_tiles()
   call test_noise()
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

      order = rows_to_train(rows%roles)
      rows%weights = [(1 + modulo(i, 3)/2.0_wp, i=1, n)]
      call tile_rows(data, scales, order, 0, tiles, status)
      call check(status == status_ok, "tiled")
      call check(tiles%n_tiles == 8 .and. size(tiles%inputs, 1) == tile_size, "number of tiles")
      right = .true.
      padded = .true.
      do i = 1, tiles%n_tiles*tile_size
         tile = 1 + (i - 1)/tile_size
         t = i - (tile - 1)*tile_size
         if (i <= size(order)) then
            associate (row => order(i))
               right = right .and. tiles%roles(t, tile) == rows%roles(row) &
                  .and. same(tiles%weights(t, tile), rows%weights(row)) &
                  .and. all(same(tiles%inputs(t, :, tile), &
                  (rows%inputs(:, row) - scales%input_centre)/scales%input_scale)) &
                  .and. all(same(tiles%targets(t, :, tile), &
                  (rows%targets(:, row) - scales%target_centre)/scales%target_scale))
            end associate
         else
            padded = padded .and. same(tiles%weights(t, tile), 0.0_wp) &
               .and. all(abs(tiles%inputs(t, :, tile)) <= huge(1.0_wp)) &
               .and. all(abs(tiles%targets(t, :, tile)) <= huge(1.0_wp))
         end if
      end do
      call check(right, "rows are where the order says, standardised")
      call check(padded, "the rest has no weight")
   end subroutine test_tiles

   !> A row that trains a member has a draw of its own for it; a row that monitors or weighs has one
   !> draw for all members.
   subroutine test_noise()
      type(tiled_rows) :: first, second
      real(wp) :: noise_1(n), noise_2(n)
      logical :: trains_both(n), monitors_both(n)
      integer :: m

      data%noise_sd = [0.5_wp, 0.0_wp, 2.0_wp]
      call tile_rows(data, scales, order, 1, first, status)
      call tile_rows(data, scales, order, 1, second, status)
      call check(all(same(first%inputs, second%inputs)), "the same member, the same noise")
      call tile_rows(data, scales, order, 2, second, status)
      call check(all(same(first%inputs(:, 2, :), tiles%inputs(:, 2, :))), "no noise where sd is 0")
      call check(all(same(first%targets, tiles%targets)), "no noise on targets")

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

      call tile_rows(data, scales, order, 11, second, status) ! monitored by the fold of member 1
      noise_2(:m) = noise_of(second, 3, order)
      monitors_both(:m) = monitors(rows%roles(order), fold_of(1, 10))
      call check(maxval(abs(noise_1 - noise_2), mask=monitors_both) <= 0, &
         "one draw for rows that monitor")
      call check(any(abs(noise_1 - noise_2) > 0), "but not for those that train")

      ! The noise of a row is its own, whatever other rows are tiled with it.
      call tile_rows(data, scales, order(301:310), 11, second, status)
      call check(maxval(abs(noise_of(second, 3, order(301:310)) - noise_2(301:310))) <= 0, &
         "noise does not depend on the order")
   end subroutine test_noise

   !> Noise in physical units on the rows in `order`.
   function noise_of(noisy, input, order) result(noise)
      type(tiled_rows), intent(in) :: noisy
      integer, intent(in) :: input
      integer(ip), intent(in) :: order(:)
      real(wp) :: noise(size(order))
      real(wp), allocatable :: values(:)

      values = reshape(noisy%inputs(:, input, :), [tile_size*noisy%n_tiles])
      noise = scales%input_scale(input)*values(:size(order)) + scales%input_centre(input) &
         - rows%inputs(input, order)
   end function noise_of

   subroutine test_no_rows()
      call tile_rows(data, scales, [integer(ip) ::], 0, tiles, status)
      call check(status == status_ok .and. tiles%n_tiles == 0, "no rows, no tiles")
   end subroutine test_no_rows
end program test_rows
