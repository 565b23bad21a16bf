//! `mdtool probe`.

pub(crate) mod args;
pub(crate) mod view;

use std::fmt::Display;
use std::io;

use crate::cli::Streams;
use crate::cli::args::ImageArgs;
use crate::cli::commands::probe::args::ProbeArgs;
use crate::cli::commands::probe::view::{Document, ProbeView};
use crate::cli::outcome::Outcome;
use crate::cli::output::document;
use crate::cli::session::open::Opened;
use crate::verdict::probe::{ProbeOptions, Probed, Status, probe};

/// What `probe --help` says of its statuses.
pub(crate) const STATUSES: &str = "\
Exit status, and the first word of each line:
  0  clean       metadata where DRBD looks, its activity log applied
  1  none        no metadata: looked everywhere that it could be; what is there instead is named
  2  error       could not look, or not everywhere: I/O error, not a raw image, empty, cut off
  3  unclean     metadata where DRBD looks, its activity log to be applied (apply-al)
  4  damaged     metadata, or what is left of it, that DRBD would not take or not wholly
  5  moved       metadata, but not where DRBD will look: nested, or of another size of the disk
  6  unexpected  metadata, but not what --expect-... says

Of several images the status that comes first here counts: 2, 4, 6, 5, 3, 1, 0. So 1 says that
one of them has no metadata, not that all have none: probe one at a time before writing to it.";

pub(crate) fn run(args: &ProbeArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let mut views = Vec::new();
    let mut said = false;
    for image in args.images() {
        let view = ProbeView::of(&image, &look(args, &image), args.json);
        if args.json {
            // One document has them all.
        } else if args.net_size {
            said = net_size(&view, out)?;
        } else if !args.quiet {
            print(out, &view)?;
        }
        views.push(view);
    }
    let statuses: Vec<Status> = views.iter().map(|view| view.answer).collect();
    let worst = Status::worst(&statuses);
    if args.json {
        let mut text = Vec::new();
        document::print(&mut text, Document::new(worst, &views))?;
        print(out, String::from_utf8_lossy(&text).trim_end())?;
    }
    let mut hints: Vec<String> = Vec::new();
    for hint in views.into_iter().flat_map(|view| view.hints) {
        if !hints.contains(&hint) {
            hints.push(hint);
        }
    }
    if !args.quiet {
        for hint in hints {
            out.tell(format_args!("hint: {hint}"));
        }
    }
    // A script that asked for a number and got none is not to go on.
    let unknown = args.net_size && !said && [Status::Clean, Status::Unclean].contains(&worst);
    let worst = if unknown { Status::Error } else { worst };
    Ok(Outcome::Probed(worst))
}

/// Looks at one image.
fn look(args: &ProbeArgs, image: &ImageArgs) -> anyhow::Result<(Opened, Probed)> {
    let opened = Opened::open_window(image)?;
    let at = image.at.map(|at| opened.device_pos(at.0)).transpose()?;
    let options = ProbeOptions {
        index: image.index,
        scan: args.scan.into(),
        which: args.which(),
        at,
        expect: args.expect(),
    };
    let probed = opened.searching(|device| probe(device, &options))?;
    Ok((opened, probed))
}

/// Prints a line; that nobody reads it changes no status, since 0 would say that there is metadata.
fn print(out: &mut Streams<'_>, line: impl Display) -> io::Result<()> {
    match writeln!(out.stdout, "{line}") {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed,
    }
}

/// Prints the size alone, and the line for people where it is not the whole answer; whether there is a size.
fn net_size(view: &ProbeView, out: &mut Streams<'_>) -> anyhow::Result<bool> {
    let size = view.device_bytes;
    if let Some(size) = size {
        print(out, size)?;
    }
    if size.is_none() || view.answer != Status::Clean {
        let unknown = if size.is_none() && !view.is_in_partition() {
            "; the size of its DRBD device is not known"
        } else {
            ""
        };
        out.tell(format_args!("mdtool: {view}{unknown}"));
    }
    Ok(size.is_some())
}
