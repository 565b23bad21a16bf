//! Whatever is done to a partition table, every byte of the disk has an answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::partitions::holds(data));
