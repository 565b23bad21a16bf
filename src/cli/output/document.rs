//! What every JSON document begins with, and the document of an error.

use std::io::{self, Write};

use serde::Serialize;

/// The number of what documents consist of; another one only where a field changed its meaning.
const SCHEMA: u32 = 1;

/// A document with the schema's number and the program's version before its own fields.
#[derive(Serialize)]
struct Headed<T> {
    schema: u32,
    mdtool: &'static str,
    #[serde(flatten)]
    document: T,
}

impl<T: Serialize> Headed<T> {
    const fn new(document: T) -> Self {
        Self {
            schema: SCHEMA,
            mdtool: env!("CARGO_PKG_VERSION"),
            document,
        }
    }
}

/// The document of a command that has no other.
#[derive(Serialize)]
struct Failed<'e> {
    error: Failure<'e>,
}

#[derive(Serialize)]
struct Failure<'e> {
    /// What went wrong, as on stderr.
    message: &'e str,
    /// What to do next.
    hints: &'e [String],
    /// The exit status.
    status: u8,
}

/// The beginning of a document that is printed piece by piece: the schema's number, the version, and the fields of `head`; the brace is left open.
pub(crate) fn open(head: &impl Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string_pretty(&Headed::new(head))?;
    Ok(text.trim_end_matches('}').trim_end().to_owned())
}

/// Prints one document.
pub(crate) fn print(out: &mut dyn Write, document: impl Serialize) -> io::Result<()> {
    // As a whole: where a field cannot be written there is no half of a document.
    let text = serde_json::to_string_pretty(&Headed::new(document))?;
    writeln!(out, "{text}")
}

/// One document as a line, for who reads one after the other.
pub(crate) fn line(document: impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string(&Headed::new(document))
}

/// Prints the document of a command that has no other: what went wrong, and what to do next.
pub(crate) fn print_error(
    out: &mut dyn Write,
    message: &str,
    hints: &[String],
    status: u8,
) -> io::Result<()> {
    let error = Failure {
        message,
        hints,
        status,
    };
    print(out, Failed { error })
}
