//! Generations and peers that contradict each other.

use super::candidate::At;
use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::format::ondisk::PeerV09;
use crate::format::superblock::{Superblock, Uuid};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "slot-twice",
        severity: Severity::Error,
        row: None,
        title: "two peers share a bitmap slot",
        meaning: "kernels attach this; what is synced to one peer is then taken for synced to the other",
        remedy: "do not attach it; take the metadata of a dump from before (`mdtool import`), or sync all these peers in full",
        source: "no kernel asks; drbd_md_decode (drbd_nl.c)",
        judge: Judge::Case(slot_twice),
    },
    Rule {
        id: "current-uuid-unset",
        severity: Severity::Warning,
        row: None,
        title: "there is no current UUID",
        meaning: "DRBD takes 0 for metadata just created (4): every peer syncs to this disk in full, whatever it holds",
        remedy: "if the disk holds the data, compare with a dump or with the peer before connecting; `drbdmeta get-gi` shows the peer's",
        source: "drbd_uuid_compare (drbd_receiver.c)",
        judge: Judge::Case(current_uuid_unset),
    },
    Rule {
        id: "bitmap-uuid-fresh",
        severity: Severity::Warning,
        row: None,
        title: "a bitmap UUID without a generation of the data",
        meaning: "the current UUID says that the metadata was just created, and a bitmap counts from a generation all the same: changed by hand, \
            or damaged",
        remedy: "compare with the peer (`drbdmeta get-gi`), or take a dump from before (`mdtool import`); as it is, expect a full sync",
        source: "drbd_uuid_compare (drbd_receiver.c)",
        judge: Judge::Case(bitmap_uuid_fresh),
    },
    Rule {
        id: "day0-uuids-differ",
        severity: Severity::Warning,
        row: None,
        title: "nodes that never were peers have different bitmap UUIDs",
        meaning: "they should all have the day-0 generation; kernels before 9.1.16 and 9.2.5 lost some, and new-current-uuid --clear-bitmap before \
            9.2.18 and 9.3.2 left old ones; a peer added later may then miss changes",
        remedy: "update drbd; sync peers that are added from now on in full (`drbdadm invalidate` on the new peer)",
        source: "commits d8f5cab5b, 773c5cdc7, d8c4159c6",
        judge: Judge::Case(day0_uuids_differ),
    },
    Rule {
        id: "seeded",
        severity: Severity::Note,
        row: None,
        title: "a generation was set by set-gi, and the metadata was never attached",
        meaning: "LINSTOR and other control planes seed new volumes so; the size and the node id are set at the first attach, and with WAS_UP_TO_DATE and \
            equal generations on all nodes there is no initial sync, which is right where unwritten blocks read as zeros on each",
        remedy: "nothing",
        source: "meta_set_gi (drbdmeta.c)",
        judge: Judge::Case(seeded),
    },
    Rule {
        id: "day0-current",
        severity: Severity::Note,
        row: None,
        title: "the current UUID is still that of day 0",
        meaning: "usual for a new volume whose UUID was given beforehand, as LINSTOR does; on one in use, kernels before 9.2.17 left it so as long as \
            all peers were connected",
        remedy: "on a volume in use: see find-resources-with-unrotated-uuids.sh of drbd-utils",
        source: "drbd_uuid_is_day0 (drbd_main.c), commit 75ae22054",
        judge: Judge::Case(day0_current),
    },
];

fn peers<'a>(case: &Case<'a>) -> Option<(&'a [PeerV09; 32], Option<usize>)> {
    match case.candidate.superblock {
        Superblock::V09(sb) => Some((&sb.peers, usize::try_from(sb.node_id).ok())),
        _ => None,
    }
}

fn slot_twice(case: &Case<'_>) -> Vec<Fault> {
    let shared = shared_slots(case.candidate.superblock).into_iter();
    let fault = |(node, text)| Fault::at(case.candidate.place(At::bitmap_index(node)), text);
    shared.map(fault).collect()
}

/// Each peer that has the bitmap slot of one before it, and what is wrong with that.
fn shared_slots(superblock: &Superblock) -> Vec<(usize, String)> {
    let Superblock::V09(sb) = superblock else {
        return Vec::new();
    };
    let peers = || sb.peers.iter().enumerate();
    let mut shared = Vec::new();
    for (node, peer) in peers() {
        let mut before = peers().take(node);
        let first = before.find(|(_, other)| other.bitmap_index == peer.bitmap_index);
        // A slot that does not exist is another rule's.
        let exists = u32::try_from(peer.bitmap_index).is_ok_and(|slot| slot < sb.bm_max_peers);
        if let Some((first, _)) = first.filter(|_| exists) {
            let index = peer.bitmap_index;
            shared.push((
                node,
                format!(
                    "peers[{node}].bitmap_index is {index}, expected another than peers[{first}]'s"
                ),
            ));
        }
    }
    shared
}

/// What is wrong with a superblock that every kernel attaches all the same, and that loses changes: one sentence for each.
#[must_use]
pub fn attached_all_the_same(superblock: &Superblock) -> Vec<String> {
    let why = "two peers share a bitmap slot, and kernels attach that; what is synced to one is then taken for synced to the other";
    let shared = shared_slots(superblock).into_iter();
    shared
        .map(|(_, text)| format!("{text} (slot-twice): {why}"))
        .collect()
}

fn current_uuid_unset(case: &Case<'_>) -> Vec<Fault> {
    let unset = case.candidate.superblock.current_uuid() == Some(Uuid::NONE);
    maybe(unset.then(|| {
        let text = format!(
            "the current UUID is {}, expected one, or {}",
            Uuid::NONE,
            Uuid::JUST_CREATED
        );
        Fault::at(case.candidate.place(At::CURRENT), text)
    }))
}

fn bitmap_uuid_fresh(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    let current = superblock.current_uuid();
    if current.is_none_or(|current| current.0 | 1 != Uuid::JUST_CREATED.0 | 1) {
        return Vec::new();
    }
    let bitmap = match superblock {
        Superblock::V07(_) => None,
        Superblock::V08(sb) => Some((At(16, 8), Uuid(sb.uuid[1]))),
        Superblock::V09(sb) => sb
            .peers
            .iter()
            .enumerate()
            .map(|(node, peer)| (At::peer(node, 0, 8), Uuid(peer.bitmap_uuid)))
            .find(|(_, uuid)| uuid.names_a_generation()),
    };
    let bitmap = bitmap.filter(|(_, uuid)| uuid.names_a_generation());
    maybe(bitmap.map(|(at, uuid)| {
        let text = format!(
            "a bitmap UUID is {uuid}, expected none beside a current UUID of {}",
            Uuid::JUST_CREATED
        );
        Fault::at(case.candidate.place(at), text)
    }))
}

/// Whether metadata got its generation from set-gi, and no kernel attached it since: no node id, no size, no peer with a slot.
pub(super) fn is_seeded(superblock: &Superblock) -> bool {
    let Superblock::V09(sb) = superblock else {
        return false;
    };
    let free = sb.peers.iter().all(|peer| peer.bitmap_index == -1);
    let named = Uuid(sb.current_uuid).names_a_generation();
    sb.node_id == -1 && sb.effective_size == 0 && free && named
}

fn seeded(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    maybe(is_seeded(superblock).then(|| {
        let current = superblock.current_uuid().unwrap_or_default();
        let text = format!("the current UUID is {current}, no node id, no size and no peer is set");
        Fault::at(case.candidate.place(At::CURRENT), text)
    }))
}

fn day0_uuids_differ(case: &Case<'_>) -> Vec<Fault> {
    if is_seeded(case.candidate.superblock) {
        return Vec::new();
    }
    let Some((peers, own)) = peers(case) else {
        return Vec::new();
    };
    let mut day0 = peers
        .iter()
        .enumerate()
        .filter(|(node, peer)| Some(*node) != own && peer.bitmap_index == -1 && peer.flags == 0);
    // Which of them is right nobody knows; drbdmeta's repair-md trusts the last.
    let Some((last, trusted)) = day0.next_back() else {
        return Vec::new();
    };
    let odd = day0.find(|(_, peer)| peer.bitmap_uuid != trusted.bitmap_uuid);
    maybe(odd.map(|(node, peer)| {
        Fault::at(
            case.candidate.place(At::peer(node, 0, 8)),
            format!(
                "peers[{node}].bitmap_uuid is {}, expected {} as in peers[{last}]",
                Uuid(peer.bitmap_uuid),
                Uuid(trusted.bitmap_uuid)
            ),
        )
    }))
}

fn day0_current(case: &Case<'_>) -> Vec<Fault> {
    let Superblock::V09(sb) = case.candidate.superblock else {
        return Vec::new();
    };
    let named = Uuid(sb.current_uuid).names_a_generation();
    let alone = sb.history_uuids.iter().all(|uuid| *uuid == 0)
        && sb.peers.iter().all(|peer| peer.bitmap_uuid == 0);
    maybe((named && alone && sb.effective_size != 0).then(|| {
        let text = format!(
            "the current UUID is {}, and there is no other",
            Uuid(sb.current_uuid)
        );
        Fault::at(case.candidate.place(At::CURRENT), text)
    }))
}
