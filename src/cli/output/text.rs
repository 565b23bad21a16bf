//! The text form: a table, a picture, a sentence, the next command.

use std::io::{self, Write};

use crate::cli::args::ImageArgs;
use crate::cli::output::amounts::{binary, bytes_and_decimal};
use crate::cli::output::fold::stdout_columns;
use crate::cli::output::{explain, picture, traces};
use crate::cli::session::open::Opened;
use crate::cli::session::select::nothing;
use crate::image::Window;
use crate::survey::locate::{Level, Located};
use crate::survey::residents::{Resident, residents};
use crate::units::{Bytes, DevPos, ImagePos, Sectors};

/// How much of a bitmap is read to say how much is out of sync.
const COUNTING_BUDGET: Bytes = Bytes::new(64 << 10);
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

/// What was found, and where.
pub(crate) struct Report<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) image: &'a ImageArgs,
    pub(crate) located: &'a Located,
    /// The number of the first level reported.
    pub(crate) first: usize,
}

impl Report<'_> {
    /// The levels with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Level)> {
        (self.first..).zip(&self.located.levels)
    }

    /// The size of the device that was looked at.
    pub(crate) fn device_size(&self) -> Bytes {
        self.opened.window().size()
    }

    /// Where in the image a position of the device is.
    pub(crate) fn image_pos(&self, at: DevPos) -> ImagePos {
        self.opened.image_pos(at)
    }

    /// Whether this is external metadata in the midst of something else, of whose bitmap nothing is known.
    pub(crate) fn is_elsewhere(&self, level: &Level) -> bool {
        !level.layout.index.is_internal() && level.device < self.device_size()
    }

    /// The device that was looked at.
    pub(crate) fn window(&self) -> Window<'_> {
        self.opened.window()
    }

    /// Where in the image the device begins, in bytes.
    pub(crate) fn start_offset(&self) -> u64 {
        self.image_pos(DevPos::START).get()
    }

    /// How much of a level is out of sync; `None` where counting would read too much.
    pub(crate) fn out_of_sync(&self, level: &Level) -> crate::error::Result<Option<Bytes>> {
        if self.is_elsewhere(level) {
            return Ok(None);
        }
        Ok(level
            .out_of_sync(self.opened.window(), COUNTING_BUDGET)?
            .and_then(Sectors::to_bytes))
    }

    /// Who lives on the disk, and on which level.
    pub(crate) fn residents(&self) -> crate::error::Result<Vec<Resident>> {
        residents(self.opened.window(), &self.located.levels)
    }

    /// Prints what was looked at.
    pub(crate) fn title(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(dump) = self.opened.dump() {
            return writeln!(out, "{}  {}", self.image.image.display(), dump.words());
        }
        writeln!(
            out,
            "{}  {}",
            self.image.image.display(),
            bytes_and_decimal(self.opened.image_size())
        )?;
        if self.image.offset.is_some() || self.image.size.is_some() {
            let start = self.image_pos(DevPos::START);
            writeln!(
                out,
                "looked at: {} from {start} on",
                bytes_and_decimal(self.device_size())
            )?;
        }
        Ok(())
    }

    /// Prints everything.
    pub(crate) fn print(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        self.title(out)?;
        writeln!(out)?;
        let residents = self.residents()?;
        if self.located.levels.is_empty() {
            writeln!(out, "{}", nothing(self.located))?;
        } else {
            self.levels(&residents, out)?;
        }
        for line in explain::occupants(&self.located.levels, &residents) {
            writeln!(out, "{line}")?;
        }
        self.traces(out)?;
        self.rejected(out)?;
        for note in explain::notes(self) {
            writeln!(out, "note: {note}")?;
        }
        let next = explain::next(self);
        let width = next
            .iter()
            .map(|(command, _)| command.chars().count())
            .max()
            .unwrap_or(0);
        for (i, (command, purpose)) in next.iter().enumerate() {
            writeln!(
                out,
                "{} {command:width$}  ({purpose})",
                if i == 0 { "next:" } else { "     " }
            )?;
        }
        Ok(())
    }

    fn levels(&self, residents: &[Resident], out: &mut dyn Write) -> anyhow::Result<()> {
        let rows: Vec<[String; 7]> = self
            .numbered()
            .map(|(number, level)| self.row(number, level))
            .collect::<Result<_, _>>()?;
        table(&HEADINGS, &rows, out)?;
        writeln!(out)?;
        let picture = picture::draw(&self.located.levels, residents);
        for line in &picture {
            writeln!(out, "{line}")?;
        }
        if !picture.is_empty() {
            writeln!(out)?;
        }
        if let Some(sentence) = explain::what_drbd_sees(self) {
            writeln!(out, "{sentence}")?;
        }
        Ok(())
    }

    /// The cells of one level; what is not known says so.
    fn row(&self, number: usize, level: &Level) -> crate::error::Result<[String; 7]> {
        let device = level.known_drbd_device().and_then(Sectors::to_bytes);
        let unknown = || "not known".to_owned();
        Ok([
            number.to_string(),
            level.role.to_string(),
            level.superblock.format().to_string(),
            level.superblock.al_state().to_string(),
            device.map_or_else(unknown, |device| {
                bytes_and_decimal(device).replace(" bytes", "")
            }),
            self.image_pos(level.layout.md).get().to_string(),
            self.out_of_sync(level)?.map_or_else(unknown, binary),
        ])
    }

    fn traces(&self, out: &mut dyn Write) -> io::Result<()> {
        for trace in &self.located.traces {
            writeln!(out, "{}", traces::line(self.image, trace))?;
        }
        Ok(())
    }

    fn rejected(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.located.rejected.is_empty() {
            return Ok(());
        }
        writeln!(out, "\nlooks like metadata, and does not count:")?;
        for rejected in &self.located.rejected {
            writeln!(
                out,
                "  {} ({}): {}",
                self.image_pos(rejected.at),
                rejected.format,
                rejected.why
            )?;
        }
        if self.located.rejected_more > 0 {
            writeln!(out, "  and {} more", self.located.rejected_more)?;
        }
        writeln!(out)
    }
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
