!> Counter-based random numbers: number `index` of a stream is a pure function of (stream, index),
!> so the same (seed, member, purpose) gives the same numbers whatever thread draws them, and when.
!> Generator: Threefry-2x32 with 20 rounds (Salmon et al. 2011, SC'11, doi 10.1145/2063384.2063405).
module fmdn_random
   use fmdn_kinds, only: ip, pi, wp
   implicit none (type, external)
   private
   public :: random_stream, stream_of, threefry, uniform, fill_normal, shuffle

   !> A stream of random numbers: two 32-bit keys.
   type :: random_stream
      integer(ip) :: key(2) = 0
   end type random_stream

   ! What a stream is for; each use has its own, so that none shifts another.
   integer, parameter, public :: for_split = 1
   integer, parameter, public :: for_shape = 2
   integer, parameter, public :: for_clusters = 3
   integer, parameter, public :: for_weights = 4
   integer, parameter, public :: for_noise = 5
   integer, parameter, public :: for_samples = 6

   integer(ip), parameter :: mask = int(z'FFFFFFFF', ip)

contains

   !> The stream of a seed, a member (0: common to all) and a purpose.
   pure function stream_of(seed, member, purpose) result(stream)
      integer(ip), intent(in) :: seed
      integer, intent(in) :: member, purpose
      type(random_stream) :: stream
      integer(ip) :: words(2)

      words = threefry([iand(seed, mask), ishft(seed, -32)], int([member, purpose], ip))
      stream%key = words
   end function stream_of

   !> Threefry-2x32-20: two 32-bit words from a key and a counter (two words each, in 64 bits).
   pure function threefry(key, counter) result(x)
      integer(ip), intent(in) :: key(2), counter(2)
      integer(ip) :: x(2)
      integer, parameter :: rotation(8) = [13, 15, 26, 6, 17, 29, 16, 24]
      integer(ip) :: schedule(0:2)
      integer :: round, injection

      schedule(0:1) = key
      schedule(2) = ieor(ieor(key(1), key(2)), int(z'1BD11BDA', ip))
      x = iand(counter + key, mask)
      do round = 1, 20
         x(1) = iand(x(1) + x(2), mask)
         x(2) = ieor(rotate(x(2), rotation(1 + modulo(round - 1, 8))), x(1))
         if (modulo(round, 4) == 0) then
            injection = round/4
            x(1) = iand(x(1) + schedule(modulo(injection, 3)), mask)
            x(2) = iand(x(2) + schedule(modulo(injection + 1, 3)) + injection, mask)
         end if
      end do
   end function threefry

   pure function rotate(word, places) result(rotated)
      integer(ip), intent(in) :: word
      integer, intent(in) :: places
      integer(ip) :: rotated

      rotated = iand(ior(ishft(word, places), ishft(word, places - 32)), mask)
   end function rotate

   !> Number `index` (from 0) of the stream, uniform on the open interval (0, 1), 52 bits.
   pure function uniform(stream, index) result(u)
      type(random_stream), intent(in) :: stream
      integer(ip), intent(in) :: index
      real(wp) :: u
      integer(ip) :: word(2)

      word = threefry(stream%key, [iand(index, mask), ishft(index, -32)])
      u = (real(ior(ishft(word(1), 20), ishft(word(2), -12)), wp) + 0.5_wp)*2.0_wp**(-52)
   end function uniform

   !> Standard normal numbers, pair `first_pair` (from 0) and on: Box & Muller (1958).
   pure subroutine fill_normal(stream, first_pair, z)
      type(random_stream), intent(in) :: stream
      integer(ip), intent(in) :: first_pair
      real(wp), intent(out) :: z(:)
      real(wp) :: radius, angle
      integer :: i

      do i = 1, size(z), 2
         radius = sqrt(-2*log(uniform(stream, 2*(first_pair + i/2))))
         angle = 2*pi*uniform(stream, 2*(first_pair + i/2) + 1)
         z(i) = radius*cos(angle)
         if (i < size(z)) z(i + 1) = radius*sin(angle)
      end do
   end subroutine fill_normal

   !> Shuffle in place (Fisher & Yates).
   pure subroutine shuffle(stream, items)
      type(random_stream), intent(in) :: stream
      integer(ip), intent(inout) :: items(:)
      integer(ip) :: i, j, keep

      do i = size(items, kind=ip), 2, -1
         j = min(i, 1 + int(i*uniform(stream, i), ip))
         keep = items(i)
         items(i) = items(j)
         items(j) = keep
      end do
   end subroutine shuffle

end module fmdn_random
