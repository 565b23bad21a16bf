//! Answers made of one finding.

use super::super::{Answer, Damage, Moved, Probed, Unseen};
use crate::error::Misfit;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::superblock::Superblock;
use crate::survey::locate::{Level, Located};
use crate::survey::traces::{Trace, TraceKind};
use crate::units::{DevPos, MD_BLOCK, SectorDelta};

/// One level, and nothing else looked at.
pub(super) fn just(level: Level) -> Located {
    Located {
        levels: vec![level],
        ..Located::default()
    }
}

/// What is left of metadata where there is none that counts.
pub(super) fn left(located: &Located) -> Option<Answer> {
    located.foremost_trace().and_then(of_trace)
}

/// What a trace comes to.
pub(super) fn of_trace(trace: &Trace) -> Option<Answer> {
    let at = trace.at;
    Some(match (trace.kind, trace.format) {
        (TraceKind::LogAlone { log, left }, _) => Answer::Damaged(Damage::LogAlone {
            log,
            left,
            superblock: at,
        }),
        (TraceKind::Erased { found }, Some(format)) => {
            Answer::Damaged(Damage::Magic { at, format, found })
        }
        (TraceKind::UnderWay, Some(format)) => Answer::Damaged(Damage::UnderWay { at, format }),
        (TraceKind::Retired, Some(format)) => Answer::Moved(Moved::Retired { at, format }),
        (_, None) => return None,
    })
}

pub(super) fn unseen(why: Unseen) -> Probed {
    Probed::of(Answer::Unseen(why), Located::default())
}

/// What is wrong with a superblock that has neither external nor internal metadata's offsets.
pub(super) fn internal_misfit(superblock: &Superblock, at: DevPos) -> Option<Misfit> {
    let behind = SectorDelta::new(8);
    if superblock.al_offset() == behind {
        return None;
    }
    let device = at.checked_add(MD_BLOCK)?.from_start();
    MdLayout::of(superblock, MdIndex::FlexInternal, device).err()
}

pub(super) fn damaged(
    at: DevPos,
    superblock: &Superblock,
    misfit: Misfit,
    in_place: bool,
) -> Probed {
    let damage = Damage::Superblock {
        at,
        format: superblock.format(),
        misfit,
        in_place,
    };
    Probed::of(Answer::Damaged(damage), Located::default())
}
