!> Who trains, who stops the training, who weighs the members: a role for each row.
!> One tenth of the groups weighs; the rest falls into folds, and member k is monitored on fold
!> 1 + mod(k - 1, n_folds) and trained on the other folds, so that no row is lost to all members.
module fmdn_splits
   use fmdn_kinds, only: ip, wp
   use fmdn_random, only: for_split, shuffle, stream_of
   use fmdn_status, only: status_ok, status_too_few_rows
   implicit none (type, external)
   private
   public :: split_rows, fold_of, trains, monitors

   !> Roles below one; a positive role is the number of a fold.
   integer, parameter, public :: role_weighting = 0
   integer, parameter, public :: role_monitor = -1  !! monitors every member, trains none
   integer, parameter, public :: role_training = -2 !! trains every member
   integer, parameter, public :: max_folds = 10

contains

   !> Draw the roles. Rows of one group (1 .. n_groups) share theirs.
   pure subroutine split_rows(groups, n_groups, seed, with_weighting, with_folds, roles, status)
      integer(ip), intent(in) :: groups(:)
      integer(ip), intent(in) :: n_groups
      integer(ip), intent(in) :: seed
      logical, intent(in) :: with_weighting !! draw a weighting set?
      logical, intent(in) :: with_folds     !! draw monitoring folds? else all the rest trains
      integer, intent(out) :: roles(:)
      integer, intent(out) :: status
      integer(ip), allocatable :: order(:)
      integer, allocatable :: role_of_group(:)
      integer(ip) :: i, n_weighting, n_folds

      roles = role_training
      status = status_too_few_rows
      n_weighting = 0
      if (with_weighting) n_weighting = max(1_ip, nint(0.1_wp*real(n_groups, wp), ip))
      if (n_groups - n_weighting < merge(2, 1, with_folds)) return
      n_folds = min(int(max_folds, ip), n_groups - n_weighting)

      order = [(i, i=1, n_groups)]
      call shuffle(stream_of(seed, 0, for_split), order)
      allocate (role_of_group(n_groups), source=role_training)
      do i = 1, n_groups
         if (i <= n_weighting) then
            role_of_group(order(i)) = role_weighting
         else if (with_folds) then
            role_of_group(order(i)) = int(1 + modulo(i, n_folds))
         end if
      end do
      roles = role_of_group(groups)
      status = status_ok
   end subroutine split_rows

   !> The fold that monitors a member.
   pure function fold_of(member, n_folds) result(fold)
      integer, intent(in) :: member, n_folds
      integer :: fold

      fold = 1 + modulo(member - 1, max(1, n_folds))
   end function fold_of

   !> Does a row of this role train the member that `fold` monitors?
   elemental function trains(role, fold) result(yes)
      integer, intent(in) :: role, fold
      logical :: yes

      yes = role == role_training .or. (role > 0 .and. role /= fold)
   end function trains

   !> Does it monitor that member?
   elemental function monitors(role, fold) result(yes)
      integer, intent(in) :: role, fold
      logical :: yes

      yes = role == role_monitor .or. role == fold
   end function monitors

end module fmdn_splits
