//! What is said of metadata that DRBD does not see any more, and what to do next.

use crate::cli::args::ImageArgs;
use crate::cli::output::explain::shell_word;
use crate::cli::write::undo_name::{moved_to, of_interrupted};
use crate::format::superblock::{AlState, Format};
use crate::survey::locate::{FoundBy, Level};
use crate::survey::traces::{Trace, TraceKind};
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK};

/// What was found, in one line.
pub(crate) fn line(args: &ImageArgs, trace: &Trace) -> String {
    let at = image_pos(args, trace.at);
    let named = trace.format.map_or_else(
        || format!("superblock at {at}"),
        |format| format!("superblock at {at} ({format})"),
    );
    match trace.kind {
        TraceKind::Erased { found: 0 } => {
            let Some((place, bytes)) = trace.missing_magic() else {
                return named;
            };
            format!(
                "{named}: only its magic was erased, as wipefs, pvcreate and mkswap do: bytes {} belong at {}, all else is whole",
                bytes.map(|byte| format!("{byte:02x}")).join(" "),
                image_pos(args, place)
            )
        }
        TraceKind::Erased { found } => {
            format!("{named}: magic is 0x{found:08X}, everything else is a superblock's")
        }
        TraceKind::UnderWay => format!("{named}: a change by mdtool was interrupted here"),
        TraceKind::Retired => moved_to(&args.image, at).map_or_else(
            || format!("{named}: retired by mdtool, its metadata was moved elsewhere"),
            |(path, to)| {
                format!(
                    "{named}: retired by mdtool, its metadata was moved to {} of {}",
                    to,
                    path.display()
                )
            },
        ),
        TraceKind::LogAlone { log, left } if left > Bytes::ZERO => format!(
            "the superblock at {at} is cut off after {left}, its activity log is there, at {}",
            image_pos(args, log)
        ),
        TraceKind::LogAlone { log, .. } => format!(
            "the superblock at {at} is gone, its activity log is there, at {}",
            image_pos(args, log)
        ),
    }
}

/// What to do next, the least destructive first.
pub(crate) fn hints(args: &ImageArgs, trace: &Trace) -> Vec<String> {
    let image = shell_word(&args.image);
    let at = image_pos(args, trace.at).get();
    match trace.kind {
        TraceKind::Erased { .. } => {
            let show = format!("`mdtool show {image} --at {at}` shows what it says");
            let mut hints = vec![show];
            if is_mended(args, trace) {
                hints.push(format!("`mdtool repair {image}` puts the magic back, with an undo file; it shows that first, and asks"));
                // Nothing has to be imported then: of whoever erased it the label may stand in the way.
                if !is_unclean(trace) {
                    hints.push(format!("`mdtool export {image} --at {at} -o metadata.md` takes it out as text"));
                }
            } else {
                hints.push(put_back(args, trace, at));
            }
            hints
        }
        TraceKind::UnderWay => vec![undo(args)],
        TraceKind::Retired => vec![
            moved_to(&args.image, image_pos(args, trace.at)).map_or_else(
                || moved_away(trace),
                |(path, to)| format!("its metadata was moved to {to} of {}: give that", path.display()),
            ),
            format!("`mdtool show {image} --at {at}` shows what the retired superblock said"),
        ],
        TraceKind::LogAlone { left, .. } if left > Bytes::ZERO => vec![format!(
            "{} of the superblock are missing: copy the disk or image anew, whole; what is missing is zeros in most superblocks, and on a copy of a file `truncate -s {}` appends those",
            MD_BLOCK.saturating_sub(left),
            image_pos(args, trace.at).get().saturating_add(MD_BLOCK.get())
        )],
        TraceKind::LogAlone { .. } => vec![
            "keep the disk as it is, or a copy of it; a dump of this metadata, if there is one, goes back with `mdtool import`, which writes an undo file first".to_owned(),
        ],
    }
}

/// Where the metadata of a retired superblock may be, where no undo file beside the image says it.
fn moved_away(trace: &Trace) -> String {
    if trace.in_place {
        "give the device that its metadata was moved to; mdtool named it then".to_owned()
    } else {
        "its metadata was moved to a meta device: give that; or to the end of this disk, and was wiped or overwritten there since: `mdtool undo FILE` takes that back".to_owned()
    }
}

/// The command that restores what was there before an interrupted change.
pub(crate) fn undo(args: &ImageArgs) -> String {
    of_interrupted(&args.image).map_or_else(
        || {
            "`mdtool undo FILE` puts back what was there before; FILE is what the interrupted command was given as --undo, or NAME.mdtool-undo-TIME beside the image or where it ran; a copy that was cut off has no undo file: `mdtool copy SOURCE TARGET --resume` goes on".to_owned()
        },
        |file| {
            format!(
                "`mdtool undo {}` puts back what was there before the interrupted change",
                shell_word(&file)
            )
        },
    )
}

/// How the missing magic gets back.
fn put_back(args: &ImageArgs, trace: &Trace, at: u64) -> String {
    let image = shell_word(&args.image);
    let level = trace.level.as_ref();
    // What import writes goes where DRBD looks on the whole image.
    let whole = args.offset.is_none() && args.size.is_none();
    let importable =
        level.filter(|level| trace.in_place && whole && !is_unclean(trace) && !is_inner(level));
    if let Some(level) = importable {
        return format!(
            "`mdtool export {image} --at {at} -o metadata.md` takes it out, and `mdtool import {image} metadata.md --index {}` puts it back, with an undo file",
            level.layout.index
        );
    }
    match trace.missing_magic() {
        Some((place, bytes)) => {
            let bytes = bytes.map(|byte| format!("\\x{byte:02x}")).concat();
            format!(
                "after a copy of the disk: `printf '{bytes}' | dd of={image} bs=1 seek={} conv=notrunc` puts it back",
                image_pos(args, place).get()
            )
        }
        None => format!("`mdtool export {image} --at {at}` takes it out"),
    }
}

fn is_unclean(trace: &Trace) -> bool {
    let level = trace.level.as_ref();
    level.is_some_and(|level| level.superblock.al_state() == AlState::Unclean)
}

/// Whether `mdtool repair` of the whole image mends it.
fn is_mended(args: &ImageArgs, trace: &Trace) -> bool {
    let whole = args.offset.is_none() && args.size.is_none();
    let level = trace.level.as_ref().filter(|level| !is_inner(level));
    trace.kind == TraceKind::Erased { found: 0 }
        && trace.in_place
        && whole
        && level.is_some_and(|level| level.superblock.format() != Format::V07)
}

/// Whether a trace's resource lies inside another: it was laid out for a smaller device than the image.
fn is_inner(level: &Level) -> bool {
    level.found_by == FoundBy::OuterSize
}

/// Where in the image a position of the device is.
pub(crate) fn image_pos(args: &ImageArgs, at: DevPos) -> ImagePos {
    let before = args.offset.map_or(Bytes::ZERO, |offset| offset.0);
    // OK to fall back: positions that were found lie in the image.
    let at = at.from_start();
    ImagePos::at(before.checked_add(at).unwrap_or(at))
}
