!> The boundary for what is done to raw inputs (fmdn_inputs), as fmdn_c is for committees.
module fmdn_c_inputs
   use, intrinsic :: iso_c_binding, only: c_char, c_double, c_int, c_int64_t
   use fmdn_committee, only: add_knots, committee_view, view_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_inputs, only: prepare_inputs
   use fmdn_kinds, only: ip, max_threads, tile_size, wp
   use fmdn_layout, only: at_parameters, block_view, check_layout, find_block, header_size, &
      tag_length
   use fmdn_status, only: status_invalid_argument, status_ok
   implicit none (type, external)
   private
   public :: fmdn_add_knots, fmdn_find_block, fmdn_prepare_inputs

contains

   !> A planned committee whose inputs are bent and perhaps in pieces (fmdn_bending). Call it once
   !> with n_longer = 0 for the sizes.
   subroutine fmdn_add_knots(in_pieces, n_layout, layout, n_parameters, parameters, n_longer, &
      longer, n_more, more, sizes, status) bind(C)
      integer(c_int), value :: in_pieces
      integer(c_int64_t), value :: n_layout, n_parameters, n_longer, n_more
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      integer(c_int64_t), intent(inout) :: longer(n_longer)
      real(c_double), intent(inout) :: more(n_more)
      integer(c_int64_t), intent(inout) :: sizes(2)
      integer(c_int), intent(out) :: status
      integer(ip), allocatable :: new_layout(:)
      real(wp), allocatable :: new_parameters(:)

      new_layout = layout
      new_parameters = parameters
      sizes = 0
      call add_knots(in_pieces /= 0, new_layout, new_parameters, status)
      if (status /= status_ok) return
      sizes = [size(new_layout, kind=ip), size(new_parameters, kind=ip)]
      if (n_longer == 0) return
      if (sizes(1) /= n_longer .or. sizes(2) /= n_more) status = status_invalid_argument
      if (status /= status_ok) return
      longer = new_layout
      more = new_parameters
   end subroutine fmdn_add_knots

   !> Where the first block of that name lies in a layout: numbers before its first integer,
   !> integers, parameters before its first real, reals; all zero where there is none.
   subroutine fmdn_find_block(n_layout, layout, n_name, name, place) bind(C)
      integer(c_int64_t), value :: n_layout, n_name
      integer(c_int64_t), intent(in) :: layout(n_layout)
      character(kind=c_char), intent(in) :: name(n_name)
      integer(c_int64_t), intent(inout) :: place(4)
      type(block_view) :: view
      character(len=tag_length) :: tag
      character(len=tag_length) :: trouble
      integer(ip) :: i
      integer :: status

      place = 0
      if (n_layout < header_size) return
      call check_layout(layout, layout(at_parameters), status, trouble)
      if (status /= status_ok) return
      tag = ""
      do i = 1, min(n_name, int(tag_length, ip))
         tag(i:i) = name(i)
      end do
      view = find_block(layout, tag, 1)
      if (view%name == "") return
      place = [view%first_integer - 1, view%n_integers, view%offset, view%n_reals]
   end subroutine fmdn_find_block

   !> Features of raw inputs, as training takes them: a committee's rows are these where it has
   !> channels that may be missing or that are projected.
   subroutine fmdn_prepare_inputs(n_layout, layout, n_parameters, parameters, n_inputs, n_rows, &
      inputs, n_threads, n_features, features, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_rows, n_features
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      real(c_double), intent(in) :: inputs(n_inputs, n_rows)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: features(n_features, n_rows)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view
      type(kernel_set) :: kernels
      integer(ip) :: first, last

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (n_inputs /= view%n_inputs .or. n_features /= view%n_features) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      status = status_ok
      kernels = processor_kernels()
      !$omp parallel do num_threads(n_threads) default(none) private(last) &
      !$omp shared(kernels, view, inputs, features, n_rows) reduction(max: status)
      do first = 1, n_rows, tile_size
         last = min(first + tile_size - 1, n_rows)
         call prepare_inputs(kernels, view%inputs, inputs(:, first:last), &
            features(:, first:last), status)
      end do
      !$omp end parallel do
   end subroutine fmdn_prepare_inputs

end module fmdn_c_inputs
