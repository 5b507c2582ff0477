!> mdn_apply: posteriors of the rows of a table, as the original program of that name gives them.
program mdn_apply
   use, intrinsic :: iso_fortran_env, only: output_unit
   use omp_lib, only: omp_get_max_threads
   use program_command_line, only: command_line, fail, option, warn
   use program_data, only: fail_with, read_rows
   use fmdn, only: committee
   use fmdn_c, only: fmdn_posterior
   use fmdn_c_mixture, only: fmdn_mixture_log_density
   use fmdn_c_recalibration, only: fmdn_recalibrated_log_density
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_file_words, only: detail_length
   use fmdn_kinds, only: ip, wp
   use fmdn_legacy_table, only: format_rows, width_of_number
   use fmdn_recalibration, only: read_recalibration, score_map
   use fmdn_status, only: status_cannot_write, status_ok, status_text
   use fmdn_targets, only: free
   use fmdn_whole_file, only: close_file, open_file, put_bytes, whole_file
   implicit none (type, external)
   character(len=*), parameter :: me = "mdn_apply"
   integer(ip), parameter :: rows_at_once = 1000
   type(command_line) :: line
   type(committee) :: network
   type(committee_view) :: view
   type(score_map) :: map
   type(whole_file) :: to
   real(wp), allocatable :: rows(:, :), grid(:)
   character(len=:), allocatable :: output_file, columns
   logical :: has_targets, to_file
   integer(ip) :: first
   integer :: status, n_threads, n_copied, unit
   character(len=detail_length) :: detail

   line%program_name = me
   line%usage = "Usage: mdn_apply [options] mdn_file datafile"
   line%options = [ &
      option("", "has-targets", "", "", "the last column of datafile is the target"), &
      option("p", "output-pdf", "", "", "write densities on a grid, not the kernels"), &
      option("", "m-lo", "X", "-1", "first point of the grid"), &
      option("", "m-up", "X", "1", "last point of the grid"), &
      option("", "m-num", "N", "100", "points of the grid"), &
      option("o", "output-file", "FILE", "", "the results (standard output)"), &
      option("", "copy-inputs", "", "", "put the inputs before the results"), &
      option("", "copy-targets", "", "", "put the target before the results"), &
      option("", "legacy-weights", "", "", "divide kernels' weights by the target's sd, as once"), &
      option("", "recalibrated", "", "", "densities recalibrated by the map in mdn_file"), &
      option("", "threads", "N", "", "threads (OMP_NUM_THREADS, or all cores)"), &
      option("h", "help", "", "", "print this")]
   call line%parse(2)
   has_targets = line%has("has-targets")
   if (line%has("copy-targets") .and. .not. has_targets) then
     call warn(me, "--copy-targets without --has-targets: there is no target to copy")
   end if
   n_threads = omp_get_max_threads()
   if (line%has("threads")) n_threads = line%whole_number("threads", 1)
   call make_grid(line%real_number("m-lo"), line%real_number("m-up"), line%whole_number("m-num", 1))
   output_file = line%text("output-file")

   call network%load(trim(line%arguments(1)), status, detail=detail)
   if (status == status_ok) call view_committee(network%layout, network%parameters, view, status)
   if (status /= status_ok) call fail_with(me, trim(line%arguments(1)), status, detail)
   if (index(network%text, '"encoder": ') > 0) call fail(me, trim(line%arguments(1)) // &
      ": its inputs went through an encoder, which only Python has")
   if (any(view%ranges%kind /= free) .and. .not. line%has("output-pdf")) call fail(me, &
      trim(line%arguments(1)) // ": its target has bounds or a period, so that kernels alone " // &
      "are not its posterior; --output-pdf gives that")
   if (line%has("recalibrated")) then
      if (.not. line%has("output-pdf")) call fail(me, "--recalibrated needs --output-pdf: a " // &
         "recalibrated posterior has no kernels")
      call read_recalibration(network%layout, network%parameters, map, status)
      if (status /= status_ok) call fail(me, trim(line%arguments(1)) // ": " // &
         status_text(status))
   end if
   if (view%n_targets /= 1) call fail(me, trim(line%arguments(1)) // ": expected one target")
   columns = "the committee's inputs; a target needs --has-targets"
   if (has_targets) columns = "the committee's inputs and the target"
   call read_rows(me, trim(line%arguments(2)), view%n_inputs + merge(1, 0, has_targets), columns, &
      rows)

   n_copied = merge(view%n_inputs, 0, line%has("copy-inputs")) + &
      merge(1, 0, line%has("copy-targets") .and. has_targets)
   call open_output()
   do first = 1, size(rows, 2, ip), rows_at_once
      call apply(rows(:, first:min(first + rows_at_once - 1, size(rows, 2, ip))))
   end do
   call close_output()

contains

   !> Both ends included.
   subroutine make_grid(low, high, n)
      real(wp), intent(in) :: low, high
      integer, intent(in) :: n
      integer :: i

      grid = [(low + (i - 1)*(high - low)/max(1, n - 1), i=1, n)]
   end subroutine make_grid

   !> Results of some rows, written.
   subroutine apply(some)
      real(wp), intent(in), contiguous :: some(:, :)
      real(wp), allocatable :: inputs(:, :), weights(:, :), means(:, :, :), factors(:, :, :, :)
      real(wp), allocatable :: results(:, :), log_p(:, :)
      integer(ip) :: n, k

      n = size(some, 2, ip)
      k = view%n_kernels
      inputs = some(:view%n_inputs, :)
      allocate (weights(k, n), means(1, k, n), factors(1, 1, k, n))
      call fmdn_posterior(size(network%layout, kind=ip), network%layout, &
         size(network%parameters, kind=ip), network%parameters, size(inputs, 1, ip), n, inputs, &
         n_threads, 1_ip, k, weights, means, factors, status)
      if (status /= status_ok) call give_up(status_text(status))
      allocate (results(n_copied + merge(size(grid, kind=ip), 3*k, line%has("output-pdf")), n))
      if (line%has("copy-inputs")) results(:view%n_inputs, :) = inputs
      if (line%has("copy-targets") .and. has_targets) results(n_copied, :) = some(size(some, 1), :)
      if (line%has("output-pdf")) then
         allocate (log_p(size(grid), n))
         if (line%has("recalibrated")) then
            call fmdn_recalibrated_log_density(size(map%x, kind=ip), map%x, map%y, k, n, 1_ip, &
               view%ranges%kind, view%ranges%low, view%ranges%high, weights, means, factors, &
               size(grid, kind=ip), 1_ip, grid, n_threads, log_p, status)
         else
            call fmdn_mixture_log_density(1_ip, k, n, 1_ip, view%ranges%kind, view%ranges%low, &
               view%ranges%high, weights, means, factors, size(grid, kind=ip), 1_ip, &
               reshape(grid, [1, size(grid), 1]), n_threads, log_p, status)
         end if
         if (status /= status_ok) call give_up(status_text(status))
         results(n_copied + 1:, :) = exp(max(log_p, -800.0_wp)) ! zero there
      else
         if (line%has("legacy-weights")) weights = weights/view%scales%target_scale(1)
         results(n_copied + 1::3, :) = weights
         results(n_copied + 2::3, :) = means(1, :, :)
         results(n_copied + 3::3, :) = 1/factors(1, 1, :, :)
      end if
      call put(results)
   end subroutine apply

   subroutine put(results)
      real(wp), intent(in) :: results(:, :)
      character(len=width_of_number*size(results, 1) + 1) :: text
      integer(ip) :: row
      integer :: trouble

      do row = 1, size(results, 2, ip)
         call format_rows(results(:, row:row), text, status)
         if (status /= status_ok) call give_up(status_text(status))
         if (to_file) then
            call put_bytes(to, text)
         else
            write (unit, "(a)", iostat=trouble, iomsg=detail) text(:len(text) - 1)
            if (trouble /= 0) call give_up(detail)
         end if
      end do
   end subroutine put

   !> A new file takes the place of an old one in one step; a device is written to as it is.
   subroutine open_output()
      integer :: trouble

      unit = output_unit
      to_file = line%has("output-file") .and. index(output_file, "/dev/") /= 1
      if (to_file) then
         call open_file(output_file, to)
         if (to%failed) call fail_with(me, output_file, status_cannot_write, to%message)
      else if (line%has("output-file") .and. output_file /= "/dev/stdout") then
         open (newunit=unit, file=output_file, action="write", iostat=trouble, iomsg=detail)
         if (trouble /= 0) call fail_with(me, output_file, status_cannot_write, detail)
      end if
   end subroutine open_output

   subroutine close_output()
      integer :: trouble

      if (to_file) then
         call close_file(to)
         if (to%failed) call fail_with(me, output_file, status_cannot_write, to%message)
      else
         flush (unit, iostat=trouble, iomsg=detail)
         if (trouble /= 0) call fail_with(me, "standard output", status_cannot_write, detail)
      end if
   end subroutine close_output

   subroutine give_up(message)
      character(len=*), intent(in) :: message

      if (to_file) call close_file(to, give_up=.true.)
      call fail(me, message)
   end subroutine give_up

end program mdn_apply
