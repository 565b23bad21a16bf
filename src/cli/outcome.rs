//! How a command ends: the exit status, and what to say of an error.

mod asked;
mod surgery;
mod truck;

use std::fmt;
use std::io;
use std::process::ExitCode;

use rustix::io::Errno;

pub(crate) use asked::Asked;

use crate::cli::session::source::ReadBy;
use crate::cli::write::blame::Blamed;
use crate::cli::write::confirm::Unconfirmed;
use crate::error::{Cause, EditRefusal, Error, IoError, IoOp, Refused, Unsupported};
use crate::format::superblock::Format;
use crate::image::{InUse, Use};
use crate::survey::file_form::FileForm;
use crate::truck::stream::{StreamFault, StreamProblem};
use crate::verdict::probe::Status;

/// A command's exit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 0: done, or yes.
    Done,
    /// 1: ran, and the answer is no, or there are findings.
    No,
    /// 2: could not run.
    Failed,
    /// What `probe` found.
    Probed(Status),
}

impl Outcome {
    /// The number that the shell gets.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::No => 1,
            Self::Failed => 2,
            Self::Probed(status) => status.code(),
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

/// The command ran, and the answer is no.
#[derive(Debug)]
pub(crate) struct Negative {
    pub(crate) answer: String,
    pub(crate) hints: Vec<String>,
}

impl Negative {
    /// An answer with what to try next.
    pub(crate) fn new(answer: impl Into<String>, hints: &[&str]) -> Self {
        Self {
            answer: answer.into(),
            hints: hints.iter().map(|hint| (*hint).to_owned()).collect(),
        }
    }
}

impl fmt::Display for Negative {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.answer)
    }
}

impl std::error::Error for Negative {}

/// We could, and do not: whoever asked is told what would make it safe.
#[derive(Debug)]
pub(crate) struct Declined {
    pub(crate) why: String,
    pub(crate) hints: Vec<String>,
}

impl Declined {
    /// A reason with what to try next.
    pub(crate) fn new(why: impl Into<String>, hints: &[&str]) -> Self {
        Self {
            why: why.into(),
            hints: hints.iter().map(|hint| (*hint).to_owned()).collect(),
        }
    }
}

impl fmt::Display for Declined {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

impl std::error::Error for Declined {}

/// The status that an error means.
pub(crate) fn of_error(error: &anyhow::Error) -> Outcome {
    if error.downcast_ref::<Negative>().is_some() {
        Outcome::No
    } else {
        Outcome::Failed
    }
}

/// Whether whoever read our output went away, which is no error.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// The line of a dump that does not parse, and a mark under what is wrong there.
pub(crate) fn excerpt(error: &anyhow::Error) -> Option<String> {
    let mut errors = error.chain().filter_map(|cause| cause.downcast_ref());
    let syntax = errors.find_map(|error| match error {
        Error::Syntax(syntax) if !syntax.line_text.is_empty() => Some(syntax),
        _ => None,
    })?;
    let width = syntax.mark.saturating_add(1);
    Some(format!("    {}\n    {:>width$}", syntax.line_text, "^"))
}

/// An error that says where it happened: what comes from the system without a place of its own comes from printing.
pub(crate) fn placed(error: anyhow::Error) -> anyhow::Error {
    if error.is::<io::Error>() {
        error.context("cannot write the output")
    } else {
        error
    }
}

/// What to do next about an error, the least destructive first, for what was asked about.
pub(crate) fn hints(error: &anyhow::Error, asked: &Asked) -> Vec<String> {
    if let Some(negative) = error.downcast_ref::<Negative>() {
        return negative.hints.clone();
    }
    if let Some(declined) = error.downcast_ref::<Declined>() {
        return declined.hints.clone();
    }
    if let Some(unconfirmed) = error.downcast_ref::<Unconfirmed>() {
        return unconfirmed.hints();
    }
    if let Some(hint) = hint_of_dump(error, asked) {
        return vec![hint];
    }
    let hint = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<Error>())
        .find_map(hint_of);
    let of_target = error.downcast_ref::<Blamed>();
    let of_target = of_target.map_or(&[][..], |blamed| &blamed.hints);
    let hint = hint.map(|hint| asked.named(hint));
    of_target.iter().cloned().chain(hint).collect()
}

/// How a dump is got out of a text that is none.
fn hint_of_dump(error: &anyhow::Error, asked: &Asked) -> Option<String> {
    let mut errors = error.chain().filter_map(|cause| cause.downcast_ref());
    let (cause, line) = errors.find_map(|error| match error {
        Error::Syntax(syntax) => Some((syntax.cause?, syntax.line)),
        _ => None,
    })?;
    let read = error
        .downcast_ref::<ReadBy>()
        .map(|read| read.path.as_path());
    let (dump, with) = asked.piped(read);
    Some(match cause {
        Cause::AnotherDump => format!(
            "give one of the dumps alone: `sed '{line},$d' {dump}` prints the first, `sed -n '{line},$p' {dump}` those from the second on; `{with}` reads it"
        ),
        Cause::Utf16 => format!("`iconv -f UTF-16 -t UTF-8 {dump} | {with}`"),
        Cause::ByteOrderMark => format!("`tail -c +4 {dump} | {with}`"),
        Cause::Compressed { with: unpack } => format!("`{unpack} {dump} | {with}`"),
        _ => format!(
            "delete what stands before the line that begins with `version`: `sed -n '/^version/,$p' {dump} | {with}`"
        ),
    })
}

fn hint_of(error: &Error) -> Option<&'static str> {
    if let Some(refusal) = error.refusal() {
        return Some(surgery::adopt(refusal));
    }
    if let Some(refusal) = error.refusal() {
        return Some(surgery::relocate(refusal));
    }
    if let Some(refusal) = error.refusal() {
        return Some(surgery::change(refusal));
    }
    if let Some(refusal) = error.refusal() {
        return surgery::place(refusal);
    }
    if let Some(refusal) = error.refusal() {
        return hint_of_in_use(refusal);
    }
    if let Some(refusal) = error.refusal() {
        return truck::refusal(refusal);
    }
    if let Some(fault) = error.refusal() {
        return Some(hint_of_stream(fault));
    }
    match error {
        Error::Refused(Refused::Unclean {
            format: Format::V07,
            ..
        }) => Some(
            "v07 has no place to say that its log is applied; --apply-al applies it in the exported text, the image is not touched",
        ),
        Error::Refused(Refused::Unclean { .. }) => Some(
            "a live or crashed node left it so; --apply-al applies the activity log: export in the exported text, without touching the image, adopt in what it writes",
        ),
        Error::Refused(Refused::LogIncomplete { .. }) => Some(
            "`mdtool al IMAGE` shows what is missing; `mdtool apply-al IMAGE --mark-all` marks everything out of sync, and a full resync from or to a peer follows; `export --apply-al` takes --mark-all, too",
        ),
        Error::Io(error) => hint_of_io(error),
        Error::Refused(Refused::UncleanDump { .. }) => Some(
            "dump it anew after `mdtool apply-al DISK` or drbdmeta's apply-al; what the log names is missing in its bitmap",
        ),
        Error::Refused(Refused::Edit(EditRefusal::OtherTarget)) => {
            Some("--target PATH names the disk where it has another name now")
        }
        Error::Refused(Refused::Edit(EditRefusal::TargetSize { .. })) => Some(
            "where it is that disk, give it the size again that it had (what is put back belongs to that); --target PATH names the disk where it has another name now",
        ),
        Error::Refused(Refused::Edit(
            EditRefusal::Replaced | EditRefusal::Resized { .. } | EditRefusal::Changed { .. },
        )) => Some(
            "find out who else writes there, and have that finish first; then run this again: it looks at what is there then",
        ),
        Error::Refused(refused) => hint_of_refused(refused),
        Error::Unsupported(Unsupported::FileForm(form)) => Some(hint_of_form(*form)),
        Error::Unsupported(Unsupported::CompatFormat { .. } | Unsupported::CompatField { .. }) => {
            Some("without --compat the dump is for the newest drbd-utils")
        }
        Error::Corrupt(_) => Some(
            "without --at, `mdtool locate IMAGE --scan full` lists every superblock and why it does not count",
        ),
        _ => None,
    }
}

/// What helps where a promise would have been broken.
const fn hint_of_refused(refused: &Refused) -> Option<&'static str> {
    match refused {
        Refused::ActivityLogChanged { .. } => {
            Some("look at a snapshot of it, or when the resource is down")
        }
        Refused::FileKind { .. } => Some("`lsblk` lists the block devices of this machine"),
        Refused::NotNew { .. } => Some(
            "what is put there has to be read again: give the name of a file that is not there yet",
        ),
        Refused::NoDevice => Some(
            "`lsblk` lists the block devices of this machine; a logical volume may have to be activated first: lvchange -ay",
        ),
        Refused::Exists => Some("choose another name, or remove the file first"),
        _ => None,
    }
}

/// How somebody else is brought to let go of it: the first one who is named.
fn hint_of_in_use(refusal: &InUse) -> Option<&'static str> {
    Some(match refusal.users().first()?.how {
        Use::LoopDevice => {
            "unmount what is on it and give that device itself, or detach it first: losetup -d"
        }
        Use::Holder => {
            "something is built on it, `lsblk` shows what: give that device itself, or stop it first (dmsetup remove, vgchange -an, cryptsetup close, mdadm --stop, drbdadm down)"
        }
        Use::Mounted(_) => "it is mounted: unmount it first; `findmnt` lists what is mounted where",
        Use::Swap => "it is swapped to: swapoff first",
        Use::Open(_) => {
            "another program has it open: stop the virtual machine, or let that program finish first"
        }
        _ => "it is mounted, attached to DRBD or otherwise claimed: let go of it there first",
    })
}

/// How to get at the raw image, or at what was dumped.
const fn hint_of_form(form: FileForm) -> &'static str {
    match form {
        FileForm::Dump => "give the disk or image that the dump was taken from",
        FileForm::Qcow2
        | FileForm::Vmdk
        | FileForm::Vhdx
        | FileForm::Vdi
        | FileForm::Vhd
        | FileForm::Qed
        | FileForm::Parallels => {
            "convert a copy (qemu-img convert -O raw), or attach it read-only (qemu-nbd --read-only) and give the device"
        }
        FileForm::AndroidSparse => "convert a copy first: simg2img FILE RAW",
        FileForm::Vma => "extract it first: vma extract FILE DIRECTORY",
        FileForm::Partclone => {
            "restore it to a file or device first: partclone.restore -C -s FILE -O RAW"
        }
        FileForm::Ewf => "mount it first (ewfmount FILE DIRECTORY), and give DIRECTORY/ewf1",
        FileForm::Tar | FileForm::Zip => "unpack it first",
        _ => "decompress it first",
    }
}

/// What helps where the system refused.
fn hint_of_io(error: &IoError) -> Option<&'static str> {
    match (error.op, error.source.kind()) {
        (IoOp::Create, io::ErrorKind::AlreadyExists) => {
            Some("choose another name, or remove the file first")
        }
        (IoOp::Open, io::ErrorKind::NotFound) => Some(
            "look at the name's spelling; a volume may have to be activated first: `lsblk` lists the block devices that are there",
        ),
        (_, io::ErrorKind::ResourceBusy) => {
            Some("it is mounted, attached to DRBD or otherwise claimed: let go of it there first")
        }
        (IoOp::Reserve, _) => {
            Some("make room in the file system that has the image, then run this again")
        }
        (IoOp::Write, io::ErrorKind::StorageFull) => {
            Some("make room in the file system that has the image first")
        }
        (IoOp::WriteUndo, _) => {
            Some("--undo FILE writes it elsewhere, to a disk that has room for it")
        }
        (_, io::ErrorKind::PermissionDenied) => {
            Some("run it as somebody who may open it: for most disks that is root")
        }
        (IoOp::Read, _) if error.source.raw_os_error() == Some(Errno::IO.raw_os_error()) => Some(
            "the disk cannot read this itself: copy what it can with ddrescue, and look at the copy",
        ),
        (IoOp::Lock, _) => Some("another process is writing to it: let that finish first"),
        _ => None,
    }
}

const fn hint_of_stream(fault: &StreamFault) -> &'static str {
    match fault.problem {
        StreamProblem::Cut { .. } => "the sender's own messages say why it stopped",
        StreamProblem::Magic => {
            "the other end of the pipe has to be `mdtool copy SOURCE -`, and nothing else may write to it"
        }
        StreamProblem::Version(_) => "use the same mdtool at both ends",
        _ => {
            "something between the two changed the stream: nothing of it was written from there on"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{FileKind, IoError};
    use crate::format::activity_log::AlPlace;

    #[test]
    fn what_a_person_can_mend_has_a_next_step() {
        let not_found = io::Error::from(io::ErrorKind::NotFound);
        let errors: [Error; 3] = [
            Refused::ActivityLogChanged {
                place: AlPlace::Block(0),
            }
            .into(),
            Refused::FileKind {
                found: FileKind::Directory,
            }
            .into(),
            IoError::whole(IoOp::Open, not_found).into(),
        ];
        for error in errors {
            let words = error.to_string();
            let hints = hints(&anyhow::Error::from(error), &Asked::default());
            assert_eq!(hints.len(), 1, "{words}");
            assert!(!hints[0].contains(&words), "{hints:?}");
        }
    }
}
