//! Rows 23 to 33: node ids, bitmap slots, and the device's size.

use super::super::candidate::{At, Candidate, signed};
use super::super::finding::{Fault, Severity};
use super::super::kernel::{Code, Kernel};
use super::super::rule::{Judge, Refusal, Rule, Stage};
use super::DAMAGED;
use super::geometry::too_small_meta_device;
use crate::format::layout::{MAX_DEVICE, MdIndex};
use crate::format::ondisk::SuperblockV09;
use crate::format::superblock::{DeviceFlags, Superblock, node_id};
use crate::units::{MD_BLOCK, SECTOR_SIZE, range_len};

/// The fewest sectors of a device that holds metadata of any other placement than an indexed slot.
const LEAST_DEVICE: i64 = 2048;
/// Sectors of the device that a sector of 8.4's bitmap stands for.
const SECTORS_OF_BITMAP_SECTOR: i64 = 32_768;

pub(in super::super) static MORE: &[Rule] = &[
    Rule {
        id: "node-id",
        severity: Severity::Error,
        row: Some(23),
        title: "the own node id is out of DRBD's range",
        meaning: "it cannot be the one in drbd.conf, and DRBD takes the metadata for another node's",
        remedy: DAMAGED,
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Kernel(Stage::Apart, own_node_id),
    },
    Rule {
        id: "own-bitmap-slot",
        severity: Severity::Error,
        row: Some(24),
        title: "the node has a bitmap slot toward itself",
        meaning: "node ids were exchanged by half, or changed by hand: this is another node's metadata with this one's id",
        remedy: "put the metadata back as it was before (`mdtool undo`, or a dump of it), and change its node id by `mdtool adopt --node-id N` or `mdtool import --node-id N`, which exchange both entries; \
            where the id is right and only this entry is wrong, `mdtool edit IMAGE --forget NODE` frees the slot",
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Kernel(Stage::Apart, own_bitmap_slot),
    },
    Rule {
        id: "bitmap-slot-range",
        severity: Severity::Error,
        row: Some(25),
        title: "a peer's bitmap slot does not exist",
        meaning: "the entry is damaged, or was made for more slots than there are; drbdmeta does not look at nodes from bm_max_peers on",
        remedy: DAMAGED,
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Kernel(Stage::Apart, bitmap_slot_range),
    },
    Rule {
        id: "no-bitmap-slots",
        severity: Severity::Error,
        row: Some(26),
        title: "there are no bitmap slots",
        meaning: "DRBD keeps at least one",
        remedy: DAMAGED,
        source: "drbd_bm_alloc (drbd_bitmap.c)",
        judge: Judge::Kernel(Stage::Apart, no_bitmap_slots),
    },
    Rule {
        id: "device-too-small",
        severity: Severity::Error,
        row: Some(29),
        title: "the device is too small for DRBD",
        meaning: "a device with metadata needs 1 MiB, and one with indexed slots 128 MiB for each up to the own",
        remedy: "make the device larger; drbdmeta then finds internal metadata by /var/lib/drbd/drbd-minor-N.lkbd, see `mdtool plan`",
        source: "drbd_adm_attach (drbd_nl.c)",
        judge: Judge::Kernel(Stage::Apart, device_too_small),
    },
    Rule {
        id: "implicit-shrink",
        severity: Severity::Error,
        row: Some(33),
        title: "the DRBD device was larger than fits now",
        meaning: "the backing device shrank, or the metadata grew: the end of the DRBD device has no place, and DRBD does not cut it off \
            by itself (drbd 9 before 9.0.13, and 8.4.7: 111 ERR_DISK_TOO_SMALL)",
        remedy: "give the backing device its former size; if the end is not in use, set `size` in the disk section to what fits",
        source: "drbd_adm_attach (drbd_nl.c)",
        judge: Judge::Kernel(Stage::Size, implicit_shrink),
    },
];

fn refuse(candidate: &Candidate<'_>, code: Code, at: At, found: String) -> Refusal {
    let fault = Fault::at(candidate.place(at), found);
    Refusal { code, fault }
}

fn v09<'a>(candidate: &Candidate<'a>) -> Option<&'a SuperblockV09> {
    match candidate.superblock {
        Superblock::V09(sb) => Some(sb),
        _ => None,
    }
}

fn own_node_id(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let found = v09(candidate)?.node_id;
    (!(-1..=31).contains(&found)).then(|| {
        let text = format!("node_id is {found}, expected -1 to 31");
        refuse(candidate, Code::MdInvalid, At::NODE_ID, text)
    })
}

fn own_bitmap_slot(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let sb = v09(candidate)?;
    let own = usize::from(node_id(sb.node_id)?.get());
    let found = sb.peers.get(own)?.bitmap_index;
    (found != -1).then(|| {
        let text =
            format!("peers[{own}].bitmap_index is {found}, expected -1: {own} is the own node id");
        refuse(candidate, Code::MdInvalid, At::bitmap_index(own), text)
    })
}

fn bitmap_slot_range(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let sb = v09(candidate)?;
    let own = node_id(sb.node_id).map(|id| usize::from(id.get()));
    let slots = i64::from(sb.bm_max_peers);
    let wrong = |index: i32| !(-1..slots).contains(&i64::from(index));
    let mut peers = sb.peers.iter().enumerate();
    let (node, peer) = peers.find(|(node, peer)| Some(*node) != own && wrong(peer.bitmap_index))?;
    let text = format!(
        "peers[{node}].bitmap_index is {}, expected -1, or less than bm_max_peers, which is {slots}",
        peer.bitmap_index
    );
    Some(refuse(
        candidate,
        Code::MdInvalid,
        At::bitmap_index(node),
        text,
    ))
}

fn no_bitmap_slots(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    (v09(candidate)?.bm_max_peers == 0).then(|| {
        let text = "bm_max_peers is 0, expected 1 to 31".to_owned();
        refuse(candidate, Code::NoMem, At::MAX_PEERS, text)
    })
}

fn device_too_small(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let least = match candidate.index {
        MdIndex::Indexed(slot) => i64::from(slot).saturating_add(1).saturating_mul(262_144),
        _ => LEAST_DEVICE,
    };
    (candidate.capacity() < least).then(|| Refusal {
        code: Code::MdDiskTooSmall,
        fault: Fault {
            found: format!(
                "the device has {} sectors, expected at least {least}",
                candidate.capacity()
            ),
            ..Fault::default()
        },
    })
}

/// The largest DRBD device that a kernel would make with this metadata here, in sectors.
pub(in super::super) fn most_sectors(candidate: &Candidate<'_>, kernel: Kernel) -> Option<i64> {
    if kernel == Kernel::V8_4 {
        // By the offsets as they are on disk; its own upper limit is far beyond any.
        return Some(if candidate.index.is_internal() {
            candidate.md_sector().saturating_add(candidate.bm_offset())
        } else {
            let area = candidate.md_size().saturating_sub(candidate.bm_offset());
            area.saturating_mul(SECTORS_OF_BITMAP_SECTOR)
        });
    }
    let layout = candidate.planned()?;
    if candidate.index.is_internal() {
        return Some(signed(layout.usable.get()));
    }
    let geometry = layout.geometry;
    let share = range_len(&layout.bm)
        .align_down(MD_BLOCK)
        .get()
        .checked_div(u64::from(geometry.max_peers))?;
    let sectors_per_bit = u64::from(geometry.bytes_per_bit).checked_div(SECTOR_SIZE.get())?;
    let limit = share.saturating_mul(8).saturating_mul(sectors_per_bit);
    Some(signed(limit.min(MAX_DEVICE.get())))
}

fn implicit_shrink(candidate: &Candidate<'_>, kernel: Kernel) -> Option<Refusal> {
    let superblock = candidate.superblock;
    let la_size = superblock.la_size();
    let most = most_sectors(candidate, kernel)?;
    let fits = u64::try_from(most).is_ok_and(|most| la_size.get() <= most);
    if fits || !superblock.flags().contains(DeviceFlags::CONSISTENT) {
        return None;
    }
    let text = format!(
        "la_size_sect is {} sectors, expected at most {most} sectors, which fit here",
        la_size.get()
    );
    let refusal = refuse(candidate, Code::ImplicitShrink, At::LA_SIZE, text);
    Some(Refusal {
        fault: too_small_meta_device(candidate, refusal.fault),
        ..refusal
    })
}
