//! Sizes as people read them.

use crate::units::Bytes;

/// Decimal units, as disks are sold.
const DECIMAL: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
/// Binary units, as memory and resyncs are counted.
const BINARY: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];

/// `9.00 TB`, `512 B`.
pub(super) fn decimal(size: Bytes) -> String {
    scaled(size, 1000, &DECIMAL, 2)
}

/// `1.2 GiB`, `0 B`.
pub(super) fn binary(size: Bytes) -> String {
    scaled(size, 1024, &BINARY, 1)
}

/// The size in the largest unit that leaves at least one before the point, with some digits behind it, rounded down.
fn scaled(size: Bytes, step: u64, units: &[&str], digits: u32) -> String {
    let mut unit_size: u64 = 1;
    let mut unit = None;
    for name in units {
        match unit_size.checked_mul(step) {
            Some(next) if size.get() >= next => (unit_size, unit) = (next, Some(name)),
            _ => break,
        }
    }
    let Some(unit) = unit else {
        return format!("{} B", size.get());
    };
    let shift = 10_u64.saturating_pow(digits);
    let whole = size.whole_units(Bytes::new(unit_size));
    let rest = u128::from(
        size.saturating_sub(Bytes::new(whole.saturating_mul(unit_size)))
            .get(),
    );
    let fraction = rest
        .saturating_mul(u128::from(shift))
        .checked_div(u128::from(unit_size))
        .unwrap_or(0);
    let width = usize::try_from(digits).unwrap_or(0);
    format!("{whole}.{fraction:0width$} {unit}")
}

/// The exact number first, since it is the one to copy.
pub(super) fn bytes_and_decimal(size: Bytes) -> String {
    if size.get() < 1000 {
        format!("{} bytes", size.get())
    } else {
        format!("{} bytes ({})", size.get(), decimal(size))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_scaled_and_never_rounded_up() {
        assert_eq!(decimal(Bytes::new(9_000_000_000_000)), "9.00 TB");
        assert_eq!(decimal(Bytes::new(8_999_999_999_999)), "8.99 TB");
        assert_eq!(decimal(Bytes::new(999)), "999 B");
        assert_eq!(decimal(Bytes::new(u64::MAX)), "18.44 EB");
        assert_eq!(binary(Bytes::new(0)), "0 B");
        assert_eq!(binary(Bytes::new(1_288_490_189)), "1.2 GiB");
        assert_eq!(binary(Bytes::new(3 << 20)), "3.0 MiB");
        assert_eq!(binary(Bytes::new(u64::MAX)), "15.9 EiB");
    }
}
