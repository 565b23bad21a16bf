//! Whatever is done to an ext4, every byte of it has an answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::ext::holds(data));
