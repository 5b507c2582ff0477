!> What networks see of inputs that have knots.
!>
!> Inputs are bent towards a normal distribution: half of what is seen is the standardised value,
!> the other half its rank among the training rows as a normal score (van der Waerden 1952). Crowded
!> values are drawn apart, far ones brought nearer; order and ties stay. In between it is a polygon
!> with a fixed number of knots, beyond them straight with a slope of one half.
!>
!> And in pieces, if wanted: how far the value has come from each knot to the next, zero before and
!> one after (Gorishniy et al. 2022), standardised. A network is free to react to each piece alone,
!> as trees are, and still continuous.
module fmdn_bending
   use fmdn_kinds, only: ip, wp
   use fmdn_targets, only: normal_score
   implicit none (type, external)
   private
   public :: fit_knots, straight_knots, see, n_seen, slopes_of_seen

   integer, parameter, public :: n_knots = 32
   integer, parameter, public :: n_pieces = n_knots - 1
   integer(ip), parameter :: enough = 10000 !! values that knots are fitted to
   real(wp), parameter :: least_variance = 1e-4_wp !! that pieces are taken to have

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

   !> Numbers that a network sees of so many features.
   elemental function n_seen(n_features, in_pieces) result(n)
      integer, intent(in) :: n_features
      logical, intent(in) :: in_pieces
      integer :: n

      n = n_features*merge(1 + n_pieces, 1, in_pieces)
   end function n_seen

   !> What is seen of the first n examples of a tile of standardised inputs, where there are knots:
   !> bent inputs, then the pieces of each.
   pure subroutine see(knots, in_pieces, n, tile)
      real(wp), allocatable, intent(in) :: knots(:, :, :) !! (n_knots, 2, n_features)
      logical, intent(in) :: in_pieces
      integer, intent(in) :: n
      real(wp), intent(inout) :: tile(:, :) !! (:, n_seen)
      integer :: j, first

      if (.not. allocated(knots)) return
      do j = 1, size(knots, 3)
         if (in_pieces) then
            first = size(knots, 3) + (j - 1)*n_pieces + 1
            call cut(knots(:, :, j), tile(:n, j), tile(:n, first:first + n_pieces - 1))
         end if
         call bend_input(knots(:, :, j), tile(:n, j))
      end do
   end subroutine see

   !> Pieces of the values of one input.
   pure subroutine cut(knots, values, pieces)
      real(wp), intent(in) :: knots(n_knots, 2), values(:)
      real(wp), intent(out) :: pieces(size(values), n_pieces)
      real(wp) :: mean, sd
      integer :: k

      do k = 1, n_pieces
         pieces(:, k) = 0
         associate (low => knots(k, 1), high => knots(k + 1, 1))
            if (.not. high > low) cycle
            call moments_of_piece(knots, k, mean, sd)
            pieces(:, k) = (max(0.0_wp, min(1.0_wp, (values - low)/(high - low))) - mean)/sd
         end associate
      end do
   end subroutine cut

   !> Mean and standard deviation of a piece, were values spread evenly between its knots: their
   !> ranks are known.
   pure subroutine moments_of_piece(knots, k, mean, sd)
      real(wp), intent(in) :: knots(n_knots, 2)
      integer, intent(in) :: k
      real(wp), intent(out) :: mean, sd
      real(wp), parameter :: root_half = sqrt(0.5_wp)
      real(wp) :: below(2)

      associate (score => 2*knots(k:k + 1, 2) - knots(k:k + 1, 1))
         below = 0.5_wp*erfc(-root_half*score)
      end associate
      mean = 1 - 0.5_wp*(below(1) + below(2))
      sd = sqrt(max(1 - below(2) + (below(2) - below(1))/3 - mean**2, least_variance))
   end subroutine moments_of_piece

   !> Derivatives of quantities with respect to standardised features, from those with respect to
   !> what is seen.
   pure subroutine slopes_of_seen(knots, in_pieces, seen, by_seen, by_features)
      real(wp), allocatable, intent(in) :: knots(:, :, :) !! (n_knots, 2, n_features)
      logical, intent(in) :: in_pieces
      real(wp), intent(in) :: seen(:)            !! (n_seen)
      real(wp), intent(in) :: by_seen(:, :)      !! (quantities, n_seen)
      real(wp), intent(out) :: by_features(:, :) !! (quantities, n_features)
      real(wp) :: mean, sd
      integer :: j, k

      by_features = by_seen(:, :size(by_features, 2))
      if (.not. allocated(knots)) return
      do j = 1, size(knots, 3)
         k = count(knots(:, 2, j) <= seen(j)) ! bent values ascend with the values
         if (k == 0 .or. k == n_knots) then
            by_features(:, j) = 0.5_wp*by_features(:, j)
            cycle
         end if
         associate (width => knots(k + 1, 1, j) - knots(k, 1, j))
            by_features(:, j) = by_features(:, j)*(knots(k + 1, 2, j) - knots(k, 2, j))/width
            if (.not. in_pieces) cycle
            call moments_of_piece(knots(:, :, j), k, mean, sd)
            by_features(:, j) = by_features(:, j) &
               + by_seen(:, size(knots, 3) + (j - 1)*n_pieces + k)/(width*sd)
         end associate
      end do
   end subroutine slopes_of_seen

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
