//! `diff --set-bits`: what differs, and is not marked, is marked.

use std::io::Write;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;

use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::args::LevelChoice;
use crate::cli::commands::bitmap::args::SourceArgs;
use crate::cli::commands::bitmap::change::{Changing, Select};
use crate::cli::commands::diff::Pair;
use crate::cli::commands::diff::args::DiffArgs;
use crate::cli::commands::diff::classes::Class;
use crate::cli::commands::diff::side::{Side, slots_toward};
use crate::cli::commands::diff::sums::Listed;
use crate::cli::commands::diff::view::{Totals, View};
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Trust;
use crate::cli::session::slots::{Scale, SlotArgs, to_change};
use crate::cli::session::source::Meant;
use crate::cli::write::{self, Aim, Look, Request};
use crate::format::metadata::Header;
use crate::surgery::bits::RangeSet;
use crate::units::{BitmapIndex, DevPos};

/// What A is held against.
pub(super) enum Against<'a> {
    /// The other replica.
    Replica(&'a Path, &'a Side<'a>),
    /// A list of its checksums.
    List(&'a Path),
}

/// Compares, marks in A what differs and neither side marks, and says what comes next.
pub(super) fn run(
    args: &DiffArgs,
    against: &Against<'_>,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let named = args.side(&args.a);
    let source = SourceArgs {
        sync_source: args.sync_source,
        with: match against {
            Against::Replica(other, _) => Some((*other).to_owned()),
            Against::List(_) => None,
        },
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
            against,
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
    against: &'a Against<'a>,
    stdout: &'a mut dyn Write,
    /// Once all is compared.
    totals: Option<Totals>,
}

impl Select for Differences<'_> {
    fn slots(&self, header: &Header) -> anyhow::Result<Vec<BitmapIndex>> {
        let Against::Replica(_, b) = self.against else {
            // A list does not say whose it is.
            return to_change(SlotArgs::default(), false, false, header).context(
                "--set-bits marks what differs from the list in the one assigned slot; `mdtool bitmap set --from -` takes a slot, and what `mdtool sum --check` prints",
            );
        };
        let slots = slots_toward(header, &b.header);
        anyhow::ensure!(
            slots.len() == 1,
            "{}: has {} slots that may be {}'s, expected one: its superblock does not say which node it is, or has no slot for it",
            self.args.a.display(),
            slots.len(),
            b.name()
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
        let totals = match self.against {
            Against::Replica(other, b) => {
                let pair = Pair::new(&a, b, out)?;
                let compared = pair.compared(self.args, other);
                let mut view = View::new(&self.args.writing, &compared, &mut *self.stdout)?;
                pair.compare(&mut |range, class| add(ranges, &mut view, range, class))?;
                view.finish(pair.comparison.len, Some(()))?
            }
            Against::List(path) => {
                let slots = self.slots(&a.header)?;
                let mut listed = Listed::open(path)?;
                let len = listed.reach(&a, out)?;
                let compared = listed.compared(self.args, &a, len);
                let mut view = View::new(&self.args.writing, &compared, &mut *self.stdout)?;
                listed.compare(&a, len, &slots, &mut |range, class| {
                    add(ranges, &mut view, range, class)
                })?;
                listed.warn_if_cut(out);
                view.finish(len, Some(()))?
            }
        };
        self.totals = Some(totals);
        if !self.args.writing.json {
            writeln!(self.stdout).context("cannot write the output")?;
        }
        Ok(Vec::new())
    }
}

/// Shows a range, and adds it where it differs and is not marked.
fn add(
    ranges: &mut RangeSet,
    view: &mut View<'_>,
    range: &Range<DevPos>,
    class: Class,
) -> anyhow::Result<()> {
    if class == Class::DifferUnmarked {
        ranges.add(range.clone())?;
    }
    view.range(range, class)
}

/// Says how what differs unnoticed is mended, from here to the end.
pub(super) fn tell_the_way(args: &DiffArgs, other: &Path, out: &mut Streams<'_>) {
    let (a, b) = (shell_word(&args.a), shell_word(other));
    let diff = format!("mdtool diff {a} {b}{}", level_options(args));
    tell(&diff, &format!("{diff}     exits 0: equal"), out);
}

/// The same where the other side is a list of checksums.
pub(super) fn tell_the_way_from_list(args: &DiffArgs, list: &Path, out: &mut Streams<'_>) {
    let diff = format!(
        "mdtool diff {} --sums {}{}",
        shell_word(&args.a),
        shell_word(list),
        level_options(args)
    );
    let again = format!(
        "mdtool sum, there, of the same device, and `{diff}` with the new list, here: exits 0: equal"
    );
    tell(&diff, &again, out);
}

/// The way, where `diff` is the comparison and `again` says how to repeat it.
fn tell(diff: &str, again: &str, out: &mut Streams<'_>) {
    for line in [
        "next: no resync mends this by itself. Only you know which side is right; with A as the right one:".to_owned(),
        format!("        {diff} --set-bits --sync-source     marks it in A, and makes A the source"),
        "        drbdadm up RESOURCE     on both nodes: they connect, B is SyncTarget and gets exactly that".to_owned(),
        "        drbdadm down RESOURCE     on both nodes, when both are UpToDate".to_owned(),
        format!("        {again}"),
    ] {
        out.tell(line);
    }
}

/// The options that name the level, as they were given.
fn level_options(args: &DiffArgs) -> String {
    let mut options = String::new();
    if args.stacked {
        options.push_str(" --stacked");
    }
    let which = match args.level {
        Some(LevelChoice::Outer) => "outer".to_owned(),
        Some(LevelChoice::Inner) => "inner".to_owned(),
        Some(LevelChoice::Number(number)) => number.to_string(),
        None => return options,
    };
    options.push_str(" --level ");
    options.push_str(&which);
    options
}
