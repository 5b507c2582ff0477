!> Centre and scale of each variable, so that what the network sees is of order one.
!> Mean and standard deviation (n - 1), unless outliers rule them: where the standard deviation
!> exceeds ten times the one that the median absolute deviation stands for, median and the latter.
module fmdn_scaling
   use fmdn_kinds, only: ip, wp
   implicit none (type, external)
   private
   public :: centre_and_scale

   real(wp), parameter :: disagreement = 10
   real(wp), parameter :: mad_to_sd = 1.4826_wp    ! 1/Phi^-1(3/4)
   integer(ip), parameter :: enough_for_median = 10000

   !> No standardised value is farther from 0, so that squares stay finite in a network.
   real(wp), parameter, public :: farthest = 1.0e15_wp

contains

   !> Centre and scale of a variable from its values; the scale of a constant is zero.
   !> Multiplying the values by a power of two multiplies the results by it, exactly.
   pure subroutine centre_and_scale(values, centre, scale)
      real(wp), intent(in) :: values(:)
      real(wp), intent(out) :: centre, scale
      real(wp), allocatable :: some(:)
      real(wp) :: n, spread, median_value, robust_scale
      integer(ip) :: stride

      n = real(max(1_ip, size(values, kind=ip)), wp)
      centre = 0
      scale = 0
      if (size(values) == 0) return
      centre = sum(values/n)
      spread = maxval(abs(values - centre))
      if (maxval(values) - minval(values) < tiny(spread)/epsilon(spread)) then
         centre = values(1)
         return
      end if
      scale = spread*sqrt(sum(((values - centre)/spread)**2)/(n - 1))

      stride = max(1_ip, size(values, kind=ip)/enough_for_median)
      some = values(::stride)
      median_value = median(some)
      some = abs(some - median_value)
      ! Where more than half of the values are equal, the deviation of the others counts.
      if (.not. median(some) > 0) some = pack(some, some > 0)
      robust_scale = 0
      if (size(some) > 0) robust_scale = mad_to_sd*median(some)
      if (robust_scale > 0 .and. scale/disagreement > robust_scale) then
         centre = median_value
         scale = robust_scale
      end if
   end subroutine centre_and_scale

   !> The middle value (the lower of two), by quickselect (Hoare 1961).
   pure function median(values) result(middle)
      real(wp), intent(in) :: values(:)
      real(wp) :: middle
      real(wp) :: work(size(values))
      real(wp) :: pivot, keep
      integer(ip) :: low, high, i, j, wanted

      work = values
      low = 1
      high = size(work, kind=ip)
      wanted = (high + 1)/2
      do while (low < high)
         pivot = work(low + (high - low)/2)
         i = low
         j = high
         do while (i <= j)
            do while (work(i) < pivot)
               i = i + 1
            end do
            do while (work(j) > pivot)
               j = j - 1
            end do
            if (i > j) exit
            keep = work(i)
            work(i) = work(j)
            work(j) = keep
            i = i + 1
            j = j - 1
         end do
         if (j < wanted) low = i
         if (i > wanted) high = j
      end do
      middle = work(wanted)
   end function median

end module fmdn_scaling
