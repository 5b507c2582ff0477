!> The model file read: every bad one is refused with a clear reason.
program test_file_damaged
   use, intrinsic :: ieee_arithmetic, only: ieee_get_halting_mode, ieee_overflow, &
      ieee_support_halting
   use fmdn_check, only: check, finish
   use fmdn_example_files, only: bytes_of_example, checksum_line, cr, lf, read_bytes, remove, &
      same_contents, sealed, write_bytes, write_contents
   use fmdn_file, only: detail_length, model_contents, read_model
   use fmdn_kinds, only: wp
   use fmdn_layout, only: block_view, find_block
   use fmdn_status, only: status_cannot_open, status_damaged, status_newer_file, &
      status_not_a_model, status_ok, status_truncated, status_unknown_block
   implicit none (type, external)
   character(len=*), parameter :: path = "test_file_damaged.mdn"
   character(len=:), allocatable :: good

   good = bytes_of_example(path)
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

contains

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
         call write_bytes(path, good(:i))
         call read_model(path, out, status, detail)
         if (status /= status_truncated .or. detail == "" .or. allocated(out%sizes)) then
            n_wrong = n_wrong + 1
         end if
      end do
      call check(n_wrong == 0, "cut off after every byte")
      call refuse_bytes(good // lf, status_truncated, "last line", "a byte too many")
      call refuse_bytes(good // good, status_damaged, "checksum", "two files in one")
   end subroutine test_truncated

   !> FNV-1a notices every change of one byte: a step is one to one in the hash and in the byte.
   subroutine test_changed_bytes()
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
            call write_bytes(path, bad)
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

   !> An optional one is carried through, a required one refused by its name.
   subroutine test_unknown_blocks()
      type(model_contents) :: out
      type(block_view) :: view
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(path, good)
      call read_model(path, out, status, detail)
      call check(status == status_ok, "an unknown optional block is read")
      view = find_block(out%layout(:out%sizes(2, 1)), "novelty", 1)
      call check(view%name == "novelty" .and. view%version == 3 .and. .not. view%required, &
         "an unknown optional block keeps its head")
      call check(view%n_integers == 3 .and. view%n_reals == 6, "and its sizes")
      call write_contents(path, out, status, detail)
      call check(status == status_ok, "an unknown optional block is written")
      call check(read_bytes(path) == good, "an unknown optional block is carried through")
      call refuse_bytes(replaced("3 optional", "3 required"), status_unknown_block, &
         'committee 1 needs block "novelty"', "an unknown required block")
   end subroutine test_unknown_blocks

   !> Right checksum, wrong content: refused where it is wrong, before any memory is asked for.
   subroutine test_hostile()
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

   !> Numbers and checksums as other programs write them.
   subroutine test_free_form()
      type(model_contents) :: in, out
      character(len=:), allocatable :: bytes
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(path, good)
      call read_model(path, in, status, detail)
      bytes = good
      bytes = replaced("1.7976931348623157E+308", lf // "17976931348623157e292", bytes)
      bytes = replaced("4.9406564584124654E-324", "+5e-324", bytes)
      bytes = replaced(" 0.0000000000000000E+000", " 0", bytes)
      bytes = replaced("-0.0000000000000000E+000", "-0.", bytes)
      bytes = bytes(:len(bytes) - 17) // lower(bytes(len(bytes) - 16:))
      call write_bytes(path, bytes)
      call read_model(path, out, status, detail)
      call check(status == status_ok, "free form is read: " // trim(detail))
      if (status == status_ok) call check(same_contents(in, out), "free form gives the same bits")
   end subroutine test_free_form

   !> Any byte changed and the checksum put right: it is refused with a reason, or it means
   !> something, which is then written and read back the same.
   subroutine test_resealed()
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
            call write_bytes(path, sealed(bad(:len(bad) - checksum_line)))
            call read_model(path, out, status, detail)
            if (status == status_ok) then
               n_ok = n_ok + 1
               if (mod(n_ok, 10) /= 0) cycle ! writing waits for the disk
               call write_contents(path, out, status, detail)
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
         call write_bytes(path, bytes)
         call read_model(path, out, status, detail)
         if (status == status_ok .or. detail == "") n_wrong = n_wrong + 1
      end do
      call check(n_wrong == 0, "random bytes are refused")
   end subroutine test_random_bytes

   subroutine refuse_bytes(bytes, expected, words, name)
      character(len=*), intent(in) :: bytes, words, name
      integer, intent(in) :: expected
      type(model_contents) :: out
      character(len=detail_length) :: detail
      integer :: status

      call write_bytes(path, bytes)
      call read_model(path, out, status, detail)
      call check(status == expected, name // ": the status")
      call check(detail /= "" .and. index(detail, words) > 0, &
         name // ": the detail: " // trim(detail))
      call check(.not. allocated(out%sizes), name // ": nothing comes out")
   end subroutine refuse_bytes

   !> `good` (or `bytes`) with the first `old` replaced, and the right checksum.
   function replaced(old, new, bytes) result(changed)
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

end program test_file_damaged
