!> The files that committees lie in. The model file: committees under names, as plain text that is
!> exact to the last bit; docs/file-format.md describes it for readers in other languages. It holds
!> what fmdn_layout defines, block by block; an optional block that this version does not know is
!> carried through. The original Fortran package's committee file is recognised when it is read.
module fmdn_file
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_file_reader, only: model_contents, read_model_file => read_model
   use fmdn_file_words, only: checksum_of, decimal, detail_length, in_layout, in_names, &
      in_parameters, in_text, quoted
   use fmdn_file_writer, only: write_model
   use fmdn_kinds, only: ip, wp
   use fmdn_legacy_reader, only: is_legacy_committee, read_legacy_committee
   use fmdn_legacy_writer, only: write_legacy_committee
   use fmdn_status, only: status_no_such_committee, status_ok, status_text, status_unfinished
   implicit none (type, external)
   private
   public :: model_contents, read_model, read_committee, write_model, write_legacy_committee
   public :: checksum_of, detail_length, in_names, in_layout, in_parameters, in_text

   !> What fitting in Python calls a committee whose members it is still training.
   character(len=*), parameter :: checkpoint = "checkpoint"

contains

   !> Read a file of either kind; trailing blanks of `path` do not count. Unless the status is ok,
   !> `contents` is empty and `detail` says what is wrong, and where.
   subroutine read_model(path, contents, status, detail)
      character(len=*), intent(in) :: path
      type(model_contents), intent(out) :: contents
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail

      if (.not. is_legacy_committee(head_of(trim(path)))) then
         call read_model_file(path, contents, status, detail)
         return
      end if
      call read_legacy_committee(trim(path), contents%layout, contents%parameters, status, detail)
      if (status /= status_ok) then
         contents = model_contents()
         return
      end if
      contents%names = ""
      contents%text = ""
      allocate (contents%sizes(4, 1), source=0_ip)
      contents%sizes(in_layout, 1) = size(contents%layout, kind=ip)
      contents%sizes(in_parameters, 1) = size(contents%parameters, kind=ip)
   end subroutine read_model

   !> The first bytes of a file, at most 8; none where it cannot be read.
   function head_of(path) result(head)
      character(len=*), intent(in) :: path
      character(len=:), allocatable :: head
      integer(ip) :: n_bytes
      integer :: unit, trouble

      head = ""
      open (newunit=unit, file=path, access="stream", form="unformatted", action="read", &
         status="old", iostat=trouble)
      if (trouble /= 0) return
      inquire (unit, size=n_bytes)
      head = repeat(" ", int(max(0_ip, min(n_bytes, 8_ip))))
      read (unit, iostat=trouble) head
      if (trouble /= 0) head = ""
      close (unit)
   end function head_of
   !> One committee, ready for use: of several in a file the one called `name`, the first where
   !> `name` is empty. A checkpoint whose members are not all trained is refused.
   subroutine read_committee(path, name, layout, parameters, text, status, detail)
      character(len=*), intent(in) :: path, name
      integer(ip), allocatable, intent(out) :: layout(:)
      real(wp), allocatable, intent(out) :: parameters(:)
      character(len=:), allocatable, intent(out) :: text
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail !! what is wrong, and where
      type(model_contents) :: contents
      integer(ip) :: first(4), last(4)
      integer :: entry

      call read_model(path, contents, status, detail)
      if (status /= status_ok) return
      last = 0
      do entry = 1, size(contents%sizes, 2)
         first = last + 1
         last = last + contents%sizes(:, entry)
         if (name == "" .or. contents%names(first(in_names):last(in_names)) == name) exit
      end do
      status = status_no_such_committee
      detail = "there is none called " // quoted(name)
      if (entry > size(contents%sizes, 2)) return
      layout = contents%layout(first(in_layout):last(in_layout))
      parameters = contents%parameters(first(in_parameters):last(in_parameters))
      text = contents%text(first(in_text):last(in_text))
      call check_members(layout, parameters, contents%names == checkpoint, status, detail)
   end subroutine read_committee

   !> A member that was not trained has no parameter but zero.
   subroutine check_members(layout, parameters, is_checkpoint, status, detail)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      logical, intent(in) :: is_checkpoint
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      type(committee_view) :: view
      integer(ip) :: n_missing
      integer :: k

      call view_committee(layout, parameters, view, status)
      detail = ""
      if (status /= status_ok) detail = status_text(status)
      if (status /= status_ok) return
      n_missing = 0
      do k = 1, size(view%members)
         associate (first => view%members(k)%offset + 1, n => view%members(k)%n_parameters)
            if (.not. any(abs(parameters(first:first + n - 1)) > 0)) n_missing = n_missing + 1
         end associate
      end do
      if (n_missing == 0 .and. .not. is_checkpoint) return
      status = status_unfinished
      detail = decimal(n_missing) // " of " // decimal(size(view%members, kind=ip)) // &
         " members are missing"
   end subroutine check_members

end module fmdn_file
