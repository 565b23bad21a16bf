//! The log of 0.7 to 8.3: up to 64 sectors, of which the ring takes as many as its table needs.

use crate::error::Result;

use super::record::{AlPlace, Content, Entry};
use super::replay::{Outcome, Places, replay as replay_ring};
use super::ring::Numbering;
use super::verdict::{Doubt, Verdict};
use super::{AlArea, ReadBlock};

/// Blocks of the area (`MD_AL_MAX_SECT_07`, `drbdmeta.c`: 64 sectors).
const BLOCKS: u32 = 8;
/// Sectors in a block.
const SECTORS: u32 = 8;
/// Slots of context in one transaction (`AL_EXTENTS_PT`).
const CONTEXT: u32 = 61;

/// Replays the log.
///
/// The ring has one sector more than the context of the whole table needs, and the area has more sectors than most rings; so the ring's
/// length depends on `al_nr_extents`. That it is right shows where no newer transaction lies beyond the ring, and none in it tells of
/// further slots.
pub(super) fn replay(
    area: &AlArea,
    blocks: u32,
    read_block: &mut ReadBlock<'_>,
    visit: &mut dyn FnMut(&Entry),
) -> Result<Outcome> {
    let mut sectors = Vec::new();
    for block in 0..blocks.min(BLOCKS) {
        let mut bytes = [0; 4096];
        read_block(u64::from(block), &mut bytes)?;
        sectors.extend(bytes.as_chunks().0.iter().map(Content::of_sector));
    }
    let most = blocks.min(BLOCKS).saturating_mul(SECTORS);
    let len = area.al_nr_extents.div_ceil(CONTEXT).saturating_add(1);
    let sector = |position: u32| {
        let index = usize::try_from(position).ok();
        index.and_then(|index| sectors.get(index)).cloned()
    };
    let places = Places {
        len: len.min(most),
        numbering: Numbering::Chained,
        table_size: Some(area.al_nr_extents),
        place_of: &|position| AlPlace::Sector(u64::from(position)),
        // OK to expect: the ring is no longer than the sectors are many.
        read: &mut |position| Ok(sector(position).expect("the ring is of these sectors")),
    };
    let mut outcome = replay_ring(places, visit)?;
    let mut doubts = Vec::new();
    if len > most {
        doubts.push(Doubt::TableTooLarge {
            al_nr_extents: area.al_nr_extents,
            most: most.saturating_sub(1).saturating_mul(CONTEXT),
        });
    }
    let beyond = (len..most).find_map(|position| match sector(position) {
        Some(Content::Transaction(found)) if is_newer(found.number, outcome.newest) => {
            Some(Doubt::BeyondRing {
                place: AlPlace::Sector(u64::from(position)),
                number: found.number,
            })
        }
        _ => None,
    });
    doubts.extend(beyond);
    outcome.verdict = match (outcome.verdict, doubts) {
        (Verdict::Incomplete(mut all), doubts) => {
            all.extend(doubts);
            Verdict::Incomplete(all)
        }
        (Verdict::Complete(_), doubts) if !doubts.is_empty() => Verdict::Incomplete(doubts),
        (verdict, _) => verdict,
    };
    Ok(outcome)
}

/// Whether a transaction is newer than the ring's newest, if the ring has any.
fn is_newer(number: u32, newest: Option<u32>) -> bool {
    newest.is_none_or(|newest| number.wrapping_sub(newest).cast_signed() > 0)
}
