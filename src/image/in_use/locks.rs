//! Locks on bytes of an image, which QEMU and others take.

use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{Dev, Mode, OFlags};
use rustix::io::Errno;

use super::{Object, System, read};
use crate::image::system;

/// What QEMU locks to say what it does with an image (its `RAW_LOCK_PERM_BASE`): reads, writes, writes what reads the same, resizes.
const DOES: (libc::off_t, libc::off_t) = (100, 4);

/// What it locks to say what it does not let others do (`RAW_LOCK_SHARED_BASE`), in the same order.
const FORBIDS: (libc::off_t, libc::off_t) = (200, 4);

/// Locks those bytes, so that a QEMU that comes now is refused, and answers whether anybody else has locked any byte.
pub(super) fn take(file: impl AsFd + Copy) -> Result<bool, Errno> {
    for (start, len) in [DOES, FORBIDS] {
        match system::lock_shared(file, start, len) {
            Ok(()) => {}
            Err(Errno::AGAIN | Errno::ACCESS) => return Ok(true),
            // A kernel before 3.15 has no such locks, and neither has a QEMU that runs there.
            Err(Errno::INVAL) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
    of_another(file)
}

/// Whether anybody else has locked any byte.
pub(super) fn of_another(file: impl AsFd) -> Result<bool, Errno> {
    match system::is_locked_by_another(file) {
        Err(Errno::INVAL) => Ok(false),
        answer => answer,
    }
}

/// Whether somebody has locked bytes of what has this name; a block device is not opened for that, which may have effects of its own.
pub(super) fn are_on(system: &System, path: &Path, object: Object) -> bool {
    if let Object::Device(_) = object {
        return Object::at(path) == Some(object) && are_listed(system, path);
    }
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let opened = rustix::fs::open(path, flags, Mode::empty());
    opened.is_ok_and(|file| {
        let found = rustix::fs::fstat(&file).map(|stat| Object::of(&stat));
        found == Ok(object) && of_another(&file) == Ok(true)
    })
}

/// Whether the system lists a lock on bytes of the file of this name.
fn are_listed(system: &System, path: &Path) -> bool {
    let (Ok(stat), Some(list)) = (rustix::fs::stat(path), read(&system.proc.join("locks"))) else {
        return false;
    };
    String::from_utf8_lossy(&list)
        .lines()
        .filter_map(parse)
        .any(|locked| locked == (stat.st_dev, stat.st_ino))
}

/// The file of one line, where it is a lock on bytes that somebody has: `1: OFDLCK ADVISORY READ -1 fe:00:5588081 100 101`.
fn parse(line: &str) -> Option<(Dev, u64)> {
    let mut words = line.split_ascii_whitespace().skip(1);
    if !matches!(words.next()?, "OFDLCK" | "POSIX") {
        return None;
    }
    let mut file = words.nth(3)?.split(':');
    let mut hex = || u32::from_str_radix(file.next()?, 16).ok();
    let device = rustix::fs::makedev(hex()?, hex()?);
    Some((device, file.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_of_locks_are_read() {
        let device = rustix::fs::makedev(0xfe, 0x10);
        for (line, found) in [
            (
                "12: OFDLCK ADVISORY  READ -1 fe:10:5588081 100 101",
                Some((device, 5_588_081)),
            ),
            (
                "1: POSIX  ADVISORY  WRITE 77 fe:10:1 0 EOF",
                Some((device, 1)),
            ),
            ("1: -> POSIX  ADVISORY  WRITE 77 fe:10:1 0 EOF", None),
            ("2: FLOCK  ADVISORY  WRITE 77 fe:10:1 0 EOF", None),
            ("2: POSIX  ADVISORY  WRITE 77 <none>:1 0 EOF", None),
            ("2: POSIX", None),
            ("", None),
        ] {
            assert_eq!(parse(line), found, "{line}");
        }
    }
}
