//! The view as text: of each level a name and what is said of it on each line, then the peers and the slots as tables.

use std::io::{self, Write};

use crate::cli::commands::show::view::generation::{Counters, Current, Day0View, GenerationView};
use crate::cli::commands::show::view::raw::{SuperblockView, hex32};
use crate::cli::commands::show::view::{AtAttach, ShowView, ShownLevel, SlotView};
use crate::cli::output::amounts::{binary, bytes_and_binary, duration, number_and_binary};
use crate::cli::output::text::{looked_at, table, title};
use crate::cli::output::view::Shown;
use crate::cli::session::slots::NEVER_SIZED;
use crate::format::layout::MdIndex;
use crate::format::superblock::{AlState, Format, MAGIC_84_UNCLEAN, Uuid};
use crate::survey::locate::FoundBy;
use crate::units::{Bytes, Sectors};

/// A name and what is said of it.
type Line = (&'static str, String);

/// Prints everything.
pub(crate) fn print(view: &ShowView, out: &mut dyn Write) -> io::Result<()> {
    title(&view.image, view.image_bytes, view.dump, out)?;
    if view.dump.is_none() {
        looked_at(view.looked_at.as_ref(), out)?;
    }
    for shown in &view.levels {
        writeln!(out)?;
        level(view, shown, out)?;
    }
    if !view.occupants.is_empty() {
        writeln!(out, "\non the disk")?;
    }
    for one in &view.occupants {
        writeln!(out, "  {}", one.what)?;
    }
    Ok(())
}

fn level(view: &ShowView, shown: &ShownLevel, out: &mut dyn Write) -> io::Result<()> {
    let level = &shown.level;
    writeln!(
        out,
        "level {}: {} resource, {}, {}",
        level.level, level.role, level.format, level.state
    )?;
    section(out, &places(shown))?;
    section(out, &state(shown))?;
    match &shown.generation {
        GenerationView::V07 {
            generation_counters,
        } => section(out, &counters_v07(generation_counters))?,
        GenerationView::V08 {
            bitmap_uuid,
            history_uuids,
            ..
        } => section(out, &generation_v08(shown, *bitmap_uuid, history_uuids))?,
        GenerationView::V09(generation) => {
            section(out, &generation_v09(shown, generation))?;
            peers(shown, generation, out)?;
        }
    }
    slots(view, shown, out)
}

fn section(out: &mut dyn Write, lines: &[Line]) -> io::Result<()> {
    for (name, text) in lines {
        writeln!(out, "  {name:<16}  {text}")?;
    }
    if lines.is_empty() {
        Ok(())
    } else {
        writeln!(out)
    }
}

/// `1048576 bytes (1 MiB, 2048 sectors)`.
fn size(bytes: u64) -> String {
    let bytes = Bytes::new(bytes);
    let text = bytes_and_binary(bytes);
    match (bytes.to_sectors_exact(), text.strip_suffix(')')) {
        (Some(sectors), Some(open)) => format!("{open}, {sectors})"),
        (Some(sectors), None) => format!("{text} ({sectors})"),
        (None, _) => text,
    }
}

fn sectors(sectors: u64) -> String {
    let sectors = Sectors::new(sectors);
    sectors.to_bytes().map_or_else(|| sectors.to_string(), |bytes| size(bytes.get()))
}

/// Where things are, and how large.
fn places(shown: &ShownLevel) -> Vec<Line> {
    let level = &shown.level;
    let magic = shown.superblock.magic();
    let unclean = level.format == Format::V08 && magic == hex32(MAGIC_84_UNCLEAN);
    let written = if unclean { ", as a kernel writes it" } else { "" };
    let elsewhere = || "elsewhere; this is a meta device".to_owned();
    let superblock = format!(
        "byte {}, magic {magic}{written}; {}",
        level.md_offset,
        found_by(shown)
    );
    let metadata = format!(
        "{}, byte {} up to byte {}: {}",
        placement(level.index),
        shown.metadata_offset,
        shown.metadata_offset.saturating_add(shown.metadata_bytes),
        size(shown.metadata_bytes)
    );
    let log = format!(
        "byte {}, {} bytes: {} of {} blocks of 4 KiB; at most {} extents active",
        level.al_offset,
        shown.al_bytes,
        count(shown.al_stripes, "stripe", "stripes"),
        shown.al_stripe_size_4k,
        shown.al_nr_extents
    );
    let bitmap = format!(
        "byte {}, {} bytes: {}, {} bytes per bit",
        level.bm_offset,
        shown.bm_bytes,
        count(shown.max_peers, "slot", "slots"),
        shown.bytes_per_bit
    );
    vec![
        ("superblock", superblock),
        ("metadata", metadata),
        ("activity log", log),
        ("bitmap", bitmap),
        ("backing device", level.backing_bytes.map_or_else(elsewhere, size)),
        ("DRBD device", device(shown)),
        ("at most", sectors(level.usable_sect)),
    ]
}

/// The DRBD device's size, and where it is known from.
fn device(shown: &ShownLevel) -> String {
    let level = &shown.level;
    let said = level.la_size_sect;
    match level.device_bytes.map(size) {
        None => NEVER_SIZED.to_owned(),
        Some(all) if said == 0 => format!("{all}: all that fits, no size was ever agreed on"),
        Some(most) if said > level.usable_sect => {
            format!("{most}: all that fits; the superblock says {}", Sectors::new(said))
        }
        Some(agreed) => format!("{agreed}, as last agreed"),
    }
}

const fn placement(index: MdIndex) -> &'static str {
    match index {
        MdIndex::Internal => "internal, in v07's fixed 128 MiB",
        MdIndex::FlexInternal => "internal",
        MdIndex::FlexExternal => "flex-external",
        MdIndex::Indexed(_) => "in an indexed slot",
    }
}

fn found_by(shown: &ShownLevel) -> &'static str {
    let beyond = shown.at_attach.iter().any(|one| one.kind == "outer-shrunk");
    match shown.level.found_by {
        FoundBy::OuterSize if beyond => {
            "beyond the end of the device around it, where DRBD does not look"
        }
        FoundBy::ExpectedPosition => "where DRBD looks on this disk",
        FoundBy::OuterSize => "where DRBD looks on the device around it",
        FoundBy::Scan if matches!(shown.level.index, MdIndex::Indexed(_)) => {
            "found by searching; DRBD looks there if its configuration names this slot"
        }
        FoundBy::Scan => "found by searching, DRBD does not look there",
        FoundBy::Given => "where --at says",
    }
}

fn count(number: u32, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Flags, and what they mean.
fn state(shown: &ShownLevel) -> Vec<Line> {
    let flags = &shown.flags;
    let mut lines = vec![
        ("flags", format!("{}: {}", flags.flags, flags.words)),
        ("disk state", format!("{}: {}", shown.disk_state, shown.disk_state_text)),
    ];
    if shown.at_attach.is_empty() {
        lines.push(("at attach", "nothing stands in its way here".to_owned()));
    }
    let line = |AtAttach { kind, text, attach_text }: &AtAttach| match attach_text {
        Some(words) => format!("{words}: {text} ({kind})"),
        None => text.clone(),
    };
    lines.extend(shown.at_attach.iter().map(|one| ("at attach", line(one))));
    lines.extend(shown.errors.iter().map(|one| ("error", format!("{} ({})", one.text, one.kind))));
    if shown.log_was_off {
        let note = "MDF_AL_DISABLED is set: the activity log was off, and does not say what was being written";
        lines.push(("", note.to_owned()));
    } else if shown.level.state == AlState::Unclean && shown.slots.is_some() {
        let note = "what the activity log names is not among what is counted below";
        lines.push(("", note.to_owned()));
    }
    lines
}

/// A UUID, and what its value alone tells.
fn uuid(uuid: Uuid) -> String {
    match uuid {
        Uuid::NONE => "none".to_owned(),
        _ if !uuid.names_a_generation() => format!("{uuid}  just created"),
        _ if uuid.set_as_primary() => format!("{uuid}  set as Primary"),
        _ => uuid.to_string(),
    }
}

/// The same of the current one.
fn current_uuid(shown: &ShownLevel) -> Line {
    let current = shown.level.current_uuid.map_or(Uuid::NONE, |shown| shown.0);
    ("current UUID", uuid(current))
}

/// The same without a role: a device's identifier is random in all bits.
fn device_uuid(shown: &ShownLevel) -> Line {
    let own = shown.level.device_uuid.filter(|shown| shown.0 != Uuid::NONE);
    let own = own.map_or_else(|| "never set".to_owned(), |shown| shown.0.to_string());
    ("device UUID", own)
}

fn counters_v07(counters: &Counters) -> Vec<Line> {
    let Counters {
        human,
        timeout,
        connected,
        arbitrary,
    } = counters;
    let words =
        format!("human {human}, timeout {timeout}, connected {connected}, arbitrary {arbitrary}");
    vec![("generation", words)]
}

fn history(uuids: &[Shown<Uuid>]) -> Vec<Line> {
    let mut lines: Vec<Line> = uuids.iter().map(|one| ("", uuid(one.0))).collect();
    match lines.first_mut() {
        Some(first) => first.0 = "history",
        None => lines.push(("history", "none".to_owned())),
    }
    lines
}

fn generation_v08(shown: &ShownLevel, bitmap: Uuid, history: &[Shown<Uuid>]) -> Vec<Line> {
    let mut lines = vec![current_uuid(shown), ("bitmap UUID", uuid(bitmap))];
    lines.extend(self::history(history));
    lines.push(device_uuid(shown));
    lines.extend(max_bio(shown));
    lines
}

fn max_bio(shown: &ShownLevel) -> Option<Line> {
    let common = shown.superblock.common()?;
    Some(("peer's max. I/O", format!("{} bytes", common.la_peer_max_bio_size)))
}

fn generation_v09(shown: &ShownLevel, generation: &Current) -> Vec<Line> {
    let node = generation.node_id.map_or_else(|| "not set".to_owned(), |node| node.to_string());
    let mut lines = vec![("node id", node), current_uuid(shown)];
    lines.extend(history(&generation.history_uuids));
    lines.push(("day-0 UUID", day0_line(&generation.day0)));
    lines.push(device_uuid(shown));
    let members: Vec<String> = generation.members.iter().map(ToString::to_string).collect();
    let members = match members.as_slice() {
        [] => "none".to_owned(),
        _ => format!("nodes {}", members.join(", ")),
    };
    if let SuperblockView::V09(raw) = &shown.superblock {
        lines.push(("members", format!("{}: {members}", raw.members)));
    }
    lines.extend(max_bio(shown));
    lines
}

/// The generation that free slots count from, and the slot that is taken for it.
fn day0_line(day0: &Day0View) -> String {
    let slot = match (day0.uuid, day0.slot) {
        (_, None) => "no slot is free".to_owned(),
        (None, Some(slot)) => format!("slot {slot} is free"),
        (Some(_), Some(slot)) => format!("counted in free slot {slot}"),
    };
    let never = if day0.never_rotated {
        "; the current UUID is the one it was created with"
    } else {
        ""
    };
    let day0 = day0.uuid.map_or("none".to_owned(), |shown| uuid(shown.0));
    format!("{day0}  {slot}{never}")
}

/// Those of v09's entries that say more than that nobody is there.
fn peers(shown: &ShownLevel, generation: &Current, out: &mut dyn Write) -> io::Result<()> {
    const HEADINGS: [(&str, bool); 5] = [
        ("  node", false),
        ("slot", true),
        ("bitmap UUID", false),
        ("dagtag", true),
        ("flags", false),
    ];
    let rows = generation.peers.iter().map(|peer| {
        let own = Some(peer.node_id) == generation.node_id;
        [
            format!("  {}{}", peer.node_id, if own { " (own)" } else { "" }),
            peer.bitmap_slot.map_or_else(|| "-".to_owned(), |slot| slot.to_string()),
            uuid(peer.bitmap_uuid),
            peer.bitmap_dagtag.to_string(),
            peer.flags.words.clone(),
        ]
    });
    let rows: Vec<[String; 5]> = rows.collect();
    if rows.is_empty() {
        return writeln!(out, "  no peers\n");
    }
    table(&HEADINGS, &rows, out)?;
    let all = match &shown.superblock {
        SuperblockView::V09(raw) => raw.peers.len(),
        _ => 0,
    };
    let others = all.saturating_sub(rows.len());
    match generation.day0.uuid {
        _ if others == 0 => {}
        Some(Shown(day0)) => writeln!(
            out,
            "  {others} more, not in use, that begin at the day-0 UUID {day0} or have none"
        )?,
        None => writeln!(out, "  {others} more, not in use")?,
    }
    writeln!(out)
}

/// How much each slot marks.
fn slots(view: &ShowView, shown: &ShownLevel, out: &mut dyn Write) -> io::Result<()> {
    let Some(slots) = &shown.slots else {
        let why = if shown.level.la_size_sect == 0 {
            NEVER_SIZED
        } else {
            "not counted: external metadata in the midst of something else"
        };
        return writeln!(out, "  {:<16}  {why}", "out of sync");
    };
    let rate = format!("resync at {}/s", binary(Bytes::new(view.rate_bytes_per_second)));
    let headings = [
        ("  slot", false),
        ("of", false),
        ("bits set", true),
        ("bytes out of sync", true),
        (rate.as_str(), true),
    ];
    let row = |slot: &SlotView| {
        let marked = slot.out_of_sync_bytes;
        [
            format!("  {}", slot.slot),
            whose(slot, &shown.generation),
            slot.bits_set.to_string(),
            number_and_binary(Bytes::new(marked)),
            duration(slot.resync_seconds),
        ]
    };
    let rows: Vec<[String; 5]> = slots.iter().map(row).collect();
    table(&headings, &rows, out)
}

/// Whom a slot is of.
fn whose(slot: &SlotView, generation: &GenerationView) -> String {
    let GenerationView::V09(generation) = generation else {
        return "the peer".to_owned();
    };
    let nodes: Vec<String> = slot.node_ids.iter().map(ToString::to_string).collect();
    match nodes.as_slice() {
        [] if slot.left_by_peer => "nobody: left by a peer".to_owned(),
        [] if generation.day0.slot.map(u64::from) == Some(slot.slot) => {
            "nobody: day 0".to_owned()
        }
        [] => "nobody".to_owned(),
        _ => format!("node {}", nodes.join(", ")),
    }
}
