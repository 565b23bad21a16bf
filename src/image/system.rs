//! The few calls of the system for which no crate here has a safe wrapper.
#![expect(
    unsafe_code,
    reason = "locks of open file descriptions, the status of loop devices, and a signal's disposition have no safe wrapper"
)]

use std::os::fd::{AsFd, AsRawFd};

use rustix::io::Errno;

/// `LOOP_GET_STATUS64`, of linux/loop.h.
const LOOP_GET_STATUS64: rustix::ioctl::Opcode = 0x4C05;

/// `struct loop_info64` as words: 232 bytes, of which the first five words are numbers and the rest names and keys.
type LoopInfo = [u64; 29];

/// What a loop device is set up over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LoopStatus {
    /// The device that the file is on.
    pub(super) device: u64,
    /// The file's inode.
    pub(super) inode: u64,
    /// The block device's own number, 0 for a regular file.
    pub(super) rdevice: u64,
    /// Where in the file the loop device begins.
    pub(super) offset: u64,
    /// Its greatest size, 0 where it goes to the file's end.
    pub(super) size_limit: u64,
}

/// Asks a loop device what it is set up over.
pub(super) fn loop_status(device: impl AsFd) -> Result<LoopStatus, Errno> {
    // SAFETY: this request writes a `struct loop_info64`, of which `LoopInfo` has the size and no stricter alignment; any bits are words.
    let request = unsafe { rustix::ioctl::Getter::<LOOP_GET_STATUS64, LoopInfo>::new() };
    // SAFETY: the request only reads the device's status; what is no loop device refuses it.
    let [device, inode, rdevice, offset, size_limit, ..] =
        unsafe { rustix::ioctl::ioctl(device, request) }?;
    Ok(LoopStatus {
        device,
        inode,
        rdevice,
        offset,
        size_limit,
    })
}

/// What is asked of the locks of an open file description.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lock {
    Shared,
    Exclusive,
    None,
}

impl Lock {
    /// As `struct flock` has it.
    fn kind(self) -> Result<libc::c_short, Errno> {
        let kind = match self {
            Self::Shared => libc::F_RDLCK,
            Self::Exclusive => libc::F_WRLCK,
            Self::None => libc::F_UNLCK,
        };
        libc::c_short::try_from(kind).map_err(|_| Errno::INVAL)
    }
}

/// Calls `fcntl` with a lock; `len` 0 reaches to the end of all files. The answer is the lock that the system made of it.
fn lock(
    file: impl AsFd,
    command: libc::c_int,
    lock: Lock,
    start: libc::off_t,
    len: libc::off_t,
) -> Result<libc::c_short, Errno> {
    // SAFETY: a `struct flock` of zeros is a valid one.
    let mut asked: libc::flock = unsafe { std::mem::zeroed() };
    asked.l_type = lock.kind()?;
    asked.l_whence = libc::c_short::try_from(libc::SEEK_SET).map_err(|_| Errno::INVAL)?;
    asked.l_start = start;
    asked.l_len = len;
    // SAFETY: the descriptor is open while it is borrowed, and the commands used here read and write one `struct flock`.
    let answer = unsafe { libc::fcntl(file.as_fd().as_raw_fd(), command, &raw mut asked) };
    if answer == -1 {
        let error = std::io::Error::last_os_error();
        return Err(Errno::from_io_error(&error).unwrap_or(Errno::IO));
    }
    Ok(asked.l_type)
}

/// Takes a shared lock on bytes of a file, for this open file description; `EAGAIN` where another has them exclusively.
pub(super) fn lock_shared(
    file: impl AsFd,
    start: libc::off_t,
    len: libc::off_t,
) -> Result<(), Errno> {
    lock(file, libc::F_OFD_SETLK, Lock::Shared, start, len).map(|_| ())
}

/// Whether another open file description, or a process, has any byte of the file locked, shared or exclusively.
pub(super) fn is_locked_by_another(file: impl AsFd) -> Result<bool, Errno> {
    let found = lock(file, libc::F_OFD_GETLK, Lock::Exclusive, 0, 0)?;
    Ok(found != Lock::None.kind()?)
}

/// Lets go of all such locks of this open file description.
pub(super) fn unlock(file: impl AsFd) -> Result<(), Errno> {
    lock(file, libc::F_OFD_SETLK, Lock::None, 0, 0).map(|_| ())
}

/// Makes a write beyond the limit of a file's size (`ulimit -f`) an error like any other, `EFBIG`, where it would end the process half way.
pub fn ignore_size_limit_signal() {
    // SAFETY: ignoring a signal runs no code of ours; and the number is a valid one, so there is no error to look at.
    unsafe {
        libc::signal(libc::SIGXFSZ, libc::SIG_IGN);
    }
}

/// Lets nothing but SIGKILL end the process from here on: a terminal that hangs up, or Ctrl-C, would leave a change half done that takes a moment more.
pub fn finish_whatever_is_signalled() {
    for signal in [libc::SIGHUP, libc::SIGINT, libc::SIGTERM] {
        // SAFETY: ignoring a signal runs no code of ours; and the number is a valid one, so there is no error to look at.
        unsafe {
            libc::signal(signal, libc::SIG_IGN);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use rustix::fs::{Mode, OFlags};

    use super::*;

    fn opened(path: &std::path::Path) -> OwnedFd {
        rustix::fs::open(path, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    #[test]
    fn a_lock_is_another_s_and_never_one_s_own() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let (ours, theirs) = (opened(file.path()), opened(file.path()));
        lock_shared(&ours, 100, 4).unwrap();
        assert!(!is_locked_by_another(&ours).unwrap());
        assert!(is_locked_by_another(&theirs).unwrap());
        lock_shared(&theirs, 100, 4).unwrap();
        assert!(is_locked_by_another(&ours).unwrap());
        unlock(&theirs).unwrap();
        assert!(!is_locked_by_another(&ours).unwrap());
    }

    #[test]
    fn a_regular_file_has_no_loop_status() {
        let file = tempfile::NamedTempFile::new().unwrap();
        assert_eq!(loop_status(opened(file.path())), Err(Errno::NOTTY));
    }
}
