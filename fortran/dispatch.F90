!> Which copy of the kernels this processor gets: one value, passed down as an argument.
!> The kernel files are compiled once per instruction set; FMDN_DISPATCH_X86 is defined where the
!> copies for x86-64-v3 and -v4 exist.
module fmdn_dispatch
   use, intrinsic :: iso_c_binding, only: c_int, c_int64_t, c_intptr_t, c_loc, wp => c_double
   implicit none (type, external)
   private
   public :: kernel_set, processor_kernels, aligned_start

   abstract interface
      !> c(1:m, 1:n) = bias + a b (update 0), c + a b (1) or (1 - c**2)*(a b) (2); element (l, j) of
      !> b at b(1 + (l - 1)*stride_k + (j - 1)*stride_n); m is a multiple of `lanes`, k at least 1.
      pure subroutine product_kernel(m, n, k, a, b, stride_k, stride_n, bias, update, c) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: m, n, k, stride_k, stride_n, update
         real(wp), intent(in) :: a(m, k), b(1 + (k - 1)*stride_k + (n - 1)*stride_n), bias(n)
         real(wp), intent(inout) :: c(m, n)
      end subroutine product_kernel

      !> One row of it, update 0 or 1, with b stored transposed: b(1:n, 1:k).
      pure subroutine row_product_kernel(n, k, a, b, bias, update, c) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n, k, update
         real(wp), intent(in) :: a(k), b(n, k), bias(n)
         real(wp), intent(inout) :: c(n)
      end subroutine row_product_kernel

      !> g(1:p, 1:q) = g + transpose(d) a; m is a multiple of `lanes`.
      pure subroutine accumulate_kernel(m, p, q, d, a, g) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: m, p, q
         real(wp), intent(in) :: d(m, p), a(m, q)
         real(wp), intent(inout) :: g(p, q)
      end subroutine accumulate_kernel

      !> sums(1:n) = sums + the sums of the columns of x; m is a multiple of `lanes`.
      pure subroutine sum_columns_kernel(m, n, x, sums) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: m, n
         real(wp), intent(in) :: x(m, n)
         real(wp), intent(inout) :: sums(n)
      end subroutine sum_columns_kernel

      !> tile(1:n, j) = (values(j, order) - centre(j))/scale(j), at most `farthest` from 0.
      pure subroutine standardise_kernel(n, n_columns, values, order, centre, scale, farthest, m, &
         tile, not_finite) bind(C)
         import :: c_int, c_int64_t, wp
         implicit none (type, external)
         integer(c_int), value :: n, n_columns, m
         real(wp), value :: farthest
         ! allow(C071): as many rows as the numbers in `order` ask for
         real(wp), intent(in) :: values(n_columns, *), centre(n_columns), scale(n_columns)
         integer(c_int64_t), intent(in) :: order(n)
         real(wp), intent(inout) :: tile(m, n_columns)
         integer(c_int), intent(inout) :: not_finite !! becomes 1 where a value is
      end subroutine standardise_kernel

      !> x = f(x), any n.
      pure subroutine function_kernel(n, x) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(inout) :: x(n)
      end subroutine function_kernel

      !> x = erfc(x) and e = exp(-x**2), any n.
      pure subroutine gaussian_tail_kernel(n, x, e) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(inout) :: x(n), e(n)
      end subroutine gaussian_tail_kernel

      !> log p of a mixture at m points: see kernels_density.F90.
      pure subroutine log_density_kernel(c, k, m, log_factors, means, factors, points, log_p) &
         bind(C)
         import :: c_int, c_int64_t, wp
         implicit none (type, external)
         integer(c_int), value :: c, k
         integer(c_int64_t), value :: m
         real(wp), intent(in) :: log_factors(k), means(c, k), factors(c, c, k), points(c, m)
         real(wp), intent(inout) :: log_p(m)
      end subroutine log_density_kernel

      !> Probability below (side = -1) or above m points (side = 1), one target, and the density.
      pure subroutine tail_kernel(k, m, weights, means, factors, side, points, p, density) bind(C)
         import :: c_int, c_int64_t, wp
         implicit none (type, external)
         integer(c_int), value :: k
         integer(c_int64_t), value :: m
         real(wp), intent(in) :: weights(k), means(k), factors(k), points(m)
         real(wp), value :: side
         real(wp), intent(inout) :: p(m), density(m)
      end subroutine tail_kernel

      !> log(Phi(b) - Phi(a)), and the densities at a and b over that: see kernels_interval.F90.
      pure subroutine interval_kernel(n, a, b, log_p, at_a, at_b) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: n
         real(wp), intent(in) :: a(n), b(n)
         real(wp), intent(inout) :: log_p(n), at_a(n), at_b(n)
      end subroutine interval_kernel

      !> Losses of m examples of a mixture: see kernels_mixture.F90.
      pure subroutine mixture_loss_kernel(m, c, k, covariance, log_scale_min, log_scale_max, &
         n_outputs, outputs, targets, n_scales, weights, responsibilities, residuals, precisions, &
         losses) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: m, c, k, covariance, n_outputs, n_scales
         real(wp), value :: log_scale_min, log_scale_max
         real(wp), intent(in) :: outputs(m, n_outputs, k), targets(m, c)
         real(wp), intent(inout) :: weights(m, k), responsibilities(m, k)
         real(wp), intent(inout) :: residuals(m, c, k), precisions(m, n_scales, k), losses(m)
      end subroutine mixture_loss_kernel

      !> Their derivatives with respect to the outputs.
      pure subroutine mixture_gradient_kernel(m, c, k, covariance, log_scale_min, log_scale_max, &
         n_outputs, outputs, targets, n_scales, weights, responsibilities, residuals, precisions, &
         example_weights, d_outputs) bind(C)
         import :: c_int, wp
         implicit none (type, external)
         integer(c_int), value :: m, c, k, covariance, n_outputs, n_scales
         real(wp), value :: log_scale_min, log_scale_max
         real(wp), intent(in) :: outputs(m, n_outputs, k), targets(m, c)
         real(wp), intent(in) :: weights(m, k), responsibilities(m, k)
         real(wp), intent(in) :: residuals(m, c, k), precisions(m, n_scales, k), example_weights(m)
         real(wp), intent(inout) :: d_outputs(m, n_outputs, k)
      end subroutine mixture_gradient_kernel
   end interface

   !> The hot loops for one instruction set.
   type :: kernel_set
      integer :: level = 0 !! 0 any processor, 3 x86-64-v3 (AVX2), 4 x86-64-v4 (AVX-512)
      procedure(product_kernel), pointer, nopass :: product => null()
      procedure(row_product_kernel), pointer, nopass :: row_product => null()
      procedure(accumulate_kernel), pointer, nopass :: accumulate => null()
      procedure(sum_columns_kernel), pointer, nopass :: sum_columns => null()
      procedure(standardise_kernel), pointer, nopass :: standardise => null()
      procedure(function_kernel), pointer, nopass :: exp => null()
      procedure(function_kernel), pointer, nopass :: tanh => null()
      procedure(function_kernel), pointer, nopass :: log => null()
      procedure(mixture_loss_kernel), pointer, nopass :: mixture_loss => null()
      procedure(mixture_gradient_kernel), pointer, nopass :: mixture_gradient => null()
      procedure(gaussian_tail_kernel), pointer, nopass :: gaussian_tail => null()
      procedure(log_density_kernel), pointer, nopass :: log_density => null()
      procedure(tail_kernel), pointer, nopass :: tail => null()
      procedure(interval_kernel), pointer, nopass :: interval => null()
   end type kernel_set

   procedure(product_kernel), bind(C) :: fmdn_product_base
   procedure(row_product_kernel), bind(C) :: fmdn_row_product_base
   procedure(accumulate_kernel), bind(C) :: fmdn_accumulate_base
   procedure(sum_columns_kernel), bind(C) :: fmdn_sum_columns_base
   procedure(standardise_kernel), bind(C) :: fmdn_standardise_base
   procedure(function_kernel), bind(C) :: fmdn_exponential_base
   procedure(function_kernel), bind(C) :: fmdn_hyperbolic_tangent_base
   procedure(function_kernel), bind(C) :: fmdn_logarithm_base
   procedure(mixture_loss_kernel), bind(C) :: fmdn_mixture_loss_base
   procedure(mixture_gradient_kernel), bind(C) :: fmdn_mixture_gradient_base
   procedure(gaussian_tail_kernel), bind(C) :: fmdn_gaussian_tail_base
   procedure(log_density_kernel), bind(C) :: fmdn_log_density_base
   procedure(tail_kernel), bind(C) :: fmdn_tail_base
   procedure(interval_kernel), bind(C) :: fmdn_interval_base
#ifdef FMDN_DISPATCH_X86
   procedure(product_kernel), bind(C) :: fmdn_product_v3, fmdn_product_v4
   procedure(row_product_kernel), bind(C) :: fmdn_row_product_v3, fmdn_row_product_v4
   procedure(accumulate_kernel), bind(C) :: fmdn_accumulate_v3, fmdn_accumulate_v4
   procedure(sum_columns_kernel), bind(C) :: fmdn_sum_columns_v3, fmdn_sum_columns_v4
   procedure(standardise_kernel), bind(C) :: fmdn_standardise_v3, fmdn_standardise_v4
   procedure(function_kernel), bind(C) :: fmdn_exponential_v3, fmdn_exponential_v4
   procedure(function_kernel), bind(C) :: fmdn_hyperbolic_tangent_v3, fmdn_hyperbolic_tangent_v4
   procedure(function_kernel), bind(C) :: fmdn_logarithm_v3, fmdn_logarithm_v4
   procedure(mixture_loss_kernel), bind(C) :: fmdn_mixture_loss_v3, fmdn_mixture_loss_v4
   procedure(mixture_gradient_kernel), bind(C) :: fmdn_mixture_gradient_v3, fmdn_mixture_gradient_v4
   procedure(gaussian_tail_kernel), bind(C) :: fmdn_gaussian_tail_v3, fmdn_gaussian_tail_v4
   procedure(log_density_kernel), bind(C) :: fmdn_log_density_v3, fmdn_log_density_v4
   procedure(tail_kernel), bind(C) :: fmdn_tail_v3, fmdn_tail_v4
   procedure(interval_kernel), bind(C) :: fmdn_interval_v3, fmdn_interval_v4
#endif

   interface
      !> system.c: the highest level this processor has among the compiled ones.
      pure function fmdn_cpu_level() result(level) bind(C)
         import :: c_int
         implicit none (type, external)
         integer(c_int) :: level
      end function fmdn_cpu_level
   end interface

contains

   !> The fastest kernels this processor has; `highest` keeps to lower levels, for tests.
   pure function processor_kernels(highest) result(set)
      integer, intent(in), optional :: highest
      type(kernel_set) :: set
      integer :: level

      level = int(fmdn_cpu_level())
      if (present(highest)) level = min(level, highest)
      select case (level)
#ifdef FMDN_DISPATCH_X86
       case (4:)
         set = kernel_set(4, fmdn_product_v4, fmdn_row_product_v4, fmdn_accumulate_v4, &
            fmdn_sum_columns_v4, fmdn_standardise_v4, fmdn_exponential_v4, &
            fmdn_hyperbolic_tangent_v4, fmdn_logarithm_v4, &
            fmdn_mixture_loss_v4, fmdn_mixture_gradient_v4, fmdn_gaussian_tail_v4, &
            fmdn_log_density_v4, fmdn_tail_v4, fmdn_interval_v4)
       case (3)
         set = kernel_set(3, fmdn_product_v3, fmdn_row_product_v3, fmdn_accumulate_v3, &
            fmdn_sum_columns_v3, fmdn_standardise_v3, fmdn_exponential_v3, &
            fmdn_hyperbolic_tangent_v3, fmdn_logarithm_v3, &
            fmdn_mixture_loss_v3, fmdn_mixture_gradient_v3, fmdn_gaussian_tail_v3, &
            fmdn_log_density_v3, fmdn_tail_v3, fmdn_interval_v3)
#endif
       case default
         set = kernel_set(0, fmdn_product_base, fmdn_row_product_base, fmdn_accumulate_base, &
            fmdn_sum_columns_base, fmdn_standardise_base, fmdn_exponential_base, &
            fmdn_hyperbolic_tangent_base, fmdn_logarithm_base, &
            fmdn_mixture_loss_base, fmdn_mixture_gradient_base, fmdn_gaussian_tail_base, &
            fmdn_log_density_base, fmdn_tail_base, fmdn_interval_base)
      end select
   end function processor_kernels

   !> The first element of x that starts a 64-byte cache line (x needs 7 elements to spare). The
   !> kernels are up to a third faster on work arrays that start there.
   pure function aligned_start(x) result(start)
      real(wp), intent(in), contiguous, target :: x(:)
      integer :: start

      start = 1 + int(modulo(-transfer(c_loc(x), 0_c_intptr_t), 64_c_intptr_t))/8
   end function aligned_start
end module fmdn_dispatch
