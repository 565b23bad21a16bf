//! The superblock that a caller names by its position.

use super::{FoundBy, IndexChoice, Level, Located, locate_at};
use crate::error::{Corrupt, Error, Result};
use crate::image::Window;
use crate::survey::places;
use crate::survey::traces::{self, Block, Trace, block_at};
use crate::units::DevPos;

/// The resource whose superblock is at a position, also where that lacks only its magic: then it is among the traces.
///
/// # Errors
///
/// [`Error::Corrupt`] where there is neither; read errors.
pub fn located_at(device: Window<'_>, at: DevPos, index: IndexChoice) -> Result<Located> {
    let located = |level: Level, traces: Vec<Trace>| Located {
        levels: vec![level],
        traces,
        ..Located::default()
    };
    match locate_at(device, at, index) {
        Ok(level) => Ok(located(level, Vec::new())),
        Err(error @ Error::Corrupt(Corrupt::Magic { .. })) => match trace_at(device, at, index)? {
            Some(trace) => match trace.level.clone() {
                Some(level) => Ok(located(level, vec![trace])),
                None => Err(error),
            },
            None => Err(error),
        },
        Err(error) => Err(error),
    }
}

/// The trace at a position.
fn trace_at(device: Window<'_>, at: DevPos, index: IndexChoice) -> Result<Option<Trace>> {
    let Some(Block::Other(block)) = block_at(device, at)? else {
        return Ok(None);
    };
    let places = places::outermost(index, device.size());
    let mut here = places.into_iter().filter(|place| place.at == at);
    let trace = here
        .find_map(|place| traces::in_place(&block, place))
        .or_else(|| traces::by_position(&block, at, device.size()));
    Ok(trace.map(|trace| Trace {
        level: trace.level.map(|level| Level {
            found_by: FoundBy::Given,
            ..level
        }),
        ..trace
    }))
}
