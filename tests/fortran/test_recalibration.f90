!> The map of normal scores, and posteriors of one target that are recalibrated by it: distribution
!> function, density, quantiles, moments and samples agree; then through a committee and `use fmdn`.
program test_recalibration
   use fmdn, only: committee, mixture
   use fmdn_check, only: check, check_close, finish
   use fmdn_committee, only: committee_view, plan_committee, view_committee
   use fmdn_dispatch, only: kernel_set, processor_kernels
   use fmdn_examples, only: normals, same
   use fmdn_kinds, only: ip, wp
   use fmdn_layout, only: append_block, at_parameters, block_view, find_block, recalibration_block
   use fmdn_mixture, only: full
   use fmdn_random, only: for_samples, stream_of
   use fmdn_recalibration, only: new_score_map, read_recalibration, recalibrated_cdf, &
      recalibrated_log_density, recalibrated_moments, recalibrated_quantile, recalibrated_sample, &
      score_map, set_recalibration
   use fmdn_status, only: status_invalid_argument, status_invalid_layout, status_no_recalibration, &
      status_ok
   use fmdn_targets, only: half_line, infinite, log_probit, log_truncated, normal_score, periodic, &
      probit, target_range, truncated
   use fmdn_within, only: cdf_within
   implicit none (type, external)
   type(target_range), parameter :: ranges(*) = [target_range(), &
      target_range(truncated, -1.0_wp, 3.0_wp), target_range(log_truncated, 0.1_wp, 50.0_wp), &
      target_range(half_line, 2.0_wp, infinite), target_range(probit, -1.0_wp, 3.0_wp), &
      target_range(log_probit, 0.1_wp, 50.0_wp), target_range(periodic, -1.0_wp, 3.0_wp)]
   real(wp), parameter :: weights(*) = [0.5_wp, 0.2_wp, 0.3_wp]
   real(wp), parameter :: means(*) = [-0.5_wp, 0.9_wp, 0.0_wp], factors(*) = [2.0_wp, 5.0_wp, &
      1.2_wp]
   real(wp), parameter :: scores(*) = [-2.0_wp, -0.8_wp, -0.7_wp, 0.4_wp, 1.9_wp], &
      normal(*) = [-2.1_wp, -0.9_wp, -0.6_wp, 0.5_wp, 1.8_wp]
   type(kernel_set) :: kernels
   type(score_map) :: map
   integer :: status, i

   kernels = processor_kernels()
   call test_normal_scores()
   call test_map()
   call new_score_map(scores, normal, map, status)
   do i = 1, size(ranges)
      call test_numbers(ranges(i))
   end do
   call test_block()
   call test_program()
   call finish()

contains

   !> Phi of the score is the probability, to the last digits that a score of 38 leaves.
   subroutine test_normal_scores()
      real(wp) :: p(61), z(61)
      integer :: j

      p = [(10.0_wp**(-5*j), j=0, 60)]/2
      z = normal_score(p, 1 - p)
      call check_close(log(0.5_wp*erfc(-z/sqrt(2.0_wp))/p), spread(0.0_wp, 1, 61), 1.0e-12_wp, &
         "normal scores")
      call check(all(same(normal_score(1 - p(2:), p(2:)), -z(2:))), "of both tails")
      call check_close(normal_score([0.0_wp, 1.0_wp], [1.0_wp, 0.0_wp]), [-38.0_wp, 38.0_wp], &
         0.0_wp, "of nothing and everything")
   end subroutine test_normal_scores

   subroutine test_map()
      real(wp) :: z(2001), y(2001), around(2001)
      integer :: j

      call new_score_map(scores, normal, map, status)
      call check(status == status_ok, "a map")
      z = [(0.01_wp*(j - 1001), j=1, 2001)]
      y = map%value(z)
      call check(all(y(2:) > y(:2000)) .and. all(map%slope(z) > 0), "which rises")
      call check_close(map%value(scores), normal, 1.0e-15_wp, "through its knots")
      call check_close(map%inverse(y), z, 1.0e-12_wp, "its inverse")
      around = (map%value(z + 1.0e-6_wp) - map%value(z - 1.0e-6_wp))/2.0e-6_wp
      call check_close(map%slope(z), around, 1.0e-4_wp, "its slope")
      call check_close(map%value(7.0_wp) - map%value(6.0_wp), map%slope(9.0_wp), 1.0e-14_wp, &
         "straight beyond")
      call new_score_map([0.5_wp], [-0.1_wp], map, status)
      call check_close(map%value(z), z - 0.6_wp, 1.0e-14_wp, "a single knot shifts")

      call refused([0.0_wp, 0.0_wp], [0.0_wp, 1.0_wp], "a knot twice")
      call refused([0.0_wp, 1.0_wp], [1.0_wp, 0.0_wp], "a map that falls")
      call refused([0.0_wp, 1.0_wp], [0.0_wp], "other numbers of both")
      call refused([real(wp) ::], [real(wp) ::], "no knot")
      call refused([0.0_wp, 1.0_wp], [-huge(1.0_wp), huge(1.0_wp)], "a knot too far")
      call refused([0.0_wp, 1.0e-200_wp], [-1.0_wp, 1.0_wp], "too steep")
   end subroutine test_map

   subroutine refused(x, y, what)
      real(wp), intent(in) :: x(:), y(:)
      character(len=*), intent(in) :: what

      call new_score_map(x, y, map, status)
      call check(status == status_invalid_argument, "refused: " // what)
   end subroutine refused

   !> One posterior, looked at between its quantiles.
   subroutine test_numbers(range)
      type(target_range), intent(in) :: range
      integer, parameter :: n = 4001, n_samples = 2000
      real(wp), dimension(n) :: x, p, below, above, raw, cumulative, level
      real(wp) :: mean, variance, sample(1), mass, first, second, centre
      integer :: j
      character(len=12) :: name

      write (name, "(a,i0)") "kind ", range%kind
      level = [(0.5_wp*(1 - cos(4*atan(1.0_wp)*(j - 0.5_wp)/n)), j=1, n)]
      do j = 1, n
         x(j) = recalibrated_quantile(kernels, map, range, weights, means, factors, level(j))
      end do
      call check(all(x(2:) >= x(:n - 1)), trim(name) // ": quantiles rise")
      call recalibrated_cdf(kernels, map, range, weights, means, factors, x, .false., below)
      call recalibrated_cdf(kernels, map, range, weights, means, factors, x, .true., above)
      call check_close(below, level, 1.0e-12_wp, trim(name) // ": of the distribution function")
      call check_close(above, 1 - level, 1.0e-12_wp, trim(name) // ": of the upper tail")
      call cdf_within(kernels, range, weights, means, factors, x, .false., raw)
      raw = 0.5_wp*erfc(-map%value(normal_score(raw, 1 - raw))/sqrt(2.0_wp))
      call check_close(below(100:3900), raw(100:3900), 1.0e-11_wp, &
         trim(name) // ": the map of what the mixture says")
      call recalibrated_log_density(kernels, map, range, weights, means, factors, x, p)
      p = exp(p)
      cumulative(1) = below(1)
      mass = 0
      first = 0
      second = 0
      centre = x((n - 1)/2)
      do j = 2, n
         cumulative(j) = cumulative(j - 1) + 0.5_wp*(p(j) + p(j - 1))*(x(j) - x(j - 1))
         mass = mass + below(j) - below(j - 1)
         first = first + (below(j) - below(j - 1))*(0.5_wp*(x(j) + x(j - 1)) - centre)
         second = second + (below(j) - below(j - 1))*((x(j) - centre)**2 &
            + (x(j) - centre)*(x(j - 1) - centre) + (x(j - 1) - centre)**2)/3
      end do
      call check_close(cumulative, below, 2.0e-4_wp, trim(name) // ": the density adds up to it")
      first = first/mass
      call recalibrated_moments(kernels, map, range, weights, means, factors, mean, variance)
      call check_close(mean - centre, first, 1.0e-4_wp*(1 + abs(first)), trim(name) // ": mean")
      call check_close(variance, second/mass - first**2, 5.0e-4_wp*(variance + first**2), &
         trim(name) // ": variance")
      do j = 1, n_samples
         sample = recalibrated_sample(kernels, map, range, weights, means, factors, &
            stream_of(3_ip, 1, for_samples), int(j - 1, ip))
         call recalibrated_cdf(kernels, map, range, weights, means, factors, sample, .false., &
            level(j:j))
      end do
      ! Uniform: mean 1/2 and variance 1/12, four standard errors.
      first = sum(level(:n_samples))/n_samples
      call check_close(first, 0.5_wp, 4*sqrt(1/12.0_wp/n_samples), trim(name) // ": samples")
      call check_close(sum((level(:n_samples) - 0.5_wp)**2)/n_samples, 1/12.0_wp, &
         4*sqrt(1/180.0_wp/n_samples), trim(name) // ": their spread")
      if (range%kind == periodic .or. range%low <= -infinite) return
      call recalibrated_log_density(kernels, map, range, weights, means, factors, &
         [range%low - 0.05_wp], p(1:1))
      call check(p(1) <= -infinite, trim(name) // ": nothing outside")
      call check_close(recalibrated_quantile(kernels, map, range, weights, means, factors, &
         0.0_wp), range%low, 0.0_wp, trim(name) // ": its end")
   end subroutine test_numbers

   !> Set, replaced, dropped; everything else stays. Damage is refused.
   subroutine test_block()
      integer(ip), allocatable :: layout(:), before(:)
      real(wp), allocatable :: parameters(:), numbers(:)
      type(committee_view) :: view
      type(block_view) :: at

      call new_committee(1, layout, parameters)
      before = layout
      numbers = parameters
      call read_recalibration(layout, parameters, map, status)
      call check(status == status_no_recalibration, "no map at first")
      call set_recalibration(scores, normal, layout, parameters, status)
      call check(status == status_ok, "a map is set")
      at = find_block(layout, recalibration_block, 1)
      call check(.not. at%required, "readers that do not know it may go on")
      call view_committee(layout, parameters, view, status)
      call check(status == status_ok, "still a committee")
      call read_recalibration(layout, parameters, map, status)
      call check(status == status_ok .and. all(same(map%x, scores)) &
         .and. all(same(map%y, normal)), "which holds the map")
      call set_recalibration([1.0_wp], [2.0_wp], layout, parameters, status)
      call read_recalibration(layout, parameters, map, status)
      call check(size(map%x) == 1, "another takes its place")
      call set_recalibration([2.0_wp, 1.0_wp], [2.0_wp, 3.0_wp], layout, parameters, status)
      call check(status == status_invalid_argument, "refused: knots that fall")
      call read_recalibration(layout, parameters, map, status)
      call check(status == status_ok .and. size(map%x) == 1, "then the old one stays")

      at = find_block(layout, recalibration_block, 1)
      parameters(at%offset + 1) = huge(1.0_wp)
      parameters(at%offset + 2) = -huge(1.0_wp)
      call append_block(layout, recalibration_block, [integer(ip) ::], 0_ip)
      call read_recalibration(layout, parameters, map, status)
      call check(status == status_invalid_layout, "refused: two of them")
      call set_recalibration([real(wp) ::], [real(wp) ::], layout, parameters, status)
      call check(status == status_ok .and. all(layout == before) &
         .and. all(same(parameters, numbers)), "dropped, and all is as it was")

      call append_block(layout, recalibration_block, [integer(ip) ::], 3_ip)
      call read_recalibration(layout, [numbers, 0.0_wp, 1.0_wp, 2.0_wp], map, status)
      call check(status == status_invalid_layout, "refused: three numbers")
      call check(.not. allocated(map%x), "and no map")
      layout = before
      call append_block(layout, recalibration_block, [integer(ip) ::], 4_ip)
      call read_recalibration(layout, [numbers, 0.0_wp, 1.0_wp, 2.0_wp, 2.0_wp], map, status)
      call check(status == status_invalid_layout, "refused: numbers that are no map")
      layout = before
      call append_block(layout, recalibration_block, [integer(ip) ::], 4_ip, version=2_ip, &
         required=.false.)
      call read_recalibration(layout, [numbers, 0.0_wp, 1.0_wp, 2.0_wp, 2.0_wp], map, status)
      call check(status == status_no_recalibration, "one of a newer version is passed over")
      call new_committee(2, layout, parameters)
      call set_recalibration(scores, normal, layout, parameters, status)
      call check(status == status_invalid_argument, "refused: two targets")
   end subroutine test_block

   subroutine new_committee(n_targets, layout, parameters)
      integer, intent(in) :: n_targets
      integer(ip), allocatable, intent(out) :: layout(:)
      real(wp), allocatable, intent(out) :: parameters(:)

      call plan_committee(1_ip, 3, n_targets, 2, [3], [3], 2, 2, full, .false., layout, status)
      if (status /= status_ok) error stop "no layout"
      parameters = 0.3_wp*abs(normals(int(layout(at_parameters)), 1)) + 0.1_wp
   end subroutine new_committee

   !> `use fmdn`, and a file between: what the module says, to the last bit.
   subroutine test_program()
      character(len=*), parameter :: path = "test_recalibration.mdn"
      type(committee) :: network, again
      type(mixture) :: one
      type(mixture), allocatable :: several(:)
      real(wp) :: observed(3), mean, variance, p(1), x
      integer :: unit

      call new_committee(1, network%layout, network%parameters)
      network%text = "{}"
      observed = [0.1_wp, -0.3_wp, 0.2_wp]
      call network%posterior(observed, one, status, recalibrated=.true.)
      call check(status == status_no_recalibration .and. one%n_kernels() == 0, &
         "refused: no map to recalibrate by")
      call set_recalibration(scores, normal, network%layout, network%parameters, status)
      call network%save(path, status)
      if (status == status_ok) call again%load(path, status)
      call check(status == status_ok, "through a file")
      open (newunit=unit, file=path, status="old")
      close (unit, status="delete")

      call again%posterior(observed, one, status)
      call check(.not. allocated(one%recalibration), "the networks' own unless it is asked for")
      call again%posterior(observed, one, status, recalibrated=.true.)
      call check(status == status_ok .and. allocated(one%recalibration), "recalibrated")
      call new_score_map(scores, normal, map, status)
      associate (w => one%weights, m => one%means(1, :), u => one%factors(1, 1, :), &
            anywhere => target_range())
         x = recalibrated_quantile(kernels, map, anywhere, w, m, u, 0.9_wp)
         call check(same(one%quantile(0.9_wp), x), "quantile")
         call recalibrated_cdf(kernels, map, anywhere, w, m, u, [x], .false., p)
         call check(same(one%cdf(x), p(1)), "distribution function")
         call recalibrated_log_density(kernels, map, anywhere, w, m, u, [x], p)
         call check(same(one%log_density([x]), p(1)), "density")
         call recalibrated_moments(kernels, map, anywhere, w, m, u, mean, variance)
         call check_close([one%mean(), one%standard_deviation()], [mean, sqrt(variance)], 0.0_wp, &
            "moments")
         x = recalibrated_sample(kernels, map, anywhere, w, m, u, &
            stream_of(5_ip, 1, for_samples), 0_ip)
         call check_close(one%sample(1, 5), reshape([x], [1, 1]), 0.0_wp, "a sample")
      end associate
      call again%posterior(spread(observed, 2, 3), several, status, recalibrated=.true.)
      call check(same(several(3)%quantile(0.2_wp), one%quantile(0.2_wp)), "of many observations")
   end subroutine test_program
end program test_recalibration
