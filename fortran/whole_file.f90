!> A file that is written whole or not at all: whatever goes wrong, the file that was there before
!> is as it was. Bytes go to a temporary file beside it, which takes its place in one step.
module fmdn_whole_file
   use, intrinsic :: iso_c_binding, only: c_char, c_int, c_null_char
   use fmdn_file_words, only: decimal, detail_length
   use fmdn_kinds, only: ip
   implicit none (type, external)
   private
   public :: whole_file, open_file, put_bytes, close_file

   !> A file being written. After the first failure nothing more is written.
   type :: whole_file
      logical :: failed = .false.
      character(len=detail_length) :: message = "" !! what failed
      character(len=:), allocatable, private :: path, temporary
      integer, private :: unit = 0
      logical, private :: opened = .false.
      integer(ip), private :: n_bytes = 0
   end type whole_file

   interface
      !> Put `temporary` safely on the disk and in the place of `target`; 0 or an errno.
      function fmdn_replace_file(temporary, target) result(errno) bind(c)
         import :: c_char, c_int
         implicit none (type, external)
         ! allow(C071): C strings
         character(kind=c_char), intent(in) :: temporary(*), target(*)
         integer(c_int) :: errno
      end function fmdn_replace_file

      !> 0 or an errno.
      function fmdn_remove_file(path) result(errno) bind(c)
         import :: c_char, c_int
         implicit none (type, external)
         ! allow(C071): a C string
         character(kind=c_char), intent(in) :: path(*)
         integer(c_int) :: errno
      end function fmdn_remove_file

      function fmdn_process_id() result(id) bind(c)
         import :: c_int
         implicit none (type, external)
         integer(c_int) :: id
      end function fmdn_process_id
   end interface

contains

   !> Begin a file; trailing blanks of `path` do not count.
   subroutine open_file(path, to)
      character(len=*), intent(in) :: path
      type(whole_file), intent(out) :: to
      logical :: exists
      integer :: i, trouble

      to%path = trim(path)
      do i = 1, 1000 ! other threads' files, and what killed processes have left behind
         to%temporary = to%path // "." // decimal(int(fmdn_process_id(), ip)) // "-" // &
            decimal(int(i, ip)) // ".tmp"
         inquire (file=to%temporary, exist=exists)
         if (exists) cycle
         open (newunit=to%unit, file=to%temporary, access="stream", form="unformatted", &
            action="write", status="new", iostat=trouble, iomsg=to%message)
         if (trouble == 0) then
            to%opened = .true.
            to%message = ""
            return
         end if
         inquire (file=to%temporary, exist=exists)
         if (.not. exists) exit
      end do
      to%failed = .true.
      if (exists) to%message = "no free name for a temporary file: " // to%temporary
   end subroutine open_file

   subroutine put_bytes(to, bytes)
      type(whole_file), intent(inout) :: to
      character(len=*), intent(in) :: bytes
      integer :: trouble

      if (to%failed) return
      write (to%unit, iostat=trouble, iomsg=to%message) bytes
      to%failed = trouble /= 0
      to%n_bytes = to%n_bytes + len(bytes, ip)
   end subroutine put_bytes

   !> End the file: unless something failed, or `give_up`, it takes the place of its target.
   !> What counts is the size on the disk: a full disk may show only when the last buffer goes out.
   subroutine close_file(to, give_up)
      type(whole_file), intent(inout) :: to
      logical, intent(in), optional :: give_up
      integer(ip) :: n_bytes
      integer :: trouble
      character(len=detail_length) :: message

      if (.not. to%opened) return
      to%opened = .false.
      if (present(give_up)) to%failed = to%failed .or. give_up
      close (to%unit, iostat=trouble, iomsg=message)
      inquire (file=to%temporary, size=n_bytes)
      if (.not. to%failed .and. (trouble /= 0 .or. n_bytes /= to%n_bytes)) then
         to%failed = .true.
         to%message = "only " // decimal(max(n_bytes, 0_ip)) // " of " // decimal(to%n_bytes) // &
            " bytes could be written: is the disk full?"
      end if
      if (.not. to%failed) then
         trouble = fmdn_replace_file(to%temporary // c_null_char, to%path // c_null_char)
         if (trouble == 0) return
         to%failed = .true.
         to%message = "the finished file cannot take the place of its target (system error " // &
            decimal(int(trouble, ip)) // ")"
      end if
      trouble = fmdn_remove_file(to%temporary // c_null_char)
      if (trouble /= 0) to%message = trim(to%message) // "; left behind: " // to%temporary
   end subroutine close_file

end module fmdn_whole_file
