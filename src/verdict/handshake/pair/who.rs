//! Who meets: kernels, generations that nobody has, node ids.

use super::remark::Obstacle;
use crate::format::metadata::{Generation, NODE_IDS};
use crate::verdict::handshake::Family;
use crate::verdict::handshake::options::Options;
use crate::verdict::handshake::replica::Replica;

/// The kernels that each is attached by: those that are named, or those that its format is of.
pub(super) fn families(replicas: [&Replica; 2], options: &Options) -> [Family; 2] {
    replicas.map(|replica| match options.kernel {
        Some(kernel) if kernel.is_9() => Family::V9,
        Some(_) => Family::V8,
        None => Family::of(replica.header.format()),
    })
}

/// What a pair is called by: the newer one's.
pub(super) fn newer(families: [Family; 2]) -> Family {
    if families.contains(&Family::V9) {
        Family::V9
    } else {
        Family::V8
    }
}

/// Two generations that nobody has, for promotions that start one.
pub(super) fn unused(replicas: [&Replica; 2]) -> [u64; 2] {
    let known: Vec<u64> = replicas
        .iter()
        .filter_map(|replica| match &replica.header.generation {
            Generation::V08(generation) => Some(generation.uuids),
            _ => None,
        })
        .flatten()
        .map(|uuid| uuid.0 | 1)
        .collect();
    let mut free = (8..u64::MAX)
        .step_by(2)
        .filter(|uuid| !known.contains(&(uuid | 1)));
    // OK to fall back: eight are known, and there are more.
    [
        free.next().unwrap_or_default(),
        free.next().unwrap_or_default(),
    ]
}

/// Both nodes' ids: what they say, or what the other has an entry for.
pub(super) fn node_ids(replicas: [&Replica; 2]) -> std::result::Result<[usize; 2], Obstacle> {
    let own = |replica: &Replica| match &replica.header.generation {
        Generation::V09(generation) => usize::try_from(generation.node_id).ok(),
        _ => None,
    };
    let known = |replica: &Replica, but: usize| match &replica.header.generation {
        Generation::V09(generation) => {
            let mut peers = generation.peers.iter().enumerate();
            let assigned = peers.find(|(node, entry)| *node != but && entry.bitmap_index >= 0);
            assigned.map_or(usize::from(but == 0), |(node, _)| node)
        }
        _ => usize::from(but == 0),
    };
    match replicas.map(own) {
        [Some(a), Some(b)] if a == b => Err(Obstacle::SameNodeId { id: a }),
        [Some(a), Some(b)] if a.max(b) < NODE_IDS => Ok([a, b]),
        [Some(a), _] if a < NODE_IDS => Ok([a, known(replicas[0], a)]),
        [_, Some(b)] if b < NODE_IDS => Ok([known(replicas[1], b), b]),
        _ => Ok([0, 1]),
    }
}
