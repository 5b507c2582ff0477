!> mdn_train: train a committee on a table, as the original program of that name does.
program mdn_train
   use, intrinsic :: iso_fortran_env, only: error_unit
   use omp_lib, only: omp_get_max_threads
   use program_command_line, only: command_line, fail, option, warn
   use program_data, only: fail_with, read_rows
   use fmdn, only: committee, fit_options, role_monitor, role_training, role_weighting
   use fmdn_file_words, only: decimal, detail_length
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_members
   use fmdn_status, only: status_ok, status_text
   implicit none (type, external)
   character(len=*), parameter :: me = "mdn_train"
   type(command_line) :: line
   type(committee) :: network
   type(fit_options) :: options
   real(wp), allocatable :: training(:, :), monitor(:, :), weighting(:, :)
   character(len=:), allocatable :: weighting_file, output_file
   integer :: status, n
   character(len=detail_length) :: detail

   line%program_name = me
   line%usage = "Usage: mdn_train [options] training_data monitor_data"
   line%options = [ &
      option("n", "n-ct-members", "N", "10", "members of the committee"), &
      option("l", "n-hid-min", "N", "25", "hidden units of a member, at least"), &
      option("u", "n-hid-max", "N", "50", "hidden units of a member, at most"), &
      option("j", "n-kern-min", "N", "3", "Gaussian kernels of a member, at least"), &
      option("", "nkern-max", "N", "", ""), &
      option("k", "n-kern-max", "N", "8", "Gaussian kernels of a member, at most"), &
      option("t", "max-iter", "N", "1000", "L-BFGS iterations of a member"), &
      option("o", "output-file", "FILE", "mdnc.out", "the trained committee"), &
      option("", "format", "FORMAT", "original", "of that file: original or fmdn"), &
      option("", "seed", "N", "0", "the same seed gives the same committee"), &
      option("", "threads", "N", "", "threads (OMP_NUM_THREADS, or all cores)"), &
      option("", "patience", "N", "0", "stop after N iterations without improvement; 0: never"), &
      option("", "weighting-file", "FILE", "", "data that weigh the members (the monitor data)"), &
      option("", "legacy-weights", "", "", "let the monitor data weigh the members"), &
      option("h", "help", "", "", "print this")]
   call line%parse(2)
   options%n_members = line%whole_number("n-ct-members", 1)
   options%hidden = bounds_of("n-hid-min", "n-hid-max")
   options%kernels = bounds_of("n-kern-min", "n-kern-max")
   options%max_iter = line%whole_number("max-iter", 0)
   options%patience = line%whole_number("patience", 0)
   options%seed = line%whole_number("seed", 0)
   options%n_threads = omp_get_max_threads()
   if (line%has("threads")) options%n_threads = line%whole_number("threads", 1)
   output_file = line%text("output-file")
   weighting_file = line%text("weighting-file")
   if (all(["original", "fmdn    "] /= line%text("format"))) then
     call fail(me, "--format must be original or fmdn, not '" // line%text("format") // "'")
   end if
   if (line%has("weighting-file") .and. line%has("legacy-weights")) then
     call fail(me, "--weighting-file and --legacy-weights exclude each other")
   end if

   call read_rows(me, trim(line%arguments(1)), 0, "inputs, then the target", training)
   n = size(training, 1)
   call read_rows(me, trim(line%arguments(2)), n, "as " // trim(line%arguments(1)) // " has", &
      monitor)
   allocate (weighting(n, 0))
   if (line%has("weighting-file")) call read_rows(me, weighting_file, n, &
      "as " // trim(line%arguments(1)) // " has", weighting)
   call warn(me, decimal(size(training, 2, ip)) // " rows of " // decimal(n - 1_ip) // &
      " inputs train " // decimal(int(options%n_members, ip)) // " members, " // &
      decimal(size(monitor, 2, ip)) // " monitor them")
   call cap_kernels(distinct(training(n, :), options%kernels(2)))
   call train()
   if (network%layout(at_members) < options%n_members) call warn(me, &
      decimal(options%n_members - network%layout(at_members)) // " members failed")
   call network%save(output_file, status, detail, line%text("format"))
   if (status /= status_ok) call fail_with(me, output_file, status, detail)

contains

   !> Bounds of a uniform draw.
   function bounds_of(low, high) result(bounds)
      character(len=*), intent(in) :: low, high
      integer :: bounds(2)

      bounds = [line%whole_number(low, 1), line%whole_number(high, 1)]
      if (bounds(1) > bounds(2)) call fail(me, "--" // low // " " // line%text(low) // &
         " is more than --" // high // " " // line%text(high))
   end function bounds_of

   !> No more kernels than there are targets to put them on.
   subroutine cap_kernels(most)
      integer, intent(in) :: most

      if (options%kernels(2) <= most) return
      call warn(me, "there are only " // decimal(int(most, ip)) // &
         " distinct targets to train on: at most as many kernels")
      options%kernels = min(options%kernels, most)
   end subroutine cap_kernels

   !> How many different values there are, up to `enough`.
   pure function distinct(values, enough) result(n_found)
      real(wp), intent(in) :: values(:)
      integer, intent(in) :: enough
      integer :: n_found
      real(wp) :: found(enough)
      integer :: i

      n_found = 0
      do i = 1, size(values)
         if (n_found == enough) return
         if (any(abs(found(:n_found) - values(i)) <= 0)) cycle
         n_found = n_found + 1
         found(n_found) = values(i)
      end do
   end function distinct

   !> The rows of all files, one behind the other, each with its role.
   subroutine train()
      real(wp), allocatable :: inputs(:, :), targets(:, :)
      integer, allocatable :: roles(:)

      roles = [spread(role_training, 1, size(training, 2)), &
         spread(role_monitor, 1, size(monitor, 2)), spread(role_weighting, 1, size(weighting, 2))]
      allocate (inputs(n - 1, size(roles)), targets(1, size(roles)))
      associate (a => size(training, 2), b => size(training, 2) + size(monitor, 2))
         inputs(:, :a) = training(:n - 1, :)
         targets(1, :a) = training(n, :)
         inputs(:, a + 1:b) = monitor(:n - 1, :)
         targets(1, a + 1:b) = monitor(n, :)
         inputs(:, b + 1:) = weighting(:n - 1, :)
         targets(1, b + 1:) = weighting(n, :)
      end associate
      call network%fit(inputs, targets, options, status, roles)
      if (status /= status_ok) call fail(me, status_text(status))
   end subroutine train

end program mdn_train
