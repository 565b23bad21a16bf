//! What an undo file is called, and what it says of its target.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::error::{Error, Refused};
use crate::image::{NewFile, names_in};
use crate::transaction::TargetIdentity;
use crate::units::Bytes;

/// Tries in one second; scripts are fast.
const TRIES: u32 = 100;

/// Begins the undo file: the one that was asked for, or a new one beside a regular file, and for a block device where we are.
pub(crate) fn begin(
    asked: Option<&Path>,
    target: &Path,
    block_device: bool,
) -> anyhow::Result<(NewFile, PathBuf)> {
    if let Some(path) = asked {
        let file = NewFile::create_private(path).with_context(|| path.display().to_string())?;
        return Ok((file, path.to_owned()));
    }
    let seconds = jiff::Timestamp::now().as_second();
    let mut number = 1;
    loop {
        let path = name(target, block_device, seconds, number);
        match NewFile::create_private(&path) {
            Ok(file) => return Ok((file, path)),
            Err(Error::Refused(Refused::Exists)) if number < TRIES => {
                number = number.saturating_add(1);
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
}

fn name(target: &Path, block_device: bool, seconds: i64, number: u32) -> PathBuf {
    let mut name = OsString::from(target.file_name().unwrap_or_else(|| "target".as_ref()));
    name.push(format!(".mdtool-undo-{seconds}"));
    if number > 1 {
        name.push(format!("-{number}"));
    }
    if block_device {
        name.into()
    } else {
        target.with_file_name(name)
    }
}

/// The newest undo file that lies where one of this target is put unless a name is given.
pub(crate) fn newest_of(target: &Path) -> Option<PathBuf> {
    let beside = target.parent().filter(|parent| *parent != Path::new(""));
    let here = Path::new(".");
    newest_in(beside.unwrap_or(here), target).or_else(|| newest_in(here, target))
}

/// The same in one directory.
fn newest_in(directory: &Path, target: &Path) -> Option<PathBuf> {
    let prefix = format!("{}.mdtool-undo-", target.file_name()?.to_str()?);
    let age = |name: &OsString| -> Option<(u64, u64)> {
        let (seconds, number) = match name.to_str()?.strip_prefix(&prefix)?.split_once('-') {
            Some(both) => both,
            None => (name.to_str()?.strip_prefix(&prefix)?, "1"),
        };
        Some((seconds.parse().ok()?, number.parse().ok()?))
    };
    let names = names_in(directory).ok()?.into_iter();
    let newest = names
        .filter_map(|name| Some((age(&name)?, name)))
        .max()
        .map(|(_, name)| name)?;
    let path = directory.join(newest);
    Some(path.strip_prefix(".").map_or(path.clone(), Path::to_owned))
}

/// What the undo file says of a target: a path that holds wherever it is read.
pub(crate) fn target(target: &Path, block_device: bool, size: Bytes) -> TargetIdentity {
    TargetIdentity {
        path: std::path::absolute(target).unwrap_or_else(|_| target.to_owned()),
        block_device,
        size,
    }
}
