//! Block devices: their names, their parts, what is built on them and what they lie on.

use std::ffi::OsString;
use std::ops::Range;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dev, Mode, OFlags, major, minor};

use super::mounts::number;
use super::{Object, System, read};
use crate::image::system;

/// The bytes of a device or file that another is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Part(Range<u64>);

impl Part {
    /// All of it.
    pub(super) const WHOLE: Self = Self(0..u64::MAX);

    fn new(start: u64, len: u64) -> Self {
        Self(start..start.saturating_add(len))
    }

    /// Where, seen from `other`, the two have bytes in common.
    pub(super) fn within(&self, other: &Self) -> Option<Self> {
        let start = self.0.start.max(other.0.start);
        let end = self.0.end.min(other.0.end);
        let base = other.0.start;
        (start < end).then(|| Self(start.saturating_sub(base)..end.saturating_sub(base)))
    }

    /// The bytes of what `other` is a part of, which these are of `other`.
    pub(super) fn in_whole(&self, other: &Self) -> Self {
        let base = other.0.start;
        let end = self.0.end.saturating_add(base).min(other.0.end);
        Self(self.0.start.saturating_add(base)..end)
    }
}

/// A loop device that is set up.
#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub(super) number: Dev,
    /// What it is over, where that can be found out.
    pub(super) over: Option<Object>,
    /// The name it was given, or has by now.
    pub(super) path: PathBuf,
    pub(super) part: Part,
}

/// Where the system describes a device.
fn place(system: &System, device: Dev) -> PathBuf {
    let name = format!("{}:{}", major(device), minor(device));
    system.sys.join("dev/block").join(name)
}

/// The name of its node in `/dev`, the one that people know.
pub(super) fn name(system: &System, device: Dev) -> PathBuf {
    let place = place(system, device);
    if let Some(name) = line(&place.join("dm/name")) {
        return Path::new("/dev/mapper").join(name);
    }
    let words = read(&place.join("uevent")).unwrap_or_default();
    let mut lines = words.split(|byte| *byte == b'\n');
    let name = lines.find_map(|line| line.strip_prefix(b"DEVNAME="));
    let name = name.map_or_else(
        || format!("block/{}:{}", major(device), minor(device)).into(),
        |name| OsString::from_vec(name.to_vec()),
    );
    Path::new("/dev").join(name)
}

/// Its partitions, and where they are.
pub(super) fn partitions(system: &System, device: Dev) -> Vec<(Dev, Part)> {
    entries(&place(system, device))
        .iter()
        .filter_map(|entry| partition(entry))
        .collect()
}

/// The number and the bytes of a partition, by its description.
fn partition(place: &Path) -> Option<(Dev, Part)> {
    /// The unit of `start` and `size`, whatever sectors the device has.
    const SECTOR: u64 = 512;
    line(&place.join("partition"))?;
    let sectors = |name| decimal(&place.join(name))?.checked_mul(SECTOR);
    let part = Part::new(sectors("start")?, sectors("size")?);
    Some((number_at(place)?, part))
}

/// The disk that a partition is of, and where it is there.
pub(super) fn whole(system: &System, device: Dev) -> Option<(Dev, Part)> {
    let place = place(system, device);
    let (_, part) = partition(&place)?;
    // `..` of what the link leads to.
    Some((number_at(&place.join(".."))?, part))
}

/// What is built on it.
pub(super) fn holders(system: &System, device: Dev) -> Vec<Dev> {
    linked(&place(system, device).join("holders"))
}

/// What it is built of.
pub(super) fn slaves(system: &System, device: Dev) -> Vec<Dev> {
    linked(&place(system, device).join("slaves"))
}

/// Every loop device that is set up.
pub(super) fn loops(system: &System) -> Vec<Loop> {
    entries(&system.sys.join("block"))
        .iter()
        .filter_map(|place| a_loop(system, place))
        .collect()
}

fn a_loop(system: &System, place: &Path) -> Option<Loop> {
    let path = PathBuf::from(line(&place.join("loop/backing_file"))?);
    let number = number_at(place)?;
    let node = system.dev.join(place.file_name()?);
    let (over, start, limit) = match status(&node, number) {
        Some(status) => {
            let over = match status.rdevice {
                0 => Object::File {
                    device: status.device,
                    inode: status.inode,
                },
                device => Object::Device(device),
            };
            (Some(over), status.offset, status.size_limit)
        }
        // Not ours to open, or no such node here: then the name has to do.
        None => (
            Object::at(&path),
            decimal(&place.join("loop/offset"))?,
            decimal(&place.join("loop/sizelimit"))?,
        ),
    };
    let limit = if limit == 0 { u64::MAX } else { limit };
    Some(Loop {
        number,
        over,
        path,
        part: Part::new(start, limit),
    })
}

/// What a loop device itself says.
fn status(node: &Path, number: Dev) -> Option<system::LoopStatus> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(node, flags, Mode::empty()).ok()?;
    let found = rustix::fs::fstat(&file).ok()?;
    (Object::of(&found) == Object::Device(number))
        .then(|| system::loop_status(&file).ok())
        .flatten()
}

/// The devices that a directory of links leads to.
fn linked(directory: &Path) -> Vec<Dev> {
    entries(directory)
        .iter()
        .filter_map(|entry| number_at(entry))
        .collect()
}

/// The paths in a directory, in order.
fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    found.sort_unstable();
    found
}

fn number_at(place: &Path) -> Option<Dev> {
    number(&read(&place.join("dev"))?)
}

/// The one line of a file, without its end.
fn line(path: &Path) -> Option<OsString> {
    let mut line = read(path)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    Some(OsString::from_vec(line))
}

fn decimal(path: &Path) -> Option<u64> {
    line(path)?.to_str()?.parse().ok()
}
