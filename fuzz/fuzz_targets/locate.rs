//! Whatever is done to a small image, what locate finds lies inside, is what is there, and is found again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::locate::holds(data));
