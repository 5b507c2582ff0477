!> The original's committee files, with the checks that compilers can make: written, read, damaged.
program test_legacy_committee
   use fmdn, only: committee, mixture, fit_options
   use fmdn_check, only: check, check_close, finish
   use fmdn_example_files, only: read_bytes, remove, same_bits, same_integers, temporary_left, &
      write_bytes
   use fmdn_file, only: detail_length
   use fmdn_kinds, only: ip, wp
   use fmdn_legacy_reader, only: read_legacy_committee
   use fmdn_legacy_writer, only: write_legacy_committee
   use fmdn_random, only: for_weights, stream_of, uniform
   use fmdn_status, only: status_cannot_open, status_cannot_write, status_damaged, &
      status_invalid_argument, status_not_legacy, status_ok, status_truncated
   implicit none (type, external)
   character(len=*), parameter :: path = "test_legacy_committee.out"
   type(committee) :: made
   character(len=:), allocatable :: good

   call test_identity()
   call test_refused_on_writing()
   call test_no_file()
   call test_truncated()
   call test_damaged()
   call remove(path)
   call finish()

contains

   !> Inputs (3, 60) and one target that depends on them.
   subroutine train(n_targets, linear_path, network)
      integer, intent(in) :: n_targets
      logical, intent(in) :: linear_path
      type(committee), intent(out) :: network
      real(wp) :: inputs(3, 60), targets(2, 60)
      type(fit_options) :: options
      integer :: i, status

      do i = 1, 60
         inputs(:, i) = [0.1_wp*i, sin(0.7_wp*i), cos(1.3_wp*i)]
         targets(:, i) = [inputs(1, i) + inputs(2, i)**2, inputs(3, i)]
      end do
      options = fit_options(n_members=2, hidden=[2, 4], kernels=[1, 2], linear_path=linear_path, &
         max_iter=5)
      call network%fit(inputs, targets(:n_targets, :), options, status)
      call check(status == status_ok, "a committee is trained")
   end subroutine train

   !> Through `use fmdn`, which recognises the file.
   subroutine test_identity()
      type(committee) :: again
      type(mixture) :: posterior, posterior_again
      integer :: status
      character(len=detail_length) :: detail

      call train(1, .false., made)
      call made%save(path, status, detail, "original")
      call check(status == status_ok, "a committee is written: " // trim(detail))
      call check(.not. temporary_left(path), "no temporary file is left")
      good = read_bytes(path)
      call again%load(path, status, detail=detail)
      call check(status == status_ok, "it is recognised and read: " // trim(detail))
      if (status /= status_ok) return
      call check(same_integers(made%layout, again%layout), "the layout is the same")
      call check(same_bits(made%parameters, again%parameters), "the parameters are, bit for bit")
      call made%posterior([1.0_wp, 0.5_wp, -0.2_wp], posterior, status)
      call again%posterior([1.0_wp, 0.5_wp, -0.2_wp], posterior_again, status)
      call check_close(posterior%quantile(0.3_wp), posterior_again%quantile(0.3_wp), 0.0_wp, &
         "and so are the posteriors")
      call made%save(path, status, detail, "pickle")
      call check(status == status_invalid_argument, "another format is refused")
   end subroutine test_identity

   subroutine test_refused_on_writing()
      type(committee) :: other
      integer :: status
      character(len=detail_length) :: detail

      call write_bytes(path, "the old file")
      call train(2, .false., other)
      call write_legacy_committee(path, other%layout, other%parameters, status, detail)
      call check(status == status_not_legacy .and. index(detail, "2 targets") > 0, "two targets")
      call train(1, .true., other)
      call write_legacy_committee(path, other%layout, other%parameters, status, detail)
      call check(status == status_not_legacy .and. index(detail, "linear path") > 0, "linear path")
      call write_legacy_committee("no/such/a.out", made%layout, made%parameters, status, detail)
      call check(status == status_cannot_write .and. detail /= "", "a folder that is not there")
      call check(read_bytes(path) == "the old file", "the old file is untouched")
   end subroutine test_refused_on_writing

   subroutine test_no_file()
      call refuse_path("no_such_file.out", "a file that is not there")
      call refuse_path(".", "a folder")
   end subroutine test_no_file

   subroutine refuse_path(where, name)
      character(len=*), intent(in) :: where, name
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      integer :: status
      character(len=detail_length) :: detail

      call read_legacy_committee(where, layout, parameters, status, detail)
      call check(status == status_cannot_open .and. detail /= "", name)
   end subroutine refuse_path

   subroutine test_truncated()
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      integer :: n, status, n_wrong
      character(len=detail_length) :: detail

      n_wrong = 0
      do n = 0, len(good) - 1
         call write_bytes(path, good(:n))
         call read_legacy_committee(path, layout, parameters, status, detail)
         if (status == status_truncated .and. detail /= "") cycle
         if (status == status_damaged .and. n < 4) cycle ! not even a marker
         n_wrong = n_wrong + 1
      end do
      call check(n_wrong == 0, "files that were cut off are refused")
   end subroutine test_truncated

   !> Bytes changed at random: an error, or a file like any other; never more than that.
   subroutine test_damaged()
      integer, parameter :: n_files = 2000
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:)
      character(len=:), allocatable :: bad
      integer :: i, j, status, n_wrong, n_refused, place
      character(len=detail_length) :: detail

      n_wrong = 0
      n_refused = 0
      do i = 1, n_files
         bad = good
         do j = 1, 1 + modulo(i, 3)
            place = 1 + int(drawn(i, 2*j)*merge(60, len(bad), modulo(i, 2) == 0))
            bad(place:place) = char(int(drawn(i, 2*j + 1)*256))
         end do
         call write_bytes(path, bad)
         call read_legacy_committee(path, layout, parameters, status, detail)
         select case (status)
         case (status_ok)
            if (8*size(parameters) > len(bad)) n_wrong = n_wrong + 1
         case (status_damaged, status_truncated)
            n_refused = n_refused + 1
            if (detail == "") n_wrong = n_wrong + 1
         case default
            n_wrong = n_wrong + 1
         end select
      end do
      call check(n_wrong == 0, "files that were changed do no harm")
      call check(n_refused > n_files/2, "most of them are refused")
   end subroutine test_damaged

   !> Uniform between 0 and 1.
   function drawn(i, j) result(u)
      integer, intent(in) :: i, j
      real(wp) :: u

      u = uniform(stream_of(6_ip, i, for_weights), int(j, ip))
   end function drawn

end program test_legacy_committee
