!> The boundary for texts (see fmdn_c): model files, and what codes mean.
module fmdn_c_text
   use, intrinsic :: iso_c_binding, only: c_char, c_double, c_int, c_int64_t
   use fmdn_characters, only: to_characters, to_string
   use fmdn_file, only: model_contents, read_model, write_model
   use fmdn_kinds, only: ip
   use fmdn_status, only: status_invalid_argument, status_ok, status_text, stop_text
   implicit none (type, external)
   private
   public :: fmdn_status_text, fmdn_stop_text, fmdn_file_sizes, fmdn_file_read, fmdn_file_write

contains

   !> The text of a status code, blank padded.
   subroutine fmdn_status_text(code, n_text, text) bind(C)
      integer(c_int), value :: code
      integer(c_int64_t), value :: n_text
      character(kind=c_char), intent(inout) :: text(n_text)

      call to_characters(status_text(int(code)), text)
   end subroutine fmdn_status_text

   !> Why the training of a member stopped, blank padded.
   subroutine fmdn_stop_text(code, n_text, text) bind(C)
      integer(c_int), value :: code
      integer(c_int64_t), value :: n_text
      character(kind=c_char), intent(inout) :: text(n_text)

      call to_characters(stop_text(int(code)), text)
   end subroutine fmdn_stop_text

   !> Sizes of a model file: number of committees, and the summed lengths of their names, layouts,
   !> parameters and texts. `detail` says what is wrong and where, blank padded.
   subroutine fmdn_file_sizes(n_path, path, sizes, n_detail, detail, status) bind(C)
      integer(c_int64_t), value :: n_path, n_detail
      character(kind=c_char), intent(in) :: path(n_path)
      integer(c_int64_t), intent(inout) :: sizes(5)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      type(model_contents) :: contents
      character(len=200) :: what

      call read_model(to_string(path), contents, status, what)
      call to_characters(what, detail)
      if (status /= status_ok) return
      sizes = [size(contents%sizes, 2, kind=ip), sum(contents%sizes, 2)]
   end subroutine fmdn_file_sizes

   !> The committees of a model file, one behind the other in arrays of the lengths that
   !> fmdn_file_sizes gave; entry_sizes: lengths of name, layout, parameters and text of each.
   subroutine fmdn_file_read(n_path, path, n_entries, entry_sizes, n_names, names, n_layout, &
      layout, n_parameters, parameters, n_text, text, n_detail, detail, status) bind(C)
      integer(c_int64_t), value :: n_path, n_entries, n_names, n_layout, n_parameters, n_text
      integer(c_int64_t), value :: n_detail
      character(kind=c_char), intent(in) :: path(n_path)
      integer(c_int64_t), intent(inout) :: entry_sizes(4, n_entries)
      character(kind=c_char), intent(inout) :: names(n_names)
      integer(c_int64_t), intent(inout) :: layout(n_layout)
      real(c_double), intent(inout) :: parameters(n_parameters)
      character(kind=c_char), intent(inout) :: text(n_text)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      type(model_contents) :: contents
      character(len=200) :: what

      call read_model(to_string(path), contents, status, what)
      call to_characters(what, detail)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (size(contents%sizes, 2) /= n_entries) return
      if (any(sum(contents%sizes, 2) /= [n_names, n_layout, n_parameters, n_text])) return
      entry_sizes = contents%sizes
      call to_characters(contents%names, names)
      layout = contents%layout
      parameters = contents%parameters
      call to_characters(contents%text, text)
      status = status_ok
   end subroutine fmdn_file_read

   !> Write committees, laid out as fmdn_file_read gives them, into a file, whole or not at all.
   subroutine fmdn_file_write(n_path, path, n_entries, entry_sizes, n_names, names, n_layout, &
      layout, n_parameters, parameters, n_text, text, n_detail, detail, status) bind(C)
      integer(c_int64_t), value :: n_path, n_entries, n_names, n_layout, n_parameters, n_text
      integer(c_int64_t), value :: n_detail
      character(kind=c_char), intent(in) :: path(n_path)
      integer(c_int64_t), intent(in) :: entry_sizes(4, n_entries)
      character(kind=c_char), intent(in) :: names(n_names)
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      character(kind=c_char), intent(in) :: text(n_text)
      character(kind=c_char), intent(inout) :: detail(n_detail)
      integer(c_int), intent(out) :: status
      character(len=200) :: what

      status = status_invalid_argument
      if (n_entries < 1 .or. any(entry_sizes < 0)) return
      if (any(sum(entry_sizes, 2) /= [n_names, n_layout, n_parameters, n_text])) return
      call write_model(to_string(path), n_entries, entry_sizes, to_string(names), layout, &
         parameters, to_string(text), status, what)
      call to_characters(what, detail)
   end subroutine fmdn_file_write

end module fmdn_c_text
