//! `mdtool al`.

pub(crate) mod args;

use std::io::Write;
use std::ops::Range;

use anyhow::Context;
use serde_json::{Value, json};

use crate::cli::output::document;
use crate::cli::Streams;
use crate::cli::commands::al::args::AlArgs;
use crate::cli::session::open::Opened;
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Chosen;
use crate::cli::session::source::named;
use crate::format::activity_log::{Content, Entry, Transaction, Verdict, extent_range};
use crate::survey::log::{LogState, log_was_off};
use crate::survey::locate::{Level, ScanMode};
use crate::units::{AlExtent, Bytes, DevPos};

/// How many places of the ring a JSON document lists; a log of DRBD's default size has 8.
const LISTED: usize = 65_536;

/// What `al --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 the log names all that may have been written to; 1 it does not, or there is no metadata; 2 could not look.";

pub(crate) fn run(args: &AlArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let (image, level) = named(&args.image, args.level);
    let chosen = Chosen::open(&image, level, ScanMode::Auto)?;
    let (opened, level) = (&chosen.opened, chosen.level());
    let name = || args.image.image.display().to_string();
    let mut rows = Vec::new();
    let mut more: u64 = 0;
    let state = LogState::read(opened.window(), level, &mut |entry| {
        if rows.len() < LISTED {
            rows.push(entry.clone());
        } else {
            more = more.saturating_add(1);
        }
    })
    .with_context(name)?;
    let log = Log {
        opened,
        level,
        state: &state,
        rows: &rows,
        more,
    };
    if args.json {
        document::print(out.stdout, log.json(&args.image.image.to_string_lossy()))?;
    } else {
        log.print(out.stdout)?;
    }
    Ok(if matches!(state.replay.verdict, Verdict::Complete(_)) {
        Outcome::Done
    } else {
        Outcome::No
    })
}

/// One level's log, as it is shown.
struct Log<'a> {
    opened: &'a Opened,
    level: &'a Level,
    state: &'a LogState,
    rows: &'a [Entry],
    more: u64,
}

/// Consecutive active extents.
struct Stretch {
    extents: Range<u64>,
    bytes: Range<DevPos>,
}

impl Log<'_> {
    /// The end of the DRBD device.
    fn device_end(&self) -> DevPos {
        self.level
            .drbd_device()
            .to_bytes()
            .map_or(DevPos::START, DevPos::at)
    }

    /// The active extents, neighbours merged: those that begin on the device, or those that begin beyond its end.
    fn stretches(&self, beyond: bool) -> Vec<Stretch> {
        let end = self.device_end();
        let mut stretches: Vec<Stretch> = Vec::new();
        for extent in self.state.replay.active.iter().copied() {
            let bytes = extent_range(extent);
            if (bytes.start >= end) != beyond {
                continue;
            }
            let number = u64::from(AlExtent::get(extent));
            let next = number.saturating_add(1);
            match stretches.last_mut() {
                Some(last) if last.extents.end == number => {
                    (last.extents.end, last.bytes.end) = (next, bytes.end);
                }
                _ => stretches.push(Stretch {
                    extents: number..next,
                    bytes,
                }),
            }
        }
        stretches
    }

    fn print(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let replay = &self.state.replay;
        let al = &self.level.layout.al;
        writeln!(
            out,
            "activity log of the {} resource ({}): {}, {} on\n",
            self.level.role,
            self.level.superblock.format(),
            replay.kind,
            self.opened.image_pos(al.start)
        )?;
        for row in self.rows {
            writeln!(out, "{}", line(row))?;
        }
        if self.more > 0 {
            writeln!(out, "and {} more", self.more)?;
        }
        writeln!(out, "\n{}: {}", word(&replay.verdict), replay.verdict)?;
        self.print_extents(out)?;
        writeln!(out, "{}", self.meaning())?;
        Ok(())
    }

    fn print_extents(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let count = self.state.replay.active.len();
        writeln!(
            out,
            "active: {count} {}",
            if count == 1 { "extent" } else { "extents" }
        )?;
        for (beyond, note) in [(false, ""), (true, ", beyond the device's end")] {
            for Stretch { extents, bytes } in self.stretches(beyond) {
                let last = extents.end.saturating_sub(1);
                let numbers = if extents.start == last {
                    format!("extent {last}")
                } else {
                    format!("extents {} to {last}", extents.start)
                };
                let to = bytes.end.get().saturating_sub(1);
                writeln!(
                    out,
                    "  {numbers}: bytes {} to {to}{note}",
                    bytes.start.get()
                )?;
            }
        }
        Ok(())
    }

    /// What it means for this resource.
    fn meaning(&self) -> &'static str {
        if log_was_off(&self.level.superblock) {
            return "MDF_AL_DISABLED is set: the log was off, and does not say what was being written, whatever it shows; --mark-all marks everything out of sync";
        }
        match (self.state.primary_ind, &self.state.replay.verdict) {
            (false, _) => {
                "MDF_PRIMARY_IND is not set: nothing was being written, and apply-al marks nothing out of sync"
            }
            (true, Verdict::Complete(_)) => {
                "MDF_PRIMARY_IND is set: apply-al marks the active extents out of sync"
            }
            (true, _) => {
                "MDF_PRIMARY_IND is set, and extents that were written to may be missing here: apply-al refuses, and --mark-all marks everything out of sync"
            }
        }
    }

    fn json(&self, image: &str) -> Value {
        let replay = &self.state.replay;
        let stretches = |beyond| -> Vec<Value> {
            let stretch = |stretch: &Stretch| {
                json!({
                    "first_extent": stretch.extents.start,
                    "extents": stretch.extents.end.saturating_sub(stretch.extents.start),
                    "offset": stretch.bytes.start.get(),
                    "bytes": stretch.bytes.end.bytes_since(stretch.bytes.start).map(Bytes::get),
                })
            };
            self.stretches(beyond).iter().map(stretch).collect()
        };
        json!({
            "image": image,
            "role": self.level.role.to_string(),
            "format": self.level.superblock.format().to_string(),
            "state": self.state.state.to_string(),
            "primary_ind": self.state.primary_ind,
            "log_was_off": log_was_off(&self.level.superblock),
            "al_offset": self.opened.image_pos(self.level.layout.al.start).get(),
            "al_format": replay.kind.to_string(),
            "verdict": word(&replay.verdict),
            "verdict_text": replay.verdict.to_string(),
            "newest_transaction": replay.newest,
            "active_extents": replay.active.len(),
            "active": stretches(false),
            "beyond_device": stretches(true),
            "ring": self.rows.iter().map(row).collect::<Vec<_>>(),
            "ring_more": self.more,
        })
    }
}

/// A verdict in one word.
fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Complete(_) => "complete",
        Verdict::Incomplete(_) => "incomplete",
        Verdict::Unusable(_) => "unusable",
    }
}

/// One place of the ring as text.
fn line(entry: &Entry) -> String {
    let place = entry.place.to_string();
    match &entry.content {
        Content::Transaction(transaction) => {
            format!("{place:10} {}", transaction_line(transaction))
        }
        Content::Unwritten => format!("{place:10} initialised, never written"),
        Content::Invalid(why) => format!("{place:10} not valid: {why}"),
    }
}

fn transaction_line(transaction: &Transaction) -> String {
    let updates: Vec<String> = transaction
        .updates
        .iter()
        .map(|(slot, extent)| {
            if *extent == u32::MAX {
                format!("{slot}=free")
            } else {
                format!("{slot}={extent}")
            }
        })
        .collect();
    let context = match (transaction.context_start, transaction.context_size) {
        (Some(start), Some(size)) => format!(", context from slot {start} of {size}"),
        (Some(start), None) => format!(", context from slot {start}"),
        (None, _) => String::new(),
    };
    let oddity = transaction
        .oddity
        .as_ref()
        .map_or(String::new(), |oddity| format!(", odd: {oddity}"));
    format!(
        "transaction {}, {} updates (slot=extent): {}{context}{oddity}",
        transaction.number,
        transaction.updates.len(),
        if updates.is_empty() {
            "none".to_owned()
        } else {
            updates.join(" ")
        }
    )
}

/// One place of the ring as JSON.
fn row(entry: &Entry) -> Value {
    let mut value = json!({ "place": entry.place.to_string(), "position": entry.position });
    let more = match &entry.content {
        Content::Transaction(transaction) => json!({
            "content": "transaction",
            "number": transaction.number,
            "type": transaction.kind,
            "n_updates": transaction.n_updates,
            "updates": transaction.updates.iter().map(|(slot, extent)| json!({ "slot": slot, "extent": extent })).collect::<Vec<_>>(),
            "context_start": transaction.context_start,
            "context_size": transaction.context_size,
            "odd": transaction.oddity.as_ref().map(ToString::to_string),
        }),
        Content::Unwritten => json!({ "content": "initialised" }),
        Content::Invalid(why) => json!({ "content": "invalid", "why": why.to_string() }),
    };
    if let (Some(value), Value::Object(more)) = (value.as_object_mut(), more) {
        value.extend(more);
    }
    value
}
