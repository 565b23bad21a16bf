//! The files that a command is to change, held before anything is decided.

use std::path::Path;

use anyhow::Context;

use crate::error::{EditError, Result};
use crate::image::{ImageFile, ReadAt, WritableFile, open_for_scan};

/// A target, to be written or only looked at.
pub(crate) enum Target {
    ReadOnly(ImageFile),
    Ours(WritableFile),
}

impl Target {
    /// Opens a target: to be written, nobody else of ours writes to it from here on, and neither does DRBD.
    pub(crate) fn take(path: &Path, dry_run: bool) -> anyhow::Result<Self> {
        let name = || path.display().to_string();
        Ok(if dry_run {
            // Nobody is told that it would be done where it would be refused.
            WritableFile::check_open(path).with_context(name)?;
            Self::ReadOnly(ImageFile::open(path).with_context(name)?)
        } else {
            Self::Ours(WritableFile::open(path).with_context(name)?)
        })
    }

    /// What is there, to be looked at: of what is held, not of what its name leads to by now.
    pub(crate) fn reader(&self, path: &Path) -> Result<Box<dyn ReadAt>> {
        Ok(match self {
            Self::ReadOnly(_) => open_for_scan(path)?,
            Self::Ours(file) => Box::new(file.to_read()?),
        })
    }

    /// Whether it is a block device rather than a regular file.
    pub(crate) fn is_block_device(&self) -> Result<bool> {
        match self {
            Self::ReadOnly(file) => file.is_block_device(),
            Self::Ours(file) => file.is_block_device(),
        }
    }

    /// Refuses where its name leads to something else by now, or where it became longer or shorter: asked last of all before the first write.
    pub(crate) fn check_still(&self, path: &Path) -> Result<()> {
        match self {
            Self::ReadOnly(_) => Ok(()),
            Self::Ours(file) => file
                .check_still(path)
                .map_err(|error| EditError::untouched(error).into()),
        }
    }

    /// What may be written to.
    pub(crate) const fn ours(&mut self) -> Option<&mut WritableFile> {
        match self {
            Self::ReadOnly(_) => None,
            Self::Ours(file) => Some(file),
        }
    }
}
