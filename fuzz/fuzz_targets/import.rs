//! What import accepts, locate finds on the target, export gives back as it was, and undo takes away again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::import::holds(data));
