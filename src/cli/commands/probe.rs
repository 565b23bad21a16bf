//! `mdtool probe`.

use std::fmt::Display;
use std::io;

use super::super::Streams;
use super::super::args::{ImageArgs, ProbeArgs};
use super::super::open::Opened;
use super::super::outcome::Outcome;
use super::super::report::probe::{Report, document};
use crate::probe::{ProbeOptions, Probed, Status, probe};

pub(in super::super) fn run(args: &ProbeArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let mut statuses = Vec::new();
    let mut entries = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for image in args.images() {
        let looked = look(args, &image);
        let report = Report {
            image: &image,
            looked: looked.as_ref().map(|(opened, probed)| (opened, probed)),
        };
        statuses.push(report.status());
        if args.json {
            entries.push(report.json()?);
        } else if args.net_size {
            net_size(&report, out)?;
        } else if !args.quiet {
            print(out, report.line())?;
        }
        for hint in report.hints() {
            if !hints.contains(&hint) {
                hints.push(hint);
            }
        }
    }
    let worst = Status::worst(&statuses);
    if args.json {
        print(out, format_args!("{:#}", document(worst, &entries)))?;
    }
    if !args.quiet {
        for hint in hints {
            out.tell(format_args!("hint: {hint}"));
        }
    }
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

/// Prints the size alone, and the line for people where it is not the whole answer.
fn net_size(report: &Report<'_>, out: &mut Streams<'_>) -> anyhow::Result<()> {
    let size = report.net_size();
    if let Some(size) = size {
        print(out, size.get())?;
    }
    if size.is_none() || report.status() != Status::Clean {
        let unknown = if size.is_none() && !report.is_in_partition() {
            "; the size of its DRBD device is not known"
        } else {
            ""
        };
        out.tell(format_args!("mdtool: {}{unknown}", report.line()));
    }
    Ok(())
}
