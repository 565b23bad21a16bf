//! What is mounted, and what is swapped to.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Dev, makedev};

use super::{Object, System, read};

/// The mounts and swap spaces of this process's view of the system.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    mounts: Vec<Mount>,
    swaps: Vec<Object>,
}

#[derive(Debug)]
struct Mount {
    /// The device that its files say they are on.
    device: Dev,
    /// What it says it was mounted from: the only number that Btrfs and FUSE give.
    source: Option<Object>,
    on: PathBuf,
}

impl Mounts {
    pub(super) fn read(system: &System) -> Self {
        let lines = |name: &str| {
            let list = read(&system.proc.join(name)).unwrap_or_default();
            list.split(|byte| *byte == b'\n')
                .map(<[u8]>::to_vec)
                .collect::<Vec<_>>()
        };
        Self {
            mounts: lines("self/mountinfo")
                .iter()
                .filter_map(|line| mount(line))
                .collect(),
            swaps: lines("swaps")
                .iter()
                .skip(1)
                .filter_map(|line| Object::at(&path(words(line).next()?)))
                .collect(),
        }
    }

    /// Where something is mounted, the first time if it is so several times.
    pub(super) fn of(&self, object: Object) -> Option<&Path> {
        let found = self.mounts.iter().find(|mount| {
            mount.source == Some(object)
                || matches!(object, Object::Device(number) if number == mount.device)
        });
        found.map(|mount| mount.on.as_path())
    }

    pub(super) fn is_swap(&self, object: Object) -> bool {
        self.swaps.contains(&object)
    }
}

/// One line: `36 35 98:0 /root /mnt opts [more opts] - type source superopts`.
fn mount(line: &[u8]) -> Option<Mount> {
    let mut words = words(line);
    let device = number(words.nth(2)?)?;
    let on = path(words.nth(1)?);
    let source = path(words.skip_while(|word| *word != b"-").nth(2)?);
    Some(Mount {
        device,
        source: Some(source)
            .filter(|source| source.is_absolute())
            .and_then(|source| Object::at(&source)),
        on,
    })
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty())
}

/// `MAJOR:MINOR`.
pub(super) fn number(word: &[u8]) -> Option<Dev> {
    let (major, minor) = str::from_utf8(word).ok()?.trim_end().split_once(':')?;
    Some(makedev(major.parse().ok()?, minor.parse().ok()?))
}

/// A path as the system writes it into a list: blanks and backslashes as a backslash and three octal digits.
fn path(word: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some((first, more)) = rest.split_first() {
        match (first, more.split_at_checked(3)) {
            (b'\\', Some((digits, later))) if octal(digits).is_some() => {
                bytes.extend(octal(digits));
                rest = later;
            }
            _ => {
                bytes.push(*first);
                rest = more;
            }
        }
    }
    OsString::from_vec(bytes).into()
}

fn octal(digits: &[u8]) -> Option<u8> {
    u8::from_str_radix(str::from_utf8(digits).ok()?, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_mounts_are_read() {
        let line =
            br"36 35 98:1 /a\040dir /mnt/a\040b\134c rw shared:1 master:2 - ext4 /dev/null rw";
        let found = mount(line).unwrap();
        assert_eq!(found.device, makedev(98, 1));
        assert_eq!(found.on, Path::new(r"/mnt/a b\c"));
        assert_eq!(found.source, Object::at("/dev/null".as_ref()));
        let found = mount(b"24 27 0:6 / /dev rw - devtmpfs devtmpfs rw").unwrap();
        assert_eq!(found.source, None);
        for bad in [
            &b""[..],
            b"36 35 98",
            b"36 35 98:x / / rw - a b c",
            b"1 2 3:4 / /mnt rw -",
        ] {
            assert!(mount(bad).is_none(), "{bad:?}");
        }
    }

    #[test]
    fn escaped_paths_are_read() {
        for (word, expected) in [
            (&br"/a\011b"[..], &b"/a\tb"[..]),
            (br"/a\9", br"/a\9"),
            (br"/a\999", br"/a\999"),
            (br"\040", b" "),
        ] {
            assert_eq!(path(word).into_os_string().into_vec(), expected);
        }
    }
}
