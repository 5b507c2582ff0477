!> The model file: committees under names, as plain text that is exact to the last bit.
!> docs/file-format.md describes it for readers in other languages. It holds what fmdn_layout
!> defines, block by block; an optional block that this version does not know is carried through.
module fmdn_file
   use fmdn_file_reader, only: model_contents, read_model
   use fmdn_file_words, only: checksum_of, detail_length, in_layout, in_names, in_parameters, &
      in_text
   use fmdn_file_writer, only: write_model
   implicit none (type, external)
   private
   public :: model_contents, read_model, write_model, checksum_of
   public :: detail_length, in_names, in_layout, in_parameters, in_text
end module fmdn_file
