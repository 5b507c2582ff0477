!> Derivatives with respect to the inputs against differences of the posterior itself, for kernels
!> and ranges of all kinds, channels that are missing or projected, and outputs that are clamped.
program test_sensitivity
   use, intrinsic :: ieee_arithmetic, only: ieee_quiet_nan, ieee_value
   use fmdn, only: committee
   use fmdn_apply, only: posterior
   use fmdn_check, only: check, check_close, finish
   use fmdn_committee, only: add_ranges, committee_view, plan_committee, view_committee
   use fmdn_evaluate, only: kernel_covariance
   use fmdn_examples, only: normals, same
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: at_parameters, block_view, find_block, input_scale_block, &
      member_weights_block, target_scale_block
   use fmdn_mixture, only: diagonal, full, isotropic
   use fmdn_moments, only: moments_within
   use fmdn_sensitivity, only: kernel_sensitivity, moment_sensitivity
   use fmdn_status, only: status_invalid_argument, status_not_finite, status_ok
   use fmdn_targets, only: half_line, infinite, log_probit, log_truncated, periodic, probit, &
      target_range, truncated
   implicit none (type, external)
   integer, parameter :: n_inputs = 5, c = 2, n_members = 3, n = 4
   integer, parameter :: groups(n_inputs) = [1, 2, 0, 1, 2]
   integer, parameter :: plain(0) = [integer ::]
   type(target_range), parameter :: anywhere = target_range(), &
      cut = target_range(truncated, -1.0_wp, 3.0_wp), &
      in_log = target_range(log_truncated, 0.1_wp, 50.0_wp), &
      above = target_range(half_line, 2.0_wp, infinite), &
      below = target_range(half_line, -infinite, 2.0_wp), &
      between = target_range(probit, -1.0_wp, 3.0_wp), &
      log_between = target_range(log_probit, 0.1_wp, 50.0_wp), &
      circle = target_range(periodic, -1.0_wp, 3.0_wp)
   real(wp) :: nan
   integer :: status

   nan = ieee_value(nan, ieee_quiet_nan)
   call test_case("isotropic", isotropic, [anywhere, anywhere], plain, 0, 0)
   call test_case("diagonal", diagonal, [anywhere, anywhere], plain, 0, 0)
   call test_case("full", full, [anywhere, anywhere], plain, 0, 0)
   call test_case("truncated and wrapped", diagonal, [cut, circle], plain, 0, 0)
   call test_case("the same, isotropic", isotropic, [circle, cut], plain, 0, 0)
   call test_case("in the logarithm, half a line", diagonal, [in_log, above], plain, 0, 0)
   call test_case("probit and wrapped, full", full, [between, circle], plain, 0, 0)
   call test_case("probit of the logarithm, half a line, full", full, [log_between, below], plain, &
      0, 0)
   call test_case("missing", diagonal, [anywhere, circle], groups, 0, 0)
   call test_case("projected", full, [anywhere, anywhere], plain, 4, 2)
   call test_case("projected, missing", full, [anywhere, anywhere], groups, 4, 3)
   call test_refused()
   call finish()

contains

   !> A committee with some numbers for parameters.
   subroutine new_committee(covariance, ranges, its_groups, n_projected, n_components, layout, &
      parameters)
      integer, intent(in) :: covariance, its_groups(:), n_projected, n_components
      type(target_range), intent(in) :: ranges(:)
      integer(ip), allocatable, intent(out) :: layout(:)
      real(wp), allocatable, intent(out) :: parameters(:)
      type(committee_view) :: view
      type(block_view) :: at
      integer(ip) :: outputs

      call plan_committee(1_ip, n_inputs, c, n_members, [4, 3], [6, 5], 2, 3, covariance, .true., &
         layout, status, its_groups, n_projected, n_components)
      if (status /= status_ok) error stop "no layout"
      parameters = 0.35_wp*normals(int(layout(at_parameters)), 1)
      call make_positive(layout, input_scale_block, 0.5_wp, parameters)
      call make_positive(layout, target_scale_block, merge(0.1_wp, 0.5_wp, &
         any(ranges%is_mapped())), parameters)
      at = find_block(layout, member_weights_block, 1)
      parameters(at%offset + 1:at%offset + n_members) = [0.5_wp, 0.2_wp, 0.3_wp]
      call view_committee(layout, parameters, view, status)
      ! A logarithm of a width, clamped: the first kernel of the second member has it.
      associate (member => view%members(2))
         outputs = member%offset + member%n_parameters - view%n_features*member%network%n_outputs &
            - member%network%n_outputs
         if (covariance == isotropic) parameters(outputs + 2 + c) = 60
      end associate
      call add_ranges(ranges, layout, parameters, status)
      if (status /= status_ok) error stop "no ranges"
   end subroutine new_committee

   !> Scales of this order.
   subroutine make_positive(layout, name, order, parameters)
      integer(ip), intent(in) :: layout(:)
      character(len=*), intent(in) :: name
      real(wp), intent(in) :: order
      real(wp), intent(inout) :: parameters(:)
      type(block_view) :: at
      integer(ip) :: first, last

      at = find_block(layout, name, 1)
      first = at%offset + at%n_reals/2 + 1
      last = at%offset + at%n_reals
      parameters(first:last) = order*(1 + abs(parameters(first:last)))
   end subroutine make_positive

   subroutine test_case(name, covariance, ranges, its_groups, n_projected, n_components)
      character(len=*), intent(in) :: name
      integer, intent(in) :: covariance, its_groups(:), n_projected, n_components
      type(target_range), intent(in) :: ranges(:)
      real(wp), parameter :: h = 1.0e-3_wp, steps(4) = h*[1, -1, 2, -2], &
         shares(4) = [8, -8, -1, 1]/(12*h)
      integer(ip), allocatable :: layout(:)
      real(wp), allocatable :: parameters(:), got(:, :), expected(:, :), moved(:, :)
      type(committee_view) :: view
      real(wp) :: inputs(n_inputs, n)
      integer :: j, step

      call new_committee(covariance, ranges, its_groups, n_projected, n_components, layout, &
         parameters)
      call view_committee(layout, parameters, view, status)
      inputs = 0.4_wp*reshape(normals(n_inputs*n, 7), [n_inputs, n])
      if (.not. any(ranges%is_mapped())) inputs(3, 2) = 40 ! where the linear path has ended
      if (size(its_groups) > 0) inputs(4, 3) = nan ! and with it input 1
      got = derivatives(view, parameters, inputs)
      call check(status == status_ok, name // ": can be had")
      allocate (expected, mold=got)
      expected = 0
      do j = 1, n_inputs
         do step = 1, size(steps)
            moved = inputs
            moved(j, :) = moved(j, :) + steps(step)
            expected(j::n_inputs, :) = expected(j::n_inputs, :) &
               + shares(step)*answers(view, parameters, moved)
         end do
      end do
      do j = 1, size(got, 1), n_inputs
         associate (e => expected(j:j + n_inputs - 1, :))
            call check_close(got(j:j + n_inputs - 1, :), e, 1.0e-7_wp*maxval(abs(e)) &
               + 1.0e-11_wp, name // ": derivatives")
         end associate
      end do
      if (size(its_groups) > 0) call check(.not. (any(abs(got(1::n_inputs, 3)) > 0) .or. &
         any(abs(got(4::n_inputs, 3)) > 0)), name // ": none for what is missing")
      call check(all(maxval(abs(got), 2) > 0 .or. maxval(abs(expected), 2) <= 0), &
         name // ": not trivial")
      call test_facade(name, layout, parameters, view, inputs, got)
   end subroutine test_case

   !> What there is to differentiate, (means, sds, weights, means and covariances of kernels, n).
   function answers(view, parameters, inputs) result(all_of_it)
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:), inputs(:, :)
      real(wp) :: all_of_it(2*c + (1 + c + c*c)*view%n_kernels, n)
      real(wp) :: weights(view%n_kernels, n), means(c, view%n_kernels, n)
      real(wp) :: factors(c, c, view%n_kernels, n), covariances(c, c, view%n_kernels)
      real(wp) :: mean(c), covariance(c, c)
      integer :: i, k

      call posterior(view, parameters, inputs, 1, weights, means, factors, status)
      if (status /= status_ok) error stop "no posterior"
      do i = 1, n
         call moments_within(view%ranges, weights(:, i), means(:, :, i), factors(:, :, :, i), &
            mean, covariance)
         do k = 1, view%n_kernels
            covariances(:, :, k) = kernel_covariance(factors(:, :, k, i))
         end do
         all_of_it(:, i) = [mean, [(sqrt(covariance(k, k)), k=1, c)], weights(:, i), &
            reshape(means(:, :, i), [size(means(:, :, i))]), &
            reshape(covariances, [size(covariances)])]
      end do
   end function answers

   !> In the same order, the input being the first dimension of each.
   function derivatives(view, parameters, inputs) result(all_of_it)
      type(committee_view), intent(in) :: view
      real(wp), intent(in), contiguous :: parameters(:), inputs(:, :)
      real(wp) :: all_of_it(n_inputs*(2*c + (1 + c + c*c)*view%n_kernels), n)
      real(wp) :: d_mean(n_inputs, c, n), d_sd(n_inputs, c, n)
      real(wp) :: d_weights(n_inputs, view%n_kernels, n), d_means(n_inputs, c, view%n_kernels, n)
      real(wp) :: d_covariances(n_inputs, c, c, view%n_kernels, n)
      integer :: i, failure

      call moment_sensitivity(view, parameters, inputs, 2, d_mean, d_sd, failure)
      call kernel_sensitivity(view, parameters, inputs, 2, d_weights, d_means, d_covariances, &
         status)
      status = max(status, failure)
      do i = 1, n
         all_of_it(:, i) = [reshape(d_mean(:, :, i), [n_inputs*c]), &
            reshape(d_sd(:, :, i), [n_inputs*c]), &
            reshape(d_weights(:, :, i), [size(d_weights(:, :, i))]), &
            reshape(d_means(:, :, :, i), [size(d_means(:, :, :, i))]), &
            reshape(d_covariances(:, :, :, :, i), [size(d_covariances(:, :, :, :, i))])]
      end do
   end function derivatives

   !> `use fmdn` gives the same bits.
   subroutine test_facade(name, layout, parameters, view, inputs, expected)
      character(len=*), intent(in) :: name
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:), inputs(:, :), expected(:, :)
      type(committee_view), intent(in) :: view
      type(committee) :: network
      real(wp), allocatable :: d_mean(:, :), d_sd(:, :), d_weights(:, :), d_means(:, :, :)
      real(wp), allocatable :: d_covariances(:, :, :, :)
      real(wp) :: got(size(expected, 1))

      network%layout = layout
      network%parameters = parameters
      call network%sensitivity(inputs(:, 3), d_mean, d_sd, status)
      call check(status == status_ok, name // ": in a program")
      call network%kernel_sensitivity(inputs(:, 3), d_weights, d_means, d_covariances, status)
      call check(status == status_ok, name // ": of the kernels")
      got = [reshape(d_mean, [n_inputs*c]), reshape(d_sd, [n_inputs*c]), &
         reshape(d_weights, [n_inputs*view%n_kernels]), &
         reshape(d_means, [n_inputs*c*view%n_kernels]), &
         reshape(d_covariances, [n_inputs*c*c*view%n_kernels])]
      call check(all(same(got, expected(:, 3))), name // ": the same bits")
   end subroutine test_facade

   subroutine test_refused()
      type(committee) :: network
      real(wp), allocatable :: d_mean(:, :), d_sd(:, :)

      call network%sensitivity([1.0_wp], d_mean, d_sd, status)
      call check(status == status_invalid_argument, "refused: no committee")
      call new_committee(full, [anywhere, anywhere], plain, 0, 0, network%layout, &
         network%parameters)
      call network%sensitivity(normals(n_inputs + 1, 1), d_mean, d_sd, status)
      call check(status == status_invalid_argument, "refused: another number of inputs")
      call network%sensitivity([1.0_wp, nan, 1.0_wp, 1.0_wp, 1.0_wp], d_mean, d_sd, status)
      call check(status == status_not_finite .and. .not. allocated(d_mean), &
         "refused: missing where nothing may be")
   end subroutine test_refused
end program test_sensitivity
