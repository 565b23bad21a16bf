//! What `diff` prints, one range after the other.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use serde::Serialize;

use crate::cli::args::WritingArgs;
use crate::cli::commands::diff::classes::Class;
use crate::cli::output::document;
use crate::cli::output::amounts::bytes_and_binary;
use crate::units::{Bytes, DevPos, range_len};

/// What is compared.
pub(super) struct Compared<'s> {
    pub(super) a: &'s Path,
    pub(super) b: &'s Path,
    pub(super) len: Bytes,
    /// What a bit stands for, of the finer bitmap.
    pub(super) unit: Bytes,
    /// What a checksum stands for, where checksums are compared.
    pub(super) chunk: Option<Bytes>,
}

/// The document's beginning.
#[derive(Serialize)]
struct Head<'v> {
    a: &'v str,
    b: &'v str,
    compared_bytes: u64,
    bytes_per_bit: u64,
    chunk_bytes: Option<u64>,
}

/// A range.
#[derive(Serialize)]
struct RangeView {
    offset: u64,
    bytes: u64,
    class: &'static str,
}

/// The document's end.
#[derive(Clone, Copy, Default, Serialize)]
#[expect(clippy::struct_field_names, reason = "the names are those of the document")]
pub(super) struct Totals {
    differ_marked_bytes: u64,
    differ_unmarked_bytes: u64,
    equal_marked_bytes: u64,
}

impl Totals {
    /// How much differs.
    pub(super) const fn differ(&self) -> Bytes {
        Bytes::new(self.differ_marked_bytes.saturating_add(self.differ_unmarked_bytes))
    }

    /// How much differs and is not marked.
    pub(super) const fn unmarked(&self) -> Bytes {
        Bytes::new(self.differ_unmarked_bytes)
    }
}

/// Prints ranges.
pub(crate) struct View<'a> {
    json: bool,
    totals: Totals,
    count: u64,
    /// What touches the next range, and is of the same class.
    last: Option<(Range<DevPos>, Class)>,
    out: &'a mut dyn Write,
}

impl<'a> View<'a> {
    pub(super) fn new(
        writing: &WritingArgs,
        compared: &Compared<'_>,
        out: &'a mut dyn Write,
    ) -> anyhow::Result<Self> {
        if writing.json {
            let head = Head {
                a: &compared.a.to_string_lossy(),
                b: &compared.b.to_string_lossy(),
                compared_bytes: compared.len.get(),
                bytes_per_bit: compared.unit.get(),
                chunk_bytes: compared.chunk.map(Bytes::get),
            };
            let open = document::open(&head)?;
            write!(out, "{open},\n  \"ranges\": [")?;
        }
        Ok(Self {
            json: writing.json,
            totals: Totals::default(),
            count: 0,
            last: None,
            out,
        })
    }

    /// Prints one range, or keeps it for as long as it grows.
    pub(crate) fn range(&mut self, range: &Range<DevPos>, class: Class) -> anyhow::Result<()> {
        if let Some((last, of)) = &mut self.last
            && last.end == range.start
            && *of == class
        {
            last.end = range.end;
            return Ok(());
        }
        let before = self.last.replace((range.clone(), class));
        before.map_or(Ok(()), |(range, class)| self.print(&range, class))
    }

    fn print(&mut self, range: &Range<DevPos>, class: Class) -> anyhow::Result<()> {
        let bytes = range_len(range).get();
        let total = match class {
            Class::DifferMarked => &mut self.totals.differ_marked_bytes,
            Class::DifferUnmarked => &mut self.totals.differ_unmarked_bytes,
            Class::EqualMarked => &mut self.totals.equal_marked_bytes,
        };
        *total = total.saturating_add(bytes);
        if self.json {
            let view = RangeView {
                offset: range.start.get(),
                bytes,
                class: class.word(),
            };
            let comma = if self.count > 0 { "," } else { "" };
            write!(self.out, "{comma}\n    {}", serde_json::to_string(&view)?)?;
        } else {
            let words = match class {
                Class::DifferMarked => "differs, marked",
                Class::DifferUnmarked => "differs, not marked",
                Class::EqualMarked => "marked, equal",
            };
            let (start, end) = (range.start.get(), range.end.get());
            writeln!(self.out, "{start}..{end}  {words}")?;
        }
        self.count = self.count.saturating_add(1);
        Ok(())
    }

    /// Prints the sums and returns them; with `more` the document goes on.
    pub(super) fn finish(mut self, len: Bytes, more: Option<()>) -> anyhow::Result<Totals> {
        if let Some((range, class)) = self.last.take() {
            self.print(&range, class)?;
        }
        let totals = self.totals;
        if self.json {
            let text = serde_json::to_string_pretty(&totals)?;
            let fields = text.trim_start_matches('{').trim_end_matches('}');
            write!(self.out, "\n  ],{}", fields.trim_end())?;
            if more.is_none() {
                writeln!(self.out, "\n}}")?;
            }
        } else {
            let row = |bytes| bytes_and_binary(Bytes::new(bytes));
            if self.count > 0 {
                writeln!(self.out)?;
            }
            writeln!(self.out, "compared:            {}", bytes_and_binary(len))?;
            writeln!(self.out, "differs, marked:     {}  a resync mends it", row(totals.differ_marked_bytes))?;
            writeln!(
                self.out,
                "differs, not marked: {}  no resync mends it",
                row(totals.differ_unmarked_bytes)
            )?;
            writeln!(self.out, "marked, equal:       {}", row(totals.equal_marked_bytes))?;
        }
        Ok(totals)
    }
}
