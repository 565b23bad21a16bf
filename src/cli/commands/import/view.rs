//! What a writing command changes, as text.

use std::io::{self, Write};
use std::path::Path;

use crate::cli::output::fold::stdout_columns;
use crate::cli::output::style;
use crate::format::metadata::Generation;
use crate::format::superblock::Superblock;
use crate::surgery::import::Import;
use crate::transaction::{Phase, Region, Summary};
use crate::units::Bytes;

/// Columns of the table of regions.
const REGION_COLUMNS: usize = 100;
/// Those of them that have the phase.
const PHASE_COLUMNS: usize = 10;

/// Prints the regions and the new superblock.
pub(crate) fn print(
    out: &mut dyn Write,
    target: &Path,
    size: Bytes,
    summary: &Summary,
    import: &Import,
) -> io::Result<()> {
    let header = &import.header;
    let layout = &import.layout;
    writeln!(
        out,
        "{}  {size}: {} metadata, {}\n",
        target.display(),
        header.format(),
        layout.index
    )?;
    regions(out, summary)?;
    writeln!(
        out,
        "\nla-size-sect {}, of {} that fit",
        header.la_size.get(),
        layout.usable.get()
    )?;
    if let Ok(superblock) = header.compose(layout) {
        fields(out, &superblock)?;
    }
    if let Generation::V09(generation) = &header.generation {
        writeln!(
            out,
            "node-id {}, max-peers {}",
            generation.node_id, header.geometry.max_peers
        )?;
    }
    Ok(())
}

/// One line a region: what changes where.
pub(crate) fn regions(out: &mut dyn Write, summary: &Summary) -> io::Result<()> {
    regions_of(out, &summary.regions)
}

/// The same of these regions.
pub(crate) fn regions_of(out: &mut dyn Write, regions: &[Region]) -> io::Result<()> {
    let regions: Vec<&Region> = regions.iter().filter(|one| is_shown(one, regions)).collect();
    let phases = style::internals();
    let columns = if phases { REGION_COLUMNS } else { REGION_COLUMNS - PHASE_COLUMNS };
    if stdout_columns().is_some_and(|found| found < columns) {
        return narrow(out, &regions);
    }
    let label = regions.iter().map(|region| region.label.len());
    let width = label.max().unwrap_or(0).max(4);
    let phase = |word: &str| if phases { format!("{word:<8}  ") } else { String::new() };
    writeln!(
        out,
        "{}{:<width$}  {:>16}  {:>16}  {:>14}  {:>14}",
        phase("phase"), "what", "from byte", "to byte", "bytes written", "of them differ"
    )?;
    for region in regions {
        writeln!(
            out,
            "{}{:<width$}  {:>16}  {:>16}  {:>14}  {:>14}",
            phase(&region.phase.to_string()),
            region.label,
            region.range.start.get(),
            region.range.end.get(),
            region.written.get(),
            region.differing.get()
        )?;
    }
    Ok(())
}

/// Whether people are shown this one of `all`: what only stays as it is, so that undoing sees whether it did, is no change; that a superblock is
/// retired before it is written anew is how it is done, not what.
fn is_shown(region: &Region, all: &[Region]) -> bool {
    if region.written == Bytes::ZERO && region.phase == Phase::Body {
        return false;
    }
    let anew = |one: &Region| one.phase == Phase::Commit && one.range == region.range;
    style::internals() || region.phase != Phase::Retire || !all.iter().any(anew)
}

/// The same, for a terminal that the table does not fit on.
fn narrow(out: &mut dyn Write, regions: &[&Region]) -> io::Result<()> {
    for region in regions {
        if style::internals() {
            writeln!(out, "{} ({}):", region.label, region.phase)?;
        } else {
            writeln!(out, "{}:", region.label)?;
        }
        writeln!(out, "  bytes {} to {}", region.range.start.get(), region.range.end.get())?;
        let (written, differing) = (region.written.get(), region.differing.get());
        writeln!(out, "  {written} written, {differing} of them differ")?;
    }
    Ok(())
}

fn fields(out: &mut dyn Write, superblock: &Superblock) -> io::Result<()> {
    if let Some(uuid) = superblock.current_uuid() {
        writeln!(out, "current UUID {uuid}")?;
    }
    writeln!(
        out,
        "flags {}, {}",
        superblock.flags(),
        superblock.al_state()
    )?;
    writeln!(
        out,
        "md_size_sect {}, al_offset {}, bm_offset {}",
        superblock.md_size().get(),
        superblock.al_offset().get(),
        superblock.bm_offset().get()
    )
}
