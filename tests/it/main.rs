//! Tests of the whole program, against DRBD's own tools where they are there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a test may overflow: it fails then"
)]
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "tests make numbers of any kind, and none of them is an answer"
)]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]
#![expect(clippy::indexing_slicing, reason = "a test may miss: it fails then")]

/// The activity log's replay, held against `drbdmeta apply-al`.
mod activity_log;
/// `plan` and `adopt`.
mod adopt;
/// What messages and documents advise.
mod advice;
/// Every command on every image, their answers held against each other.
mod agreement;
/// Small inputs that were answered wrongly.
mod answers;
/// Applying activity logs.
mod apply_al;
/// What `check` says that DRBD 8.4 would answer, held against what its kernel answered.
mod attach;
/// Where the device begins that metadata belongs to.
mod base;
/// `bitmap`: what each slot has out of sync.
mod bitmap;
/// `bitmap set` and `bitmap clear`, held against a model of bits.
mod bitmap_change;
/// Images of the builder's making, held against drbdmeta's own and given to it to read.
mod builder;
/// `check`: every rule, no false alarms, and what drbdmeta says.
mod check;
/// `compare`: decisions of real kernels, images and dumps together, what is said.
mod compare;
/// Files that are no raw image.
mod containers;
/// What every command owes its user.
mod contracts;
/// `copy` and `sum`.
mod copy;
/// Block devices as targets.
mod devices;
/// `diff`: the data of two replicas.
mod diff;
/// docs/differences.md from the page's side: each row is run.
mod differences;
/// README and pages of docs/: their commands are run, and what is printed there is compared.
mod documents;
/// The dump parser, held against `drbdmeta verify-dump`.
mod dump_parse;
/// `edit` and `wipe`.
mod edit;
mod edit_notes;
/// The examples of help and man pages.
mod examples;
/// What the dump of every resource looks like, held against `drbdmeta dump-md`.
mod export_drbdmeta;
/// Faults in reading, and outputs that are full.
mod faults_reading;
/// Faults while something is written.
mod faults_writing;
/// Whose a range of a device is.
mod files;
/// `fit`: DRBD's own tool's numbers, what lives on a disk, what is said.
mod fit;
/// What the fuzz targets hold, on their seeds and on every crash that was found.
mod fuzz;
/// What hands type.
mod hands;
/// What is said to be done next, typed.
mod hints;
/// What `import` refuses and asks for, and `undo`.
mod import;
/// What `import` writes, held against `drbdmeta restore-md`.
mod import_drbdmeta;
/// Targets that somebody else has open.
mod in_use;
/// Images that real kernels wrote.
mod kernel_images;
/// Every writing command, killed at every write.
mod killed;
/// Numbers at their limits.
mod limits;
/// `locate` on every shape of stack.
mod locate;
/// Every command ends by saying what comes next.
mod next;
/// What else lives on a disk.
mod occupants;
/// One number off, in superblocks and dumps, held against drbdmeta.
mod one_field_off;
/// Dumps with one number off, held against `drbdmeta restore-md`.
mod one_number_off;
/// Help, man pages and completions.
mod pages;
/// `probe`: each status by a real image.
mod probe;
/// One number off in metadata and dumps of any kind, held against drbdmeta.
mod random_off;
/// What surgery refuses, and what it says would work.
mod refusals;
/// `relocate`, as drbdmeta reads what it leaves.
mod relocate;
/// `repair`: each rule that it mends, broken and mended.
mod repair;
/// The house: which room may name which.
mod rooms;
/// `show`.
mod show;
/// What the commands print, whole.
mod snapshots;
/// What reading commands take: images, levels, dumps.
mod source;
/// How the program, drbdmeta and images are handled in tests.
mod support;
/// `edit`, `relocate`, `repair` and `wipe` on block devices and external metadata.
mod surgery_elsewhere;
/// How many cases a random test gets.
#[path = "../../src/test_cases.rs"]
mod test_cases;
/// Metadata that DRBD does not see any more.
mod traces;
/// Undo files and meta files: what they may be, and who may read them.
mod undo_names;
/// Undo files that earlier versions wrote.
mod undo_old;
/// Lines no wider than the terminal.
mod width;
/// Windows into images of whole disks.
mod windows;
/// The one way in which every command writes.
mod writing;
/// The JSON documents of commands that write.
mod writing_json;
