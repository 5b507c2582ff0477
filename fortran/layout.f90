!> What a committee is when it crosses the boundary or lies in a file: an integer `layout` of tagged
!> blocks and one vector of real `parameters`, both owned by the caller.
!>
!>     header  format, n_inputs, n_targets, n_members, n_blocks, n_parameters
!>     block   tag (two words), version, required, n_integers, n_reals, offset, the integers
!>
!> The reals of a block are parameters(offset + 1 : offset + n_reals); the blocks tile the
!> parameters in order. A tag is up to 16 ASCII characters, eight in a word, the first
!> in the lowest byte.
module fmdn_layout
   use fmdn_kinds, only: ip
   use fmdn_status, only: status_invalid_layout, status_newer_file, status_ok, status_unknown_block
   implicit none (type, external)
   private
   public :: block_view, start_layout, append_block, check_layout, get_block, find_block
   public :: tag_of, name_of

   integer(ip), parameter, public :: layout_format = 1
   integer, parameter, public :: header_size = 6
   integer, parameter, public :: block_header_size = 7
   integer, parameter, public :: tag_length = 16

   !> Positions in the header.
   integer, parameter, public :: at_format = 1, at_inputs = 2, at_targets = 3, at_members = 4, &
      at_blocks = 5, at_parameters = 6

   character(len=*), parameter, public :: input_mask_block = "input mask"
   character(len=*), parameter, public :: projection_block = "projection"
   character(len=*), parameter, public :: input_scale_block = "input scale"
   character(len=*), parameter, public :: input_knots_block = "input knots"
   character(len=*), parameter, public :: target_range_block = "target range"
   character(len=*), parameter, public :: target_scale_block = "target scale"
   character(len=*), parameter, public :: member_weights_block = "member weights"
   character(len=*), parameter, public :: network_block = "network"
   character(len=*), parameter, public :: recalibration_block = "recalibration"

   !> Blocks that this version understands; it refuses others that are required.
   character(len=tag_length), parameter, public :: known_blocks(9) = [character(len=tag_length) :: &
      input_mask_block, projection_block, input_scale_block, input_knots_block, &
      target_range_block, target_scale_block, member_weights_block, network_block, &
      recalibration_block]

   !> Where one block lies.
   type :: block_view
      character(len=tag_length) :: name = ""
      integer(ip) :: version = 1
      logical :: required = .true.
      integer(ip) :: n_integers = 0
      integer(ip) :: first_integer = 1  !! position in the layout of its first integer
      integer(ip) :: n_reals = 0
      integer(ip) :: offset = 0         !! number of parameters before its first real
   end type block_view

contains

   !> A layout without blocks.
   pure subroutine start_layout(n_inputs, n_targets, n_members, layout)
      integer, intent(in) :: n_inputs, n_targets, n_members
      integer(ip), allocatable, intent(out) :: layout(:)

      layout = [layout_format, int([n_inputs, n_targets, n_members, 0, 0], ip)]
   end subroutine start_layout

   !> Add a block at the end.
   pure subroutine append_block(layout, name, integers, n_reals, version, required)
      integer(ip), allocatable, intent(inout) :: layout(:)
      character(len=*), intent(in) :: name
      integer(ip), intent(in) :: integers(:), n_reals
      integer(ip), intent(in), optional :: version
      logical, intent(in), optional :: required
      integer(ip) :: head(block_header_size)

      head = [tag_of(name), 1_ip, 1_ip, size(integers, kind=ip), n_reals, layout(at_parameters)]
      if (present(version)) head(3) = version
      if (present(required)) head(4) = merge(1_ip, 0_ip, required)
      layout = [layout, head, integers]
      layout(at_blocks) = layout(at_blocks) + 1
      layout(at_parameters) = layout(at_parameters) + n_reals
   end subroutine append_block

   !> Is this a layout that this version can use, and do its blocks tile `n_parameters` reals?
   !> `trouble` names the unknown block when the status is status_unknown_block.
   pure subroutine check_layout(layout, n_parameters, status, trouble)
      integer(ip), intent(in) :: layout(:), n_parameters
      integer, intent(out) :: status
      character(len=tag_length), intent(out) :: trouble
      type(block_view) :: view
      integer(ip) :: position, parameters_seen, i
      logical :: known

      trouble = ""
      status = status_invalid_layout
      if (size(layout) < header_size) return
      if (layout(at_format) > layout_format) status = status_newer_file
      if (layout(at_format) /= layout_format) return
      if (any(layout(at_inputs:at_members) < 1)) return
      if (any(layout(at_inputs:at_members) > huge(1))) return
      if (layout(at_parameters) /= n_parameters) return
      if (layout(at_blocks) < 1 .or. layout(at_blocks) > size(layout)/block_header_size) return

      position = header_size + 1
      parameters_seen = 0
      do i = 1, layout(at_blocks)
         if (size(layout, kind=ip) - position + 1 < block_header_size) return
         view = view_at(layout, position)
         if (view%version < 1) return
         if (view%n_integers < 0 .or. view%n_integers > size(layout, kind=ip)) return
         if (view%n_reals < 0 .or. view%n_reals > n_parameters - parameters_seen) return
         if (view%offset /= parameters_seen) return
         known = any(known_blocks == view%name) .and. view%version == 1
         if (view%required .and. .not. known) then
            status = status_unknown_block
            trouble = view%name
            return
         end if
         parameters_seen = parameters_seen + view%n_reals
         position = view%first_integer + view%n_integers
         if (position > size(layout, kind=ip) + 1) return
      end do
      if (position /= size(layout, kind=ip) + 1 .or. parameters_seen /= n_parameters) return
      status = status_ok
   end subroutine check_layout

   !> Block number `i` of a layout that check_layout has passed.
   pure function get_block(layout, i) result(view)
      integer(ip), intent(in) :: layout(:), i
      type(block_view) :: view
      integer(ip) :: position, j

      position = header_size + 1
      do j = 1, i
         view = view_at(layout, position)
         position = view%first_integer + view%n_integers
      end do
   end function get_block

   !> The `occurrence`-th block of that name; its name is blank where there is none.
   pure function find_block(layout, name, occurrence) result(view)
      integer(ip), intent(in) :: layout(:)
      character(len=*), intent(in) :: name
      integer, intent(in) :: occurrence
      type(block_view) :: view
      integer(ip) :: position, i, tag(2)
      integer :: seen

      tag = tag_of(name)
      position = header_size + 1
      seen = 0
      do i = 1, layout(at_blocks)
         if (all(layout(position:position + 1) == tag)) seen = seen + 1
         if (seen == occurrence) then
            view = view_at(layout, position)
            return
         end if
         position = position + block_header_size + layout(position + 4)
      end do
      view = block_view()
   end function find_block

   pure function view_at(layout, position) result(view)
      integer(ip), intent(in) :: layout(:), position
      type(block_view) :: view

      view%name = name_of(layout(position:position + 1))
      view%version = layout(position + 2)
      view%required = layout(position + 3) /= 0
      view%n_integers = layout(position + 4)
      view%n_reals = layout(position + 5)
      view%offset = layout(position + 6)
      view%first_integer = position + block_header_size
   end function view_at

   !> A block's name as two words.
   pure function tag_of(name) result(words)
      character(len=*), intent(in) :: name
      integer(ip) :: words(2)
      character(len=tag_length) :: padded
      integer :: i, word

      padded = name
      words = 0
      do i = tag_length, 1, -1
         word = (i + 7)/8
         words(word) = ior(ishft(words(word), 8), int(iand(iachar(padded(i:i)), 127), ip))
      end do
   end function tag_of

   !> Two words as a block's name.
   pure function name_of(words) result(name)
      integer(ip), intent(in) :: words(2)
      character(len=tag_length) :: name
      integer :: i, word

      do i = 1, tag_length
         word = 1 + (i - 1)/8
         name(i:i) = achar(int(iand(ishft(words(word), -8*modulo(i - 1, 8)), 127_ip)))
      end do
   end function name_of

end module fmdn_layout
