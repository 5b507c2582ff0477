!> Posteriors whose target has a range, from the density alone: its integral is one, and
!> distribution function, moments, quantiles and samples are those of that density. One target of
!> each kind, then the same through a committee, a file and `use fmdn`.
program test_within
   use fmdn, only: committee, fit_options, mixture
   use fmdn_check, only: check, check_close, finish
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: normals
   use fmdn_kinds, only: ip, wp
   use fmdn_moments, only: moments_within
   use fmdn_random, only: for_samples, stream_of
   use fmdn_status, only: status_ok, status_outside_range
   use fmdn_targets, only: free, half_line, infinite, log_probit, log_truncated, periodic, probit, &
      target_range, truncated
   use fmdn_within, only: cdf_within, log_density_within, quantile_within, sample_within
   implicit none (type, external)
   type(target_range), parameter :: ranges(*) = [target_range(), &
      target_range(truncated, -1.0_wp, 3.0_wp), target_range(truncated, -infinite, 0.5_wp), &
      target_range(log_truncated, 0.1_wp, 50.0_wp), target_range(half_line, 2.0_wp, infinite), &
      target_range(half_line, -infinite, 2.0_wp), target_range(probit, -1.0_wp, 3.0_wp), &
      target_range(log_probit, 0.1_wp, 50.0_wp), target_range(periodic, -1.0_wp, 3.0_wp)]
   real(wp), parameter :: weights(*) = [0.5_wp, 0.2_wp, 0.3_wp]
   real(wp), parameter :: means(*) = [-2.5_wp, 0.9_wp, 0.0_wp], factors(*) = [2.0_wp, 5.0_wp, &
      1.2_wp]
   integer, parameter :: n = 8001
   type(kernel_set) :: kernels
   integer :: i

   kernels = processor_kernels()
   do i = 1, size(ranges)
      call test_numbers(ranges(i))
   end do
   call test_far_kernel()
   call test_committee()
   call finish()

contains

   !> The density at n points from one quantile to the next: where it is, they are.
   subroutine test_numbers(range)
      type(target_range), intent(in) :: range
      real(wp), dimension(n) :: x, p, below, above, cumulative
      real(wp) :: mean(1), covariance(1, 1), sample(1), from_density(2), total, expected
      integer :: j
      character(len=40) :: name

      write (name, "(a,i0,2(a,g0.3))") "kind ", range%kind, " from ", range%low, " to ", range%high
      do j = 1, n
         x(j) = quantile_within(kernels, range, weights, means, factors, level_of(j))
      end do
      call check(all(x(2:) >= x(:n - 1)), trim(name) // ": quantiles rise")
      call log_density_within(kernels, [range], weights, reshape(means, [1, 3]), &
         reshape(factors, [1, 1, 3]), reshape(x, [1, n]), p)
      p = exp(p)
      call cdf_within(kernels, range, weights, means, factors, x, .false., below)
      call cdf_within(kernels, range, weights, means, factors, x, .true., above)
      call check_close(below + above, spread(1.0_wp, 1, n), 1.0e-13_wp, trim(name) // ": above")
      do j = 1, n, 1142
         call check_close(below(j), level_of(j), 1.0e-12_wp, trim(name) // ": quantile")
      end do
      cumulative(1) = below(1)
      do j = 2, n
         cumulative(j) = cumulative(j - 1) + 0.5_wp*(p(j) + p(j - 1))*(x(j) - x(j - 1))
      end do
      call check_close(cumulative, below, 6.0e-5_wp, trim(name) // ": distribution function")

      from_density = 0
      total = 0
      do j = 2, n
         expected = below(j) - below(j - 1)
         from_density = from_density + expected*[x(j) + x(j - 1), x(j)**2 + x(j)*x(j - 1) &
            + x(j - 1)**2]/[2, 3]
         total = total + expected
      end do
      from_density = from_density/total
      call moments_within([range], weights, reshape(means, [1, 3]), reshape(factors, [1, 1, 3]), &
         mean, covariance)
      call check_close(mean(1), from_density(1), 6.0e-5_wp*(abs(mean(1)) + 1), &
         trim(name) // ": mean")
      call check_close(covariance(1, 1), from_density(2) - from_density(1)**2, &
         1.0e-4_wp*(covariance(1, 1) + mean(1)**2), trim(name) // ": variance")

      total = 0
      do j = 0, 1999
         call sample_within(kernels, [range], weights, reshape(means, [1, 3]), &
            reshape(factors, [1, 1, 3]), stream_of(3_ip, 1, for_samples), int(j, ip), sample)
         call check(sample(1) >= range%low .and. sample(1) <= range%high, trim(name) // ": inside")
         call cdf_within(kernels, range, weights, means, factors, sample, .false., below(1:1))
         total = total + below(1)/2000
      end do
      ! The distribution function of a sample is uniform: mean 1/2, four standard errors.
      call check_close(total, 0.5_wp, 4*sqrt(1/12.0_wp/2000), trim(name) // ": samples")

      if (range%kind == free .or. range%kind == periodic) return
      if (range%low > -infinite) then
         call cdf_within(kernels, range, weights, means, factors, [range%low - 1, range%low], &
            .false., &
            below(1:2))
         call check(all(abs(below(1:2)) <= 0), trim(name) // ": nothing below")
      end if
      if (range%high < infinite) then
         call cdf_within(kernels, range, weights, means, factors, [range%high, range%high + 1], &
            .true., &
            above(1:2))
         call check(all(abs(above(1:2)) <= 0), trim(name) // ": nothing above")
      end if
   end subroutine test_numbers

   !> Probabilities from 0 to 1, dense at both ends.
   pure function level_of(j) result(q)
      integer, intent(in) :: j
      real(wp) :: q

      q = 0.5_wp*(1 - cos(4*atan(1.0_wp)*(j - 0.5_wp)/n))
   end function level_of

   !> A kernel whose mean is a thousand standard deviations outside is an exponential inside.
   subroutine test_far_kernel()
      type(target_range) :: range
      real(wp) :: p(1), mean(1), covariance(1, 1), x

      range = target_range(truncated, 0.0_wp, infinite)
      x = quantile_within(kernels, range, [1.0_wp], [-1000.0_wp], [1.0_wp], 0.5_wp)
      call check_close(1000*x, log(2.0_wp), 1.0e-6_wp, "median of an exponential")
      call cdf_within(kernels, range, [1.0_wp], [-1000.0_wp], [1.0_wp], [0.02_wp], .true., p)
      call check_close(log(p(1)), -20 - 0.5_wp*0.02_wp**2 - log(1 + 2.0e-5_wp), 1.0e-8_wp, &
         "its tail")
      call moments_within([range], [1.0_wp], reshape([-1000.0_wp], [1, 1]), &
         reshape([1.0_wp], [1, 1, 1]), mean, covariance)
      call check_close([1.0e3_wp*mean(1), 1.0e6_wp*covariance(1, 1)], [1.0_wp, 1.0_wp], 1.0e-5_wp, &
         "its moments")
   end subroutine test_far_kernel

   !> From rows to a file and back: no mass outside, and a circle without a cut.
   subroutine test_committee()
      integer, parameter :: n_rows = 600
      type(committee) :: network, again
      type(mixture) :: posterior, copy
      type(fit_options) :: options
      real(wp) :: inputs(2, n_rows), targets(2, n_rows), noise(2, n_rows), samples(2, 50)
      character(len=*), parameter :: path = "test_within.mdn"
      integer :: status, unit

      noise = 0.3_wp*reshape(normals(2*n_rows, 5), [2, n_rows])
      targets(1, :) = [(modulo(0.61803398875_wp*i, 1.0_wp), i=1, n_rows)]
      targets(2, :) = 360*[(modulo(0.41421356237_wp*i, 1.0_wp), i=1, n_rows)]
      inputs(1, :) = targets(1, :) + noise(1, :)
      inputs(2, :) = sin(targets(2, :)*atan(1.0_wp)/45) + noise(2, :)
      options%n_members = 2
      options%hidden = 8
      options%kernels = 3
      options%max_iter = 40
      options%covariance = 2
      options%ranges = [target_range(truncated, 0.0_wp, 1.0_wp), target_range(periodic, 0.0_wp, &
         360.0_wp)]
      call network%fit(inputs, targets, options, status)
      call check(status == status_ok, "fit with ranges")
      call network%save(path, status)
      call again%load(path, status)
      call check(status == status_ok, "file with ranges")
      open (newunit=unit, file=path, status="old")
      close (unit, status="delete")
      call network%posterior([-0.5_wp, 0.0_wp], posterior, status)
      call again%posterior([-0.5_wp, 0.0_wp], copy, status)
      call check(all(abs(posterior%sample(50, 1) - copy%sample(50, 1)) <= 0), &
         "the file holds it all")
      samples = copy%sample(50, 1)
      call check(all(samples >= 0) .and. all(samples(1, :) <= 1) .and. all(samples(2, :) < 360), &
         "inside")
      call check_close(copy%cdf(1.0_wp), 1.0_wp, 0.0_wp, "all below the high end")
      call check_close(copy%cdf(-0.1_wp), 0.0_wp, 0.0_wp, "none below the low end")
      call check(copy%log_density([1.1_wp, 3.0_wp]) <= -huge(1.0_wp), "no density outside")
      call check_close(copy%log_density([0.5_wp, 3.0_wp]), copy%log_density([0.5_wp, 363.0_wp]), &
         1.0e-10_wp, "a circle")
      call check_close(copy%quantile(1.0_wp, 2) - copy%quantile(0.0_wp, 2), 360.0_wp, 1.0e-10_wp, &
         "quantiles around the circle")
      targets(1, 7) = 1.01_wp
      call network%fit(inputs, targets, options, status)
      call check(status == status_outside_range, "a target outside its range")
   end subroutine test_committee
end program test_within
