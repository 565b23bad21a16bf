//! What the bitmap's bits say, as far as that can be wrong.

use std::ops::Range;

use super::candidate::At;
use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::error::Result;
use crate::format::activity_log::AL_EXTENT;
use crate::format::bitmap::count_set;
use crate::format::superblock::{AlState, DeviceFlags, Format, Superblock, Uuid};
use crate::survey::locate::Level;
use crate::units::{BitmapIndex, Bytes, DevPos, Sectors, index_of};

/// Bytes of a word of the bitmap, and its bits.
const WORD: Bytes = Bytes::new(4);
const WORD_BITS: u64 = 32;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "bits-beyond-end",
        severity: Severity::Note,
        row: None,
        title: "bits are set beyond the DRBD device's end",
        meaning: "kernels and apply-al leave such bits, and they stand for nothing; they count once the device grows",
        remedy: "nothing",
        source: "drbd_bm_resize (drbd_bitmap.c)",
        judge: Judge::Read(bits_beyond_end),
    },
    Rule {
        id: "bits-without-uuid",
        severity: Severity::Warning,
        row: None,
        title: "bits are set, and no bitmap UUID says since which generation",
        meaning: "where the peer has the same current UUID, DRBD takes both disks for equal: drbd 9 clears the bits without syncing, drbd 8.4 keeps \
            them and does not sync either",
        remedy: "before connecting, find out whether the disks are equal (`drbdadm verify` afterwards does); where not, `drbdadm invalidate` on the \
            side that is to be overwritten",
        source: "w_after_state_change (drbd_state.c), drbd_sync_handshake (drbd_receiver.c)",
        judge: Judge::Read(bits_without_uuid),
    },
    Rule {
        id: "last-extent",
        severity: Severity::Note,
        row: None,
        title: "the last 4 MiB may have been left out when the activity log was applied",
        meaning: "drbdmeta of drbd-utils 9.33 and newer leaves out the last extent of a device of this size; whether the log named it cannot be \
            told any more",
        remedy: "if such a version applied the log of a crashed Primary: `drbdadm verify` once connected",
        source: "apply_al (drbdmeta.c), drbd-utils 9.33, commit 84a261cd",
        judge: Judge::Read(last_extent),
    },
];

/// A level's agreed size and its bits, where it has any and all of its bitmap is there.
fn sized<'a>(case: &Case<'a>) -> Option<(&'a Level, Sectors, u64)> {
    let level = case.level?;
    let la_size = level.superblock.la_size();
    let bits = level.layout.geometry.bits(la_size)?;
    (la_size != Sectors::ZERO && la_size <= level.layout.usable).then_some((level, la_size, bits))
}

/// The words of all slots from a word of each slot on, up to what la-size needs of the area: at most some KiB.
fn words_from(
    case: &Case<'_>,
    level: &Level,
    (la_size, first): (Sectors, u64),
) -> Result<Option<(DevPos, Vec<u32>)>> {
    let slots = u64::from(level.layout.geometry.max_peers);
    let from = WORD
        .checked_mul(first)
        .and_then(|from| from.checked_mul(slots));
    let len = level.layout.geometry.bitmap_size(la_size);
    let part = from.zip(len).and_then(|(from, size)| {
        let at = level.layout.bm.start.checked_add(from)?;
        Some((at, size.checked_sub(from)?.to_usize()?))
    });
    let Some((at, len)) = part.filter(|(_, len)| *len <= 1 << 20) else {
        return Ok(None);
    };
    let mut bytes = vec![0; len];
    case.device.read_exact_at(at, &mut bytes)?;
    let (words, _) = bytes.as_chunks::<4>();
    Ok(Some((
        at,
        words.iter().map(|word| u32::from_le_bytes(*word)).collect(),
    )))
}

fn bits_beyond_end(case: &Case<'_>) -> Result<Vec<Fault>> {
    let Some((level, la_size, bits)) = sized(case) else {
        return Ok(Vec::new());
    };
    let first = bits / WORD_BITS;
    let Some((at, words)) = words_from(case, level, (la_size, first))? else {
        return Ok(Vec::new());
    };
    let slots = index_of(level.layout.geometry.max_peers);
    let kept = u32::try_from(bits.rem_euclid(WORD_BITS)).unwrap_or(0);
    // In each slot's first word the lower bits are the device's; none where the device ends with a word.
    let beyond = |i: usize, word: u32| {
        if i < slots { word >> kept } else { word }
    };
    let set: u64 = words
        .iter()
        .enumerate()
        .map(|(i, word)| u64::from(beyond(i, *word).count_ones()))
        .fold(0, u64::saturating_add);
    let len = WORD.checked_mul(Bytes::of_len(words.len()).get());
    let end = len.and_then(|len| at.checked_add(len)).unwrap_or(at);
    Ok(maybe((set > 0).then(|| {
        Fault::at(
            at..end,
            format!("{set} bits are set from bit {bits} on, expected none"),
        )
    })))
}

/// The slots whose bits count from no generation, with the entries that say so.
fn slots_without_uuid(superblock: &Superblock) -> Vec<(BitmapIndex, At)> {
    match superblock {
        Superblock::V08(sb) if sb.uuid[1] == 0 => vec![(BitmapIndex::new(0), At(16, 8))],
        Superblock::V07(_) | Superblock::V08(_) => Vec::new(),
        Superblock::V09(sb) => {
            let without = |(node, peer): (usize, &crate::format::ondisk::PeerV09)| {
                let slot = u8::try_from(peer.bitmap_index).ok()?;
                (peer.bitmap_uuid == 0 && u32::from(slot) < sb.bm_max_peers)
                    .then_some((BitmapIndex::new(slot), At::peer(node, 0, 8)))
            };
            sb.peers.iter().enumerate().filter_map(without).collect()
        }
    }
}

fn bits_without_uuid(case: &Case<'_>) -> Result<Vec<Fault>> {
    let Some((level, _, bits)) = sized(case) else {
        return Ok(Vec::new());
    };
    let flags = level.superblock.flags();
    let named = level
        .superblock
        .current_uuid()
        .is_some_and(Uuid::names_a_generation);
    // A sync target and a crashed Primary are told from others by their flags.
    let excused = flags.contains(DeviceFlags::PRIMARY_IND)
        || flags.contains(DeviceFlags::CRASHED_PRIMARY)
        || !flags.contains(DeviceFlags::CONSISTENT);
    let slots = slots_without_uuid(&level.superblock);
    if excused || !named || slots.is_empty() {
        return Ok(Vec::new());
    }
    let bitmap = level.bitmap(case.device);
    let budget = Case::bitmap_budget();
    let one_more = budget.saturating_add(Bytes::new(1));
    let data = bitmap.data_at_most(one_more)?;
    if !case.may_read(data, budget, "the bitmap") {
        return Ok(Vec::new());
    }
    let mut faults = Vec::new();
    for (slot, at) in slots {
        let set = count_set(&mut bitmap.slot_words(slot), bits)?;
        if set > 0 {
            let text = format!(
                "bitmap slot {} has {set} bits set, and its bitmap UUID is {}, expected one",
                slot.get(),
                Uuid::NONE
            );
            faults.push(Fault::at(case.candidate.place(at), text));
        }
    }
    Ok(faults)
}

/// The bits of a device's last extent.
fn last_extent_bits(level: &Level, bits: u64) -> Option<Range<u64>> {
    let per_extent =
        AL_EXTENT.whole_units(Bytes::new(u64::from(level.layout.geometry.bytes_per_bit)));
    let last = bits.checked_sub(1)?.checked_div(per_extent)?;
    Some(last.checked_mul(per_extent)?..bits)
}

fn last_extent(case: &Case<'_>) -> Result<Vec<Fault>> {
    let Some((level, la_size, bits)) = sized(case) else {
        return Ok(Vec::new());
    };
    let superblock = &level.superblock;
    let applied = superblock.al_state() == AlState::Clean
        && superblock.flags().contains(DeviceFlags::PRIMARY_IND)
        && superblock.format() != Format::V07;
    let geometry = level.layout.geometry;
    let Some(range) = last_extent_bits(level, bits).filter(|_| applied) else {
        return Ok(Vec::new());
    };
    // drbdmeta left it out where the extent's words, of all slots, end with or behind the bitmap.
    let per_extent = AL_EXTENT.whole_units(Bytes::new(u64::from(geometry.bytes_per_bit)));
    let end = range.start.saturating_add(per_extent) / 8;
    let left_out = Bytes::new(end)
        .checked_mul(u64::from(geometry.max_peers))
        .zip(geometry.bitmap_size(la_size))
        .is_some_and(|(end, size)| end >= size);
    let words = words_from(case, level, (la_size, range.start / WORD_BITS))?;
    let blank = words
        .as_ref()
        .filter(|(_, words)| left_out && words.iter().all(|word| *word == 0));
    Ok(maybe(blank.map(|(at, _)| {
        let text = format!(
            "no bit from bit {} on is set, and MDF_PRIMARY_IND and MDF_AL_CLEAN are",
            range.start
        );
        Fault::at(*at..*at, text)
    })))
}
