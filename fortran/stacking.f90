!> Stacking: the weights with which the members' mixture has the highest score on rows that trained
!> none of them (Smyth & Wolpert 1999, Machine Learning 36, 59), by expectation-maximisation.
module fmdn_stacking
   use fmdn_kinds, only: wp
   implicit none (type, external)
   private
   public :: stack

   integer, parameter :: max_sweeps = 1000
   real(wp), parameter :: least_gain = 1e-9_wp !! nats a row, of a sweep that is worth another

contains

   !> Weights that maximise sum_n v_n log(sum_k w_k p_k(n)); equal where no row counts. Each sweep
   !> replaces a weight by its mean responsibility, which never lowers the score.
   pure subroutine stack(losses, row_weights, weights)
      real(wp), intent(in) :: losses(:, :)   !! -log p_k of the rows, (n_rows, n_members)
      real(wp), intent(in) :: row_weights(:) !! v, (n_rows)
      real(wp), intent(out) :: weights(:)    !! w, (n_members)
      real(wp), allocatable :: density(:, :), total(:)
      real(wp) :: score, before
      integer :: k, sweep

      weights = 1/real(size(weights), wp)
      if (.not. any(row_weights > 0)) return
      allocate (density, source=losses)
      total = minval(losses, dim=2)
      do k = 1, size(weights)
         density(:, k) = exp(max(total - losses(:, k), -700.0_wp))
      end do
      before = -huge(before)
      do sweep = 1, max_sweeps
         total = matmul(density, weights)
         score = sum(row_weights*log(total))/sum(row_weights)
         if (score - before < least_gain) exit
         before = score
         do k = 1, size(weights)
            weights(k) = weights(k)*sum(row_weights*density(:, k)/total)
         end do
         weights = weights/sum(weights)
      end do
   end subroutine stack

end module fmdn_stacking
