//! The names in a directory.

use std::ffi::OsString;
use std::path::Path;

use crate::error::{IoError, IoOp, Result};

/// The names of the files in a directory, in no order.
///
/// # Errors
///
/// What the system refused.
pub fn names_in(directory: &Path) -> Result<Vec<OsString>> {
    let failed = |error| IoError::whole(IoOp::Open, error);
    let entries = std::fs::read_dir(directory).map_err(failed)?;
    let names = entries.map(|entry| Ok(entry.map_err(failed)?.file_name()));
    names.collect()
}
