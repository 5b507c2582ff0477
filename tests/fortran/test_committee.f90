!> Committees: sizes are drawn, damage is noticed, and members are selected.
program test_committee
   use fmdn_check, only: check, check_close, finish
   use fmdn_committee, only: committee_view, plan_committee, select_members, view_committee
   use fmdn_examples, only: normals, same, small_layout
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, at_members, at_parameters, block_view, check_layout, &
      find_block, member_weights_block, tag_length
   use fmdn_member, only: max_kernels, max_targets, max_units
   use fmdn_mixture, only: diagonal, full, isotropic
   use fmdn_status, only: status_invalid_argument, status_invalid_layout, status_ok
   implicit none (type, external)
   integer, parameter :: n_members = 4
   integer(ip), allocatable :: layout(:)
   real(wp), allocatable :: parameters(:)
   integer :: status

   layout = small_layout(3, 2, n_members, full, .true.)
   parameters = abs(normals(int(layout(at_parameters)), 1)) ! as weights have to be
   call test_plan()
   call test_any_damage()
   call test_selection()
   call finish()

contains

   !> Sizes are drawn between the bounds, all of them, and what makes no sense is refused.
   subroutine test_plan()
      integer(ip), allocatable :: planned(:), again(:)
      type(committee_view) :: view
      integer :: hidden(200, 2), kernels(200), k
      character(len=tag_length) :: trouble

      call plan(9_ip, 4, 2, 200, [3, 20], [5, 20], 2, 4, diagonal, planned)
      call check_layout(planned, planned(at_parameters), status, trouble)
      call check(status == status_ok, "a plan is a layout")
      call view_committee(planned, spread(0.0_wp, 1, int(planned(at_parameters))), view, status)
      call check(status == status_ok .and. size(view%members) == 200, "and a committee")
      do k = 1, 200
         hidden(k, :) = view%members(k)%network%hidden
         kernels(k) = view%members(k)%mixture%n_kernels
      end do
      ! Each of three sizes: 67 expected, sd 6.7.
      call check(all([(count(hidden(:, 1) == k) > 33, k=3, 5)]) .and. minval(hidden(:, 1)) == 3 &
         .and. maxval(hidden(:, 1)) == 5 .and. all(hidden(:, 2) == 20), "hidden units are drawn")
      call check(all([(count(kernels == k) > 33, k=2, 4)]) .and. minval(kernels) == 2 &
         .and. maxval(kernels) == 4, "kernels are drawn")
      call check(view%n_kernels == sum(kernels), "kernels together")

      call plan(9_ip, 4, 2, 200, [3, 20], [5, 20], 2, 4, diagonal, again)
      call check(all(again == planned), "the same seed, the same plan")
      call plan(9_ip, 4, 2, 50, [3, 20], [5, 20], 2, 4, diagonal, again)
      call view_committee(again, spread(0.0_wp, 1, int(again(at_parameters))), view, status)
      call check(all(view%members%mixture%n_kernels == kernels(:50)), &
         "a member does not depend on how many there are")
      call plan(9_ip, 4, 1, 2, [3], [5], 2, 4, full, again)
      call view_committee(again, spread(0.0_wp, 1, int(again(at_parameters))), view, status)
      call check(all(view%members%mixture%covariance == isotropic), &
         "with one target all covariances are the same")

      call refused(0, 2, 1, [3], [5], 1, 2, full, "no inputs")
      call refused(4, 0, 1, [3], [5], 1, 2, full, "no targets")
      call refused(4, max_targets + 1, 1, [3], [5], 1, 2, full, "too many targets")
      call refused(4, 2, 0, [3], [5], 1, 2, full, "no members")
      call refused(4, 2, 1, [integer ::], [integer ::], 1, 2, full, "no layers")
      call refused(4, 2, 1, [0], [5], 1, 2, full, "no units")
      call refused(4, 2, 1, [6], [5], 1, 2, full, "bounds of units in the wrong order")
      call refused(4, 2, 1, [3], [max_units + 1], 1, 2, full, "too many units")
      call refused(4, 2, 1, [3], [5], 0, 2, full, "no kernels")
      call refused(4, 2, 1, [3], [5], 3, 2, full, "bounds of kernels in the wrong order")
      call refused(4, 2, 1, [3], [5], 1, max_kernels + 1, full, "too many kernels")
      call refused(4, 2, 1, [3], [5], 1, 2, 0, "covariance 0")
      call refused(4, 2, 1, [3], [5], 1, 2, 4, "covariance 4")
   end subroutine test_plan

   subroutine plan(seed, inputs, targets, members, low, high, kernels_low, kernels_high, &
      covariance, planned)
      integer(ip), intent(in) :: seed
      integer, intent(in) :: inputs, targets, members, low(:), high(:), kernels_low, kernels_high
      integer, intent(in) :: covariance
      integer(ip), allocatable, intent(out) :: planned(:)

      call plan_committee(seed, inputs, targets, members, low, high, kernels_low, kernels_high, &
         covariance, .false., planned, status)
   end subroutine plan

   subroutine refused(inputs, targets, members, low, high, kernels_low, kernels_high, covariance, &
      what)
      integer, intent(in) :: inputs, targets, members, low(:), high(:), kernels_low, kernels_high
      integer, intent(in) :: covariance
      character(len=*), intent(in) :: what
      integer(ip), allocatable :: planned(:)

      call plan(1_ip, inputs, targets, members, low, high, kernels_low, kernels_high, covariance, &
         planned)
      call check(status == status_invalid_argument, "refused: " // what)
   end subroutine refused

   !> Any word of a layout replaced by any of these: refused, or a committee that can be used.
   subroutine test_any_damage()
      integer(ip), parameter :: words(7) = [-huge(1_ip), -1_ip, 0_ip, 1_ip, 3_ip, 2_ip**32, &
         huge(1_ip)]
      integer(ip), allocatable :: damaged(:)
      type(committee_view) :: view
      integer :: position, word
      logical :: sound

      sound = .true.
      do position = 1, size(layout)
         do word = 1, size(words)
            damaged = layout
            damaged(position) = words(word)
            call view_committee(damaged, parameters, view, status)
            if (status /= status_ok) cycle
            sound = sound .and. size(view%scales%input_scale) == view%n_inputs &
               .and. size(view%weights) == size(view%members) &
               .and. view%members(n_members)%offset + view%members(n_members)%n_parameters &
               <= size(parameters)
         end do
      end do
      call check(sound, "a damaged layout is refused, or it is a committee")
      call view_committee(layout, parameters(2:), view, status)
      call check(status == status_invalid_layout, "a parameter too few")
   end subroutine test_any_damage

   !> The members kept are what they were; blocks that this version does not know go along.
   subroutine test_selection()
      integer(ip), allocatable :: of_two(:), with_more(:)
      real(wp), allocatable :: parameters_of_two(:), more(:)
      type(committee_view) :: view, two
      type(block_view) :: at
      character(len=tag_length) :: trouble
      integer :: i, j
      integer, parameter :: kept(2) = [2, 4]

      with_more = layout
      call append_block(with_more, "novelty", [5_ip, 6_ip], 3_ip, version=4_ip, required=.false.)
      more = [parameters, 7.0_wp, 8.0_wp, 9.0_wp]
      call select_members(with_more, more, [.false., .true., .false., .true.], of_two, &
         parameters_of_two, status)
      call check(status == status_ok .and. of_two(at_members) == 2, "two are selected")
      call check_layout(of_two, size(parameters_of_two, kind=ip), status, trouble)
      call check(status == status_ok, "a layout of two")
      call view_committee(layout, parameters, view, status)
      call view_committee(of_two, parameters_of_two, two, status)
      call check_close(two%weights, view%weights(kept)/sum(view%weights(kept)), 1e-15_wp, &
         "weights are normalised")
      do i = 1, 2
         associate (old => view%members(kept(i)), new => two%members(i))
            call check(all([(same(parameters(old%offset + j), &
               parameters_of_two(new%offset + j)), j=1, int(old%n_parameters))]), &
               "networks are the same")
         end associate
      end do
      at = find_block(of_two, "novelty", 1)
      call check(at%version == 4 .and. .not. at%required .and. &
         all(of_two(at%first_integer:at%first_integer + 1) == [5, 6]) .and. &
         all(same(parameters_of_two(at%offset + 1:at%offset + 3), [7.0_wp, 8.0_wp, 9.0_wp])), &
         "an unknown block goes along")
      at = find_block(of_two, member_weights_block, 1)
      call check(at%n_reals == 2, "two weights")

      call select_members(layout, parameters, spread(.true., 1, n_members), of_two, &
         parameters_of_two, status)
      call check(all(of_two == layout), "all of them: the same layout")
      call select_members(layout, parameters, spread(.false., 1, n_members), of_two, &
         parameters_of_two, status)
      call check(status == status_invalid_argument, "refused: none of them")
      call select_members(layout, parameters, [.true.], of_two, parameters_of_two, status)
      call check(status == status_invalid_argument, "refused: another number of members")
   end subroutine test_selection
end program test_committee
