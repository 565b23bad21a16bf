//! Bytes kept for a while: in memory while they are few, else in a file that has no name.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::error::{IoError, IoOp, Result};
use crate::units::{Bytes, ImagePos};

/// As much is kept in memory: there may be one for each of 31 bitmap slots.
const IN_MEMORY: usize = 256 << 10;

/// Bytes written front to back and read by position, gone with it.
///
/// What memory is not to hold goes to a file in `$TMPDIR`, else in `/var/tmp`, which unlike `/tmp` is seldom memory itself. It never has
/// a name there, so nothing is left whatever happens.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What was written last, after what is in the file.
    tail: Vec<u8>,
    file: Option<(OwnedFd, Bytes)>,
}

impl Scratch {
    /// How much was written.
    #[must_use]
    pub fn len(&self) -> Bytes {
        let in_file = self.in_file();
        in_file.saturating_add(Bytes::of_len(self.tail.len()))
    }

    /// Whether nothing was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Bytes::ZERO
    }

    /// Writes after what was written before.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system has no room.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.tail.extend_from_slice(bytes);
        if self.tail.len() < IN_MEMORY {
            return Ok(());
        }
        let mut written = self.in_file();
        let file = match self.file.take() {
            Some((file, _)) => file,
            None => unnamed().map_err(refused)?,
        };
        let mut rest = self.tail.as_slice();
        while !rest.is_empty() {
            match rustix::io::pwrite(&file, rest, written.get()) {
                Ok(0) => return Err(refused(Errno::NOSPC)),
                Ok(count) => {
                    rest = rest.split_at(count).1;
                    let sum = written.checked_add(Bytes::of_len(count));
                    written = sum.unwrap_or(written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(refused(error)),
            }
        }
        self.tail.clear();
        self.file = Some((file, written));
        Ok(())
    }

    /// Fills `buf` from position `at`, wholly or not at all.
    ///
    /// # Errors
    ///
    /// [`IoError`] beyond what was written, or where the system cannot read it back.
    pub fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        let in_file = self.in_file().saturating_sub(at.from_start());
        let split = in_file.at_most(buf.len());
        let (first, last) = buf.split_at_mut(split);
        if let Some((file, _)) = &self.file {
            read_file(file, at, first)?;
        }
        if last.is_empty() {
            return Ok(());
        }
        let skip = at.from_start().saturating_sub(self.in_file());
        let skip = skip.to_usize().unwrap_or(usize::MAX);
        let kept = self
            .tail
            .get(skip..)
            .and_then(|kept| kept.get(..last.len()));
        let Some(kept) = kept else {
            return Err(refused_read(io::ErrorKind::UnexpectedEof.into()));
        };
        last.copy_from_slice(kept);
        Ok(())
    }

    fn in_file(&self) -> Bytes {
        self.file.as_ref().map_or(Bytes::ZERO, |(_, len)| *len)
    }
}

fn read_file(file: &OwnedFd, at: ImagePos, buf: &mut [u8]) -> Result<()> {
    let mut at = at.get();
    let mut rest = buf;
    while !rest.is_empty() {
        match rustix::io::pread(file, &mut *rest, at) {
            Ok(0) => return Err(refused_read(io::ErrorKind::UnexpectedEof.into())),
            Ok(count) => {
                at = at.saturating_add(Bytes::of_len(count).get());
                rest = rest.split_at_mut(count).1;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(refused_read(error.into())),
        }
    }
    Ok(())
}

/// A file without a name, or, where the file system has no such thing, one that loses it at once.
fn unnamed() -> rustix::io::Result<OwnedFd> {
    let asked = std::env::var_os("TMPDIR").map(PathBuf::from);
    let dir = asked.unwrap_or_else(|| PathBuf::from("/var/tmp"));
    let mode = Mode::RUSR | Mode::WUSR;
    let flags = OFlags::RDWR | OFlags::CLOEXEC;
    match rustix::fs::open(&dir, flags | OFlags::TMPFILE, mode) {
        Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::ISDIR) => {}
        answer => return answer,
    }
    let path = dir.join(format!(
        ".mdtool.{}.scratch",
        rustix::process::getpid().as_raw_nonzero()
    ));
    let file = rustix::fs::open(&path, flags | OFlags::CREATE | OFlags::EXCL, mode)?;
    rustix::fs::unlink(&path)?;
    Ok(file)
}

fn refused(error: Errno) -> crate::error::Error {
    IoError::whole(IoOp::WriteScratch, error.into()).into()
}

fn refused_read(error: io::Error) -> crate::error::Error {
    IoError::whole(IoOp::ReadScratch, error).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_from_wherever_it_lies() {
        let mut scratch = Scratch::default();
        assert!(scratch.is_empty());
        let mut model = Vec::new();
        for piece in 0..700_u32 {
            let bytes: Vec<u8> = (0..5000_u32)
                .map(|i| (i.wrapping_mul(piece) >> 3).to_le_bytes()[0])
                .collect();
            scratch.append(&bytes).unwrap();
            model.extend(bytes);
        }
        scratch.append(&vec![7; 2 * IN_MEMORY]).unwrap();
        scratch.append(b"tail").unwrap();
        model.extend(vec![7; 2 * IN_MEMORY]);
        model.extend(b"tail");
        assert!(scratch.file.is_some() && !scratch.tail.is_empty());
        assert_eq!(scratch.len(), Bytes::of_len(model.len()));
        for (at, len) in [
            (0, 1000),
            (IN_MEMORY - 10, 20),
            (model.len() - 10, 10),
            (0, model.len()),
        ] {
            let mut found = vec![0; len];
            let position = ImagePos::at(Bytes::of_len(at));
            scratch.read_exact_at(position, &mut found).unwrap();
            assert!(found == model[at..at + len], "{len} at {at}");
        }
        let end = ImagePos::at(Bytes::of_len(model.len() - 3));
        scratch.read_exact_at(end, &mut [0; 4]).unwrap_err();
    }
}
