!> A committee: members drawn, trained in parallel, weighed, and combined into one mixture.
module fmdn_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_kinds, only: ip, lanes, tile_size, wp
   use fmdn_layout, only: append_block, at_blocks, at_inputs, at_members, at_targets, block_view, &
      check_layout, find_block, get_block, input_scale_block, member_weights_block, network_block, &
      start_layout, tag_length, target_scale_block
   use fmdn_loss, only: example_losses, loss_cap, new_tile_work, tile_work
   use fmdn_member, only: append_member, max_kernels, max_targets, max_units, member_type, &
      new_member, read_members
   use fmdn_mixture, only: full, isotropic, mixture_of_outputs
   use fmdn_network, only: forward
   use fmdn_random, only: for_shape, stream_of, uniform
   use fmdn_rows, only: data_set, fit_scales, rows_to_train, rows_to_weigh, scale_type, &
      tile_rows, tiled_rows
   use fmdn_scaling, only: standardised
   use fmdn_splits, only: fold_of, role_monitor
   use fmdn_status, only: status_interrupted, status_invalid_argument, status_invalid_layout, &
      status_ok, status_too_few_rows, stopped_failed
   use fmdn_train, only: at_reason, n_history, n_outcome, train_member, training_options
   implicit none (type, external)
   private
   public :: committee_view, plan_committee, view_committee, fit_committee_scales, train_members
   public :: weigh_members, select_members, posterior, log_density

   !> Shapes, offsets and scales of a committee whose numbers stay in the caller's parameters.
   type :: committee_view
      type(member_type), allocatable :: members(:)
      type(scale_type) :: scales
      real(wp), allocatable :: weights(:)
      integer :: n_inputs = 0, n_targets = 0
      integer :: n_kernels = 0 !! of all members together
   end type committee_view

contains

   !> Draw the members' sizes, uniformly between the bounds given, and lay the committee out.
   pure subroutine plan_committee(seed, n_inputs, n_targets, n_members, hidden_low, hidden_high, &
      kernels_low, kernels_high, covariance, linear_path, layout, status)
      integer(ip), intent(in) :: seed
      integer, intent(in) :: n_inputs, n_targets, n_members
      integer, intent(in) :: hidden_low(:), hidden_high(:) !! units of each hidden layer
      integer, intent(in) :: kernels_low, kernels_high
      integer, intent(in) :: covariance !! isotropic, diagonal or full
      logical, intent(in) :: linear_path
      integer(ip), allocatable, intent(out) :: layout(:)
      integer, intent(out) :: status
      integer :: hidden(size(hidden_low)), n_kernels, k, layer, kind_used

      status = status_invalid_argument
      if (min(n_inputs, n_targets, n_members, kernels_low) < 1) return
      if (n_inputs > max_units .or. n_targets > max_targets) return
      if (size(hidden) < 1 .or. any(hidden_low < 1) .or. any(hidden_high < hidden_low)) return
      if (any(hidden_high > max_units)) return
      if (kernels_high < kernels_low .or. kernels_high > max_kernels) return
      if (covariance < isotropic .or. covariance > full) return

      kind_used = merge(isotropic, covariance, n_targets == 1)
      call start_layout(n_inputs, n_targets, n_members, layout)
      call append_block(layout, input_scale_block, [integer(ip) ::], 2*int(n_inputs, ip))
      call append_block(layout, target_scale_block, [integer(ip) ::], 2*int(n_targets, ip))
      call append_block(layout, member_weights_block, [integer(ip) ::], int(n_members, ip))
      do k = 1, n_members
         n_kernels = drawn(k, 0, kernels_low, kernels_high)
         do layer = 1, size(hidden)
            hidden(layer) = drawn(k, layer, hidden_low(layer), hidden_high(layer))
         end do
         call append_member(layout, &
            new_member(n_inputs, hidden, kind_used, n_targets, n_kernels, linear_path))
      end do
      status = status_ok
   contains
      pure function drawn(member, number, low, high) result(n)
         integer, intent(in) :: member, number, low, high
         integer :: n

         n = low + int((high - low + 1) &
            *uniform(stream_of(seed, member, for_shape), int(number, ip)))
         n = min(n, high)
      end function drawn
   end subroutine plan_committee

   !> What a layout and its parameters say. Refuses what does not fit together.
   pure subroutine view_committee(layout, parameters, view, status, trouble)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      type(committee_view), intent(out) :: view
      integer, intent(out) :: status
      character(len=tag_length), intent(out), optional :: trouble !! name of an unknown block
      character(len=tag_length) :: name
      type(block_view) :: inputs, targets, weights

      call check_layout(layout, size(parameters, kind=ip), status, name)
      if (present(trouble)) trouble = name
      if (status /= status_ok) return
      call read_members(layout, view%members, status)
      if (status /= status_ok) return

      status = status_invalid_layout
      view%n_inputs = int(layout(at_inputs))
      view%n_targets = int(layout(at_targets))
      view%n_kernels = sum(view%members%mixture%n_kernels)
      inputs = find_block(layout, input_scale_block, 1)
      targets = find_block(layout, target_scale_block, 1)
      weights = find_block(layout, member_weights_block, 1)
      if (any([character(len=tag_length) :: inputs%name, targets%name, weights%name] == "")) return
      if (inputs%n_reals /= 2*view%n_inputs .or. targets%n_reals /= 2*view%n_targets) return
      if (weights%n_reals /= size(view%members)) return
      associate (from_inputs => parameters(inputs%offset + 1:inputs%offset + inputs%n_reals), &
            from_targets => parameters(targets%offset + 1:targets%offset + targets%n_reals))
         view%scales%input_centre = from_inputs(:view%n_inputs)
         view%scales%input_scale = from_inputs(view%n_inputs + 1:)
         view%scales%target_centre = from_targets(:view%n_targets)
         view%scales%target_scale = from_targets(view%n_targets + 1:)
      end associate
      view%weights = parameters(weights%offset + 1:weights%offset + weights%n_reals)
      status = status_ok
   end subroutine view_committee

   !> Write the scales that the rows ask for into a planned committee, and equal weights.
   pure subroutine fit_committee_scales(data, layout, parameters, status)
      type(data_set), intent(in) :: data
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(inout) :: parameters(:)
      integer, intent(out) :: status
      type(committee_view) :: view
      type(scale_type) :: scales
      type(block_view) :: at

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (.not. fits(view, data)) return
      status = status_ok
      call fit_scales(data, scales)
      at = find_block(layout, input_scale_block, 1)
      parameters(at%offset + 1:at%offset + at%n_reals) = [scales%input_centre, scales%input_scale]
      at = find_block(layout, target_scale_block, 1)
      parameters(at%offset + 1:at%offset + at%n_reals) = [scales%target_centre, scales%target_scale]
      at = find_block(layout, member_weights_block, 1)
      parameters(at%offset + 1:at%offset + at%n_reals) = 1/real(at%n_reals, wp)
   end subroutine fit_committee_scales

   !> Are the rows of the committee's widths?
   pure function fits(view, data) result(yes)
      type(committee_view), intent(in) :: view
      type(data_set), intent(in) :: data
      logical :: yes

      yes = size(data%inputs, 1) == view%n_inputs .and. size(data%targets, 1) == view%n_targets
   end function fits

   !> Train the members `first` to `last`; the result is the same bits whichever call trains a
   !> member and whatever the number of threads. Members run beside each other; those left over
   !> when the threads do not divide their number run one by one with all threads.
   subroutine train_members(data, layout, parameters, first, last, options, n_threads, interrupt, &
      history, outcome, status)
      type(data_set), intent(in) :: data
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(inout) :: parameters(:)
      integer, intent(in) :: first, last, n_threads
      type(training_options), intent(in) :: options
      integer(ip), intent(in) :: interrupt
      real(wp), intent(inout) :: history(:, 0:, :)    !! (n_history, 0:max_iter, n_members)
      integer(ip), intent(inout) :: outcome(:, :)     !! (n_outcome, n_members)
      integer, intent(out) :: status
      type(committee_view) :: view
      type(kernel_set) :: kernels
      type(tiled_rows) :: common
      integer(ip), allocatable :: order(:)
      integer :: k, side_by_side
      logical :: noisy

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (first < 1 .or. last > size(view%members) .or. n_threads < 1) return
      if (size(history, 1) /= n_history .or. size(outcome, 1) /= n_outcome) return
      if (.not. fits(view, data)) return
      order = rows_to_train(data%roles)
      status = status_too_few_rows
      if (.not. any(data%weights(order) > 0)) return

      status = status_ok
      kernels = processor_kernels()
      noisy = any(data%noise_sd > 0)
      if (.not. noisy) call tile_rows(data, view%scales, order, 0, common, status)
      if (status /= status_ok) return
      side_by_side = last - first + 1
      if (size(order) >= 4*n_threads*tile_size) then
         side_by_side = side_by_side - modulo(side_by_side, n_threads)
      end if
      !$omp parallel do num_threads(n_threads) schedule(dynamic, 1) default(none) &
      !$omp shared(first, side_by_side)
      do k = first, first + side_by_side - 1
         call train_one(k, 1)
      end do
      !$omp end parallel do
      do k = first + side_by_side, last
         call train_one(k, n_threads)
      end do
      if (interrupt /= 0) status = status_interrupted
   contains
      subroutine train_one(k, threads)
         integer, intent(in) :: k, threads
         type(tiled_rows) :: own
         integer :: failure

         if (interrupt /= 0) return
         if (.not. noisy) then
            call train_on(common, k, threads)
            return
         end if
         call tile_rows(data, view%scales, order, k, own, failure)
         if (failure == status_ok) then
            call train_on(own, k, threads)
         else
            outcome(at_reason, k) = stopped_failed
         end if
      end subroutine train_one

      subroutine train_on(tiles, k, threads)
         type(tiled_rows), intent(in) :: tiles
         integer, intent(in) :: k, threads

         associate (member => view%members(k))
            call train_member(kernels, member, tiles, fold_of(k, maxval(data%roles)), k, options, &
               sum(log(view%scales%target_scale)), threads, interrupt, history(:, :, k), &
               outcome(:, k), parameters(member%offset + 1:member%offset + member%n_parameters))
         end associate
      end subroutine train_on
   end subroutine train_members

   !> Weights proportional to exp(-mean loss) on the rows that weigh (Kaeufl et al. 2016, eq. 19,
   !> 20); on the rows that monitor all members where none weigh. `losses` in nats, physical units.
   subroutine weigh_members(data, layout, parameters, n_threads, losses, status)
      type(data_set), intent(in) :: data
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(inout) :: parameters(:)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: losses(:)
      integer, intent(out) :: status
      type(committee_view) :: view
      type(tiled_rows) :: tiles
      type(tile_work) :: work
      type(kernel_set) :: kernels
      type(block_view) :: at
      integer(ip), allocatable :: order(:)
      integer(ip) :: i
      real(wp) :: total
      integer :: k, tile

      losses = 0
      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (n_threads < 1 .or. size(losses) /= size(view%members) .or. .not. fits(view, data)) return
      order = rows_to_weigh(data%roles)
      if (size(order) == 0) then
         order = pack([(i, i=1, size(data%roles, kind=ip))], data%roles == role_monitor)
      end if
      call tile_rows(data, view%scales, order, 0, tiles, status)
      if (status /= status_ok) return
      kernels = processor_kernels()
      total = sum(tiles%weights)
      !$omp parallel do num_threads(n_threads) schedule(dynamic, 1) default(none) &
      !$omp shared(kernels, view, parameters, tiles, losses) private(tile, work)
      do k = 1, size(view%members)
         work = new_tile_work(view%members(k), tile_size)
         do tile = 1, tiles%n_tiles
            call example_losses(kernels, view%members(k), parameters(view%members(k)%offset + 1:), &
               tile_size, tiles%inputs(:, :, tile), tiles%targets(:, :, tile), work)
            losses(k) = losses(k) + sum(tiles%weights(:, tile)*min(work%losses, loss_cap))
         end do
      end do
      !$omp end parallel do
      if (.not. total > 0) total = 1
      losses = losses/total + sum(log(view%scales%target_scale))
      at = find_block(layout, member_weights_block, 1)
      associate (weights => parameters(at%offset + 1:at%offset + at%n_reals))
         weights = exp(max(minval(losses) - losses, -700.0_wp))
         weights = weights/sum(weights)
      end associate
   end subroutine weigh_members

   !> The committee of the members in `keep`, their weights normalised; other blocks are carried on.
   pure subroutine select_members(layout, parameters, keep, new_layout, new_parameters, status)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      logical, intent(in) :: keep(:)
      integer(ip), allocatable, intent(out) :: new_layout(:)
      real(wp), allocatable, intent(out) :: new_parameters(:)
      integer, intent(out) :: status
      type(committee_view) :: view
      type(block_view) :: block
      real(wp), allocatable :: reals(:)
      integer(ip) :: i
      integer :: k

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (size(keep) /= size(view%members) .or. .not. any(keep)) return
      call start_layout(view%n_inputs, view%n_targets, count(keep), new_layout)
      allocate (new_parameters(0))
      k = 0
      do i = 1, layout(at_blocks)
         block = get_block(layout, i)
         reals = parameters(block%offset + 1:block%offset + block%n_reals)
         if (block%name == network_block) then
            k = k + 1
            if (.not. keep(k)) cycle
         else if (block%name == member_weights_block) then
            reals = pack(reals, keep)
            if (sum(reals) > 0) reals = reals/sum(reals)
         end if
         call append_block(new_layout, block%name, &
            layout(block%first_integer:block%first_integer + block%n_integers - 1), &
            size(reals, kind=ip), block%version, block%required)
         new_parameters = [new_parameters, reals]
      end do
      status = status_ok
   end subroutine select_members

   !> The mixture of all members for each row of inputs, in physical units. Kernels come member by
   !> member; their weights include the member's and sum to one.
   subroutine posterior(view, parameters, inputs, n_threads, weights, means, factors)
      type(committee_view), intent(in) :: view
      real(wp), intent(in) :: parameters(:)
      real(wp), intent(in) :: inputs(:, :)     !! (n_inputs, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: weights(:, :)   !! (n_kernels, n_rows)
      real(wp), intent(out) :: means(:, :, :)  !! (n_targets, n_kernels, n_rows)
      real(wp), intent(out) :: factors(:, :, :, :) !! (n_targets, n_targets, n_kernels, n_rows)
      type(kernel_set) :: kernels
      type(tile_work) :: work
      real(wp), allocatable :: tile(:, :)
      integer(ip) :: first, n_rows
      integer :: k, m, n, row, from, to

      kernels = processor_kernels()
      n_rows = size(inputs, 2, kind=ip)
      !$omp parallel do num_threads(n_threads) if (n_rows > tile_size) schedule(dynamic, 1) &
      !$omp default(none) &
      !$omp shared(kernels, view, parameters, inputs, weights, means, factors, n_rows) &
      !$omp private(work, tile, k, m, n, row, from, to)
      do first = 1, n_rows, tile_size
         n = int(min(int(tile_size, ip), n_rows - first + 1))
         m = lanes*((n + lanes - 1)/lanes)
         call standardise(inputs(:, first:first + n - 1), m, view%scales%input_centre, &
            view%scales%input_scale, tile)
         to = 0
         do k = 1, size(view%members)
            associate (member => view%members(k))
               work = new_tile_work(member, m)
               call forward(kernels, member%network, parameters(member%offset + 1:), m, tile, &
                  work%units, work%outputs)
               from = to + 1
               to = to + member%mixture%n_kernels
               do row = 1, n
                  call mixture_of_outputs(member%mixture, work%outputs(row, :), &
                     view%scales%target_centre, view%scales%target_scale, &
                     weights(from:to, first + row - 1), means(:, from:to, first + row - 1), &
                     factors(:, :, from:to, first + row - 1))
                  weights(from:to, first + row - 1) = view%weights(k) &
                     *weights(from:to, first + row - 1)
               end do
            end associate
         end do
      end do
      !$omp end parallel do
   end subroutine posterior

   !> Standardised inputs of n rows as a tile of m, the rest zero.
   pure subroutine standardise(values, m, centre, scale, tile)
      real(wp), intent(in) :: values(:, :), centre(:), scale(:)
      integer, intent(in) :: m
      real(wp), allocatable, intent(out) :: tile(:, :)
      integer :: t

      allocate (tile(m, size(values, 1)), source=0.0_wp)
      do t = 1, size(values, 2)
         tile(t, :) = standardised(values(:, t), centre, scale)
      end do
   end subroutine standardise

   !> log p(targets | inputs) of the committee, row by row, nats in physical units.
   subroutine log_density(view, parameters, inputs, targets, n_threads, log_p)
      type(committee_view), intent(in) :: view
      real(wp), intent(in) :: parameters(:)
      real(wp), intent(in) :: inputs(:, :)  !! (n_inputs, n_rows)
      real(wp), intent(in) :: targets(:, :) !! (n_targets, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: log_p(:)
      type(kernel_set) :: kernels
      type(tile_work) :: work
      real(wp), allocatable :: x(:, :), t(:, :), terms(:, :)
      real(wp) :: largest
      integer(ip) :: first, n_rows
      integer :: k, m, n, row

      kernels = processor_kernels()
      n_rows = size(inputs, 2, kind=ip)
      !$omp parallel do num_threads(n_threads) if (n_rows > tile_size) schedule(dynamic, 1) &
      !$omp default(none) shared(kernels, view, parameters, inputs, targets, log_p, n_rows) &
      !$omp private(work, x, t, terms, largest, k, m, n, row)
      do first = 1, n_rows, tile_size
         n = int(min(int(tile_size, ip), n_rows - first + 1))
         m = lanes*((n + lanes - 1)/lanes)
         call standardise(inputs(:, first:first + n - 1), m, view%scales%input_centre, &
            view%scales%input_scale, x)
         call standardise(targets(:, first:first + n - 1), m, view%scales%target_centre, &
            view%scales%target_scale, t)
         allocate (terms(size(view%members), n))
         do k = 1, size(view%members)
            work = new_tile_work(view%members(k), m)
            call example_losses(kernels, view%members(k), parameters(view%members(k)%offset + 1:), &
               m, x, t, work)
            terms(k, :) = log(max(view%weights(k), tiny(1.0_wp))) - work%losses(:n)
         end do
         do row = 1, n
            largest = maxval(terms(:, row))
            log_p(first + row - 1) = largest &
               + log(sum(exp(max(terms(:, row) - largest, -700.0_wp)))) &
               - sum(log(view%scales%target_scale))
         end do
         deallocate (terms)
      end do
      !$omp end parallel do
   end subroutine log_density

end module fmdn_committee
