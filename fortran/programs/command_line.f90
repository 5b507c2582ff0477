!> Command lines as GNU programs take them: -n 25, -n25, --name=25, --name 25, options and arguments
!> in any order, long names cut where they stay unique, and -- before arguments that begin with -.
module program_command_line
   use, intrinsic :: iso_fortran_env, only: error_unit, output_unit
   use fmdn_decimals, only: get_number
   use fmdn_kinds, only: ip, wp
   implicit none (type, external)
   private
   public :: option, command_line, fail, warn

   integer, parameter, public :: longest_value = 4096
   integer, parameter :: name_width = 26

   type :: option
      character(len=1) :: short     !! blank: none
      character(len=16) :: name
      character(len=8) :: argument  !! what follows it; blank: nothing does
      character(len=12) :: default  !! blank: none, or said by the meaning
      character(len=64) :: meaning  !! blank: another spelling of the next one
   end type option

   type :: command_line
      character(len=:), allocatable :: program_name, usage
      type(option), allocatable :: options(:)
      logical, allocatable :: given(:)
      character(len=longest_value), allocatable :: values(:)
      character(len=longest_value), allocatable :: arguments(:)
   contains
      procedure :: parse
      procedure :: has
      procedure :: text
      procedure :: whole_number
      procedure :: real_number
   end type command_line

contains

   !> Take the command line apart. A wrong one ends the program; so does --help.
   subroutine parse(self, n_arguments)
      class(command_line), intent(inout) :: self
      integer, intent(in) :: n_arguments !! that there have to be
      character(len=longest_value) :: word
      integer :: i, length, n_words
      logical :: ended

      allocate (self%given(size(self%options)), source=.false.)
      self%values = [character(len=longest_value) :: self%options%default]
      allocate (self%arguments(0))
      ended = .false.
      n_words = command_argument_count()
      i = 0
      do while (i < n_words)
         i = i + 1
         call get_command_argument(i, word, length)
         if (length > longest_value) call fail(self%program_name, "an argument is too long")
         if (ended .or. word(1:1) /= "-" .or. length < 2) then
            self%arguments = [character(len=longest_value) :: self%arguments, word]
         else if (word == "--") then
            ended = .true.
         else if (word(1:2) == "--") then
            call take_long(self, word(3:length), i)
         else
            call take_short(self, word(2:length), i)
         end if
      end do
      if (self%has("help")) then
         call print_help(self, output_unit)
         stop
      end if
      if (size(self%arguments) == n_arguments) return
      call print_help(self, error_unit)
      stop 2, quiet=.true.
   end subroutine parse

   subroutine take_long(self, word, i)
      class(command_line), intent(inout) :: self
      character(len=*), intent(in) :: word
      integer, intent(inout) :: i !! number of the word, or of the value behind it
      character(len=:), allocatable :: name
      integer :: equals, which, j

      equals = index(word, "=")
      if (equals == 0) equals = len(word) + 1
      name = word(:equals - 1)
      which = place(self, name)
      if (which == 0) then
         do j = 1, size(self%options)
            if (index(self%options(j)%name, name) /= 1) cycle
            if (which > 0) call refuse(self, "--" // name // " may be any of several options")
            which = j
         end do
      end if
      if (which == 0) call refuse(self, "there is no option --" // name)
      if (equals > len(word)) then
         call set_next(self, which, "--" // name, i)
      else if (self%options(which)%argument == "") then
         call refuse(self, "--" // name // " takes no value")
      else
         call set(self, which, word(equals + 1:))
      end if
   end subroutine take_long

   subroutine take_short(self, word, i)
      class(command_line), intent(inout) :: self
      character(len=*), intent(in) :: word
      integer, intent(inout) :: i
      integer :: at, which

      do at = 1, len(word)
         do which = size(self%options), 1, -1
            if (self%options(which)%short == word(at:at)) exit
         end do
         if (which == 0) call refuse(self, "there is no option -" // word(at:at))
         if (self%options(which)%argument == "") then
            self%given(which) = .true.
         else if (at < len(word)) then
            call set(self, which, word(at + 1:))
            return
         else
            call set_next(self, which, "-" // word(at:at), i)
         end if
      end do
   end subroutine take_short

   !> The value of an option is the next word, whatever that begins with.
   subroutine set_next(self, which, name, i)
      class(command_line), intent(inout) :: self
      integer, intent(in) :: which
      character(len=*), intent(in) :: name
      integer, intent(inout) :: i
      character(len=longest_value) :: word
      integer :: length

      self%given(which) = .true.
      if (self%options(which)%argument == "") return
      if (i == command_argument_count()) call refuse(self, name // " needs a value")
      i = i + 1
      call get_command_argument(i, word, length)
      if (length > longest_value) call fail(self%program_name, "an argument is too long")
      call set(self, which, word(:length))
   end subroutine set_next

   subroutine set(self, which, value)
      class(command_line), intent(inout) :: self
      integer, intent(in) :: which
      character(len=*), intent(in) :: value
      integer :: meant

      meant = which
      if (self%options(which)%meaning == "") meant = which + 1
      self%given(meant) = .true.
      self%values(meant) = value
   end subroutine set

   pure function place(self, name) result(which)
      class(command_line), intent(in) :: self
      character(len=*), intent(in) :: name
      integer :: which

      do which = size(self%options), 1, -1
         if (self%options(which)%name == name) return
      end do
   end function place

   !> Was the option given?
   pure function has(self, name) result(yes)
      class(command_line), intent(in) :: self
      character(len=*), intent(in) :: name
      logical :: yes

      yes = self%given(place(self, name))
   end function has

   !> The value of an option, its default where it was not given.
   pure function text(self, name) result(value)
      class(command_line), intent(in) :: self
      character(len=*), intent(in) :: name
      character(len=:), allocatable :: value

      value = trim(self%values(place(self, name)))
   end function text

   !> The value as an integer that is at least `least`.
   function whole_number(self, name, least) result(value)
      class(command_line), intent(in) :: self
      character(len=*), intent(in) :: name
      integer, intent(in) :: least
      integer :: value, trouble
      character(len=:), allocatable :: word

      word = self%text(name)
      trouble = verify(word, "+-0123456789")
      if (word == "") trouble = 1
      if (trouble == 0) read (word, "(i40)", iostat=trouble) value
      if (trouble /= 0) call refuse(self, "--" // name // " must be a whole number, not '" // &
         word // "'")
      if (value < least) call refuse(self, "--" // name // " is too small: " // word)
   end function whole_number

   !> The value as a real number.
   function real_number(self, name) result(value)
      class(command_line), intent(in) :: self
      character(len=*), intent(in) :: name
      real(wp) :: value
      integer(ip) :: behind
      character(len=:), allocatable :: word

      word = self%text(name)
      call get_number(word, 1_ip, value, behind)
      if (behind /= len(word) + 1 .or. word == "") call refuse(self, "--" // name // &
         " must be a number, not '" // word // "'")
   end function real_number

   subroutine print_help(self, unit)
      class(command_line), intent(in) :: self
      integer, intent(in) :: unit
      character(len=:), allocatable :: names
      integer :: i

      write (unit, "(a)") self%usage, ""
      do i = 1, size(self%options)
         associate (this => self%options(i))
            if (this%meaning == "") cycle
            names = "      --" // trim(this%name)
            if (this%short /= "") names = "  -" // this%short // ", --" // trim(this%name)
            if (this%argument /= "") names = names // "=" // trim(this%argument)
            names = names // repeat(" ", max(2, name_width + 4 - len(names))) // trim(this%meaning)
            if (this%default /= "") names = names // " (" // trim(this%default) // ")"
            write (unit, "(a)") names
         end associate
      end do
   end subroutine print_help

   subroutine refuse(self, message)
      class(command_line), intent(in) :: self
      character(len=*), intent(in) :: message

      call fail(self%program_name, message // "; " // self%program_name // " --help lists them all")
   end subroutine refuse

   !> Say what is wrong and end with status 2.
   subroutine fail(program_name, message)
      character(len=*), intent(in) :: program_name, message

      write (error_unit, "(a)") program_name // ": " // trim(message)
      stop 2, quiet=.true.
   end subroutine fail

   subroutine warn(program_name, message)
      character(len=*), intent(in) :: program_name, message

      write (error_unit, "(a)") program_name // ": " // trim(message)
   end subroutine warn

end module program_command_line
