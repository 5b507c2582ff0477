!> The network: tanh hidden layers, a linear output layer, and optionally a linear path from the
!> inputs straight to the outputs. On that path an input counts at most ten standard deviations: an
!> outlier would rule a straight line, which leads nowhere beyond the training rows anyway.
!>
!> All weights lie in one flat vector, layer by layer: the matrix w(n_out, n_in), then the biases;
!> the linear path's matrix comes last.
!>
!> Forward and backward work on m examples at once, the example being the first dimension.
module fmdn_network
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_dispatch, only: kernel_set
   use fmdn_kinds, only: ip, wp
   implicit none (type, external)
   private
   public :: network_shape, n_network_parameters, forward, backward, backward_to_inputs

   real(wp), parameter :: linear_range = 10

   type :: network_shape
      integer :: n_inputs = 0
      integer, allocatable :: hidden(:) !! units of each hidden layer, at least one layer
      integer :: n_outputs = 0
      logical :: linear_path = .false.
   contains
      procedure :: n_units
   end type network_shape

contains

   !> Hidden units of all layers.
   pure function n_units(self) result(n)
      class(network_shape), intent(in) :: self
      integer :: n

      n = sum(self%hidden)
   end function n_units

   !> Length of the parameter vector.
   pure function n_network_parameters(shape) result(n)
      type(network_shape), intent(in) :: shape
      integer(ip) :: n
      integer(ip) :: widths(0:size(shape%hidden) + 1)
      integer :: layer

      widths = [shape%n_inputs, shape%hidden, shape%n_outputs]
      n = 0
      do layer = 1, size(shape%hidden) + 1
         n = n + (widths(layer - 1) + 1)*widths(layer)
      end do
      if (shape%linear_path) n = n + int(shape%n_inputs, ip)*shape%n_outputs
   end function n_network_parameters

   !> Outputs of the network, and the activations that `backward` needs.
   subroutine forward(kernels, shape, parameters, m, inputs, units, outputs)
      type(kernel_set), intent(in) :: kernels
      type(network_shape), intent(in) :: shape
      real(wp), intent(in) :: parameters(n_network_parameters(shape))
      integer, intent(in) :: m !! examples: one, or a multiple of `lanes`
      real(wp), intent(in) :: inputs(m, shape%n_inputs)
      real(wp), intent(inout) :: units(m, shape%n_units()) !! tanh activations, all layers
      real(wp), intent(inout) :: outputs(m, shape%n_outputs)
      integer :: layer, n_in, n_out, first, below, at

      at = 1
      first = 1
      n_in = shape%n_inputs
      do layer = 1, size(shape%hidden)
         n_out = shape%hidden(layer)
         if (layer == 1) then
            call affine(kernels, m, n_in, n_out, inputs, parameters(at), units(1, first))
         else
            below = first - n_in
            call affine(kernels, m, n_in, n_out, units(1, below), parameters(at), units(1, first))
         end if
         call kernels%tanh(int(m*n_out, c_int), units(1, first))
         at = at + (n_in + 1)*n_out
         first = first + n_out
         n_in = n_out
      end do
      n_out = shape%n_outputs
      call affine(kernels, m, n_in, n_out, units(1, first - n_in), parameters(at), outputs)
      if (shape%linear_path) then
         at = at + (n_in + 1)*n_out
         call product(kernels, m, shape%n_inputs, n_out, bounded(inputs), parameters(at), &
            parameters(at), 1, outputs)
      end if
   end subroutine forward

   !> What the linear path sees of the inputs.
   elemental function bounded(x)
      real(wp), intent(in) :: x
      real(wp) :: bounded

      bounded = min(max(x, -linear_range), linear_range)
   end function bounded

   !> y = x transpose(w) + b.
   subroutine affine(kernels, m, n_in, n_out, x, layer, y)
      type(kernel_set), intent(in) :: kernels
      integer, intent(in) :: m, n_in, n_out
      real(wp), intent(in) :: x(m, n_in)
      real(wp), intent(in) :: layer(n_out, n_in + 1) !! the weights, and the biases as last column
      real(wp), intent(inout) :: y(m, n_out)

      call product(kernels, m, n_in, n_out, x, layer, layer(:, n_in + 1), 0, y)
   end subroutine affine

   !> y = bias + x transpose(w) (update 0), or y + x transpose(w) (update 1).
   subroutine product(kernels, m, n_in, n_out, x, w, bias, update, y)
      type(kernel_set), intent(in) :: kernels
      integer, intent(in) :: m, n_in, n_out, update
      real(wp), intent(in) :: x(m, n_in), w(n_out, n_in), bias(n_out)
      real(wp), intent(inout) :: y(m, n_out)

      if (m == 1) then
         call kernels%row_product(int(n_out, c_int), int(n_in, c_int), x, w, bias, &
            int(update, c_int), y)
      else
         call kernels%product(int(m, c_int), int(n_out, c_int), int(n_in, c_int), x, w, &
            int(n_out, c_int), 1_c_int, bias, int(update, c_int), y)
      end if
   end subroutine product

   !> Add to `gradient` the derivative of a loss whose derivative with respect to the outputs is
   !> `d_outputs` (the chain rule, layer by layer from the top). On the way the activations become
   !> the derivatives with respect to what tanh was taken of.
   subroutine backward(kernels, shape, parameters, m, inputs, units, d_outputs, gradient)
      type(kernel_set), intent(in) :: kernels
      type(network_shape), intent(in) :: shape
      real(wp), intent(in) :: parameters(n_network_parameters(shape))
      integer, intent(in) :: m !! examples, a multiple of `lanes`
      real(wp), intent(in) :: inputs(m, shape%n_inputs), d_outputs(m, shape%n_outputs)
      real(wp), intent(inout) :: units(m, shape%n_units())
      real(wp), intent(inout) :: gradient(n_network_parameters(shape))
      integer :: layer, n_in, n_out, first, at

      n_out = shape%n_outputs
      at = int(n_network_parameters(shape)) + 1
      if (shape%linear_path) then
         at = at - shape%n_inputs*n_out
         call kernels%accumulate(int(m, c_int), int(n_out, c_int), int(shape%n_inputs, c_int), &
            d_outputs, bounded(inputs), gradient(at))
      end if

      first = shape%n_units() + 1
      do layer = size(shape%hidden), 1, -1
         n_in = shape%hidden(layer)
         first = first - n_in
         at = at - (n_in + 1)*n_out
         if (layer == size(shape%hidden)) then
            call affine_backward(kernels, m, n_in, n_out, parameters(at), d_outputs, &
               units(1, first), gradient(at))
         else
            call affine_backward(kernels, m, n_in, n_out, parameters(at), &
               units(1, first + n_in), units(1, first), gradient(at))
         end if
         n_out = n_in
      end do
      at = at - (shape%n_inputs + 1)*n_out
      call affine_gradient(kernels, m, shape%n_inputs, n_out, inputs, units, gradient(at))
   end subroutine backward

   !> Gradient of one layer; its inputs x, outputs of tanh, become the derivatives with respect to
   !> what tanh was taken of.
   subroutine affine_backward(kernels, m, n_in, n_out, layer, d_y, x, gradient)
      type(kernel_set), intent(in) :: kernels
      integer, intent(in) :: m, n_in, n_out
      real(wp), intent(in) :: layer(n_out, n_in + 1), d_y(m, n_out)
      real(wp), intent(inout) :: x(m, n_in)
      real(wp), intent(inout) :: gradient(n_out, n_in + 1)

      call affine_gradient(kernels, m, n_in, n_out, x, d_y, gradient)
      call kernels%product(int(m, c_int), int(n_in, c_int), int(n_out, c_int), d_y, layer, &
         1_c_int, int(n_out, c_int), x(1, :), 2_c_int, x)
   end subroutine affine_backward

   subroutine affine_gradient(kernels, m, n_in, n_out, x, d_y, gradient)
      type(kernel_set), intent(in) :: kernels
      integer, intent(in) :: m, n_in, n_out
      real(wp), intent(in) :: x(m, n_in), d_y(m, n_out)
      real(wp), intent(inout) :: gradient(n_out, n_in + 1)

      call kernels%accumulate(int(m, c_int), int(n_out, c_int), int(n_in, c_int), d_y, x, gradient)
      call kernels%sum_columns(int(m, c_int), int(n_out, c_int), d_y, gradient(:, n_in + 1))
   end subroutine affine_gradient

   !> Derivatives of some quantities with respect to the inputs of one example, from those with
   !> respect to its outputs; `units` is what `forward` left. Beyond its range the linear path
   !> counts for nothing.
   pure subroutine backward_to_inputs(shape, parameters, n, inputs, units, d_outputs, d_inputs)
      type(network_shape), intent(in) :: shape
      real(wp), intent(in) :: parameters(n_network_parameters(shape))
      integer, intent(in) :: n !! quantities
      real(wp), intent(in) :: inputs(shape%n_inputs), units(shape%n_units())
      real(wp), intent(in) :: d_outputs(n, shape%n_outputs)
      real(wp), intent(out) :: d_inputs(n, shape%n_inputs)
      real(wp), allocatable :: above(:, :)
      integer :: layer, n_in, n_out, first, at, j

      n_out = shape%n_outputs
      at = int(n_network_parameters(shape)) + 1
      d_inputs = 0
      if (shape%linear_path) then
         at = at - shape%n_inputs*n_out
         d_inputs = times_matrix(n, n_out, shape%n_inputs, d_outputs, parameters(at))
         do j = 1, shape%n_inputs
            if (abs(inputs(j)) > linear_range) d_inputs(:, j) = 0
         end do
      end if

      above = d_outputs
      first = shape%n_units() + 1
      do layer = size(shape%hidden), 1, -1
         n_in = shape%hidden(layer)
         first = first - n_in
         at = at - (n_in + 1)*n_out
         above = times_matrix(n, n_out, n_in, above, parameters(at))
         do j = 1, n_in
            above(:, j) = above(:, j)*(1 - units(first + j - 1)**2)
         end do
         n_out = n_in
      end do
      d_inputs = d_inputs + times_matrix(n, n_out, shape%n_inputs, above, parameters)
   end subroutine backward_to_inputs

   pure function times_matrix(n, n_out, n_in, d_y, w) result(d_x)
      integer, intent(in) :: n, n_out, n_in
      real(wp), intent(in) :: d_y(n, n_out), w(n_out, n_in)
      real(wp) :: d_x(n, n_in)

      d_x = matmul(d_y, w)
   end function times_matrix

end module fmdn_network
