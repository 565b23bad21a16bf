//! What an edit changes, in words; and the edited metadata as a dump.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::edit::args::EditArgs;
use crate::cli::commands::edit::{edited, tell_notes};
use crate::cli::commands::export::{MEMBERS_HINT, preamble};
use crate::cli::outcome::{Declined, Outcome};
use crate::cli::session::select::Chosen;
use crate::cli::session::source::Source;
use crate::dump::{Compat, print};
use crate::error::Refused;
use crate::format::metadata::{Generation, Header, PeerV09};
use crate::format::superblock::{AlState, DeviceFlags, Format};
use crate::format::layout::MdLayout;
use crate::image::{NewFile, random_u64};
use crate::surgery::edit::{Change, Edited, Needs, Recipe, SlotSource, Spooled};
use crate::survey::locate::ScanMode;
use crate::units::BitmapIndex;

/// Prints the edited metadata as a dump; the image stays as it is.
pub(crate) fn run(
    args: &EditArgs,
    path: &Path,
    changes: &[Change],
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    if let Some(source) = Source::of_dump(&args.image.image)? {
        return of_dump(args, &source, path, changes, command_line, out);
    }
    let chosen = Chosen::of_source(&args.image, args.level, ScanMode::Auto)?;
    chosen.opened.tell_warnings(&args.image, out);
    let (opened, level) = (&chosen.opened, chosen.level());
    let name = || args.image.image.display().to_string();
    if level.superblock.al_state() == AlState::Unclean {
        let at = opened.image_pos(level.layout.md);
        let format = level.superblock.format();
        let unclean = crate::error::Error::from(Refused::Unclean { at, format });
        return Err(anyhow::Error::from(unclean).context(name()));
    }
    let window = opened.window();
    let edited = edited(level, window, changes, args.writing.force).with_context(name)?;
    let layout = edited.layout(level).with_context(name)?;
    let slots = level.bitmap(window);
    write(args, &edited, &slots, &layout, path, command_line, out).with_context(name)?;
    tell_notes(&edited, &name(), out);
    Ok(Outcome::Done)
}

/// Prints the edited metadata of a dump.
fn of_dump(
    args: &EditArgs,
    source: &Source,
    path: &Path,
    changes: &[Change],
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let name = || source.name.clone();
    let mut reader = source.dump()?.context("is no dump").with_context(name)?;
    let header = reader.header().clone();
    if header.al_state == AlState::Unclean {
        let why = format!("{}: the dump is unclean: its bitmap lacks what the log named", name());
        let hint = "dump it anew after `mdtool apply-al DISK`, or edit the disk itself";
        return Err(Declined::new(why, &[hint]).into());
    }
    let slots = Spooled::of(&header, &mut reader).with_context(name)?;
    let disk = reader.places().disk();
    reader.finish().with_context(name)?;
    let mut random = random_u64;
    let mut needs = Needs {
        slots: &slots,
        random: &mut random,
        force: args.writing.force,
    };
    let edited = Edited::new(&header, changes, &mut needs).with_context(name)?;
    let here = disk.and_then(|disk| edited.layout_on(disk));
    if disk.is_some() && here.is_none() {
        out.tell(format_args!(
            "mdtool: warning: {}: the disk that was dumped has no room for this metadata behind its data: it is for a larger disk, or for a meta device",
            name()
        ));
    }
    let layout = here.map_or_else(|| edited.layout_anywhere(), Ok).with_context(name)?;
    for warning in source.warnings()? {
        out.tell(format_args!("mdtool: warning: {}: {warning}", name()));
    }
    write(args, &edited, &slots, &layout, path, command_line, out).with_context(name)?;
    tell_notes(&edited, &name(), out);
    Ok(Outcome::Done)
}

/// Writes the edited metadata as a dump.
fn write(
    args: &EditArgs,
    edited: &Edited,
    slots: &dyn SlotSource,
    layout: &MdLayout,
    path: &Path,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let compat = args.compat.map_or(Compat::NEWEST, Compat::version);
    let write = |out: &mut dyn Write| {
        let mut bitmap = edited.bitmap(slots);
        let preamble = preamble(command_line);
        print(out, &edited.header, layout, &mut bitmap, &preamble, compat)
    };
    if path.as_os_str() == "-" {
        write(out.stdout)?;
        return Ok(());
    }
    let target = || path.display().to_string();
    let mut file = NewFile::create(path).with_context(target)?;
    write(&mut file)?;
    file.finish().with_context(target)?;
    if edited.header.format() == Format::V09 && args.compat.is_none() {
        out.tell(MEMBERS_HINT);
    }
    Ok(())
}

/// What differs, a line each: `node-id 0 -> 1`.
pub(crate) fn differences(before: &Header, edited: &Edited) -> Vec<String> {
    let after = &edited.header;
    let mut lines = Vec::new();
    let mut line = |what: &str, old: String, new: String| {
        if old != new {
            lines.push(format!("{what} {old} -> {new}"));
        }
    };
    line(
        "format",
        before.format().to_string(),
        after.format().to_string(),
    );
    for ((what, old), (same, new)) in fields(before).into_iter().zip(fields(after)) {
        // The last one is a format's own.
        if what == same {
            line(&what, old, new);
        }
    }
    lines.extend(of_slots(before, edited));
    let (Generation::V09(old), Generation::V09(new)) = (&before.generation, &after.generation)
    else {
        return lines;
    };
    lines.extend(of_peers(&old.peers, &new.peers));
    lines
}

/// What changes of the peers' entries; neighbours of which the same is said share a line.
fn of_peers(old: &[PeerV09], new: &[PeerV09]) -> Vec<String> {
    let changes = old.iter().zip(new).map(|(old, new)| of_peer(old, new));
    let named = |first: usize, last: usize| match last.checked_sub(first) {
        Some(0) | None => format!("peer[{first}]"),
        Some(_) => format!("peer[{first}] to peer[{last}]"),
    };
    grouped(changes, named, " ")
}

/// What changes of one entry.
fn of_peer(old: &PeerV09, new: &PeerV09) -> Option<String> {
    let mut parts = Vec::new();
    let mut part = |what: &str, old: String, new: String| {
        if old != new {
            parts.push(format!("{what} {old} -> {new}"));
        }
    };
    let number = |index: i32| index.to_string();
    part("slot", number(old.bitmap_index), number(new.bitmap_index));
    part("bitmap UUID", old.bitmap_uuid.to_string(), new.bitmap_uuid.to_string());
    part("dagtag", old.bitmap_dagtag.to_string(), new.bitmap_dagtag.to_string());
    let flags = |flags: u32| format!("0x{flags:08X}");
    part("flags", flags(old.flags.0), flags(new.flags.0));
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What becomes of the bits of each slot that is not as it was.
fn of_slots(before: &Header, edited: &Edited) -> Vec<String> {
    let count = usize::try_from(before.geometry.max_peers).unwrap_or(0);
    let said = edited.recipes.iter().zip(0..=u8::MAX).map(|(recipe, slot)| {
        let same = *recipe == Recipe::of(BitmapIndex::new(slot));
        if same && usize::from(slot) < count {
            return None;
        }
        Some(match recipe.of.as_slice() {
            _ if recipe.all_set => "everything out of sync".to_owned(),
            [] => "nothing out of sync".to_owned(),
            [one] => format!("as slot {} was", one.get()),
            several => {
                let several = several.iter().map(|slot| slot.get().to_string());
                format!("what slots {} had", several.collect::<Vec<_>>().join(", "))
            }
        })
    });
    let named = |first: usize, last: usize| match last.checked_sub(first) {
        Some(0) | None => format!("slot {first}"),
        Some(_) => format!("slots {first} to {last}"),
    };
    grouped(said, named, ": ")
}

/// A line for each run of entries of which the same is said.
fn grouped(
    said: impl Iterator<Item = Option<String>>,
    named: impl Fn(usize, usize) -> String,
    between: &str,
) -> Vec<String> {
    let mut runs: Vec<(usize, usize, String)> = Vec::new();
    for (number, said) in said.enumerate() {
        let Some(said) = said else { continue };
        match runs.last_mut() {
            Some((_, last, same)) if last.checked_add(1) == Some(number) && *same == said => {
                *last = number;
            }
            _ => runs.push((number, number, said)),
        }
    }
    let line = |(first, last, said): (usize, usize, String)| {
        format!("{}{between}{said}", named(first, last))
    };
    runs.into_iter().map(line).collect()
}

/// Every field that is not a peer's, by the name that a dump gives it.
fn fields(header: &Header) -> Vec<(String, String)> {
    let geometry = &header.geometry;
    let field = |name: &str, value: String| (name.to_owned(), value);
    let mut fields = vec![
        field("la-size-sect", header.la_size.get().to_string()),
        field("max-peers", geometry.max_peers.to_string()),
        field("bm-byte-per-bit", geometry.bytes_per_bit.to_string()),
        field("al-stripes", geometry.al.stripes.to_string()),
        field("al-stripe-size-4k", geometry.al.stripe_size_4k.to_string()),
    ];
    let flags = |flags: DeviceFlags| format!("{flags} ({})", flags.named(header.format()));
    match &header.generation {
        Generation::V07(_) => {}
        Generation::V08(v08) => {
            fields.push(field("flags", flags(v08.flags)));
            fields.push(field("device-uuid", v08.device_uuid.to_string()));
            fields.push(field("current UUID", v08.uuids[0].to_string()));
            fields.push(field("history UUIDs", list(&v08.uuids[2..])));
            fields.push(field("bitmap UUID", v08.uuids[1].to_string()));
        }
        Generation::V09(v09) => {
            fields.push(field("flags", flags(v09.flags)));
            fields.push(field("device-uuid", v09.device_uuid.to_string()));
            fields.push(field("current UUID", v09.current_uuid.to_string()));
            fields.push(field("history UUIDs", list(&v09.history_uuids)));
            fields.push(field("node-id", v09.node_id.to_string()));
            fields.push(field("members", format!("0x{:016X}", v09.members)));
        }
    }
    fields
}

/// Those that are set.
fn list(uuids: &[crate::format::superblock::Uuid]) -> String {
    let set = uuids.iter().filter(|uuid| uuid.0 != 0);
    let set: Vec<String> = set.map(ToString::to_string).collect();
    if set.is_empty() {
        "none".to_owned()
    } else {
        set.join(" ")
    }
}
