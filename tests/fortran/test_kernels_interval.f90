!> log(Phi(b) - Phi(a)) and its derivatives in double precision against quadruple precision,
!> wherever the interval lies and however wide it is, on every instruction set of this processor.
program test_kernels_interval
   use, intrinsic :: iso_c_binding, only: c_int
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_kinds, only: wp
   implicit none (type, external)
   integer, parameter :: qp = selected_real_kind(30)
   type(kernel_set) :: kernels
   integer :: level
   character(len=10) :: name

   do level = 0, 4
      kernels = processor_kernels(highest=level)
      if (kernels%level /= level) cycle
      write (name, "(a,i0)") "level ", level
      call test_against_quadruple()
      call test_half_lines()
      call test_far_out()
      call test_order()
   end do
   call finish()

contains

   !> Ends from -30 to 30, widths from 1e-3 to 60: the logarithm to 1e-13 of itself or, where what
   !> is small is a difference, to the rounding of the ends over the width.
   subroutine test_against_quadruple()
      real(wp), parameter :: starts(*) = [-30.0_wp, -12.5_wp, -8.0_wp, -3.0_wp, -1.0_wp, -0.4_wp, &
         -1.0e-3_wp, 0.0_wp, 0.3_wp, 2.0_wp, 7.5_wp, 29.0_wp]
      real(wp), parameter :: widths(*) = [1.0e-3_wp, 0.02_wp, 0.4_wp, 1.0_wp, 3.0_wp, 11.0_wp, &
         60.0_wp]
      real(wp), dimension(size(starts)) :: a, b, log_p, at_a, at_b
      real(wp) :: tolerance
      real(qp) :: p, density
      integer :: i, j

      do j = 1, size(widths)
         a = starts
         b = starts + widths(j)
         call kernels%interval(size(a, kind=c_int), a, b, log_p, at_a, at_b)
         do i = 1, size(a)
            p = probability(real(a(i), qp), real(b(i), qp))
            tolerance = 1.0e-14_wp + 1.0e-15_wp/widths(j)
            call check_close(log_p(i), real(log(p), wp), &
               tolerance*max(1.0_wp, abs(log_p(i))), trim(name) // ": logarithm")
            density = exp(-0.5_qp*real(a(i), qp)**2)/sqrt(8*atan(1.0_qp))
            call check_close(at_a(i), real(density/p, wp), &
               100*tolerance*max(1.0_wp, at_a(i)), trim(name) // ": density at the low end")
            density = exp(-0.5_qp*real(b(i), qp)**2)/sqrt(8*atan(1.0_qp))
            call check_close(at_b(i), real(density/p, wp), &
               100*tolerance*max(1.0_wp, at_b(i)), trim(name) // ": density at the high end")
         end do
      end do
   end subroutine test_against_quadruple

   !> Phi(b) - Phi(a) from the tails on the side where they are small.
   function probability(a, b) result(p)
      real(qp), intent(in) :: a, b
      real(qp) :: p
      real(qp), parameter :: root_half = sqrt(0.5_qp)

      if (a + b > 0) then
         p = 0.5_qp*(erfc(root_half*a) - erfc(root_half*b))
      else
         p = 0.5_qp*(erfc(-root_half*b) - erfc(-root_half*a))
      end if
   end function probability

   subroutine test_half_lines()
      real(wp), dimension(4) :: a, b, log_p, at_a, at_b

      a = [-huge(a), 2.0_wp, -huge(a), -huge(a)]
      b = [1.0_wp, huge(b), huge(b), -30.0_wp]
      call kernels%interval(4_c_int, a, b, log_p, at_a, at_b)
      call check_close(log_p(:3), log([1 - 0.5_wp*erfc(sqrt(0.5_wp)), 0.5_wp*erfc(sqrt(2.0_wp)), &
         1.0_wp]), 1.0e-14_wp, trim(name) // ": half lines")
      ! log(Phi(-30)), Abramowitz & Stegun table 26.2 gives it by its logarithm to base ten.
      call check_close(log_p(4), -197.30921_wp*log(10.0_wp), 1.0e-4_wp, trim(name) // ": far tail")
      call check(all(abs([at_a(1), at_b(2), at_a(3), at_b(3)]) <= 0), &
         trim(name) // ": no density at infinity")
   end subroutine test_half_lines

   !> Millions of standard deviations away the density falls as exp(-a z): the logarithm stays right
   !> to rounding, and the gradient finite.
   subroutine test_far_out()
      real(wp), dimension(5) :: a, b, log_p, at_a, at_b
      real(wp) :: expected

      a = [1.0e3_wp, 1.0e6_wp, -1.0e6_wp - 1, 1.0e90_wp, 1.0e200_wp]
      b = [1.0e3_wp + 1, 1.0e6_wp + 1, -1.0e6_wp, 2.0e90_wp, 2.0e200_wp]
      call kernels%interval(5_c_int, a, b, log_p, at_a, at_b)
      expected = -0.5e6_wp - log(1.0e3_wp) - 0.5_wp*log(8*atan(1.0_wp)) - 1.0e-6_wp
      call check_close(log_p(1), expected, 1.0e-9_wp, trim(name) // ": Mills' ratio")
      call check_close(at_a(1:2)/a(1:2), [1 + 1.0e-6_wp, 1 + 1.0e-12_wp], 1.0e-11_wp, &
         trim(name) // ": slope far out")
      call check_close([log_p(3), at_b(3)], [log_p(2), at_a(2)], 1.0e-3_wp, &
         trim(name) // ": mirrored")
      call check(all(abs([log_p, at_a, at_b]) <= huge(1.0_wp)), trim(name) // ": finite")
   end subroutine test_far_out

   !> No result depends on its place.
   subroutine test_order()
      real(wp), dimension(131) :: a, b, log_p, at_a, at_b, again, again_a, again_b
      integer :: i

      a = [(0.1_wp*i - 6, i=1, size(a))]
      b = a + 1.5_wp
      call kernels%interval(size(a, kind=c_int), a, b, log_p, at_a, at_b)
      do i = 1, size(a)
         call kernels%interval(1_c_int, a(i:i), b(i:i), again(i:i), again_a(i:i), again_b(i:i))
      end do
      call check(all([abs(again - log_p), abs(again_a - at_a), abs(again_b - at_b)] <= 0), &
         trim(name) // ": order")
   end subroutine test_order
end program test_kernels_interval
