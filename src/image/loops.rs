//! Loop devices: a regular file that one is set up over is written to by others, and what is written beside it is not seen there.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{Mode, OFlags, Stat};

use super::ImageFile;
use crate::error::{IoError, IoOp, Refused, Result};

/// Refuses a regular file that a loop device is set up over, mounted or not.
///
/// # Errors
///
/// [`Refused::LoopDevice`]; [`IoError`] where the system does not say what file this is.
pub(super) fn refuse(image: &ImageFile) -> Result<()> {
    let stat = rustix::fs::fstat(image.file())
        .map_err(|error| IoError::whole(IoOp::Open, error.into()))?;
    match over(&stat) {
        Some(number) => Err(Refused::LoopDevice { number }.into()),
        None => Ok(()),
    }
}

/// The number of a loop device over this file, as far as the system tells: where it has no `/sys`, nobody does.
fn over(file: &Stat) -> Option<u32> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let all = rustix::fs::open("/sys/block", flags, Mode::empty()).ok()?;
    let all = rustix::fs::Dir::new(all).ok()?;
    all.filter_map(|entry| {
        let entry = entry.ok()?;
        let name = entry.file_name().to_str().ok()?;
        name.strip_prefix("loop")?.parse::<u32>().ok()
    })
    .find(|number| {
        let behind = backing_file(*number).and_then(|path| rustix::fs::stat(&path).ok());
        behind.is_some_and(|behind| (behind.st_dev, behind.st_ino) == (file.st_dev, file.st_ino))
    })
}

/// The path of the file behind a loop device, while it is set up.
fn backing_file(number: u32) -> Option<OsString> {
    let path = format!("/sys/block/loop{number}/loop/backing_file");
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    // A page at most, as all that `/sys` says.
    let mut line = vec![0; 4096];
    let length = rustix::io::read(&file, &mut line).ok()?;
    line.truncate(length);
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Some(OsString::from_vec(line))
}
