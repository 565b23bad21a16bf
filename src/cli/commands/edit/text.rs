//! What an edit changes, in words; and the edited metadata as a dump.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::edit::args::EditArgs;
use crate::cli::commands::edit::{edited, tell_notes};
use crate::cli::commands::export::preamble;
use crate::cli::outcome::{Declined, Outcome};
use crate::cli::session::select::Chosen;
use crate::cli::session::source::Source;
use crate::dump::{Compat, print};
use crate::error::Refused;
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{AlState, DeviceFlags};
use crate::format::layout::MdLayout;
use crate::image::{NewFile, random_u64};
use crate::surgery::edit::{Change, Edited, Needs, SlotSource, Spooled};
use crate::survey::locate::ScanMode;

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
    write(&edited, &slots, &layout, path, command_line, out).with_context(name)?;
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
        let hint = "dump it anew after `mdtool apply-al`, or edit the disk itself";
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
    write(&edited, &slots, &layout, path, command_line, out).with_context(name)?;
    tell_notes(&edited, &name(), out);
    Ok(Outcome::Done)
}

/// Writes the edited metadata as a dump.
fn write(
    edited: &Edited,
    slots: &dyn SlotSource,
    layout: &MdLayout,
    path: &Path,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let write = |out: &mut dyn Write| {
        let mut bitmap = edited.bitmap(slots);
        let preamble = preamble(command_line);
        print(out, &edited.header, layout, &mut bitmap, &preamble, Compat::NEWEST)
    };
    if path.as_os_str() == "-" {
        write(out.stdout)?;
        return Ok(());
    }
    let target = || path.display().to_string();
    let mut file = NewFile::create(path).with_context(target)?;
    write(&mut file)?;
    file.finish().with_context(target)?;
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
    let (Generation::V09(old), Generation::V09(new)) = (&before.generation, &after.generation)
    else {
        return lines;
    };
    for (node, (old, new)) in old.peers.iter().zip(&new.peers).enumerate() {
        if old != new {
            lines.push(format!(
                "peer[{node}] slot {} -> {}, bitmap UUID {} -> {}, flags 0x{:08X} -> 0x{:08X}",
                old.bitmap_index,
                new.bitmap_index,
                old.bitmap_uuid,
                new.bitmap_uuid,
                old.flags.0,
                new.flags.0
            ));
        }
    }
    lines
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
