//! Who else has an image open: the one place that is asked before anything is written.
//!
//! | asked | sees |
//! |---|---|
//! | `O_EXCL` on a block device | whoever has claimed it: a mounted file system, swap, DRBD, device mapper, MD, another mdtool |
//! | `/proc/self/mountinfo`, `/proc/swaps` | what of it is mounted or swap, by device number and by the file behind it |
//! | `LOOP_GET_STATUS64`, and `/sys/block` where the device cannot be opened | loop devices over it, whatever name they were given |
//! | `/sys/dev/block` | its partitions, what is built on it (holders), and what it lies on (slaves, the whole disk, the file behind it) |
//! | `flock` | another mdtool on a regular file |
//! | locks of open file descriptions | QEMU, qemu-nbd, qemu-img; and every other program that locks bytes of it |
//!
//! All of it is asked of what stands on the image, and of what lies below it where that is the same bytes. Whatever `/sys` and `/proc` do not
//! say, because they are not there or not ours to read, stays unseen.

mod devices;
mod locks;
mod mounts;
mod processes;
mod same;
mod search;
mod users;

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Dev, FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

pub use users::{InUse, Process, Use, User};

use super::ImageFile;
use crate::error::{Error, IoError, IoOp, Result};
use search::Search;

/// What may be in use: the same thing, whatever names it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Object {
    /// A block device, by its number.
    Device(Dev),
    /// A file, by its file system and inode.
    File { device: Dev, inode: u64 },
}

impl Object {
    fn of(stat: &Stat) -> Self {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::BlockDevice => Self::Device(stat.st_rdev),
            _ => Self::File {
                device: stat.st_dev,
                inode: stat.st_ino,
            },
        }
    }

    /// What a path leads to, without mounting anything for it.
    fn at(path: &Path) -> Option<Self> {
        let found = rustix::fs::statat(rustix::fs::CWD, path, rustix::fs::AtFlags::NO_AUTOMOUNT);
        found.ok().map(|stat| Self::of(&stat))
    }
}

/// Where the system says what it knows.
#[derive(Clone, Debug)]
struct System {
    sys: PathBuf,
    proc: PathBuf,
    dev: PathBuf,
}

impl System {
    /// This one.
    fn here() -> Self {
        Self {
            sys: "/sys".into(),
            proc: "/proc".into(),
            dev: "/dev".into(),
        }
    }
}

/// Whether two paths lead to the same file or device, by whatever names; what does not exist is no other's.
#[must_use]
pub fn is_same(one: &Path, other: &Path) -> bool {
    let (one, other) = (Object::at(one), Object::at(other));
    one.is_some() && one == other
}

/// Whether a path leads to what is open.
pub(super) fn is_at(image: &ImageFile, path: &Path) -> Result<bool> {
    Ok(Object::at(path) == Some(object_of(image)?))
}

/// Whether two paths lead to the same bytes, by whatever names and by whatever lies between: a loop device over the other, a partition of
/// it, something built on it.
#[must_use]
pub fn overlap(one: &Path, other: &Path) -> bool {
    match (Object::at(one), Object::at(other)) {
        (Some(one), Some(other)) => same::overlap(&System::here(), one, other),
        _ => false,
    }
}

/// Opens an image with an access, a block device exclusively; where somebody has claimed that, the answer names who.
pub(super) fn open(path: &Path, access: OFlags) -> Result<ImageFile> {
    let opened = ImageFile::open_as(path, |kind| match kind {
        FileType::BlockDevice => access | OFlags::EXCL,
        _ => access,
    });
    match opened {
        Err(Error::Io(error)) if error.source.kind() == io::ErrorKind::ResourceBusy => {
            Err(busy(path, error.source).into())
        }
        answer => answer,
    }
}

/// Keeps others out: a regular file is locked as other mdtools do, and anything as QEMU does.
///
/// # Errors
///
/// [`IoError`] with [`IoOp::Lock`] where another mdtool has it; [`InUse`] where somebody has bytes of it locked.
pub(super) fn lock(image: &ImageFile) -> Result<()> {
    if image.kind()? == FileType::RegularFile {
        flock(image, FlockOperation::NonBlockingLockExclusive)?;
    }
    if locks::take(image.file()).map_err(refused_lock)? {
        return Err(opened_by(object_of(image)?).into());
    }
    Ok(())
}

/// Finds out whether [`lock`] would, and leaves nothing locked.
pub(super) fn could_lock(image: &ImageFile) -> Result<()> {
    if image.kind()? == FileType::RegularFile {
        flock(image, FlockOperation::NonBlockingLockShared)?;
        let unlocked = rustix::fs::flock(image.file(), FlockOperation::Unlock);
        unlocked.map_err(refused_lock)?;
    }
    if locks::of_another(image.file()).map_err(refused_lock)? {
        return Err(opened_by(object_of(image)?).into());
    }
    Ok(())
}

/// Lets go of what [`lock`] took, also where a process that was just forked still has the file: it closes it a little later only.
pub(super) fn unlock(image: &ImageFile) {
    let _ = super::system::unlock(image.file());
    let _ = rustix::fs::flock(image.file(), FlockOperation::Unlock);
}

/// Refuses what somebody else uses, as far as that can be seen without a lock.
///
/// # Errors
///
/// [`InUse`], which names every user; [`IoError`] where the system does not say what this is.
pub(super) fn refuse(image: &ImageFile) -> Result<()> {
    let users = Search::of(&System::here(), object_of(image)?);
    if users.is_empty() {
        Ok(())
    } else {
        Err(InUse::new(users, None).into())
    }
}

/// What an open image is.
fn object_of(image: &ImageFile) -> Result<Object> {
    let found = rustix::fs::fstat(image.file())
        .map_err(|error| IoError::whole(IoOp::Open, error.into()))?;
    Ok(Object::of(&found))
}

/// The lock that keeps two mdtools apart.
fn flock(image: &ImageFile, operation: FlockOperation) -> Result<()> {
    let Err(error) = rustix::fs::flock(image.file(), operation) else {
        return Ok(());
    };
    let users = match error {
        Errno::WOULDBLOCK => processes::users(&System::here(), object_of(image)?, None),
        _ => Vec::new(),
    };
    let answer = match users.as_slice() {
        [] => error.into(),
        users => io::Error::new(io::ErrorKind::WouldBlock, users::listed(users)),
    };
    Err(IoError::whole(IoOp::Lock, answer).into())
}

fn refused_lock(error: Errno) -> IoError {
    IoError::whole(IoOp::Lock, error.into())
}

/// Who has locked bytes of it.
fn opened_by(object: Object) -> InUse {
    let mut users = processes::users(&System::here(), object, None);
    if users.is_empty() {
        users.push(User::new(None, Use::Open(None)));
    }
    InUse::new(users, None)
}

/// Who has claimed a block device.
fn busy(path: &Path, answer: io::Error) -> InUse {
    let system = System::here();
    let object = Object::at(path);
    let mut users = object.map_or_else(Vec::new, |object| Search::of(&system, object));
    if users.is_empty() {
        users = object.map_or_else(Vec::new, |object| processes::users(&system, object, None));
    }
    if users.is_empty() {
        users.push(User::new(None, Use::Claimed));
    }
    InUse::new(users, Some(answer))
}

/// All of a small file that the system makes up; `None` where it is not there or not ours to read.
fn read(path: &Path) -> Option<Vec<u8>> {
    /// A list of mounts may be long, and nothing here is longer.
    const LIMIT: usize = 8 * 1024 * 1024;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let file = rustix::fs::open(path, flags, Mode::empty()).ok()?;
    let (mut all, mut piece) = (Vec::new(), [0; 4096]);
    while all.len() < LIMIT {
        let count = rustix::io::retry_on_intr(|| rustix::io::read(&file, &mut piece)).ok()?;
        let (now, _) = piece.split_at_checked(count)?;
        if now.is_empty() {
            break;
        }
        all.extend_from_slice(now);
    }
    Some(all)
}

#[cfg(test)]
mod tests;
