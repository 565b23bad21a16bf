//! Rows 9 to 22: granularity, the log's shape, offsets and sizes.

use super::super::candidate::{At, BLOCK_SECTORS, Candidate};
use super::super::finding::{Fault, Severity};
use super::super::kernel::{Code, Kernel};
use super::super::rule::{Judge, Refusal, Rule, Stage};
use super::DAMAGED;
use crate::format::layout::{AL_BLOCKS, BYTES_PER_BIT, MdIndex};
use crate::format::superblock::{Format, Superblock};

/// `md_size_sect` and the offsets of an indexed slot.
const INDEXED: [i64; 3] = [262_144, 8, 72];
/// Sectors in the smallest activity log.
const LEAST_AL: i64 = 64;
/// One rule of the geometry.
const fn rule(
    row: u8,
    id: &'static str,
    title: &'static str,
    meaning: &'static str,
    judge: fn(&Candidate<'_>, Kernel) -> Option<Refusal>,
) -> Rule {
    Rule {
        id,
        severity: Severity::Error,
        row: Some(row),
        title,
        meaning,
        remedy: DAMAGED,
        source: match row {
            9 | 10 => "drbd_md_decode (drbd_nl.c)",
            11 | 12 => "check_activity_log_stripe_size (drbd_nl.c)",
            _ => "check_offsets_and_sizes (drbd_nl.c)",
        },
        judge: Judge::Kernel(Stage::Geometry, judge),
    }
}

pub(in super::super) static GEOMETRY: &[Rule] = &[
    rule(
        9,
        "bytes-per-bit-v08",
        "the bitmap's granularity is not v08's",
        "v08 knows 4096 bytes per bit only; nobody can say which data a bit stands for",
        bytes_per_bit_v08,
    ),
    rule(
        10,
        "bytes-per-bit",
        "the bitmap's granularity is not one that DRBD supports",
        "nobody can say which data a bit stands for",
        bytes_per_bit,
    ),
    Rule {
        severity: Severity::Note,
        remedy: "attach it with drbd 9.3 or newer",
        ..rule(
            10,
            "bytes-per-bit-9.3",
            "a coarser bitmap, which drbd 9.3 brought",
            "in good order; older kernels know 4096 bytes per bit only",
            bytes_per_bit_new,
        )
    },
    rule(
        11,
        "al-striping-half",
        "only one half of the activity log's striping is set",
        "the log's size is unknown, and so is where it begins",
        al_striping_half,
    ),
    rule(
        12,
        "al-size",
        "the activity log is smaller or larger than DRBD's can be",
        "its size is unknown, and so is where it begins",
        al_size,
    ),
    rule(
        13,
        "max-peers",
        "more bitmap slots than DRBD has",
        "how the slots' words alternate is unknown, and so is what each bit means",
        max_peers,
    ),
    rule(
        14,
        "bm-offset-after-log",
        "the bitmap begins behind the activity log",
        "internal metadata has the bitmap first, then the log, then the superblock",
        bm_offset_after_log,
    ),
    rule(
        15,
        "al-offset",
        "the activity log does not begin behind the superblock",
        "external metadata has the superblock first, and the log 8 sectors behind its start",
        al_offset,
    ),
    rule(
        16,
        "bm-offset-in-log",
        "the bitmap begins before the activity log ends",
        "writing one would overwrite the other",
        bm_offset_in_log,
    ),
    rule(
        17,
        "indexed-layout",
        "an indexed slot that is not laid out as all are",
        "a slot has 128 MiB, one stripe of 32 KiB for the log, and 4096 bytes per bit",
        indexed_layout,
    ),
    rule(
        18,
        "md-size",
        "the metadata is larger than the device",
        "the device was larger once, or the size is damaged",
        md_size,
    ),
    rule(
        19,
        "md-size-leaves-device",
        "the metadata does not fit between its first sector and the device's end",
        "the device was larger once, or the size or an offset is damaged",
        md_size_leaves_device,
    ),
    rule(
        20,
        "al-area",
        "the activity log's size by the offsets is not its size by the striping",
        "where the log or the bitmap begins is not where it was written",
        al_area,
    ),
    rule(
        21,
        "bm-offset-unaligned",
        "the bitmap does not begin on a 4 KiB block",
        "where the bitmap begins is not where it was written",
        bm_offset_unaligned,
    ),
    rule(
        22,
        "bitmap-area",
        "the bitmap's area is too small for the DRBD device's agreed size",
        "changes to the end of the device would have no bits; drbd 9.0 and 9.2 before 9.2.15 do not notice",
        bitmap_area,
    ),
];

/// A refusal with 119 about one field.
fn refuse(candidate: &Candidate<'_>, at: At, found: String) -> Refusal {
    Refusal {
        code: Code::MdInvalid,
        fault: Fault::at(candidate.place(at), found),
    }
}

fn refuse_striping(candidate: &Candidate<'_>, expected: &str) -> Refusal {
    let (stripes, size) = candidate.striping();
    Refusal {
        code: Code::MdInvalid,
        fault: Fault::at(
            candidate.striping_place(),
            format!("al_stripes is {stripes} and al_stripe_size_4k {size}, expected {expected}"),
        ),
    }
}

/// The granularity and its place.
fn granularity(candidate: &Candidate<'_>, expected: &str) -> Refusal {
    let found = candidate.superblock.geometry().bytes_per_bit;
    let text = format!("bm_bytes_per_bit is {found}, expected {expected}");
    refuse(candidate, At::BYTES_PER_BIT, text)
}

fn bytes_per_bit_v08(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let found = candidate.superblock.geometry().bytes_per_bit;
    (candidate.superblock.format() == Format::V08 && found != 4096)
        .then(|| granularity(candidate, "4096"))
}

/// Whether any kernel knows it.
fn is_granularity(found: u32) -> bool {
    found.is_power_of_two() && BYTES_PER_BIT.contains(&found)
}

fn bytes_per_bit(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let found = candidate.superblock.geometry().bytes_per_bit;
    (candidate.superblock.format() == Format::V09 && !is_granularity(found))
        .then(|| granularity(candidate, "a power of two from 4096 to 1048576"))
}

fn bytes_per_bit_new(candidate: &Candidate<'_>, kernel: Kernel) -> Option<Refusal> {
    let found = candidate.superblock.geometry().bytes_per_bit;
    (kernel != Kernel::V9_3 && is_granularity(found) && found != 4096)
        .then(|| granularity(candidate, "4096 before drbd 9.3"))
}

fn al_striping_half(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let (stripes, size) = candidate.striping();
    ((stripes == 0) != (size == 0)).then(|| refuse_striping(candidate, "both or neither to be 0"))
}

fn al_size(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    (!AL_BLOCKS.contains(&candidate.al_blocks()))
        .then(|| refuse_striping(candidate, "8 to 4194304 blocks in all"))
}

fn max_peers(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let Superblock::V09(sb) = candidate.superblock else {
        return None;
    };
    let found = sb.bm_max_peers;
    (found > 32).then(|| {
        refuse(
            candidate,
            At::MAX_PEERS,
            format!("bm_max_peers is {found}, expected at most 32"),
        )
    })
}

fn bm_offset_after_log(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let (al, bm) = (candidate.al_offset(), candidate.bm_offset());
    (al < 0 && bm > al).then(|| {
        let text = format!(
            "bm_offset is {bm} sectors, expected less than al_offset, which is {al} sectors"
        );
        refuse(candidate, At::BM_OFFSET, text)
    })
}

fn al_offset(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let al = candidate.al_offset();
    (al >= 0 && al != BLOCK_SECTORS).then(|| {
        let expected = match candidate
            .planned()
            .filter(|_| candidate.index.is_internal())
        {
            Some(layout) => layout.al.start.delta_since(layout.md).get(),
            None => BLOCK_SECTORS,
        };
        let text = format!("al_offset is {al} sectors, expected {expected}");
        refuse(candidate, At::AL_OFFSET, text)
    })
}

fn bm_offset_in_log(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let least = candidate.al_sectors().saturating_add(BLOCK_SECTORS);
    let (al, bm) = (candidate.al_offset(), candidate.bm_offset());
    (al >= 0 && bm < least).then(|| {
        let text = format!("bm_offset is {bm} sectors, expected at least {least}");
        refuse(candidate, At::BM_OFFSET, text)
    })
}

fn indexed_layout(candidate: &Candidate<'_>, kernel: Kernel) -> Option<Refusal> {
    if !matches!(candidate.index, MdIndex::Indexed(_)) {
        return None;
    }
    if candidate.superblock.geometry().bytes_per_bit != 4096 && kernel.is_9() {
        return Some(granularity(candidate, "4096 in an indexed slot"));
    }
    let fields = [
        ("md_size_sect", candidate.md_size(), At::MD_SIZE),
        ("al_offset", candidate.al_offset(), At::AL_OFFSET),
        ("bm_offset", candidate.bm_offset(), At::BM_OFFSET),
    ];
    let wrong = fields.into_iter().zip(INDEXED);
    for ((name, found, at), expected) in wrong {
        if found != expected {
            let text = format!("{name} is {found} sectors, expected {expected} in an indexed slot");
            return Some(refuse(candidate, at, text));
        }
    }
    (candidate.striping_in_core(kernel) != (1, 8))
        .then(|| refuse_striping(candidate, "1 and 8 in an indexed slot"))
}

fn md_size(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let (found, capacity) = (candidate.md_size(), candidate.capacity());
    (found > capacity).then(|| {
        let text = format!(
            "md_size_sect is {found} sectors, expected at most the device's {capacity} sectors"
        );
        refuse(candidate, At::MD_SIZE, text)
    })
}

fn md_size_leaves_device(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let first = match candidate.index {
        // C reckons this unsigned: before the device's start is far beyond its end.
        MdIndex::Internal | MdIndex::FlexInternal => {
            candidate.md_sector().saturating_add(candidate.bm_offset())
        }
        MdIndex::FlexExternal | MdIndex::Indexed(_) => candidate.md_sector(),
    };
    let (size, capacity) = (candidate.md_size(), candidate.capacity());
    let room = capacity.saturating_sub(first);
    let text = if first < 0 {
        format!(
            "bm_offset is {} sectors, expected at least -{}",
            candidate.bm_offset(),
            candidate.md_sector()
        )
    } else if size > room {
        format!("md_size_sect is {size} sectors, expected at most {room} sectors from {first} on")
    } else {
        return None;
    };
    let at = if first < 0 {
        At::BM_OFFSET
    } else {
        At::MD_SIZE
    };
    Some(refuse(candidate, at, text))
}

fn al_area(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let (found, expected) = (candidate.al_area(), candidate.al_sectors());
    let unaligned = found.rem_euclid(BLOCK_SECTORS) != 0;
    (unaligned || found < LEAST_AL || found != expected).then(|| {
        let (at, name, value) = if candidate.al_offset() < 0 {
            (At::AL_OFFSET, "al_offset", candidate.al_offset())
        } else {
            (At::BM_OFFSET, "bm_offset", candidate.bm_offset())
        };
        let text = format!(
            "{name} is {value} sectors and leaves the log {found} sectors, expected {expected}"
        );
        refuse(candidate, at, text)
    })
}

fn bm_offset_unaligned(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let bm = candidate.bm_offset();
    (bm.rem_euclid(BLOCK_SECTORS) != 0).then(|| {
        let text = format!("bm_offset is {bm} sectors, expected a multiple of {BLOCK_SECTORS}");
        refuse(candidate, At::BM_OFFSET, text)
    })
}

/// What an agreed size that does not fit means where the metadata is on a device of its own.
pub(in super::super) fn too_small_meta_device(candidate: &Candidate<'_>, fault: Fault) -> Fault {
    if candidate.index != MdIndex::FlexExternal {
        return fault;
    }
    let la_size = candidate.superblock.la_size();
    let needed = candidate.superblock.geometry().internal_size(la_size);
    let needed = needed.map_or_else(|| "more".to_owned(), |size| size.to_string());
    fault.meaning(
        format!(
            "the meta device is too small: a DRBD device of {la_size} needs {needed} of metadata, the meta device has {}; usually the volume was made larger and \
             the meta device was not",
            candidate.device
        ),
        format!(
            "`mdtool export META -o metadata.md`, then `mdtool import NEWMETA metadata.md --index flex-external` on a meta device of at least {needed}"
        ),
    )
}

/// Sectors of bitmap that a kernel insists on for the agreed size; it wraps where C does.
fn bitmap_needed(candidate: &Candidate<'_>, kernel: Kernel) -> Option<u64> {
    let la_size = candidate.superblock.la_size().get();
    match kernel {
        Kernel::V8_4 => Some(la_size.wrapping_add(7) / 8 / 8 / 512),
        // The size was not known to them yet when they asked.
        Kernel::V9_0 => None,
        Kernel::V9_2 | Kernel::V9_3 => {
            let geometry = candidate.superblock.geometry();
            let size = geometry.bitmap_size(candidate.superblock.la_size());
            Some(size.map_or(u64::MAX, |size| size.to_sectors_floor().get()))
        }
    }
}

fn bitmap_area(candidate: &Candidate<'_>, kernel: Kernel) -> Option<Refusal> {
    let needed = bitmap_needed(candidate, kernel)?;
    // A negative area, on a meta device beyond 1 TiB, counts as a huge one.
    let area = u64::try_from(candidate.bm_area()).ok()?;
    (area < needed).then(|| {
        let text = format!(
            "la_size_sect is {} sectors and needs {needed} sectors of bitmap, expected no more than the {area} between the offsets",
            candidate.superblock.la_size().get()
        );
        let refusal = refuse(candidate, At::LA_SIZE, text);
        Refusal {
            fault: too_small_meta_device(candidate, refusal.fault),
            ..refusal
        }
    })
}
