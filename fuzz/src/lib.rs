//! What holds whatever the bytes: one property for each fuzz target, which `cargo test` holds too.
//!
//! `tests/it/fuzz.rs` includes this file and runs every property on every file of `fuzz/seeds` and `testdata/crashes`. So nothing here
//! needs more than the library. A property takes any bytes, and panics where it does not hold.

pub mod activity_log;
pub mod compare;
pub mod dump_parse;
pub mod ext;
pub mod import;
mod input;
pub mod layout;
pub mod locate;
pub mod lvm;
pub mod partitions;
pub mod range_file;
mod reseal;
pub mod stream;
pub mod superblock;
pub mod undo_file;
mod volume;
pub mod xfs;

/// A property: takes any bytes.
pub type Property = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Property); 14] = [
    ("activity_log", activity_log::holds),
    ("compare", compare::holds),
    ("dump_parse", dump_parse::holds),
    ("ext", ext::holds),
    ("import", import::holds),
    ("layout", layout::holds),
    ("locate", locate::holds),
    ("lvm", lvm::holds),
    ("partitions", partitions::holds),
    ("range_file", range_file::holds),
    ("stream", stream::holds),
    ("superblock", superblock::holds),
    ("undo_file", undo_file::holds),
    ("xfs", xfs::holds),
];
