//! What show prints: one view, as text for people and as JSON for programs. docs/json.md documents its fields, which are only ever added to.

mod generation;
mod raw;
mod sections;

use std::io::{self, Write};
use std::ops::RangeInclusive;

use serde::Serialize;

use crate::cli::commands::show::args::Rate;
use crate::cli::commands::show::view::generation::{FlagsView, GenerationView, primary};
use crate::cli::commands::show::view::raw::SuperblockView;
use crate::cli::next::{apply_al, to_write};
use crate::cli::output::view::{LevelView, PartView, Report, ResidentView, word};
use crate::cli::session::open::Places;
use crate::error::{Error, Refused, Result};
use crate::format::bitmap::out_of_sync;
use crate::format::metadata::{Generation, Header};
use crate::survey::log::cannot_be_applied;
use crate::survey::locate::Level;
use crate::survey::log::log_was_off;
use crate::units::{Bytes, Sectors, range_len};
use crate::verdict::check::{CheckOptions, Finding, Judged, Severity, check, left_by_a_peer};
use crate::verdict::handshake::{Disk, Family, at_attach};

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct ShowView {
    image: String,
    /// Nothing for a dump.
    image_bytes: Option<u64>,
    /// What a resync is estimated with.
    rate_bytes_per_second: u64,
    /// The levels shown.
    levels: Vec<ShownLevel>,
    /// Who lives on the disk, held against all levels.
    occupants: Vec<ResidentView>,
    /// What the places of a dump are worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    dump: Option<Places>,
    /// The part that was looked at; nothing where that is the whole image.
    looked_at: Option<PartView>,
}

/// One level, with all that is known of it.
#[derive(Serialize)]
struct ShownLevel {
    #[serde(flatten)]
    level: LevelView,
    al_bytes: u64,
    al_stripes: u32,
    al_stripe_size_4k: u32,
    al_nr_extents: u32,
    /// The area of all slots.
    bm_bytes: u64,
    max_peers: u32,
    bytes_per_bit: u32,
    #[serde(flatten)]
    flags: FlagsView,
    /// What a kernel gives the disk at attach.
    #[serde(serialize_with = "word")]
    disk_state: Disk,
    at_attach: Vec<AtAttach>,
    /// What is wrong and keeps no kernel from attaching it.
    errors: Vec<Wrong>,
    /// The current UUID names no data yet.
    just_created: Option<bool>,
    /// The node was Primary when the current UUID was set.
    current_uuid_primary: Option<bool>,
    #[serde(flatten)]
    generation: GenerationView,
    /// Each slot of the bitmap; nothing where that means nothing.
    slots: Option<Vec<SlotView>>,
    superblock: SuperblockView,
    /// What the disk state means, for people.
    disk_state_text: &'static str,
    /// Where all of the metadata begins.
    metadata_offset: u64,
    metadata_bytes: u64,
    /// The activity log was off while it mattered.
    log_was_off: bool,
}

/// What attaching will meet.
#[derive(Serialize)]
struct AtAttach {
    kind: &'static str,
    /// For people.
    text: String,
    /// What each kernel answers, for people; nothing where none refuses.
    attach_text: Option<String>,
}

/// An error for which no kernel refuses.
#[derive(Serialize)]
struct Wrong {
    kind: &'static str,
    /// For people.
    text: String,
}

/// One slot's fill.
#[derive(Serialize)]
struct SlotView {
    slot: u64,
    /// The peers it is of; before v09 the only one has no node id.
    node_ids: Vec<usize>,
    bits_set: u64,
    out_of_sync_bytes: u64,
    resync_seconds: u64,
    /// A peer that was forgotten left bits here.
    left_by_peer: bool,
}

impl ShowView {
    /// Reads all that is to be shown, whole bitmaps too.
    pub(crate) fn of(report: &Report<'_>, chosen: &RangeInclusive<usize>, rate: Rate) -> Result<Self> {
        let options = CheckOptions {
            of_dump: report.opened.dump().is_some(),
            ..CheckOptions::default()
        };
        let judged = match check(report.window(), report.located, &[], options) {
            // What a live resource's log says now is not what is asked here.
            Err(Error::Refused(Refused::ActivityLogChanged { .. })) => Vec::new(),
            judged => judged?,
        };
        let shown = |(number, level)| {
            let judged = judged.iter().find(|one| one.number == Some(number));
            ShownLevel::of(report, number, level, judged, rate)
        };
        let levels = report.numbered().filter(|(number, _)| chosen.contains(number));
        Ok(Self {
            image: report.image.image.to_string_lossy().into_owned(),
            image_bytes: report.opened.known_size().map(Bytes::get),
            rate_bytes_per_second: rate.0.get(),
            levels: levels.map(shown).collect::<Result<_>>()?,
            occupants: report.occupants()?,
            dump: report.opened.dump(),
            looked_at: PartView::of(report),
        })
    }

    /// Prints text.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        sections::print(self, out)
    }
}

impl ShownLevel {
    fn of(
        report: &Report<'_>,
        number: usize,
        level: &Level,
        judged: Option<&Judged<'_>>,
        rate: Rate,
    ) -> Result<Self> {
        let (superblock, layout) = (&level.superblock, &level.layout);
        let header = Header::of(superblock);
        let slots = slots(report, level, &header, rate)?;
        let mut view = LevelView::of(report, number, level)?;
        if let Some(slots) = &slots {
            let before_v09 = !matches!(header.generation, Generation::V09(_));
            let peers = slots.iter().filter(|slot| before_v09 || !slot.node_ids.is_empty());
            // Here nothing is left out for being large.
            view.out_of_sync_bytes = peers.map(|slot| slot.out_of_sync_bytes).max();
        }
        let flags = superblock.flags();
        let disk = Disk::at_attach(&header, Family::of(header.format()));
        let refusals = judged.into_iter().flat_map(refusals);
        let errors = judged.into_iter().flat_map(|judged| &judged.findings);
        let errors = errors.filter(|finding| finding.rule.severity == Severity::Error && !is_of_attaching(finding));
        let words = to_write(report.image, report.located.levels.len(), number, level);
        // A dump has no log: its disk is meant.
        let command = if report.opened.dump().is_some() {
            apply_al("IMAGE", false)
        } else {
            apply_al(&words, cannot_be_applied(report.window(), level)?)
        };
        let command = format!("`{command}`");
        let notes = at_attach(&header);
        let notes = notes.iter().map(|note| AtAttach {
            kind: note.word(),
            text: note.to_string().replace("mdtool apply-al", &command),
            attach_text: None,
        });
        Ok(Self {
            level: view,
            al_bytes: range_len(&layout.al).get(),
            al_stripes: layout.geometry.al.stripes,
            al_stripe_size_4k: layout.geometry.al.stripe_size_4k,
            al_nr_extents: superblock.al_nr_extents(),
            bm_bytes: range_len(&layout.bm).get(),
            max_peers: layout.geometry.max_peers,
            bytes_per_bit: layout.geometry.bytes_per_bit,
            flags: FlagsView::of(flags.to_string(), flags.named(superblock.format())),
            disk_state: disk,
            at_attach: refusals.chain(notes).collect(),
            errors: errors.map(Wrong::of).collect(),
            just_created: superblock.current_uuid().map(|uuid| !uuid.names_a_generation()),
            current_uuid_primary: superblock.current_uuid().map(primary),
            generation: GenerationView::of(&header),
            slots,
            superblock: SuperblockView::of(superblock),
            disk_state_text: disk.meaning(&header),
            metadata_offset: report.image_pos(layout.whole.start).get(),
            metadata_bytes: range_len(&layout.whole).get(),
            log_was_off: log_was_off(superblock),
        })
    }
}

/// Whether a kernel refuses for it, or apply-al, which comes first.
fn is_of_attaching(finding: &Finding) -> bool {
    let refused = finding.attach.is_some_and(|attach| attach.refuses());
    refused || ["al-unusable", "al-incomplete"].contains(&finding.rule.id)
}

impl Wrong {
    fn of(finding: &Finding) -> Self {
        Self {
            kind: finding.rule.id,
            text: format!("{}: {}", finding.rule.title, finding.found),
        }
    }
}

/// Everything for which a kernel that reads the format would refuse to attach, or not find it, other than an unclean log: as `check` has it.
fn refusals(judged: &Judged<'_>) -> impl Iterator<Item = AtAttach> {
    let format = judged.candidate.superblock.format();
    let refuses = |finding: &&Finding| finding.rule.severity == Severity::Error && is_of_attaching(finding);
    judged.findings.iter().filter(refuses).map(move |finding| AtAttach {
        kind: finding.rule.id,
        text: finding.found.clone(),
        attach_text: Some(finding.attach.map_or_else(
            || "apply-al, and with it `drbdadm up`, stops".to_owned(),
            |attach| attach.words(format),
        )),
    })
}

/// Counts what is set in each slot.
fn slots(
    report: &Report<'_>,
    level: &Level,
    header: &Header,
    rate: Rate,
) -> Result<Option<Vec<SlotView>>> {
    let la_size = level.superblock.la_size();
    if la_size == Sectors::ZERO || report.is_elsewhere(level) {
        return Ok(None);
    }
    let size = la_size.min(level.layout.usable);
    let geometry = level.layout.geometry;
    let bits = geometry.bits(size).unwrap_or(0);
    let counted = level.bitmap(report.window()).count_slots(bits)?;
    let left = left_by_a_peer(&level.superblock, &counted);
    let nodes = |slot: u64| match &header.generation {
        Generation::V09(generation) => (0..)
            .zip(&generation.peers)
            .filter(|(_, peer)| u64::try_from(peer.bitmap_index).is_ok_and(|index| index == slot))
            .map(|(node, _)| node)
            .collect(),
        _ => Vec::new(),
    };
    let slot = |(slot, bits): (u64, u64)| {
        let marked = out_of_sync(bits, geometry.bytes_per_bit, size);
        let marked = marked.to_bytes().unwrap_or(Bytes::ZERO);
        SlotView {
            slot,
            node_ids: nodes(slot),
            bits_set: bits,
            out_of_sync_bytes: marked.get(),
            resync_seconds: rate.seconds(marked),
            left_by_peer: left.contains(&slot),
        }
    };
    Ok(Some((0..).zip(counted).map(slot).collect()))
}
