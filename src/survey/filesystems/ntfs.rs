//! NTFS, by its map of clusters: names are not resolved.

use std::ops::Range;

use super::answer::Class;
use super::blocks::{Blocks, bytes};
use super::findings::{Findings, What};
use super::layers::Answered;
use super::names::Names;
use crate::error::Result;
use crate::image::Window;
use crate::survey::bytes::{array, has, le16, le32, le64};
use crate::units::{Bytes, DevPos};

/// The records of the table of files, of its log and of the map of clusters.
const TABLE: u64 = 0;
const LOG: u64 = 2;
const MAP: u64 = 6;
/// The type of an attribute that holds a file's data.
const DATA: u32 = 0x80;
/// Runs of a file that are read.
const MOST_RUNS: usize = 1 << 16;
/// Clusters whose bits are looked at at once.
const AT_ONCE: u64 = 8 << 12;

/// What is known of an NTFS.
struct Ntfs<'a> {
    clusters: Blocks<'a>,
    /// Where the table of files begins, and how large its records are.
    table: DevPos,
    record: Bytes,
}

/// Consecutive clusters of a file: the first one's number in the file, where it lies, and how many.
#[derive(Clone, Copy)]
struct Run {
    logical: u64,
    first: u64,
    count: u64,
}

/// Finds whose the wanted parts are; the error in words where the file system cannot be read.
pub(super) fn answer(
    device: Window<'_>,
    mut findings: Findings,
) -> Result<Result<Answered, String>> {
    let boot = bytes(device, &(DevPos::START..DevPos::new(512)))?.unwrap_or_default();
    let Some(ntfs) = open(device, &boot) else {
        return Ok(Err("the boot sector has sizes that cannot be".to_owned()));
    };
    let Some(map) = ntfs.runs(MAP)? else {
        return Ok(Err("the map of clusters cannot be found".to_owned()));
    };
    findings.note(
        &(DevPos::START..DevPos::new(512)),
        What::of(Class::Metadata, "boot sector"),
    );
    for (record, what) in [
        (TABLE, What::of(Class::Metadata, "table of files")),
        (LOG, What::of(Class::Journal, "")),
        (MAP, What::of(Class::Metadata, "map of clusters")),
    ] {
        for run in ntfs.runs(record)?.unwrap_or_default() {
            if let Some(range) = ntfs.clusters.range(run.first, run.count) {
                findings.note(&range, what);
            }
        }
    }
    for gap in findings.gaps() {
        ntfs.note_gap(&map, &gap, &mut findings)?;
    }
    Ok(Ok(Answered {
        file_system: "ntfs",
        findings,
        names: Names::new(),
        notes: vec!["names are not resolved: ranges are known to be in use or free".to_owned()],
    }))
}

fn open<'a>(device: Window<'a>, boot: &[u8]) -> Option<Ntfs<'a>> {
    let sector = u64::from(le16(boot, 11)?);
    let [per_cluster] = array(boot, 13)?;
    // Large ones are powers of two, negated.
    let per_cluster = match per_cluster {
        1..=128 => u64::from(per_cluster),
        _ => 1_u64.checked_shl(256_u32.checked_sub(u32::from(per_cluster))?)?,
    };
    let cluster = sector.checked_mul(per_cluster)?;
    let record = match i8::from_le_bytes(array(boot, 64)?) {
        clusters @ 1.. => cluster.checked_mul(u64::try_from(clusters).ok()?)?,
        negated => 1_u64.checked_shl(negated.unsigned_abs().into())?,
    };
    let good = cluster.is_power_of_two()
        && (512..=2 << 20).contains(&cluster)
        && (512..=65_536).contains(&record)
        && record.is_power_of_two();
    let clusters = Blocks::new(device, Bytes::new(cluster));
    let table = clusters.range(le64(boot, 48)?, 0)?.start;
    good.then_some(Ntfs {
        clusters,
        table,
        record: Bytes::new(record),
    })
}

impl Ntfs<'_> {
    /// The runs of the data of one of the first records, which lie together; `None` where that cannot be read.
    fn runs(&self, record: u64) -> Result<Option<Vec<Run>>> {
        let start = self
            .record
            .checked_mul(record)
            .and_then(|into| self.table.checked_add(into));
        let range = start.and_then(|start| Some(start..start.checked_add(self.record)?));
        let Some(range) = range else {
            return Ok(None);
        };
        let Some(mut record) = bytes(self.clusters.device(), &range)? else {
            return Ok(None);
        };
        Ok(mend(&mut record).and_then(|()| data_runs(&record)))
    }

    /// Notes what of a gap is free, and what is in use.
    fn note_gap(&self, map: &[Run], gap: &Range<DevPos>, findings: &mut Findings) -> Result<()> {
        let size = self
            .clusters
            .range(1, 0)
            .map_or(Bytes::ZERO, |range| range.start.from_start());
        let mut cluster = gap.start.from_start().whole_units(size);
        let end = gap
            .end
            .from_start()
            .align_up(size)
            .map_or(0, |end| end.whole_units(size));
        while cluster < end && !findings.is_full() {
            let until = end.min(cluster.saturating_add(AT_ONCE));
            let bits = self.bits(map, cluster / 8, until.div_ceil(8), size)?;
            let first = cluster.saturating_sub(cluster % 8);
            let mut at = cluster;
            while at < until {
                let used = |cluster: u64| -> Option<bool> {
                    let index = usize::try_from(cluster.saturating_sub(first)).ok()?;
                    let byte = bits.as_ref()?.get(index / 8)?;
                    Some((byte >> (index % 8)) & 1 == 1)
                };
                let this = used(at);
                let next = (at..until)
                    .find(|cluster| used(*cluster) != this)
                    .unwrap_or(until);
                let what = match this {
                    Some(false) => What::of(Class::Free, ""),
                    Some(true) => What::of(Class::Unknown, "in use: names are not resolved"),
                    None => What::of(Class::Unknown, "the map of clusters cannot be read"),
                };
                if let Some(range) = self.clusters.range(at, next.saturating_sub(at)) {
                    let range = range.start.max(gap.start)..range.end.min(gap.end);
                    findings.note(&range, what);
                }
                at = next;
            }
            cluster = until;
        }
        Ok(())
    }

    /// Bytes of the map; `None` where they are not there.
    fn bits(&self, map: &[Run], start: u64, end: u64, size: Bytes) -> Result<Option<Vec<u8>>> {
        let mut found = Vec::new();
        let mut at = start;
        while at < end {
            let logical = Bytes::new(at).whole_units(size);
            let run = map.iter().find(|run| {
                logical >= run.logical && logical.saturating_sub(run.logical) < run.count
            });
            let place = run.and_then(|run| {
                let into = size.checked_mul(run.logical)?;
                let before = Bytes::new(at).checked_sub(into)?;
                let left = size.checked_mul(run.count)?.checked_sub(before)?;
                let start = self
                    .clusters
                    .range(run.first, 0)?
                    .start
                    .checked_add(before)?;
                let len = left.min(Bytes::new(end.saturating_sub(at)));
                Some((start..start.checked_add(len)?, len))
            });
            let Some((range, len)) = place.filter(|(_, len)| *len > Bytes::ZERO) else {
                return Ok(None);
            };
            match bytes(self.clusters.device(), &range)? {
                Some(bytes) => found.extend_from_slice(&bytes),
                None => return Ok(None),
            }
            at = at.saturating_add(len.get());
        }
        Ok(Some(found))
    }
}

/// Puts back the last two bytes of each sector, which were written elsewhere to detect a torn write; `None` where it was one.
fn mend(record: &mut [u8]) -> Option<()> {
    if !has(record, 0, b"FILE") {
        return None;
    }
    let (at, count) = (usize::from(le16(record, 4)?), usize::from(le16(record, 6)?));
    let mark = array::<2>(record, at)?;
    for index in 1..count {
        let kept = array::<2>(record, at.checked_add(index.checked_mul(2)?)?)?;
        let place = index.checked_mul(512)?.checked_sub(2)?;
        let there = record.get_mut(place..place.checked_add(2)?)?;
        if there != mark.as_slice() {
            return None;
        }
        there.copy_from_slice(&kept);
    }
    Some(())
}

/// The runs of the data that has no name.
fn data_runs(record: &[u8]) -> Option<Vec<Run>> {
    let mut at = usize::from(le16(record, 20)?);
    loop {
        let attribute = record.get(at..)?;
        let (kind, len) = (
            le32(attribute, 0)?,
            usize::try_from(le32(attribute, 4)?).ok()?,
        );
        if kind == u32::MAX || len < 16 {
            return None;
        }
        let [elsewhere, name] = array(attribute, 8)?;
        if kind == DATA && elsewhere == 1 && name == 0 {
            let list = attribute
                .get(..len)?
                .get(usize::from(le16(attribute, 32)?)..)?;
            return Some(decode_runs(list));
        }
        at = at.checked_add(len)?;
    }
}

/// Lengths, and distances from the run before, each in as many bytes as it needs.
fn decode_runs(mut list: &[u8]) -> Vec<Run> {
    let mut runs = Vec::new();
    let (mut logical, mut first) = (0_u64, 0_i64);
    while runs.len() < MOST_RUNS
        && let Some((sizes, rest)) = list.split_first()
    {
        let (count_size, place_size) = (usize::from(sizes & 0xF), usize::from(sizes >> 4));
        let step = rest.split_at_checked(count_size).and_then(|(count, rest)| {
            let (place, rest) = rest.split_at_checked(place_size)?;
            Some((number(count)?, number(place), rest))
        });
        let Some((count, place, rest)) = step else {
            break;
        };
        let Ok(count) = u64::try_from(count) else {
            break;
        };
        if let Some(place) = place {
            first = first.saturating_add(place);
            if let Ok(first) = u64::try_from(first) {
                runs.push(Run {
                    logical,
                    first,
                    count,
                });
            }
        }
        logical = logical.saturating_add(count);
        list = rest;
    }
    runs
}

/// A number with a sign, in so many bytes; `None` of none.
fn number(bytes: &[u8]) -> Option<i64> {
    let top = bytes.last()?;
    let mut wide = if top & 0x80 == 0 { [0; 8] } else { [0xFF; 8] };
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}
