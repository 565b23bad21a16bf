//! Changes of every shape that a draft may have.

use proptest::prelude::*;

use super::scenario::{Put, SECTOR, Scenario, superblock};
use crate::format::ondisk::SUPERBLOCK_LEN;

const BLOCK: usize = SUPERBLOCK_LEN;
const MAGICS: [u32; 4] = [0x8374_026A, 0x8374_026B, 0x8374_026C, 0x8374_026D];

/// What a block is to a change.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// Not touched.
    Data,
    /// Part of a bitmap or log.
    Body,
    /// Part of one that begins anew, so that two areas lie side by side.
    NextBody,
    /// Part of a bitmap that is written over an old superblock.
    BodyOverSuperblock,
    /// A superblock that gets another.
    Replaced,
    /// A superblock that goes.
    Retired,
    /// A place for a superblock where there was none.
    Fresh,
    /// An old copy.
    Copy,
    /// Part of an old log that is wiped.
    Wiped,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    role: Role,
    /// What the block holds, and what it will: one of few contents, so that some are equal.
    old: u8,
    new: u8,
    magic: usize,
}

fn cell() -> impl Strategy<Value = Cell> {
    let role = prop_oneof![
        3 => Just(Role::Data),
        6 => Just(Role::Body),
        1 => Just(Role::NextBody),
        1 => Just(Role::BodyOverSuperblock),
        2 => Just(Role::Replaced),
        1 => Just(Role::Retired),
        1 => Just(Role::Fresh),
        1 => Just(Role::Copy),
        1 => Just(Role::Wiped),
    ];
    (role, 0_u8..6, 0_u8..6, 0..MAGICS.len()).prop_map(|(role, old, new, magic)| Cell {
        role,
        old,
        new,
        magic,
    })
}

/// Few contents: zeros, ones, and four in which every sector is another.
fn content(kind: u8) -> Vec<u8> {
    match kind {
        0 => vec![0; BLOCK],
        1 => vec![0xFF; BLOCK],
        _ => (0..BLOCK)
            .map(|at| (at / 100 * 7).to_le_bytes()[0].wrapping_add(kind))
            .collect(),
    }
}

/// A disk of up to 16 blocks, which need not begin where a block of 4096 bytes would, and a change of it.
pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    let cells = prop::collection::vec(cell(), 1..16);
    let shift = prop_oneof![Just(0), 1_usize..8];
    // How many blocks of the end go, and how long the rest behind them is.
    let cut = prop::option::weighted(0.4, (0_usize..4, 0..2 * SECTOR));
    (cells, shift, cut).prop_map(|(cells, shift, cut)| build(&cells, shift * SECTOR, cut))
}

fn build(cells: &[Cell], shift: usize, cut: Option<(usize, usize)>) -> Scenario {
    let rest = cut.map_or(SECTOR, |(_, rest)| rest);
    let mut scenario = Scenario::of(vec![0x5A; shift + cells.len() * BLOCK + rest]);
    let kept = cells
        .len()
        .saturating_sub(cut.map_or(0, |(blocks, _)| blocks));
    let end = shift + kept * BLOCK;
    scenario.cut = cut.map(|_| end).filter(|end| *end < scenario.old.len());
    let mut last = Role::Data;
    for (number, cell) in cells.iter().enumerate() {
        let mut cell = *cell;
        if number >= kept && !matches!(cell.role, Role::Retired) {
            cell.role = Role::Data;
        }
        let at = shift + number * BLOCK;
        let sb = |kind: u8| superblock(MAGICS[cell.magic], kind);
        let old = match cell.role {
            Role::BodyOverSuperblock | Role::Replaced | Role::Retired | Role::Copy => sb(cell.old),
            _ => content(cell.old),
        };
        scenario.old[at..at + BLOCK].copy_from_slice(&old);
        let put = |bytes| Put { at, bytes };
        match cell.role {
            Role::Data => {}
            Role::Body | Role::BodyOverSuperblock | Role::NextBody => {
                if matches!(cell.role, Role::BodyOverSuperblock) {
                    scenario.retire.push(at);
                }
                let goes_on =
                    matches!(last, Role::Body | Role::BodyOverSuperblock | Role::NextBody)
                        && !matches!(cell.role, Role::NextBody);
                match scenario.body.last_mut() {
                    Some(area) if goes_on => area.bytes.extend(content(cell.new)),
                    _ => scenario.body.push(put(content(cell.new))),
                }
            }
            Role::Replaced => {
                scenario.retire.push(at);
                scenario.commit.push(put(sb(cell.new)));
            }
            Role::Retired => scenario.retire.push(at),
            Role::Fresh => scenario.commit.push(put(sb(cell.new))),
            Role::Copy => scenario.clean_up.push(at),
            Role::Wiped => scenario.wipe.push(put(content(cell.new))),
        }
        last = cell.role;
    }
    scenario.finished()
}
