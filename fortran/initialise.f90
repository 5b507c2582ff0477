!> Where training starts: the network returns nearly the marginal distribution of the targets for
!> every input. The last biases come from k-means clusters of the training targets, hidden weights
!> are N(0, 1/(n_in + 1)), weights into the outputs a tenth of that (into a kernel's means, in units
!> of its width), the linear path starts at zero.
module fmdn_initialise
   use fmdn_kinds, only: ip, wp
   use fmdn_member, only: member_type
   use fmdn_mixture, only: diagonal, factor_row, isotropic, mixture_shape, outputs_per_kernel, &
      precision_factor
   use fmdn_random, only: fill_normal, for_clusters, for_weights, random_stream, stream_of, uniform
   use fmdn_rows, only: fetch_tile, tile_view, tiled_rows
   use fmdn_splits, only: trains
   implicit none (type, external)
   private
   public :: initial_parameters, cluster_outputs

   integer, parameter :: enough_points = 10000, max_sweeps = 100
   real(wp), parameter :: least_sd = 0.05_wp !! of a kernel at the start, standardised units
   real(wp), parameter :: ridge = 1.0e-8_wp

contains

   !> First parameters of member number `index`, from the rows that train it.
   subroutine initial_parameters(member, tiles, view, fold, seed, index, parameters)
      type(member_type), intent(in) :: member
      type(tiled_rows), intent(in) :: tiles
      type(tile_view), intent(inout) :: view !! of these tiles
      integer, intent(in) :: fold, index
      integer(ip), intent(in) :: seed
      real(wp), intent(out) :: parameters(:)
      real(wp), allocatable :: points(:, :), weights(:)
      type(random_stream) :: stream
      real(wp) :: sd, widths(member%mixture%n_targets, member%mixture%n_kernels)
      integer :: layer, n_in, n_out, n_layers, at
      integer(ip) :: pair

      parameters = 0
      stream = stream_of(seed, index, for_weights)
      n_layers = size(member%network%hidden) + 1
      n_in = member%network%n_inputs
      at = 0
      pair = 0
      do layer = 1, n_layers
         sd = 1/sqrt(real(n_in + 1, wp))
         if (layer < n_layers) then
            n_out = member%network%hidden(layer)
         else
            n_out = member%network%n_outputs
            sd = 0.1_wp*sd
         end if
         call fill_normal(stream, pair, parameters(at + 1:at + (n_in + 1)*n_out))
         parameters(at + 1:at + (n_in + 1)*n_out) = sd*parameters(at + 1:at + (n_in + 1)*n_out)
         at = at + (n_in + 1)*n_out
         pair = at
         if (layer < n_layers) n_in = n_out
      end do
      call training_targets(tiles, view, member%mixture%n_targets, fold, points, weights)
      call cluster_outputs(member%mixture, points, weights, stream_of(seed, index, for_clusters), &
         parameters(at - n_out + 1:at), widths)
      at = at - (n_in + 1)*n_out
      call scale_means(member%mixture, n_in, widths, parameters(at + 1:at + n_in*n_out))
   end subroutine initial_parameters

   !> Bring the weights into each kernel's means to the units of its width.
   pure subroutine scale_means(shape, n_in, widths, weights)
      type(mixture_shape), intent(in) :: shape
      integer, intent(in) :: n_in
      real(wp), intent(in) :: widths(:, :) !! (n_targets, n_kernels)
      real(wp), intent(inout) :: weights(outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels, n_in)
      integer :: unit

      do unit = 1, n_in
         associate (of_means => weights(2:1 + shape%n_targets, :, unit))
            of_means = widths*of_means
         end associate
      end do
   end subroutine scale_means

   !> At most `enough_points` of the targets that train, evenly spread over the rows.
   subroutine training_targets(tiles, view, n_targets, fold, points, weights)
      type(tiled_rows), intent(in) :: tiles
      type(tile_view), intent(inout) :: view
      integer, intent(in) :: n_targets, fold
      real(wp), allocatable, intent(out) :: points(:, :), weights(:)
      integer :: tile, t, n, used, stride
      logical :: chosen(size(tiles%weights, 1), size(tiles%weights, 2))

      chosen = trains(tiles%roles, fold) .and. tiles%weights > 0
      stride = 1 + (count(chosen) - 1)/enough_points
      n = (count(chosen) + stride - 1)/stride
      allocate (points(n_targets, n), weights(n))
      n = 0
      used = 0
      do tile = 1, tiles%n_tiles
         call fetch_tile(tiles, tile, view)
         do t = 1, size(chosen, 1)
            if (.not. chosen(t, tile)) cycle
            n = n + 1
            if (modulo(n - 1, stride) /= 0) cycle
            used = used + 1
            points(:, used) = view%targets(t, :)
            weights(used) = view%weights(t)
         end do
      end do
   end subroutine training_targets

   !> Outputs whose mixture has a kernel for each k-means cluster of the points, and the standard
   !> deviation of each target in each kernel, the others given.
   pure subroutine cluster_outputs(shape, points, weights, stream, outputs, widths)
      type(mixture_shape), intent(in) :: shape
      real(wp), intent(in) :: points(:, :) !! (n_targets, n)
      real(wp), intent(in) :: weights(:)   !! (n)
      type(random_stream), intent(in) :: stream
      real(wp), intent(out) :: outputs(outputs_per_kernel(shape%covariance, shape%n_targets), &
         shape%n_kernels)
      real(wp), intent(out) :: widths(:, :) !! (n_targets, n_kernels)
      real(wp) :: centres(shape%n_targets, shape%n_kernels)
      real(wp) :: covariance(shape%n_targets, shape%n_targets), u(shape%n_targets, shape%n_targets)
      real(wp) :: mass, variance(shape%n_targets), period(shape%n_targets)
      integer :: label(size(weights)), c, i, j, k

      c = shape%n_targets
      period = 0
      if (allocated(shape%period)) period = shape%period
      call k_means(points, weights, period, stream, centres, label)
      do k = 1, shape%n_kernels
         call cluster_moments(points, weights, label == k, centres(:, k), period, mass, &
            covariance)
         ! The ridge keeps the covariance positive definite to rounding, whatever its size.
         variance = (1 + ridge)*[(covariance(i, i), i=1, c)] + least_sd**2
         outputs(1, k) = log(max(mass/sum(weights), 0.5_wp/size(weights)))
         outputs(2:1 + c, k) = centres(:, k)
         select case (shape%covariance)
         case (isotropic)
            variance = sum(variance)/c
            outputs(2 + c, k) = 0.5_wp*log(variance(1))
            widths(:, k) = sqrt(variance)
         case (diagonal)
            outputs(2 + c:, k) = 0.5_wp*log(variance)
            widths(:, k) = sqrt(variance)
         case default
            do i = 1, c
               covariance(i, i) = variance(i)
            end do
            u = precision_factor(covariance)
            do j = 1, c
               do i = 1, j - 1
                  outputs(factor_row(c, i, j), k) = u(i, j)
               end do
               outputs(factor_row(c, j, j), k) = -log(u(j, j))
               widths(j, k) = 1/norm2(u(:, j))
            end do
         end select
      end do
   end subroutine cluster_outputs

   pure subroutine cluster_moments(points, weights, inside, centre, period, mass, covariance)
      real(wp), intent(in) :: points(:, :), weights(:), centre(:), period(:)
      logical, intent(in) :: inside(:)
      real(wp), intent(out) :: mass, covariance(:, :)
      integer :: i, j

      mass = sum(weights, mask=inside)
      covariance = 0
      if (.not. mass > 0) return
      do j = 1, size(centre)
         do i = 1, size(centre)
            covariance(i, j) = sum(weights*offset(points(i, :), centre(i), period(i)) &
               *offset(points(j, :), centre(j), period(j)), mask=inside)/mass
         end do
      end do
   end subroutine cluster_moments

   !> From the centre to a point, the short way round where there is a period.
   elemental function offset(point, centre, period)
      real(wp), intent(in) :: point, centre, period
      real(wp) :: offset

      offset = point - centre
      if (period > 0) offset = offset - period*anint(offset/period)
   end function offset

   !> Lloyd's algorithm from k-means++ centres (Arthur & Vassilvitskii 2007). A cluster that runs
   !> empty takes the point that is farthest from its own centre.
   pure subroutine k_means(points, weights, period, stream, centres, label)
      real(wp), intent(in) :: points(:, :), weights(:), period(:)
      type(random_stream), intent(in) :: stream
      real(wp), intent(out) :: centres(:, :)
      integer, intent(out) :: label(:)
      real(wp) :: distance(size(weights)), mass
      integer :: before(size(weights)), i, k, sweep

      call first_centres(points, weights, period, stream, centres)
      label = 0
      do sweep = 1, max_sweeps
         before = label
         call assign(points, centres, period, label, distance)
         if (all(label == before)) exit
         do k = 1, size(centres, 2)
            if (.not. any(label == k)) then
               label(maxloc(distance, 1)) = k
               distance(maxloc(distance, 1)) = 0
            end if
            mass = sum(weights, mask=label == k)
            if (.not. mass > 0) cycle
            do i = 1, size(period)
               if (period(i) > 0) then
                  centres(i, k) = centres(i, k) + sum(weights*offset(points(i, :), centres(i, k), &
                     period(i)), mask=label == k)/mass
               else
                  centres(i, k) = dot_product(points(i, :), merge(weights, 0.0_wp, label == k))/mass
               end if
            end do
         end do
      end do
   end subroutine k_means

   !> k-means++: each centre is drawn with probability weight times squared distance to the nearest.
   pure subroutine first_centres(points, weights, period, stream, centres)
      real(wp), intent(in) :: points(:, :), weights(:), period(:)
      type(random_stream), intent(in) :: stream
      real(wp), intent(out) :: centres(:, :)
      real(wp) :: distance(size(weights)), target
      integer :: i, k

      distance = 1
      do k = 1, size(centres, 2)
         target = uniform(stream, int(k, ip))*sum(weights*distance)
         do i = 1, size(weights) - 1
            target = target - weights(i)*distance(i)
            if (target < 0) exit
         end do
         centres(:, k) = points(:, i)
         if (k == 1) distance = huge(distance)
         do i = 1, size(weights)
            distance(i) = min(distance(i), sum(offset(points(:, i), centres(:, k), period)**2))
         end do
      end do
   end subroutine first_centres

   pure subroutine assign(points, centres, period, label, distance)
      real(wp), intent(in) :: points(:, :), centres(:, :), period(:)
      integer, intent(out) :: label(:)
      real(wp), intent(out) :: distance(:)
      real(wp) :: d
      integer :: i, k

      distance = huge(distance)
      label = 1
      do k = 1, size(centres, 2)
         do i = 1, size(label)
            d = sum(offset(points(:, i), centres(:, k), period)**2)
            if (d < distance(i)) then
               distance(i) = d
               label(i) = k
            end if
         end do
      end do
   end subroutine assign

end module fmdn_initialise
