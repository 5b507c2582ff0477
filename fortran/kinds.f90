!> Kinds, and the few numbers every module shares.
module fmdn_kinds
   use, intrinsic :: iso_fortran_env, only: int64, real64
   implicit none (type, external)
   private
   public :: wp, ip, pi, log_two_pi, tile_size, lanes, max_threads

   integer, parameter :: wp = real64 !! every real number
   integer, parameter :: ip = int64 !! every count that grows with the data
   real(wp), parameter :: pi = 3.141592653589793238462643383279502884_wp
   real(wp), parameter :: log_two_pi = 1.837877066409345483560659472811235279_wp

   integer, parameter :: lanes = 32 !! examples the kernels take in one step
   integer, parameter :: tile_size = 9*lanes !! most examples worked on together: they stay in cache
   integer, parameter :: max_threads = 1024 !! OpenMP ends the process where it cannot make them
end module fmdn_kinds
