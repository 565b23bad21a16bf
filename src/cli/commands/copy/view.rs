//! What was copied, as text and as JSON.

use serde_json::{Value, json};

use crate::cli::Streams;
use crate::cli::commands::copy::args::CopyArgs;
use crate::cli::commands::copy::is_stream;
use crate::cli::output::amounts::{binary, bytes_and_decimal};
use crate::format::superblock::Uuid;
use crate::truck::stream::{Contents, Header, Totals};
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

impl Report<'_> {
    pub(crate) fn print(&self, out: &mut Streams<'_>) -> std::io::Result<()> {
        if self.args.json {
            writeln!(out.stdout, "{:#}", self.json())
        } else {
            writeln!(out.stdout, "{}", self.text())
        }
    }

    pub(crate) fn text(&self) -> String {
        let done = if self.target_size.is_some() {
            "copied, and on disk"
        } else {
            "sent; the other end says what arrived"
        };
        let what = match self.header.contents {
            Contents::Level => "with its metadata",
            Contents::Data => "its data only",
            Contents::Ranges => "some ranges of it",
            Contents::Changed => "what was written since, and its metadata",
        };
        let again = if self.first == DevPos::START {
            String::new()
        } else if self.from < self.first {
            format!(", resumed at {}; what came before was read again for the checksums only", self.first)
        } else {
            format!(", resumed at {}", self.first)
        };
        let mut text = format!(
            "{}: level {} of {}, {what}: {}{again}\n    {} of data, {} of zeros: {done}",
            self.args.target.display(),
            self.header.level,
            self.source(),
            bytes_and_decimal(self.header.size),
            binary(self.totals.data),
            binary(self.totals.zeros),
        );
        for (number, step) in self.next.iter().enumerate() {
            text.push_str(if number == 0 { "\nnext: " } else { "\n" });
            text.push_str(step);
        }
        text
    }

    fn source(&self) -> String {
        let path = &self.args.image.image;
        if is_stream(path) {
            return "a stream".to_owned();
        }
        path.display().to_string()
    }

    pub(crate) fn json(&self) -> Value {
        let uuid = |uuid: u64| (uuid != 0).then(|| Uuid(uuid).to_string());
        json!({
            "source": self.args.image.image.to_string_lossy(),
            "target": self.args.target.to_string_lossy(),
            "contents": self.header.contents.word(),
            "level": self.header.level,
            "format": format!("v{:02}", self.header.format),
            "current_uuid": uuid(self.header.current_uuid),
            "device_uuid": uuid(self.header.device_uuid),
            "bytes": self.header.size.get(),
            "began_at": self.first.get(),
            "data_bytes": self.totals.data.get(),
            "zero_bytes": self.totals.zeros.get(),
            "target_bytes": self.target_size.map(Bytes::get),
            "next": self.next,
        })
    }
}
