//! Any 4096 bytes decode in every format, and encode back to the same bytes.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::superblock::holds(data));
