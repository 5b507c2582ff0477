!> Every row has its role, groups stay together, and nobody is left without rows.
program test_splits
   use fmdn_check, only: check, finish
   use fmdn_kinds, only: ip
   use fmdn_splits, only: fold_of, max_folds, monitors, role_monitor, role_training, &
      role_weighting, split_rows, trains
   use fmdn_status, only: status_ok, status_too_few_rows
   implicit none (type, external)
   character(len=40) :: name

   call test_proportions()
   call test_small_sets()
   call test_groups()
   call test_seeds()
   call test_roles()
   call finish()

contains

   function numbers(n) result(groups)
      integer, intent(in) :: n
      integer(ip) :: groups(n)
      integer(ip) :: i

      groups = [(i, i=1, int(n, ip))]
   end function numbers

   !> A tenth weighs, a tenth of the rest is in each fold.
   subroutine test_proportions()
      integer :: roles(1000), status, fold

      call split_rows(numbers(1000), 1000_ip, 1_ip, .true., .true., roles, status)
      call check(status == status_ok, "thousand rows")
      call check(count(roles == role_weighting) == 100, "a tenth weighs")
      call check(all([(count(roles == fold) == 90, fold=1, max_folds)]), "ten equal folds")

      call split_rows(numbers(1000), 1000_ip, 1_ip, .false., .true., roles, status)
      call check(all([(count(roles == fold) == 100, fold=1, max_folds)]), "no weighting set")
      call split_rows(numbers(1000), 1000_ip, 1_ip, .true., .false., roles, status)
      call check(count(roles == role_training) == 900 .and. &
         count(roles == role_weighting) == 100, "no folds")
      call split_rows(numbers(1000), 1000_ip, 1_ip, .false., .false., roles, status)
      call check(all(roles == role_training), "all rows train")
   end subroutine test_proportions

   !> Each member has rows to train, to monitor and to weigh; no row trains and monitors it.
   subroutine test_small_sets()
      integer, allocatable :: roles(:)
      integer :: n, status, member, fold
      logical :: complete

      do n = 1, 30
         write (name, "(i0,a)") n, " rows"
         allocate (roles(n))
         call split_rows(numbers(n), int(n, ip), 3_ip, .true., .true., roles, status)
         call check((status == status_ok) .eqv. n >= 3, trim(name) // ": enough or not")
         if (status == status_ok) then
            complete = any(roles == role_weighting)
            do member = 1, 12
               fold = fold_of(member, maxval(roles))
               complete = complete .and. any(trains(roles, fold)) .and. any(monitors(roles, fold)) &
                  .and. .not. any(trains(roles, fold) .and. monitors(roles, fold)) &
                  .and. all(trains(roles, fold) .or. monitors(roles, fold) .neqv. &
                  roles == role_weighting)
            end do
            call check(complete, trim(name) // ": every set has some")
         end if
         deallocate (roles)
      end do
      allocate (roles(1))
      call split_rows(numbers(1), 1_ip, 3_ip, .false., .false., roles, status)
      call check(status == status_ok .and. roles(1) == role_training, "a row that trains")
      call split_rows(numbers(1), 1_ip, 3_ip, .false., .true., roles, status)
      call check(status == status_too_few_rows, "a row cannot train and monitor")
   end subroutine test_small_sets

   !> Rows of one group share their role; proportions are those of groups.
   subroutine test_groups()
      integer(ip) :: groups(600), i
      integer :: roles(600), status

      groups = [(1 + modulo(7*i, 60_ip), i=1, 600)]
      call split_rows(groups, 60_ip, 4_ip, .true., .true., roles, status)
      call check(status == status_ok, "groups")
      call check(all([(all(pack(roles, groups == i) == roles(findloc(groups, i, dim=1))), &
         i=1, 60)]), "groups stay together")
      call check(count(roles == role_weighting) == 60, "a tenth of the groups weighs")
      call split_rows(spread(1_ip, 1, 600), 1_ip, 4_ip, .true., .true., roles, status)
      call check(status == status_too_few_rows, "one group is too few")
   end subroutine test_groups

   subroutine test_seeds()
      integer :: roles(200), again(200), status

      call split_rows(numbers(200), 200_ip, 5_ip, .true., .true., roles, status)
      call split_rows(numbers(200), 200_ip, 5_ip, .true., .true., again, status)
      call check(all(roles == again), "the same seed, the same split")
      call split_rows(numbers(200), 200_ip, 6_ip, .true., .true., again, status)
      call check(count(roles == again) < 50, "another seed, another split") ! expected 20, sd 4.2
   end subroutine test_seeds

   subroutine test_roles()
      integer :: member

      call check(all([(fold_of(member, 10), member=1, 12)] == &
         [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 1, 2]), "folds in turn")
      call check(fold_of(3, role_training) == 1, "no folds at all")
      call check(.not. trains(role_weighting, 1) .and. .not. monitors(role_weighting, 1), &
         "rows that weigh neither train nor monitor")
      call check(trains(role_training, 1) .and. .not. monitors(role_training, 1), "always trains")
      call check(monitors(role_monitor, 1) .and. .not. trains(role_monitor, 1), "always monitors")
      call check(all(trains([1, 2], 2) .eqv. [.true., .false.]), "other folds train")
      call check(all(monitors([1, 2], 2) .eqv. [.false., .true.]), "the own fold monitors")
   end subroutine test_roles
end program test_splits
