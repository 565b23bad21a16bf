//! Flags that say what went wrong.

use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use super::subject::At;
use crate::format::superblock::{DeviceFlags, Format, Superblock, Uuid};

/// `MDF_FULL_SYNC`, v08.
const FULL_SYNC: DeviceFlags = DeviceFlags(1 << 3);
/// `MDF_PEER_FULL_SYNC`.
const PEER_FULL_SYNC: u32 = 1 << 3;
/// `MDF_NODE_EXISTS`.
const NODE_EXISTS: u32 = 1 << 16;
/// Every flag that some version of DRBD had.
const KNOWN_FLAGS: [(Format, u32); 2] = [(Format::V08, 0x1FF), (Format::V09, 0x7DF)];

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "flags-unset",
        severity: Severity::Warning,
        row: None,
        title: "no flag says that the data is consistent",
        meaning: "the disk attaches as Inconsistent; drbd-utils from 2012 to 9.32 dumped v08 flags as 0, and restoring such a dump leaves this; a \
            sync that was cut off looks the same",
        remedy: "if it was restored from a dump, import that again with the right flags: `mdtool import TARGET DUMP --flags 0x…`",
        source: "drbd-utils 9.33, commit 725d989e",
        judge: Judge::Case(flags_unset),
    },
    Rule {
        id: "full-sync-flags",
        severity: Severity::Warning,
        row: None,
        title: "every peer is marked for a full sync, and the activity log is off",
        meaning: "moving the metadata online was cut off, or the disk section says `bitmap no`; all bits are taken as set at the next attach",
        remedy: "if `bitmap no` is not wanted, expect a full sync; the flags go away with it",
        source: "drbd_md_write (drbd_main.c), commit 268976b92",
        judge: Judge::Case(full_sync_flags),
    },
    Rule {
        id: "al-disabled-slots",
        severity: Severity::Warning,
        row: None,
        title: "the activity log is off, and there are slots for more than one peer",
        meaning: "`al-updates no`, or drbd 9.1.19 to 9.1.23 or 9.2.8 to 9.2.13 on a Secondary: after a crash, or in a snapshot, the slots \
            without a peer miss changes, and a peer added later is not synced wholly",
        remedy: "update drbd; sync peers that are added from now on in full (`drbdadm invalidate` on the new peer)",
        source: "drbd 9.2.14, commit 53fe7073c",
        judge: Judge::Case(al_disabled_slots),
    },
    Rule {
        id: "al-disabled-crashed",
        severity: Severity::Warning,
        row: None,
        title: "a Primary crashed while the activity log was off",
        meaning: "DRBD takes all bits as set when it attaches: everything is synced",
        remedy: "expect a full sync",
        source: "drbd_adm_attach (drbd_nl.c)",
        judge: Judge::Case(al_disabled_crashed),
    },
    Rule {
        id: "node-exists-everywhere",
        severity: Severity::Warning,
        row: None,
        title: "every node id is marked as existing",
        meaning: "drbd 9.1.7 to 9.1.12 did that, and versions before 9.0.26 little by little; drbd treats nodes that never were as peers",
        remedy: "update drbd: newer kernels clear it by themselves",
        source: "drbd 9.1.13, 9.0.26",
        judge: Judge::Case(node_exists_everywhere),
    },
    Rule {
        id: "flags-unknown",
        severity: Severity::Note,
        row: None,
        title: "flags that no version known to mdtool has",
        meaning: "a newer drbd, or damage",
        remedy: "compare with the other nodes (`mdtool check` there)",
        source: "enum mdf_flag (drbd.h)",
        judge: Judge::Case(flags_unknown),
    },
];

fn flags_unset(case: &Case<'_>) -> Vec<Fault> {
    let Superblock::V08(sb) = case.subject.superblock else {
        return Vec::new();
    };
    let unset = sb.flags & !DeviceFlags::AL_CLEAN.0 == 0;
    let used = Uuid(sb.uuid[0]).names_a_generation() && sb.la_size_sect != 0;
    maybe((unset && used).then(|| {
        Fault::at(
            case.subject.place(At::FLAGS),
            format!(
                "flags are {}, expected MDF_CONSISTENT (0x00000001) among them",
                DeviceFlags(sb.flags)
            ),
        )
    }))
}

/// Whether the flags of all other nodes have a bit.
fn all_peers_have(superblock: &Superblock, bit: u32) -> bool {
    let Superblock::V09(sb) = superblock else {
        return false;
    };
    let own = usize::try_from(sb.node_id).ok();
    let mut others = (0..).zip(&sb.peers).filter(|(node, _)| Some(*node) != own);
    others.all(|(_, peer)| peer.flags & bit != 0)
}

fn flag_fault(case: &Case<'_>, found: bool, text: &str) -> Vec<Fault> {
    maybe(found.then(|| {
        let flags = case.subject.superblock.flags();
        Fault::at(
            case.subject.place(At::FLAGS),
            format!("flags are {flags}: {text}"),
        )
    }))
}

fn full_sync(superblock: &Superblock) -> bool {
    match superblock {
        Superblock::V07(_) => false,
        Superblock::V08(_) => superblock.flags().contains(FULL_SYNC),
        Superblock::V09(_) => all_peers_have(superblock, PEER_FULL_SYNC),
    }
}

fn al_disabled(superblock: &Superblock) -> bool {
    superblock.format() != Format::V07 && superblock.flags().contains(DeviceFlags::AL_DISABLED)
}

fn full_sync_flags(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.subject.superblock;
    let found = al_disabled(superblock) && full_sync(superblock);
    flag_fault(
        case,
        found,
        "MDF_AL_DISABLED is set, and full sync for all peers",
    )
}

fn al_disabled_slots(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.subject.superblock;
    let slots = superblock.geometry().max_peers;
    let found = al_disabled(superblock) && slots > 1 && !full_sync(superblock);
    let text = format!("MDF_AL_DISABLED is set, and bm_max_peers is {slots}");
    flag_fault(case, found, &text)
}

fn al_disabled_crashed(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.subject.superblock;
    let crashed = superblock.flags().contains(DeviceFlags::CRASHED_PRIMARY);
    let found = al_disabled(superblock) && crashed;
    flag_fault(
        case,
        found,
        "MDF_AL_DISABLED and MDF_CRASHED_PRIMARY are set",
    )
}

fn node_exists_everywhere(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.subject.superblock;
    // 31 peers with a slot each do exist.
    let has_free = matches!(superblock, Superblock::V09(sb) if sb.bm_max_peers < 31);
    let found = has_free && all_peers_have(superblock, NODE_EXISTS);
    maybe(found.then(|| {
        Fault::at(
            case.subject.place(At::peer(0, 16, 4)),
            "MDF_NODE_EXISTS is set in all entries of peers, expected in those of nodes that exist",
        )
    }))
}

fn flags_unknown(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.subject.superblock;
    let mut known = KNOWN_FLAGS.into_iter();
    let Some((_, known)) = known.find(|(format, _)| *format == superblock.format()) else {
        return Vec::new();
    };
    let unknown = superblock.flags().0 & !known;
    let text = format!("0x{unknown:08X} of that is unknown");
    flag_fault(case, unknown != 0, &text)
}
