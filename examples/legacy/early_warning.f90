!> An early-warning loop. Each line of standard input is an observation; for each a line says the
!> median of every target and the ends of an interval of 90 %, committee by committee.
!> At the end, standard error says how long that took.
!>
!>     early_warning FILE NAME... < observations
program early_warning
   use, intrinsic :: iso_fortran_env, only: error_unit, input_unit, int64, output_unit
   use fmdn, only: committee, detail_length, mixture, status_ok, status_text, wp
   implicit none (type, external)
   real(wp), parameter :: probabilities(3) = [0.5_wp, 0.05_wp, 0.95_wp]
   type(committee), allocatable :: networks(:)
   real(wp), allocatable :: observed(:), quantiles(:)
   character(len=detail_length) :: detail
   character(len=32768) :: line
   integer(int64) :: started, finished, per_second
   real(wp) :: took, total, longest
   integer :: i, n, n_lines, status, trouble

   n = command_argument_count() - 1
   if (n < 1) error stop "usage: early_warning FILE NAME... < observations"
   allocate (networks(n))
   do i = 1, n
      call networks(i)%load(argument(1), status, argument(i + 1), detail)
      if (status /= status_ok) error stop status_text(status) // ": " // detail
   end do
   allocate (observed(networks(1)%n_inputs()))

   n_lines = 0
   total = 0
   longest = 0
   do
      read (input_unit, "(a)", iostat=trouble) line
      if (trouble /= 0) exit
      n_lines = n_lines + 1
      read (line, *, iostat=trouble) observed
      call system_clock(started, per_second)
      if (trouble == 0) call ask(status)
      call system_clock(finished)
      if (trouble == 0 .and. status == status_ok) then
         write (output_unit, "(*(es25.16e3))") quantiles
      else
         write (output_unit, "(a)") "unusable"
      end if
      flush (output_unit)
      took = 1.0e6_wp*real(finished - started, wp)/real(per_second, wp)
      total = total + took
      longest = max(longest, took)
   end do
   write (error_unit, "(i0, a, 2(f0.1, a))") n_lines, " observations, ", &
      total/max(1, n_lines), " microseconds each, ", longest, " at most"

contains

   !> Medians and intervals of all targets of all committees.
   subroutine ask(status)
      integer, intent(out) :: status
      type(mixture) :: posterior
      integer :: i, j, target

      quantiles = [real(wp) ::]
      do i = 1, size(networks)
         call networks(i)%posterior(observed, posterior, status)
         if (status /= status_ok) return
         do target = 1, posterior%n_targets()
            quantiles = [quantiles, (posterior%quantile(probabilities(j), target), j=1, 3)]
         end do
      end do
   end subroutine ask

   function argument(i) result(text)
      integer, intent(in) :: i
      character(len=:), allocatable :: text
      integer :: length

      call get_command_argument(i, length=length)
      allocate (character(len=length) :: text)
      call get_command_argument(i, text)
   end function argument
end program early_warning
