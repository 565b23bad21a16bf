//! Which processes have something open, as far as we may look.

use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, StatxFlags, makedev};

use super::{Object, Process, System, Use, User, read};

/// The processes that have it open: those with locks on it, where there are any. Our own is none of them.
pub(super) fn users(system: &System, object: Object, by: Option<&Path>) -> Vec<User> {
    let own = rustix::process::getpid().as_raw_nonzero().get();
    let mut found: Vec<(bool, Process)> = numbers(&system.proc)
        .into_iter()
        .filter(|id| i32::try_from(*id) != Ok(own))
        .filter_map(|id| {
            let locked = has_open(&system.proc.join(id.to_string()), object)?;
            Some((locked, named(system, id)))
        })
        .collect();
    if found.iter().any(|(locked, _)| *locked) {
        found.retain(|(locked, _)| *locked);
    }
    found
        .into_iter()
        .map(|(_, process)| User::new(by, Use::Open(Some(process))))
        .collect()
}

/// The names in a directory that are numbers, in order.
fn numbers(directory: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut found: Vec<u32> = entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    found.sort_unstable();
    found
}

fn named(system: &System, id: u32) -> Process {
    let name = read(&system.proc.join(id.to_string()).join("comm"));
    let name = name.map_or_else(String::new, |name| {
        String::from_utf8_lossy(&name).trim_end().to_owned()
    });
    Process { id, name }
}

/// Whether a process has it open, and if so, whether it has it locked.
fn has_open(process: &Path, object: Object) -> Option<bool> {
    let open: Vec<u32> = numbers(&process.join("fd"))
        .into_iter()
        .filter(|number| leads_to(&process.join("fd").join(number.to_string())) == Some(object))
        .collect();
    let locked = open.iter().any(|number| {
        let info = process.join("fdinfo").join(number.to_string());
        let info = read(&info).unwrap_or_default();
        info.split(|byte| *byte == b'\n')
            .any(|line| line.starts_with(b"lock:"))
    });
    (!open.is_empty()).then_some(locked)
}

/// What an open file is, by what the system knows of it already: a server that does not answer is not waited for.
fn leads_to(link: &PathBuf) -> Option<Object> {
    let wanted = StatxFlags::TYPE | StatxFlags::INO;
    let found = rustix::fs::statx(CWD, link, AtFlags::STATX_DONT_SYNC, wanted).ok()?;
    let kind = FileType::from_raw_mode(u32::from(found.stx_mode));
    Some(match kind {
        FileType::BlockDevice => {
            Object::Device(makedev(found.stx_rdev_major, found.stx_rdev_minor))
        }
        _ => Object::File {
            device: makedev(found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
        },
    })
}
