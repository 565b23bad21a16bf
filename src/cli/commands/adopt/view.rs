//! What `adopt` changed.

use std::io::{self, Write};
use std::path::Path;

use crate::units::{Bytes, ImagePos};

/// Where DRBD finds the resource from now on.
pub(crate) fn place(out: &mut dyn Write, path: &Path, what: &str, at: ImagePos) -> io::Result<()> {
    writeln!(out, "{}: {what} at {at}, where DRBD looks", path.display())
}

/// How a file was cut off.
pub(crate) fn cut(out: &mut dyn Write, path: &Path, from: Bytes, to: Bytes) -> io::Result<()> {
    writeln!(
        out,
        "{}: cut off from {from} to {to}: its metadata is where DRBD looks",
        path.display()
    )
}

/// Where the metadata is from now on.
pub(crate) fn meta(out: &mut dyn Write, path: &Path, size: Bytes) -> io::Result<()> {
    writeln!(
        out,
        "{}: flex-external metadata in {size}: meta-disk of the resource",
        path.display()
    )
}
