//! The text form: a table, a picture, a sentence, the next command.

use std::io::{self, Write};

use crate::cli::output::amounts::{binary, bytes_and_binary};
use crate::cli::output::fold::stdout_columns;
use crate::cli::output::picture;
use crate::cli::output::view::{LevelView, LocateView, NextView, PartView};
use crate::cli::session::open::Places;
use crate::units::Bytes;

/// Columns of the table, the numbers to the right.
const HEADINGS: [(&str, bool); 7] = [
    ("level", false),
    ("resource", false),
    ("format", false),
    ("state", false),
    ("DRBD device", true),
    ("superblock at byte", true),
    ("out of sync", true),
];

/// Prints what was looked at.
pub(crate) fn title(
    image: &str,
    image_bytes: Option<u64>,
    dump: Option<Places>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let size = image_bytes.map(|size| bytes_and_binary(Bytes::new(size)));
    let words = dump.map(|dump| dump.words().to_owned()).or(size);
    writeln!(out, "{image}  {}", words.unwrap_or_default())
}

/// Prints which part of it.
pub(crate) fn looked_at(part: Option<&PartView>, out: &mut dyn Write) -> io::Result<()> {
    let Some(part) = part else { return Ok(()) };
    let size = bytes_and_binary(Bytes::new(part.bytes));
    writeln!(out, "looked at: {size} from byte {} on", part.offset)
}

/// Prints what `locate` found.
pub(crate) fn print(view: &LocateView, out: &mut dyn Write) -> io::Result<()> {
    title(&view.image, Some(view.image_bytes), None, out)?;
    looked_at(view.looked_at.as_ref(), out)?;
    writeln!(out)?;
    if !view.levels.is_empty() {
        let rows: Vec<[String; 7]> = view.levels.iter().map(row).collect();
        table(&HEADINGS, &rows, out)?;
        writeln!(out)?;
        let picture = picture::draw(&view.levels, &view.occupants);
        for line in &picture {
            writeln!(out, "{line}")?;
        }
        if !picture.is_empty() {
            writeln!(out)?;
        }
    }
    let summary = view.summary.iter();
    let occupants = view.occupants.iter().map(|one| &one.what);
    let traces = view.traces.iter().map(|one| &one.what);
    for line in summary.chain(occupants).chain(traces) {
        writeln!(out, "{line}")?;
    }
    rejected(view, out)?;
    for note in &view.notes {
        writeln!(out, "note: {note}")?;
    }
    let next = view.next_commands.iter();
    let width = next
        .map(|one| one.command.chars().count())
        .max()
        .unwrap_or(0);
    for (i, NextView { command, purpose }) in view.next_commands.iter().enumerate() {
        let label = if i == 0 { "next:" } else { "     " };
        writeln!(out, "{label} {command:width$}  ({purpose})")?;
    }
    Ok(())
}

/// The cells of one level; what is not known says so.
fn row(level: &LevelView) -> [String; 7] {
    let unknown = || "not known".to_owned();
    let device = level
        .device_bytes
        .map(|size| bytes_and_binary(Bytes::new(size)));
    let marked = level.out_of_sync_bytes.map(|size| binary(Bytes::new(size)));
    [
        level.level.to_string(),
        level.role.to_string(),
        level.format.to_string(),
        level.state.to_string(),
        device.map_or_else(unknown, |device| device.replace(" bytes", "")),
        level.md_offset.to_string(),
        marked.unwrap_or_else(unknown),
    ]
}

fn rejected(view: &LocateView, out: &mut dyn Write) -> io::Result<()> {
    if view.rejected.is_empty() {
        return Ok(());
    }
    // Another resource's metadata is whole, and is only not the one that is listed.
    let (others, rest): (Vec<_>, Vec<_>) = view.rejected.iter().partition(|one| one.is_another);
    for (heading, listed) in [
        ("other resources of this meta device", others),
        ("looks like metadata, and does not count", rest),
    ] {
        if !listed.is_empty() {
            writeln!(out, "\n{heading}:")?;
        }
        for one in listed {
            writeln!(
                out,
                "  byte {} ({}): {}",
                one.md_offset, one.format, one.why
            )?;
        }
    }
    if view.rejected_more > 0 {
        writeln!(out, "  and {} more", view.rejected_more)?;
    }
    writeln!(out)
}

/// Prints rows under their headings, two spaces between columns, nothing behind the last.
pub(crate) fn table<const N: usize>(
    headings: &[(&str, bool); N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let names = headings.map(|(name, _)| name.to_owned());
    let all = || std::iter::once(&names).chain(rows);
    let mut widths = [0; N];
    for row in all() {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let total: usize = widths.iter().map(|width| width.saturating_add(2)).sum();
    if stdout_columns().is_some_and(|columns| total > columns.saturating_add(2)) {
        return records(&names, rows, out);
    }
    for row in all() {
        let mut line = String::new();
        for ((cell, width), (_, right)) in row.iter().zip(widths).zip(headings) {
            let cell = if *right {
                format!("{cell:>width$}")
            } else {
                format!("{cell:width$}")
            };
            line.push_str(&cell);
            line.push_str("  ");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints a table that is too wide as one: a line for each cell, under the first of its row.
fn records<const N: usize>(
    names: &[String; N],
    rows: &[[String; N]],
    out: &mut dyn Write,
) -> io::Result<()> {
    let width = names
        .iter()
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0);
    for row in rows {
        for (number, (name, cell)) in names.iter().zip(row).enumerate() {
            let indent = if number == 0 { "" } else { "  " };
            let width = width.saturating_sub(indent.len()).saturating_add(2);
            writeln!(
                out,
                "{}",
                format!("{indent}{name:width$}  {cell}").trim_end()
            )?;
        }
    }
    Ok(())
}
