//! What `files` prints, one stretch after the other.

use std::collections::BTreeMap;
use std::io::{self, Write};

use serde::Serialize;

use crate::cli::commands::files::args::FilesArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output::document;
use crate::cli::output::amounts::binary;
use crate::cli::session::select::Chosen;
use crate::cli::session::slots::NEVER_SIZED;
use crate::survey::filesystems::{Class, Owner, Stretch, Volume};
use crate::units::{Bytes, range_len};

/// How much text is held back so that its summary comes first.
const HELD: usize = 4 << 20;

/// A stretch, as both forms show it.
#[derive(Serialize)]
struct StretchView {
    offset: u64,
    bytes: u64,
    class: &'static str,
    detail: Option<String>,
    volumes: Vec<String>,
    file_system: Option<&'static str>,
    owners: Vec<OwnerView>,
    more_owners: u64,
}

/// A file or directory.
#[derive(Serialize)]
struct OwnerView {
    inode: u64,
    paths: Vec<String>,
    offset_in_file: Option<u64>,
}

/// How much is of a class.
#[derive(Clone, Copy, Default, Serialize)]
struct Total {
    stretches: u64,
    bytes: u64,
}

/// The document's end.
#[derive(Serialize)]
struct Rest<'v> {
    ranges: Option<u64>,
    totals: &'v BTreeMap<&'static str, Total>,
    notes: &'v [String],
}

/// The document's beginning.
#[derive(Serialize)]
struct Head {
    image: String,
    level: Option<usize>,
    device_bytes: Option<u64>,
}

/// Prints stretches.
pub(crate) struct View<'a> {
    out: &'a mut dyn Write,
    json: bool,
    head: Option<Head>,
    totals: BTreeMap<Class, Total>,
    /// Text that is not printed yet; `None` where there is too much of it.
    held: Option<Vec<u8>>,
    count: u64,
}

impl<'a> View<'a> {
    pub(crate) fn new(args: &FilesArgs, chosen: Option<&Chosen>, out: &'a mut dyn Write) -> Self {
        let device = chosen.and_then(|chosen| chosen.level().known_drbd_device()?.to_bytes());
        Self {
            out,
            json: args.json,
            head: Some(Head {
                image: args.image.image.to_string_lossy().into_owned(),
                level: chosen.map(|chosen| chosen.number),
                device_bytes: device.map(Bytes::get),
            }),
            totals: BTreeMap::new(),
            held: Some(Vec::new()),
            count: 0,
        }
    }

    /// Prints one stretch, or keeps it for later.
    pub(crate) fn stretch(&mut self, stretch: &Stretch) -> anyhow::Result<()> {
        let total = self.totals.entry(stretch.class).or_default();
        total.stretches = total.stretches.saturating_add(1);
        total.bytes = total.bytes.saturating_add(range_len(&stretch.range).get());
        let view = view(stretch);
        let mut text = Vec::new();
        if self.json {
            if self.count > 0 {
                text.push(b',');
            }
            text.extend_from_slice(b"\n    ");
            serde_json::to_writer(&mut text, &view)?;
        } else {
            lines(&view, &mut text)?;
        }
        self.count = self.count.saturating_add(1);
        if let Some(held) = &mut self.held {
            held.extend_from_slice(&text);
            if held.len() > HELD {
                self.release()?;
            }
            return Ok(());
        }
        Ok(self.out.write_all(&text)?)
    }

    /// Prints what was held back.
    fn release(&mut self) -> anyhow::Result<()> {
        if self.json
            && let Some(head) = self.head.take()
        {
            let open = document::open(&head)?;
            write!(self.out, "{open},\n  \"stretches\": [")?;
        }
        let held = self.held.take().unwrap_or_default();
        Ok(self.out.write_all(&held)?)
    }

    /// Prints the sum.
    pub(crate) fn finish(mut self, ranges: u64, notes: &[String]) -> anyhow::Result<()> {
        if !self.json {
            let first = self.held.is_some();
            if first {
                self.summary(ranges)?;
            }
            self.release()?;
            if !first {
                self.summary(ranges)?;
            }
            return Ok(());
        }
        if self.held.is_some() {
            self.release()?;
        }
        let totals = self.totals.iter().map(|(class, total)| (class.word(), *total));
        let rest = Rest {
            ranges: Some(ranges),
            totals: &totals.collect(),
            notes,
        };
        self.close(&rest)
    }

    /// Says that it is not known what is out of sync.
    pub(crate) fn unknown(mut self) -> anyhow::Result<Outcome> {
        if self.json {
            self.release()?;
            let notes = [format!("what is out of sync is {NEVER_SIZED}")];
            self.close(&Rest {
                ranges: None,
                totals: &BTreeMap::new(),
                notes: &notes,
            })?;
        } else {
            writeln!(self.out, "out of sync: {NEVER_SIZED}")?;
        }
        Ok(Outcome::Done)
    }

    /// Prints the document's end.
    fn close(&mut self, rest: &Rest<'_>) -> anyhow::Result<()> {
        let rest = serde_json::to_string_pretty(rest)?;
        let fields = rest.trim_start_matches('{');
        Ok(writeln!(self.out, "\n  ],{fields}")?)
    }

    fn summary(&mut self, ranges: u64) -> io::Result<()> {
        if self.count == 0 {
            return writeln!(self.out, "nothing is out of sync");
        }
        let plural = if ranges == 1 { "range" } else { "ranges" };
        let stretches = if self.count == 1 { "stretch" } else { "stretches" };
        writeln!(self.out, "{ranges} {plural}, in {} {stretches}:", self.count)?;
        for (class, total) in &self.totals {
            let size = binary(Bytes::new(total.bytes));
            writeln!(self.out, "  {class:9}  {:>8}  {size:>10}", total.stretches)?;
        }
        writeln!(self.out)
    }
}

fn view(stretch: &Stretch) -> StretchView {
    let volume = |volume: &Volume| volume.to_string();
    StretchView {
        offset: stretch.range.start.get(),
        bytes: range_len(&stretch.range).get(),
        class: stretch.class.word(),
        detail: (!stretch.detail.is_empty()).then(|| stretch.detail.clone().into_owned()),
        volumes: stretch.place.volumes.iter().map(volume).collect(),
        file_system: stretch.place.file_system,
        owners: stretch.owners.iter().map(owner).collect(),
        more_owners: stretch.more_owners,
    }
}

fn owner(owner: &Owner) -> OwnerView {
    OwnerView {
        inode: owner.inode,
        paths: owner.paths.iter().map(|path| readable(path)).collect(),
        offset_in_file: owner.at.map(Bytes::get),
    }
}

/// A stretch, and a line for each name of each owner.
fn lines(view: &StretchView, out: &mut Vec<u8>) -> io::Result<()> {
    let end = view.offset.saturating_add(view.bytes);
    let mut words: Vec<String> = view.volumes.clone();
    words.extend(view.file_system.map(str::to_owned));
    words.extend(view.detail.clone());
    let words = words.join(", ");
    let line = format!("{}..{end}  {:9}  {words}", view.offset, view.class);
    writeln!(out, "{}", line.trim_end())?;
    for owner in &view.owners {
        let place = owner.offset_in_file.map_or(String::new(), |at| {
            format!("{at}..{} of ", at.saturating_add(view.bytes))
        });
        if owner.paths.is_empty() {
            writeln!(out, "    {place}inode {}, which no directory names", owner.inode)?;
        }
        for path in &owner.paths {
            writeln!(out, "    {place}{path}")?;
        }
    }
    if view.more_owners > 0 {
        writeln!(out, "    and {} more", view.more_owners)?;
    }
    Ok(())
}

/// A name that a terminal does not take for commands: what is no text is written as `\xNN`, and so is the backslash.
pub(crate) fn readable(name: &[u8]) -> String {
    let mut text = String::new();
    let escaped = |text: &mut String, bytes: &[u8]| {
        text.extend(bytes.iter().map(|byte| format!("\\x{byte:02X}")));
    };
    for chunk in name.utf8_chunks() {
        for sign in chunk.valid().chars() {
            if sign.is_control() || sign == '\\' {
                escaped(&mut text, sign.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                text.push(sign);
            }
        }
        escaped(&mut text, chunk.invalid());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_so_that_it_can_be_told_from_every_other() {
        assert_eq!(readable(b"/a b/\xC3\xA4"), "/a b/\u{e4}");
        assert_eq!(readable(b"/\x1B[2J\\\xFF"), "/\\x1B[2J\\x5C\\xFF");
    }
}
