//! How many cases a random test gets.

/// As many as the test asks for, or as many times that as `MDTOOL_TEST_TIMES` says.
///
/// `PROPTEST_CASES` does not reach tests that say their own number.
pub(crate) fn cases(usual: u32) -> u32 {
    let times = std::env::var("MDTOOL_TEST_TIMES").ok();
    let times = times.map_or(1, |times| {
        times.parse().expect("MDTOOL_TEST_TIMES is a number")
    });
    usual.saturating_mul(times)
}
