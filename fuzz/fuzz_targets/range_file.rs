//! Whatever is in a file of ranges, reading it ends, and how it comes in pieces changes nothing.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::range_file::holds(data));
