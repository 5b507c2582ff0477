!> Stacking: no other weights have a higher score.
program test_stacking
   use fmdn_check, only: check, check_close, finish
   use fmdn_examples, only: normals
   use fmdn_kinds, only: wp
   use fmdn_stacking, only: stack
   implicit none (type, external)
   integer, parameter :: n = 2000
   real(wp) :: losses(n, 2), v(n), w(2), three(n, 3), w_three(3)

   losses = reshape(normals(2*n, 1), [n, 2])
   losses(:, 2) = losses(:, 2) + 0.3_wp
   v = normals(n, 2)**2
   call stack(losses, v, w)
   call check_close(w(1), best_of_two(), 1e-3_wp, "two members: the maximum on the line")
   call check(w(1) > 0.5_wp .and. w(2) > 0, "the better one has more, not all")

   ! At a maximum the mean of p_k/p is one for every member that has weight, less for the others.
   three(:, :2) = losses
   three(:, 3) = maxval(losses, dim=2) + 0.1_wp ! worse than another at every row
   call stack(three, v, w_three)
   call check_close(sum(w_three), 1.0_wp, 1e-14_wp, "weights sum to one")
   call check(w_three(3) < 1e-3_wp, "a member that is never the best has no weight")
   call check_close(w_three(:2), w, 2e-3_wp, "and changes nothing")

   call stack(losses + 1e5_wp, v, w_three(:2))
   call check_close(w_three(:2), w, 1e-9_wp, "losses of any size")
   call stack(losses, 0*v, w)
   call check(all(abs(w - 0.5_wp) <= 0), "no rows, equal weights")
   call finish()

contains

   !> The weight of the first of two members, by golden section.
   function best_of_two() result(x)
      real(wp), parameter :: golden = 0.618033988749895_wp
      real(wp) :: x, a, b, c, d
      integer :: i

      a = 0
      b = 1
      do i = 1, 60
         c = b - golden*(b - a)
         d = a + golden*(b - a)
         if (score(c) > score(d)) then
            b = d
         else
            a = c
         end if
      end do
      x = (a + b)/2
   end function best_of_two

   function score(x)
      real(wp), intent(in) :: x
      real(wp) :: score

      score = sum(v*log(x*exp(-losses(:, 1)) + (1 - x)*exp(-losses(:, 2))))
   end function score
end program test_stacking
