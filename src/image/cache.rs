//! Leaving the system's cache as a scan found it: what was not in it before does not stay because it was looked at once.
//!
//! A disk is larger than the memory. Scanned without this, it would throw out whatever the machine works with.

use std::io::IoSliceMut;
use std::num::NonZeroU64;
use std::ops::Range;

use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};

use super::{ImageFile, advanced};
use crate::units::{Bytes, ImagePos};

/// How much is judged by one page: more than the system reads ahead, so that none is judged by what the section before it left.
const SECTION: Bytes = Bytes::new(64 * 1024 * 1024);

/// A scan of a range, front to back.
pub(super) struct CacheKeeper<'a> {
    file: &'a ImageFile,
    end: ImagePos,
    section: Range<ImagePos>,
    /// Whether the present section was out of the cache before the scan came near.
    cold: bool,
    next_cold: bool,
}

impl<'a> CacheKeeper<'a> {
    pub(super) fn new(file: &'a ImageFile, range: &Range<ImagePos>) -> Self {
        let section = section(range.start, range.end);
        Self {
            file,
            end: range.end,
            cold: is_cold(file, &section),
            next_cold: is_cold(file, &self::section(section.end, range.end)),
            section,
        }
    }

    /// What begins at `at` was seen, and is not needed any more.
    pub(super) fn seen(&mut self, at: ImagePos, len: Bytes) {
        while at >= self.section.end && self.section.end < self.end {
            self.section = section(self.section.end, self.end);
            self.cold = self.next_cold;
            self.next_cold = is_cold(self.file, &section(self.section.end, self.end));
        }
        if self.cold {
            drop_cached(self.file, at, len);
        }
    }
}

/// The section that begins at `start`.
fn section(start: ImagePos, end: ImagePos) -> Range<ImagePos> {
    let rest = end.saturating_since(start);
    start..advanced(start, rest.min(SECTION))
}

/// Whether a section is out of the cache, judged by a byte in its middle; an unknown answer counts as no.
fn is_cold(file: &ImageFile, section: &Range<ImagePos>) -> bool {
    let len = section.end.bytes_since(section.start);
    let half = len.map_or(Bytes::ZERO, |len| Bytes::new(len.get() / 2));
    half > Bytes::ZERO && !is_cached(file, advanced(section.start, half))
}

/// Whether the system could give the byte at `at` without the disk.
pub(super) fn is_cached(file: &ImageFile, at: ImagePos) -> bool {
    let mut byte = [0];
    let mut bytes = [IoSliceMut::new(&mut byte)];
    let answer = rustix::io::preadv2(file.file(), &mut bytes, at.get(), ReadWriteFlags::NOWAIT);
    answer != Err(Errno::AGAIN)
}

/// Asks the system to drop what it holds of a part; what is still to be written it keeps. Advice, no more.
pub(super) fn drop_cached(file: &ImageFile, at: ImagePos, len: Bytes) {
    let _ = rustix::fs::fadvise(
        file.file(),
        at.get(),
        NonZeroU64::new(len.get()),
        Advice::DontNeed,
    );
}

#[cfg(test)]
mod tests {
    use std::ops::ControlFlow;
    use std::path::Path;
    use std::process::Command;

    use super::super::support::{MIB, bytes, file_of, numbered, pos, skip};
    use super::super::{MappedImage, ReadAt};
    use super::*;

    const SIZE: u64 = 24 * MIB;

    /// How many of the file's mebibytes are cached, rounded up, by a tool that only counts.
    ///
    /// Reading with `RWF_NOWAIT` is no way to ask here: newer kernels begin to read ahead when they answer that a byte is not there,
    /// and what was asked about is cached a moment later.
    fn cached(path: &Path) -> u64 {
        let mut command = Command::new("fincore");
        let output = command.args(["-b", "-n", "-o", "RES"]).arg(path).output();
        let output = output.unwrap();
        let bytes = String::from_utf8(output.stdout).unwrap();
        bytes.trim().parse::<u64>().unwrap().div_ceil(MIB)
    }

    #[test]
    fn a_scan_leaves_the_cache_as_it_was() {
        if Command::new("fincore").arg("--version").output().is_err() {
            return skip("fincore is not in PATH");
        }
        let file = file_of(&numbered(SIZE));
        file.as_file().sync_all().unwrap();
        let whole = pos(0)..pos(SIZE);
        let look = |image: &dyn ReadAt| {
            let mut seen = 0;
            let mut count = |_, piece: &[u8]| {
                seen += piece.len();
                ControlFlow::Continue(())
            };
            image.visit(whole.clone(), &mut count).unwrap();
            assert_eq!(Bytes::of_len(seen), bytes(SIZE));
        };
        let asking = ImageFile::open(file.path()).unwrap();
        let read = ImageFile::open(file.path()).unwrap();
        let mapped = MappedImage::open(file.path()).unwrap();
        let images: [&dyn ReadAt; 2] = [&read, &mapped];
        assert_eq!(cached(file.path()), 24, "just written");
        for image in images {
            look(image);
            assert_eq!(cached(file.path()), 24, "what was there stays");
        }
        drop_cached(&asking, pos(0), bytes(SIZE));
        if cached(file.path()) > 0 {
            skip("the file system of the temporary directory is the cache itself");
            return;
        }
        for image in images {
            look(image);
            // The system reads ahead as it likes.
            assert!(cached(file.path()) <= 4, "{} of 24", cached(file.path()));
        }
    }
}
