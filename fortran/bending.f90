!> Inputs bent towards a normal distribution: half of what a network sees of an input is its
!> standardised value, the other half its rank among the training rows as a normal score (van der
!> Waerden 1952). Crowded values are drawn apart, far ones brought nearer; order and ties stay. In
!> between it is a polygon with a fixed number of knots, beyond them straight with a slope of one
!> half.
module fmdn_bending
   use fmdn_kinds, only: ip, wp
   use fmdn_targets, only: normal_score
   implicit none (type, external)
   private
   public :: fit_knots, straight_knots, bend

   integer, parameter, public :: n_knots = 32
   integer(ip), parameter :: enough = 10000 !! values that knots are fitted to

contains

   !> Knots of an input from its standardised values: what it is (:, 1) and what is seen (:, 2). One
   !> for each distinct value, if there are few; else evenly spread among the ranks.
   pure subroutine fit_knots(values, knots)
      real(wp), intent(in) :: values(:)
      real(wp), intent(out) :: knots(n_knots, 2)
      real(wp), allocatable :: sorted(:)
      real(wp) :: below, above
      integer(ip) :: n, i
      integer :: k

      knots = 0
      if (size(values) == 0) return
      sorted = values(::max(1_ip, size(values, kind=ip)/enough))
      call sort(sorted)
      n = size(sorted, kind=ip)
      if (count(sorted(2:) > sorted(:n - 1)) < n_knots) then
         k = 0
         do i = 1, n
            if (k > 0) then
               if (.not. sorted(i) > knots(k, 1)) cycle
            end if
            k = k + 1
            knots(k:, 1) = sorted(i)
         end do
      else
         knots(:, 1) = sorted([(1 + ((k - 1)*(n - 1))/(n_knots - 1), k=1, n_knots)])
      end if
      do k = 1, n_knots
         below = real(count(sorted < knots(k, 1)), wp)
         above = real(count(sorted > knots(k, 1)), wp)
         ! a tie is shared by both sides
         knots(k, 2) = 0.5_wp*(knots(k, 1) + normal_score(0.5_wp*(n + below - above)/n, &
            0.5_wp*(n + above - below)/n))
      end do
   end subroutine fit_knots

   !> Knots of an indicator, which is zero or one and stays so.
   pure function straight_knots() result(knots)
      real(wp) :: knots(n_knots, 2)

      knots = 1
      knots(1, :) = 0
   end function straight_knots

   !> What is seen of the first n examples of a tile of standardised inputs, where there are knots.
   pure subroutine bend(knots, n, tile)
      real(wp), allocatable, intent(in) :: knots(:, :, :) !! (n_knots, 2, n_inputs)
      integer, intent(in) :: n
      real(wp), intent(inout) :: tile(:, :)
      integer :: j

      if (.not. allocated(knots)) return
      do j = 1, size(knots, 3)
         call bend_input(knots(:, :, j), tile(:n, j))
      end do
   end subroutine bend

   pure subroutine bend_input(knots, values)
      real(wp), intent(in) :: knots(n_knots, 2)
      real(wp), intent(inout) :: values(:)
      real(wp) :: x
      integer :: i, low, high, middle

      do i = 1, size(values)
         x = values(i)
         if (.not. x > knots(1, 1)) then
            values(i) = knots(1, 2) + 0.5_wp*(x - knots(1, 1))
         else if (.not. x < knots(n_knots, 1)) then
            values(i) = knots(n_knots, 2) + 0.5_wp*(x - knots(n_knots, 1))
         else
            low = 1
            high = n_knots
            do while (high - low > 1) ! knots(low) <= x < knots(high)
               middle = (low + high)/2
               if (knots(middle, 1) <= x) then
                  low = middle
               else
                  high = middle
               end if
            end do
            values(i) = knots(low, 2) + (x - knots(low, 1)) &
               *((knots(high, 2) - knots(low, 2))/(knots(high, 1) - knots(low, 1)))
         end if
      end do
   end subroutine bend_input

   !> Ascending, by merging runs of 1, 2, 4... values.
   pure subroutine sort(values)
      real(wp), intent(inout) :: values(:)
      real(wp) :: merged(size(values))
      integer :: n, length, first, middle, last, i, j, k

      n = size(values)
      length = 1
      do while (length < n)
         do first = 1, n, 2*length
            middle = min(first + length, n + 1)
            last = min(first + 2*length - 1, n)
            i = first
            j = middle
            do k = first, last
               if (j > last) then
                  merged(k) = values(i)
                  i = i + 1
               else if (i >= middle) then
                  merged(k) = values(j)
                  j = j + 1
               else if (values(j) < values(i)) then
                  merged(k) = values(j)
                  j = j + 1
               else
                  merged(k) = values(i)
                  i = i + 1
               end if
            end do
         end do
         values = merged
         length = 2*length
      end do
   end subroutine sort

end module fmdn_bending
