!> Before training the network says what the clusters of the targets say, whatever the input.
program test_initialise
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: data_of, linear_rows, normals, row_store, same
   use fmdn_initialise, only: cluster_outputs, initial_parameters
   use fmdn_kinds, only: ip, wp
   use fmdn_loss, only: loss_and_gradient, loss_work, new_loss_work
   use fmdn_member, only: member_type, new_member
   use fmdn_mixture, only: full, isotropic, mixture_loss, mixture_of_outputs, mixture_shape, &
      mixture_work, new_work, outputs_per_kernel
   use fmdn_random, only: for_clusters, stream_of
   use fmdn_rows, only: fetch_tile, fit_scales, rows_to_train, scale_type, tile_rows, tile_view, &
      tiled_rows
   use fmdn_splits, only: role_training, trains
   use fmdn_status, only: status_ok
   implicit none (type, external)
   type(kernel_set) :: kernels
   type(tile_view) :: view
   character(len=80) :: name

   kernels = processor_kernels()
   call test_near_the_clusters()
   call test_weights()
   call test_blobs()
   call test_point_weights()
   call test_degenerate()
   call test_seeds()
   call finish()

contains

   function tiles_of(rows) result(tiles)
      type(row_store), intent(in), target :: rows
      type(tiled_rows) :: tiles
      type(scale_type) :: scales
      integer :: status

      call fit_scales(data_of(rows, 1), scales)
      call tile_rows(kernels, data_of(rows, 1), scales, rows_to_train(rows%roles), 0, 1, &
         huge(1_ip), tiles, status)
      if (status /= status_ok) error stop "no tiles"
   end function tiles_of

   !> Mean loss of the first parameters, against that of the clusters' own mixture: at most 0.1 nat
   !> worse, also where the kernels are narrow.
   subroutine test_near_the_clusters()
      integer, parameter :: n = 1000
      type(row_store) :: rows
      integer :: covariance, c, target, n_kernels

      do target = 1, 4
         do c = 1, merge(3, 1, target == 1)
            rows = linear_rows(n, 5, c, 1)
            select case (target)
            case (1) ! normal
               continue
            case (2) ! uniform
               rows%targets(1, :) = modulo(rows%targets(1, :)*1000, 1.0_wp)
            case (3) ! integers
               rows%targets(1, :) = nint(2*rows%targets(1, :))
            case default ! heavy tails
               rows%targets(1, :) = rows%targets(1, :)**3
            end select
            do covariance = isotropic, full
               do n_kernels = 1, 8, 7
                  write (name, "(4(a,i0))") "targets ", target, ", ", c, "-D, covariance ", &
                     covariance, ", kernels ", n_kernels
                  call compare(new_member(5, [30], covariance, c, n_kernels, .true.), &
                     tiles_of(rows))
               end do
               name = trim(name) // ", three layers"
               call compare(new_member(5, [20, 30, 10], covariance, c, 8, .false.), tiles_of(rows))
            end do
         end do
      end do
   end subroutine test_near_the_clusters

   subroutine compare(member, tiles)
      type(member_type), intent(in) :: member
      type(tiled_rows), intent(in) :: tiles
      type(loss_work) :: work
      real(wp), allocatable :: parameters(:), gradient(:)
      real(wp) :: loss, monitor, own
      integer :: n_outputs, status

      allocate (parameters(member%n_parameters), gradient(member%n_parameters))
      call initial_parameters(member, tiles, view, 1, 1_ip, 1, parameters)
      call new_loss_work(member, tiles, 1, work, status)
      call loss_and_gradient(kernels, member, parameters, tiles, 1, 0_ip, work, loss, monitor, &
         gradient)
      n_outputs = member%network%n_outputs
      associate (last => int(member%n_parameters) &
            - merge(member%network%n_inputs*n_outputs, 0, member%network%linear_path))
         own = mean_loss(member%mixture, parameters(last - n_outputs + 1:last), tiles)
      end associate
      call check(loss < own + 0.1_wp, trim(name) // ": first loss")
   end subroutine compare

   !> Mean loss, on the rows that train, of one mixture for all inputs.
   function mean_loss(shape, outputs, tiles) result(loss)
      type(mixture_shape), intent(in) :: shape
      real(wp), intent(in) :: outputs(:)
      type(tiled_rows), intent(in) :: tiles
      real(wp) :: loss, losses(tiles%length), total
      type(mixture_work) :: work
      integer :: tile, status

      call new_work(shape, tiles%length, work, status)
      loss = 0
      total = 0
      do tile = 1, tiles%n_tiles
         call fetch_tile(tiles, tile, view)
         call mixture_loss(kernels, shape, tiles%length, &
            reshape(spread(outputs, 1, tiles%length), [tiles%length, &
            outputs_per_kernel(shape%covariance, shape%n_targets), shape%n_kernels]), &
            view%targets, work, losses)
         associate (w => merge(tiles%weights(:, tile), 0.0_wp, trains(tiles%roles(:, tile), 1)))
            loss = loss + sum(w*losses)
            total = total + sum(w)
         end associate
      end do
      loss = loss/total
   end function mean_loss

   !> Hidden weights and biases are N(0, 1/(n_in + 1)), those into the outputs a tenth of it, the
   !> linear path is zero, the last biases are the clusters'.
   subroutine test_weights()
      integer, parameter :: n_inputs = 49, n_hidden = 99, n_outputs = 6, n_kernels = 2
      type(member_type) :: member
      type(tiled_rows) :: tiles
      real(wp), allocatable :: parameters(:), points(:, :)
      real(wp) :: expected(n_outputs), widths(1, n_kernels)
      type(row_store), target :: rows
      type(scale_type) :: scales

      rows = linear_rows(300, n_inputs, 1, 2)
      rows%roles = role_training
      tiles = tiles_of(rows)
      member = new_member(n_inputs, [n_hidden], full, 1, n_kernels, .true.)
      allocate (parameters(member%n_parameters))
      call initial_parameters(member, tiles, view, 1, 7_ip, 3, parameters)
      associate (hidden => parameters(:n_hidden*(n_inputs + 1)), &
            out => parameters(n_hidden*(n_inputs + 1) + 1:n_hidden*(n_inputs + 1) &
            + n_outputs*n_hidden), at => n_hidden*(n_inputs + 1) + n_outputs*n_hidden)
         call normal_with(hidden, 1/sqrt(n_inputs + 1.0_wp), "hidden weights")
         call normal_with([out(1::3), out(3::3)], 0.1_wp/sqrt(n_hidden + 1.0_wp), &
            "output weights")
         call fit_scales(data_of(rows, 1), scales)
         allocate (points(1, 300))
         points = (rows%targets - scales%target_centre(1))/scales%target_scale(1)
         call cluster_outputs(member%mixture, points, spread(1.0_wp, 1, 300), &
            stream_of(7_ip, 3, for_clusters), expected, widths)
         call check_close(parameters(at + 1:at + n_outputs), expected, 1e-13_wp, "last biases")
         call check_close(widths(1, :), exp(expected(3::3)), 1e-13_wp, "widths")
         call normal_with([out(2::6)/widths(1, 1), out(5::6)/widths(1, 2)], &
            0.1_wp/sqrt(n_hidden + 1.0_wp), "weights into the means")
         call check(size(parameters) == at + n_outputs + n_inputs*n_outputs .and. &
            all(abs(parameters(at + n_outputs + 1:)) <= 0), "the linear path starts at zero")
      end associate
   end subroutine test_weights

   !> Mean and variance of N(0, sd**2), five standard errors.
   subroutine normal_with(x, sd, what)
      real(wp), intent(in) :: x(:), sd
      character(len=*), intent(in) :: what

      associate (n => size(x))
         call check_close(sum(x)/n, 0.0_wp, 5*sd/sqrt(real(n, wp)), what // ": mean")
         call check_close(sum((x/sd)**2)/n, 1.0_wp, 5*sqrt(2.0_wp/n), what // ": variance")
      end associate
   end subroutine normal_with

   !> Three clusters far apart are found, with their weights, means and covariances.
   subroutine test_blobs()
      integer, parameter :: n = 600, c = 2, counts(3) = [100, 200, 300]
      real(wp) :: points(c, n), centres(c, 3), weights(3, 1), means(c, 3, 1), factors(c, c, 3, 1)
      real(wp) :: work(3*(1 + c)), u(c, c)
      real(wp) :: widths(c, 3)
      real(wp) :: outputs(outputs_per_kernel(full, c)*3), root(c, c), z(c, n)
      integer :: i, k, found(3), first

      centres = reshape([0.0_wp, 0.0_wp, 50.0_wp, 0.0_wp, 0.0_wp, -70.0_wp], [c, 3])
      root = reshape([1.0_wp, 0.8_wp, 0.0_wp, 0.6_wp], [c, c])
      z = reshape(normals(n*c, 5), [c, n])
      first = 0
      do k = 1, 3
         do i = first + 1, first + counts(k)
            points(:, i) = centres(:, k) + matmul(root, z(:, i))
         end do
         first = first + counts(k)
      end do
      call cluster_outputs(mixture_shape(full, c, 3), points, spread(1.0_wp, 1, n), &
         stream_of(1_ip, 1, for_clusters), outputs, widths)
      call mixture_of_outputs(kernels, mixture_shape(full, c, 3), 1, 1, outputs, &
         [0.0_wp, 0.0_wp], [1.0_wp, 1.0_wp], 1.0_wp, work, weights, means, factors)
      do k = 1, 3
         found(k) = minloc(sum((means(:, :, 1) - spread(centres(:, k), 2, 3))**2, 1), 1)
         call check_close(weights(found(k), 1), counts(k)/real(n, wp), 1e-12_wp, "weight of a blob")
         call check_close(means(:, found(k), 1), centres(:, k), 5/sqrt(real(counts(k), wp)), &
            "centre of a blob")
         u = matmul(transpose(factors(:, :, found(k), 1)), factors(:, :, found(k), 1))
         ! U'U is the inverse covariance: times the covariance it is the identity, up to the
         ! sampling error of a covariance, times the condition 9 of this one.
         u = matmul(u, matmul(root, transpose(root)))
         call check_close([u(1, 1), u(2, 1), u(1, 2), u(2, 2)], [1.0_wp, 0.0_wp, 0.0_wp, 1.0_wp], &
            5*sqrt(2.0_wp/counts(k))*3, "covariance of a blob")
      end do
   end subroutine test_blobs

   !> A point of weight two is two points.
   subroutine test_point_weights()
      real(wp) :: points(1, 60), outputs(3), expected(3), weights(40), widths(1, 1)

      points(1, :) = normals(60, 6)
      points(1, 41:) = points(1, :20)
      weights = 1
      weights(:20) = 2
      call cluster_outputs(mixture_shape(isotropic, 1, 1), points, spread(1.0_wp, 1, 60), &
         stream_of(1_ip, 1, for_clusters), expected, widths)
      call cluster_outputs(mixture_shape(isotropic, 1, 1), points(:, :40), weights, &
         stream_of(1_ip, 1, for_clusters), outputs, widths)
      call check_close(outputs, expected, 1e-13_wp, "weights of points")
   end subroutine test_point_weights

   !> No trap, and outputs of moderate size, whatever the points are.
   subroutine test_degenerate()
      real(wp) :: points(2, 50), line(2, 50), outlier(2, 1000)
      integer :: i

      points = 0.3_wp
      call usable(points(:, :1), "one point")
      call usable(points, "one point many times")
      points(:, 7) = -0.4_wp
      call usable(points, "two distinct points")
      points = reshape(normals(100, 7), [2, 50])
      call usable(points(:, :3), "fewer points than kernels")
      points(1, :) = nint(points(1, :))
      points(2, :) = nint(points(2, :))
      call usable(points, "integers")
      points(:, 26:) = points(:, :25)
      call usable(points, "duplicates")
      line(1, :) = normals(50, 8)
      line(2, :) = 3*line(1, :)
      call usable(line, "points on a line")
      do i = 6, 12, 2
         outlier = reshape(normals(2000, 9), [2, 1000])
         outlier(:, 500) = [1.0_wp, 2.0_wp]*10.0_wp**i
         call usable(outlier, "an outlier")
      end do
   end subroutine test_degenerate

   subroutine usable(points, what)
      real(wp), intent(in) :: points(:, :)
      character(len=*), intent(in) :: what
      integer, parameter :: counts(3) = [1, 2, 8]
      real(wp), allocatable :: outputs(:), widths(:, :)
      integer :: covariance, k

      do covariance = isotropic, full
         do k = 1, size(counts)
            allocate (outputs(counts(k)*outputs_per_kernel(covariance, 2)), widths(2, counts(k)))
            call cluster_outputs(mixture_shape(covariance, 2, counts(k)), points, &
               spread(1.0_wp, 1, size(points, 2)), stream_of(1_ip, 1, for_clusters), outputs, &
               widths)
            call check(all(abs(outputs) <= 2*maxval(abs(points)) + 100), what)
            call check(all(widths > 0 .and. widths <= maxval(abs(points)) + 1), what // ": widths")
            deallocate (outputs, widths)
         end do
      end do
   end subroutine usable

   subroutine test_seeds()
      type(member_type) :: member
      type(tiled_rows) :: tiles
      real(wp), allocatable :: first(:), second(:)

      tiles = tiles_of(linear_rows(200, 3, 2, 3))
      member = new_member(3, [6], full, 2, 3, .false.)
      allocate (first(member%n_parameters), second(member%n_parameters))
      call initial_parameters(member, tiles, view, 1, 1_ip, 1, first)
      call initial_parameters(member, tiles, view, 1, 1_ip, 1, second)
      call check(all(same(first, second)), "the same seed, the same start")
      call initial_parameters(member, tiles, view, 1, 2_ip, 1, second)
      call check(.not. any(same(first(:24), second(:24))), "another seed, another start")
      call initial_parameters(member, tiles, view, 1, 1_ip, 2, second)
      call check(.not. any(same(first(:24), second(:24))), "another member, another start")
   end subroutine test_seeds
end program test_initialise
