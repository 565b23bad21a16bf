//! Any bytes as an undo file are refused, or change no byte outside the regions they name, and put back what they say.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::undo_file::holds(data));
