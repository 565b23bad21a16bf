//! What parses is printed, parses again to the same, and is printed the same again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::dump_parse::holds(data));
