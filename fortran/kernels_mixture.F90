! The mixture of a tile of examples: losses, and their derivatives with respect to the network's
! outputs (docs/theory.md, eq. 3-9; fmdn_mixture says how the outputs lie). Compiled once per
! instruction set and under the rules of kernels_products.F90; the example is the first dimension.

#ifndef ISA
#define ISA base
#endif
#define base "base"
#define v3 "v3"
#define v4 "v4"

!> Losses of m examples in nats, and what `mixture_gradient` needs: weights, responsibilities,
!> residuals z and precisions exp(-s). covariance: 1 isotropic, 2 diagonal, 3 full.
! allow(procedure-not-in-module)
pure subroutine mixture_loss_kernel(m, c, k, covariance, log_scale_min, log_scale_max, n_outputs, &
   outputs, targets, n_scales, weights, responsibilities, residuals, precisions, losses) &
   bind(C, name="fmdn_mixture_loss_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: m, c, k, covariance, n_outputs, n_scales
   real(wp), value :: log_scale_min, log_scale_max
   real(wp), intent(in) :: outputs(m, n_outputs, k), targets(m, c)
   real(wp), intent(inout) :: weights(m, k), responsibilities(m, k)
   real(wp), intent(inout) :: residuals(m, c, k), precisions(m, n_scales, k)
   real(wp), intent(inout) :: losses(m)
   real(wp), parameter :: half_log_two_pi = 0.918938533204672741780329736405617640_wp
   real(wp) :: log_sum(m)
   integer :: i, j, l, t

   interface
      pure subroutine exponential(n, x) bind(C, name="fmdn_exponential_" // ISA)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(inout) :: x(n)
      end subroutine exponential

      pure subroutine logarithm(n, x) bind(C, name="fmdn_logarithm_" // ISA)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(inout) :: x(n)
      end subroutine logarithm
   end interface

   weights = outputs(:, 1, :)
   call softmax(weights, log_sum)

   do j = 1, k
      do i = 1, n_scales
         !$omp simd
         do t = 1, m
            precisions(t, i, j) = -clamped(outputs(t, place(i), j))
         end do
      end do
   end do
   call exponential(m*n_scales*k, precisions)

   do j = 1, k
      ! The logarithm of a kernel's term in eq. 4.
      !$omp simd
      do t = 1, m
         responsibilities(t, j) = outputs(t, 1, j) - log_sum(t) - c*half_log_two_pi
      end do
      do i = 1, c
         l = min(i, n_scales)
         !$omp simd
         do t = 1, m
            residuals(t, i, j) = (targets(t, i) - outputs(t, 1 + i, j))*precisions(t, l, j)
         end do
         if (covariance == 3) then
            do l = i + 1, c
               !$omp simd
               do t = 1, m
                  residuals(t, i, j) = residuals(t, i, j) &
                     + outputs(t, 1 + c + (l*(l - 1))/2 + i, j) &
                     *(targets(t, l) - outputs(t, 1 + l, j))
               end do
            end do
         end if
         l = place(min(i, n_scales))
         !$omp simd
         do t = 1, m
            responsibilities(t, j) = responsibilities(t, j) - clamped(outputs(t, l, j)) &
               - 0.5_wp*residuals(t, i, j)**2
         end do
      end do
   end do
   call softmax(responsibilities, log_sum)
   losses = -log_sum

contains

   !> Place of log scale number i among a kernel's outputs.
   pure function place(i) result(row)
      integer, intent(in) :: i
      integer :: row

      row = 1 + c + i
      if (covariance == 3) row = 1 + c + (i*(i + 1))/2
   end function place

   pure function clamped(s) result(inside)
      real(wp), intent(in) :: s
      real(wp) :: inside

      inside = min(max(s, log_scale_min), log_scale_max)
   end function clamped

   !> p = softmax(p) over the kernels and log(sum(exp(p))), safe for any finite p.
   pure subroutine softmax(p, log_total)
      real(wp), intent(inout) :: p(m, k), log_total(m)
      real(wp) :: total(m), share(m)
      integer :: j, t

      log_total = p(:, 1)
      do j = 2, k
         !$omp simd
         do t = 1, m
            log_total(t) = max(log_total(t), p(t, j))
         end do
      end do
      do j = 1, k
         !$omp simd
         do t = 1, m
            p(t, j) = p(t, j) - log_total(t)
         end do
      end do
      call exponential(m*k, p)
      total = p(:, 1)
      do j = 2, k
         !$omp simd
         do t = 1, m
            total(t) = total(t) + p(t, j)
         end do
      end do
      !$omp simd
      do t = 1, m
         share(t) = 1/total(t)
      end do
      do j = 1, k
         !$omp simd
         do t = 1, m
            p(t, j) = p(t, j)*share(t)
         end do
      end do
      call logarithm(m, total)
      log_total = log_total + total
   end subroutine softmax
end subroutine mixture_loss_kernel

!> Derivatives of the sum of weighted losses with respect to the outputs, from what
!> `mixture_loss` left. Where a scale is clamped the loss does not depend on it: zero.
! allow(procedure-not-in-module)
pure subroutine mixture_gradient_kernel(m, c, k, covariance, log_scale_min, log_scale_max, &
   n_outputs, outputs, targets, n_scales, weights, responsibilities, residuals, precisions, &
   example_weights, d_outputs) bind(C, name="fmdn_mixture_gradient_" // ISA)
   use, intrinsic :: iso_c_binding, only: c_int, wp => c_double
   implicit none (type, external)
   integer(c_int), value :: m, c, k, covariance, n_outputs, n_scales
   real(wp), value :: log_scale_min, log_scale_max
   real(wp), intent(in) :: outputs(m, n_outputs, k), targets(m, c)
   real(wp), intent(in) :: weights(m, k), responsibilities(m, k)
   real(wp), intent(in) :: residuals(m, c, k), precisions(m, n_scales, k), example_weights(m)
   real(wp), intent(inout) :: d_outputs(m, n_outputs, k)
   real(wp) :: g(m), d_scale(m)
   integer :: i, j, l, row, t

   do j = 1, k
      !$omp simd
      do t = 1, m
         d_outputs(t, 1, j) = example_weights(t)*(weights(t, j) - responsibilities(t, j))
         g(t) = example_weights(t)*responsibilities(t, j)
         d_scale(t) = c
      end do
      do i = 1, c
         l = min(i, n_scales)
         !$omp simd
         do t = 1, m
            d_outputs(t, 1 + i, j) = -g(t)*residuals(t, i, j)*precisions(t, l, j)
         end do
         select case (covariance)
         case (1) ! one scale for all dimensions: eq. 7
            !$omp simd
            do t = 1, m
               d_scale(t) = d_scale(t) - residuals(t, i, j)**2
            end do
            if (i < c) cycle
            row = 2 + c
         case (2) ! eq. 8
            !$omp simd
            do t = 1, m
               d_scale(t) = 1 - residuals(t, i, j)**2
            end do
            row = 1 + c + i
         case default ! eq. 9; row l of U acts on the residuals i = l..c
            do l = 1, i - 1
               row = 1 + c + (i*(i - 1))/2 + l
               !$omp simd
               do t = 1, m
                  d_outputs(t, 1 + i, j) = d_outputs(t, 1 + i, j) &
                     - g(t)*residuals(t, l, j)*outputs(t, row, j)
                  d_outputs(t, row, j) = g(t)*residuals(t, l, j) &
                     *(targets(t, i) - outputs(t, 1 + i, j))
               end do
            end do
            row = 1 + c + (i*(i + 1))/2
            !$omp simd
            do t = 1, m
               d_scale(t) = 1 - residuals(t, i, j)*precisions(t, i, j) &
                  *(targets(t, i) - outputs(t, 1 + i, j))
            end do
         end select
         !$omp simd
         do t = 1, m
            d_outputs(t, row, j) = merge(g(t)*d_scale(t), 0.0_wp, &
               outputs(t, row, j) > log_scale_min .and. outputs(t, row, j) < log_scale_max)
         end do
      end do
   end do
end subroutine mixture_gradient_kernel
