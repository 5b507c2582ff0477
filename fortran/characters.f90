!> C's arrays of characters and Fortran's strings.
module fmdn_characters
   use, intrinsic :: iso_c_binding, only: c_char
   implicit none (type, external)
   private
   public :: to_string, to_characters

contains

   !> A string of C's characters.
   pure function to_string(characters) result(string)
      character(kind=c_char), intent(in) :: characters(:)
      character(len=size(characters)) :: string
      integer :: i

      do i = 1, size(characters)
         string(i:i) = characters(i)
      end do
   end function to_string

   !> Copy, blank padded or cut.
   pure subroutine to_characters(string, characters)
      character(len=*), intent(in) :: string
      character(kind=c_char), intent(inout) :: characters(:)
      integer :: i

      do i = 1, size(characters)
         characters(i) = " "
         if (i <= len(string)) characters(i) = string(i:i)
      end do
   end subroutine to_characters

end module fmdn_characters
