//! What `bitmap show` prints, one run after the other.

use std::sync::OnceLock;
use std::io::Write;
use std::ops::Range;

use serde::Serialize;

use crate::cli::commands::bitmap::args::ShowArgs;
use crate::cli::output::document;
use crate::cli::output::fold::stdout_columns;
use crate::cli::output::amounts::{binary, duration, number_and_binary};
use crate::cli::output::text::table;
use crate::cli::session::slots::{NEVER_SIZED, Scale};
use crate::units::{BitmapIndex, BmBit, Bytes, range_len};

/// Signs of a picture.
const COLUMNS: u64 = 64;
/// What stands around them: `slot 12 |` and `| (node 12)`.
const AROUND: usize = 20;

/// Columns of the map: fewer on a terminal that has no room for them all.
fn columns() -> u64 {
    static ROOM: OnceLock<u64> = OnceLock::new();
    *ROOM.get_or_init(|| {
        let room = stdout_columns().and_then(|columns| u64::try_from(columns.saturating_sub(AROUND)).ok());
        room.map_or(COLUMNS, |room| COLUMNS.min(room))
    })
}

/// What is counted of a slot.
pub(crate) struct Slot {
    index: BitmapIndex,
    node: Option<usize>,
    bits: u64,
    bytes: Bytes,
    runs: u64,
    /// Set bits in each part of the device.
    parts: Vec<u64>,
}

/// A slot, as both forms show it; nothing is known of one whose device never had a size.
#[derive(Serialize)]
struct SlotView {
    bits: Option<u64>,
    bytes: Option<u64>,
    runs: Option<u64>,
    seconds: Option<u64>,
    /// The same under the names that `show` has.
    bits_set: Option<u64>,
    resync_seconds: Option<u64>,
}

/// Whose bitmap it is.
#[derive(Clone, Copy)]
pub(crate) struct Subject {
    /// The level of an image; nothing for a dump.
    pub(crate) level: Option<usize>,
    /// Its DRBD device, where no size was agreed on and its size is known all the same.
    pub(crate) device: Option<Bytes>,
}

/// The document's beginning.
#[derive(Serialize)]
struct Head<'v> {
    image: &'v str,
    level: Option<usize>,
    bytes_per_bit: u64,
    device_bytes: Option<u64>,
    device_bits: Option<u64>,
    log_applied: bool,
}

impl Slot {
    pub(crate) fn new(index: BitmapIndex, node: Option<usize>) -> Self {
        Self {
            index,
            node,
            bits: 0,
            bytes: Bytes::ZERO,
            runs: 0,
            parts: Vec::new(),
        }
    }

    /// Counts a run.
    pub(crate) fn add(&mut self, run: &Range<BmBit>, scale: &Scale) {
        let bits = run.end.get().saturating_sub(run.start.get());
        self.bits = self.bits.saturating_add(bits);
        self.runs = self.runs.saturating_add(1);
        let bytes = range_len(&scale.range(run)).get();
        self.bytes = Bytes::new(self.bytes.get().saturating_add(bytes));
    }
}

/// Prints slots.
pub(crate) struct View<'a> {
    args: &'a ShowArgs,
    scale: Scale,
    subject: Subject,
    /// How many slots there are to show, and how many were shown.
    slots: usize,
    shown: usize,
    rows: Vec<[String; 6]>,
    out: &'a mut dyn Write,
}

impl<'a> View<'a> {
    pub(crate) fn new(
        args: &'a ShowArgs,
        scale: Scale,
        subject: Subject,
        slots: usize,
        out: &'a mut dyn Write,
    ) -> Self {
        Self {
            args,
            scale,
            subject,
            slots,
            shown: 0,
            rows: Vec::new(),
            out,
        }
    }

    pub(crate) fn begin(&mut self) -> anyhow::Result<()> {
        if !self.args.json {
            return Ok(());
        }
        let head = Head {
            image: &self.args.image.image.to_string_lossy(),
            level: self.subject.level,
            bytes_per_bit: self.scale.per_bit.get(),
            device_bytes: self.scale.known().map_or(self.subject.device, |scale| Some(scale.device)).map(Bytes::get),
            device_bits: self.scale.known().map(|scale| scale.bits),
            // No dump has a log.
            log_applied: self.args.apply_al && self.subject.level.is_some(),
        };
        let open = document::open(&head)?;
        Ok(write!(self.out, "{open},\n  \"slots\": [")?)
    }

    pub(crate) fn begin_slot(&mut self, slot: &Slot) -> anyhow::Result<()> {
        let index = slot.index.get();
        if self.args.json {
            let comma = if self.shown > 0 { "," } else { "" };
            let node = serde_json::to_string(&slot.node)?;
            write!(self.out, "{comma}\n    {{\n      \"slot\": {index},\n      \"node_id\": {node},")?;
            if self.args.form.ranges {
                write!(self.out, "\n      \"ranges\": [")?;
            }
        } else if self.args.form.ranges && self.slots > 1 && self.scale.known().is_some() {
            writeln!(self.out, "# slot {index}{}", of_node(slot))?;
        }
        self.shown = self.shown.saturating_add(1);
        Ok(())
    }

    pub(crate) fn run(&mut self, slot: &mut Slot, run: &Range<BmBit>) -> anyhow::Result<()> {
        if self.args.form.map {
            self.draw(slot, run);
        }
        if !self.args.form.ranges {
            return Ok(());
        }
        let range = self.scale.range(run);
        let (start, len) = (range.start.get(), range_len(&range).get());
        if self.args.json {
            let comma = if slot.runs > 1 { "," } else { "" };
            write!(self.out, "{comma}\n        {{\"offset\": {start}, \"bytes\": {len}}}")?;
        } else {
            writeln!(self.out, "{start} {len}")?;
        }
        Ok(())
    }

    /// Counts a run's bits in the parts of the picture.
    fn draw(&self, slot: &mut Slot, run: &Range<BmBit>) {
        let part = self.part();
        slot.parts.resize(usize::try_from(columns()).unwrap_or(0), 0);
        for (start, bits) in (0..).map(|column: u64| column.saturating_mul(part)).zip(&mut slot.parts) {
            let end = start.saturating_add(part);
            let common = end.min(run.end.get()).saturating_sub(start.max(run.start.get()));
            *bits = bits.saturating_add(common);
        }
    }

    /// Bits of a part of the picture.
    fn part(&self) -> u64 {
        let part = self.scale.bits.div_ceil(columns());
        if part == 0 { 1 } else { part }
    }

    pub(crate) fn end_slot(&mut self, slot: &Slot) -> anyhow::Result<()> {
        let seconds = self.args.rate.seconds(slot.bytes);
        let known = |number: u64| self.scale.known().map(|_| number);
        let view = SlotView {
            bits: known(slot.bits),
            bits_set: known(slot.bits),
            resync_seconds: known(seconds),
            bytes: known(slot.bytes.get()),
            runs: known(slot.runs),
            seconds: known(seconds),
        };
        if self.args.json {
            if self.args.form.ranges {
                write!(self.out, "\n      ],")?;
            }
            let text = serde_json::to_string_pretty(&view)?;
            let fields = text.trim_start_matches('{').trim_end_matches('}').trim_end();
            let fields = fields.replace("\n  ", "\n      ");
            write!(self.out, "{fields}\n    }}")?;
        } else if self.scale.known().is_none() {
            // One line says it of all.
        } else if self.args.form.map {
            let index = slot.index.get();
            writeln!(self.out, "slot {index:<2} |{}|{}", self.picture(slot), of_node(slot))?;
        } else if !self.args.form.ranges {
            self.rows.push([
                slot.index.get().to_string(),
                slot.node.map_or("none".to_owned(), |node| node.to_string()),
                slot.bits.to_string(),
                number_and_binary(slot.bytes),
                slot.runs.to_string(),
                duration(seconds),
            ]);
        }
        Ok(())
    }

    /// A sign for each part: nothing, some or all of it out of sync.
    fn picture(&self, slot: &Slot) -> String {
        let part = self.part();
        let columns = self.scale.bits.div_ceil(part);
        let sign = |column: u64| {
            let bits = usize::try_from(column).ok().and_then(|column| slot.parts.get(column));
            let all = self.scale.bits.saturating_sub(column.saturating_mul(part)).min(part);
            match bits.copied().unwrap_or(0) {
                0 => '.',
                bits if bits >= all => '#',
                _ => '+',
            }
        };
        (0..columns).map(sign).collect()
    }

    pub(crate) fn finish(self) -> anyhow::Result<()> {
        if self.args.json {
            writeln!(self.out, "\n  ]\n}}")?;
            return Ok(());
        }
        if self.scale.known().is_none() {
            writeln!(self.out, "out of sync: {NEVER_SIZED}")?;
            return Ok(());
        }
        if self.args.form.map {
            let each = self.scale.per_bit.checked_mul(self.part()).unwrap_or(self.scale.device);
            writeln!(self.out, "each sign is {}: . in sync, + in parts, # out of sync", binary(each))?;
            return Ok(());
        }
        if self.args.form.ranges {
            return Ok(());
        }
        writeln!(
            self.out,
            "device {}, {} per bit\n",
            self.scale.device,
            binary(self.scale.per_bit)
        )?;
        let headings = [
            ("slot", false),
            ("node", false),
            ("bits", true),
            ("bytes out of sync", true),
            ("runs", true),
            ("resync takes", true),
        ];
        table(&headings, &self.rows, self.out)?;
        Ok(())
    }
}

fn of_node(slot: &Slot) -> String {
    slot.node.map_or(String::new(), |node| format!(" node {node}"))
}
