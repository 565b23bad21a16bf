//! The truck: a copy departs, arrives with one chunk broken, is mended and adopted.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::demo::{step, step_to};
use crate::cli::outcome::Outcome;
use crate::image::{NewFile, ReadAt, WritableFile, WriteAt};
use crate::units::{Bytes, ImagePos};

/// The new disk is larger than the copy needs: DRBD will look at its end.
const LARGER: Bytes = Bytes::new(64 << 20);
/// Where a sector gets lost on the way.
const BROKEN: ImagePos = ImagePos::new(5 << 20);

/// Walks the whole way, on files in `dir`.
pub(super) fn walk(
    dir: &Path,
    image: &Path,
    size: Bytes,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let file = |name: &str| OsString::from(dir.join(name));
    let word = OsString::from;
    let (source, disk, sums) = (OsString::from(image), file("disk.raw"), file("disk.sums"));
    writeln!(
        out.stdout,
        "\nNow the truck itself: another disk gets drbd10, and nothing of drbd0. The whole order, for the real disk:\n"
    )?;
    let plan = [word("plan"), source.clone(), word("--stacked"), word("--departure")];
    step(out, &plan)?;
    writeln!(out.stdout, "\nHere, to a larger disk, with checksums made on the way:\n")?;
    let size = size.checked_add(LARGER).context("a size within 64 bits")?;
    let name = || dir.join("disk.raw").display().to_string();
    drop(WritableFile::create_new(&dir.join("disk.raw"), size).with_context(name)?);
    let copy = |more: &[OsString]| {
        let words = [word("copy"), source.clone(), disk.clone(), word("--stacked")];
        [&words[..], more].concat()
    };
    step(out, &copy(&[word("--sums"), sums.clone()]))?;
    writeln!(out.stdout, "\nA sector is lost over there. The checksums know which chunk that is in:\n")?;
    lose(&dir.join("disk.raw")).with_context(name)?;
    let check = [word("sum"), word("--check"), sums.clone(), disk.clone()];
    let mut bad = Vec::new();
    let mut caught = Streams {
        stdout: &mut bad,
        stderr: out.stderr,
    };
    step_to(&mut caught, &check, Outcome::No)?;
    out.stdout.write_all(&bad)?;
    writeln!(out.stdout, "\nOnly that is sent again, and all is well:\n")?;
    let ranges = dir.join("bad");
    save_ranges(&ranges, &bad).with_context(|| ranges.display().to_string())?;
    step(out, &copy(&[word("--ranges"), ranges.into(), word("--yes")]))?;
    step(out, &check)?;
    writeln!(out.stdout, "\nDRBD looks at the end of that disk. Adopted, drbd10 is there:\n")?;
    let undo = file("disk.undo");
    step(out, &[word("adopt"), disk.clone(), word("--stacked"), word("--yes"), word("--undo"), undo])?;
    writeln!(out.stdout)?;
    step(out, &[word("locate"), disk.clone()])?;
    writeln!(out.stdout, "\nOver here the next generation began, and was written to. What connecting the two will decide:\n")?;
    let undo = file("generation.undo");
    step(out, &[word("edit"), source.clone(), word("--level"), word("inner"), word("--new-generation"), word("--yes"), word("--undo"), undo])?;
    let mut inner = source;
    inner.push("@1");
    step_to(out, &[word("compare"), inner, disk], Outcome::Done)
}

/// Breaks a sector.
fn lose(disk: &Path) -> crate::error::Result<()> {
    let mut disk = WritableFile::open(disk)?;
    debug_assert!(disk.size() > BROKEN.from_start());
    disk.write_all_at(BROKEN, &[0xBB; 512])?;
    disk.sync()
}

/// The lines that `sum --check` printed, out of what was shown of it.
fn save_ranges(path: &Path, shown: &[u8]) -> crate::error::Result<()> {
    use std::io::Write as _;
    let mut file = NewFile::create(path)?;
    for line in shown.split_inclusive(|byte| *byte == b'\n') {
        if line.first().is_some_and(u8::is_ascii_digit) {
            file.write_all(line)
                .map_err(|error| crate::error::IoError::whole(crate::error::IoOp::Write, error))?;
        }
    }
    file.finish()
}
