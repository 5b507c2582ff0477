!> The boundary: everything the core can do, over plain arrays that the caller owns. C can call
!> these procedures, f2py reads these files to make the Python module, and old Fortran may use them
!> as they stand. Sizes come first and by value, `status` last (fmdn_status); arrays are
!> column-major, so that inputs(n_inputs, n_rows) is C's and NumPy's inputs[n_rows][n_inputs].
!>
!> This file: committees, which cross as `layout` and `parameters` (fmdn_layout). Rows have roles
!> (fmdn_splits). fmdn_c_targets has the ranges of targets, fmdn_c_mixture mixtures, fmdn_c_text
!> files and the texts of codes.
module fmdn_c
   use, intrinsic :: iso_c_binding, only: c_double, c_int, c_int64_t
   use, intrinsic :: ieee_arithmetic, only: ieee_is_finite
   use fmdn_apply, only: log_density, posterior
   use fmdn_committee, only: committee_view, plan_committee, select_members, view_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_fit, only: fit_committee_scales, map_rows, train_members, weigh_members
   use fmdn_kinds, only: ip, max_threads, wp
   use fmdn_layout, only: at_parameters
   use fmdn_loss, only: loss_and_gradient, loss_work, new_loss_work
   use fmdn_rows, only: data_set, rows_to_train, tile_rows, tiled_rows
   use fmdn_splits, only: max_folds, role_training, split_rows
   use fmdn_status, only: status_invalid_argument, status_not_finite, status_ok
   use fmdn_train, only: training_options
   implicit none (type, external)
   private
   public :: fmdn_split_rows, fmdn_plan_committee, fmdn_describe, fmdn_fit_scales, &
      fmdn_train_members, fmdn_weigh_members, fmdn_select_members, fmdn_loss_gradient, &
      fmdn_posterior, fmdn_log_density

contains

   !> Draw the role of each row; rows of one group, numbered from 1, share theirs.
   subroutine fmdn_split_rows(n_rows, groups, n_groups, seed, with_weighting, with_folds, roles, &
      status) bind(C)
      integer(c_int64_t), value :: n_rows, n_groups, seed
      integer(c_int64_t), intent(in) :: groups(n_rows)
      integer(c_int), value :: with_weighting, with_folds
      integer(c_int), intent(inout) :: roles(n_rows)
      integer(c_int), intent(out) :: status

      status = status_invalid_argument
      if (n_rows < 1 .or. n_groups > n_rows) return
      if (any(groups < 1) .or. any(groups > n_groups)) return
      call split_rows(groups, n_groups, seed, with_weighting /= 0, with_folds /= 0, roles, status)
   end subroutine fmdn_split_rows

   !> Draw a committee's sizes and lay it out. Call it once with n_layout = 0 for the sizes
   !> (layout's and parameters' lengths), then with a layout of that length.
   subroutine fmdn_plan_committee(seed, n_inputs, n_targets, n_members, n_layers, hidden_low, &
      hidden_high, kernels_low, kernels_high, covariance, linear_path, n_groups, groups, &
      n_projected, n_components, n_layout, layout, sizes, status) bind(C)
      integer(c_int64_t), value :: seed
      integer(c_int), value :: n_inputs, n_targets, n_members
      integer(c_int64_t), value :: n_layers, n_layout
      integer(c_int64_t), value :: n_groups !! n_inputs, or zero: no input may be missing
      integer(c_int), intent(in) :: groups(n_groups)
      integer(c_int), value :: n_projected, n_components
      integer(c_int), intent(in) :: hidden_low(n_layers), hidden_high(n_layers)
      integer(c_int), value :: kernels_low, kernels_high, covariance, linear_path
      integer(c_int64_t), intent(inout) :: layout(n_layout)
      integer(c_int64_t), intent(inout) :: sizes(2)
      integer(c_int), intent(out) :: status
      integer(ip), allocatable :: planned(:)

      call plan_committee(seed, n_inputs, n_targets, n_members, hidden_low, hidden_high, &
         kernels_low, kernels_high, covariance, linear_path /= 0, planned, status, groups, &
         n_projected, n_components)
      if (status /= status_ok) return
      sizes = [size(planned, kind=ip), planned(at_parameters)]
      if (n_layout == 0) return
      if (n_layout /= size(planned)) status = status_invalid_argument
      if (status == status_ok) layout = planned
   end subroutine fmdn_plan_committee

   !> Sizes of a committee: n_inputs, n_targets, n_members, kernels of all members, features
   !> (fmdn_inputs); and for each member: covariance, kernels, linear path, hidden layers, units of
   !> all of them, number of parameters, parameters before its own; and its weight. Where n_members
   !> is another number, `sizes` alone is set.
   subroutine fmdn_describe(n_layout, layout, n_parameters, parameters, n_members, sizes, &
      member_sizes, weights, status) bind(C)
      integer(c_int64_t), value :: n_layout, n_parameters, n_members
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      integer(c_int64_t), intent(inout) :: sizes(5)
      integer(c_int64_t), intent(inout) :: member_sizes(7, n_members)
      real(c_double), intent(inout) :: weights(n_members)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view
      integer :: k

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      sizes = [view%n_inputs, view%n_targets, size(view%members), view%n_kernels, &
         view%n_features]
      if (n_members /= size(view%members)) return
      weights = view%weights
      do k = 1, size(view%members)
         associate (network => view%members(k)%network, mixture => view%members(k)%mixture)
            member_sizes(:, k) = [int([mixture%covariance, mixture%n_kernels, &
               merge(1, 0, network%linear_path), size(network%hidden), sum(network%hidden)], ip), &
               view%members(k)%n_parameters, view%members(k)%offset]
         end associate
      end do
   end subroutine fmdn_describe

   !> Write the scales that the rows ask for into a planned committee.
   subroutine fmdn_fit_scales(n_layout, layout, n_parameters, parameters, n_inputs, n_targets, &
      n_rows, inputs, targets, weights, roles, noise_sd, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_targets, n_rows
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(inout) :: parameters(n_parameters)
      real(c_double), intent(in), target :: inputs(n_inputs, n_rows), targets(n_targets, n_rows)
      real(c_double), intent(in), target :: weights(n_rows), noise_sd(n_inputs)
      integer(c_int), intent(in), target :: roles(n_rows)
      integer(c_int), intent(out) :: status
      type(data_set) :: data

      call gather(inputs, targets, weights, roles, noise_sd, 0_ip, data, status)
      if (status == status_ok) call fit_committee_scales(data, layout, parameters, status)
   end subroutine fmdn_fit_scales

   !> Train the members first to last (counted from 1). May be called from several processes, a
   !> member at a time: the bits are the same. `interrupt(1)`, raised by another thread, ends it.
   !> `history` (n_history columns for the start and each iteration) and `outcome` are filled as
   !> training goes on: a member is finished when outcome(1) is not zero (fmdn_status). `decay`,
   !> `memory`, `first_stride`: see training_options; 0, 10 and 1 for a plain run.
   subroutine fmdn_train_members(n_layout, layout, n_parameters, parameters, n_inputs, n_targets, &
      n_rows, inputs, targets, weights, roles, noise_sd, seed, first, last, max_iter, patience, &
      decay, memory, first_stride, n_threads, interrupt, n_lines, n_members, history, outcome, &
      status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_targets, n_rows
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(inout) :: parameters(n_parameters)
      real(c_double), intent(in), target :: inputs(n_inputs, n_rows), targets(n_targets, n_rows)
      real(c_double), intent(in), target :: weights(n_rows), noise_sd(n_inputs)
      integer(c_int), intent(in), target :: roles(n_rows)
      integer(c_int64_t), value :: seed
      integer(c_int), value :: first, last, max_iter, patience, memory, first_stride, n_threads
      real(c_double), value :: decay
      integer(c_int64_t), intent(inout) :: interrupt(1)
      integer(c_int64_t), value :: n_lines, n_members
      real(c_double), intent(inout) :: history(6, n_lines, n_members)
      integer(c_int64_t), intent(inout) :: outcome(3, n_members)
      integer(c_int), intent(out) :: status
      type(data_set) :: data

      call gather(inputs, targets, weights, roles, noise_sd, seed, data, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (max_iter < 0 .or. n_lines /= max_iter + 1 .or. last > n_members) return
      if (.not. decay >= 0 .or. memory < 0 .or. first_stride < 1) return
      call train_members(data, layout, parameters, first, last, training_options(max_iter, &
         patience, seed, decay=decay, memory=memory, first_stride=first_stride), n_threads, &
         interrupt(1), history, outcome, status)
   end subroutine fmdn_train_members

   !> Weigh the members by their mean losses on the rows that weigh, or stack them there.
   subroutine fmdn_weigh_members(n_layout, layout, n_parameters, parameters, n_inputs, n_targets, &
      n_rows, inputs, targets, weights, roles, noise_sd, seed, stacked, n_threads, n_members, &
      losses, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_targets, n_rows, n_members
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(inout) :: parameters(n_parameters)
      real(c_double), intent(in), target :: inputs(n_inputs, n_rows), targets(n_targets, n_rows)
      real(c_double), intent(in), target :: weights(n_rows), noise_sd(n_inputs)
      integer(c_int), intent(in), target :: roles(n_rows)
      integer(c_int64_t), value :: seed
      integer(c_int), value :: stacked, n_threads
      real(c_double), intent(inout) :: losses(n_members)
      integer(c_int), intent(out) :: status
      type(data_set) :: data

      call gather(inputs, targets, weights, roles, noise_sd, seed, data, status)
      if (status /= status_ok) return
      call weigh_members(data, layout, parameters, n_threads, losses, status, stacked /= 0)
   end subroutine fmdn_weigh_members

   !> The committee of the members with keep /= 0, into arrays at least as long as the old ones;
   !> `sizes`: the lengths used.
   subroutine fmdn_select_members(n_layout, layout, n_parameters, parameters, n_members, keep, &
      new_layout, new_parameters, sizes, status) bind(C)
      integer(c_int64_t), value :: n_layout, n_parameters, n_members
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      integer(c_int), intent(in) :: keep(n_members)
      integer(c_int64_t), intent(inout) :: new_layout(n_layout)
      real(c_double), intent(inout) :: new_parameters(n_parameters)
      integer(c_int64_t), intent(inout) :: sizes(2)
      integer(c_int), intent(out) :: status
      integer(ip), allocatable :: selected(:)
      real(wp), allocatable :: reals(:)

      call select_members(layout, parameters, keep /= 0, selected, reals, status)
      if (status /= status_ok) return
      sizes = [size(selected, kind=ip), size(reals, kind=ip)]
      new_layout(:sizes(1)) = selected
      new_parameters(:sizes(2)) = reals
   end subroutine fmdn_select_members

   !> Mean loss of one member on the rows and its gradient, in standardised units.
   subroutine fmdn_loss_gradient(n_layout, layout, n_parameters, parameters, member, n_inputs, &
      n_targets, n_rows, inputs, targets, weights, n_threads, n_gradient, gradient, loss, &
      status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_targets, n_rows, n_gradient
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      integer(c_int), value :: member, n_threads
      real(c_double), intent(in), target :: inputs(n_inputs, n_rows), targets(n_targets, n_rows)
      real(c_double), intent(in), target :: weights(n_rows)
      real(c_double), intent(inout) :: gradient(n_gradient)
      real(c_double), intent(out) :: loss
      integer(c_int), intent(out) :: status
      integer, allocatable, target :: roles(:)
      real(wp), allocatable, target :: noise_sd(:)
      type(committee_view) :: view
      type(data_set) :: data, rows
      real(wp), allocatable, target :: mapped(:, :)
      type(tiled_rows) :: tiles
      type(loss_work) :: work
      type(kernel_set) :: kernels
      real(wp) :: monitor_loss

      loss = 0
      allocate (roles(n_rows), source=role_training)
      allocate (noise_sd(n_inputs), source=0.0_wp)
      call gather(inputs, targets, weights, roles, noise_sd, 0_ip, data, status, unseen=.true.)
      if (status /= status_ok) return
      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (member < 1 .or. member > size(view%members)) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      if (n_inputs /= view%n_features .or. n_targets /= view%n_targets) return
      associate (this => view%members(member))
         if (n_gradient /= this%n_parameters) return
         kernels = processor_kernels()
         call map_rows(view, data, mapped, rows, status)
         if (status /= status_ok) return
         call tile_rows(kernels, rows, view%scales, rows_to_train(roles), 0, n_threads, 0_ip, &
            tiles, status)
         if (status /= status_ok) return
         call new_loss_work(this, tiles, n_threads, work, status)
         if (status /= status_ok) return
         call loss_and_gradient(kernels, this, &
            parameters(this%offset + 1:this%offset + this%n_parameters), tiles, 0, 0_ip, work, &
            loss, monitor_loss, gradient)
         if (.not. all(work%threads%tile%finite)) status = status_not_finite
      end associate
   end subroutine fmdn_loss_gradient

   !> The committee's mixture for each row, in physical units.
   subroutine fmdn_posterior(n_layout, layout, n_parameters, parameters, n_inputs, n_rows, inputs, &
      n_threads, n_targets, n_kernels, weights, means, factors, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_rows, n_targets, n_kernels
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      real(c_double), intent(in) :: inputs(n_inputs, n_rows)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: weights(n_kernels, n_rows)
      real(c_double), intent(inout) :: means(n_targets, n_kernels, n_rows)
      real(c_double), intent(inout) :: factors(n_targets, n_targets, n_kernels, n_rows)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (n_inputs /= view%n_inputs .or. n_targets /= view%n_targets) return
      if (n_kernels /= view%n_kernels) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      call posterior(view, parameters, inputs, n_threads, weights, means, factors, status)
   end subroutine fmdn_posterior

   !> log p(target | inputs) of the committee for each row, nats, physical units.
   subroutine fmdn_log_density(n_layout, layout, n_parameters, parameters, n_inputs, n_targets, &
      n_rows, inputs, targets, n_threads, log_p, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_targets, n_rows
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      real(c_double), intent(in) :: inputs(n_inputs, n_rows), targets(n_targets, n_rows)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: log_p(n_rows)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (n_inputs /= view%n_inputs .or. n_targets /= view%n_targets) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      call log_density(view, parameters, inputs, targets, n_threads, log_p, status)
   end subroutine fmdn_log_density

   !> The rows as the core takes them; refuses what it cannot use.
   subroutine gather(inputs, targets, weights, roles, noise_sd, seed, data, status, unseen)
      real(wp), intent(in), target, contiguous :: inputs(:, :), targets(:, :), weights(:)
      integer, intent(in), target, contiguous :: roles(:)
      real(wp), intent(in), target, contiguous :: noise_sd(:)
      integer(ip), intent(in) :: seed
      type(data_set), intent(out) :: data
      integer, intent(out) :: status
      logical, intent(in), optional :: unseen !! leave it to others to find what is not finite
      logical :: look

      status = status_invalid_argument
      if (min(size(inputs, kind=ip), size(targets, kind=ip)) < 1) return
      if (any(roles < role_training .or. roles > max_folds)) return
      status = status_not_finite
      look = .true.
      if (present(unseen)) look = .not. unseen
      if (look) then
         if (any_not_finite(size(inputs, kind=ip), inputs)) return
         if (any_not_finite(size(targets, kind=ip), targets)) return
      end if
      if (any_not_finite(size(weights, kind=ip), weights)) return
      if (any_not_finite(size(noise_sd, kind=ip), noise_sd)) return
      status = status_invalid_argument
      if (any(weights < 0) .or. any(noise_sd < 0)) return
      data%inputs => inputs
      data%targets => targets
      data%weights => weights
      data%roles => roles
      data%noise_sd => noise_sd
      data%seed = seed
      status = status_ok
   end subroutine gather

   !> Is there a NaN or an infinite number? Blocks make it a pass at the speed of the memory.
   pure function any_not_finite(n, x) result(yes)
      integer(ip), intent(in) :: n
      real(wp), intent(in) :: x(n)
      logical :: yes
      integer(ip), parameter :: block_size = 1024
      integer(ip), parameter :: exponent = shiftl(2047_ip, 52) ! all ones: not finite
      integer(ip) :: first, i, largest

      yes = .true.
      do first = 1, n, block_size
         largest = 0
         !$omp simd reduction(max:largest)
         do i = first, min(first + block_size - 1, n)
            largest = max(largest, iand(transfer(x(i), 1_ip), exponent))
         end do
         if (largest == exponent) return
      end do
      yes = .false.
   end function any_not_finite

end module fmdn_c
