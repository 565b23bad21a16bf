//! Whatever a volume group says of itself, every byte of its disk has an answer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::lvm::holds(data));
