!> Forward against plain loops, backward against central differences; one to three layers, with and
!> without the linear path, on every instruction set of this processor.
program test_network
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: normals, same
   use fmdn_kinds, only: wp
   use fmdn_network, only: backward, forward, n_network_parameters, network_shape
   implicit none (type, external)
   integer, parameter :: m = 32, n_inputs = 4, n_outputs = 5
   type(kernel_set) :: kernels
   integer :: level, n_layers
   character(len=60) :: name

   call test_counts()
   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      do n_layers = 1, 3
         call test_shape(shape_of(n_layers, .false.))
         call test_shape(shape_of(n_layers, .true.))
      end do
   end do
   call finish()

contains

   function shape_of(n_layers, linear_path) result(shape)
      integer, intent(in) :: n_layers
      logical, intent(in) :: linear_path
      type(network_shape) :: shape
      integer, parameter :: widths(3) = [7, 1, 3]

      shape%n_inputs = n_inputs
      shape%hidden = widths(:n_layers)
      shape%n_outputs = n_outputs
      shape%linear_path = linear_path
   end function shape_of

   subroutine test_counts()
      call check(n_network_parameters(shape_of(1, .false.)) == 5*7 + 8*5, "parameters, one layer")
      call check(n_network_parameters(shape_of(3, .false.)) == 5*7 + 8*1 + 2*3 + 4*5, &
         "parameters, three layers")
      call check(n_network_parameters(shape_of(3, .true.)) == 5*7 + 8*1 + 2*3 + 4*5 + 4*5, &
         "parameters, linear path")
   end subroutine test_counts

   subroutine test_shape(shape)
      type(network_shape), intent(in) :: shape
      real(wp) :: inputs(m, n_inputs), outputs(m, n_outputs), d_outputs(m, n_outputs)
      real(wp), allocatable :: parameters(:), units(:, :), activations(:, :)
      real(wp), allocatable :: gradient(:), again(:)
      integer :: n

      write (name, "(2(a,i0),a,l1)") "level ", kernels%level, ", layers ", size(shape%hidden), &
         ", linear path ", shape%linear_path
      n = int(n_network_parameters(shape))
      parameters = 0.7_wp*normals(n, 1)
      inputs = reshape(normals(size(inputs), 2), [m, n_inputs])
      inputs(3, 1) = 12
      inputs(4, 2) = -1e3_wp
      d_outputs = reshape(normals(size(d_outputs), 3), [m, n_outputs])
      allocate (units(m, shape%n_units()), gradient(n))
      units = 0
      outputs = 0
      call forward(kernels, shape, parameters, m, inputs, units, outputs)
      call check_close(outputs, plain_outputs(shape, parameters, inputs), 1e-13_wp, &
         trim(name) // ": outputs")

      gradient = 0
      activations = units
      call backward(kernels, shape, parameters, m, inputs, units, d_outputs, gradient)
      call check_close(gradient, differences(shape, parameters, inputs, d_outputs), &
         1e-8_wp*maxval(abs(gradient)), trim(name) // ": gradient")
      again = gradient
      call backward(kernels, shape, parameters, m, inputs, activations, d_outputs, again)
      call check_close(again, 2*gradient, 1e-13_wp*maxval(abs(gradient)), &
         trim(name) // ": the gradient is added")

      ! A row's outputs depend on that row alone.
      inputs(2:, :) = 0
      d_outputs = outputs
      call forward(kernels, shape, parameters, m, inputs, units, outputs)
      call check(all(same(outputs(1, :), d_outputs(1, :))), trim(name) // ": rows are independent")
   end subroutine test_shape

   !> The network as the formulas have it, one example and one unit at a time.
   function plain_outputs(shape, parameters, inputs) result(outputs)
      type(network_shape), intent(in) :: shape
      real(wp), intent(in) :: parameters(:), inputs(m, n_inputs)
      real(wp) :: outputs(m, n_outputs)
      real(wp), allocatable :: below(:), above(:)
      integer, allocatable :: widths(:)
      integer :: example, layer, i, j, at

      widths = [shape%n_inputs, shape%hidden, shape%n_outputs]
      do example = 1, m
         below = inputs(example, :)
         at = 0
         do layer = 2, size(widths)
            if (allocated(above)) deallocate (above)
            allocate (above(widths(layer)))
            do i = 1, widths(layer)
               above(i) = parameters(at + widths(layer)*widths(layer - 1) + i) ! the bias
               do j = 1, widths(layer - 1)
                  above(i) = above(i) + parameters(at + (j - 1)*widths(layer) + i)*below(j)
               end do
            end do
            at = at + widths(layer)*(widths(layer - 1) + 1)
            below = above
            if (layer < size(widths)) below = tanh(above)
         end do
         outputs(example, :) = below
         if (.not. shape%linear_path) cycle
         do j = 1, n_inputs
            do i = 1, n_outputs
               outputs(example, i) = outputs(example, i) &
                  + parameters(at + (j - 1)*n_outputs + i)*min(max(inputs(example, j), -10.0_wp), &
                  10.0_wp)
            end do
         end do
      end do
   end function plain_outputs

   !> Central differences of sum(d_outputs*outputs).
   function differences(shape, parameters, inputs, d_outputs) result(gradient)
      type(network_shape), intent(in) :: shape
      real(wp), intent(in) :: parameters(:), inputs(m, n_inputs), d_outputs(m, n_outputs)
      real(wp) :: gradient(size(parameters))
      real(wp), parameter :: h = 1e-5_wp
      real(wp) :: up(size(parameters)), down(size(parameters))
      integer :: i

      do i = 1, size(parameters)
         up = parameters
         up(i) = up(i) + h
         down = parameters
         down(i) = down(i) - h
         gradient(i) = sum(d_outputs*(plain_outputs(shape, up, inputs) &
            - plain_outputs(shape, down, inputs)))/(2*h)
      end do
   end function differences
end program test_network
