!> The model file: exact, whole or not at all, and every bad file refused with a clear reason.
program test_file
   use, intrinsic :: ieee_arithmetic, only: ieee_get_halting_mode, ieee_overflow, &
      ieee_positive_inf, ieee_quiet_nan, ieee_support_halting, ieee_value
   use, intrinsic :: iso_c_binding, only: c_int, c_intptr_t
   use fmdn_check, only: check, finish
   use fmdn_file, only: checksum_of, detail_length, model_contents, read_model, write_model
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, find_block, block_view, input_scale_block, &
      member_weights_block, network_block, start_layout, target_scale_block
   use fmdn_status, only: status_cannot_open, status_cannot_write, status_damaged, &
      status_invalid_argument, status_invalid_layout, status_newer_file, status_not_a_model, &
      status_not_finite, status_ok, status_truncated, status_unknown_block
   implicit none (type, external)

   interface
      function fmdn_process_id() result(id) bind(c)
         import :: c_int
         implicit none (type, external)
         integer(c_int) :: id
      end function fmdn_process_id

      function signal(number, action) result(before) bind(c)
         import :: c_int, c_intptr_t
         implicit none (type, external)
         integer(c_int), value :: number
         integer(c_intptr_t), value :: action
         integer(c_intptr_t) :: before
      end function signal
   end interface

   character(len=*), parameter :: path = "test_file.mdn", lf = achar(10), cr = achar(13)
   character(len=*), parameter :: lambda = char(206) // char(187)
   integer, parameter :: checksum_line = 26
   character(len=:), allocatable :: good
   character(len=20) :: argument

   call get_command_argument(1, argument)
   if (argument == "limited") then
      call write_with_little_space()
   else
      call test_checksum()
      call test_golden()
      call test_identity()
      call test_refused_on_writing()
      call test_kept_on_failure()
      call test_full_disk()
      good = bytes_of_example()
      call test_no_file()
      call test_first_line()
      call test_truncated()
      call test_changed_bytes()
      call test_unknown_blocks()
      call test_hostile()
      call test_free_form()
      call test_resealed()
      call test_random_bytes()
      call remove(path)
      call finish()
   end if

contains

   subroutine test_checksum()
      !> Published values of FNV-1a 64.
      call check(checksum_of("") == "CBF29CE484222325", "FNV-1a of nothing")
      call check(checksum_of("a") == "AF63DC4C8601EC8C", "FNV-1a of a")
      call check(checksum_of("foobar") == "85944171F73967E8", "FNV-1a of foobar")
   end subroutine test_checksum

   subroutine test_golden()
      !> The file of the documentation, byte for byte: what version 1 is does not change.
      character(len=:), allocatable :: bytes
      type(model_contents) :: one
      integer(ip), allocatable :: layout(:)
      integer :: status
      character(len=detail_length) :: detail

      call start_layout(1, 1, 1, layout)
      call append_block(layout, input_scale_block, [integer(ip) ::], 2_ip)
      call append_block(layout, target_scale_block, [integer(ip) ::], 2_ip)
      call append_block(layout, member_weights_block, [integer(ip) ::], 1_ip)
      call append_block(layout, network_block, [1_ip, 1_ip, 0_ip, 1_ip, 1_ip], 8_ip)
      bytes = "fmdn model 1" // lf // &
         "committees 1" // lf // &
         lf // &
         "committee 9 magnitude" // lf // &
         "inputs 1 targets 1 members 1 blocks 4" // lf // &
         "text 17" // lf // &
         '{"units": ["km"]}' // lf // &
         'block "input scale" version 1 required integers 0 reals 2' // lf // &
         "  0.0000000000000000E+000  1.0000000000000000E+000" // lf // &
         'block "target scale" version 1 required integers 0 reals 2' // lf // &
         " -6.5000000000000000E+000  1.0000000000000001E-001" // lf // &
         'block "member weights" version 1 required integers 0 reals 1' // lf // &
         "  1.0000000000000000E+000" // lf // &
         'block "network" version 1 required integers 5 reals 8' // lf // &
         "1 1 0 1 1" // lf // &
         "  1.0000000000000000E+000  2.0000000000000000E+000" // &
         "  3.0000000000000000E+000  4.0000000000000000E+000" // lf // &
         "  5.0000000000000000E+000  6.0000000000000000E+000" // &
         "  7.0000000000000000E+000  8.0000000000000000E+000" // lf // &
         lf // &
         "checksum E50FEC2141C12553" // lf
      call write_bytes(bytes)
      call read_model(path, one, status, detail)
      call check(status == status_ok, "golden file is read: " // trim(detail))
      if (status /= status_ok) return
      call check(one%names == "magnitude", "golden name")
      call check(one%text == '{"units": ["km"]}', "golden text")
      call check(same(one%layout, layout), "golden layout")
      call check(same_bits(one%parameters, [0.0_wp, 1.0_wp, -6.5_wp, 0.1_wp, 1.0_wp, &
         1.0_wp, 2.0_wp, 3.0_wp, 4.0_wp, 5.0_wp, 6.0_wp, 7.0_wp, 8.0_wp]), "golden parameters")
      call write_contents(one, status, detail)
      call check(status == status_ok, "golden file is written")
      call check(read_bytes() == bytes, "golden file is written byte for byte")
   end subroutine test_golden

   subroutine test_identity()
      !> Several committees, extreme numbers, bytes of all kinds: everything comes back bit for bit.
      type(model_contents) :: in, out
      integer :: status
      character(len=detail_length) :: detail

      in = example()
      call check(any(in%parameters < 0) .and. any(abs(in%parameters) > 0 .and. &
         abs(in%parameters) < tiny(1.0_wp)), "the example holds subnormal numbers")
      call write_contents(in, status, detail)
      call check(status == status_ok .and. detail == "", "example is written: " // trim(detail))
      call read_model(path // "  ", out, status, detail)
      call check(status == status_ok .and. detail == "", "example is read: " // trim(detail))
      call check(same_contents(in, out), "example is the same bit for bit")
      call check(.not. temporary_left(path), "no temporary file is left")
   end subroutine test_identity

   subroutine test_refused_on_writing()
      !> What could not be read back is not written, and the file there stays as it is.
      character(len=*), parameter :: old = "an old file"
      type(model_contents) :: bad
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(old)
      bad = example()
      bad%parameters(7) = ieee_value(1.0_wp, ieee_quiet_nan)
      call refuse(bad, status_not_finite, "committee 1: parameter 7", "NaN")
      bad%parameters(7) = 0
      bad%parameters(size(bad%parameters)) = -ieee_value(1.0_wp, ieee_positive_inf)
      call refuse(bad, status_not_finite, "committee 3: parameter", "infinity")
      bad = example()
      bad%sizes(3, 2) = bad%sizes(3, 2) + 1
      call refuse(bad, status_invalid_argument, "sizes", "sizes that do not add up")
      bad%sizes(3, :) = huge(1_ip)
      call refuse(bad, status_invalid_argument, "sizes", "enormous sizes")
      bad%sizes(3, :) = -1
      call refuse(bad, status_invalid_argument, "sizes", "negative sizes")
      bad = example()
      bad%sizes = bad%sizes(:, 1:0)
      call refuse(bad, status_invalid_argument, "sizes", "no committee")
      bad = example()
      bad%layout(6) = bad%layout(6) + 1
      call refuse(bad, status_invalid_layout, "committee 1", "blocks that do not tile")
      bad = example()
      bad%layout(7) = ior(bad%layout(7), 128_ip)
      call refuse(bad, status_invalid_layout, "block 1", "a tag that is not ASCII")
      bad = example()
      bad%layout(9) = -1
      call refuse(bad, status_invalid_layout, "committee 1", "a negative version")
      bad = example()
      bad%layout(10) = 2
      call refuse(bad, status_invalid_layout, "block 1", "neither required nor optional")
      bad = example(optional_name='a "quoted" name')
      call refuse(bad, status_invalid_layout, "block 4", "quotes in the name of a block")
      bad = example(optional_name="")
      call refuse(bad, status_invalid_layout, "block 4", "a block without a name")
      bad = example(optional_is_required=.true.)
      call refuse(bad, status_unknown_block, '"novelty"', "an unknown required block")
      call check(read_bytes() == old, "the old file is untouched after all refusals")

      call write_contents(example(), status, detail)
      call check(status == status_ok, "then it is replaced: " // trim(detail))
      call check(read_bytes() /= old, "by something else")
   end subroutine test_refused_on_writing

   subroutine refuse(bad, expected, words, name)
      type(model_contents), intent(in) :: bad
      integer, intent(in) :: expected
      character(len=*), intent(in) :: words, name
      character(len=detail_length) :: detail
      integer :: status

      call write_contents(bad, status, detail)
      call check(status == expected, name // " is refused")
      call check(index(detail, words) > 0, name // " is named: " // trim(detail))
   end subroutine refuse

   subroutine test_kept_on_failure()
      !> A target that cannot be written is an error that leaves nothing behind.
      type(model_contents) :: in
      character(len=detail_length) :: detail
      integer :: status

      in = example()
      call write_bytes("an old file")
      call write_contents(in, status, detail, "no/such/folder/model.mdn")
      call check(status == status_cannot_write .and. detail /= "", "a folder that is not there")
      call write_contents(in, status, detail, path // "/model.mdn")
      call check(status == status_cannot_write .and. detail /= "", "a file in place of a folder")
      call write_contents(in, status, detail, "")
      call check(status == status_cannot_write .and. detail /= "", "an empty path")
      call check(.not. temporary_left(""), "an empty path leaves nothing behind")
      call write_contents(in, status, detail, ".")
      call check(status == status_cannot_write .and. detail /= "", "a folder as target")
      call check(.not. temporary_left("."), "a folder as target leaves nothing behind")
      call check(read_bytes() == "an old file", "the old file is untouched")

      if (.not. succeeds('test "$(id -u)" != 0')) return ! root may write everywhere
      call check(succeeds("mkdir test_file.dir && chmod 555 test_file.dir"), "make a folder")
      call write_contents(in, status, detail, "test_file.dir/model.mdn")
      call check(status == status_cannot_write .and. detail /= "", "a folder without permission")
      call check(succeeds("rmdir test_file.dir"), "remove the folder")
      call check(succeeds("chmod 000 " // path), "take away the permission")
      call read_model(path, in, status, detail)
      call check(status == status_cannot_open .and. detail /= "", "a file without permission")
      call check(succeeds("chmod 644 " // path), "give back the permission")
   end subroutine test_kept_on_failure

   subroutine test_full_disk()
      !> A limit on the size of a file acts like a full disk: the same program, run with one.
      character(len=*), parameter :: limit = "ulimit -f 1"
      character(len=500) :: program_name

      if (.not. succeeds(limit)) return ! not a POSIX shell
      call write_bytes("an old file")
      call get_command_argument(0, program_name)
      call check(succeeds(limit // "; '" // trim(program_name) // "' limited"), &
         "a full disk is reported and leaves nothing behind")
      call check(read_bytes() == "an old file", "a full disk leaves the old file untouched")
   end subroutine test_full_disk

   subroutine write_with_little_space()
      !> Runs in a process of its own, which exits with an error unless the write fails cleanly.
      type(model_contents) :: in
      character(len=detail_length) :: detail
      integer :: status
      integer(c_intptr_t) :: before
      integer(c_int), parameter :: sigxfsz = 25
      integer(c_intptr_t), parameter :: sig_ign = 1

      before = signal(sigxfsz, sig_ign) ! an error then, not the end of the process
      if (before == -1) error stop 3
      in = example(n_hidden=200)
      call write_contents(in, status, detail)
      if (status /= status_cannot_write .or. detail == "") error stop 1
      if (temporary_left(path)) error stop 2
   end subroutine write_with_little_space

   subroutine test_no_file()
      call refuse_path("no_such_file.mdn", status_cannot_open, "a file that is not there")
      call refuse_path("no/such/model.mdn", status_cannot_open, "a folder that is not there")
      call refuse_path(".", status_cannot_open, "a folder")
      call refuse_path("", status_cannot_open, "an empty path")
   end subroutine test_no_file

   subroutine refuse_path(where, expected, name)
      character(len=*), intent(in) :: where, name
      integer, intent(in) :: expected
      type(model_contents) :: out
      character(len=detail_length) :: detail
      integer :: status

      call read_model(where, out, status, detail)
      call check(status == expected .and. detail /= "", name // " cannot be opened")
   end subroutine refuse_path

   subroutine test_first_line()
      integer :: i
      character(len=:), allocatable :: windows

      call refuse_bytes("", status_truncated, "empty", "an empty file")
      call refuse_bytes("hello", status_not_a_model, "first line", "another short file")
      call refuse_bytes(repeat("hello", 100), status_not_a_model, "first line", "another file")
      call refuse_bytes("fmdn model " // repeat("1", 1000), status_not_a_model, "first line", &
         "a long first line")
      call refuse_bytes(replaced("model 1", "model x"), status_not_a_model, "version", "no number")
      call refuse_bytes(replaced("model 1", "model 0"), status_not_a_model, "version", "version 0")
      call refuse_bytes(replaced("model 1", "model -1"), status_not_a_model, "version", "negative")
      call refuse_bytes(replaced("model 1", "model 2"), status_newer_file, "version 2", "version 2")
      call refuse_bytes("fmdn model 17" // lf // "quite another format", status_newer_file, &
         "version 17", "version 17")
      windows = ""
      do i = 1, len(good)
         if (good(i:i) == lf) windows = windows // cr
         windows = windows // good(i:i)
      end do
      call refuse_bytes(windows, status_damaged, "Windows", "Windows line ends")
   end subroutine test_first_line

   subroutine test_truncated()
      type(model_contents) :: out
      character(len=detail_length) :: detail
      integer :: i, status, n_wrong

      n_wrong = 0
      do i = 0, len(good) - 1
         call write_bytes(good(:i))
         call read_model(path, out, status, detail)
         if (status /= status_truncated .or. detail == "" .or. allocated(out%sizes)) then
            n_wrong = n_wrong + 1
         end if
      end do
      call check(n_wrong == 0, "cut off after every byte")
      call refuse_bytes(good // lf, status_truncated, "last line", "a byte too many")
      call refuse_bytes(good // good, status_damaged, "checksum", "two files in one")
   end subroutine test_truncated

   subroutine test_changed_bytes()
      !> FNV-1a notices every change of one byte: a step is one to one in the hash and in the byte.
      type(model_contents) :: out
      character(len=detail_length) :: detail
      character(len=:), allocatable :: bad
      integer, parameter :: flips(3) = [1, 32, 128]
      integer :: i, j, status, n_wrong

      n_wrong = 0
      do i = 1, len(good)
         do j = 1, size(flips)
            bad = good
            bad(i:i) = char(ieor(ichar(bad(i:i)), flips(j)))
            call write_bytes(bad)
            call read_model(path, out, status, detail)
            if (i <= len("fmdn model 1" // lf)) then
               if (status == status_ok) n_wrong = n_wrong + 1
            else if (i <= len(good) - checksum_line) then
               if (status /= status_damaged) n_wrong = n_wrong + 1
            else if (.not. same_digit(bad(i:i), good(i:i))) then
               if (status == status_ok) n_wrong = n_wrong + 1
            end if
         end do
      end do
      call check(n_wrong == 0, "every byte changed")
   end subroutine test_changed_bytes

   subroutine test_unknown_blocks()
      !> An optional one is carried through, a required one refused by its name.
      type(model_contents) :: out
      type(block_view) :: view
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(good)
      call read_model(path, out, status, detail)
      call check(status == status_ok, "an unknown optional block is read")
      view = find_block(out%layout(:out%sizes(2, 1)), "novelty", 1)
      call check(view%name == "novelty" .and. view%version == 3 .and. .not. view%required, &
         "an unknown optional block keeps its head")
      call check(view%n_integers == 3 .and. view%n_reals == 6, "and its sizes")
      call write_contents(out, status, detail)
      call check(status == status_ok, "an unknown optional block is written")
      call check(read_bytes() == good, "an unknown optional block is carried through")
      call refuse_bytes(replaced("3 optional", "3 required"), status_unknown_block, &
         'committee 1 needs block "novelty"', "an unknown required block")
   end subroutine test_unknown_blocks

   subroutine test_hostile()
      !> Right checksum, wrong content: refused where it is wrong, before any memory is asked for.
      character(len=*), parameter :: counts(7) = [character(len=21) :: "-1", "9", "", "x", &
         "999999999999999999", "9223372036854775807", "18446744073709551617"]
      character(len=:), allocatable :: count
      integer :: i

      do i = 1, size(counts)
         count = trim(counts(i))
         call refuse_damaged("committees 3", "committees " // count, "line")
         call refuse_damaged("committee 10 ", "committee " // count // " ", "line 4 ")
         call refuse_damaged("targets 1 ", "targets -" // count // " ", "line 5 ")
         call refuse_damaged("blocks 5", "blocks " // count, "line")
         call refuse_damaged("text 30", "text " // count, "line")
         call refuse_damaged("integers 5 ", "integers " // count // " ", "line")
         call refuse_damaged("reals 6", "reals " // count, "line")
      end do
      call refuse_damaged("integers 5 ", "integers 400 ", "line")
      call refuse_damaged("reals 6", "reals 600", "line")
      call refuse_damaged("-9223372036854775807", "-9223372036854775809", "integer of 64 bits")
      call refuse_damaged("-9223372036854775807", "-922337203685477580.", "integer of 64 bits")
      call refuse_damaged("-9223372036854775807", "-922-337203685477580", "integer of 64 bits")
      call refuse_damaged("1.7976931348623157E+308", "1.7976931348623159E+308", "finite real")
      call refuse_damaged("1.7976931348623157E+308", "1.7976931348623157E+999", "finite real")
      call refuse_damaged("1.7976931348623157E+308", "Inf", "finite real")
      call refuse_damaged("1.7976931348623157E+308", "NaN", "finite real")
      call refuse_damaged("1.7976931348623157E+308", "1.7.76931348623157E+308", "finite real")
      call refuse_damaged("1.7976931348623157E+308", repeat("1", 41), "a number")
      call refuse_damaged("1.7976931348623157E+308", "", "line")
      call refuse_damaged("1.7976931348623157E+308", "1 1", "line")
      call refuse_damaged("1.7976931348623157E+308", lf // cr, "finite real")
      call refuse_damaged('"input scale"', '""', "name of a block")
      call refuse_damaged('"input scale"', '"input scale of all"', "name of a block")
      call refuse_damaged('"input scale"', '"input' // achar(9) // 'scale"', "name of a block")
      call refuse_damaged('"input scale"', "input scale", 'expected "block "')
      call refuse_damaged("required", "Required", 'expected " required"')
      call refuse_bytes("fmdn model 1" // lf // sealed("fmdn model 1" // lf), status_damaged, &
         "", "a checksum alone")
      call refuse_bytes(sealed("fmdn model 1" // lf), status_damaged, "line 2 ", "nothing inside")
      call refuse_bytes(sealed(good(:len(good) - checksum_line) // "x"), status_damaged, &
         "end of the last committee", "something after the last committee")
   end subroutine test_hostile

   subroutine refuse_damaged(old, new, words)
      character(len=*), intent(in) :: old, new, words

      call refuse_bytes(replaced(old, new), status_damaged, words, new // " for " // old)
   end subroutine refuse_damaged

   subroutine test_free_form()
      !> Numbers and checksums as other programs write them.
      type(model_contents) :: in, out
      character(len=:), allocatable :: bytes
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(good)
      call read_model(path, in, status, detail)
      bytes = good
      bytes = replaced("1.7976931348623157E+308", lf // "17976931348623157e292", bytes)
      bytes = replaced("4.9406564584124654E-324", "+5e-324", bytes)
      bytes = replaced(" 0.0000000000000000E+000", " 0", bytes)
      bytes = replaced("-0.0000000000000000E+000", "-0.", bytes)
      bytes = bytes(:len(bytes) - 17) // lower(bytes(len(bytes) - 16:))
      call write_bytes(bytes)
      call read_model(path, out, status, detail)
      call check(status == status_ok, "free form is read: " // trim(detail))
      if (status == status_ok) call check(same_contents(in, out), "free form gives the same bits")
   end subroutine test_free_form

   subroutine test_resealed()
      !> Any byte changed and the checksum put right: it is refused with a reason, or it means
      !> something, which is then written and read back the same.
      character(len=*), parameter :: changes(5) = ["9", " ", lf, "-", char(255)]
      type(model_contents) :: out, again
      character(len=detail_length) :: detail
      character(len=:), allocatable :: bad
      logical :: halting, halting_after
      integer :: i, j, status, n_wrong, n_ok

      halting = .false.
      halting_after = .false.
      if (ieee_support_halting(ieee_overflow)) call ieee_get_halting_mode(ieee_overflow, halting)
      n_wrong = 0
      n_ok = 0
      do i = len("fmdn model 1") + 1, len(good) - checksum_line
         do j = 1, size(changes)
            bad = good
            bad(i:i) = changes(j)
            call write_bytes(sealed(bad(:len(bad) - checksum_line)))
            call read_model(path, out, status, detail)
            if (status == status_ok) then
               n_ok = n_ok + 1
               if (mod(n_ok, 10) /= 0) cycle ! writing waits for the disk
               call write_contents(out, status, detail)
               if (status == status_ok) call read_model(path, again, status, detail)
               if (status /= status_ok) then
                  n_wrong = n_wrong + 1
               else if (.not. same_contents(out, again)) then
                  n_wrong = n_wrong + 1
               end if
            else if (detail == "" .or. allocated(out%sizes)) then
               n_wrong = n_wrong + 1
            end if
         end do
      end do
      call check(n_wrong == 0, "every byte changed under a right checksum")
      call check(n_ok > 100, "some of these files mean something")
      if (ieee_support_halting(ieee_overflow)) then
         call ieee_get_halting_mode(ieee_overflow, halting_after)
      end if
      call check(halting_after .eqv. halting, "reading leaves the halting mode as it was")
   end subroutine test_resealed

   subroutine test_random_bytes()
      type(model_contents) :: out
      character(len=detail_length) :: detail
      character(len=:), allocatable :: bytes
      real(wp) :: u(400)
      integer :: i, j, status, n_wrong

      n_wrong = 0
      do i = 1, 600
         call random_number(u)
         bytes = repeat(" ", int(u(1)*398))
         do j = 1, len(bytes)
            bytes(j:j) = char(int(256*u(j + 1)))
         end do
         if (mod(i, 3) == 1) bytes = "fmdn model 1" // lf // bytes
         if (mod(i, 3) == 2) bytes = sealed("fmdn model 1" // lf // "committees 1" // lf // bytes)
         call write_bytes(bytes)
         call read_model(path, out, status, detail)
         if (status == status_ok .or. detail == "") n_wrong = n_wrong + 1
      end do
      call check(n_wrong == 0, "random bytes are refused")
   end subroutine test_random_bytes

   ! The example: three committees.

   function example(optional_name, optional_is_required, n_hidden) result(contents)
      character(len=*), intent(in), optional :: optional_name
      logical, intent(in), optional :: optional_is_required
      integer, intent(in), optional :: n_hidden
      type(model_contents) :: contents
      character(len=16) :: name
      logical :: required
      integer(ip), allocatable :: layout(:)
      integer(ip) :: width

      name = "novelty"
      if (present(optional_name)) name = optional_name
      required = .false.
      if (present(optional_is_required)) required = optional_is_required
      width = 2
      if (present(n_hidden)) width = n_hidden
      allocate (contents%sizes(4, 0), contents%layout(0), contents%parameters(0))
      contents%names = ""
      contents%text = ""

      call start_layout(1, 1, 1, layout)
      call append_block(layout, input_scale_block, [integer(ip) ::], 2_ip)
      call append_block(layout, target_scale_block, [integer(ip) ::], 2_ip)
      call append_block(layout, member_weights_block, [integer(ip) ::], 1_ip)
      call append_block(layout, name, [0_ip, huge(1_ip), -huge(1_ip)], 6_ip, 3_ip, required)
      call append_block(layout, network_block, [1_ip, 1_ip, 0_ip, 1_ip, width], 5*width)
      call append(contents, "strike, " // lambda, layout, &
         '{"name": "' // lambda // '"' // lf // lf // "}" // achar(0) // cr // lf // &
         "checksum 0" // lf)

      call start_layout(2, 3, 1, layout)
      call append_block(layout, member_weights_block, [integer(ip) ::], 3_ip)
      call append(contents, "", layout, "")

      call start_layout(2, 3, 1, layout)
      call append_block(layout, "empty", [integer(ip) ::], 0_ip, required=.false.)
      call append_block(layout, input_scale_block, [integer(ip) ::], 29_ip)
      call append(contents, "two" // lf // "lines", layout, repeat("text ", 5))
   end function example

   subroutine append(contents, name, layout, text)
      type(model_contents), intent(inout) :: contents
      character(len=*), intent(in) :: name, text
      integer(ip), intent(in) :: layout(:)
      real(wp), parameter :: extremes(13) = [0.0_wp, -0.0_wp, huge(1.0_wp), -huge(1.0_wp), &
         tiny(1.0_wp), -tiny(1.0_wp), epsilon(1.0_wp), 1 + epsilon(1.0_wp), 1/3.0_wp, 0.1_wp, &
         9007199254740993.0_wp, 1e23_wp, 5e-324_wp]
      real(wp) :: more(layout(6)), number
      integer(ip) :: i

      do i = 1, size(more)
         if (i <= size(extremes)) then
            more(i) = extremes(i)
         else
            more(i) = random_bits()
         end if
      end do
      if (size(more) > size(extremes)) then
         number = transfer(4503599627370495_ip, number) ! the largest subnormal
         more(size(more)) = -number
      end if
      contents%sizes = reshape([contents%sizes, len(name, ip), size(layout, kind=ip), &
         layout(6), len(text, ip)], [4, size(contents%sizes, 2) + 1])
      contents%names = contents%names // name
      contents%layout = [contents%layout, layout]
      contents%parameters = [contents%parameters, more]
      contents%text = contents%text // text
   end subroutine append

   function random_bits() result(number)
      !> A finite number with random bits: all exponents alike.
      real(wp) :: number, u(4)
      integer(ip) :: bits

      do
         call random_number(u)
         bits = ior(ishft(int(65536*u(1), ip), 48), ishft(int(65536*u(2), ip), 32))
         bits = ior(bits, ior(ishft(int(65536*u(3), ip), 16), int(65536*u(4), ip)))
         if (iand(ishft(bits, -52), 2047_ip) /= 2047) exit ! neither infinity nor NaN
      end do
      number = transfer(bits, number)
   end function random_bits

   function bytes_of_example() result(bytes)
      character(len=:), allocatable :: bytes
      character(len=detail_length) :: detail
      integer :: status

      call write_contents(example(), status, detail)
      call check(status == status_ok, "the example is written: " // trim(detail))
      bytes = read_bytes()
   end function bytes_of_example

   ! Small things.

   subroutine write_contents(contents, status, detail, where)
      type(model_contents), intent(in) :: contents
      integer, intent(out) :: status
      character(len=detail_length), intent(out) :: detail
      character(len=*), intent(in), optional :: where
      character(len=:), allocatable :: target_path

      target_path = path
      if (present(where)) target_path = where
      call write_model(target_path, size(contents%sizes, 2, ip), contents%sizes, contents%names, &
         contents%layout, contents%parameters, contents%text, status, detail)
   end subroutine write_contents

   subroutine refuse_bytes(bytes, expected, words, name)
      character(len=*), intent(in) :: bytes, words, name
      integer, intent(in) :: expected
      type(model_contents) :: out
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(bytes)
      call read_model(path, out, status, detail)
      call check(status == expected, name // ": the status")
      call check(detail /= "" .and. index(detail, words) > 0, &
         name // ": the detail: " // trim(detail))
      call check(.not. allocated(out%sizes), name // ": nothing comes out")
   end subroutine refuse_bytes

   function replaced(old, new, bytes) result(changed)
      !> `good` (or `bytes`) with the first `old` replaced, and the right checksum.
      character(len=*), intent(in) :: old, new
      character(len=*), intent(in), optional :: bytes
      character(len=:), allocatable :: changed
      integer :: at

      changed = good
      if (present(bytes)) changed = bytes
      at = index(changed, old)
      call check(at > 0, "the file holds " // old)
      changed = changed(:at - 1) // new // changed(at + len(old):len(changed) - checksum_line)
      changed = sealed(changed)
   end function replaced

   pure function sealed(bytes) result(with_checksum)
      character(len=*), intent(in) :: bytes
      character(len=:), allocatable :: with_checksum

      with_checksum = bytes // "checksum " // checksum_of(bytes) // lf
   end function sealed

   subroutine write_bytes(bytes)
      character(len=*), intent(in) :: bytes
      integer :: unit

      call remove(path)
      open (newunit=unit, file=path, access="stream", form="unformatted", status="new", &
         action="write")
      write (unit) bytes
      close (unit)
   end subroutine write_bytes

   function read_bytes() result(bytes)
      character(len=:), allocatable :: bytes
      integer :: unit, n

      open (newunit=unit, file=path, access="stream", form="unformatted", status="old", &
         action="read")
      inquire (unit, size=n)
      allocate (character(len=n) :: bytes)
      read (unit) bytes
      close (unit)
   end function read_bytes

   subroutine remove(where)
      character(len=*), intent(in) :: where
      integer :: unit

      open (newunit=unit, file=where)
      close (unit, status="delete")
   end subroutine remove

   function temporary_left(where) result(yes)
      character(len=*), intent(in) :: where
      logical :: yes
      character(len=20) :: id

      write (id, "(i0)") fmdn_process_id()
      inquire (file=where // "." // trim(id) // "-1.tmp", exist=yes)
   end function temporary_left

   function succeeds(command) result(yes)
      character(len=*), intent(in) :: command
      logical :: yes
      integer :: trouble, code

      call execute_command_line(command, exitstat=code, cmdstat=trouble)
      yes = trouble == 0 .and. code == 0
   end function succeeds

   pure function same_digit(a, b) result(yes)
      character(len=1), intent(in) :: a, b
      logical :: yes

      yes = lower(a) == lower(b) .and. scan(lower(a), "abcdef") == 1
   end function same_digit

   pure function lower(text) result(lowered)
      character(len=*), intent(in) :: text
      character(len=len(text)) :: lowered
      integer :: i

      lowered = text
      do i = 1, len(text)
         if (text(i:i) < "A" .or. text(i:i) > "Z") cycle
         lowered(i:i) = achar(iachar(text(i:i)) + 32)
      end do
   end function lower

   pure function same(a, b) result(yes)
      integer(ip), intent(in) :: a(:), b(:)
      logical :: yes

      yes = size(a) == size(b)
      if (yes) yes = all(a == b)
   end function same

   pure function same_bits(a, b) result(yes)
      real(wp), intent(in) :: a(:), b(:)
      logical :: yes

      yes = same(transfer(a, [integer(ip) ::]), transfer(b, [integer(ip) ::]))
   end function same_bits

   pure function same_contents(a, b) result(yes)
      type(model_contents), intent(in) :: a, b
      logical :: yes

      yes = same(reshape(a%sizes, [size(a%sizes)]), reshape(b%sizes, [size(b%sizes)])) .and. &
         same(a%layout, b%layout) .and. same_bits(a%parameters, b%parameters) .and. &
         len(a%names) == len(b%names) .and. len(a%text) == len(b%text)
      if (yes) yes = a%names == b%names .and. a%text == b%text
   end function same_contents

end program test_file
