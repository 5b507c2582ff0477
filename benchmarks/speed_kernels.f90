!> The arithmetic limit: rates of the matrix kernels alone, on operands that stay in the cache and
!> fill the kernels' tiles, in GFLOP/s; times of the functions alone, in ns per element.
program speed_kernels
   use, intrinsic :: iso_c_binding, only: c_int
   use, intrinsic :: iso_fortran_env, only: int64
   use fmdn_dispatch, only: aligned_start, kernel_set, processor_kernels
   use fmdn_kinds, only: tile_size, wp
   implicit none (type, external)
   integer, parameter :: widths(3) = [48, 72, 96] ! whole tiles for 4, 6, 8, 12 or 24 columns
   integer, parameter :: most = maxval(widths), n_values = tile_size*most
   integer, parameter :: rounds = 40, repeats = 50
   real(wp), target :: work(tile_size*most + 7, 3)
   real(wp) :: bias(most)
   type(kernel_set) :: kernels
   integer :: i

   kernels = processor_kernels()
   call random_number(work)
   bias = 1
   write (*, "(a,1x,i0)") "level", kernels%level
   write (*, "(a,1x,f0.3)") "product", maxval([(product_rate(widths(i)), i=1, size(widths))])
   write (*, "(a,1x,f0.3)") "accumulate", maxval([(accumulate_rate(widths(i)), i=1, size(widths))])
   do i = 1, 3
      call function_time(i)
   end do

contains

   !> Seconds since some moment.
   function clock() result(seconds)
      real(wp) :: seconds
      integer(int64) :: now, rate

      call system_clock(now, rate)
      seconds = real(now, wp)/real(rate, wp)
   end function clock

   !> The best of many rounds, of 2 m w w operations a call.
   function product_rate(w) result(rate)
      integer, intent(in) :: w
      real(wp) :: rate, start
      integer :: round, repeat, at(3)

      at = starts()
      rate = 0
      do round = 1, rounds
         start = clock()
         do repeat = 1, repeats
            call kernels%product(int(tile_size, c_int), int(w, c_int), int(w, c_int), &
               work(at(1), 1), work(at(2), 2), int(w, c_int), 1_c_int, bias, 0_c_int, &
               work(at(3), 3))
         end do
         rate = max(rate, 2.0e-9_wp*tile_size*w*w*repeats/(clock() - start))
      end do
   end function product_rate

   function accumulate_rate(w) result(rate)
      integer, intent(in) :: w
      real(wp) :: rate, start
      integer :: round, repeat, at(3)

      at = starts()
      rate = 0
      do round = 1, rounds
         work(:, 3) = 0
         start = clock()
         do repeat = 1, repeats
            call kernels%accumulate(int(tile_size, c_int), int(w, c_int), int(w, c_int), &
               work(at(1), 1), work(at(2), 2), work(at(3), 3))
         end do
         rate = max(rate, 2.0e-9_wp*tile_size*w*w*repeats/(clock() - start))
      end do
   end function accumulate_rate

   function starts() result(at)
      integer :: at(3), column

      at = [(aligned_start(work(:, column)), column=1, 3)]
   end function starts

   !> Number `which` of exp, tanh, log, on values made afresh for each call.
   subroutine function_time(which)
      integer, intent(in) :: which
      character(len=*), parameter :: names(3) = ["exp ", "tanh", "log "]
      real(wp) :: best, start
      integer :: round, at(3)

      at = starts()
      best = huge(best)
      do round = 1, rounds*repeats
         work(:, 2) = work(:, 1)
         start = clock()
         select case (which)
         case (1)
            call kernels%exp(int(n_values, c_int), work(at(2), 2))
         case (2)
            call kernels%tanh(int(n_values, c_int), work(at(2), 2))
         case default
            call kernels%log(int(n_values, c_int), work(at(2), 2))
         end select
         best = min(best, clock() - start)
      end do
      write (*, "(a,1x,f0.4)") trim(names(which)), 1.0e9_wp*best/n_values
   end subroutine function_time

end program speed_kernels
