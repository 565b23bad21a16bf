//! The tokens of a dump.
//!
//! White space is space, tab, CR and LF; `#` starts a comment up to the line's end, anywhere. The signs `{ } ; [ ]` stand for themselves.
//! Everything else is a string in quotes, or the longest run of `-`, `_`, letters and digits: a decimal number, a hex number of 8 or of
//! 16 digits, or else a word.

use super::beginning::begins;
use super::hex::{hex32, hex64};
use super::places::Places;
use super::text::{LOOKAHEAD, Text, printable};
use crate::error::{Cause, Error, Found, Result, Syntax, Wanted};
use crate::units::{Bytes, TextPos};

/// How many lines are looked at to find where a dump begins.
const SHOWN_LINES: usize = 200;
/// Longest word told apart from a longer one: more than the longest keyword.
const WORD_MAX: usize = 64;
/// Most digits of a decimal number.
const DECIMAL_MAX: usize = 19;
/// Most characters of a string.
const STRING_MAX: usize = 20;

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One of `{ } ; [ ]`.
    Sign(u8),
    /// A decimal number of at most 19 digits.
    Decimal(i128),
    /// `0x` and 8 digits.
    Hex32(u32),
    /// `0x` and 16 digits: the high half and the low half.
    Hex64([u32; 2]),
    /// A string of 1 to 20 bytes in quotes.
    Quoted,
    /// A keyword, or what is nearly a number.
    Word,
    /// A quote that begins no string: none, or a too long one.
    BadString,
    /// A byte that begins no token.
    Stray(u8),
    /// The end of the text.
    End,
}

/// A token, at the start of the unread text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: TextPos,
    len: usize,
}

/// Gives a text's tokens, one ahead.
pub(super) struct Lexer<'a> {
    text: Text<'a>,
    /// What comments told so far.
    places: Places,
}

impl<'a> Lexer<'a> {
    /// The tokens of a text.
    pub(super) const fn new(text: Text<'a>) -> Self {
        Self {
            text,
            places: Places::NONE,
        }
    }

    /// What comments told so far.
    pub(super) const fn places(&self) -> Places {
        self.places
    }

    /// The text, from the first byte on that no taken token has.
    pub(super) const fn text(&mut self) -> &mut Text<'a> {
        &mut self.text
    }

    /// The next token, which stays the next until it is taken.
    pub(super) fn peek(&mut self) -> Result<Token> {
        self.skip_blank()?;
        let (kind, len) = token(self.text.unread());
        Ok(Token {
            kind,
            at: self.text.at(),
            len,
        })
    }

    /// Goes past a token that was peeked at last.
    pub(super) fn take(&mut self, token: Token) {
        self.text.consume(token.len, 0);
    }

    /// Goes past this keyword or sign, if it comes next.
    pub(super) fn take_if(&mut self, literal: &'static str) -> Result<bool> {
        self.skip_blank()?;
        let Some(behind) = self.text.unread().strip_prefix(literal.as_bytes()) else {
            return Ok(false);
        };
        let wordy = |byte: Option<&u8>| byte.is_some_and(|byte| is_word(*byte));
        if wordy(literal.as_bytes().first()) && wordy(behind.first()) {
            return Ok(false);
        }
        self.text.consume(literal.len(), 0);
        Ok(true)
    }

    /// The bytes of a token that was peeked at last.
    pub(super) fn bytes(&self, token: Token) -> &[u8] {
        self.text.unread().get(..token.len).unwrap_or_default()
    }

    /// Goes past white space and comments, however long, and reads ahead.
    fn skip_blank(&mut self) -> Result<()> {
        loop {
            self.text.ensure(LOOKAHEAD)?;
            let unread = self.text.unread();
            let blank = unread.iter().take_while(|byte| is_blank(**byte));
            let newlines = Bytes::of_len(blank.clone().filter(|byte| **byte == b'\n').count());
            let length = blank.count();
            self.text.consume(length, newlines.get());
            match self.text.unread().first() {
                Some(b'#') => self.skip_comment()?,
                // What is left in the window is enough for any token, or all there is.
                _ if length <= LOOKAHEAD / 2 => return Ok(()),
                _ => {}
            }
        }
    }

    /// Goes past the rest of a line, however long.
    fn skip_comment(&mut self) -> Result<()> {
        self.places.note(self.text.unread());
        loop {
            let unread = self.text.unread();
            let length = unread.iter().position(|byte| *byte == b'\n');
            let found = length.is_some();
            let length = length.unwrap_or(unread.len());
            self.text.consume(length, 0);
            self.text.ensure(1)?;
            if found || self.text.unread().is_empty() {
                return Ok(());
            }
        }
    }

    /// The line that a token stands in.
    pub(super) fn line_of(&mut self, token: Token) -> u64 {
        self.text.place(token.at).line
    }

    /// The error that a token is not what should stand there.
    pub(super) fn unexpected(&mut self, token: Token, expected: Wanted) -> Error {
        let bytes = self.bytes(token);
        let found = match token.kind {
            Kind::End => Found::End,
            Kind::Stray(byte) => Found::Byte(byte),
            Kind::BadString => Found::BadString,
            Kind::Quoted => Found::Quoted(printable(inner(bytes))),
            _ => Found::Token(printable(bytes)),
        };
        let cause = self.cause(token, expected);
        let place = self.text.place(token.at);
        Error::from(Box::new(Syntax {
            line: place.line,
            column: place.column,
            at: token.at,
            found,
            expected,
            line_text: place.line_text,
            mark: place.mark,
            cause,
        }))
    }

    /// What the text is instead of a dump, judged by the place of an error.
    fn cause(&self, token: Token, expected: Wanted) -> Option<Cause> {
        let bytes = self.bytes(token);
        match expected {
            Wanted::End if bytes == b"version" => Some(Cause::AnotherDump),
            Wanted::Literal("version") => {
                let first = token.at == TextPos::new(0);
                let known = first.then(|| Cause::of_beginning(self.text.unread()));
                let further = || self.is_dump_further_on().then_some(Cause::SomethingBefore);
                known.flatten().or_else(further)
            }
            _ => None,
        }
    }

    /// Whether a dump begins on one of the next lines.
    fn is_dump_further_on(&self) -> bool {
        let lines = self.text.unread().split(|byte| *byte == b'\n').skip(1);
        lines.take(SHOWN_LINES).any(begins)
    }
}

/// A string without its quotes.
pub(super) fn inner(quoted: &[u8]) -> &[u8] {
    match quoted {
        [b'"', inner @ .., b'"'] => inner,
        _ => quoted,
    }
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The token that a text begins with, and its length.
fn token(text: &[u8]) -> (Kind, usize) {
    let Some(first) = text.first().copied() else {
        return (Kind::End, 0);
    };
    match first {
        b'{' | b'}' | b';' | b'[' | b']' => (Kind::Sign(first), 1),
        b'"' => string(text).map_or((Kind::BadString, 1), |len| (Kind::Quoted, len)),
        _ if is_word(first) => word(text),
        _ => (Kind::Stray(first), 1),
    }
}

/// The length of the string that a text begins with, quotes included.
fn string(text: &[u8]) -> Option<usize> {
    let (_, behind) = text.split_first()?;
    let length = behind
        .iter()
        .take(STRING_MAX.saturating_add(1))
        .position(|byte| matches!(byte, b'"' | b'\n'))?;
    (length > 0 && behind.get(length) == Some(&b'"')).then_some(length.saturating_add(2))
}

/// The number or word that a text begins with, and its length.
fn word(text: &[u8]) -> (Kind, usize) {
    // What drbdmeta's dumps mostly consist of, without looking at each byte twice.
    if let Some([b'0', b'x', digits @ ..]) = text.first_chunk::<18>()
        && let Some(halves) = hex64(digits)
        && text.get(18).is_none_or(|byte| !is_word(*byte))
    {
        return (Kind::Hex64(halves), 18);
    }
    let len = text
        .iter()
        .take(WORD_MAX)
        .position(|byte| !is_word(*byte))
        .unwrap_or(text.len().min(WORD_MAX));
    let word = text.get(..len).unwrap_or(text);
    let kind = if let [b'0', b'x', digits @ ..] = word {
        <[u8; 8]>::try_from(digits)
            .ok()
            .and_then(hex32)
            .map_or(Kind::Word, Kind::Hex32)
    } else {
        decimal(word).map_or(Kind::Word, Kind::Decimal)
    };
    (kind, len)
}

/// A decimal number of at most 19 digits.
fn decimal(word: &[u8]) -> Option<i128> {
    let (negative, digits) = match word {
        [b'-', digits @ ..] => (true, digits),
        _ => (false, word),
    };
    if digits.is_empty() || digits.len() > DECIMAL_MAX {
        return None;
    }
    let value = digits.iter().try_fold(0_u64, |value, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        value.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    let value = i128::from(value);
    Some(if negative {
        value.saturating_neg()
    } else {
        value
    })
}

#[cfg(test)]
mod tests;
