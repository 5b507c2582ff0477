!> The boundary for derivatives with respect to the inputs (fmdn_sensitivity), as fmdn_c is for
!> committees.
module fmdn_c_sensitivity
   use, intrinsic :: iso_c_binding, only: c_double, c_int, c_int64_t
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_kinds, only: ip, max_threads, wp
   use fmdn_sensitivity, only: kernel_sensitivity, moment_sensitivity
   use fmdn_status, only: status_invalid_argument, status_ok
   implicit none (type, external)
   private
   public :: fmdn_moment_sensitivity, fmdn_kernel_sensitivity

contains

   !> Derivatives of the posterior means and standard deviations of each row with respect to its
   !> raw inputs; zero for those that are missing.
   subroutine fmdn_moment_sensitivity(n_layout, layout, n_parameters, parameters, n_inputs, &
      n_rows, inputs, n_threads, n_targets, d_mean, d_sd, status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_rows, n_targets
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      real(c_double), intent(in) :: inputs(n_inputs, n_rows)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: d_mean(n_inputs, n_targets, n_rows)
      real(c_double), intent(inout) :: d_sd(n_inputs, n_targets, n_rows)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view

      call look(layout, parameters, n_inputs, n_targets, n_threads, view, status)
      if (status == status_ok) call moment_sensitivity(view, parameters, inputs, n_threads, &
         d_mean, d_sd, status)
   end subroutine fmdn_moment_sensitivity

   !> The same of the weights, means and covariances of all members' kernels, in the space in which
   !> these live (fmdn_targets).
   subroutine fmdn_kernel_sensitivity(n_layout, layout, n_parameters, parameters, n_inputs, &
      n_rows, inputs, n_threads, n_targets, n_kernels, d_weights, d_means, d_covariances, &
      status) bind(C)
      !f2py threadsafe
      integer(c_int64_t), value :: n_layout, n_parameters, n_inputs, n_rows, n_targets, n_kernels
      integer(c_int64_t), intent(in) :: layout(n_layout)
      real(c_double), intent(in) :: parameters(n_parameters)
      real(c_double), intent(in) :: inputs(n_inputs, n_rows)
      integer(c_int), value :: n_threads
      real(c_double), intent(inout) :: d_weights(n_inputs, n_kernels, n_rows)
      real(c_double), intent(inout) :: d_means(n_inputs, n_targets, n_kernels, n_rows)
      real(c_double), intent(inout) :: d_covariances(n_inputs, n_targets, n_targets, n_kernels, &
         n_rows)
      integer(c_int), intent(out) :: status
      type(committee_view) :: view

      call look(layout, parameters, n_inputs, n_targets, n_threads, view, status)
      if (status == status_ok .and. n_kernels /= view%n_kernels) status = status_invalid_argument
      if (status == status_ok) call kernel_sensitivity(view, parameters, inputs, n_threads, &
         d_weights, d_means, d_covariances, status)
   end subroutine fmdn_kernel_sensitivity

   !> The committee looked at, unless these sizes are not its own.
   subroutine look(layout, parameters, n_inputs, n_targets, n_threads, view, status)
      integer(ip), intent(in) :: layout(:)
      real(wp), intent(in) :: parameters(:)
      integer(ip), intent(in) :: n_inputs, n_targets
      integer, intent(in) :: n_threads
      type(committee_view), intent(out) :: view
      integer, intent(out) :: status

      call view_committee(layout, parameters, view, status)
      if (status /= status_ok) return
      status = status_invalid_argument
      if (n_inputs /= view%n_inputs .or. n_targets /= view%n_targets) return
      if (n_threads < 1 .or. n_threads > max_threads) return
      status = status_ok
   end subroutine look

end module fmdn_c_sensitivity
