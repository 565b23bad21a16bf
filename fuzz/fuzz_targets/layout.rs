//! A layout that is accepted has its regions inside the device, apart from each other, and room for the largest device it allows.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| mdtool_fuzz::layout::holds(data));
