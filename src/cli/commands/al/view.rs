//! What `al` prints: one view, as text for people and as JSON for programs. docs/json.md documents its fields, which are only ever added to.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::commands::al::Log;
use crate::cli::output::view::word;
use crate::format::activity_log::{Content, Entry, Transaction, Verdict, extent_range};
use crate::format::superblock::{AlState, Format};
use crate::survey::locate::Role;
use crate::survey::log::{LogState, log_was_off};
use crate::units::{AlExtent, DevPos, range_len};

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct AlView {
    image: String,
    #[serde(serialize_with = "word")]
    role: Role,
    #[serde(serialize_with = "word")]
    format: Format,
    #[serde(serialize_with = "word")]
    state: AlState,
    /// `MDF_PRIMARY_IND` is set: the log matters.
    primary_ind: bool,
    /// `MDF_AL_DISABLED` is set, and the node was writing: the log does not say what.
    log_was_off: bool,
    /// Where the log begins in the image.
    al_offset: u64,
    /// The log's own format, in words.
    al_format: String,
    verdict: &'static str,
    /// Why, for people.
    verdict_text: String,
    newest_transaction: Option<u32>,
    active_extents: usize,
    /// Runs of active extents on the device.
    active: Vec<Run>,
    /// The same, of those beyond the device's end.
    beyond_device: Vec<Run>,
    /// Each place in order of time.
    ring: Vec<PlaceView>,
    /// Places not listed.
    ring_more: u64,
    /// What that means for this resource, for people.
    meaning: &'static str,
}

/// Consecutive active extents.
#[derive(Serialize)]
struct Run {
    first_extent: u64,
    extents: u64,
    offset: u64,
    bytes: u64,
}

/// One place of the ring.
#[derive(Serialize)]
pub(super) struct PlaceView {
    place: String,
    position: u32,
    #[serde(flatten)]
    content: ContentView,
}

/// What is there.
#[derive(Serialize)]
#[serde(tag = "content", rename_all = "lowercase")]
enum ContentView {
    Transaction(TransactionView),
    Initialised,
    Invalid {
        /// For people.
        why: String,
    },
}

#[derive(Serialize)]
struct TransactionView {
    number: u32,
    r#type: u16,
    n_updates: u16,
    updates: Vec<Update>,
    context_start: Option<u32>,
    context_size: Option<u16>,
    /// What no kernel writes, for people.
    odd: Option<String>,
}

#[derive(Serialize)]
struct Update {
    slot: u32,
    /// All ones: none.
    extent: u32,
}

impl AlView {
    pub(super) fn of(image: String, log: Log<'_>) -> Self {
        let Log {
            chosen,
            state,
            rows,
            more,
        } = log;
        let level = chosen.level();
        let replay = &state.replay;
        let end = level.drbd_device().to_bytes().map_or(DevPos::START, DevPos::at);
        let (beyond, on): (Vec<AlExtent>, Vec<AlExtent>) =
            replay.active.iter().partition(|extent| extent_range(**extent).start >= end);
        Self {
            image,
            role: level.role,
            format: level.superblock.format(),
            state: state.state,
            primary_ind: state.primary_ind,
            log_was_off: log_was_off(&level.superblock),
            al_offset: chosen.opened.image_pos(level.layout.al.start).get(),
            al_format: replay.kind.to_string(),
            verdict: match replay.verdict {
                Verdict::Complete(_) => "complete",
                Verdict::Incomplete(_) => "incomplete",
                Verdict::Unusable(_) => "unusable",
            },
            verdict_text: replay.verdict.to_string(),
            newest_transaction: replay.newest,
            active_extents: replay.active.len(),
            active: runs(&on),
            beyond_device: runs(&beyond),
            ring: rows,
            ring_more: more,
            meaning: meaning(state, log_was_off(&level.superblock)),
        }
    }

    /// Prints text.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let Self {
            role,
            format,
            al_format,
            al_offset,
            ..
        } = self;
        writeln!(
            out,
            "activity log of the {role} resource ({format}): {al_format}, byte {al_offset} on\n"
        )?;
        for place in &self.ring {
            writeln!(out, "{:10} {}", place.place, place.content.line())?;
        }
        if self.ring_more > 0 {
            writeln!(out, "and {} more", self.ring_more)?;
        }
        writeln!(out, "\n{}: {}", self.verdict, self.verdict_text)?;
        let extents = if self.active_extents == 1 { "extent" } else { "extents" };
        writeln!(out, "active: {} {extents}", self.active_extents)?;
        for (runs, note) in [(&self.active, ""), (&self.beyond_device, ", beyond the device's end")] {
            for run in runs {
                let last = |first: u64, len: u64| first.saturating_add(len).saturating_sub(1);
                let (first, to) = (run.first_extent, run.offset.saturating_add(run.bytes));
                let numbers = match last(first, run.extents) {
                    last if last == first => format!("extent {last}"),
                    last => format!("extents {first} to {last}"),
                };
                writeln!(out, "  {numbers}: byte {} up to byte {to}{note}", run.offset)?;
            }
        }
        writeln!(out, "{}", self.meaning)
    }
}

/// What it means for this resource.
fn meaning(state: &LogState, log_was_off: bool) -> &'static str {
    match (state.primary_ind, &state.replay.verdict) {
        _ if log_was_off => {
            "MDF_AL_DISABLED is set: the log was off, and does not say what was being written, whatever it shows; --mark-all marks everything out of sync"
        }
        (false, _) => {
            "MDF_PRIMARY_IND is not set: nothing was being written, and apply-al marks nothing out of sync"
        }
        (true, Verdict::Complete(_)) => {
            "MDF_PRIMARY_IND is set: apply-al marks the active extents out of sync"
        }
        (true, _) if !state.is_refused() => {
            "MDF_PRIMARY_IND is set, and MDF_AL_CLEAN says that the bitmap has what was being written: apply-al takes its word"
        }
        (true, Verdict::Unusable(_)) if state.state == AlState::Clean => {
            "MDF_PRIMARY_IND is set, and MDF_AL_CLEAN says that the bitmap has what was being written; apply-al reads v09's log all the same, and refuses one without a valid block: --mark-all marks everything out of sync"
        }
        (true, _) => {
            "MDF_PRIMARY_IND is set, and extents that were written to may be missing here: apply-al refuses, and --mark-all marks everything out of sync"
        }
    }
}

/// Extents, neighbours merged.
fn runs(extents: &[AlExtent]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for extent in extents {
        let (number, range) = (u64::from(extent.get()), extent_range(*extent));
        match runs.last_mut() {
            Some(last) if last.first_extent.saturating_add(last.extents) == number => {
                last.extents = last.extents.saturating_add(1);
                last.bytes = last.bytes.saturating_add(range_len(&range).get());
            }
            _ => runs.push(Run {
                first_extent: number,
                extents: 1,
                offset: range.start.get(),
                bytes: range_len(&range).get(),
            }),
        }
    }
    runs
}

impl PlaceView {
    pub(super) fn of(entry: &Entry) -> Self {
        Self {
            place: entry.place.to_string(),
            position: entry.position,
            content: match &entry.content {
                Content::Transaction(transaction) => {
                    ContentView::Transaction(TransactionView::of(transaction))
                }
                Content::Unwritten => ContentView::Initialised,
                Content::Invalid(why) => ContentView::Invalid {
                    why: why.to_string(),
                },
            },
        }
    }
}

impl ContentView {
    fn line(&self) -> String {
        match self {
            Self::Transaction(transaction) => transaction.line(),
            Self::Initialised => "initialised, never written".to_owned(),
            Self::Invalid { why } => format!("not valid: {why}"),
        }
    }
}

impl TransactionView {
    fn of(transaction: &Transaction) -> Self {
        let updates = transaction.updates.iter();
        Self {
            number: transaction.number,
            r#type: transaction.kind,
            n_updates: transaction.n_updates,
            updates: updates.map(|&(slot, extent)| Update { slot, extent }).collect(),
            context_start: transaction.context_start,
            context_size: transaction.context_size,
            odd: transaction.oddity.as_ref().map(ToString::to_string),
        }
    }

    fn line(&self) -> String {
        let update = |Update { slot, extent }: &Update| match *extent {
            u32::MAX => format!("{slot}=free"),
            extent => format!("{slot}={extent}"),
        };
        let updates: Vec<String> = self.updates.iter().map(update).collect();
        let updates = match updates.len() {
            0 => "0 updates (slot=extent): none".to_owned(),
            1 => format!("1 update (slot=extent): {}", updates.join(" ")),
            len => format!("{len} updates (slot=extent): {}", updates.join(" ")),
        };
        let context = match (self.context_start, self.context_size) {
            (Some(start), Some(size)) => format!(", context from slot {start} of {size}"),
            (Some(start), None) => format!(", context from slot {start}"),
            (None, _) => String::new(),
        };
        let odd = self.odd.as_ref().map_or(String::new(), |odd| format!(", odd: {odd}"));
        format!("transaction {}, {updates}{context}{odd}", self.number)
    }
}
