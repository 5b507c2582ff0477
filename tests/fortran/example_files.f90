!> A model file to write, read and damage: three committees of extreme numbers, names and blocks.
module fmdn_example_files
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_check, only: check
   use fmdn_file, only: checksum_of, detail_length, model_contents, write_model
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, input_scale_block, member_weights_block, network_block, &
      start_layout, target_scale_block
   use fmdn_status, only: status_ok
   implicit none (type, external)
   private
   public :: example, bytes_of_example, write_contents
   public :: write_bytes, read_bytes, remove, temporary_left, sealed
   public :: same_integers, same_bits, same_contents

   interface
      function fmdn_process_id() result(id) bind(c)
         import :: c_int
         implicit none (type, external)
         integer(c_int) :: id
      end function fmdn_process_id
   end interface

   character(len=*), parameter, public :: lf = achar(10), cr = achar(13)
   character(len=*), parameter :: lambda = char(206) // char(187)
   integer, parameter, public :: checksum_line = 26 !! length of a file's last line

contains

   !> Three committees. The first has a block that this version does not know, its name and whether
   !> it is required as the caller says; `n_hidden` makes it larger.
   function example(optional_name, optional_is_required, n_hidden) result(contents)
      character(len=*), intent(in), optional :: optional_name
      logical, intent(in), optional :: optional_is_required
      integer, intent(in), optional :: n_hidden
      type(model_contents) :: contents
      character(len=16) :: name
      logical :: required
      integer(ip), allocatable :: layout(:)
      integer(ip) :: width

      name = "novelty"
      if (present(optional_name)) name = optional_name
      required = .false.
      if (present(optional_is_required)) required = optional_is_required
      width = 2
      if (present(n_hidden)) width = n_hidden
      allocate (contents%sizes(4, 0), contents%layout(0), contents%parameters(0))
      contents%names = ""
      contents%text = ""

      call start_layout(1, 1, 1, layout)
      call append_block(layout, input_scale_block, [integer(ip) ::], 2_ip)
      call append_block(layout, target_scale_block, [integer(ip) ::], 2_ip)
      call append_block(layout, member_weights_block, [integer(ip) ::], 1_ip)
      call append_block(layout, name, [0_ip, huge(1_ip), -huge(1_ip)], 6_ip, 3_ip, required)
      call append_block(layout, network_block, [1_ip, 1_ip, 0_ip, 1_ip, width], 5*width)
      call append(contents, "strike, " // lambda, layout, &
         '{"name": "' // lambda // '"' // lf // lf // "}" // achar(0) // cr // lf // &
         "checksum 0" // lf)

      call start_layout(2, 3, 1, layout)
      call append_block(layout, member_weights_block, [integer(ip) ::], 3_ip)
      call append(contents, "", layout, "")

      call start_layout(2, 3, 1, layout)
      call append_block(layout, "empty", [integer(ip) ::], 0_ip, required=.false.)
      call append_block(layout, input_scale_block, [integer(ip) ::], 29_ip)
      call append(contents, "two" // lf // "lines", layout, repeat("text ", 5))
   end function example

   subroutine append(contents, name, layout, text)
      type(model_contents), intent(inout) :: contents
      character(len=*), intent(in) :: name, text
      integer(ip), intent(in) :: layout(:)
      real(wp), parameter :: extremes(13) = [0.0_wp, -0.0_wp, huge(1.0_wp), -huge(1.0_wp), &
         tiny(1.0_wp), -tiny(1.0_wp), epsilon(1.0_wp), 1 + epsilon(1.0_wp), 1/3.0_wp, 0.1_wp, &
         9007199254740993.0_wp, 1e23_wp, 5e-324_wp]
      real(wp) :: more(layout(6)), number
      integer(ip) :: i

      do i = 1, size(more)
         if (i <= size(extremes)) then
            more(i) = extremes(i)
         else
            more(i) = random_bits()
         end if
      end do
      if (size(more) > size(extremes)) then
         number = transfer(4503599627370495_ip, number) ! the largest subnormal
         more(size(more)) = -number
      end if
      contents%sizes = reshape([contents%sizes, len(name, ip), size(layout, kind=ip), &
         layout(6), len(text, ip)], [4, size(contents%sizes, 2) + 1])
      contents%names = contents%names // name
      contents%layout = [contents%layout, layout]
      contents%parameters = [contents%parameters, more]
      contents%text = contents%text // text
   end subroutine append

   !> A finite number with random bits: all exponents alike.
   function random_bits() result(number)
      real(wp) :: number, u(4)
      integer(ip) :: bits

      do
         call random_number(u)
         bits = ior(ishft(int(65536*u(1), ip), 48), ishft(int(65536*u(2), ip), 32))
         bits = ior(bits, ior(ishft(int(65536*u(3), ip), 16), int(65536*u(4), ip)))
         if (iand(ishft(bits, -52), 2047_ip) /= 2047) exit ! neither infinity nor NaN
      end do
      number = transfer(bits, number)
   end function random_bits

   !> The example as a file at `path`, byte for byte.
   function bytes_of_example(path) result(bytes)
      character(len=*), intent(in) :: path
      character(len=:), allocatable :: bytes
      character(len=detail_length) :: detail
      integer :: status

      call write_contents(path, example(), status, detail)
      call check(status == status_ok, "the example is written: " // trim(detail))
      bytes = read_bytes(path)
   end function bytes_of_example

   subroutine write_contents(path, contents, status, detail)
      character(len=*), intent(in) :: path
      type(model_contents), intent(in) :: contents
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail

      call write_model(path, size(contents%sizes, 2, ip), contents%sizes, contents%names, &
         contents%layout, contents%parameters, contents%text, status, detail)
   end subroutine write_contents

   !> The bytes and the right checksum.
   pure function sealed(bytes) result(with_checksum)
      character(len=*), intent(in) :: bytes
      character(len=:), allocatable :: with_checksum

      with_checksum = bytes // "checksum " // checksum_of(bytes) // lf
   end function sealed

   subroutine write_bytes(path, bytes)
      character(len=*), intent(in) :: path, bytes
      integer :: unit

      call remove(path)
      open (newunit=unit, file=path, access="stream", form="unformatted", status="new", &
         action="write")
      write (unit) bytes
      close (unit)
   end subroutine write_bytes

   function read_bytes(path) result(bytes)
      character(len=*), intent(in) :: path
      character(len=:), allocatable :: bytes
      integer :: unit, n

      open (newunit=unit, file=path, access="stream", form="unformatted", status="old", &
         action="read")
      inquire (unit, size=n)
      allocate (character(len=n) :: bytes)
      read (unit) bytes
      close (unit)
   end function read_bytes

   subroutine remove(path)
      character(len=*), intent(in) :: path
      integer :: unit

      open (newunit=unit, file=path)
      close (unit, status="delete")
   end subroutine remove

   !> Is there still what `write_model` writes before it renames?
   function temporary_left(path) result(yes)
      character(len=*), intent(in) :: path
      logical :: yes
      character(len=20) :: id

      write (id, "(i0)") fmdn_process_id()
      inquire (file=path // "." // trim(id) // "-1.tmp", exist=yes)
   end function temporary_left

   pure function same_integers(a, b) result(yes)
      integer(ip), intent(in) :: a(:), b(:)
      logical :: yes

      yes = size(a) == size(b)
      if (yes) yes = all(a == b)
   end function same_integers

   pure function same_bits(a, b) result(yes)
      real(wp), intent(in) :: a(:), b(:)
      logical :: yes

      yes = same_integers(transfer(a, [integer(ip) ::]), transfer(b, [integer(ip) ::]))
   end function same_bits

   pure function same_contents(a, b) result(yes)
      type(model_contents), intent(in) :: a, b
      logical :: yes

      yes = same_integers([a%sizes], [b%sizes]) .and. same_integers(a%layout, b%layout) .and. &
         same_bits(a%parameters, b%parameters) .and. &
         len(a%names) == len(b%names) .and. len(a%text) == len(b%text)
      if (yes) yes = a%names == b%names .and. a%text == b%text
   end function same_contents

end module fmdn_example_files
