//! The registry: one line a command; each command is one folder: its arguments, its run, its view.
//!
//! To add a command: a folder here with `args.rs` and `view.rs`, a file beside it with `STATUSES` and `run`, and its line below. Help, man
//! pages, completions and dispatch follow from that.

use clap::Subcommand;

use crate::cli::Streams;
use crate::cli::outcome::Outcome;

/// A command's name, and what its help says of its exit statuses.
pub(crate) type Entry = (&'static str, &'static str);

/// What a person wants, with the commands for it, each with its module, its arguments and its one line of help.
macro_rules! commands {
    ($($group:literal { $($name:literal $(#[$meta:meta])* $variant:ident($module:ident::$args:ident);)+ })+) => {
        $($(pub(crate) mod $module;)+)+

        #[derive(Debug, Subcommand)]
        pub(crate) enum Command {
            $($($(#[$meta])* #[command(name = $name)] $variant(Box<$module::args::$args>),)+)+
        }

        /// The commands by what a person wants; those of the group without a name are not listed.
        pub(crate) const GROUPS: &[(&str, &[Entry])] = &[$(($group, &[$(($name, $module::STATUSES),)+]),)+];

        impl Command {
            /// Runs it.
            pub(crate) fn run(&self, command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
                match self {
                    $($(Self::$variant(args) => $module::run(args, command_line, out),)+)+
                }
            }
        }
    };
}

commands! {
    "Look" {
        "probe" #[doc = "Say in one line, and by exit status, whether metadata is there: for scripts"] Probe(probe::ProbeArgs);
        "locate" #[doc = "Find every level of a stack, outermost first"] Locate(locate::LocateArgs);
        "show" #[doc = "Show all that the metadata says, decoded, and how much is out of sync"] Show(show::ShowArgs);
        "check" #[doc = "Judge every resource: what DRBD would refuse, what is damaged, and what to do"] Check(check::CheckArgs);
        "compare" #[doc = "Predict what connecting replicas will decide: who sends to whom, how much, and what stands in the way"] Compare(compare::CompareArgs);
        "al" #[doc = "Show a resource's activity log, and which extents it marks"] Al(al::AlArgs);
        "bitmap" #[doc = "Show which ranges each bitmap slot has out of sync; set and clear bits"] Bitmap(bitmap::BitmapArgs);
        "diff" #[doc = "Compare the data of two replicas, and say what of the differences their bitmaps know"] Diff(diff::DiffArgs);
        "files" #[doc = "Name the owners of out-of-sync ranges: partition, volume, file system and file"] Files(files::FilesArgs);
    }
    "Take out" {
        "export" #[doc = "Print a resource's metadata as drbdmeta's dump-md does, for restore-md"] Export(export::ExportArgs);
    }
    "Put in" {
        "plan" #[doc = "List each way to adopt a resource, whether it works here, and its commands"] Plan(plan::PlanArgs);
        "fit" #[doc = "Calculate what DRBD needs and leaves on a disk: from a disk's size the device's, or the other way round"] Fit(fit::FitArgs);
        "adopt" #[doc = "Put a resource's metadata where DRBD looks on this disk"] Adopt(adopt::AdoptArgs);
        "relocate" #[doc = "Move this node's own metadata: after its disk grew, before it shrinks, to a meta device and back"] Relocate(relocate::RelocateArgs);
        "import" #[doc = "Put a dump's metadata on a disk, where DRBD looks for it"] Import(import::ImportArgs);
    }
    "Carry" {
        "copy" #[doc = "Copy one level of a stack, and nothing around it, to a disk, a file or a pipe"] Copy(copy::CopyArgs);
        "sum" #[doc = "List checksums by chunk, or compare with such a list"] Sum(sum::SumArgs);
    }
    "Repair and take back" {
        "apply-al" #[doc = "Mark what the activity log names out of sync, as must be before DRBD attaches"] ApplyAl(apply_al::ApplyAlArgs);
        "edit" #[doc = "Change metadata: node ids, slots, sizes, UUIDs, flags, format; in place or as a dump"] Edit(edit::EditArgs);
        "repair" #[doc = "Mend what check found and what has one right answer"] Repair(repair::RepairArgs);
        "wipe" #[doc = "Make a resource's metadata zeros, and nothing else"] Wipe(wipe::WipeArgs);
        "undo" #[doc = "Put back what a writing command changed"] Undo(undo::UndoArgs);
    }
    "Rehearse" {
        "demo" #[doc = "Build an image like GitLab's and walk through finding and exporting its inner resource"] Demo(demo::DemoArgs);
    }
    "" {
        "man" #[doc = "Write a man page for each command"] #[command(hide = true)] Man(man::ManArgs);
        "completions" #[doc = "Print completions for a shell"] #[command(hide = true)] Completions(completions::CompletionsArgs);
    }
}
