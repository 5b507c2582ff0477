!> Rows as the loss wants them: standardised, with noise, in tiles whose first dimension is the
!> example, padded with rows of no weight. Rows are sorted by role, so that a tile is nearly always
!> of one kind; the order depends on the data alone.
module fmdn_rows
   use fmdn_kinds, only: ip, tile_size, wp
   use fmdn_random, only: fill_normal, for_noise, random_stream, stream_of
   use fmdn_scaling, only: centre_and_scale, standardised
   use fmdn_splits, only: fold_of, role_weighting, trains
   use fmdn_status, only: status_ok, status_out_of_memory
   implicit none (type, external)
   private
   public :: data_set, scale_type, tiled_rows, rows_to_train, rows_to_weigh, fit_scales, tile_rows

   !> The caller's rows, never copied as a whole.
   type :: data_set
      real(wp), pointer :: inputs(:, :) => null()  !! (n_inputs, n_rows)
      real(wp), pointer :: targets(:, :) => null() !! (n_targets, n_rows)
      real(wp), pointer :: weights(:) => null()    !! (n_rows)
      integer, pointer :: roles(:) => null()       !! (n_rows)
      real(wp), pointer :: noise_sd(:) => null()   !! (n_inputs) of the noise to add; zeros: none
      integer(ip) :: seed = 0
   end type data_set

   !> Standardised value = (value - centre)/scale.
   type :: scale_type
      real(wp), allocatable :: input_centre(:), input_scale(:), target_centre(:), target_scale(:)
   end type scale_type

   type :: tiled_rows
      integer :: n_tiles = 0
      real(wp), allocatable :: inputs(:, :, :)  !! (tile_size, n_inputs, n_tiles)
      real(wp), allocatable :: targets(:, :, :) !! (tile_size, n_targets, n_tiles)
      real(wp), allocatable :: weights(:, :)    !! (tile_size, n_tiles), zero in the padding
      integer, allocatable :: roles(:, :)       !! (tile_size, n_tiles)
   end type tiled_rows

contains

   !> Rows that train or monitor some member, sorted by role.
   pure function rows_to_train(roles) result(order)
      integer, intent(in) :: roles(:)
      integer(ip), allocatable :: order(:)
      integer(ip) :: i
      integer :: role

      allocate (order(0))
      do role = minval(roles), maxval(roles)
         if (role == role_weighting) cycle
         order = [order, pack([(i, i=1, size(roles, kind=ip))], roles == role)]
      end do
   end function rows_to_train

   !> Rows that weigh the members.
   pure function rows_to_weigh(roles) result(order)
      integer, intent(in) :: roles(:)
      integer(ip), allocatable :: order(:)
      integer(ip) :: i

      order = pack([(i, i=1, size(roles, kind=ip))], roles == role_weighting)
   end function rows_to_weigh

   !> Scales from the rows that train or monitor; noise adds its variance.
   pure subroutine fit_scales(data, scales)
      type(data_set), intent(in) :: data
      type(scale_type), intent(out) :: scales
      integer(ip), allocatable :: order(:)
      integer :: j, n_inputs, n_targets

      n_inputs = size(data%inputs, 1)
      n_targets = size(data%targets, 1)
      allocate (scales%input_centre(n_inputs), scales%input_scale(n_inputs))
      allocate (scales%target_centre(n_targets), scales%target_scale(n_targets))
      order = rows_to_train(data%roles)
      order = pack(order, data%weights(order) > 0)
      do j = 1, n_inputs
         call centre_and_scale(data%inputs(j, order), scales%input_centre(j), scales%input_scale(j))
         scales%input_scale(j) = hypot(scales%input_scale(j), data%noise_sd(j))
      end do
      do j = 1, n_targets
         call centre_and_scale(data%targets(j, order), scales%target_centre(j), &
            scales%target_scale(j))
      end do
      where (.not. scales%input_scale > 0) scales%input_scale = 1
      where (.not. scales%target_scale > 0) scales%target_scale = 1
   end subroutine fit_scales

   !> The rows in `order`, standardised, in tiles. Noise for `member`: its own for rows that train
   !> it, the draw common to all members for the others.
   pure subroutine tile_rows(data, scales, order, member, tiles, status)
      type(data_set), intent(in) :: data
      type(scale_type), intent(in) :: scales
      integer(ip), intent(in) :: order(:)
      integer, intent(in) :: member
      type(tiled_rows), intent(out) :: tiles
      integer, intent(out) :: status
      type(random_stream) :: own, common
      real(wp), allocatable :: row(:), noise(:)
      integer(ip) :: i
      integer :: fold, tile, t, n_inputs, failure
      logical :: noisy

      n_inputs = size(data%inputs, 1)
      tiles%n_tiles = int((size(order, kind=ip) + tile_size - 1)/tile_size)
      ! allow(C182): whichever of these fails
      allocate (tiles%inputs(tile_size, n_inputs, tiles%n_tiles), &
         tiles%targets(tile_size, size(data%targets, 1), tiles%n_tiles), &
         tiles%weights(tile_size, tiles%n_tiles), &
         tiles%roles(tile_size, tiles%n_tiles), stat=failure)
      status = merge(status_ok, status_out_of_memory, failure == 0)
      if (status /= status_ok) return
      tiles%weights = 0
      tiles%roles = role_weighting
      if (tiles%n_tiles == 0) return
      tiles%inputs(:, :, tiles%n_tiles) = 0
      tiles%targets(:, :, tiles%n_tiles) = 0

      noisy = any(data%noise_sd > 0)
      fold = fold_of(member, maxval(data%roles))
      own = stream_of(data%seed, member, for_noise)
      common = stream_of(data%seed, 0, for_noise)
      allocate (row(n_inputs), noise(n_inputs))
      do i = 1, size(order, kind=ip)
         tile = int(1 + (i - 1)/tile_size)
         t = int(1 + modulo(i - 1, int(tile_size, ip)))
         row = data%inputs(:, order(i))
         if (noisy) then
            if (trains(data%roles(order(i)), fold)) then
               call fill_normal(own, order(i)*n_inputs, noise)
            else
               call fill_normal(common, order(i)*n_inputs, noise)
            end if
            row = row + data%noise_sd*noise
         end if
         tiles%inputs(t, :, tile) = standardised(row, scales%input_centre, scales%input_scale)
         tiles%targets(t, :, tile) = standardised(data%targets(:, order(i)), scales%target_centre, &
            scales%target_scale)
         tiles%weights(t, tile) = data%weights(order(i))
         tiles%roles(t, tile) = data%roles(order(i))
      end do
   end subroutine tile_rows

end module fmdn_rows
