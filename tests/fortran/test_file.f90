!> The model file written: exact, and whole or not at all.
program test_file
   use, intrinsic :: ieee_arithmetic, only: ieee_positive_inf, ieee_quiet_nan, ieee_value
   use, intrinsic :: iso_c_binding, only: c_int, c_intptr_t
   use fmdn_check, only: check, finish
   use fmdn_example_files, only: example, lf, read_bytes, remove, same_bits, same_contents, &
      same_integers, temporary_left, write_bytes, write_contents
   use fmdn_file, only: checksum_of, detail_length, model_contents, read_model
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, input_scale_block, member_weights_block, network_block, &
      start_layout, target_scale_block
   use fmdn_status, only: status_cannot_open, status_cannot_write, status_invalid_argument, &
      status_invalid_layout, status_not_finite, status_ok, status_unknown_block
   implicit none (type, external)

   interface
      function signal(number, action) result(before) bind(c)
         import :: c_int, c_intptr_t
         implicit none (type, external)
         integer(c_int), value :: number
         integer(c_intptr_t), value :: action
         integer(c_intptr_t) :: before
      end function signal
   end interface

   character(len=*), parameter :: path = "test_file.mdn"
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
      call remove(path)
      call finish()
   end if

contains

   !> Published values of FNV-1a 64.
   subroutine test_checksum()
      call check(checksum_of("") == "CBF29CE484222325", "FNV-1a of nothing")
      call check(checksum_of("a") == "AF63DC4C8601EC8C", "FNV-1a of a")
      call check(checksum_of("foobar") == "85944171F73967E8", "FNV-1a of foobar")
   end subroutine test_checksum

   !> The file of the documentation, byte for byte: what version 1 is does not change.
   subroutine test_golden()
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
      call write_bytes(path, bytes)
      call read_model(path, one, status, detail)
      call check(status == status_ok, "golden file is read: " // trim(detail))
      if (status /= status_ok) return
      call check(one%names == "magnitude", "golden name")
      call check(one%text == '{"units": ["km"]}', "golden text")
      call check(same_integers(one%layout, layout), "golden layout")
      call check(same_bits(one%parameters, [0.0_wp, 1.0_wp, -6.5_wp, 0.1_wp, 1.0_wp, &
         1.0_wp, 2.0_wp, 3.0_wp, 4.0_wp, 5.0_wp, 6.0_wp, 7.0_wp, 8.0_wp]), "golden parameters")
      call write_contents(path, one, status, detail)
      call check(status == status_ok, "golden file is written")
      call check(read_bytes(path) == bytes, "golden file is written byte for byte")
   end subroutine test_golden

   !> Several committees, extreme numbers, bytes of all kinds: everything comes back bit for bit.
   subroutine test_identity()
      type(model_contents) :: in, out
      integer :: status
      character(len=detail_length) :: detail

      in = example()
      call check(any(in%parameters < 0) .and. any(abs(in%parameters) > 0 .and. &
         abs(in%parameters) < tiny(1.0_wp)), "the example holds subnormal numbers")
      call write_contents(path, in, status, detail)
      call check(status == status_ok .and. detail == "", "example is written: " // trim(detail))
      call read_model(path // "  ", out, status, detail)
      call check(status == status_ok .and. detail == "", "example is read: " // trim(detail))
      call check(same_contents(in, out), "example is the same bit for bit")
      call check(.not. temporary_left(path), "no temporary file is left")
   end subroutine test_identity

   !> What could not be read back is not written, and the file there stays as it is.
   subroutine test_refused_on_writing()
      character(len=*), parameter :: old = "an old file"
      type(model_contents) :: bad
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(path, old)
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
      call check(read_bytes(path) == old, "the old file is untouched after all refusals")

      call write_contents(path, example(), status, detail)
      call check(status == status_ok, "then it is replaced: " // trim(detail))
      call check(read_bytes(path) /= old, "by something else")
   end subroutine test_refused_on_writing

   subroutine refuse(bad, expected, words, name)
      type(model_contents), intent(in) :: bad
      integer, intent(in) :: expected
      character(len=*), intent(in) :: words, name
      character(len=detail_length) :: detail
      integer :: status

      call write_contents(path, bad, status, detail)
      call check(status == expected, name // " is refused")
      call check(index(detail, words) > 0, name // " is named: " // trim(detail))
   end subroutine refuse

   !> A target that cannot be written is an error that leaves nothing behind.
   subroutine test_kept_on_failure()
      type(model_contents) :: in
      character(len=detail_length) :: detail
      integer :: status

      in = example()
      call write_bytes(path, "an old file")
      call write_contents("no/such/folder/model.mdn", in, status, detail)
      call check(status == status_cannot_write .and. detail /= "", "a folder that is not there")
      call write_contents(path // "/model.mdn", in, status, detail)
      call check(status == status_cannot_write .and. detail /= "", "a file in place of a folder")
      call write_contents("", in, status, detail)
      call check(status == status_cannot_write .and. detail /= "", "an empty path")
      call check(.not. temporary_left(""), "an empty path leaves nothing behind")
      call write_contents(".", in, status, detail)
      call check(status == status_cannot_write .and. detail /= "", "a folder as target")
      call check(.not. temporary_left("."), "a folder as target leaves nothing behind")
      call check(read_bytes(path) == "an old file", "the old file is untouched")

      if (.not. succeeds('test "$(id -u)" != 0')) return ! root may write everywhere
      call check(succeeds("mkdir test_file.dir && chmod 555 test_file.dir"), "make a folder")
      call write_contents("test_file.dir/model.mdn", in, status, detail)
      call check(status == status_cannot_write .and. detail /= "", "a folder without permission")
      call check(succeeds("rmdir test_file.dir"), "remove the folder")
      call check(succeeds("chmod 000 " // path), "take away the permission")
      call read_model(path, in, status, detail)
      call check(status == status_cannot_open .and. detail /= "", "a file without permission")
      call check(succeeds("chmod 644 " // path), "give back the permission")
   end subroutine test_kept_on_failure

   !> A limit on the size of a file acts like a full disk: the same program, run with one.
   subroutine test_full_disk()
      character(len=*), parameter :: limit = "ulimit -f 1"
      character(len=500) :: program_name

      if (.not. succeeds(limit)) return ! not a POSIX shell
      call write_bytes(path, "an old file")
      call get_command_argument(0, program_name)
      call check(succeeds(limit // "; '" // trim(program_name) // "' limited"), &
         "a full disk is reported and leaves nothing behind")
      call check(read_bytes(path) == "an old file", "a full disk leaves the old file untouched")
   end subroutine test_full_disk

   !> Runs in a process of its own, which exits with an error unless the write fails cleanly.
   subroutine write_with_little_space()
      type(model_contents) :: in
      character(len=detail_length) :: detail
      integer :: status
      integer(c_intptr_t) :: before
      integer(c_int), parameter :: sigxfsz = 25
      integer(c_intptr_t), parameter :: sig_ign = 1

      before = signal(sigxfsz, sig_ign) ! an error then, not the end of the process
      if (before == -1) error stop 3
      in = example(n_hidden=200)
      call write_contents(path, in, status, detail)
      if (status /= status_cannot_write .or. detail == "") error stop 1
      if (temporary_left(path)) error stop 2
   end subroutine write_with_little_space

   function succeeds(command) result(yes)
      character(len=*), intent(in) :: command
      logical :: yes
      integer :: trouble, code

      call execute_command_line(command, exitstat=code, cmdstat=trouble)
      yes = trouble == 0 .and. code == 0
   end function succeeds

end program test_file
