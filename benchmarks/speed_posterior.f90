!> From an observation to its mixture in a Fortran program: the median time of a call in
!> microseconds, and the posterior's mean and standard deviation.
!>
!>     speed_posterior FILE VALUE...
program speed_posterior
   use, intrinsic :: iso_fortran_env, only: int64
   use fmdn, only: committee, mixture, status_ok, status_text, wp
   implicit none (type, external)
   integer, parameter :: rounds = 31, repeats = 50
   type(committee) :: network
   type(mixture) :: posterior
   character(len=4096) :: argument
   real(wp), allocatable :: observed(:)
   real(wp) :: times(rounds)
   integer(int64) :: start, finish, rate
   integer :: i, repeat, status

   allocate (observed(command_argument_count() - 1))
   do i = 1, size(observed)
      call get_command_argument(i + 1, argument)
      read (argument, *) observed(i)
   end do
   call get_command_argument(1, argument)
   call network%load(trim(argument), status)
   if (status /= status_ok) error stop status_text(status)

   do i = 1, rounds
      call system_clock(start, rate)
      do repeat = 1, repeats
         call network%posterior(observed, posterior, status)
         if (status /= status_ok) error stop status_text(status)
      end do
      call system_clock(finish)
      times(i) = 1.0e6_wp*real(finish - start, wp)/(real(rate, wp)*repeats)
   end do
   write (*, "(f0.3,2(1x,es24.16))") median(times), posterior%mean(), &
      posterior%standard_deviation()

contains

   !> Of an odd number of values.
   pure function median(values) result(middle)
      real(wp), intent(in) :: values(:)
      real(wp) :: middle
      integer :: i

      middle = values(1)
      do i = 1, size(values)
         if (count(values < values(i)) > size(values)/2) cycle
         if (count(values <= values(i)) > size(values)/2) middle = values(i)
      end do
   end function median

end program speed_posterior
