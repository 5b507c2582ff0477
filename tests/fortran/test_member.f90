!> Members through the layout and back, and layouts that describe none.
program test_member
   use fmdn_check, only: check, finish
   use fmdn_examples, only: small_layout
   use fmdn_kinds, only: ip
   use fmdn_layout, only: append_block, block_view, check_layout, find_block, network_block, &
      start_layout, tag_length
   use fmdn_member, only: append_member, max_kernels, max_targets, max_units, member_type, &
      new_member, read_members
   use fmdn_mixture, only: diagonal, full
   use fmdn_status, only: status_invalid_layout, status_ok
   implicit none (type, external)

   call test_sizes()
   call test_round_trip()
   call test_refused()
   call test_any_damage()
   call finish()

contains

   subroutine test_sizes()
      type(member_type) :: member

      member = new_member(4, [7, 5], full, 2, 3, .false.)
      call check(member%network%n_outputs == 3*(1 + 2 + 3), "outputs of three full kernels")
      call check(member%n_parameters == 5*7 + 8*5 + 6*18, "parameters")
      member = new_member(4, [7, 5], full, 2, 3, .true.)
      call check(member%n_parameters == 5*7 + 8*5 + 6*18 + 4*18, "parameters of the linear path")
   end subroutine test_sizes

   subroutine test_round_trip()
      type(member_type) :: first, second
      type(member_type), allocatable :: members(:)
      integer(ip), allocatable :: layout(:)
      character(len=tag_length) :: trouble
      integer :: status

      first = new_member(4, [7, 5], full, 2, 3, .false.)
      second = new_member(4, [2], diagonal, 2, 1, .true.)
      call start_layout(4, 2, 2, layout)
      call append_member(layout, first)
      call append_member(layout, second)
      call check_layout(layout, first%n_parameters + second%n_parameters, status, trouble)
      call check(status == status_ok, "layout of two members")
      call read_members(layout, members, status)
      call check(status == status_ok .and. size(members) == 2, "both are read")
      call check(all(members(1)%network%hidden == [7, 5]) .and. &
         all(members(2)%network%hidden == [2]), "hidden layers")
      call check(members(1)%offset == 0 .and. members(2)%offset == first%n_parameters, "offsets")
      call check(members(1)%mixture%covariance == full .and. members(1)%mixture%n_kernels == 3 &
         .and. members(1)%mixture%n_targets == 2 .and. .not. members(1)%network%linear_path, &
         "first member")
      call check(members(2)%mixture%covariance == diagonal .and. members(2)%mixture%n_kernels == 1 &
         .and. members(2)%network%n_inputs == 4 .and. members(2)%network%linear_path, &
         "second member")
   end subroutine test_round_trip

   subroutine test_refused()
      integer(ip), parameter :: n = 5*7 + 8*6

      call read_one(1_ip, [3_ip, 1_ip, 0_ip, 1_ip, 7_ip], n, status_ok, "nothing")
      call read_one(1_ip, [0_ip, 1_ip, 0_ip, 1_ip, 7_ip], n, status_invalid_layout, "covariance 0")
      call read_one(1_ip, [4_ip, 1_ip, 0_ip, 1_ip, 7_ip], n, status_invalid_layout, "covariance 4")
      call read_one(1_ip, [3_ip, 0_ip, 0_ip, 1_ip, 7_ip], n, status_invalid_layout, "no kernels")
      call read_one(1_ip, [3_ip, max_kernels + 1_ip, 0_ip, 1_ip, 7_ip], n, status_invalid_layout, &
         "too many kernels")
      call read_one(1_ip, [3_ip, 1_ip, 2_ip, 1_ip, 7_ip], n, status_invalid_layout, &
         "neither a linear path nor none")
      call read_one(1_ip, [3_ip, 1_ip, 0_ip, 2_ip, 7_ip], n, status_invalid_layout, &
         "a layer too few")
      call read_one(1_ip, [3_ip, 1_ip, 0_ip, 0_ip], n, status_invalid_layout, "no layers")
      call read_one(1_ip, [3_ip, 1_ip, 0_ip, 1_ip, 0_ip], n, status_invalid_layout, "no units")
      call read_one(1_ip, [3_ip, 1_ip, 0_ip, 1_ip, max_units + 1_ip], n, status_invalid_layout, &
         "too many units")
      call read_one(1_ip, [3_ip, 1_ip, 0_ip, 1_ip, 7_ip], n - 1, status_invalid_layout, &
         "a parameter too few")
      call read_one(0_ip, [3_ip, 1_ip, 0_ip, 1_ip, 7_ip], n, status_invalid_layout, &
         "a member too many")
      call read_one(2_ip, [3_ip, 1_ip, 0_ip, 1_ip, 7_ip], n, status_invalid_layout, &
         "a member too few")
   end subroutine test_refused

   !> A committee of 4 inputs and 2 targets that says it has `n_members`, and has one like this.
   subroutine read_one(n_members, integers, n_reals, expected, name)
      integer(ip), intent(in) :: n_members, integers(:), n_reals
      integer, intent(in) :: expected
      character(len=*), intent(in) :: name
      integer(ip), allocatable :: layout(:)
      type(member_type), allocatable :: members(:)
      integer :: status

      call start_layout(4, 2, int(n_members), layout)
      call append_block(layout, network_block, integers, n_reals)
      call read_members(layout, members, status)
      call check(status == expected, "refused: " // name)
      layout(3) = max_targets + 1
      call read_members(layout, members, status)
      call check(status == status_invalid_layout, "refused: too many targets")
   end subroutine read_one

   !> Any word replaced by any of these: never a crash, and sizes that agree with the block's.
   subroutine test_any_damage()
      integer(ip), parameter :: words(8) = [-huge(1_ip), -1_ip, 0_ip, 1_ip, 2_ip, 1000_ip, &
         2_ip**32, huge(1_ip)]
      integer(ip), allocatable :: layout(:)
      type(member_type), allocatable :: members(:)
      type(block_view) :: view
      character(len=tag_length) :: trouble
      integer :: position, word, status, k, n_passed
      logical :: sound

      sound = .true.
      n_passed = 0
      do position = 1, size(small_layout(2, 2, 2, full, .true.))
         do word = 1, size(words)
            layout = small_layout(2, 2, 2, full, .true.)
            associate (n_parameters => layout(6))
               layout(position) = words(word)
               call check_layout(layout, n_parameters, status, trouble)
            end associate
            if (status /= status_ok) cycle
            call read_members(layout, members, status)
            if (status /= status_ok) cycle
            n_passed = n_passed + 1
            do k = 1, size(members)
               view = find_block(layout, network_block, k)
               sound = sound .and. members(k)%n_parameters == view%n_reals
            end do
         end do
      end do
      call check(sound .and. n_passed > 0, "a damaged layout that passes is sound")
   end subroutine test_any_damage
end program test_member
