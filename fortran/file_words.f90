!> The words of the model file that its writer and its reader share, and its checksum.
!> docs/file-format.md describes the file for readers in other languages.
module fmdn_file_words
   use fmdn_kinds, only: ip
   implicit none (type, external)
   private
   public :: fnv_hash, add_to, digits_of, checksum_of, decimal, quoted, shown, is_name

   character(len=*), parameter, public :: line_feed = achar(10)
   character(len=*), parameter, public :: magic = "fmdn model "
   integer, parameter, public :: file_version = 1
   character(len=*), parameter, public :: checksum_label = "checksum "

   !> Rows of `sizes`: bytes of the name, length of the layout, parameters, bytes of the text.
   integer, parameter, public :: in_names = 1, in_layout = 2, in_parameters = 3, in_text = 4

   integer, parameter, public :: detail_length = 200 !! of what is said about an error

   !> The largest count that is not bounded by the size of the file.
   integer(ip), parameter, public :: largest_count = huge(1)

   !> FNV-1a (Fowler, Noll & Vo), 64 bits, held as two halves so that no product overflows.
   type :: fnv_hash
      integer(ip) :: high = int(z'CBF29CE4', ip), low = int(z'84222325', ip)
   end type fnv_hash

contains

   !> The 16 hexadecimal digits of the last line, for the bytes before it.
   pure function checksum_of(bytes) result(digits)
      character(len=*), intent(in) :: bytes
      character(len=16) :: digits
      type(fnv_hash) :: hash

      call add_to(hash, bytes)
      digits = digits_of(hash)
   end function checksum_of

   !> For each byte b: h = (h xor b)*(2**40 + 435) modulo 2**64.
   pure subroutine add_to(hash, bytes)
      type(fnv_hash), intent(inout) :: hash
      character(len=*), intent(in) :: bytes
      integer(ip), parameter :: mask = int(z'FFFFFFFF', ip)
      integer(ip) :: low, product, i

      do i = 1, len(bytes, ip)
         low = ieor(hash%low, ichar(bytes(i:i), ip))
         product = 435*low
         hash%high = iand(435*hash%high + ishft(product, -32) + ishft(low, 8), mask)
         hash%low = iand(product, mask)
      end do
   end subroutine add_to

   pure function digits_of(hash) result(digits)
      type(fnv_hash), intent(in) :: hash
      character(len=16) :: digits

      write (digits, "(2z8.8)") hash%high, hash%low
   end function digits_of

   pure function decimal(number) result(text)
      integer(ip), intent(in) :: number
      character(len=:), allocatable :: text
      character(len=20) :: digits

      write (digits, "(i0)") number
      text = trim(digits)
   end function decimal

   pure function quoted(name) result(text)
      character(len=*), intent(in) :: name
      character(len=:), allocatable :: text

      text = '"' // trim(name) // '"'
   end function quoted

   !> Bytes in quotes, with a question mark for what is not printable ASCII.
   pure function shown(bytes) result(text)
      character(len=*), intent(in) :: bytes
      character(len=:), allocatable :: text
      integer :: i

      text = '"' // bytes // '"'
      if (bytes == line_feed .and. len(bytes) == 1) text = "the end of a line"
      if (len(bytes) == 0) text = "the end of the file"
      do i = 1, len(text)
         if (.not. is_printable(text(i:i))) text(i:i) = "?"
      end do
   end function shown

   pure function is_printable(byte) result(yes)
      character(len=1), intent(in) :: byte
      logical :: yes

      yes = ichar(byte) >= 32 .and. ichar(byte) <= 126
   end function is_printable

   !> Can this be the name of a block, between quotes?
   pure function is_name(name) result(yes)
      character(len=*), intent(in) :: name
      logical :: yes
      integer :: i

      yes = len_trim(name) > 0 .and. index(name, '"') == 0
      do i = 1, len(name)
         yes = yes .and. is_printable(name(i:i))
      end do
   end function is_name

end module fmdn_file_words
