//! What show prints: one level after the other, as text for people and as JSON for programs.

mod json;
mod raw;
mod sections;

use std::io::Write;
use std::ops::RangeInclusive;

use crate::cli::commands::show::args::Rate;
use crate::cli::output::text::Report;
use crate::error::Result;
use crate::format::bitmap::out_of_sync;
use crate::format::metadata::{Day0, Generation, GenerationV09, Header};
use crate::survey::locate::Level;
use crate::units::{Bytes, Sectors};

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
        serde_json::to_writer_pretty(&mut *out, &document).map_err(std::io::Error::from)?;
        Ok(writeln!(out)?)
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
