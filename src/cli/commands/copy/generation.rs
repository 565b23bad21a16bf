//! Whether parts of a source belong on a target: by the generation that each has.

use anyhow::Context;

use crate::cli::commands::copy::args::CopyArgs;
use crate::cli::commands::copy::target::{quick, state_path};
use crate::error::Result;
use crate::format::superblock::Uuid;
use crate::image::{ImageFile, Window, WritableFile};
use crate::survey::locate::{LocateOptions, locate};
use crate::truck::TruckRefusal;
use crate::truck::stream::{Contents, Header};
use crate::units::DevPos;

/// Refuses parts of another generation than the target has: with the metadata among them, its data would be taken for what it is not.
fn refuse_mixture(file: &WritableFile, header: &Header) -> Result<()> {
    let of_source = Uuid(header.current_uuid);
    let located = locate(Window::whole(file), &LocateOptions::default())?;
    let mut found = None;
    for level in &located.levels {
        let current = level.superblock.current_uuid().unwrap_or(Uuid::NONE);
        if current.same_generation(of_source) {
            return Ok(());
        }
        found = Some(current);
    }
    // Where the target's metadata is broken, it is among what is sent again.
    match found {
        Some(found) => Err(TruckRefusal::MixedGenerations { found, of_source }.into()),
        None => Ok(()),
    }
}

/// Refuses a delta for a copy whose metadata was moved to where DRBD looks: the delta's would be written into data.
fn refuse_adopted(file: &WritableFile, header: &Header, of_copy: Uuid) -> Result<()> {
    let located = locate(Window::whole(file), &quick())?;
    let is_adopted = located.levels.first().is_some_and(|level| {
        let current = level.superblock.current_uuid().unwrap_or(Uuid::NONE);
        current.same_generation(of_copy)
            && level.layout.index.is_internal()
            && level.layout.whole.end > DevPos::at(header.size)
    });
    if is_adopted {
        return Err(TruckRefusal::Adopted.into());
    }
    Ok(())
}

/// Whether a target has all of a delta already: its generation is the source's, and no copy to it was cut off.
pub(crate) fn has_all(args: &CopyArgs, header: &Header) -> anyhow::Result<bool> {
    let path = &args.target;
    if header.contents != Contents::Changed || !path.exists() {
        return Ok(false);
    }
    let name = || path.display().to_string();
    let file = ImageFile::open(path).with_context(name)?;
    let is_device = file.is_block_device().with_context(name)?;
    if state_path(args, is_device).exists() {
        return Ok(false);
    }
    let located = locate(Window::whole(&file), &LocateOptions::default()).with_context(name)?;
    let of_source = Uuid(header.current_uuid);
    Ok(located.levels.iter().any(|level| {
        let current = level.superblock.current_uuid();
        current.is_some_and(|current| current.same_generation(of_source))
    }))
}

/// Refuses a delta for another generation than the target has.
///
/// What a copy that was `cut_off` marked counts: it says what was there before.
pub(crate) fn refuse_generation(
    file: &WritableFile,
    header: &Header,
    cut_off: bool,
) -> Result<()> {
    match header.contents {
        Contents::Changed => {}
        Contents::Ranges => return refuse_mixture(file, header),
        Contents::Level | Contents::Data => return Ok(()),
    }
    let expected = Uuid(header.since_uuid);
    refuse_adopted(file, header, expected)?;
    let located = locate(Window::whole(file), &LocateOptions::default())?;
    let mut found = Uuid::NONE;
    let marked = located.under_way().filter(|_| cut_off);
    let marked = marked.and_then(|mark| mark.level.as_ref());
    for level in located.levels.iter().chain(marked) {
        let current = level.superblock.current_uuid().unwrap_or(Uuid::NONE);
        if current.same_generation(expected) {
            return Ok(());
        }
        found = current;
    }
    Err(TruckRefusal::Generation { found, expected }.into())
}
