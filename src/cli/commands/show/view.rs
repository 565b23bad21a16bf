//! What show prints: one level after the other, as text for people and as JSON for programs.

mod json;
mod raw;
mod sections;

use std::io::Write;
use std::ops::RangeInclusive;

use crate::cli::commands::show::args::Rate;
use crate::cli::output::document;
use crate::cli::output::text::Report;
use crate::error::{Error, Refused, Result};
use crate::format::bitmap::out_of_sync;
use crate::format::metadata::{Day0, Generation, GenerationV09, Header};
use crate::survey::locate::Level;
use crate::units::{Bytes, Sectors};
use crate::verdict::check::{CheckOptions, Finding, Judged, Severity, check, left_by_a_peer};
use crate::verdict::handshake::{Disk, Family};

/// Some levels, with all that is known of them.
pub(crate) struct Show<'a> {
    report: &'a Report<'a>,
    levels: Vec<Facts<'a>>,
    rate: Rate,
}

/// One level, and what had to be counted.
struct Facts<'a> {
    number: usize,
    level: &'a Level,
    header: Header,
    /// What `check` finds.
    judged: Option<Judged<'a>>,
    /// Each slot; `None` where the bitmap means nothing.
    slots: Option<Vec<Slot>>,
}

/// One slot's fill.
struct Slot {
    number: u64,
    /// The peers it is of, by node id; before v09 the only one has none.
    nodes: Vec<usize>,
    bits: u64,
    bytes: Bytes,
}

impl<'a> Show<'a> {
    /// Reads all that is to be shown, whole bitmaps too.
    pub(crate) fn of(
        report: &'a Report<'a>,
        chosen: RangeInclusive<usize>,
        rate: Rate,
    ) -> Result<Self> {
        let options = CheckOptions {
            of_dump: report.opened.dump().is_some(),
            ..CheckOptions::default()
        };
        let judged = match check(report.window(), report.located, &[], options) {
            // What a live resource's log says now is not what is asked here.
            Err(Error::Refused(Refused::ActivityLogChanged { .. })) => Vec::new(),
            judged => judged?,
        };
        let judged = |number: usize| judged.iter().find(|one| one.number == Some(number)).cloned();
        let levels = report
            .numbered()
            .filter(|(number, _)| chosen.contains(number))
            .map(|(number, level)| {
                let header = Header::of(&level.superblock);
                let slots = slots(report, level, &header)?;
                Ok(Facts {
                    number,
                    level,
                    header,
                    judged: judged(number),
                    slots,
                })
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            report,
            levels,
            rate,
        })
    }

    /// Prints text.
    pub(crate) fn print(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        self.report.title(out)?;
        for facts in &self.levels {
            writeln!(out)?;
            sections::print(self, facts, out)?;
        }
        sections::occupants(self.report, out)?;
        Ok(())
    }

    /// Prints one document.
    pub(crate) fn json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let document = json::document(self)?;
        Ok(document::print(out, document)?)
    }
}

impl Facts<'_> {
    /// v09's generation.
    fn v09(&self) -> Option<&GenerationV09> {
        match &self.header.generation {
            Generation::V09(generation) => Some(generation),
            _ => None,
        }
    }

    /// The state that a kernel gives the disk at attach.
    fn disk(&self) -> Disk {
        Disk::at_attach(&self.header, Family::of(self.header.format()))
    }

    /// Everything for which a kernel that reads the format would refuse to attach, or not find it, other than an unclean log.
    fn refusals(&self) -> impl Iterator<Item = &Finding> {
        let findings = self.judged.iter().flat_map(|judged| &judged.findings);
        findings.filter(|finding| {
            let refused = finding.attach.is_some_and(|attach| attach.refuses());
            let log = ["al-unusable", "al-incomplete"].contains(&finding.rule.id);
            finding.rule.severity == Severity::Error && (refused || log)
        })
    }

    /// Why a kernel would refuse, as `check` has it.
    fn refusal(&self, finding: &Finding) -> String {
        let words = finding.attach.map_or_else(
            || "apply-al, and with it `drbdadm up`, stops".to_owned(),
            |attach| attach.words(self.level.superblock.format()),
        );
        format!("{words}: {} ({})", finding.found, finding.rule.id)
    }

    /// The slots that a forgotten peer left.
    fn left(&self) -> Vec<u64> {
        let slots = self.slots.as_deref().unwrap_or_default();
        let counted: Vec<u64> = slots.iter().map(|slot| slot.bits).collect();
        left_by_a_peer(&self.level.superblock, &counted)
    }

    /// v09's free slot.
    fn day0(&self) -> Option<Day0> {
        Some(self.v09()?.day0(self.header.geometry.max_peers))
    }
}

/// Counts what is set in each slot.
fn slots(report: &Report<'_>, level: &Level, header: &Header) -> Result<Option<Vec<Slot>>> {
    let la_size = level.superblock.la_size();
    if la_size == Sectors::ZERO || report.is_elsewhere(level) {
        return Ok(None);
    }
    let size = la_size.min(level.layout.usable);
    let geometry = level.layout.geometry;
    let bits = geometry.bits(size).unwrap_or(0);
    let counted = level.bitmap(report.window()).count_slots(bits)?;
    let nodes = |slot: u64| match &header.generation {
        Generation::V09(generation) => (0..)
            .zip(&generation.peers)
            .filter(|(_, peer)| u64::try_from(peer.bitmap_index).is_ok_and(|index| index == slot))
            .map(|(node, _)| node)
            .collect(),
        _ => Vec::new(),
    };
    let slot = |(number, bits): (u64, u64)| {
        let marked = out_of_sync(bits, geometry.bytes_per_bit, size);
        Slot {
            number,
            nodes: nodes(number),
            bits,
            bytes: marked.to_bytes().unwrap_or(Bytes::ZERO),
        }
    };
    Ok(Some((0..).zip(counted).map(slot).collect()))
}
