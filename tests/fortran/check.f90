!> A tiny test helper: count what holds, print what does not.
module fmdn_check
   use, intrinsic :: ieee_arithmetic, only: ieee_is_nan
   use fmdn_kinds, only: wp
   implicit none (type, external)
   private
   public :: check, check_close, finish

   interface check_close
      module procedure check_close_scalar, check_close_vector, check_close_matrix
   end interface check_close

   integer :: passed = 0, failed = 0

contains

   !> Count one statement that has to hold.
   subroutine check(condition, name)
      logical, intent(in) :: condition
      character(*), intent(in) :: name

      if (condition) then
         passed = passed + 1
      else
         failed = failed + 1
         print "(2a)", "FAILED: ", name
      end if
   end subroutine check

   !> |actual - expected| <= tolerance (absolute), or the same infinity; NaN is close to nothing.
   !> No operation here traps.
   elemental function is_close(actual, expected, tolerance) result(yes)
      real(wp), intent(in) :: actual, expected, tolerance
      logical :: yes

      yes = .false.
      if (ieee_is_nan(actual) .or. ieee_is_nan(expected)) return
      yes = actual <= expected .and. actual >= expected
      if (yes .or. max(abs(actual), abs(expected)) > huge(actual)) return
      yes = abs(actual - expected) <= tolerance
   end function is_close

   !> Count `is_close`, and show the numbers when they are not.
   subroutine check_close_scalar(actual, expected, tolerance, name)
      real(wp), intent(in) :: actual, expected, tolerance
      character(*), intent(in) :: name

      call check(is_close(actual, expected, tolerance), name)
      if (is_close(actual, expected, tolerance)) return
      print "(8x,2(a,es24.16),a,es9.2)", &
         "got", actual, ", expected", expected, ", tolerance", tolerance
   end subroutine check_close_scalar

   !> Every element: one check, the first element that is not close shown with its place.
   subroutine check_close_vector(actual, expected, tolerance, name)
      real(wp), intent(in) :: actual(:), expected(:), tolerance
      character(*), intent(in) :: name
      integer :: i

      call check(size(actual) == size(expected), name // " (size)")
      if (size(actual) /= size(expected)) return
      i = findloc(is_close(actual, expected, tolerance), .false., dim=1)
      call check(i == 0, name)
      if (i == 0) return
      print "(8x,a,i0,2(a,es24.16),a,es9.2)", "element ", i, &
         ": got", actual(i), ", expected", expected(i), ", tolerance", tolerance
   end subroutine check_close_vector

   !> As for vectors, in array element order.
   subroutine check_close_matrix(actual, expected, tolerance, name)
      real(wp), intent(in) :: actual(:, :), expected(:, :), tolerance
      character(*), intent(in) :: name

      call check(all(shape(actual) == shape(expected)), name // " (shape)")
      call check_close_vector(reshape(actual, [size(actual)]), &
         reshape(expected, [size(expected)]), tolerance, name)
   end subroutine check_close_matrix

   !> Print the totals; stop with an error when something failed, or nothing was checked.
   subroutine finish()
      print "(i0,a,i0,a)", passed, " passed, ", failed, " failed"
      if (failed > 0 .or. passed == 0) error stop 1
   end subroutine finish
end module fmdn_check
