!> Threefry against the known answers of Random123; the streams against what chance allows.
program test_random
   use fmdn_check, only: check, check_close, finish
   use fmdn_kinds, only: ip, wp
   use fmdn_random, only: fill_normal, for_noise, for_split, for_weights, random_stream, shuffle, &
      stream_of, threefry, uniform
   implicit none (type, external)
   integer(ip), parameter :: ones = int(z'FFFFFFFF', ip)
   integer, parameter :: n = 100000

   call test_known_answers()
   call test_uniform_moments()
   call test_normal_moments()
   call test_order()
   call test_streams()
   call test_shuffle()
   call finish()

contains

   subroutine test_known_answers()
      call known([0_ip, 0_ip], [0_ip, 0_ip], &
         [int(z'6B200159', ip), int(z'99BA4EFE', ip)], "zeros")
      call known([ones, ones], [ones, ones], &
         [int(z'1CB996FC', ip), int(z'BB002BE7', ip)], "ones")
      call known([int(z'13198A2E', ip), int(z'03707344', ip)], &
         [int(z'243F6A88', ip), int(z'85A308D3', ip)], &
         [int(z'C4923A9C', ip), int(z'483DF7A0', ip)], "digits of pi")
   end subroutine test_known_answers

   subroutine known(key, counter, expected, name)
      integer(ip), intent(in) :: key(2), counter(2), expected(2)
      character(len=*), intent(in) :: name

      call check(all(threefry(key, counter) == expected), "known answer: " // name)
   end subroutine known

   !> Moments of (0, 1), and of its sixteenths; five standard errors.
   subroutine test_uniform_moments()
      type(random_stream) :: stream
      real(wp) :: u(n), chi_squared
      integer :: bins(0:15)
      integer(ip) :: i

      stream = stream_of(1_ip, 1, for_split)
      u = [(uniform(stream, i), i=0, n - 1)]
      call check(all(u > 0 .and. u < 1), "uniform inside (0, 1)")
      call check_close(sum(u)/n, 0.5_wp, 5*sqrt(1/(12.0_wp*n)), "uniform mean")
      call check_close(sum((u - 0.5_wp)**2)/n, 1/12.0_wp, 5*sqrt(1/(180.0_wp*n)), &
         "uniform variance")
      call check_close(correlation(u(:n - 1), u(2:)), 0.0_wp, 5/sqrt(real(n, wp)), &
         "uniform neighbours are uncorrelated")
      bins = 0
      do i = 1, n
         bins(int(16*u(i))) = bins(int(16*u(i))) + 1
      end do
      chi_squared = sum((bins - n/16.0_wp)**2)/(n/16.0_wp)
      call check_close(chi_squared, 15.0_wp, 5*sqrt(30.0_wp), "uniform sixteenths")
   end subroutine test_uniform_moments

   !> E z**(2k) = (2k - 1)!!, each with its own variance.
   subroutine test_normal_moments()
      real(wp) :: z(n)

      call fill_normal(stream_of(2_ip, 1, for_noise), 0_ip, z)
      call check_close(sum(z)/n, 0.0_wp, 5*sqrt(1.0_wp/n), "normal mean")
      call check_close(sum(z**2)/n, 1.0_wp, 5*sqrt(2.0_wp/n), "normal variance")
      call check_close(sum(z**3)/n, 0.0_wp, 5*sqrt(15.0_wp/n), "normal third moment")
      call check_close(sum(z**4)/n, 3.0_wp, 5*sqrt(96.0_wp/n), "normal fourth moment")
      call check_close(correlation(z(1::2), z(2::2)), 0.0_wp, 5*sqrt(2.0_wp/n), &
         "the two of a pair are uncorrelated")
      call check_close(correlation(z(:n - 2), z(3:)), 0.0_wp, 5*sqrt(1.0_wp/n), &
         "pairs are uncorrelated")
      call check(any(abs(z) > 3.5_wp), "normal tails are reached")
   end subroutine test_normal_moments

   !> A number depends on its place in the stream, not on when it is drawn.
   subroutine test_order()
      type(random_stream) :: stream
      real(wp) :: z(40), part(7), u
      integer(ip) :: i

      stream = stream_of(3_ip, 7, for_noise)
      call fill_normal(stream, 0_ip, z)
      call fill_normal(stream, 5_ip, part)
      call check_close(part, z(11:17), 0.0_wp, "normals from the middle of a stream")
      u = uniform(stream, 2_ip)
      do i = 9, 0, -1
         if (i == 2) call check_close(uniform(stream, i), u, 0.0_wp, "uniform in reverse order")
      end do
      call check(abs(uniform(stream, 2_ip**40) - uniform(stream, 0_ip)) > 0, &
         "a stream goes on beyond 2**32")
   end subroutine test_order

   !> Seed, member and purpose each make a stream of its own.
   subroutine test_streams()
      real(wp) :: z(n), other(n)

      call fill_normal(stream_of(4_ip, 1, for_noise), 0_ip, z)
      call fill_normal(stream_of(5_ip, 1, for_noise), 0_ip, other)
      call unrelated(z, other, "seed")
      call fill_normal(stream_of(4_ip + 2_ip**32, 1, for_noise), 0_ip, other)
      call unrelated(z, other, "upper half of the seed")
      call fill_normal(stream_of(4_ip, 2, for_noise), 0_ip, other)
      call unrelated(z, other, "member")
      call fill_normal(stream_of(4_ip, 1, for_weights), 0_ip, other)
      call unrelated(z, other, "purpose")
      call fill_normal(stream_of(4_ip, 1, for_noise), 0_ip, other)
      call check_close(other, z, 0.0_wp, "the same stream twice")
   end subroutine test_streams

   subroutine unrelated(z, other, what)
      real(wp), intent(in) :: z(:), other(:)
      character(len=*), intent(in) :: what

      call check_close(correlation(z, other), 0.0_wp, 5/sqrt(real(n, wp)), &
         "streams differ by " // what)
   end subroutine unrelated

   !> A permutation, in which each item is as often in each place.
   subroutine test_shuffle()
      integer, parameter :: n_items = 5, n_trials = 4000
      integer(ip) :: items(n_items), none(0), one(1), i, seed
      real(wp) :: counts(n_items, n_items)

      counts = 0
      do seed = 1, n_trials
         items = [(i, i=1, n_items)]
         call shuffle(stream_of(seed, 0, for_split), items)
         if (any([(count(items == i) /= 1, i=1, n_items)])) exit
         do i = 1, n_items
            counts(items(i), i) = counts(items(i), i) + 1
         end do
      end do
      call check(seed > n_trials, "a shuffle is a permutation")
      associate (expected => real(n_trials, wp)/n_items)
         ! (n_items - 1)**2 degrees of freedom, variance twice that
         call check(sum((counts - expected)**2)/expected < 16 + 5*sqrt(32.0_wp), &
            "each item is as often in each place")
      end associate

      call shuffle(stream_of(1_ip, 0, for_split), none)
      one = 1
      call shuffle(stream_of(1_ip, 0, for_split), one)
      call check(one(1) == 1, "shuffle of one item")
   end subroutine test_shuffle

   pure function correlation(x, y) result(r)
      real(wp), intent(in) :: x(:), y(:)
      real(wp) :: r
      real(wp) :: x_mean, y_mean

      x_mean = sum(x)/size(x)
      y_mean = sum(y)/size(y)
      r = sum((x - x_mean)*(y - y_mean)) &
         /sqrt(sum((x - x_mean)**2)*sum((y - y_mean)**2))
   end function correlation
end program test_random
