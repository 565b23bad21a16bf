//! Sizes as people read them.

use crate::cli::output::style;
use crate::units::Bytes;

/// Binary units, as memory and resyncs are counted.
const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
/// What each is of the one before.
const STEP: u128 = 1024;

/// `1.20 GiB`, `64 MiB` where it is that exactly, `0 B`; with `--bytes` the exact number: `67108864 bytes`.
pub(crate) fn binary(size: Bytes) -> String {
    if style::exact() {
        return size.to_string();
    }
    scaled(size)
}

/// The size in the largest unit that leaves at least one before the point, with two digits behind it unless all is said without, rounded to the
/// nearest.
fn scaled(size: Bytes) -> String {
    let hundredths = |unit: u128| {
        let shifted = u128::from(size.get()).saturating_mul(100);
        let rounded = shifted.saturating_add(unit / 2);
        rounded.checked_div(unit).unwrap_or(0)
    };
    let mut unit: u128 = 1;
    let mut name = None;
    for larger in UNITS {
        // 1023.996 KiB is 1.00 MiB.
        if hundredths(unit) < STEP.saturating_mul(100) {
            break;
        }
        unit = unit.saturating_mul(STEP);
        name = Some(larger);
    }
    let Some(name) = name else {
        return format!("{} B", size.get());
    };
    let parts = hundredths(unit);
    let whole = parts / 100;
    if u128::from(size.get()) == whole.saturating_mul(unit) {
        format!("{whole} {name}")
    } else {
        format!("{whole}.{:02} {name}", parts % 100)
    }
}

/// The exact number first, since it is the one to copy: `9000000000000 bytes (8.19 TiB)`.
pub(crate) fn bytes_and_binary(size: Bytes) -> String {
    if size.get() < 1024 || style::exact() {
        size.to_string()
    } else {
        format!("{size} ({})", scaled(size))
    }
}

/// The exact number where a column's head says that it is bytes: `68182016 (65.02 MiB)`.
pub(crate) fn number_and_binary(size: Bytes) -> String {
    if style::exact() {
        size.get().to_string()
    } else {
        format!("{} ({})", size.get(), scaled(size))
    }
}

/// A time in its two largest units: `3 h 20 min`, `12 s`.
pub(crate) fn duration(seconds: u64) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)];
    let mut left = seconds;
    let mut words: Vec<String> = Vec::new();
    for (unit, length) in UNITS {
        let count = left.checked_div(length).unwrap_or(0);
        left = left.checked_rem(length).unwrap_or(0);
        if count > 0 {
            words.push(format!("{count} {unit}"));
        } else if !words.is_empty() {
            break;
        }
        if words.len() == 2 {
            break;
        }
    }
    if words.is_empty() {
        "0 s".to_owned()
    } else {
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600 + 59, "1 h"),
            (90_000, "1 d 1 h"),
            (86_400 * 400 + 59, "400 d"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn sizes_are_scaled_and_rounded_to_the_nearest() {
        for (size, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1 KiB"),
            (1025, "1.00 KiB"),
            (9_000_000_000_000, "8.19 TiB"),
            (1_288_490_189, "1.20 GiB"),
            (3 << 20, "3 MiB"),
            ((1 << 20) - 5, "1.00 MiB"),
            ((1 << 20) - 6, "1023.99 KiB"),
            (u64::MAX, "16.00 EiB"),
        ] {
            assert_eq!(scaled(Bytes::new(size)), text);
        }
    }
}
