//! Any two dumps that parse have a decision, and the other order has its mirror.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::compare::holds(data));
