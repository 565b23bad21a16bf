//! Metadata surgery and disk-layout analysis for DRBD.
//!
//! A DRBD device is backed by a disk that holds the data and, at its end, DRBD's *metadata*. With *flex-internal* metadata, the usual kind,
//! a backing device looks like this:
//!
//! ```text
//! 0                                        la-size         bm          al          superblock     end, 4 KiB aligned
//! | data: what the DRBD device shows          | slack | bitmap | activity log | 4 KiB |
//! ```
//!
//! - The **superblock** ([`format::superblock`]) has the magic, the size of the DRBD device (*la-size*), the generation UUIDs, flags, and
//!   where log and bitmap are, relative to itself.
//! - The **activity log** ([`format::activity_log`]) names the 4 MiB extents that were being written to. After a crash they count as out of
//!   sync; *applying* the log sets their bits. Until then metadata is *unclean*.
//! - The **bitmap** ([`format::bitmap`]) has a bit for each 4 KiB (as a rule) and peer: what is to be sent to that peer.
//!
//! External metadata is the same on a *meta device* of its own, the superblock first. DRBD looks in one place only, which follows from the
//! device's size and the configured index ([`format::layout::MdIndex::superblock_pos`]).
//!
//! A DRBD device may itself be the disk of another: a *stack*. Then the *inner* resource's metadata is at the end of the *outer* one's data,
//! and DRBD, given the outer's disk, sees the outer resource only:
//!
//! ```text
//! | data of the inner resource | inner metadata | outer metadata |
//! '------ the outer DRBD device -----------------'
//! ```
//!
//! # The rooms
//!
//! Each names only those above it in this table; nothing but [`image`] touches files, and nothing but [`transaction`] writes to a target.
//!
//! | room | what it answers |
//! |---|---|
//! | [`units`], [`terms`] | sizes and positions as checked types; the words all rooms use |
//! | [`error`] | what can go wrong, by whose fault it is |
//! | [`format`](mod@format) | what DRBD's bytes mean, without I/O |
//! | [`image`] | bytes at positions: files, devices, memory; looking ([`image::ReadAt`]) and writing ([`image::WriteAt`]) are different types |
//! | [`dump`] | the text form that `drbdmeta dump-md` prints and `restore-md` reads |
//! | [`survey`] | what is on a disk: levels, remnants, logs, who else lives there |
//! | [`verdict`] | what that means: `probe`'s status, `check`'s rules, what connecting decides |
//! | [`transaction`] | how anything is written: draft, undo file, order of writes, verification |
//! | [`surgery`] | what is written: adopt, relocate, import, apply-al, edits, wipe, repair |
//! | [`truck`] | what is carried from disk to disk: copies, checksums, streams |
//!
//! # Look
//!
//! ```
//! use mdtool::builder::{Level, build};
//! use mdtool::image::{MemImage, Window};
//! use mdtool::survey::locate::{LocateOptions, Role, locate};
//! use mdtool::units::{Bytes, ImagePos};
//!
//! // Instead of an image in memory: `ImageFile::open(path)`.
//! let size = Bytes::new(64 << 20);
//! let mut disk = MemImage::new(size);
//! build(&mut disk, ImagePos::START, size, &[Level::v08(), Level::v09(1)])?;
//!
//! let found = locate(Window::whole(&disk), &LocateOptions::default())?;
//! let [outer, inner] = found.levels.as_slice() else { panic!("a stack of two") };
//! assert_eq!((outer.role, inner.role), (Role::Outer, Role::Inner));
//! assert!(inner.layout.md < outer.layout.md);
//! # Ok::<(), mdtool::error::Error>(())
//! ```
//!
//! # Adopt, and take it back
//!
//! ```
//! # use mdtool::builder::{Level, build};
//! # use mdtool::image::{MemImage, Window};
//! # use mdtool::survey::locate::{LocateOptions, locate};
//! # use mdtool::units::{Bytes, ImagePos};
//! use mdtool::surgery::adopt::{AdoptOptions, Adoption, relocate};
//! use mdtool::transaction::{self, Identity};
//!
//! # let size = Bytes::new(64 << 20);
//! # let mut disk = MemImage::new(size);
//! # build(&mut disk, ImagePos::START, size, &[Level::v08(), Level::v08()])?;
//! let before = disk.clone();
//! let window = Window::whole(&before);
//! let found = locate(window, &LocateOptions::default())?;
//! let inner = found.levels.last().expect("a stack");
//! let place = relocate(inner, size).expect("room for it");
//! let mut adoption = Adoption::new(window, &found, inner, AdoptOptions::default())?;
//!
//! // Nothing is written yet: old and new bytes go to the undo file. Instead of a vector: `NewFile::create(path)`.
//! let identity = Identity::of_file("disk", size, "example");
//! let prepared = transaction::prepare(&disk, &identity, Vec::new(), |draft| {
//!     adoption.draft_here(draft, &place.layout)
//! })?;
//! let undo = prepared.apply(&mut disk)?.expect("something changed");
//! assert_eq!(locate(Window::whole(&disk), &LocateOptions::default())?.levels.len(), 1);
//!
//! undo.undo(&mut disk, false)?;
//! assert_eq!(locate(Window::whole(&disk), &LocateOptions::default())?.levels.len(), 2);
//! # Ok::<(), mdtool::error::Error>(())
//! ```
//!
//! # Features, and what stays
//!
//! `cli` (on by default) is the program; `default-features = false` leaves the library alone. `builder` makes images by formulas of its
//! own, for tests and examples.
//!
//! Until 1.0 a minor version may change this interface, and CHANGELOG.md says what; a patch version does not. Structs and enums that may
//! grow are `#[non_exhaustive]`. What the program prints as JSON, its exit statuses and undo files are held more strictly: fields are only
//! added, and undo files of every release can be read.
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        reason = "a test may overflow: it fails then"
    )
)]

#[cfg(any(test, feature = "builder"))]
pub mod builder;
#[cfg(feature = "cli")]
#[doc(hidden)]
pub mod cli;
pub mod dump;
pub mod error;
pub mod format;
pub mod image;
pub mod surgery;
pub mod survey;
pub mod terms;
#[cfg(test)]
mod test_cases;
pub mod transaction;
pub mod truck;
pub mod units;
pub mod verdict;

pub use error::{Error, Result};
pub use image::{ImageFile, MemImage, ReadAt, Window, WritableFile, WriteAt};
pub use survey::locate::{Level, LocateOptions, Located, locate};
pub use terms::{AlStriping, Format, MdGeometry, MdIndex};
pub use units::{Bytes, DevPos, ImagePos, Sectors};
