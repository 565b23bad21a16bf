//! Showing what will happen, before anybody is asked.

use std::io::{self, Write};

use crate::cli::output::amounts::bytes_and_binary;
use crate::cli::output::change::{self, RegionView};
use crate::cli::write::draw::Drawing;
use crate::cli::write::look::Look;
use crate::survey::locate::{FoundBy, Level};

/// What is shown to whoever is to say yes: in words, then in numbers, then where the way back will be.
pub(crate) fn show(words: &[String], drawing: &Drawing, out: &mut dyn Write) -> io::Result<()> {
    for line in words {
        writeln!(out, "{line}")?;
    }
    for (path, summary) in drawing.parts() {
        let regions: Vec<RegionView> = summary.regions.iter().map(RegionView::of).collect();
        table(&path.to_string_lossy(), &regions, out)?;
    }
    writeln!(out)?;
    if let Some(undo) = drawing.undo() {
        writeln!(out, "undo file: {}", undo.display())?;
    }
    Ok(())
}

/// What changes where in one file.
pub(crate) fn table(path: &str, all: &[RegionView], out: &mut dyn Write) -> io::Result<()> {
    if all.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{path}:")?;
    change::table(out, all)
}

/// Which resource is meant, how large its DRBD device is, and of which generation.
pub(crate) fn resource(look: &Look, level: &Level) -> Vec<String> {
    let at = look.opened.image_pos(level.layout.md);
    let found = match level.found_by {
        FoundBy::ExpectedPosition => "where DRBD looks",
        FoundBy::OuterSize if look.is_beyond() => {
            "beyond the end of the device around it, where DRBD does not look"
        }
        FoundBy::OuterSize => "where DRBD looks on the device around it",
        FoundBy::Scan if !level.layout.index.is_internal() => "found by a search",
        FoundBy::Scan => "found by a search, not where DRBD looks",
        FoundBy::Given => "as given",
    };
    let device = level
        .known_drbd_device()
        .and_then(crate::units::Sectors::to_bytes);
    let device = device.map_or_else(|| "of no known size".to_owned(), bytes_and_binary);
    let uuid = level.superblock.current_uuid();
    let uuid = uuid.map_or_else(|| "none".to_owned(), |uuid| uuid.to_string());
    vec![
        format!(
            "{}: the {} resource, {}, {}: superblock at {at}, {found}",
            look.name(),
            level.role,
            level.superblock.format(),
            level.superblock.al_state()
        ),
        format!("DRBD device: {device}; current UUID {uuid}"),
    ]
}
