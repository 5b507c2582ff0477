!> Elastic waves from a point force in three dimensions: strains at some points.
!>
!> Velocity and stress on a staggered grid, fourth order in space and second in time (Virieux 1986,
!> Geophysics 51:889; Levander 1988, Geophysics 53:1425; Graves 1996, BSSA 86:1091); a free surface
!> by images of the stress, the other edges absorb (Cerjan et al. 1985, Geophysics 50:705). By
!> reciprocity the strain that a force leaves at a point is the displacement in the direction of
!> the force by a moment with the same history at the point. So its strain rate is the
!> acceleration by a moment whose rate has the history of the force: here a Gaussian.
!>
!> Input (standard input): one namelist. Output: `strain.bin`, single precision, six components
!> (xx, yy, zz, xy, xz, yz) of each point at each sample, 1/s per newton.
program wave3d
   use, intrinsic :: ieee_arithmetic, only: ieee_set_underflow_mode, ieee_support_underflow_control
   use, intrinsic :: iso_fortran_env, only: error_unit, real32
   implicit none (type, external)
   integer, parameter :: sp = real32
   real(sp), parameter :: c1 = 9.0_sp/8, c2 = -1.0_sp/24
   integer, parameter :: most_points = 1000

   integer :: n(3) = 60, steps = 100, every = 10, edge = 12, n_points = 0
   real(sp) :: spacing = 1000, step = 0.05, width = 2
   integer :: source(3) = 30, direction = 1, points(3, most_points) = 0
   logical :: free_surface = .true.
   real(sp) :: tops(10) = 0, vp(10) = 5500, vs(10) = 3200, density(10) = 2700 !! of layers, SI units
   integer :: n_layers = 1
   real(sp) :: basin_centre(2) = 0, basin_radius = 0, basin_depth = 0 !! m; a paraboloid
   real(sp) :: basin_vp = 3000, basin_vs = 1600, basin_density = 2100
   namelist /run/ n, steps, every, edge, n_points, spacing, step, width, source, direction, &
      points, free_surface, tops, vp, vs, density, n_layers, basin_centre, basin_radius, &
      basin_depth, basin_vp, basin_vs, basin_density

   ! Grid node (i, j, k) lies at ((i, j, k) - 1)*spacing, z down. There live the normal stresses;
   ! the others half a spacing further in the directions of their names.
   real(sp), allocatable, dimension(:, :, :) :: vx, vy, vz, sxx, syy, szz, sxy, sxz, syz
   real(sp), allocatable, dimension(:, :, :) :: lambda, mu, rho, mu_xy, mu_xz, mu_yz, bx, by, bz
   real(sp), allocatable, dimension(:, :, :) :: damping
   integer :: i, it, unit

   read (*, nml=run)
   if (any(n < 2*edge + 4) .or. n_points > most_points) then
      write (error_unit, "(a)") "wave3d: the grid is too small, or there are too many points"
      error stop 1
   end if
   ! Ahead of the waves fields are tiny, and numbers that underflow are slow.
   if (ieee_support_underflow_control(step)) call ieee_set_underflow_mode(.false.)
   call allocate_fields()
   call make_medium()
   call make_edges()
   open (newunit=unit, file="strain.bin", access="stream", form="unformatted", status="replace")
   do it = 1, steps
      call update_velocity()
      call push((it - 1)*step)
      if (free_surface) call velocity_above()
      call update_stress()
      if (free_surface) call stress_above()
      if (modulo(it, every) == 0) write (unit) (strain_rate(points(:, i)), i=1, n_points)
   end do
   close (unit)

contains

   subroutine allocate_fields()
      associate (a => n(1) + 2, b => n(2) + 2, c => n(3) + 2)
         allocate (vx(-1:a, -1:b, -1:c), source=0.0_sp)
         allocate (vy, vz, sxx, syy, szz, sxy, sxz, syz, lambda, mu, rho, source=vx)
         allocate (mu_xy, mu_xz, mu_yz, bx, by, bz, damping, source=vx)
      end associate
   end subroutine allocate_fields

   !> Layers, a basin in them, and their means where the staggered fields live.
   subroutine make_medium()
      integer :: i, j, k, layer
      real(sp) :: z, r2

      do k = -1, n(3) + 2
         z = (k - 1)*spacing
         layer = max(1, count(tops(:n_layers) <= z))
         do j = -1, n(2) + 2
            do i = -1, n(1) + 2
               r2 = ((i - 1)*spacing - basin_centre(1))**2 + ((j - 1)*spacing - basin_centre(2))**2
               if (z < basin_depth*(1 - r2/max(basin_radius**2, 1.0_sp))) then
                  call set_node(i, j, k, basin_vp, basin_vs, basin_density)
               else
                  call set_node(i, j, k, vp(layer), vs(layer), density(layer))
               end if
            end do
         end do
      end do
      do concurrent(k=0:n(3) + 1, j=0:n(2) + 1, i=0:n(1) + 1)
         bx(i, j, k) = 2/(rho(i, j, k) + rho(i + 1, j, k))
         by(i, j, k) = 2/(rho(i, j, k) + rho(i, j + 1, k))
         bz(i, j, k) = 2/(rho(i, j, k) + rho(i, j, k + 1))
         mu_xy(i, j, k) = 4/(1/mu(i, j, k) + 1/mu(i + 1, j, k) + 1/mu(i, j + 1, k) &
            + 1/mu(i + 1, j + 1, k))
         mu_xz(i, j, k) = 4/(1/mu(i, j, k) + 1/mu(i + 1, j, k) + 1/mu(i, j, k + 1) &
            + 1/mu(i + 1, j, k + 1))
         mu_yz(i, j, k) = 4/(1/mu(i, j, k) + 1/mu(i, j + 1, k) + 1/mu(i, j, k + 1) &
            + 1/mu(i, j + 1, k + 1))
      end do
   end subroutine make_medium

   subroutine set_node(i, j, k, p, s, d)
      integer, intent(in) :: i, j, k
      real(sp), intent(in) :: p, s, d

      rho(i, j, k) = d
      mu(i, j, k) = d*s**2
      lambda(i, j, k) = d*p**2 - 2*mu(i, j, k)
   end subroutine set_node

   !> Waves fade in a strip along the edges.
   subroutine make_edges()
      integer :: i, j, k

      do concurrent(k=1:n(3), j=1:n(2), i=1:n(1))
         damping(i, j, k) = fading(i - 1)*fading(n(1) - i)*fading(j - 1)*fading(n(2) - j) &
            *merge(1.0_sp, fading(k - 1), free_surface)*fading(n(3) - k)
      end do
   end subroutine make_edges

   !> Factor per step at a distance from the edge.
   pure function fading(distance) result(factor)
      integer, intent(in) :: distance
      real(sp) :: factor

      factor = exp(-(0.3_sp*max(0, edge - distance)/edge)**2)
   end function fading

   subroutine update_velocity()
      integer :: i, j, k
      real(sp) :: r

      r = step/spacing
      do k = 1, n(3)
         do j = 1, n(2)
            do i = 1, n(1)
               vx(i, j, k) = damping(i, j, k)*(vx(i, j, k) + r*bx(i, j, k)*( &
                  c1*(sxx(i + 1, j, k) - sxx(i, j, k)) + c2*(sxx(i + 2, j, k) - sxx(i - 1, j, k)) &
                  + c1*(sxy(i, j, k) - sxy(i, j - 1, k)) &
                  + c2*(sxy(i, j + 1, k) - sxy(i, j - 2, k)) &
                  + c1*(sxz(i, j, k) - sxz(i, j, k - 1)) &
                  + c2*(sxz(i, j, k + 1) - sxz(i, j, k - 2))))
               vy(i, j, k) = damping(i, j, k)*(vy(i, j, k) + r*by(i, j, k)*( &
                  c1*(sxy(i, j, k) - sxy(i - 1, j, k)) + c2*(sxy(i + 1, j, k) - sxy(i - 2, j, k)) &
                  + c1*(syy(i, j + 1, k) - syy(i, j, k)) &
                  + c2*(syy(i, j + 2, k) - syy(i, j - 1, k)) &
                  + c1*(syz(i, j, k) - syz(i, j, k - 1)) &
                  + c2*(syz(i, j, k + 1) - syz(i, j, k - 2))))
               vz(i, j, k) = damping(i, j, k)*(vz(i, j, k) + r*bz(i, j, k)*( &
                  c1*(sxz(i, j, k) - sxz(i - 1, j, k)) + c2*(sxz(i + 1, j, k) - sxz(i - 2, j, k)) &
                  + c1*(syz(i, j, k) - syz(i, j - 1, k)) &
                  + c2*(syz(i, j + 1, k) - syz(i, j - 2, k)) &
                  + c1*(szz(i, j, k + 1) - szz(i, j, k)) &
                  + c2*(szz(i, j, k + 2) - szz(i, j, k - 1))))
            end do
         end do
      end do
   end subroutine update_velocity

   !> The force: a Gaussian of unit area in time. The two nodes about the source share it where the
   !> velocity lives half a spacing off.
   subroutine push(time)
      real(sp), intent(in) :: time
      real(sp), parameter :: pi = acos(-1.0_sp)
      real(sp) :: impulse

      impulse = step/(spacing**3*width*sqrt(pi))*exp(-((time - 3*width)/width)**2)/2
      associate (i => source(1), j => source(2), k => source(3))
         select case (direction)
         case (1)
            vx(i - 1:i, j, k) = vx(i - 1:i, j, k) + impulse*bx(i - 1:i, j, k)*surface(k)
         case (2)
            vy(i, j - 1:j, k) = vy(i, j - 1:j, k) + impulse*by(i, j - 1:j, k)*surface(k)
         case default
            if (free_surface .and. k == 1) then
               vz(i, j, 1) = vz(i, j, 1) + 2*impulse*bz(i, j, 1)
            else
               vz(i, j, k - 1:k) = vz(i, j, k - 1:k) + impulse*bz(i, j, k - 1:k)
            end if
         end select
      end associate
   end subroutine push

   !> At the free surface a node stands for half a cell.
   pure function surface(k) result(factor)
      integer, intent(in) :: k
      real(sp) :: factor

      factor = merge(2.0_sp, 1.0_sp, free_surface .and. k == 1)
   end function surface

   !> No normal stress at the surface: the velocity half a spacing above it.
   subroutine velocity_above()
      integer :: i, j

      do concurrent(j=1:n(2), i=1:n(1))
         vz(i, j, 0) = vz(i, j, 1) + lambda(i, j, 1)/(lambda(i, j, 1) + 2*mu(i, j, 1)) &
            *(vx(i, j, 1) - vx(i - 1, j, 1) + vy(i, j, 1) - vy(i, j - 1, 1))
      end do
   end subroutine velocity_above

   subroutine update_stress()
      integer :: i, j, k
      real(sp) :: r, exx, eyy, ezz, trace, c3, c4

      r = step/spacing
      do k = 1, n(3)
         ! Next to the free surface derivatives with depth are of second order.
         c3 = merge(1.0_sp, c1, free_surface .and. k == 1)
         c4 = merge(0.0_sp, c2, free_surface .and. k == 1)
         do j = 1, n(2)
            do i = 1, n(1)
               exx = c1*(vx(i, j, k) - vx(i - 1, j, k)) + c2*(vx(i + 1, j, k) - vx(i - 2, j, k))
               eyy = c1*(vy(i, j, k) - vy(i, j - 1, k)) + c2*(vy(i, j + 1, k) - vy(i, j - 2, k))
               ezz = c3*(vz(i, j, k) - vz(i, j, k - 1)) + c4*(vz(i, j, k + 1) - vz(i, j, k - 2))
               trace = lambda(i, j, k)*(exx + eyy + ezz)
               sxx(i, j, k) = damping(i, j, k)*(sxx(i, j, k) + r*(trace + 2*mu(i, j, k)*exx))
               syy(i, j, k) = damping(i, j, k)*(syy(i, j, k) + r*(trace + 2*mu(i, j, k)*eyy))
               szz(i, j, k) = damping(i, j, k)*(szz(i, j, k) + r*(trace + 2*mu(i, j, k)*ezz))
               sxy(i, j, k) = damping(i, j, k)*(sxy(i, j, k) + r*mu_xy(i, j, k)*( &
                  c1*(vx(i, j + 1, k) - vx(i, j, k)) + c2*(vx(i, j + 2, k) - vx(i, j - 1, k)) &
                  + c1*(vy(i + 1, j, k) - vy(i, j, k)) + c2*(vy(i + 2, j, k) - vy(i - 1, j, k))))
               sxz(i, j, k) = damping(i, j, k)*(sxz(i, j, k) + r*mu_xz(i, j, k)*( &
                  c3*(vx(i, j, k + 1) - vx(i, j, k)) + c4*(vx(i, j, k + 2) - vx(i, j, k - 1)) &
                  + c1*(vz(i + 1, j, k) - vz(i, j, k)) + c2*(vz(i + 2, j, k) - vz(i - 1, j, k))))
               syz(i, j, k) = damping(i, j, k)*(syz(i, j, k) + r*mu_yz(i, j, k)*( &
                  c3*(vy(i, j, k + 1) - vy(i, j, k)) + c4*(vy(i, j, k + 2) - vy(i, j, k - 1)) &
                  + c1*(vz(i, j + 1, k) - vz(i, j, k)) + c2*(vz(i, j + 2, k) - vz(i, j - 1, k))))
            end do
         end do
      end do
   end subroutine update_stress

   !> Images of the stresses above the surface, so that they vanish there.
   subroutine stress_above()
      szz(:, :, 1) = 0
      szz(:, :, 0) = -szz(:, :, 2)
      szz(:, :, -1) = -szz(:, :, 3)
      sxz(:, :, 0) = -sxz(:, :, 1)
      sxz(:, :, -1) = -sxz(:, :, 2)
      syz(:, :, 0) = -syz(:, :, 1)
      syz(:, :, -1) = -syz(:, :, 2)
   end subroutine stress_above

   !> Strain rate at a node, shear from the mean of the four places about it.
   pure function strain_rate(at) result(e)
      integer, intent(in) :: at(3)
      real(sp) :: e(6)
      integer :: i, j, k, a, b

      i = at(1)
      j = at(2)
      k = at(3)
      e = 0
      e(1) = c1*(vx(i, j, k) - vx(i - 1, j, k)) + c2*(vx(i + 1, j, k) - vx(i - 2, j, k))
      e(2) = c1*(vy(i, j, k) - vy(i, j - 1, k)) + c2*(vy(i, j + 1, k) - vy(i, j - 2, k))
      e(3) = c1*(vz(i, j, k) - vz(i, j, k - 1)) + c2*(vz(i, j, k + 1) - vz(i, j, k - 2))
      do a = -1, 0
         do b = -1, 0
            e(4) = e(4) + (vx(i + a, j + b + 1, k) - vx(i + a, j + b, k) &
               + vy(i + a + 1, j + b, k) - vy(i + a, j + b, k))/8
            e(5) = e(5) + (vx(i + a, j, k + b + 1) - vx(i + a, j, k + b) &
               + vz(i + a + 1, j, k + b) - vz(i + a, j, k + b))/8
            e(6) = e(6) + (vy(i, j + a, k + b + 1) - vy(i, j + a, k + b) &
               + vz(i, j + a + 1, k + b) - vz(i, j + a, k + b))/8
         end do
      end do
      e = e/spacing
   end function strain_rate

end program wave3d
