//! Flags that say what went wrong.

use super::candidate::At;
use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::error::Result;
use crate::format::ondisk::SuperblockV08;
use crate::format::superblock::{DeviceFlags, Format, MAGIC_84_UNCLEAN, Superblock, Uuid};

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
        meaning: "the disk attaches as Inconsistent; drbd-utils from 2012 to 9.32 dumped v08 flags as 0, and restoring such a dump leaves this",
        remedy: "if it was restored from a dump of a disk that was good, import that again with its flags: `mdtool import TARGET DUMP --flags 0x91`",
        source: "drbd-utils 9.33, commit 725d989e",
        judge: Judge::Read(flags_unset),
    },
    Rule {
        id: "full-sync-flags",
        severity: Severity::Warning,
        row: None,
        title: "every peer is marked for a full sync, and the activity log is off",
        meaning: "moving the metadata online was interrupted, or the disk section says `bitmap no`; all bits are set at the next attach, but no sync follows \
            from that alone: with equal current UUIDs DRBD 8.4 does not sync, and 9.3.3 clears the bits and the flag",
        remedy: "if the disks may differ, `drbdadm invalidate` on the side that is to be overwritten, or `drbdadm verify` once connected",
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

fn flags_unset(case: &Case<'_>) -> Result<Vec<Fault>> {
    let Superblock::V08(sb) = case.candidate.superblock else {
        return Ok(Vec::new());
    };
    let unset = sb.flags & !DeviceFlags::AL_CLEAN.0 == 0;
    let used = Uuid(sb.uuid[0]).names_a_generation() && sb.la_size_sect != 0;
    // A kernel that wrote these flags meant them: the disk really is Inconsistent.
    let by_kernel = sb.magic == MAGIC_84_UNCLEAN;
    if !unset || !used || by_kernel || is_sync_target(case, sb)? {
        return Ok(Vec::new());
    }
    Ok(vec![Fault::at(
        case.candidate.place(At::FLAGS),
        format!(
            "flags are {}, expected MDF_CONSISTENT (0x00000001) among them",
            DeviceFlags(sb.flags)
        ),
    )])
}

/// Whether a sync to this disk was not finished: bits are set, and count from no generation of its own.
fn is_sync_target(case: &Case<'_>, superblock: &SuperblockV08) -> Result<bool> {
    let Some(level) = case.level.filter(|_| superblock.uuid[1] == 0) else {
        return Ok(false);
    };
    let bitmap = level.bitmap(case.device);
    let budget = Case::bitmap_budget();
    if bitmap.data_at_most(budget)? >= budget {
        return Ok(false);
    }
    let size = level.superblock.la_size().min(level.layout.usable);
    let Some(bits) = level.layout.geometry.bits(size) else {
        return Ok(false);
    };
    let set = bitmap.count_slots(bits)?;
    Ok(set.iter().any(|set| *set > 0))
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
        let flags = case.candidate.superblock.flags();
        Fault::at(
            case.candidate.place(At::FLAGS),
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

/// Whether the flags are those that DRBD sets while it moves its metadata online, and takes back afterwards.
#[must_use]
pub fn move_was_cut_off(superblock: &Superblock) -> bool {
    al_disabled(superblock) && full_sync(superblock)
}

fn full_sync_flags(case: &Case<'_>) -> Vec<Fault> {
    let found = move_was_cut_off(case.candidate.superblock);
    flag_fault(
        case,
        found,
        "MDF_AL_DISABLED is set, and full sync for all peers",
    )
}

fn al_disabled_slots(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    let slots = superblock.geometry().max_peers;
    let found = al_disabled(superblock) && slots > 1 && !full_sync(superblock);
    let text = format!("MDF_AL_DISABLED is set, and bm_max_peers is {slots}");
    flag_fault(case, found, &text)
}

fn al_disabled_crashed(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    let crashed = superblock.flags().contains(DeviceFlags::CRASHED_PRIMARY);
    let found = al_disabled(superblock) && crashed;
    flag_fault(
        case,
        found,
        "MDF_AL_DISABLED and MDF_CRASHED_PRIMARY are set",
    )
}

fn node_exists_everywhere(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    // 31 peers with a slot each do exist.
    let has_free = matches!(superblock, Superblock::V09(sb) if sb.bm_max_peers < 31);
    let found = has_free && all_peers_have(superblock, NODE_EXISTS);
    maybe(found.then(|| {
        Fault::at(
            case.candidate.place(At::peer(0, 16, 4)),
            "MDF_NODE_EXISTS is set in all entries of peers, expected in those of nodes that exist",
        )
    }))
}

fn flags_unknown(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    let mut known = KNOWN_FLAGS.into_iter();
    let Some((_, known)) = known.find(|(format, _)| *format == superblock.format()) else {
        return Vec::new();
    };
    let unknown = superblock.flags().0 & !known;
    let text = format!("0x{unknown:08X} of that is unknown");
    flag_fault(case, unknown != 0, &text)
}
