!> Applying a committee: from rows of inputs to one mixture of all members' kernels, or to the log
!> density of targets.
module fmdn_apply
   use fmdn_committee, only: committee_view
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_kinds, only: ip, lanes, tile_size, wp
   use fmdn_loss, only: example_losses, new_tile_work, tile_work
   use fmdn_mixture, only: mixture_of_outputs
   use fmdn_network, only: forward
   use fmdn_scaling, only: standardised
   use fmdn_status, only: status_ok
   implicit none (type, external)
   private
   public :: posterior, log_density

contains

   !> The mixture of all members for each row of inputs, in physical units. Kernels come member by
   !> member; their weights include the member's and sum to one.
   subroutine posterior(view, parameters, inputs, n_threads, weights, means, factors, status)
      type(committee_view), intent(in) :: view
      real(wp), intent(in) :: parameters(:)
      real(wp), intent(in) :: inputs(:, :)     !! (n_inputs, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: weights(:, :)   !! (n_kernels, n_rows)
      real(wp), intent(out) :: means(:, :, :)  !! (n_targets, n_kernels, n_rows)
      real(wp), intent(out) :: factors(:, :, :, :) !! (n_targets, n_targets, n_kernels, n_rows)
      integer, intent(out) :: status
      type(kernel_set) :: kernels
      type(tile_work) :: work
      real(wp), allocatable :: tile(:, :)
      integer(ip) :: first, n_rows
      integer :: k, m, n, row, from, to, failure

      status = status_ok
      kernels = processor_kernels()
      n_rows = size(inputs, 2, kind=ip)
      !$omp parallel do num_threads(n_threads) if (n_rows > tile_size) schedule(dynamic, 1) &
      !$omp default(none) &
      !$omp shared(kernels, view, parameters, inputs, weights, means, factors, n_rows) &
      !$omp private(work, tile, k, m, n, row, from, to, failure) reduction(max: status)
      do first = 1, n_rows, tile_size
         n = int(min(int(tile_size, ip), n_rows - first + 1))
         m = lanes*((n + lanes - 1)/lanes)
         call standardise(inputs(:, first:first + n - 1), m, view%scales%input_centre, &
            view%scales%input_scale, tile)
         to = 0
         do k = 1, size(view%members)
            associate (member => view%members(k))
               call new_tile_work(member, m, work, failure)
               status = max(status, failure)
               if (failure /= status_ok) exit
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
   subroutine log_density(view, parameters, inputs, targets, n_threads, log_p, status)
      type(committee_view), intent(in) :: view
      real(wp), intent(in) :: parameters(:)
      real(wp), intent(in) :: inputs(:, :)  !! (n_inputs, n_rows)
      real(wp), intent(in) :: targets(:, :) !! (n_targets, n_rows)
      integer, intent(in) :: n_threads
      real(wp), intent(out) :: log_p(:)
      integer, intent(out) :: status
      type(kernel_set) :: kernels
      type(tile_work) :: work
      real(wp), allocatable :: x(:, :), t(:, :), terms(:, :)
      real(wp) :: largest
      integer(ip) :: first, n_rows
      integer :: k, m, n, row, failure

      status = status_ok
      kernels = processor_kernels()
      n_rows = size(inputs, 2, kind=ip)
      !$omp parallel do num_threads(n_threads) if (n_rows > tile_size) schedule(dynamic, 1) &
      !$omp default(none) shared(kernels, view, parameters, inputs, targets, log_p, n_rows) &
      !$omp private(work, x, t, terms, largest, k, m, n, row, failure) reduction(max: status)
      do first = 1, n_rows, tile_size
         n = int(min(int(tile_size, ip), n_rows - first + 1))
         m = lanes*((n + lanes - 1)/lanes)
         call standardise(inputs(:, first:first + n - 1), m, view%scales%input_centre, &
            view%scales%input_scale, x)
         call standardise(targets(:, first:first + n - 1), m, view%scales%target_centre, &
            view%scales%target_scale, t)
         allocate (terms(size(view%members), n))
         do k = 1, size(view%members)
            call new_tile_work(view%members(k), m, work, failure)
            status = max(status, failure)
            if (failure /= status_ok) exit
            call example_losses(kernels, view%members(k), parameters(view%members(k)%offset + 1:), &
               m, x, t, work)
            terms(k, :) = log(max(view%weights(k), tiny(1.0_wp))) - work%losses(:n)
         end do
         do row = 1, merge(n, 0, failure == status_ok)
            largest = maxval(terms(:, row))
            log_p(first + row - 1) = largest &
               + log(sum(exp(max(terms(:, row) - largest, -700.0_wp)))) &
               - sum(log(view%scales%target_scale))
         end do
         deallocate (terms)
      end do
      !$omp end parallel do
   end subroutine log_density

end module fmdn_apply
