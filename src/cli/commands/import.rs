//! `mdtool import`.

pub(crate) mod args;
mod counted;
pub(crate) mod view;

use std::path::Path;

use anyhow::Context;

use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::commands::import::args::ImportArgs;
use crate::cli::commands::import::counted::{Counted, Short};
use crate::cli::outcome::{Declined, Outcome};
use crate::cli::output::change::{self, ChangeView, Metadata, MetadataView};
use crate::cli::output::amounts::bytes_and_binary;
use crate::cli::output::progress::Progress;
use crate::cli::session::open::refuse_foreign;
use crate::cli::write::{
    self, Aim, Change, Job, Look, Part, Placed, Plan, Question, Request, Written, bring_up,
};
use crate::dump::{DumpReader, Note};
use crate::error::{Error, Result};
use crate::image::{Window, is_regular_file, open_source, source_size};
use crate::surgery::import::{self, Import, ImportOptions};
use crate::surgery::place::{PlaceRefusal, place};
use crate::survey::locate::LocateOptions;
use crate::transaction::Draft;
use crate::units::{Bytes, ImagePos, NodeId, Sectors};

/// What `import --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &ImportArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let dump_name = || dump_name(&args.dump);
    let source = open_source(&args.dump).with_context(dump_name)?;
    let progress = Progress::new();
    let reader = DumpReader::new(progress.reading(source))
        .with_context(dump_name)
        .map_err(|error| swapped(args).map_or(error, Into::into))?;
    tell_notes(&reader, args, out);
    let request = Request {
        aim: Aim::Whole {
            target: &args.target,
            index: args.index,
        },
        meta: None,
        writing: &args.writing,
        command_line,
        dump: Some(&args.dump),
    };
    let mut job = Importing {
        args,
        reader: Some(reader),
        progress,
    };
    write::run(&mut job, &request, out)
}

/// The dump's name, for people.
fn dump_name(path: &Path) -> String {
    if path == Path::new("-") {
        return "standard input".to_owned();
    }
    path.display().to_string()
}

/// Where the first is no dump, and the second is one.
fn swapped(args: &ImportArgs) -> Option<Declined> {
    let regular = is_regular_file(&args.target);
    let target = open_source(&args.target).ok().filter(|_| regular)?;
    DumpReader::new(target).ok()?;
    let (dump, target) = (args.dump.display(), args.target.display());
    let why = format!("{dump}: is no dump, and {target} is one: expected the disk first, then the dump");
    let words = (shell_word(&args.dump), shell_word(&args.target));
    let hint = format!("`mdtool import {} {} -n` shows what it would write", words.0, words.1);
    Some(Declined::new(why, &[&hint]))
}

/// The command.
struct Importing<'a> {
    args: &'a ImportArgs,
    reader: Option<DumpReader<'a>>,
    progress: Progress,
}

impl Job for Importing<'_> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let reader = self.reader.take().context("the dump was read already")?;
        let import = judge(look.opened.window(), &reader, self.args, out)?;
        Ok(Box::new(Imported {
            args: self.args,
            reader: Some(reader),
            progress: &self.progress,
            size: look.opened.image_size(),
            import,
            short: Vec::new(),
        }))
    }
}

/// What is imported.
struct Imported<'l, 'a> {
    args: &'l ImportArgs,
    reader: Option<DumpReader<'a>>,
    progress: &'l Progress,
    /// The target's size.
    size: Bytes,
    import: Import,
    /// Slots of which the dump has fewer words than the device needs.
    short: Vec<Short>,
}

impl Plan for Imported<'_, '_> {
    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        let text = source_size(&self.args.dump).unwrap_or(Bytes::ZERO);
        let work = || {
            let device = Window::whole(draft.target());
            let (layout, header) = (&self.import.layout, &self.import.header);
            match self.reader.take() {
                Some(mut reader) => {
                    let mut counted = Counted::new(&mut reader);
                    place(draft, device, layout, header, &mut counted)?;
                    self.short = counted.short(header);
                    reader.finish()
                }
                // A text is read once.
                None => Ok(()),
            }
        };
        self.progress.during("reading the dump", text, work)
    }

    fn words(&self) -> Vec<String> {
        let (header, layout) = (&self.import.header, &self.import.layout);
        let size = header.la_size.to_bytes().filter(|size| *size > Bytes::ZERO);
        let size = size.map_or_else(|| "of no agreed size".to_owned(), bytes_and_binary);
        let superblock = header.compose(layout).ok();
        let uuid = superblock.and_then(|superblock| superblock.current_uuid());
        let uuid = uuid.map_or_else(|| "none".to_owned(), |uuid| uuid.to_string());
        let mut words = vec![
            format!(
                "{}: the {} metadata of {} is written where DRBD looks, {}: from byte {} to byte {}",
                self.args.target.display(),
                header.format(),
                dump_name(&self.args.dump),
                layout.index,
                layout.whole.start.get(),
                layout.whole.end.get()
            ),
            format!("DRBD device: {size}; current UUID {uuid}"),
        ];
        words.extend(self.short.iter().map(ToString::to_string));
        words.extend(growth(&self.import));
        words
    }

    fn question(&self) -> Question {
        let at_risk: Vec<String> = self.import.at_risk.iter().map(ToString::to_string).collect();
        Question {
            what: format!("{}: {}", self.args.target.display(), at_risk.join(", ")),
            always: false,
            at_risk,
        }
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        vec![Placed {
            part: Part::Target,
            base: ImagePos::START,
            layout: &self.import.layout,
            device: self.size,
        }]
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let Some(change) = changes.first() else {
            return Ok(());
        };
        let printed = print(change, &self.import, self.args, out);
        for short in &self.short {
            out.tell(format_args!(
                "mdtool: warning: {}: {short}",
                dump_name(&self.args.dump)
            ));
        }
        if let Some(growth) = growth(&self.import) {
            out.tell(format_args!(
                "mdtool: warning: {}: {growth}",
                self.args.target.display()
            ));
        }
        if change.written == Written::Nothing && !self.args.writing.dry_run {
            out.tell(format_args!(
                "mdtool: note: {}: holds this metadata already, nothing was written",
                self.args.target.display()
            ));
        }
        printed
    }

    fn next(&self) -> Vec<String> {
        vec![bring_up(shell_word(&self.args.target), "")]
    }
}

/// How large DRBD makes the device, where no size was ever agreed on.
fn growth(import: &Import) -> Option<String> {
    let unknown = import.header.la_size == Sectors::ZERO;
    let usable = import.layout.usable.to_bytes().filter(|_| unknown)?;
    let how = if import.layout.index.is_internal() {
        format!("as large as fits, {usable}")
    } else {
        format!("as large as its disk, up to {usable}")
    };
    Some(format!(
        "la-size is 0: no size was ever agreed on, and DRBD makes the device {how}"
    ))
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Tells what is worth knowing of the dump.
fn tell_notes(reader: &DumpReader<'_>, args: &ImportArgs, out: &mut Streams<'_>) {
    for note in reader.notes() {
        if *note == Note::FlagsZero && args.flags.is_some() {
            continue;
        }
        let kind = if note.is_warning() { "warning" } else { "note" };
        out.tell(format_args!(
            "mdtool: {kind}: {}: {note}",
            dump_name(&args.dump)
        ));
        if *note == Note::FlagsZero {
            out.tell("hint: as it is, the resource will be Inconsistent; if the disk that was dumped was good, --flags 0x91 (Consistent, UpToDate, log applied) is right");
        }
    }
}

/// Finds where it goes and who would mind, and reports what differs from the dump.
fn judge(
    device: Window<'_>,
    reader: &DumpReader<'_>,
    args: &ImportArgs,
    out: &mut Streams<'_>,
) -> anyhow::Result<Import> {
    let options = ImportOptions {
        index: args.index,
        node_id: args.node_id.map(NodeId::new),
        clip: args.clip,
        flags: args.flags,
    };
    let look = LocateOptions {
        index: args.index,
        ..LocateOptions::default()
    };
    let import = refuse_foreign(device, look)
        .and_then(|()| Ok(import::plan(device, reader.header().clone(), &options)?))
        .with_context(|| name(&args.target))?;
    for note in &import.notes {
        let kind = if note.is_warning() { "warning" } else { "note" };
        out.tell(format_args!(
            "mdtool: {kind}: {}: {note}",
            args.target.display()
        ));
        if matches!(note, import::Note::NodeKept { .. }) {
            out.tell("hint: on another node, --node-id N makes it that node's, and exchanges the peer entries of the two");
        }
    }
    Ok(import)
}

/// Prints what was written, or would be.
fn print(
    change: &Change,
    import: &Import,
    args: &ImportArgs,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let superblock = import.header.compose(&import.layout);
    let superblock = superblock.map_err(PlaceRefusal::Layout).map_err(Error::from)?;
    let metadata = Metadata {
        image: &args.target,
        base: ImagePos::START,
        superblock: &superblock,
        layout: &import.layout,
    };
    if args.writing.json {
        change::print(out.stdout, std::slice::from_ref(change), &metadata, ())?;
    } else if change.written != Written::Nothing || args.writing.dry_run {
        let target = args.target.to_string_lossy();
        let metadata = MetadataView::of(&metadata);
        view::print(out.stdout, &target, &ChangeView::of(change), &metadata)?;
    }
    Ok(())
}
