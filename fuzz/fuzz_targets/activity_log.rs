//! Any log gets an answer: its active extents sorted, each once; its places counted, each once; the same when it is read again.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::activity_log::holds(data));
