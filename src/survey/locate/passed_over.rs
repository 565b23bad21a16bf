//! What stands where a level was expected that a search then found elsewhere.

use super::{FoundBy, Located};
use crate::format::metadata::Header;
use crate::survey::traces::{Trace, TraceKind};
use crate::units::DevPos;

impl Located {
    /// What is left of another resource between a level that a search found and the one around it, what matters most first.
    #[must_use]
    pub fn passed_over(&self, number: usize) -> Vec<&Trace> {
        let found = self.levels.get(number);
        let Some(found) = found.filter(|level| level.found_by == FoundBy::Scan) else {
            return Vec::new();
        };
        let around = number
            .checked_sub(1)
            .and_then(|outer| self.levels.get(outer));
        let between =
            |at: DevPos| at > found.layout.md && around.is_none_or(|around| at < around.layout.md);
        // What `relocate --for-size` retired says all that the found one says: that is where it was before.
        let was_here = |trace: &Trace| {
            let old = trace.level.as_ref().map(|old| Header::of(&old.superblock));
            old.is_some_and(|old| old == Header::of(&found.superblock))
        };
        let of_another = |trace: &&Trace| match trace.kind {
            TraceKind::Retired => !was_here(trace),
            // A log that is this resource's own says nothing of another.
            TraceKind::LogAlone { log, .. } => trace.in_place && !found.layout.whole.contains(&log),
            TraceKind::Erased { .. } | TraceKind::UnderWay => trace.in_place,
        };
        let traces = self.traces.iter().filter(|trace| between(trace.at));
        let mut traces: Vec<&Trace> = traces.filter(of_another).collect();
        traces.sort_by_key(|trace| match trace.kind {
            TraceKind::UnderWay => 0,
            TraceKind::Retired => 1,
            TraceKind::Erased { .. } | TraceKind::LogAlone { .. } => 2,
        });
        traces
    }
}
