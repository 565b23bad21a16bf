//! Who is who in DRBD 9: this node, the one that the copy goes to, and those that stay.

use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{Superblock, node_id};
use crate::units::NodeId;

/// The nodes of a resource, as its metadata knows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Nodes {
    pub(crate) own: Option<u8>,
    /// Where the copy goes: as said, else the only peer with a bitmap slot.
    pub(crate) target: Option<u8>,
    /// Whether that was said.
    pub(crate) said: bool,
    /// Whether it has a bitmap slot.
    pub(crate) tracked: bool,
    /// The other peers with a slot; one without a number stands for several of whom nobody said which is the target.
    pub(crate) staying: Vec<Option<u8>>,
}

/// This node's id.
pub(crate) fn own(superblock: &Superblock) -> Option<u8> {
    Header::of(superblock).node_id().map(NodeId::get)
}

impl Nodes {
    pub(crate) fn of(superblock: &Superblock, said: Option<u8>) -> Self {
        let Generation::V09(generation) = Header::of(superblock).generation else {
            return Self::default();
        };
        let own = own(superblock);
        let assigned = generation.peers.iter().zip(0_i32..);
        let assigned = assigned.filter(|(entry, _)| entry.bitmap_index >= 0);
        let slots: Vec<u8> = assigned
            .filter_map(|(_, node)| node_id(node).map(NodeId::get))
            .filter(|node| Some(*node) != own)
            .collect();
        let only = match &slots[..] {
            [only] => Some(*only),
            _ => None,
        };
        let target = said.or(only);
        let staying = match target {
            Some(target) => slots.iter().filter(|node| **node != target).copied().map(Some).collect(),
            None if slots.is_empty() => Vec::new(),
            None => vec![None],
        };
        Self {
            own,
            target,
            said: said.is_some(),
            tracked: target.is_some_and(|target| slots.contains(&target)),
            staying,
        }
    }
}
