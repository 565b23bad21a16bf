//! Metadata that is not the expected one.

use mdtool::builder::Level;

use super::{MIB, assert_probed, built, probe};
use crate::support::scratch;

#[test]
fn each_expectation_holds_or_is_named() {
    let dir = scratch();
    let level = Level::v09(3)
        .device_uuid(0x1234)
        .current_uuid(0xABCD_0000_0000_0011);
    let path = built(&dir, "mine.raw", 64 * MIB, &[level]);
    for (option, right, wrong, says) in [
        (
            "--expect-device-uuid",
            "0x1234",
            "1235",
            "device UUID is 0x0000000000001234",
        ),
        // The primary bit does not count.
        (
            "--expect-current-uuid",
            "ABCD000000000010",
            "ABCD000000000013",
            "current UUID is 0xABCD000000000011",
        ),
        ("--expect-node-id", "0", "1", "node-id is 0, expected 1"),
        (
            "--expect-size",
            "67063808",
            "64MiB",
            "DRBD device has 67063808 bytes, expected 67108864",
        ),
        (
            "--expect-format",
            "v09",
            "v08",
            "format is v09, expected v08",
        ),
    ] {
        assert_probed(&path, &[option, right], 0, &[]);
        assert_probed(&path, &[option, wrong], 6, &[says, "it is clean v09"]);
        let run = probe(&path, &[option, wrong, "--net-size"]);
        assert_eq!((run.status, run.stdout.as_str()), (6, ""), "{run:?}");
    }
    let old = built(&dir, "old.raw", 64 * MIB, &[Level::v08()]);
    assert_probed(&old, &["--expect-node-id", "0"], 6, &["not in this format"]);
    let run = probe(&old, &["--expect-device-uuid", "xyz"]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
}
