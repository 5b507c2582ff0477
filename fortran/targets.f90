!> Where a target can lie, its range, and the space in which its kernels live. A range has a kind:
!>
!>     free            anywhere; kernels in the target's own units, as for all that do not map
!>     truncated       low <= t <= high, one of them perhaps infinite; kernels are cut off there
!>     log_truncated   the same for y = log(t), 0 < low < high
!>     half_line       y = log(t - low), or y = -log(high - t): kernels reach everywhere
!>     probit          y = Phi^-1((t - low)/(high - low))
!>     log_probit      the same for log(t)
!>     periodic        t and t + high - low are the same; kernels are wrapped
!>
!> docs/bounds.md says which is for what. An end that does not exist is -huge or huge.
module fmdn_targets
   use fmdn_kinds, only: ip, log_two_pi, wp
   use fmdn_layout, only: append_block, block_view, find_block, target_range_block
   use fmdn_status, only: status_invalid_argument, status_invalid_layout, status_ok, &
      status_outside_range
   implicit none (type, external)
   private
   public :: target_range, new_ranges, append_ranges, read_ranges
   public :: map_targets, to_kernels, from_kernels, log_slope, is_inside, into_period, normal_score

   integer, parameter, public :: free = 0, truncated = 1, log_truncated = 2, half_line = 3, &
      probit = 4, log_probit = 5, periodic = 6

   real(wp), parameter, public :: infinite = huge(1.0_wp)
   real(wp), parameter :: farthest_probit = 8 !! its tail is about the spacing of numbers near one

   type :: target_range
      integer :: kind = free
      real(wp) :: low = -infinite, high = infinite !! in the target's units
   contains
      procedure :: kernel_low
      procedure :: kernel_high
      procedure :: period
      procedure :: is_cut
      procedure :: is_mapped
   end type target_range

contains

   !> Ranges from plain arrays; status_invalid_argument where they make no sense.
   pure subroutine new_ranges(kinds, low, high, ranges, status)
      integer, intent(in) :: kinds(:)
      real(wp), intent(in) :: low(:), high(:)
      type(target_range), allocatable, intent(out) :: ranges(:)
      integer, intent(out) :: status
      logical :: ends(2)
      integer :: i

      allocate (ranges(size(kinds)))
      ranges%kind = kinds
      ranges%low = max(low, -infinite)
      ranges%high = min(high, infinite)
      status = status_invalid_argument
      do i = 1, size(kinds)
         associate (one => ranges(i))
            if (.not. one%low < one%high) return
            ends = [one%low > -infinite, one%high < infinite]
            select case (one%kind)
            case (free)
               if (any(ends)) return
            case (truncated)
               if (.not. any(ends)) return
            case (half_line)
               if (count(ends) /= 1) return
            case (probit, periodic)
               if (.not. all(ends)) return
            case (log_truncated, log_probit)
               if (.not. all(ends) .or. one%low <= 0) return
            case default
               return
            end select
         end associate
      end do
      status = status_ok
   end subroutine new_ranges

   !> Add the block of ranges, if any is not free.
   pure subroutine append_ranges(layout, kinds)
      integer(ip), allocatable, intent(inout) :: layout(:)
      integer, intent(in) :: kinds(:)

      if (all(kinds == free)) return
      call append_block(layout, target_range_block, int(kinds, ip), 2*size(kinds, kind=ip))
   end subroutine append_ranges

   !> The ranges of a committee; without a block all are free.
   pure subroutine read_ranges(layout, parameters, n_targets, ranges, status)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      integer, intent(in) :: n_targets
      type(target_range), allocatable, intent(out) :: ranges(:)
      integer, intent(out) :: status
      type(block_view) :: at, again

      at = find_block(layout, target_range_block, 1)
      status = status_ok
      if (at%name == "") then
         allocate (ranges(n_targets))
         return
      end if
      again = find_block(layout, target_range_block, 2)
      status = status_invalid_layout
      if (again%name /= "" .or. at%n_integers /= n_targets .or. at%n_reals /= 2*n_targets) return
      associate (low => parameters(at%offset + 1:at%offset + n_targets), &
            high => parameters(at%offset + n_targets + 1:at%offset + 2*n_targets))
         call new_ranges(int(layout(at%first_integer:at%first_integer + n_targets - 1)), low, &
            high, ranges, status)
      end associate
      if (status /= status_ok) status = status_invalid_layout
   end subroutine read_ranges

   !> Targets as their kernels see them. status_outside_range where one is outside its range.
   pure subroutine map_targets(ranges, targets, status)
      type(target_range), intent(in) :: ranges(:)
      real(wp), intent(inout) :: targets(:, :) !! (n_targets, n)
      integer, intent(out) :: status
      integer(ip) :: t
      integer :: i

      status = status_ok
      do t = 1, size(targets, 2, kind=ip)
         do i = 1, size(ranges)
            if (ranges(i)%kind == free) cycle
            if (.not. is_inside(ranges(i), targets(i, t))) then
               status = status_outside_range
               return
            end if
            targets(i, t) = to_kernels(ranges(i), targets(i, t))
         end do
      end do
   end subroutine map_targets

   elemental function is_inside(range, t) result(yes)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: t
      logical :: yes

      yes = range%kind == periodic .or. (t >= range%low .and. t <= range%high)
   end function is_inside

   !> Are kernels cut off in their own space?
   elemental function is_cut(self) result(yes)
      class(target_range), intent(in) :: self
      logical :: yes

      yes = self%kind == truncated .or. self%kind == log_truncated
   end function is_cut

   !> Is that space another than the target's units?
   elemental function is_mapped(self) result(yes)
      class(target_range), intent(in) :: self
      logical :: yes

      yes = self%kind >= log_truncated .and. self%kind <= log_probit
   end function is_mapped

   !> Where kernels are cut off, in their own space.
   elemental function kernel_low(self) result(y)
      class(target_range), intent(in) :: self
      real(wp) :: y

      y = -infinite
      if (self%kind == truncated) y = self%low
      if (self%kind == log_truncated) y = log(self%low)
   end function kernel_low

   elemental function kernel_high(self) result(y)
      class(target_range), intent(in) :: self
      real(wp) :: y

      y = infinite
      if (self%kind == truncated) y = self%high
      if (self%kind == log_truncated) y = log(self%high)
   end function kernel_high

   !> Zero: none.
   elemental function period(self) result(p)
      class(target_range), intent(in) :: self
      real(wp) :: p

      p = 0
      if (self%kind == periodic) p = self%high - self%low
   end function period

   !> t modulo the period, in [first, first + period).
   elemental function into_period(t, first, period) result(inside)
      real(wp), intent(in) :: t, first, period
      real(wp) :: inside

      inside = t
      if (t >= first .and. t < first + period) return
      inside = first + modulo(t - first, period)
      if (inside >= first + period) inside = first ! rounding
   end function into_period

   !> A target in the space of its kernels.
   elemental function to_kernels(range, t) result(y)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: t
      real(wp) :: y

      y = t
      select case (range%kind)
      case (log_truncated)
         y = log(min(max(t, range%low), range%high))
      case (half_line)
         if (range%low > -infinite) then
            y = log(max(t - range%low, tiny(t)))
         else
            y = -log(max(range%high - t, tiny(t)))
         end if
      case (probit)
         y = normal_quantile((t - range%low)/(range%high - range%low), &
            (range%high - t)/(range%high - range%low))
      case (log_probit)
         y = log(min(max(t, range%low), range%high)/range%low)/log(range%high/range%low)
         y = normal_quantile(y, 1 - y)
      case (periodic)
         y = into_period(t, range%low, range%period())
      case default ! the target's own units
      end select
   end function to_kernels

   !> And back: never outside the range.
   elemental function from_kernels(range, y) result(t)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: y
      real(wp) :: t
      real(wp), parameter :: root_half = sqrt(0.5_wp), highest = log(huge(y)/4)

      t = y
      if (abs(y) >= infinite) then
         t = merge(range%low, range%high, y < 0)
         return
      end if
      select case (range%kind)
      case (log_truncated)
         t = exp(min(y, highest))
         if (y <= log(range%low)) t = range%low ! not an ulp beside it
         if (y >= log(range%high)) t = range%high
      case (half_line)
         if (range%low > -infinite) then
            t = range%low + exp(min(y, highest))
         else
            t = range%high - exp(min(-y, highest))
         end if
      case (probit)
         t = 0.5_wp*(range%high - range%low)*erfc(root_half*abs(y))
         t = merge(range%low + t, range%high - t, y < 0)
      case (log_probit)
         t = range%low*(range%high/range%low)**(0.5_wp*erfc(-root_half*y))
      case (periodic)
         t = into_period(y, range%low, range%period())
      case default
      end select
      if (range%kind /= periodic) t = min(max(t, range%low), range%high)
   end function from_kernels

   !> log(dy/dt), where to_kernels(t) = y.
   elemental function log_slope(range, t, y) result(slope)
      type(target_range), intent(in) :: range
      real(wp), intent(in) :: t, y
      real(wp) :: slope

      slope = 0
      select case (range%kind)
      case (log_truncated)
         slope = -y
      case (half_line)
         slope = merge(-y, y, range%low > -infinite)
      case (probit)
         slope = 0.5_wp*(y*y + log_two_pi) - log(range%high - range%low)
      case (log_probit)
         slope = 0.5_wp*(y*y + log_two_pi) - log(log(range%high/range%low)) - log(t)
      case default
      end select
   end function log_slope

   !> Phi^-1 of a probability that is given from below and from above, at most `farthest_probit`
   !> from 0: Abramowitz & Stegun 26.2.23, then steps of Halley.
   elemental function normal_quantile(below, above) result(x)
      real(wp), intent(in) :: below, above
      real(wp) :: x
      real(wp), parameter :: root_half = sqrt(0.5_wp), root_two_pi = exp(0.5_wp*log_two_pi)
      real(wp) :: p, t, step
      integer :: i

      x = farthest_probit
      p = min(below, above)
      if (p > 0.5_wp*erfc(root_half*x)) then
         t = sqrt(-2*log(p))
         x = t - (2.515517_wp + t*(0.802853_wp + t*0.010328_wp)) &
            /(1 + t*(1.432788_wp + t*(0.189269_wp + t*0.001308_wp)))
         do i = 1, 2
            step = (p - 0.5_wp*erfc(root_half*x))*root_two_pi*exp(0.5_wp*x*x)
            x = x - step/(1 + 0.5_wp*x*step)
         end do
         x = min(x, farthest_probit)
      end if
      if (below < above) x = -x
   end function normal_quantile

   !> The same, as far out as there are numbers: at most 38 from 0.
   elemental function normal_score(below, above) result(x)
      real(wp), intent(in) :: below, above
      real(wp) :: x
      real(wp), parameter :: root_half = sqrt(0.5_wp), root_half_pi = sqrt(acos(0.0_wp)), &
         farthest = 38
      real(wp) :: log_p, t, step
      integer :: i

      x = normal_quantile(below, above)
      if (abs(x) < farthest_probit) return
      x = farthest
      if (min(below, above) > tiny(x)) then
         log_p = log(min(below, above))
         t = sqrt(-2*log_p)
         x = t - (2.515517_wp + t*(0.802853_wp + t*0.010328_wp)) &
            /(1 + t*(1.432788_wp + t*(0.189269_wp + t*0.001308_wp)))
         do i = 1, 3
            step = exp(log_p + 0.5_wp*(x*x + log_two_pi)) - root_half_pi*erfc_scaled(root_half*x)
            x = x - step/(1 + 0.5_wp*x*step)
         end do
      end if
      if (below < above) x = -x
   end function normal_score

end module fmdn_targets
