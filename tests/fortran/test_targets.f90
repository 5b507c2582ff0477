!> Ranges of targets: what is refused, maps there and back, their slopes, and the block in a layout.
program test_targets
   use fmdn_check, only: check, check_close, finish
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_parameters, start_layout
   use fmdn_status, only: status_invalid_argument, status_invalid_layout, status_ok, &
      status_outside_range
   use fmdn_targets, only: append_ranges, free, from_kernels, half_line, infinite, into_period, &
      log_probit, log_slope, log_truncated, map_targets, new_ranges, periodic, probit, &
         read_ranges, &
      target_range, to_kernels, truncated
   implicit none (type, external)
   !> One of each kind, and a half line that ends above.
   type(target_range), parameter :: all_kinds(*) = [target_range(), &
      target_range(truncated, -1.0_wp, 3.0_wp), target_range(log_truncated, 0.1_wp, 50.0_wp), &
      target_range(half_line, 2.0_wp, infinite), target_range(half_line, -infinite, 2.0_wp), &
      target_range(probit, -1.0_wp, 3.0_wp), target_range(log_probit, 0.1_wp, 50.0_wp), &
      target_range(periodic, -90.0_wp, 270.0_wp)]
   real(wp), parameter :: inside(*) = [5.0_wp, 0.2_wp, 7.0_wp, 2.7_wp, -4.0_wp, 2.9_wp, 0.3_wp, &
      11.0_wp]

   call test_maps()
   call test_ends()
   call test_period()
   call test_refusals()
   call test_block()
   call finish()

contains

   subroutine test_maps()
      real(wp) :: y, slope
      real(wp), parameter :: h = 1.0e-6_wp
      integer :: i

      do i = 1, size(all_kinds)
         y = to_kernels(all_kinds(i), inside(i))
         call check_close(from_kernels(all_kinds(i), y), inside(i), 1.0e-14_wp*abs(inside(i)) &
            + 1.0e-15_wp, "there and back")
         slope = (to_kernels(all_kinds(i), inside(i) + h) - to_kernels(all_kinds(i), &
            inside(i) - h)) &
            /(2*h)
         call check_close(log_slope(all_kinds(i), inside(i), y), log(slope), 1.0e-7_wp, "slope")
         call check(slope > 0, "maps rise")
      end do
      call check_close(to_kernels(target_range(probit, 0.0_wp, 1.0_wp), 0.975_wp), &
         1.9599639845400545_wp, 1.0e-14_wp, "Phi^-1(0.975)")
      call check_close(to_kernels(target_range(probit, 0.0_wp, 1.0_wp), 1.0e-12_wp), &
         -7.034483825301130_wp, 1.0e-12_wp, "Phi^-1(1e-12)")
   end subroutine test_maps

   !> At the ends, and beyond every number, values stay inside and finite.
   subroutine test_ends()
      type(target_range) :: one
      real(wp) :: y
      integer :: i

      do i = 2, 7
         one = all_kinds(i)
         if (one%low > -infinite) then
            y = to_kernels(one, one%low)
            call check(abs(y) < 1.0e3_wp, "the low end is not far")
            call check(from_kernels(one, y) >= one%low, "low end")
            call check_close(from_kernels(one, -infinite), one%low, 0.0_wp, "from -huge")
         end if
         if (one%high < infinite) then
            y = to_kernels(one, one%high)
            call check(abs(y) < 1.0e3_wp, "the high end is not far")
            call check(from_kernels(one, y) <= one%high, "high end")
            call check_close(from_kernels(one, infinite), one%high, 0.0_wp, "from huge")
         end if
         call check(from_kernels(one, 1.0e5_wp) <= one%high, "far above")
         call check(from_kernels(one, -1.0e5_wp) >= one%low, "far below")
      end do
   end subroutine test_ends

   subroutine test_period()
      real(wp) :: x
      integer :: i

      do i = -20, 20
         x = into_period(33.3_wp*i, -90.0_wp, 360.0_wp)
         call check(x >= -90 .and. x < 270, "into the period")
         call check_close(modulo(x - 33.3_wp*i + 1.0e-9_wp, 360.0_wp), 1.0e-9_wp, 1.0e-10_wp, &
            "whole periods")
      end do
      call check(into_period(-tiny(x), 0.0_wp, 1.0_wp) < 1, "rounding at the end")
   end subroutine test_period

   subroutine test_refusals()
      type(target_range), allocatable :: ranges(:)
      real(wp) :: targets(2, 1)
      integer :: status, i
      integer, parameter :: kinds(*) = [-1, 7, free, truncated, truncated, log_truncated, &
         half_line, &
         half_line, probit, log_probit, periodic]
      real(wp), parameter :: low(*) = [0.0_wp, 0.0_wp, 0.0_wp, 1.0_wp, -infinite, 0.0_wp, 0.0_wp, &
         -infinite, 0.0_wp, -1.0_wp, 0.0_wp]
      real(wp), parameter :: high(*) = [1.0_wp, 1.0_wp, 1.0_wp, 1.0_wp, infinite, 1.0_wp, 1.0_wp, &
         infinite, infinite, 1.0_wp, infinite]

      do i = 1, size(kinds)
         call new_ranges(kinds(i:i), low(i:i), high(i:i), ranges, status)
         call check(status == status_invalid_argument, "a range without sense")
      end do
      targets(:, 1) = [1.0_wp, 3.5_wp]
      call map_targets([target_range(), target_range(truncated, -1.0_wp, 3.0_wp)], targets, status)
      call check(status == status_outside_range, "a target outside")
   end subroutine test_refusals

   subroutine test_block()
      integer(ip), allocatable :: layout(:), plain(:)
      real(wp), allocatable :: parameters(:)
      type(target_range), allocatable :: ranges(:)
      integer :: status

      call start_layout(1, size(all_kinds), 1, layout)
      plain = layout
      call append_ranges(plain, spread(free, 1, size(all_kinds)))
      call check(size(plain) == size(layout), "no block where nothing is said")
      call read_ranges(plain, [real(wp) ::], size(all_kinds), ranges, status)
      call check(status == status_ok .and. all(ranges%kind == free), "free without a block")

      call append_ranges(layout, all_kinds%kind)
      parameters = [all_kinds%low, all_kinds%high]
      call check(layout(at_parameters) == size(parameters), "room for the ends")
      call read_ranges(layout, parameters, size(all_kinds), ranges, status)
      call check(status == status_ok, "read")
      call check(all(ranges%kind == all_kinds%kind .and. abs(ranges%low - all_kinds%low) <= 0 &
         .and. abs(ranges%high - all_kinds%high) <= 0), "as written")
      parameters(2) = 5 ! low above high
      call read_ranges(layout, parameters, size(all_kinds), ranges, status)
      call check(status == status_invalid_layout, "a damaged block")
      call append_ranges(layout, all_kinds%kind)
      call read_ranges(layout, [all_kinds%low, all_kinds%high, all_kinds%low, all_kinds%high], &
         size(all_kinds), ranges, status)
      call check(status == status_invalid_layout, "two blocks")
   end subroutine test_block
end program test_targets
