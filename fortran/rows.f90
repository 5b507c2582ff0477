!> Rows as the loss wants them: standardised, with noise, in tiles whose first dimension is the
!> example, the last padded with rows of no weight. Rows are sorted by role, so that a tile is
!> nearly always of one kind; the order depends on the data alone.
module fmdn_rows
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_bending, only: n_seen, see
   use fmdn_dispatch, only: aligned_start, kernel_set
   use fmdn_kinds, only: ip, lanes, tile_size, wp
   use fmdn_random, only: fill_normal, for_noise, random_stream, stream_of
   use fmdn_scaling, only: centre_and_scale, farthest
   use fmdn_splits, only: fold_of, role_weighting, trains
   use fmdn_status, only: status_ok, status_out_of_memory
   implicit none (type, external)
   private
   public :: data_set, scale_type, tiled_rows, tile_view
   public :: rows_to_train, rows_to_weigh, fit_scales, tile_rows, new_view, fetch_tile

   !> The caller's rows, never copied as a whole.
   type :: data_set
      real(wp), pointer, contiguous :: inputs(:, :) => null()  !! (n_inputs, n_rows); features:
                                                               !! prepare_inputs was over them
      real(wp), pointer, contiguous :: targets(:, :) => null() !! (n_targets, n_rows)
      real(wp), pointer, contiguous :: weights(:) => null()    !! (n_rows)
      integer, pointer :: roles(:) => null()       !! (n_rows)
      real(wp), pointer :: noise_sd(:) => null()   !! (n_inputs) of the noise to add; zeros: none
      integer(ip) :: seed = 0
   end type data_set

   !> Standardised value = (value - centre)/scale; inputs may have knots (fmdn_bending).
   type :: scale_type
      real(wp), allocatable :: input_centre(:), input_scale(:), target_centre(:), target_scale(:)
      real(wp), allocatable :: knots(:, :, :) !! (n_knots, 2, n_inputs)
      logical :: in_pieces = .false.
   end type scale_type

   !> Tiles, kept, or where that takes too much memory, made whenever they are fetched.
   type :: tiled_rows
      integer :: n_tiles = 0
      integer :: length = 0 !! examples of a tile
      real(wp), allocatable :: weights(:, :) !! (length, n_tiles), zero in the padding
      integer, allocatable :: roles(:, :)    !! (length, n_tiles)
      real(wp), allocatable, private :: storage(:) !! inputs and targets, tile by tile
      integer, private :: first = 1                !! in `storage`: starts a cache line
      type(kernel_set), private :: kernels
      type(data_set), private :: data
      type(scale_type), private :: scales
      integer(ip), allocatable, private :: order(:)
      integer, private :: member = 0
      logical, private :: kept = .true.
   end type tiled_rows

   !> One tile. Not to be copied: the pointers may be into its own storage.
   type :: tile_view
      real(wp), pointer, contiguous :: inputs(:, :) => null()  !! (length, n_seen)
      real(wp), pointer, contiguous :: targets(:, :) => null() !! (length, n_targets)
      real(wp), pointer, contiguous :: weights(:) => null()    !! (length)
      integer, pointer, contiguous :: roles(:) => null()       !! (length)
      real(wp), allocatable, private :: own(:)
      logical :: finite = .true. !! were all numbers, in the tiles that were made for this view?
   end type tile_view

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
   !> it, the draw common to all members for the others. Tiles are kept where they are no more than
   !> `most_kept` numbers.
   subroutine tile_rows(kernels, data, scales, order, member, n_threads, most_kept, tiles, status)
      type(kernel_set), intent(in) :: kernels
      type(data_set), intent(in) :: data
      type(scale_type), intent(in) :: scales
      integer(ip), intent(in) :: order(:)
      integer, intent(in) :: member, n_threads
      integer(ip), intent(in) :: most_kept
      type(tiled_rows), intent(out), target :: tiles
      integer, intent(out) :: status
      type(tile_view) :: view
      integer(ip) :: first, last
      integer :: tile, failure

      tiles%kernels = kernels
      tiles%data = data
      tiles%scales = scales
      tiles%member = member
      call tile_lengths(size(order, kind=ip), tiles%n_tiles, tiles%length)
      tiles%kept = tile_numbers(tiles)*tiles%n_tiles <= most_kept
      ! allow(C182): whichever of these fails
      allocate (tiles%weights(tiles%length, tiles%n_tiles), &
         tiles%roles(tiles%length, tiles%n_tiles), &
         tiles%storage(merge(tile_numbers(tiles)*tiles%n_tiles + 7, 0_ip, tiles%kept)), &
         stat=failure)
      if (failure == 0) allocate (tiles%order, source=order, stat=failure)
      status = merge(status_ok, status_out_of_memory, failure == 0)
      if (status /= status_ok) return
      if (tiles%kept) tiles%first = aligned_start(tiles%storage)
      !$omp parallel do num_threads(n_threads) schedule(static) default(none) shared(tiles) &
      !$omp firstprivate(view) private(first, last)
      do tile = 1, tiles%n_tiles
         call rows_of(tiles, tile, first, last)
         associate (n => int(last - first + 1))
            tiles%weights(:n, tile) = tiles%data%weights(tiles%order(first:last))
            tiles%roles(:n, tile) = tiles%data%roles(tiles%order(first:last))
            tiles%weights(n + 1:, tile) = 0
            tiles%roles(n + 1:, tile) = role_weighting
         end associate
         if (.not. tiles%kept) cycle
         call point(tiles, tiles%storage(tiles%first + (tile - 1)*tile_numbers(tiles):), view)
         call fill(tiles, tile, view)
      end do
      !$omp end parallel do
   end subroutine tile_rows

   !> Inputs and targets of a tile.
   pure function tile_numbers(tiles) result(n)
      type(tiled_rows), intent(in) :: tiles
      integer(ip) :: n

      n = int(tiles%length, ip)*(width_of(tiles) + size(tiles%data%targets, 1))
   end function tile_numbers

   !> Numbers that a network sees of a row.
   pure function width_of(tiles) result(n)
      type(tiled_rows), intent(in) :: tiles
      integer :: n

      n = n_seen(size(tiles%data%inputs, 1), tiles%scales%in_pieces)
   end function width_of

   !> First and last of a tile's rows in the order.
   pure subroutine rows_of(tiles, tile, first, last)
      type(tiled_rows), intent(in) :: tiles
      integer, intent(in) :: tile
      integer(ip), intent(out) :: first, last

      first = 1 + (tile - 1)*int(tiles%length, ip)
      last = min(first + tiles%length - 1, size(tiles%order, kind=ip))
   end subroutine rows_of

   !> A view of tiles, one for each thread.
   subroutine new_view(tiles, view, status)
      type(tiled_rows), intent(in) :: tiles
      type(tile_view), intent(out), target :: view
      integer, intent(out) :: status
      integer :: failure

      status = status_ok
      if (tiles%kept) return
      allocate (view%own(tile_numbers(tiles) + 7), stat=failure)
      status = merge(status_ok, status_out_of_memory, failure == 0)
      if (status == status_ok) call point(tiles, view%own(aligned_start(view%own):), view)
   end subroutine new_view

   !> Point the view at tile number `tile`.
   subroutine fetch_tile(tiles, tile, view)
      type(tiled_rows), intent(in), target :: tiles
      integer, intent(in) :: tile
      type(tile_view), intent(inout) :: view

      view%weights => tiles%weights(:, tile)
      view%roles => tiles%roles(:, tile)
      if (tiles%kept) then
         call point(tiles, tiles%storage(tiles%first + (tile - 1)*tile_numbers(tiles):), view)
      else
         call fill(tiles, tile, view)
      end if
   end subroutine fetch_tile

   !> Point at inputs and targets that start with `storage`.
   subroutine point(tiles, storage, view)
      type(tiled_rows), intent(in) :: tiles
      real(wp), intent(in), contiguous, target :: storage(:)
      type(tile_view), intent(inout) :: view

      associate (m => tiles%length, n => width_of(tiles))
         view%inputs(1:m, 1:n) => storage
         view%targets(1:m, 1:size(tiles%data%targets, 1)) => storage(m*n + 1:)
      end associate
   end subroutine point

   !> Make the inputs and targets of a tile where the view points.
   subroutine fill(tiles, tile, view)
      type(tiled_rows), intent(in) :: tiles
      integer, intent(in) :: tile
      type(tile_view), intent(inout) :: view
      integer(ip) :: first, last, i
      integer(c_int) :: not_finite

      call rows_of(tiles, tile, first, last)
      not_finite = 0
      associate (data => tiles%data, scales => tiles%scales, order => tiles%order(first:last))
         if (any(data%noise_sd > 0)) then
            call standardise(noisy_inputs(data, order, tiles%member), [(i, i=1, size(order))], &
               scales%input_centre, scales%input_scale, view%inputs)
         else
            call standardise(data%inputs, order, scales%input_centre, scales%input_scale, &
               view%inputs)
         end if
         view%inputs(:, size(data%inputs, 1) + 1:) = 0 ! the padding's
         call see(scales%knots, scales%in_pieces, size(order), view%inputs)
         call standardise(data%targets, order, scales%target_centre, scales%target_scale, &
            view%targets)
      end associate
      view%finite = view%finite .and. not_finite == 0

   contains

      subroutine standardise(values, order, centre, scale, tile)
         real(wp), intent(in), contiguous :: values(:, :)
         integer(ip), intent(in) :: order(:)
         real(wp), intent(in) :: centre(:), scale(:)
         real(wp), intent(inout), contiguous :: tile(:, :)

         call tiles%kernels%standardise(size(order, kind=c_int), size(values, 1, c_int), values, &
            order, centre, scale, farthest, size(tile, 1, c_int), tile, not_finite)
         tile(size(order) + 1:, :) = 0
      end subroutine standardise
   end subroutine fill

   !> Inputs of some rows with noise for `member`.
   pure function noisy_inputs(data, order, member) result(inputs)
      type(data_set), intent(in) :: data
      integer(ip), intent(in) :: order(:)
      integer, intent(in) :: member
      real(wp), allocatable :: inputs(:, :)
      type(random_stream) :: own, common_draw
      integer :: i, fold

      fold = fold_of(member, maxval(data%roles))
      own = stream_of(data%seed, member, for_noise)
      common_draw = stream_of(data%seed, 0, for_noise)
      allocate (inputs(size(data%inputs, 1), size(order)))
      do i = 1, size(order)
         associate (noise => inputs(:, i))
            if (trains(data%roles(order(i)), fold)) then
               call fill_normal(own, order(i)*size(noise), noise)
            else
               call fill_normal(common_draw, order(i)*size(noise), noise)
            end if
         end associate
         inputs(:, i) = data%inputs(:, order(i)) + data%noise_sd*inputs(:, i)
      end do
   end function noisy_inputs

   !> Cut n rows into tiles of about the same length, an odd multiple of `lanes`: columns an even
   !> multiple apart would compete for the same places of the cache.
   pure subroutine tile_lengths(n, n_tiles, length)
      integer(ip), intent(in) :: n
      integer, intent(out) :: n_tiles, length
      integer :: steps

      n_tiles = int((n + tile_size - 1)/tile_size)
      steps = int((n + int(lanes, ip)*n_tiles - 1)/(int(lanes, ip)*max(1, n_tiles)))
      length = lanes*(steps + 1 - modulo(steps, 2))
   end subroutine tile_lengths

end module fmdn_rows
