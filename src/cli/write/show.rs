//! Showing what will happen, before anybody is asked.

use std::io::{self, Write};

use crate::cli::commands::import::view::regions;
use crate::cli::output::human::bytes_and_decimal;
use crate::cli::write::draw::Drawing;
use crate::cli::write::look::Look;
use crate::survey::locate::{FoundBy, Level};

/// What is shown to whoever is to say yes: in words, then in numbers, then where the way back will be.
pub(crate) fn show(words: &[String], drawings: &[Drawing], out: &mut dyn Write) -> io::Result<()> {
    self::words(words, out)?;
    for drawing in drawings.iter().filter(|one| !one.summary.is_nothing()) {
        writeln!(out, "\n{}:", drawing.path.display())?;
        regions(out, &drawing.summary)?;
    }
    writeln!(out)?;
    for undo in drawings.iter().filter_map(Drawing::undo) {
        writeln!(out, "undo file: {}", undo.display())?;
    }
    Ok(())
}

/// What will happen, a line each.
pub(crate) fn words(words: &[String], out: &mut dyn Write) -> io::Result<()> {
    for line in words {
        writeln!(out, "{line}")?;
    }
    Ok(())
}

/// Which resource is meant, how large its DRBD device is, and of which generation.
pub(crate) fn resource(look: &Look, level: &Level) -> Vec<String> {
    let at = look.opened.image_pos(level.layout.md);
    let found = match level.found_by {
        FoundBy::ExpectedPosition => "where DRBD looks",
        FoundBy::OuterSize => "where DRBD looks on the device around it",
        FoundBy::Scan => "found by a search, not where DRBD looks",
        FoundBy::Given => "as given",
    };
    let device = level
        .known_drbd_device()
        .and_then(crate::units::Sectors::to_bytes);
    let device = device.map_or_else(|| "of no known size".to_owned(), bytes_and_decimal);
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
