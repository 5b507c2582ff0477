!> What several tests start from: random numbers, rows to train on, a committee's layout.
module fmdn_examples
   use fmdn_committee, only: plan_committee
   use fmdn_kinds, only: ip, wp
   use fmdn_random, only: fill_normal, stream_of
   use fmdn_rows, only: data_set
   use fmdn_splits, only: split_rows
   use fmdn_status, only: status_ok
   implicit none (type, external)
   private
   public :: normals, row_store, linear_rows, data_of, small_layout, same, spread_points

   integer, parameter :: for_tests = 1000 !! a purpose that the library does not use

   !> Rows, owned by the test.
   type :: row_store
      real(wp), allocatable :: inputs(:, :), targets(:, :), weights(:), noise_sd(:)
      integer, allocatable :: roles(:)
   end type row_store

contains

   !> The same numbers, to the last bit.
   elemental function same(a, b) result(yes)
      real(wp), intent(in) :: a, b
      logical :: yes

      yes = transfer(a, 1_ip) == transfer(b, 1_ip)
   end function same

   !> n standard normal numbers.
   pure function normals(n, seed) result(z)
      integer, intent(in) :: n, seed
      real(wp) :: z(n)

      call fill_normal(stream_of(int(seed, ip), 0, for_tests), 0_ip, z)
   end function normals

   !> Rows with known posteriors: independent targets t ~ N(0, 1), and inputs t + N(0, 0.5**2) of
   !> target 1, 2, ... in turn. Weights one, no noise to add, the usual split.
   function linear_rows(n, n_inputs, n_targets, seed) result(rows)
      integer, intent(in) :: n, n_inputs, n_targets, seed
      type(row_store) :: rows
      integer(ip) :: i
      integer :: j, status

      rows%targets = reshape(normals(n*n_targets, seed), [n_targets, n])
      rows%inputs = 0.5_wp*reshape(normals(n*n_inputs, seed + 1000), [n_inputs, n])
      do j = 1, n_inputs
         rows%inputs(j, :) = rows%inputs(j, :) + rows%targets(1 + modulo(j - 1, n_targets), :)
      end do
      allocate (rows%weights(n), source=1.0_wp)
      allocate (rows%noise_sd(n_inputs), source=0.0_wp)
      allocate (rows%roles(n))
      call split_rows([(i, i=1, int(n, ip))], int(n, ip), int(seed, ip), .true., .true., &
         rows%roles, status)
      if (status /= status_ok) error stop "too few rows for a split"
   end function linear_rows

   !> The rows as the core takes them.
   function data_of(rows, seed) result(data)
      type(row_store), intent(in), target :: rows
      integer, intent(in) :: seed
      type(data_set) :: data

      data = data_set(rows%inputs, rows%targets, rows%weights, rows%roles, rows%noise_sd, &
         int(seed, ip))
   end function data_of

   !> A committee of small networks of different sizes: one hidden layer of 3 to 6 units, 1 to 3
   !> kernels.
   function small_layout(n_inputs, n_targets, n_members, covariance, linear_path) result(layout)
      integer, intent(in) :: n_inputs, n_targets, n_members, covariance
      logical, intent(in) :: linear_path
      integer(ip), allocatable :: layout(:)
      integer :: status

      call plan_committee(1_ip, n_inputs, n_targets, n_members, [3], [6], 1, 3, covariance, &
         linear_path, layout, status)
      if (status /= status_ok) error stop "no layout"
   end function small_layout

   !> Points that fill (0, 1) evenly, in no order.
   pure function spread_points(n) result(u)
      integer, intent(in) :: n
      real(wp) :: u(n)
      integer :: i

      do i = 1, n
         u(i) = modulo(i*0.618033988749894848_wp, 1.0_wp)
      end do
   end function spread_points

end module fmdn_examples
