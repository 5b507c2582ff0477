!> Reading the committee file of the original Fortran package (Valentine's
!> mixture-density-network): Fortran unformatted records, taken as a stream, so that record markers
!> of 4 and of 8 bytes and both orders of bytes will do. Integers have 4 bytes, reals 8. They are
!>
!>     members, inputs
!>     kernels of each member
!>     of each member: layers | kinds of their units | inputs and units of each layer | parameters
!>     weights of the members
!>     means of the inputs and the target
!>     standard deviations of the inputs and the target
!>
!> The parameters are in the order of fmdn_network. Nothing that the file says of its own sizes is
!> believed before a record of that length is seen to lie inside the file.
module fmdn_legacy_reader
   use fmdn_file_words, only: decimal, detail_length
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, at_parameters, block_view, find_block, input_scale_block, &
      member_weights_block, network_block, start_layout, target_scale_block
   use fmdn_member, only: append_member, max_kernels, max_members, max_units, member_type, &
      new_member
   use fmdn_mixture, only: isotropic
   use fmdn_status, only: status_cannot_open, status_damaged, status_ok, &
      status_out_of_memory, status_truncated
   implicit none (type, external)
   private
   public :: is_legacy_committee, read_legacy_committee

   integer, parameter, public :: linear_units = 1, tanh_units = 2
   integer, parameter, public :: max_layers = 100
   integer, parameter :: values_a_kernel = 3

   !> A file of records. After the first failure nothing more is read.
   type :: record_reader
      integer :: unit = 0
      integer(ip) :: n_bytes = 0  !! of the file
      integer(ip) :: position = 1 !! of the next record
      integer :: marker = 4       !! bytes of the lengths around a record
      logical :: little = .true.  !! are low bytes first?
      integer :: status = status_ok
      character(len=detail_length) :: detail = ""
   end type record_reader

contains

   !> Does a file begin as the original's committees do, with a record of 8 bytes?
   pure function is_legacy_committee(head) result(yes)
      character(len=*), intent(in) :: head !! its first 8 bytes, or all there are
      logical :: yes, little
      integer :: marker

      call record_form(head, marker, little)
      yes = marker > 0
   end function is_legacy_committee

   !> What the first marker looks like tells its length and the order of bytes; 0 where it is none.
   !> With 4 bytes the number of members follows, which is not zero.
   pure subroutine record_form(head, marker, little)
      character(len=*), intent(in) :: head
      integer, intent(out) :: marker
      logical, intent(out) :: little
      character(len=*), parameter :: eight = achar(8), zeros = repeat(achar(0), 8)
      character(len=8) :: bytes

      bytes = head
      little = bytes(1:4) == eight // zeros(1:3)
      marker = 0
      if (len(head) < 4) return
      if (little .or. bytes(1:4) == zeros(1:3) // eight) marker = 4
      if (bytes == eight // zeros(1:7) .or. bytes == zeros(1:7) // eight) marker = 8
   end subroutine record_form

   !> Read a committee. Unless the status is ok, `detail` says what is wrong, and where.
   subroutine read_legacy_committee(path, layout, parameters, status, detail)
      character(len=*), intent(in) :: path
      integer(ip), allocatable, intent(out) :: layout(:)
      real(wp), allocatable, intent(out) :: parameters(:)
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      type(record_reader) :: from
      integer(ip), allocatable :: first_byte(:)

      call open_records(path, from)
      if (from%status == status_ok) then
         call read_sizes(from, layout, first_byte)
         if (from%status == status_ok) call read_numbers(from, layout, first_byte, parameters)
         close (from%unit)
      end if
      status = from%status
      detail = from%detail
   end subroutine read_legacy_committee

   subroutine open_records(path, from)
      character(len=*), intent(in) :: path
      type(record_reader), intent(out) :: from
      character(len=8) :: head
      integer :: trouble, n
      character(len=detail_length) :: message

      open (newunit=from%unit, file=path, access="stream", form="unformatted", action="read", &
         status="old", iostat=trouble, iomsg=message)
      if (trouble /= 0) then
         call fail(from, status_cannot_open, message)
         return
      end if
      inquire (from%unit, size=from%n_bytes)
      n = int(max(0_ip, min(from%n_bytes, int(len(head), ip))))
      call get_bytes(from, 1_ip, head(:n))
      call record_form(head(:n), from%marker, from%little)
      if (from%marker == 0) from%marker = 4 ! then the first record will not do
   end subroutine open_records

   !> Everything but the reals: the committee's layout, and where the records of reals begin.
   subroutine read_sizes(from, layout, first_byte)
      type(record_reader), intent(inout) :: from
      integer(ip), allocatable, intent(out) :: layout(:)
      integer(ip), allocatable, intent(out) :: first_byte(:) !! members' parameters, then scales
      integer, allocatable :: sizes(:), kernels(:)
      type(member_type) :: member
      integer :: n_inputs, k

      call get_integers(from, "numbers of members and inputs", 2_ip, 1, max_units, sizes)
      if (from%status /= status_ok) return
      n_inputs = sizes(2)
      if (sizes(1) > max_members) call fail(from, status_damaged, "record 1: " // &
         decimal(int(sizes(1), ip)) // " members; there are at most " // &
         decimal(int(max_members, ip)))
      call get_integers(from, "kernels of each member", int(sizes(1), ip), 1, max_kernels, kernels)
      if (from%status /= status_ok) return
      allocate (first_byte(size(kernels) + 3))
      call start_layout(n_inputs, 1, size(kernels), layout)
      call append_block(layout, input_scale_block, [integer(ip) ::], 2*int(n_inputs, ip))
      call append_block(layout, target_scale_block, [integer(ip) ::], 2_ip)
      call append_block(layout, member_weights_block, [integer(ip) ::], size(kernels, kind=ip))
      do k = 1, size(kernels)
         call read_member(from, k, n_inputs, kernels(k), member)
         call skip_reals(from, "parameters of member " // decimal(int(k, ip)), &
            member%n_parameters, first_byte(k))
         if (from%status /= status_ok) return
         call append_member(layout, member)
      end do
      call skip_reals(from, "weights of the members", size(kernels, kind=ip), &
         first_byte(size(kernels) + 1))
      call skip_reals(from, "means of inputs and target", n_inputs + 1_ip, &
         first_byte(size(kernels) + 2))
      call skip_reals(from, "standard deviations of inputs and target", n_inputs + 1_ip, &
         first_byte(size(kernels) + 3))
      if (from%position <= from%n_bytes) call fail(from, status_damaged, "byte " // &
         decimal(from%position) // ": expected the end of the file")
   end subroutine read_sizes

   subroutine read_member(from, k, n_inputs, n_kernels, member)
      type(record_reader), intent(inout) :: from
      integer, intent(in) :: k, n_inputs, n_kernels
      type(member_type), intent(out) :: member
      integer, allocatable :: n_layers(:), kinds(:), widths(:)
      character(len=:), allocatable :: name

      name = " of member " // decimal(int(k, ip))
      call get_integers(from, "number of layers" // name, 1_ip, 2, max_layers, n_layers)
      if (from%status /= status_ok) return
      call get_integers(from, "kinds of the layers" // name, int(n_layers(1), ip), linear_units, &
         tanh_units, kinds)
      call get_integers(from, "widths of the layers" // name, n_layers(1) + 1_ip, 1, max_units, &
         widths)
      if (from%status /= status_ok) return
      associate (n => n_layers(1))
         if (any(kinds(:n - 1) /= tanh_units) .or. kinds(n) /= linear_units) call fail(from, &
            status_damaged, "layers" // name // ": expected tanh (2), and linear (1) as the last")
         if (any(widths([1, n + 1]) /= [n_inputs, values_a_kernel*n_kernels])) call fail(from, &
            status_damaged, "layers" // name // ": expected " // decimal(int(n_inputs, ip)) // &
            " inputs and " // decimal(int(values_a_kernel*n_kernels, ip)) // " outputs, found " // &
            decimal(int(widths(1), ip)) // " and " // decimal(int(widths(n + 1), ip)))
         if (from%status /= status_ok) return
         member = new_member(n_inputs, widths(2:n), isotropic, 1, n_kernels, .false.)
      end associate
   end subroutine read_member

   !> The reals, where the layout wants them.
   subroutine read_numbers(from, layout, first_byte, parameters)
      type(record_reader), intent(inout) :: from
      integer(ip), intent(in) :: layout(:), first_byte(:)
      real(wp), allocatable, intent(out) :: parameters(:)
      type(block_view) :: inputs, target, weights, network
      integer :: k, n, trouble

      allocate (parameters(layout(at_parameters)), stat=trouble)
      if (trouble /= 0) then
         call fail(from, status_out_of_memory, decimal(layout(at_parameters)) // " parameters")
         return
      end if
      n = size(first_byte) - 3
      do k = 1, n
         network = find_block(layout, network_block, k)
         call get_reals(from, "parameters of member " // decimal(int(k, ip)), first_byte(k), &
            parameters(network%offset + 1:network%offset + network%n_reals))
      end do
      inputs = find_block(layout, input_scale_block, 1)
      target = find_block(layout, target_scale_block, 1)
      weights = find_block(layout, member_weights_block, 1)
      associate (n_inputs => inputs%n_reals/2, &
            w => parameters(weights%offset + 1:weights%offset + n))
         call get_reals(from, "weights of the members", first_byte(n + 1), w)
         associate (of_inputs => parameters(inputs%offset + 1:inputs%offset + 2*n_inputs), &
               of_target => parameters(target%offset + 1:target%offset + 2))
            call get_reals(from, "means", first_byte(n + 2), of_inputs(:n_inputs))
            call get_reals(from, "means", first_byte(n + 2) + 8*n_inputs, of_target(1:1))
            call get_reals(from, "standard deviations", first_byte(n + 3), &
               of_inputs(n_inputs + 1:))
            call get_reals(from, "standard deviations", first_byte(n + 3) + 8*n_inputs, &
               of_target(2:2))
            if (from%status /= status_ok) return
            if (.not. all(w >= 0) .or. abs(sum(w) - 1) > 1.0e-6_wp) call fail(from, &
               status_damaged, "weights of the members: expected positive ones of sum 1")
            if (.not. (all(of_inputs(n_inputs + 1:) > 0) .and. of_target(2) > 0)) call fail(from, &
               status_damaged, "standard deviations: expected positive ones")
         end associate
      end associate
   end subroutine read_numbers

   !> See that a record of so many bytes comes next, whole; `first` is the first of them.
   subroutine take_record(from, what, n_bytes, first)
      type(record_reader), intent(inout) :: from
      character(len=*), intent(in) :: what
      integer(ip), intent(in) :: n_bytes
      integer(ip), intent(out) :: first
      integer(ip) :: length

      first = from%position + from%marker
      if (from%status /= status_ok) return
      if (first - 1 > from%n_bytes) then
         call fail(from, status_truncated, "it ends before the " // what)
         return
      end if
      length = marker_at(from, from%position)
      if (length /= n_bytes) then
         call fail(from, status_damaged, "byte " // decimal(from%position) // &
            ": expected a record of " // decimal(n_bytes) // " bytes (" // what // &
            "), found one of " // decimal(length))
      else if (from%n_bytes - first + 1 < n_bytes + from%marker) then
         call fail(from, status_truncated, "it ends within the " // what)
      else if (marker_at(from, first + n_bytes) /= n_bytes) then
         call fail(from, status_damaged, "byte " // decimal(first + n_bytes) // &
            ": expected the end of the record (" // what // ")")
      end if
      from%position = first + n_bytes + from%marker
   end subroutine take_record

   function marker_at(from, position) result(length)
      type(record_reader), intent(inout) :: from
      integer(ip), intent(in) :: position
      integer(ip) :: length
      character(len=from%marker) :: bytes

      call get_bytes(from, position, bytes)
      length = decoded(bytes, from%little)
   end function marker_at

   !> A record of n integers between two bounds.
   subroutine get_integers(from, what, n, least, most, values)
      type(record_reader), intent(inout) :: from
      character(len=*), intent(in) :: what
      integer(ip), intent(in) :: n
      integer, intent(in) :: least, most
      integer, allocatable, intent(out) :: values(:)
      character(len=4) :: bytes
      integer(ip) :: first, i
      integer :: trouble

      call take_record(from, what, 4*n, first)
      if (from%status /= status_ok) return
      allocate (values(n), stat=trouble)
      if (trouble /= 0) then
         call fail(from, status_out_of_memory, what)
         return
      end if
      do i = 1, n
         call get_bytes(from, first + 4*(i - 1), bytes)
         values(i) = int(decoded(bytes, from%little))
         if (values(i) >= least .and. values(i) <= most) cycle
         call fail(from, status_damaged, "byte " // decimal(first + 4*(i - 1)) // " (" // what // &
            "): expected " // decimal(int(least, ip)) // " to " // decimal(int(most, ip)) // &
            ", found " // decimal(int(values(i), ip)))
      end do
   end subroutine get_integers

   subroutine skip_reals(from, what, n, first)
      type(record_reader), intent(inout) :: from
      character(len=*), intent(in) :: what
      integer(ip), intent(in) :: n
      integer(ip), intent(out) :: first

      call take_record(from, what, 8*n, first)
   end subroutine skip_reals

   !> Reals from a byte on, which lie inside the file; finite ones.
   subroutine get_reals(from, what, first, values)
      type(record_reader), intent(inout) :: from
      character(len=*), intent(in) :: what
      integer(ip), intent(in) :: first
      real(wp), intent(inout) :: values(:)
      integer(ip), parameter :: exponent = shiftl(2047_ip, 52) ! all ones: not finite
      integer, parameter :: block = 512
      character(len=8*block) :: bytes
      integer(ip) :: start, i, bits
      integer :: n

      do start = 1, size(values, kind=ip), block
         n = int(min(int(block, ip), size(values, kind=ip) - start + 1))
         call get_bytes(from, first + 8*(start - 1), bytes(:8*n))
         if (from%status /= status_ok) return
         do i = 1, n
            bits = decoded(bytes(8*i - 7:8*i), from%little)
            if (iand(bits, exponent) == exponent) then
               call fail(from, status_damaged, "byte " // &
                  decimal(first + 8*(start + i - 2)) // " (" // what // "): NaN or infinite")
               return
            end if
            values(start + i - 1) = transfer(bits, 1.0_wp)
         end do
      end do
   end subroutine get_reals

   subroutine get_bytes(from, position, bytes)
      type(record_reader), intent(inout) :: from
      integer(ip), intent(in) :: position
      ! allow(C072): as many as are wanted
      character(len=*), intent(inout) :: bytes
      integer :: trouble
      character(len=detail_length) :: message

      if (from%status /= status_ok) return
      read (from%unit, pos=position, iostat=trouble, iomsg=message) bytes
      if (trouble /= 0) call fail(from, status_cannot_open, message)
   end subroutine get_bytes

   !> Bytes as a number with a sign.
   pure function decoded(bytes, little) result(number)
      character(len=*), intent(in) :: bytes !! 4 or 8 of them
      logical, intent(in) :: little
      integer(ip) :: number
      integer :: i

      number = 0
      do i = 1, len(bytes)
         associate (at => merge(len(bytes) + 1 - i, i, little))
            number = ior(shiftl(number, 8), ichar(bytes(at:at), ip))
         end associate
      end do
      if (len(bytes) == 4) number = shifta(shiftl(number, 32), 32)
   end function decoded

   pure subroutine fail(from, status, detail)
      type(record_reader), intent(inout) :: from
      integer, intent(in) :: status
      character(len=*), intent(in) :: detail

      if (from%status /= status_ok) return
      from%status = status
      from%detail = detail
   end subroutine fail

end module fmdn_legacy_reader
