//! A dump does not parse: where, what was found, what was expected.

use std::fmt;

use crate::units::TextPos;

/// A dump does not parse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: found {found}, expected {expected}{}", cause.map_or("", Cause::words))]
#[non_exhaustive]
pub struct Syntax {
    /// Line, from 1.
    pub line: u64,
    /// Column in bytes, from 1.
    pub column: u64,
    /// The same place, from the start of the text.
    pub at: TextPos,
    /// What stands there.
    pub found: Found,
    /// What should.
    pub expected: Wanted,
    /// The line around the place, made printable: what is not UTF-8 or is a control character is replaced, a long line is cut.
    pub line_text: String,
    /// How many characters of `line_text` stand before the place.
    pub mark: usize,
    /// What the text is instead, where that is recognised.
    pub cause: Option<Cause>,
}

/// Why a text is no dump, though a dump may be in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Cause {
    /// Another dump begins behind the first.
    AnotherDump,
    /// Two bytes for each character, as PowerShell writes files.
    Utf16,
    /// A byte order mark before the text.
    ByteOrderMark,
    /// Compressed: gzip, xz, zstd or bzip2.
    Compressed {
        /// The program that prints what is in it.
        with: &'static str,
    },
    /// Something else before it, as a shell's prompt.
    SomethingBefore,
}

impl Cause {
    /// The same, to end a message with.
    const fn words(self) -> &'static str {
        match self {
            Self::AnotherDump => ": another dump begins here, and one alone can be read",
            Self::Utf16 => ": the text is UTF-16",
            Self::ByteOrderMark => ": the text begins with a byte order mark",
            Self::Compressed { .. } => ": the file is compressed",
            Self::SomethingBefore => {
                ": something else stands before the dump, such as a shell prompt"
            }
        }
    }

    /// What a text is that begins so, where it does not begin as a dump.
    #[must_use]
    pub fn of_beginning(bytes: &[u8]) -> Option<Self> {
        let begins: [(&[u8], Self); 8] = [
            (b"\xFF\xFE", Self::Utf16),
            (b"\xFE\xFF", Self::Utf16),
            (b"v\0e\0r\0", Self::Utf16),
            (b"\xEF\xBB\xBF", Self::ByteOrderMark),
            (b"\x1F\x8B", Self::Compressed { with: "zcat" }),
            (b"\xFD7zXZ", Self::Compressed { with: "xzcat" }),
            (b"\x28\xB5\x2F\xFD", Self::Compressed { with: "zstdcat" }),
            (b"BZh", Self::Compressed { with: "bzcat" }),
        ];
        let known = begins
            .into_iter()
            .find(|(start, _)| bytes.starts_with(start));
        known.map(|(_, cause)| cause)
    }
}

/// What stands where a dump does not parse.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Found {
    /// A keyword, a number or a sign, made printable and cut to a sane width.
    Token(String),
    /// A string, without its quotes.
    Quoted(String),
    /// A quote that begins no string: empty, of more than 20 characters, or not finished on its line.
    BadString,
    /// A byte that begins nothing.
    Byte(u8),
    /// The end of the text.
    End,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(token) => write!(f, "\"{token}\""),
            Self::Quoted(text) => write!(f, "the string \"{text}\""),
            Self::BadString => f.write_str("a quote without 1 to 20 characters and another quote"),
            Self::Byte(byte) if byte.is_ascii_graphic() => {
                write!(f, "\"{}\"", char::from(*byte))
            }
            Self::Byte(byte) => write!(f, "byte 0x{byte:02X}"),
            Self::End => f.write_str("the end of the text"),
        }
    }
}

/// What should stand where a dump does not parse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wanted {
    /// This keyword or sign.
    Literal(&'static str),
    /// The string that names a format.
    Version,
    /// A decimal number, both ends included.
    Decimal(i128, i128),
    /// A decimal number that is a power of two, both ends included.
    PowerOfTwo(u32, u32),
    /// A node id from 0 to 31 that no `peer` before had.
    UnusedNodeId,
    /// How often a value is repeated.
    Count,
    /// A 32-bit number in hex.
    Hex32,
    /// A 64-bit number in hex.
    Hex64,
    /// No more 64-bit values in this bitmap than these: beyond they stand for nothing on any device.
    ValuesAtMost(u64),
    /// One of these.
    OneOf(&'static [Self]),
    /// Nothing but white space and comments.
    End,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(literal) => write!(f, "\"{literal}\""),
            Self::Version => f.write_str("the string \"v07\", \"v08\" or \"v09\""),
            Self::Decimal(least, most) if least == most => write!(f, "{least}"),
            Self::Decimal(least, most) => write!(f, "a decimal number from {least} to {most}"),
            Self::PowerOfTwo(least, most) => write!(f, "a power of two from {least} to {most}"),
            Self::UnusedNodeId => f.write_str("a node id from 0 to 31 that no peer before had"),
            Self::Count => f.write_str("a count"),
            Self::Hex32 => f.write_str("0x and 8 hex digits"),
            Self::Hex64 => f.write_str("0x and 16 hex digits"),
            Self::ValuesAtMost(most) => {
                write!(
                    f,
                    "at most {most} more values, all that a 1 PiB device has bits for"
                )
            }
            Self::OneOf(wanted) => one_of(f, wanted),
            Self::End => f.write_str("the end of the text"),
        }
    }
}

/// `A, B or C`.
fn one_of(f: &mut fmt::Formatter<'_>, wanted: &[Wanted]) -> fmt::Result {
    let Some((last, others)) = wanted.split_last() else {
        return Ok(());
    };
    for (number, other) in others.iter().enumerate() {
        let comma = if number == 0 { "" } else { ", " };
        write!(f, "{comma}{other}")?;
    }
    let or = if others.is_empty() { "" } else { " or " };
    write!(f, "{or}{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wanted_reads_as_a_sentence() {
        let words = [
            Wanted::Literal("flags"),
            Wanted::Version,
            Wanted::Decimal(0, 31),
            Wanted::Decimal(2, 2),
            Wanted::PowerOfTwo(4096, 1_048_576),
            Wanted::UnusedNodeId,
            Wanted::Hex32,
            Wanted::Hex64,
            Wanted::ValuesAtMost(7),
            Wanted::OneOf(&[Wanted::Count, Wanted::Literal("}")]),
            Wanted::OneOf(&[
                Wanted::Literal("a"),
                Wanted::Literal("b"),
                Wanted::Literal("c"),
            ]),
            Wanted::End,
        ]
        .map(|wanted| wanted.to_string());
        insta::assert_snapshot!(words.join("\n"), @r#"
        "flags"
        the string "v07", "v08" or "v09"
        a decimal number from 0 to 31
        2
        a power of two from 4096 to 1048576
        a node id from 0 to 31 that no peer before had
        0x and 8 hex digits
        0x and 16 hex digits
        at most 7 more values, all that a 1 PiB device has bits for
        a count or "}"
        "a", "b" or "c"
        the end of the text
        "#);
    }

    #[test]
    fn what_was_found_reads_as_a_sentence() {
        let words = [
            Found::Token("flagz".to_owned()),
            Found::Quoted("v06".to_owned()),
            Found::BadString,
            Found::Byte(b'\''),
            Found::Byte(0),
            Found::End,
        ]
        .map(|found| found.to_string());
        insta::assert_snapshot!(words.join("\n"), @r#"
        "flagz"
        the string "v06"
        a quote without 1 to 20 characters and another quote
        "'"
        byte 0x00
        the end of the text
        "#);
    }
}
