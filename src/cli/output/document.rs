//! What every JSON document begins with, and the document of an error.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

/// The number of what documents consist of; another one only where a field changed its meaning.
const SCHEMA: u32 = 1;

/// A document with the schema's number and the program's version before its own fields.
fn headed(document: Value) -> Value {
    let mut headed = Map::new();
    headed.insert("schema".to_owned(), SCHEMA.into());
    headed.insert("mdtool".to_owned(), env!("CARGO_PKG_VERSION").into());
    match document {
        Value::Object(fields) => headed.extend(fields),
        other => {
            headed.insert("document".to_owned(), other);
        }
    }
    Value::Object(headed)
}

/// The beginning of a document that is printed piece by piece: the schema's number, the version, and the fields of `head`; the brace is left open.
pub(crate) fn open(head: &impl serde::Serialize) -> serde_json::Result<String> {
    let head = headed(serde_json::to_value(head)?);
    let text = serde_json::to_string_pretty(&head)?;
    Ok(text.trim_end_matches('}').trim_end().to_owned())
}

/// Prints one document.
pub(crate) fn print(out: &mut dyn Write, document: Value) -> io::Result<()> {
    writeln!(out, "{:#}", headed(document))
}

/// Prints the document of a command that has no other: what went wrong, and what to do next.
pub(crate) fn print_error(
    out: &mut dyn Write,
    message: &str,
    hints: &[String],
    status: u8,
) -> io::Result<()> {
    let error = json!({ "message": message, "hints": hints, "status": status });
    print(out, json!({ "error": error }))
}
