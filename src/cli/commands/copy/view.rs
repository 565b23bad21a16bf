//! What was copied, as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::commands::copy::args::CopyArgs;
use crate::cli::output::amounts::{binary, bytes_and_binary};
use crate::cli::output::document;
use crate::cli::output::view::Shown;
use crate::format::superblock::Uuid;
use crate::truck::stream::{Header, Totals};
use crate::units::{Bytes, DevPos};

/// A copy that is complete.
pub(crate) struct Report<'a> {
    pub(crate) args: &'a CopyArgs,
    pub(crate) header: &'a Header,
    pub(crate) totals: Totals,
    /// Where this run began to read.
    pub(crate) from: DevPos,
    /// Where this run began to copy.
    pub(crate) first: DevPos,
    /// `None` for a stream.
    pub(crate) target_size: Option<Bytes>,
    pub(crate) next: Vec<String>,
}

/// What was copied. docs/json.md documents the fields, which are only ever added to.
#[derive(Serialize)]
pub(crate) struct CopyView {
    source: String,
    target: String,
    contents: &'static str,
    level: u32,
    format: String,
    current_uuid: Option<Shown<Uuid>>,
    device_uuid: Option<Shown<Uuid>>,
    /// The size of the copy: where the level ends.
    bytes: u64,
    /// Where this run began to copy: not 0 after `--resume`.
    began_at: u64,
    data_bytes: u64,
    zero_bytes: u64,
    /// Nothing for a stream.
    target_bytes: Option<u64>,
    /// What comes next, for people.
    next: Vec<String>,
    /// Where this run began to read: what comes before `began_at` is read for the checksums only.
    read_from: u64,
}

impl Report<'_> {
    pub(crate) fn view(self) -> CopyView {
        let (args, header) = (self.args, self.header);
        let uuid = |uuid: u64| (uuid != 0).then_some(Shown(Uuid(uuid)));
        CopyView {
            source: args.image.image.to_string_lossy().into_owned(),
            target: args.target.to_string_lossy().into_owned(),
            contents: header.contents.word(),
            level: header.level,
            format: format!("v{:02}", header.format),
            current_uuid: uuid(header.current_uuid),
            device_uuid: uuid(header.device_uuid),
            bytes: header.size.get(),
            began_at: self.first.get(),
            data_bytes: self.totals.data.get(),
            zero_bytes: self.totals.zeros.get(),
            target_bytes: self.target_size.map(Bytes::get),
            next: self.next,
            read_from: self.from.get(),
        }
    }
}

impl CopyView {
    /// Prints it as it was asked for.
    pub(crate) fn print(&self, json: bool, out: &mut dyn Write) -> io::Result<()> {
        if json {
            document::print(out, self)
        } else {
            writeln!(out, "{}", self.text())
        }
    }

    pub(crate) fn text(&self) -> String {
        let done = if self.target_bytes.is_some() {
            "copied, and on disk"
        } else {
            "sent; the other end says what arrived"
        };
        let what = match self.contents {
            "level" => "with its metadata",
            "data" => "its data only",
            "ranges" => "some ranges of it",
            _ => "what was written since, and its metadata",
        };
        let resumed = match self.began_at {
            0 => String::new(),
            at => format!(", resumed at byte {at}"),
        };
        let again = if self.read_from < self.began_at {
            "; what came before was read again for the checksums only"
        } else {
            ""
        };
        let source = match self.source.as_str() {
            "-" => "a stream",
            source => source,
        };
        let mut text = format!(
            "{}: level {} of {source}, {what}: {}{resumed}{again}\n    {} of data, {} of zeros: {done}",
            self.target,
            self.level,
            bytes_and_binary(Bytes::new(self.bytes)),
            binary(Bytes::new(self.data_bytes)),
            binary(Bytes::new(self.zero_bytes)),
        );
        for (number, step) in self.next.iter().enumerate() {
            text.push_str(if number == 0 { "\nnext: " } else { "\n" });
            text.push_str(step);
        }
        text
    }
}
