//! Sizes as people read them.

use crate::units::Bytes;

/// Decimal units, as disks are sold.
const DECIMAL: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
/// Binary units, as memory and resyncs are counted.
const BINARY: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `9.00 TB`, `512 B`.
pub(crate) fn decimal(size: Bytes) -> String {
    scaled(size, 1000, &DECIMAL, 2)
}

/// `1.2 GiB`, `0 B`.
pub(crate) fn binary(size: Bytes) -> String {
    scaled(size, 1024, &BINARY, 1)
}

/// The size in the largest unit that leaves at least one before the point, with some digits behind it, rounded to the nearest.
fn scaled(size: Bytes, step: u64, units: &[&str], digits: u32) -> String {
    let shift = u128::from(10_u64.saturating_pow(digits));
    let rounded = |unit_size: u128| {
        let half = unit_size / 2;
        let shifted = u128::from(size.get())
            .saturating_mul(shift)
            .saturating_add(half);
        shifted.checked_div(unit_size).unwrap_or(0)
    };
    let mut unit_size: u128 = 1;
    let mut unit = None;
    for name in units {
        // 999.996 kB is 1.00 MB.
        if rounded(unit_size) < shift.saturating_mul(u128::from(step)) {
            break;
        }
        unit_size = unit_size.saturating_mul(u128::from(step));
        unit = Some(name);
    }
    let Some(unit) = unit else {
        return format!("{} B", size.get());
    };
    let parts = rounded(unit_size);
    let (whole, fraction) = (
        parts.checked_div(shift).unwrap_or(0),
        parts.checked_rem(shift).unwrap_or(0),
    );
    let width = usize::try_from(digits).unwrap_or(0);
    format!("{whole}.{fraction:0width$} {unit}")
}

/// The exact number first, since it is the one to copy.
pub(crate) fn bytes_and_decimal(size: Bytes) -> String {
    if size.get() < 1000 {
        format!("{} bytes", size.get())
    } else {
        format!("{} bytes ({})", size.get(), decimal(size))
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
        assert_eq!(decimal(Bytes::new(9_000_000_000_000)), "9.00 TB");
        assert_eq!(decimal(Bytes::new(8_994_999_999_999)), "8.99 TB");
        assert_eq!(decimal(Bytes::new(8_999_725_301_760)), "9.00 TB");
        assert_eq!(decimal(Bytes::new(999)), "999 B");
        assert_eq!(decimal(Bytes::new(999_994)), "999.99 kB");
        assert_eq!(decimal(Bytes::new(999_995)), "1.00 MB");
        assert_eq!(decimal(Bytes::new(u64::MAX)), "18.45 EB");
        assert_eq!(binary(Bytes::new(0)), "0 B");
        assert_eq!(binary(Bytes::new(1_288_490_189)), "1.2 GiB");
        assert_eq!(binary(Bytes::new(3 << 20)), "3.0 MiB");
        assert_eq!(binary(Bytes::new(u64::MAX)), "16.0 EiB");
    }
}
