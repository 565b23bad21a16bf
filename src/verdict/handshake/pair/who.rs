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
    let [own, other] = replicas.map(own_id);
    let beside = |id: usize, replica: &Replica| {
        first_peer(replica, Some(id)).unwrap_or_else(|| usize::from(id == 0))
    };
    match (own, other) {
        (Some(a), Some(b)) if a == b => Err(Obstacle::SameNodeId { id: a }),
        (Some(a), Some(b)) => Ok([a, b]),
        (Some(a), None) => Ok([a, beside(a, replicas[0])]),
        (None, Some(b)) => Ok([beside(b, replicas[1]), b]),
        (None, None) => Ok(unnamed(replicas)),
    }
}

/// The id that a replica says is its own, if a node can have it.
fn own_id(replica: &Replica) -> Option<usize> {
    match &replica.header.generation {
        Generation::V09(generation) => usize::try_from(generation.node_id)
            .ok()
            .filter(|id| *id < NODE_IDS),
        _ => None,
    }
}

/// The first node, but itself, that it has a slot for.
fn first_peer(replica: &Replica, but: Option<usize>) -> Option<usize> {
    let Generation::V09(generation) = &replica.header.generation else {
        return None;
    };
    let mut peers = generation.peers.iter().enumerate();
    let found = peers.find(|(node, entry)| Some(*node) != but && entry.bitmap_index >= 0);
    found.map(|(node, _)| node)
}

/// Ids for two that do not say theirs: the same whichever is named first.
fn unnamed(replicas: [&Replica; 2]) -> [usize; 2] {
    let free = |taken: usize| usize::from(taken == 0);
    match replicas.map(|replica| first_peer(replica, None)) {
        [Some(peer), Some(own)] if peer != own => [own, peer],
        [Some(peer), None] => [free(peer), peer],
        [None, Some(own)] => [own, free(own)],
        _ => {
            // Nothing decides: any order of what they say will do.
            let [a, b] = replicas.map(|replica| format!("{:?}", replica.header));
            if a <= b { [0, 1] } else { [1, 0] }
        }
    }
}
