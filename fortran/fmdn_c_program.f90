!> The boundary for programs (see fmdn_c): whole steps in one call, for one committee. Python,
!> which watches every step, does without them.
module fmdn_c_program
   use, intrinsic :: iso_c_binding, only: c_char, c_double, c_int, c_int64_t
   use fmdn_characters, only: to_characters, to_string
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_file, only: detail_length, read_committee, write_model
   use fmdn_fit, only: fit_committee
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_interrupted, status_invalid_argument, status_ok
   use fmdn_train, only: training_options
   implicit none (type, external)
   private
   public :: fmdn_load_sizes, fmdn_load, fmdn_save, fmdn_fit_committee

contains

   !> Sizes of a committee in a model file: layout, parameters, bytes of the text, inputs, targets,
   !> kernels. `name` as for fmdn_load. `detail` says what is wrong and where, blank padded.
   subroutine fmdn_load_sizes(n_path, path, n_name, name, sizes, n_detail, detail, status) bind(C)
      integer(c_int64_t), value :: n_path, n_name, n_detail
      character(kind=c_char), intent(in) :: path(n_path), name(n_name)
      integer(c_int64_t), intent(inout) :: sizes(6)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      character(len=:), allocatable :: text
      character(len=detail_length) :: what

      call read_committee(to_string(path), to_string(name), layout, parameters, text, status, what)
      call to_characters(what, detail)
      if (status == status_ok) call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      sizes = [size(layout, kind=ip), size(parameters, kind=ip), len(text, kind=ip), &
         int([view%n_inputs, view%n_targets, view%n_kernels], ip)]
   end subroutine fmdn_load_sizes

   !> Read a committee into arrays of the sizes that fmdn_load_sizes gave: of several in a file the
   !> one called `name`, the first where n_name = 0. A checkpoint with members
   !> missing is refused.
   subroutine fmdn_load(n_path, path, n_name, name, n_layout, layout, n_parameters, parameters, &
      n_text, text, n_detail, detail, status) bind(C)
      integer(c_int64_t), value :: n_path, n_name, n_layout, n_parameters, n_text, n_detail
      character(kind=c_char), intent(in) :: path(n_path), name(n_name)
      integer(c_int64_t), intent(inout) :: layout(n_layout)
      real(c_double), intent(inout) :: parameters(n_parameters)
      character(kind=c_char), intent(inout) :: text(n_text), detail(n_detail)
      integer(c_int), intent(out) :: status
      integer(ip), allocatable :: its_layout(:)
      real(wp), allocatable :: its_parameters(:)
      character(len=:), allocatable :: its_text
      character(len=detail_length) :: what

      call read_committee(to_string(path), to_string(name), its_layout, its_parameters, its_text, &
         status, what)
      call to_characters(what, detail)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (any([size(its_layout, kind=ip), size(its_parameters, kind=ip), len(its_text, kind=ip)] &
         /= [n_layout, n_parameters, n_text])) return
      layout = its_layout
      parameters = its_parameters
      call to_characters(its_text, text)
      status = status_ok
   end subroutine fmdn_load

   !> Write a committee into a model file, whole or not at all.
   subroutine fmdn_save(n_path, path, n_layout, layout, n_parameters, parameters, n_text, text, &
      n_detail, detail, status) bind(C)
      integer(c_int64_t), value :: n_path, n_layout, n_parameters, n_text, n_detail
      character(kind=c_char), intent(in) :: path(n_path), text(n_text)
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      character(len=detail_length) :: what

      call write_model(to_string(path), 1_ip, reshape([0_ip, n_layout, n_parameters, n_text], &
         [4, 1]), "", layout, parameters, to_string(text), status, what)
      call to_characters(what, detail)
   end subroutine fmdn_save

   !> Train a planned committee and weigh its members: one tenth of the rows weighs, another tenth
   !> of the rest monitors each member. Members that fail are left out, so that the lengths used may
   !> be less than planned: `sizes`, of layout and parameters. `interrupt(1)`, raised by another
   !> thread, ends it: the status is then status_interrupted, and members that were finished
   !> are kept. With any other but status_ok the committee is as it was, and the sizes are 0.
   subroutine fmdn_fit_committee(n_layout, layout, n_parameters, parameters, n_inputs, &
      n_targets, n_rows, inputs, targets, seed, max_iter, patience, n_threads, interrupt, sizes, &
      status) bind(C)
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_targets, n_rows, seed
      integer(c_int64_t), intent(inout) :: layout(n_layout)
      real(c_double), intent(inout) :: parameters(n_parameters)
      real(c_double), intent(in), target :: inputs(n_inputs, n_rows), targets(n_targets, n_rows)
      integer(c_int), value :: max_iter, patience, n_threads
      integer(c_int64_t), intent(inout) :: interrupt(1)
      integer(c_int64_t), intent(inout) :: sizes(2)
      integer(c_int), intent(out) :: status
      integer(ip), allocatable :: its_layout(:)
      real(wp), allocatable :: its_parameters(:)

      sizes = 0
      its_layout = layout
      its_parameters = parameters
      call fit_committee(inputs, targets, training_options(max_iter, patience, seed), n_threads, &
         interrupt(1), its_layout, its_parameters, status)
      if (status /= status_ok .and. status /= status_interrupted) return
      sizes = [size(its_layout, kind=ip), size(its_parameters, kind=ip)]
      layout(:sizes(1)) = its_layout
      parameters(:sizes(2)) = its_parameters
   end subroutine fmdn_fit_committee

end module fmdn_c_program
