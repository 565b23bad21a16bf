//! How many cases a random test gets.

/// As many as the test asks for, or as many times that as `MDTOOL_TEST_TIMES` says: `5`, or `1/8` for a quick look; at least one.
///
/// `PROPTEST_CASES` does not reach tests that say their own number.
pub(crate) fn cases(usual: u32) -> u32 {
    let times = std::env::var("MDTOOL_TEST_TIMES").ok();
    let times = times.as_deref().unwrap_or("1");
    let number = |text: &str| -> u32 {
        text.parse()
            .expect("MDTOOL_TEST_TIMES is a number, or 1/ and a number")
    };
    let (more, fewer) = times.split_once('/').unwrap_or((times, "1"));
    usual
        .saturating_mul(number(more))
        .checked_div(number(fewer))
        .unwrap_or(usual)
        .max(1)
}
