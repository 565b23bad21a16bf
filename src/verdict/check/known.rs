//! Superblocks that kernels take and something is wrong with all the same: drbdmeta's rules, and sizes that known bugs leave behind.

use super::candidate::{At, Candidate};
use super::finding::{Fault, Severity};
use super::kernel::Kernel;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::error::{Expected, Field, Misfit};
use crate::format::layout::{MAX_PEERS, MD_RESERVED, MdIndex, MdLayout};
use crate::format::superblock::{DeviceFlags, Format, Superblock, Uuid};
use crate::units::{Bytes, MD_BLOCK};

/// As far as kernels before 9.1.6 reach for a bitmap.
const REACHED: Bytes = Bytes::new(128 << 40);
/// Slots that a kernel can have and drbdmeta cannot.
const UNSAFE_SLOTS: i128 = 32;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "layout",
        severity: Severity::Error,
        row: None,
        title: "something is not where DRBD's formulas have it",
        meaning: "no kernel refuses this: they attach it and then reckon the places anew, so that the bitmap and the \
            log are read where they are not",
        remedy: "do not attach it; a dump of this metadata, if there is one, goes back with `mdtool import`, which writes an undo file \
            first; else look for an intact copy in a snapshot or a backup of this disk",
        source: "is_valid_md (drbdmeta.c), drbd_md_set_sector_offsets (drbd_nl.c)",
        judge: Judge::Case(layout),
    },
    Rule {
        id: "layout-8.9.1",
        severity: Severity::Error,
        row: None,
        title: "the metadata is a little too small, as drbd-utils 8.9.0 and 8.9.1 made it",
        meaning: "they did not round each slot up to 64 bits; newer drbdmeta says \"strange md_size_sect\"",
        remedy: "take the metadata out with the drbd-utils that made it (dump-md), and put it back with `mdtool import`",
        source: "drbd-utils 8.9.2, commit 7969b9dc",
        judge: Judge::Case(layout_8_9_1),
    },
    Rule {
        id: "al-striping-unset",
        severity: Severity::Warning,
        row: None,
        title: "the activity log's striping is not set",
        meaning: "0 and 0 mean 1 and 8, and DRBD 8.3 left it so; kernels 9.2.15 to 9.3.3 take it literally and divide by it at the first write",
        remedy: "`drbdadm up` runs drbdmeta apply-al, which writes 1 and 8; do not attach with drbdsetup alone",
        source: "check_activity_log_stripe_size (drbd_nl.c), commit cec99e5ac",
        judge: Judge::Case(al_striping_unset),
    },
    Rule {
        id: "la-size-clipped",
        severity: Severity::Warning,
        row: None,
        title: "the agreed size is more than fits, and the data is not consistent",
        meaning: "DRBD attaches and makes the device smaller without a word, since the data is to be synced anyway",
        remedy: "give the backing device its former size, if the device is to keep its size",
        source: "drbd_new_dev_size (drbd_nl.c), clip_effective_size_and_bm_bytes (drbdmeta.c)",
        judge: Judge::Case(la_size_clipped),
    },
    Rule {
        id: "la-size-unset",
        severity: Severity::Warning,
        row: None,
        title: "no size was agreed on, and yet the data has a history",
        meaning: "drbd-utils 9.28 to 9.32 lost the size when they converted metadata; drbd 8.4 and 9.2.18 and newer then sync everything",
        remedy: "if a dump from before the conversion exists, take la-size-sect from there; else expect a full sync",
        source: "drbd-utils 9.28 to 9.32; drbd_bm_read (drbd_bitmap.c)",
        judge: Judge::Case(la_size_unset),
    },
    Rule {
        id: "flex-external-slots",
        severity: Severity::Note,
        row: None,
        title: "the slots do not share the meta device evenly",
        meaning: "where the backing device is larger than the metadata allows, kernels allow themselves a few sectors too many, and attaching \
            ends with 140 ERR_NOMEM_BITMAP",
        remedy: "only for a backing device that is larger: set `size` in the disk section, or make the meta device larger",
        source: "drbd_get_max_capacity (drbd_main.c)",
        judge: Judge::Case(flex_external_slots),
    },
    Rule {
        id: "internal-beyond-128-tib",
        severity: Severity::Note,
        row: None,
        title: "internal metadata behind more than 128 TiB",
        meaning: "in good order; drbd 9 before 9.1.6 cannot read or write a bitmap that far behind",
        remedy: "attach it with drbd 9.1.6 or newer",
        source: "drbd 9.1.6",
        judge: Judge::Case(internal_beyond_128_tib),
    },
];

/// The first field that is not what the formulas give here.
fn misfit(candidate: &Candidate<'_>) -> Option<Misfit> {
    MdLayout::of(candidate.superblock, candidate.index, candidate.device).err()
}

/// What drbdmeta would not take, of what it looks at.
///
/// It takes more than 31 slots for 31, and looks at `md_size_sect` of internal v08 metadata only: in v09 it says "strange", and goes on.
#[must_use]
pub(super) fn drbdmeta_refuses(candidate: &Candidate<'_>) -> Option<Misfit> {
    let mut superblock = candidate.superblock.clone();
    if let Superblock::V09(sb) = &mut superblock {
        sb.bm_max_peers = sb.bm_max_peers.min(MAX_PEERS);
    }
    let lenient = superblock.format() != Format::V08 || candidate.index != MdIndex::FlexInternal;
    // Whether a meta device has all of a slot is not asked.
    let least = match candidate.index {
        MdIndex::Indexed(slot) => MD_RESERVED.checked_mul(u64::from(slot).saturating_add(1)),
        _ => None,
    };
    let device = least.map_or(candidate.device, |least| candidate.device.max(least));
    let refused = MdLayout::of(&superblock, candidate.index, device).err();
    if let Some(misfit) = refused.filter(|misfit| !(lenient && misfit.field == Field::MdSizeSect)) {
        return Some(misfit);
    }
    let Superblock::V09(sb) = &superblock else {
        return None;
    };
    let looked_at = (0..=31)
        .zip(&sb.peers)
        .take_while(|(node, _)| u32::from(*node) < sb.bm_max_peers);
    let mut wrong = looked_at.filter(|(_, peer)| !(-1..=31).contains(&peer.bitmap_index));
    wrong.next().map(|(node, peer)| Misfit {
        field: Field::PeerBitmapIndex(node),
        found: i128::from(peer.bitmap_index),
        expected: Expected::Between(-1, 31),
    })
}

/// A misfit that no kernel refused for.
fn unnoticed(case: &Case<'_>) -> Option<Misfit> {
    let told = case.attach.iter().any(|finding| {
        let about_layout = matches!(finding.rule.row, Some(9..=23 | 26));
        about_layout && finding.rule.severity == Severity::Error
    });
    misfit(&case.candidate).filter(|_| !told)
}

fn place_of(
    candidate: &Candidate<'_>,
    field: Field,
) -> Option<std::ops::Range<crate::units::DevPos>> {
    Some(match field {
        Field::MdSizeSect => candidate.place(At::MD_SIZE),
        Field::AlOffset => candidate.place(At::AL_OFFSET),
        Field::BmOffset => candidate.place(At::BM_OFFSET),
        Field::BmBytesPerBit => candidate.place(At::BYTES_PER_BIT),
        Field::BmMaxPeers => candidate.place(At::MAX_PEERS),
        Field::NodeId => candidate.place(At::NODE_ID),
        Field::PeerBitmapIndex(node) => candidate.place(At::bitmap_index(usize::from(node))),
        Field::AlStripes | Field::AlStripeSize4k | Field::AlBlocks => candidate.striping_place(),
        Field::DeviceSize => return None,
        _ => candidate.whole(),
    })
}

fn layout(case: &Case<'_>) -> Vec<Fault> {
    let misfit = unnoticed(case).filter(|_| !is_8_9_1(&case.candidate));
    misfit
        .map(|misfit| {
            let mut found = misfit.to_string();
            if misfit.field == Field::BmMaxPeers && misfit.found == UNSAFE_SLOTS {
                found.push_str("; kernels take 32, and shift a number of 32 bits by it");
            }
            Fault {
                place: place_of(&case.candidate, misfit.field),
                found,
                ..Fault::default()
            }
        })
        .into_iter()
        .collect()
}

/// Whether the offsets are what the formula gives without rounding a slot to 64 bits.
fn is_8_9_1(candidate: &Candidate<'_>) -> bool {
    let geometry = candidate.superblock.geometry();
    let v09 =
        candidate.superblock.format() == Format::V09 && candidate.index == MdIndex::FlexInternal;
    let bitmap = geometry
        .bits(candidate.device.to_sectors_floor())
        .and_then(|bits| Bytes::new(bits.div_ceil(8)).checked_mul(u64::from(geometry.max_peers)))
        .and_then(|size| size.align_up(MD_BLOCK));
    let size = geometry
        .al
        .size()
        .zip(bitmap)
        .and_then(|(al, bitmap)| bitmap.checked_add(al)?.checked_add(MD_BLOCK));
    v09 && misfit(candidate).is_some()
        && size.map(Bytes::to_sectors_floor) == Some(candidate.superblock.md_size())
        && candidate.bm_offset() == candidate.md_size().saturating_neg().saturating_add(8)
        && Some(candidate.al_offset())
            == geometry
                .al
                .size()
                .map(|al| super::candidate::signed(al.to_sectors_floor().get()).saturating_neg())
}

fn layout_8_9_1(case: &Case<'_>) -> Vec<Fault> {
    let found = unnoticed(case).filter(|_| is_8_9_1(&case.candidate));
    found
        .map(|misfit| Fault {
            place: place_of(&case.candidate, misfit.field),
            found: misfit.to_string(),
            ..Fault::default()
        })
        .into_iter()
        .collect()
}

/// One fault, where there is one.
pub(super) fn maybe(fault: Option<Fault>) -> Vec<Fault> {
    fault.into_iter().collect()
}

fn al_striping_unset(case: &Case<'_>) -> Vec<Fault> {
    let candidate = &case.candidate;
    // In an indexed slot it is row 17's.
    let told = case
        .attach
        .iter()
        .any(|finding| finding.rule.row == Some(17));
    maybe((candidate.striping() == (0, 0) && !told).then(|| {
        Fault::at(
            candidate.striping_place(),
            "al_stripes and al_stripe_size_4k are 0, expected 1 and 8",
        )
    }))
}

fn la_size_clipped(case: &Case<'_>) -> Vec<Fault> {
    let candidate = &case.candidate;
    let la_size = candidate.superblock.la_size();
    let Some(level) = case.level else {
        return Vec::new();
    };
    let consistent = candidate
        .superblock
        .flags()
        .contains(DeviceFlags::CONSISTENT);
    let shrinks = la_size > level.layout.usable;
    let told = case
        .attach
        .iter()
        .any(|finding| finding.rule.row == Some(22));
    maybe(
        (shrinks && !told && !consistent && candidate.superblock.format() != Format::V07).then(
            || {
                let fault = Fault::at(
                    candidate.place(At::LA_SIZE),
                    format!(
                        "la_size_sect is {la_size}, expected at most {}, which fit here",
                        level.layout.usable
                    ),
                );
                super::attach::too_small_meta_device(candidate, fault)
            },
        ),
    )
}

/// The generations before the current one, those that name one.
pub(super) fn has_history(superblock: &Superblock) -> bool {
    let current = superblock.current_uuid().unwrap_or_default();
    let older = |uuid: &Uuid| !uuid.same_generation(current);
    superblock.generations().iter().any(older)
}

fn la_size_unset(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    let named = superblock
        .current_uuid()
        .is_some_and(Uuid::names_a_generation);
    let unset = superblock.la_size().get() == 0 && !super::uuids::is_seeded(superblock);
    maybe((unset && named && has_history(superblock)).then(|| {
        Fault::at(
            case.candidate.place(At::LA_SIZE),
            "la_size_sect is 0, expected the DRBD device's size",
        )
    }))
}

fn internal_beyond_128_tib(case: &Case<'_>) -> Vec<Fault> {
    let candidate = &case.candidate;
    let v09 = candidate.superblock.format() == Format::V09;
    let behind = v09 && candidate.index.is_internal() && candidate.device > REACHED;
    maybe(behind.then(|| Fault {
        place: None,
        found: format!(
            "the device has {}, expected at most {REACHED} for those",
            candidate.device
        ),
        ..Fault::default()
    }))
}

fn flex_external_slots(case: &Case<'_>) -> Vec<Fault> {
    if case.candidate.index != MdIndex::FlexExternal
        || case.candidate.superblock.format() != Format::V09
    {
        return Vec::new();
    }
    let kernels = super::attach::most_sectors(&case.candidate, Kernel::V9_3);
    let layout = case.candidate.planned();
    maybe(kernels.zip(layout).and_then(|(kernels, layout)| {
        let safe = super::candidate::signed(layout.usable.get());
        (kernels > safe).then(|| {
            Fault::at(
                layout.bm,
                format!(
                    "kernels allow {kernels} sectors, expected at most {safe} in whole 64-bit words"
                ),
            )
        })
    }))
}
