!> What can go wrong, and why a training stopped: named codes and their texts.
!> No procedure of the library stops, prints or keeps state; it returns one of these.
module fmdn_status
   implicit none (type, external)
   private
   public :: status_text, stop_text

   integer, parameter, public :: status_ok = 0
   integer, parameter, public :: status_invalid_argument = 1
   integer, parameter, public :: status_out_of_memory = 2
   integer, parameter, public :: status_interrupted = 3
   integer, parameter, public :: status_not_finite = 4
   integer, parameter, public :: status_too_few_rows = 5
   integer, parameter, public :: status_invalid_layout = 6
   integer, parameter, public :: status_unknown_block = 7
   integer, parameter, public :: status_cannot_open = 8
   integer, parameter, public :: status_cannot_write = 9
   integer, parameter, public :: status_not_a_model = 10
   integer, parameter, public :: status_newer_file = 11
   integer, parameter, public :: status_truncated = 12
   integer, parameter, public :: status_damaged = 13
   integer, parameter, public :: status_no_member = 14
   integer, parameter, public :: status_unfinished = 15
   integer, parameter, public :: status_no_such_committee = 16
   integer, parameter, public :: status_not_legacy = 17
   integer, parameter, public :: status_not_a_table = 18
   integer, parameter, public :: status_outside_range = 19
   integer, parameter, public :: status_has_ranges = 20
   integer, parameter, public :: status_no_recalibration = 21

   integer, parameter, public :: stopped_not_yet = 0
   integer, parameter, public :: stopped_gradient = 1
   integer, parameter, public :: stopped_decrease = 2
   integer, parameter, public :: stopped_patience = 3
   integer, parameter, public :: stopped_max_iter = 4
   integer, parameter, public :: stopped_line_search = 5
   integer, parameter, public :: stopped_interrupted = 6
   integer, parameter, public :: stopped_failed = 7
   integer, parameter, public :: stopped_out_of_memory = 8

contains

   !> The text of a status code.
   pure function status_text(code) result(text)
      integer, intent(in) :: code
      character(len=:), allocatable :: text

      select case (code)
      case (status_ok); text = "ok"
      case (status_invalid_argument); text = "an argument has a value or a size that makes no sense"
      case (status_out_of_memory); text = "out of memory"
      case (status_interrupted); text = "interrupted"
      case (status_not_finite); text = "NaN or infinity in the numbers given"
      case (status_too_few_rows); text = "too few rows to train, monitor and weigh with"
      case (status_invalid_layout); text = "the layout does not describe a committee"
      case (status_unknown_block); text = "a block that this version does not know is required"
      case (status_cannot_open); text = "the file cannot be opened or read"
      case (status_cannot_write); text = "the file cannot be written"
      case (status_not_a_model); text = "the file is not an fmdn model"
      case (status_newer_file); text = "the file was written by a newer version of fmdn"
      case (status_truncated); text = "the file ends too early"
      case (status_damaged); text = "the file is damaged"
      case (status_no_member); text = "no member of the committee could be trained"
      case (status_unfinished); text = "a checkpoint of a training that has not ended"
      case (status_no_such_committee); text = "no committee of that name"
      case (status_not_legacy); text = "the original's format cannot hold this committee"
      case (status_not_a_table); text = "not a table of numbers"
      case (status_outside_range); text = "a target lies outside its range"
      case (status_no_recalibration); text = "the committee has no recalibration"
      case (status_has_ranges); text = "the targets have ranges, of which this call knows nothing"
      case default; text = "unknown status"
      end select
   end function status_text

   !> Why the training of a member ended, in words.
   pure function stop_text(code) result(text)
      integer, intent(in) :: code
      character(len=:), allocatable :: text

      select case (code)
      case (stopped_not_yet); text = "not trained yet"
      case (stopped_gradient); text = "gradient below its tolerance"
      case (stopped_decrease); text = "loss no longer decreases"
      case (stopped_patience); text = "monitor loss no longer improves"
      case (stopped_max_iter); text = "maximum number of iterations"
      case (stopped_line_search); text = "no further step lowers the loss"
      case (stopped_interrupted); text = "interrupted"
      case (stopped_failed); text = "failed: no finite loss"
      case (stopped_out_of_memory); text = "failed: out of memory"
      case default; text = "unknown reason"
      end select
   end function stop_text

end module fmdn_status
