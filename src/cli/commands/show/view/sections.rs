//! One level as text: a name and what is said of it on each line, then the peers and the slots as tables.

use std::io::{self, Write};

use crate::cli::output::amounts::{binary, bytes_and_decimal, duration};
use crate::cli::commands::show::view::{Facts, Show, raw};
use crate::cli::output::explain;
use crate::cli::output::text::{Report, table};
use crate::format::layout::MdIndex;
use crate::format::metadata::{CountersV07, Day0, Generation, GenerationV08, GenerationV09};
use crate::format::superblock::{AlState, MAGIC_84_UNCLEAN, Superblock, Uuid};
use crate::survey::locate::FoundBy;
use crate::units::{Bytes, DevPos, Sectors, range_len};
use crate::verdict::handshake::at_attach;

/// A name and what is said of it.
type Line = (&'static str, String);

/// Prints one level.
pub(crate) fn print(show: &Show<'_>, facts: &Facts<'_>, out: &mut dyn Write) -> io::Result<()> {
    let superblock = &facts.level.superblock;
    writeln!(
        out,
        "level {}: {} resource, {}, {}",
        facts.number,
        facts.level.role,
        superblock.format(),
        superblock.al_state()
    )?;
    section(out, &places(show.report, facts))?;
    section(out, &state(facts))?;
    match &facts.header.generation {
        Generation::V07(counters) => section(out, &counters_v07(*counters))?,
        Generation::V08(generation) => section(out, &generation_v08(generation))?,
        Generation::V09(generation) => {
            section(out, &generation_v09(facts, generation))?;
            peers(facts, generation, out)?;
        }
    }
    slots(show, facts, out)
}

/// Who lives on the disk, and where that ends.
pub(crate) fn occupants(report: &Report<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let lines = explain::occupants(&report.located.levels, &report.residents()?);
    if !lines.is_empty() {
        writeln!(out, "\non the disk")?;
    }
    for line in lines {
        writeln!(out, "  {line}")?;
    }
    Ok(())
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
fn size(bytes: Bytes) -> String {
    let text = bytes_and_decimal(bytes);
    match (bytes.to_sectors_exact(), text.strip_suffix(')')) {
        (Some(sectors), Some(open)) => format!("{open}, {sectors})"),
        (Some(sectors), None) => format!("{text} ({sectors})"),
        (None, _) => text,
    }
}

fn sectors(sectors: Sectors) -> String {
    sectors.to_bytes().map_or_else(|| sectors.to_string(), size)
}

/// Where things are, and how large.
fn places(report: &Report<'_>, facts: &Facts<'_>) -> Vec<Line> {
    let (level, layout) = (facts.level, &facts.level.layout);
    let from = |at: DevPos| report.image_pos(at);
    let magic = match &level.superblock {
        Superblock::V08(sb) if sb.magic == MAGIC_84_UNCLEAN => ", as a kernel writes it",
        _ => "",
    };
    let geometry = layout.geometry;
    let whole = range_len(&layout.whole);
    vec![
        (
            "superblock",
            format!(
                "{}, magic {}{magic}; {}",
                from(layout.md),
                raw::magic(&level.superblock),
                found_by(level.found_by)
            ),
        ),
        (
            "metadata",
            format!(
                "{}, {} up to {}",
                placement(layout.index),
                from(layout.whole.start),
                from(layout.whole.end)
            ) + &format!(": {}", size(whole)),
        ),
        (
            "activity log",
            format!(
                "{}, {}: {} of {} blocks of 4 KiB; at most {} extents active",
                from(layout.al.start),
                range_len(&layout.al),
                count(u64::from(geometry.al.stripes), "stripe", "stripes"),
                geometry.al.stripe_size_4k,
                level.superblock.al_nr_extents()
            ),
        ),
        (
            "bitmap",
            format!(
                "{}, {}: {}, {} bytes per bit",
                from(layout.bm.start),
                range_len(&layout.bm),
                count(u64::from(geometry.max_peers), "slot", "slots"),
                geometry.bytes_per_bit
            ),
        ),
        (
            "backing device",
            level
                .backing()
                .map_or_else(|| "elsewhere; this is a meta device".to_owned(), size),
        ),
        ("DRBD device", device(facts)),
        ("at most", sectors(layout.usable)),
    ]
}

/// The DRBD device's size, and where it is known from.
fn device(facts: &Facts<'_>) -> String {
    let said = facts.level.superblock.la_size();
    let usable = facts.level.layout.usable;
    match facts.level.known_drbd_device() {
        None => "not known: no size was ever agreed on".to_owned(),
        Some(all) if said == Sectors::ZERO => {
            format!(
                "{}: all that fits, no size was ever agreed on",
                sectors(all)
            )
        }
        Some(most) if said > usable => {
            format!(
                "{}: all that fits; the superblock says {said}",
                sectors(most)
            )
        }
        Some(agreed) => format!("{}, as last agreed", sectors(agreed)),
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

const fn found_by(found_by: FoundBy) -> &'static str {
    match found_by {
        FoundBy::ExpectedPosition => "where DRBD looks on this disk",
        FoundBy::OuterSize => "where DRBD looks on the device around it",
        FoundBy::Scan => "found by searching, DRBD does not look there",
        FoundBy::Given => "where --at says",
    }
}

fn count(number: u64, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// Flags, and what they mean.
fn state(facts: &Facts<'_>) -> Vec<Line> {
    let superblock = &facts.level.superblock;
    let flags = superblock.flags();
    let disk = facts.disk();
    let mut lines = vec![
        (
            "flags",
            format!("{flags}: {}", flags.named(superblock.format())),
        ),
        ("disk state", format!("{disk}: {}", disk.meaning(&facts.header))),
    ];
    let notes = at_attach(&facts.header);
    let refusals: Vec<Line> = facts.refusals().map(|one| ("at attach", facts.refusal(one))).collect();
    if notes.is_empty() && refusals.is_empty() {
        lines.push(("at attach", "nothing stands in its way here".to_owned()));
    }
    lines.extend(refusals);
    lines.extend(notes.iter().map(|note| ("at attach", note.to_string())));
    if superblock.al_state() == AlState::Unclean && facts.slots.is_some() {
        let note = "what the activity log names is not among what is counted below";
        lines.push(("", note.to_owned()));
    }
    lines
}

/// A UUID, and what its value alone shows.
fn uuid(uuid: Uuid) -> String {
    match uuid {
        Uuid::NONE => "none".to_owned(),
        _ if !uuid.names_a_generation() => format!("{uuid}  just created"),
        _ if uuid.set_as_primary() => format!("{uuid}  set as Primary"),
        _ => uuid.to_string(),
    }
}

/// The same without a role: a device's identifier is random in all bits.
fn device_uuid(uuid: Uuid) -> String {
    match uuid {
        Uuid::NONE => "never set".to_owned(),
        _ => uuid.to_string(),
    }
}

fn counters_v07(CountersV07([_, human, timeout, connected, arbitrary]): CountersV07) -> Vec<Line> {
    let counters = [
        ("human", human),
        ("timeout", timeout),
        ("connected", connected),
        ("arbitrary", arbitrary),
    ];
    let words = counters.map(|(name, value)| format!("{name} {value}"));
    vec![("generation", words.join(", "))]
}

fn history(uuids: &[Uuid]) -> Vec<Line> {
    let set = uuids.iter().filter(|one| **one != Uuid::NONE);
    let mut lines: Vec<Line> = set.map(|one| ("", uuid(*one))).collect();
    match lines.first_mut() {
        Some(first) => first.0 = "history",
        None => lines.push(("history", "none".to_owned())),
    }
    lines
}

fn generation_v08(generation: &GenerationV08) -> Vec<Line> {
    let [current, bitmap, history @ ..] = generation.uuids;
    let mut lines = vec![
        ("current UUID", uuid(current)),
        ("bitmap UUID", uuid(bitmap)),
    ];
    lines.extend(self::history(&history));
    lines.push(("device UUID", device_uuid(generation.device_uuid)));
    lines.push(max_bio(generation.la_peer_max_bio_size));
    lines
}

fn max_bio(size: u32) -> Line {
    ("peer's max. I/O", format!("{size} bytes"))
}

fn generation_v09(facts: &Facts<'_>, generation: &GenerationV09) -> Vec<Line> {
    let node = match generation.node_id {
        -1 => "not set".to_owned(),
        node => node.to_string(),
    };
    let mut lines = vec![
        ("node id", node),
        ("current UUID", uuid(generation.current_uuid)),
    ];
    lines.extend(history(&generation.history_uuids));
    if let Some(day0) = facts.day0() {
        lines.push(("day-0 UUID", day0_line(day0)));
    }
    lines.push(("device UUID", device_uuid(generation.device_uuid)));
    let members = crate::cli::commands::show::view::json::node_ids(generation.members);
    let members: Vec<String> = members.iter().map(ToString::to_string).collect();
    let members = match members.as_slice() {
        [] => "none".to_owned(),
        _ => format!("nodes {}", members.join(", ")),
    };
    lines.push((
        "members",
        format!("0x{:016X}: {members}", generation.members),
    ));
    lines.push(max_bio(generation.la_peer_max_bio_size));
    lines
}

/// The generation that free slots count from, and the slot that is taken for it.
fn day0_line(day0: Day0) -> String {
    let slot = match (day0.uuid, day0.slot) {
        (_, None) => "no slot is free".to_owned(),
        (None, Some(slot)) => format!("slot {} is free", slot.get()),
        (Some(_), Some(slot)) => format!("counted in free slot {}", slot.get()),
    };
    let never = if day0.never_rotated {
        "; the current UUID is the one it was created with"
    } else {
        ""
    };
    format!(
        "{}  {slot}{never}",
        day0.uuid.map_or("none".to_owned(), uuid)
    )
}

/// Those of v09's entries that say more than that nobody is there.
fn peers(facts: &Facts<'_>, generation: &GenerationV09, out: &mut dyn Write) -> io::Result<()> {
    const HEADINGS: [(&str, bool); 5] = [
        ("  node", false),
        ("slot", true),
        ("bitmap UUID", false),
        ("dagtag", true),
        ("flags", false),
    ];
    let mut rows = Vec::new();
    for (node, peer) in generation.peers.iter().enumerate() {
        if !crate::cli::commands::show::view::json::is_worth_telling(facts, generation, node) {
            continue;
        }
        let own = i32::try_from(node).is_ok_and(|node| node == generation.node_id);
        rows.push([
            format!("  {node}{}", if own { " (own)" } else { "" }),
            match peer.bitmap_index {
                -1 => "-".to_owned(),
                slot => slot.to_string(),
            },
            uuid(peer.bitmap_uuid),
            peer.bitmap_dagtag.to_string(),
            peer.flags.named().to_string(),
        ]);
    }
    if rows.is_empty() {
        return writeln!(out, "  no peers\n");
    }
    table(&HEADINGS, &rows, out)?;
    let others = generation.peers.len().saturating_sub(rows.len());
    let day0 = facts.day0().and_then(|day0| day0.uuid);
    match day0 {
        _ if others == 0 => {}
        Some(day0) => writeln!(
            out,
            "  {others} more, not in use, that begin at the day-0 UUID {day0} or have none"
        )?,
        None => writeln!(out, "  {others} more, not in use")?,
    }
    writeln!(out)
}

/// How much each slot marks.
fn slots(show: &Show<'_>, facts: &Facts<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Some(slots) = &facts.slots else {
        let why = if facts.level.superblock.la_size() == Sectors::ZERO {
            "it means nothing yet: no size was ever agreed on"
        } else {
            "not counted: external metadata in the midst of something else"
        };
        return writeln!(out, "  {:<16}  {why}", "out of sync");
    };
    let rate = format!("resync at {}/s", binary(show.rate.0));
    let headings = [
        ("  slot", false),
        ("of", false),
        ("bits set", true),
        ("bytes out of sync", true),
        (rate.as_str(), true),
    ];
    let day0 = facts.day0().and_then(|day0| day0.slot);
    let left = facts.left();
    let rows: Vec<[String; 5]> = slots
        .iter()
        .map(|slot| {
            let nodes: Vec<String> = slot.nodes.iter().map(ToString::to_string).collect();
            let of = match nodes.as_slice() {
                _ if facts.v09().is_none() => "the peer".to_owned(),
                [] if left.contains(&slot.number) => "nobody: left by a peer".to_owned(),
                [] if day0.is_some_and(|day0| u64::from(day0.get()) == slot.number) => {
                    "nobody: day 0".to_owned()
                }
                [] => "nobody".to_owned(),
                _ => format!("node {}", nodes.join(", ")),
            };
            [
                format!("  {}", slot.number),
                of,
                slot.bits.to_string(),
                format!("{} ({})", slot.bytes.get(), binary(slot.bytes)),
                duration(show.rate.seconds(slot.bytes)),
            ]
        })
        .collect();
    table(&headings, &rows, out)
}
