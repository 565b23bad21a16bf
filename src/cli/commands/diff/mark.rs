//! `diff --set-bits`: what differs, and is not marked, is marked.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::bitmap::args::SourceArgs;
use crate::cli::commands::bitmap::change::{Changing, Select};
use crate::cli::commands::diff::Pair;
use crate::cli::commands::diff::args::DiffArgs;
use crate::cli::commands::diff::classes::Class;
use crate::cli::commands::diff::side::{Side, slots_toward};
use crate::cli::commands::diff::view::{Totals, View};
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Trust;
use crate::cli::session::slots::Scale;
use crate::cli::session::source::Meant;
use crate::cli::write::{self, Aim, Look, Request};
use crate::format::metadata::Header;
use crate::surgery::bits::RangeSet;
use crate::units::BitmapIndex;

/// Compares, marks in A what differs and neither side marks, and says what comes next.
pub(super) fn run(
    args: &DiffArgs,
    (other, b): (&Path, &Side<'_>),
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let named = args.side(&args.a);
    let source = SourceArgs {
        sync_source: args.sync_source,
        with: Some(other.to_owned()),
    };
    // One document: that of the change is a field of the comparison's.
    let mut change = Vec::new();
    let mut job = Changing {
        set: true,
        apply_al: args.apply_al,
        source: &source,
        peer: Meant {
            level: args.level,
            stacked: args.stacked,
        },
        json: args.writing.json,
        level_named: named.level.is_some() || named.image.stacked,
        select: Differences {
            args,
            other,
            b,
            stdout: &mut *out.stdout,
            totals: None,
        },
    };
    let request = Request {
        aim: Aim::Resource {
            image: &named.image,
            level: named.level,
            trust: Trust::InPlace,
        },
        meta: None,
        writing: &args.writing,
        command_line,
        dump: None,
    };
    let mut streams = Streams {
        stdout: &mut change,
        stderr: &mut *out.stderr,
    };
    let done = write::run(&mut job, &request, &mut streams);
    let totals = job.select.totals;
    if args.writing.json && totals.is_some() {
        let change = String::from_utf8_lossy(&change);
        let change = change.trim_end().replace('\n', "\n  ");
        let change = if change.is_empty() { "null" } else { &change };
        writeln!(out.stdout, ",\n  \"set_bits\": {change}\n}}")?;
    } else {
        out.stdout.write_all(&change)?;
    }
    done?;
    Ok(totals.map_or(Outcome::Done, |totals| totals.outcome()))
}

/// What differs, and is not marked.
struct Differences<'a> {
    args: &'a DiffArgs,
    other: &'a Path,
    b: &'a Side<'a>,
    stdout: &'a mut dyn Write,
    /// Once all is compared.
    totals: Option<Totals>,
}

impl Select for Differences<'_> {
    fn slots(&self, header: &Header) -> anyhow::Result<Vec<BitmapIndex>> {
        let slots = slots_toward(header, &self.b.header);
        anyhow::ensure!(
            slots.len() == 1,
            "{}: has {} slots that may be {}'s, expected one: its superblock does not say which node it is, or has no slot for it",
            self.args.a.display(),
            slots.len(),
            self.b.name()
        );
        Ok(slots)
    }

    fn gather(
        &mut self,
        look: &Look,
        _scale: &Scale,
        ranges: &mut RangeSet,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Vec<String>> {
        let a = Side::of(&look.opened, look.level()?, &self.args.a)?;
        let pair = Pair::new(&a, self.b, out)?;
        let mut view = View::new(
            &self.args.writing,
            &pair.subject(self.args, self.other),
            &mut *self.stdout,
        )?;
        pair.compare(&mut |range, class| {
            if class == Class::DifferUnmarked {
                ranges.add(range.clone())?;
            }
            view.range(range, class)
        })?;
        let totals = view.finish(pair.comparison.len, Some(()))?;
        self.totals = Some(totals);
        if !self.args.writing.json {
            writeln!(self.stdout).context("cannot write the output")?;
        }
        Ok(Vec::new())
    }
}

/// Says how what differs unnoticed is mended, from here to the end.
pub(super) fn tell_the_way(args: &DiffArgs, other: &Path, out: &mut Streams<'_>) {
    let (a, b) = (args.a.display(), other.display());
    let mut level = String::new();
    if args.stacked {
        level.push_str(" --stacked");
    }
    let which = match args.level {
        Some(crate::cli::args::LevelChoice::Outer) => Some("outer".to_owned()),
        Some(crate::cli::args::LevelChoice::Inner) => Some("inner".to_owned()),
        Some(crate::cli::args::LevelChoice::Number(number)) => Some(number.to_string()),
        None => None,
    };
    if let Some(which) = which {
        level.push_str(" --level ");
        level.push_str(&which);
    }
    for line in [
        "next: no resync mends what differs and is not marked. Which side is right nobody but you can tell; with A as the right one:".to_owned(),
        format!("        mdtool diff {a} {b}{level} --set-bits --sync-source     marks it in A, and makes A the source"),
        "        drbdadm up RESOURCE     on both nodes: they connect, B is SyncTarget and gets exactly that".to_owned(),
        "        drbdadm down RESOURCE     on both nodes, when both are UpToDate".to_owned(),
        format!("        mdtool diff {a} {b}{level}     exits 0: equal"),
    ] {
        out.tell(line);
    }
}
