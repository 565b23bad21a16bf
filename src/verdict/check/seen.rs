//! What real kernels were seen to do, and drbd-utils to fail on, with metadata that is in order otherwise.

use super::candidate::At;
use super::finding::{Fault, Severity};
use super::known::{has_history, maybe};
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::error::Result;
use crate::format::superblock::{DeviceFlags, Format, Superblock, Uuid};
use crate::units::{Bytes, DevPos, range_len};
use crate::verdict::kernel_bugs::{last_words, misses_last_bits};

/// How many places of a disk are looked at to say that it is blank, and how much of each.
const SAMPLES: u64 = 64;
const SAMPLE: Bytes = Bytes::new(64 << 10);

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "last-64-bits",
        severity: Severity::Error,
        row: None,
        title: "drbd 8.4 will drop bits at the device's end",
        meaning: "where the size is a multiple of 512 sectors, DRBD 8.4.11 was seen to drop the last 64 bits of the bitmap when it attaches: what they mark \
            is never synced, and both disks are taken for equal",
        remedy: "before connecting copy that stretch from the side that has the newer data, or run `drbdadm verify` once connected; setting more bits does not help",
        source: "DRBD 8.4.11, seen; 9.3.3 keeps them",
        judge: Judge::Read(last_64_bits),
    },
    Rule {
        id: "al-disabled-primary",
        severity: Severity::Warning,
        row: None,
        title: "the node was Primary without an activity log",
        meaning: "`al-updates no` on a live Primary: DRBD 8.4 assumes that all blocks are out of sync, and sets every bit when it attaches",
        remedy: "expect a full sync; copy the disk while the resource is Secondary or down",
        source: "drbd_adm_attach (drbd_nl.c), DRBD 8.4.11, seen",
        judge: Judge::Case(al_disabled_primary),
    },
    Rule {
        id: "blank-up-to-date",
        severity: Severity::Note,
        row: None,
        title: "the disk is blank, and its metadata says that it is up to date",
        meaning: "the metadata of a disk that had data was put on a new one, or the data was discarded: what is not marked out of sync is not synced, and \
            a peer with the same generation takes this disk for equal; a volume that nobody has used yet looks the same",
        remedy: "if data should be here, let it be synced in full: `drbdadm invalidate` on this side, before anything reads from it",
        source: "drbd_uuid_compare (drbd_receiver.c)",
        judge: Judge::Read(blank_up_to_date),
    },
];

fn last_64_bits(case: &Case<'_>) -> Result<Vec<Fault>> {
    let Some(level) = case
        .level
        .filter(|level| misses_last_bits(&level.superblock))
    else {
        return Ok(Vec::new());
    };
    let Some(last) = last_words(level, case.device)? else {
        return Ok(Vec::new());
    };
    let text = format!(
        "{} of the last 64 bits are set, for bytes {} to {} of the DRBD device",
        last.set,
        last.data.start.get(),
        last.data.end.get()
    );
    Ok(vec![Fault::at(last.words, text)])
}

fn al_disabled_primary(case: &Case<'_>) -> Vec<Fault> {
    let superblock = case.candidate.superblock;
    let flags = superblock.flags();
    let found = superblock.format() == Format::V08
        && flags.contains(DeviceFlags::AL_DISABLED)
        && flags.contains(DeviceFlags::PRIMARY_IND)
        && !flags.contains(DeviceFlags::CRASHED_PRIMARY);
    maybe(found.then(|| {
        let text = format!("flags are {flags}: MDF_PRIMARY_IND and MDF_AL_DISABLED are set");
        Fault::at(case.candidate.place(At::FLAGS), text)
    }))
}

fn blank_up_to_date(case: &Case<'_>) -> Result<Vec<Fault>> {
    let superblock = case.candidate.superblock;
    let flags = superblock.flags();
    let said = !case.of_dump
        && flags.contains(DeviceFlags::CONSISTENT)
        && flags.contains(DeviceFlags::WAS_UP_TO_DATE)
        && superblock
            .current_uuid()
            .is_some_and(Uuid::names_a_generation)
        && has_history(superblock)
        && !matches!(superblock, Superblock::V07(_));
    let level = case
        .level
        .filter(|level| said && case.is_innermost() && level.layout.index.is_internal());
    let Some(size) = level
        .filter(|level| level.superblock.la_size().get() > 0)
        .and_then(|level| level.drbd_device().to_bytes())
    else {
        return Ok(Vec::new());
    };
    let blank = is_blank(case, size)?;
    Ok(maybe(blank.then(|| {
        Fault::at(
            DevPos::START..DevPos::at(size),
            format!("zeros at each of the {SAMPLES} places that were looked at, expected data"),
        )
    })))
}

/// Whether a device has zeros only, as far as samples show: its beginning, and places all over it.
fn is_blank(case: &Case<'_>, size: Bytes) -> Result<bool> {
    let step = Bytes::new(size.get() / SAMPLES).align_down(SAMPLE);
    for number in 0..SAMPLES {
        let Some(at) = step.checked_mul(number).map(DevPos::at) else {
            break;
        };
        let Some(end) = at
            .checked_add(SAMPLE)
            .filter(|end| end.from_start() <= size)
        else {
            break;
        };
        let mut bytes = vec![0; range_len(&(at..end)).to_usize().unwrap_or(0)];
        case.device.read_exact_at(at, &mut bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        if step == Bytes::ZERO {
            break;
        }
    }
    Ok(true)
}
