//! Looking for magics, block by block.

use std::ops::{ControlFlow, Range};

use crate::error::Result;
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::format_of;
use crate::image::Window;
use crate::survey::traces::{Block, block_at, may_be_trace};
use crate::units::{Bytes, DevPos, MD_BLOCK};

/// Bytes looked at in one step backwards.
const STEP: Bytes = Bytes::new(1 << 20);

/// A block that carries a magic, or may have carried one.
pub(super) struct Hit {
    /// Where it is.
    pub(super) at: DevPos,
    /// What it says.
    pub(super) block: Block,
}

/// Shows every block of `range` that carries a magic or may have carried one, first to last, skipping holes.
pub(super) fn forward(
    device: Window<'_>,
    range: Range<DevPos>,
    found: &mut dyn FnMut(Hit) -> ControlFlow<()>,
) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let Some(data) = device.next_data(at)? else {
            break;
        };
        // A block may begin before the data in it.
        let start = DevPos::at(data.start.from_start().align_down(MD_BLOCK)).max(at);
        let end = data
            .end
            .from_start()
            .align_up(MD_BLOCK)
            .map_or(range.end, DevPos::at)
            .min(range.end);
        if start >= end {
            break;
        }
        if visit(device, start..end, found)?.is_break() {
            break;
        }
        at = end;
    }
    Ok(())
}

/// Shows the same, last to first, skipping holes.
pub(super) fn backward(
    device: Window<'_>,
    range: Range<DevPos>,
    found: &mut dyn FnMut(Hit) -> ControlFlow<()>,
) -> Result<()> {
    let mut end = range.end;
    let mut step = STEP;
    while end > range.start {
        let start = end
            .checked_sub(step)
            .map_or(range.start, |start| start.max(range.start));
        // Through a hole in ever larger steps: one of exbibytes would take hours. Towards data in ever smaller ones.
        if device
            .next_data(start)?
            .is_none_or(|data| data.start >= end)
        {
            end = start;
            step = step.checked_mul(2).unwrap_or(step);
            continue;
        }
        if step > STEP {
            step = Bytes::new(step.get() / 2);
            continue;
        }
        let mut hits = Vec::new();
        forward(device, start..end, &mut |hit| {
            hits.push(hit);
            ControlFlow::Continue(())
        })?;
        if hits.into_iter().rev().any(|hit| found(hit).is_break()) {
            break;
        }
        end = start;
    }
    Ok(())
}

/// Shows every block of a stretch of data.
///
/// What a visit shows may be a memory map that someone else writes to: it is compared only, and what is found is read anew.
fn visit(
    device: Window<'_>,
    range: Range<DevPos>,
    found: &mut dyn FnMut(Hit) -> ControlFlow<()>,
) -> Result<ControlFlow<()>> {
    let mut answer = Ok(ControlFlow::Continue(()));
    device.visit(range, &mut |at, piece| {
        let (blocks, _) = piece.as_chunks::<SUPERBLOCK_LEN>();
        let mut position = Some(at);
        for block in blocks {
            if (format_of(block).is_some() || may_be_trace(block))
                && let Some(at) = position
            {
                answer = block_at(device, at).map(|block| {
                    block.map_or(ControlFlow::Continue(()), |block| found(Hit { at, block }))
                });
            }
            if !matches!(answer, Ok(ControlFlow::Continue(()))) {
                return ControlFlow::Break(());
            }
            position = position.and_then(|at| at.checked_add(MD_BLOCK));
        }
        ControlFlow::Continue(())
    })?;
    answer
}
