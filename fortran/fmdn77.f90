! The boundary for programs that know no modules: external procedures with arguments by reference
! and default integers, for FORTRAN 77 and what calls it. Only the layout is INTEGER*8.
! docs/fortran.md shows them in use; each is a call of fmdn_c* and leaves its status.

!> Sizes of a committee in a model file: layout, parameters, inputs, targets, kernels. A blank name
!> means the first committee. `text` says what is wrong.
! allow(procedure-not-in-module)
subroutine fmdnsizes(path, name, sizes, text, status)
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_file, only: detail_length, read_committee
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_ok, status_text
   implicit none (type, external)
   character(len=*), intent(in) :: path, name
   integer, intent(out) :: sizes(5)
   ! allow(C072): the caller's
   character(len=*), intent(out) :: text
   integer, intent(out) :: status
   integer(ip), allocatable :: layout(:)
   real(wp), allocatable :: parameters(:)
   character(len=:), allocatable :: its_text
   character(len=detail_length) :: detail
   type(committee_view) :: view

   sizes = 0
   call read_committee(path, trim(name), layout, parameters, its_text, status, detail)
   text = status_text(status) // ": " // detail
   if (status /= status_ok) return
   call view_committee(layout, parameters, view, status)
   text = status_text(status)
   sizes = [size(layout), size(parameters), view%n_inputs, view%n_targets, view%n_kernels]
end subroutine fmdnsizes

!> Read a committee into arrays of the sizes that fmdnsizes gave.
! allow(procedure-not-in-module)
subroutine fmdnload(path, name, n_layout, layout, n_parameters, parameters, status)
   use fmdn_file, only: detail_length, read_committee
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_invalid_argument, status_ok
   implicit none (type, external)
   character(len=*), intent(in) :: path, name
   integer, intent(in) :: n_layout, n_parameters
   integer(ip), intent(out) :: layout(n_layout)
   real(wp), intent(out) :: parameters(n_parameters)
   integer, intent(out) :: status
   integer(ip), allocatable :: its_layout(:)
   real(wp), allocatable :: its_parameters(:)
   character(len=:), allocatable :: its_text
   character(len=detail_length) :: detail

   layout = 0
   parameters = 0
   call read_committee(path, trim(name), its_layout, its_parameters, its_text, status, detail)
   if (status /= status_ok) return
   status = status_invalid_argument
   if (size(its_layout) /= n_layout .or. size(its_parameters) /= n_parameters) return
   layout = its_layout
   parameters = its_parameters
   status = status_ok
end subroutine fmdnload

!> The mixture for one observation: weights, means and precision factors of its kernels. Refuses a
!> committee whose targets have ranges, for which these are not the whole posterior.
! allow(procedure-not-in-module)
subroutine fmdnposterior(n_layout, layout, n_parameters, parameters, n_inputs, observed, &
   n_targets, n_kernels, weights, means, factors, status)
   use fmdn_c, only: fmdn_posterior
   use fmdn_committee, only: committee_view, view_committee
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_has_ranges, status_ok
   use fmdn_targets, only: free
   implicit none (type, external)
   integer, intent(in) :: n_layout, n_parameters, n_inputs, n_targets, n_kernels
   integer(ip), intent(in) :: layout(n_layout)
   real(wp), intent(in) :: parameters(n_parameters), observed(n_inputs)
   real(wp), intent(inout) :: weights(n_kernels), means(n_targets, n_kernels)
   real(wp), intent(inout) :: factors(n_targets, n_targets, n_kernels)
   integer, intent(out) :: status
   type(committee_view) :: view

   call view_committee(layout, parameters, view, status)
   if (status /= status_ok) return
   status = status_has_ranges ! the calls below could not say it
   if (any(view%ranges%kind /= free)) return
   call fmdn_posterior(int(n_layout, ip), layout, int(n_parameters, ip), parameters, &
      int(n_inputs, ip), 1_ip, observed, 1, int(n_targets, ip), int(n_kernels, ip), weights, &
      means, factors, status)
end subroutine fmdnposterior

!> log p(x) of a mixture, nats.
! allow(procedure-not-in-module)
subroutine fmdnlogdensity(n_targets, n_kernels, weights, means, factors, x, log_p, status)
   use fmdn_c_mixture, only: fmdn_mixture_log_density
   use fmdn_kinds, only: ip, wp
   implicit none (type, external)
   integer, intent(in) :: n_targets, n_kernels
   real(wp), intent(in) :: weights(n_kernels), means(n_targets, n_kernels)
   real(wp), intent(in) :: factors(n_targets, n_targets, n_kernels)
   real(wp), intent(in) :: x(n_targets)
   real(wp), intent(out) :: log_p
   integer, intent(out) :: status
   real(wp) :: one(1)

   one = 0
   call fmdn_mixture_log_density(int(n_targets, ip), int(n_kernels, ip), 1_ip, 0_ip, &
      [integer ::], [real(wp) ::], [real(wp) ::], weights, means, factors, 1_ip, 1_ip, &
      x, 1, one, status)
   log_p = one(1)
end subroutine fmdnlogdensity

!> The value of one target, counted from 1, below which the probability is q.
! allow(procedure-not-in-module)
subroutine fmdnquantile(n_targets, n_kernels, weights, means, factors, target, q, x, status)
   use fmdn_c_mixture, only: fmdn_mixture_marginal, fmdn_mixture_quantile
   use fmdn_kinds, only: ip, wp
   use fmdn_status, only: status_ok
   implicit none (type, external)
   integer, intent(in) :: n_targets, n_kernels
   real(wp), intent(in) :: weights(n_kernels), means(n_targets, n_kernels)
   real(wp), intent(in) :: factors(n_targets, n_targets, n_kernels)
   integer, intent(in) :: target
   real(wp), intent(in) :: q
   real(wp), intent(out) :: x
   integer, intent(out) :: status
   real(wp) :: its_means(n_kernels), precisions(n_kernels), one(1)

   x = 0
   call fmdn_mixture_marginal(int(n_targets, ip), int(n_kernels, ip), 1_ip, means, factors, &
      target, its_means, precisions, status)
   if (status /= status_ok) return
   one = 0
   call fmdn_mixture_quantile(int(n_kernels, ip), 1_ip, 0_ip, [integer ::], [real(wp) ::], &
      [real(wp) ::], weights, its_means, precisions, 1_ip, [q], 1, one, status)
   x = one(1)
end subroutine fmdnquantile

!> What a status means, in words.
! allow(procedure-not-in-module)
subroutine fmdntext(status, text)
   use fmdn_status, only: status_text
   implicit none (type, external)
   integer, intent(in) :: status
   ! allow(C072): the caller's
   character(len=*), intent(out) :: text

   text = status_text(status)
end subroutine fmdntext
