//! Any bytes as a stream or a state file are refused, or give records in order within the size that the stream's header says.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::stream::holds(data));
