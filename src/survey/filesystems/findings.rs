//! What of a file system lies in the wanted ranges.

use std::ops::Range;

use super::answer::Class;
use crate::units::{Bytes, DevPos};

/// How many owners of one stretch are kept.
const MOST_OWNERS: usize = 256;

/// Sorted ranges that neither touch nor leave a device of `size`.
pub(super) fn normalised(ranges: &[Range<DevPos>], size: Bytes) -> Vec<Range<DevPos>> {
    let end = DevPos::at(size);
    let mut sorted: Vec<Range<DevPos>> = ranges
        .iter()
        .map(|range| range.start.min(end)..range.end.min(end))
        .filter(|range| range.start < range.end)
        .collect();
    sorted.sort_by_key(|range| range.start);
    let mut merged: Vec<Range<DevPos>> = Vec::new();
    for range in sorted {
        match merged.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// The parts of `range` that lie in `wanted`, which is sorted and disjoint.
pub(super) fn overlaps<'w>(
    wanted: &'w [Range<DevPos>],
    range: &Range<DevPos>,
) -> impl Iterator<Item = Range<DevPos>> + use<'w> {
    let Range { start, end } = *range;
    let first = wanted.partition_point(|one| one.end <= start);
    let rest = wanted.get(first..).unwrap_or_default();
    let within = rest.iter().take_while(move |one| one.start < end);
    within
        .map(move |one| one.start.max(start)..one.end.min(end))
        .filter(|part| part.start < part.end)
}

/// What something is that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct What {
    pub(super) class: Class,
    /// More in words, or nothing.
    pub(super) detail: &'static str,
    /// Whose it is, where it is somebody's.
    pub(super) inode: Option<u64>,
    /// Where in the file it begins.
    pub(super) at: Option<Bytes>,
}

impl What {
    /// Something that is no inode's.
    pub(super) const fn of(class: Class, detail: &'static str) -> Self {
        Self {
            class,
            detail,
            inode: None,
            at: None,
        }
    }

    /// What begins `further` on in it.
    fn advanced(self, further: Bytes) -> Self {
        let at = self.at.and_then(|at| at.checked_add(further));
        Self { at, ..self }
    }
}

/// A stretch, and all that was found of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) range: Range<DevPos>,
    /// None where nothing was found.
    pub(super) whats: Vec<What>,
    /// How many more there are.
    pub(super) more: u64,
}

/// Wanted ranges, and what was found of them so far.
pub(super) struct Findings {
    wanted: Vec<Range<DevPos>>,
    found: Vec<(Range<DevPos>, What)>,
    most: usize,
    full: bool,
}

impl Findings {
    /// Nothing found yet of `wanted`, which is sorted and disjoint; at most so many pieces are kept.
    pub(super) const fn new(wanted: Vec<Range<DevPos>>, most: usize) -> Self {
        Self {
            wanted,
            found: Vec::new(),
            most,
            full: false,
        }
    }

    /// Whether there was more than is kept: the answer would be wrong.
    pub(super) const fn is_full(&self) -> bool {
        self.full
    }

    /// Keeps what of `range` is wanted.
    pub(super) fn note(&mut self, range: &Range<DevPos>, what: What) {
        for part in overlaps(&self.wanted, range) {
            if self.found.len() >= self.most {
                self.full = true;
                return;
            }
            let further = part.start.saturating_since(range.start);
            self.found.push((part, what.advanced(further)));
        }
    }

    /// The inodes of what was found, sorted, each once.
    pub(super) fn inodes(&self) -> Vec<u64> {
        let mut inodes: Vec<u64> = self
            .found
            .iter()
            .filter_map(|(_, what)| what.inode)
            .collect();
        inodes.sort_unstable();
        inodes.dedup();
        inodes
    }

    /// The parts of which nothing was found.
    pub(super) fn gaps(&mut self) -> Vec<Range<DevPos>> {
        self.sort();
        let mut gaps = Vec::new();
        let mut found = self.found.iter().map(|(range, _)| range).peekable();
        for range in &self.wanted {
            let mut at = range.start;
            while let Some(next) = found.next_if(|next| next.start < range.end) {
                if at < next.start {
                    gaps.push(at..next.start);
                }
                at = at.max(next.end);
            }
            if at < range.end {
                gaps.push(at..range.end);
            }
        }
        gaps
    }

    fn sort(&mut self) {
        self.found
            .sort_by_key(|(range, what)| (range.start, range.end, what.inode, what.at));
    }

    /// Every wanted byte once, in order, with all that was found of it.
    pub(super) fn stretches(mut self) -> Vec<Found> {
        self.sort();
        let mut sweep = Sweep::default();
        let mut found = self.found.iter().peekable();
        for range in &self.wanted {
            let mut at = range.start;
            while at < range.end {
                while let Some(next) = found.next_if(|(next, _)| next.start <= at) {
                    sweep.enter(next);
                }
                let next = found.peek().map_or(range.end, |(next, _)| next.start);
                let end = sweep.first_end().map_or(next, |end| end.min(next));
                let end = end.min(range.end);
                sweep.emit(at..end);
                sweep.leave(end);
                at = end;
            }
        }
        sweep.out
    }
}

/// A sweep over what was found.
#[derive(Default)]
struct Sweep {
    /// What covers the present position.
    active: Vec<(Range<DevPos>, What)>,
    /// Until where there is more than is kept, and how much.
    crowded: Option<(DevPos, u64)>,
    out: Vec<Found>,
}

impl Sweep {
    fn enter(&mut self, found: &(Range<DevPos>, What)) {
        if self.active.contains(found) {
            return;
        }
        if self.active.len() < MOST_OWNERS {
            self.active.push(found.clone());
        } else {
            let (until, more) = self.crowded.unwrap_or((found.0.end, 0));
            self.crowded = Some((until.max(found.0.end), more.saturating_add(1)));
        }
    }

    fn first_end(&self) -> Option<DevPos> {
        self.active.iter().map(|(range, _)| range.end).min()
    }

    fn leave(&mut self, at: DevPos) {
        self.active.retain(|(range, _)| range.end > at);
        self.crowded = self.crowded.filter(|(until, _)| *until > at);
    }

    /// Adds a stretch, to the one before where it goes on.
    fn emit(&mut self, range: Range<DevPos>) {
        let at = |active: &(Range<DevPos>, What)| {
            let further = range.start.saturating_since(active.0.start);
            active.1.advanced(further)
        };
        let whats: Vec<What> = self.active.iter().map(at).collect();
        let more = self.crowded.map_or(0, |(_, more)| more);
        if let Some(last) = self.out.last_mut()
            && last.range.end == range.start
            && last.more == more
            && goes_on(last, &whats)
        {
            last.range.end = range.end;
            return;
        }
        self.out.push(Found { range, whats, more });
    }
}

/// Whether `whats` are what the last stretch had, further on.
fn goes_on(last: &Found, whats: &[What]) -> bool {
    let len = last.range.end.bytes_since(last.range.start);
    let expected = last
        .whats
        .iter()
        .map(|what| what.advanced(len.unwrap_or(Bytes::ZERO)));
    expected.eq(whats.iter().copied())
}
