!> Layouts: blocks go in and come out, and no damaged layout is taken for a sound one.
program test_layout
   use fmdn_check, only: check, finish
   use fmdn_kinds, only: ip
   use fmdn_layout, only: append_block, at_blocks, at_format, at_inputs, at_parameters, &
      block_header_size, block_view, check_layout, find_block, get_block, header_size, &
      input_scale_block, known_blocks, name_of, network_block, start_layout, tag_length, tag_of, &
      target_scale_block
   use fmdn_status, only: status_invalid_layout, status_newer_file, status_ok, status_unknown_block
   implicit none (type, external)
   integer(ip), parameter :: n_parameters = 18

   call test_tags()
   call test_blocks()
   call test_refused()
   call test_any_damage()
   call finish()

contains

   !> Three blocks that are known, and an optional one that is not.
   function example() result(layout)
      integer(ip), allocatable :: layout(:)

      call start_layout(2, 3, 1, layout)
      call append_block(layout, input_scale_block, [integer(ip) ::], 4_ip)
      call append_block(layout, "novelty", [7_ip, 8_ip], 5_ip, version=3_ip, required=.false.)
      call append_block(layout, target_scale_block, [integer(ip) ::], 6_ip)
      call append_block(layout, network_block, [1_ip, 2_ip, 0_ip, 1_ip, 4_ip], 3_ip)
   end function example

   subroutine test_tags()
      integer :: i

      do i = 1, size(known_blocks)
         call check(name_of(tag_of(known_blocks(i))) == known_blocks(i), &
            "tag of " // trim(known_blocks(i)))
      end do
      call check(all(tag_of("A") == [int(z'2020202020202041', ip), int(z'2020202020202020', ip)]), &
         "first character in the lowest byte")
      call check(name_of(tag_of("sixteen letters!")) == "sixteen letters!", "tag of 16 characters")
      call check(name_of(tag_of("sixteen letters!!")) == "sixteen letters!", "a longer one is cut")
   end subroutine test_tags

   subroutine test_blocks()
      integer(ip), allocatable :: layout(:)
      type(block_view) :: view
      character(len=tag_length) :: trouble
      integer :: status

      layout = example()
      call check_layout(layout, n_parameters, status, trouble)
      call check(status == status_ok .and. trouble == "", "example is sound")
      call check(all(layout(at_inputs:at_inputs + 2) == [2, 3, 1]), "sizes in the header")
      call check(layout(at_blocks) == 4 .and. layout(at_parameters) == n_parameters, &
         "counts in the header")

      view = get_block(layout, 2_ip)
      call check(view%name == "novelty" .and. view%version == 3 .and. .not. view%required, &
         "second block")
      call check(view%n_integers == 2 .and. view%n_reals == 5 .and. view%offset == 4, &
         "where the second block lies")
      call check(all(layout(view%first_integer:view%first_integer + 1) == [7, 8]), &
         "integers of the second block")
      view = find_block(layout, network_block, 1)
      call check(view%offset == 15 .and. view%required .and. view%version == 1, "network found")
      view = find_block(layout, network_block, 2)
      call check(view%name == "" .and. view%n_reals == 0, "there is no second network")
      view = find_block(layout, "nothing", 1)
      call check(view%name == "", "an unknown name is not found")

      call append_block(layout, network_block, [9_ip], 2_ip)
      view = find_block(layout, network_block, 2)
      call check(view%offset == n_parameters .and. layout(view%first_integer) == 9, &
         "second occurrence")
   end subroutine test_blocks

   subroutine test_refused()
      integer, parameter :: first = header_size + 1

      call refused([integer(ip) ::], status_invalid_layout, "nothing")
      call refused(example_with(at_format, 2_ip), status_newer_file, "a newer format")
      call refused(example_with(at_format, 0_ip), status_invalid_layout, "format 0")
      call refused(example_with(at_inputs, 0_ip), status_invalid_layout, "no inputs")
      call refused(example_with(at_inputs, 2_ip**31), status_invalid_layout, "2**31 inputs")
      call refused(example_with(at_blocks, 3_ip), status_invalid_layout, "a block too few")
      call refused(example_with(at_blocks, 5_ip), status_invalid_layout, "a block too many")
      call refused(example_with(first + 2, 0_ip), status_invalid_layout, "version 0")
      call refused(example_with(first + 2, 2_ip), status_unknown_block, "version 2 of a block", &
         input_scale_block)
      call refused(example_with(first + 4, -1_ip), status_invalid_layout, "negative integers")
      call refused(example_with(first + 5, huge(1_ip)), status_invalid_layout, "too many reals")
      call refused(example_with(first + 6, 1_ip), status_invalid_layout, "a gap")
      call refused(example_with(first + block_header_size + 3, 1_ip), status_unknown_block, &
         "an unknown block that is required", "novelty")
      associate (layout => example())
         call refused(layout(:size(layout) - 1), status_invalid_layout, "a word too few")
         call refused([layout, 0_ip], status_invalid_layout, "a word too many")
      end associate
   end subroutine test_refused

   function example_with(position, value) result(layout)
      integer, intent(in) :: position
      integer(ip), intent(in) :: value
      integer(ip), allocatable :: layout(:)

      layout = example()
      layout(position) = value
   end function example_with

   subroutine refused(layout, expected, name, block_name)
      integer(ip), intent(in) :: layout(:)
      integer, intent(in) :: expected
      character(len=*), intent(in) :: name
      character(len=*), intent(in), optional :: block_name
      character(len=tag_length) :: trouble
      integer :: status

      call check_layout(layout, n_parameters, status, trouble)
      call check(status == expected, "refused: " // name)
      if (present(block_name)) call check(trouble == block_name, "named: " // name)
   end subroutine refused

   !> Any word replaced by any of these, any length: never a crash, and what passes does tile.
   subroutine test_any_damage()
      integer(ip), parameter :: words(8) = [-huge(1_ip), -1_ip, 0_ip, 1_ip, 6_ip, 18_ip, &
         2_ip**32, huge(1_ip)]
      integer(ip), allocatable :: layout(:)
      type(block_view) :: view
      character(len=tag_length) :: trouble
      integer(ip) :: i, reals
      integer :: length, position, word, status
      logical :: sound

      sound = .true.
      do length = 0, size(example())
         do position = 1, max(1, length)
            do word = 1, size(words)
               layout = example()
               layout(position) = words(word)
               call check_layout(layout(:length), n_parameters, status, trouble)
               if (status /= status_ok) cycle
               reals = 0
               do i = 1, layout(at_blocks)
                  view = get_block(layout(:length), i)
                  sound = sound .and. view%offset == reals .and. view%n_integers >= 0
                  reals = reals + view%n_reals
               end do
               sound = sound .and. reals == n_parameters
            end do
         end do
      end do
      call check(sound, "a damaged layout that passes is sound")
   end subroutine test_any_damage
end program test_layout
