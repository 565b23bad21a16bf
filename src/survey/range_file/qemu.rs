//! `qemu-img map --output=json`: a list of flat objects, read one after the other.

use std::io::Read;
use std::ops::Range;

use super::{RangeFile, units};
use crate::error::Result;
use crate::units::{Bytes, DevPos};

/// A word or number longer than that is none of qemu's.
const LONGEST: usize = 256;

/// What of an object matters.
#[derive(Default)]
struct Entry {
    start: Option<u64>,
    length: Option<u64>,
    data: Option<bool>,
}

/// The next range that has data.
pub(super) fn next<R: Read>(file: &mut RangeFile<R>) -> Result<Option<Range<DevPos>>> {
    while !file.state.ended {
        if !std::mem::replace(&mut file.state.begun, true) {
            expect(file, b'[')?;
            if blank_then(file)? == Some(b']') {
                end(file)?;
                break;
            }
        }
        let line = file.line;
        let entry = object(file)?;
        match blank_then(file)? {
            Some(b',') => expect(file, b',')?,
            _ => end(file)?,
        }
        let (Some(start), Some(length), Some(data)) = (entry.start, entry.length, entry.data)
        else {
            file.line = line;
            return Err(wrong(
                file,
                "expected start, length and data, as `qemu-img map --output=json` has them",
            ));
        };
        if data && length > 0 {
            let range = units(start, length, Bytes::new(1));
            return range.map(Some).map_err(|why| file.malformed(why).into());
        }
    }
    Ok(None)
}

/// The list's end, with nothing behind it.
fn end<R: Read>(file: &mut RangeFile<R>) -> Result<()> {
    expect(file, b']')?;
    if blank_then(file)?.is_some() {
        return Err(wrong(file, "expected nothing behind the list"));
    }
    file.state.ended = true;
    Ok(())
}

fn object<R: Read>(file: &mut RangeFile<R>) -> Result<Entry> {
    let mut entry = Entry::default();
    expect(file, b'{')?;
    if blank_then(file)? == Some(b'}') {
        expect(file, b'}')?;
        return Ok(entry);
    }
    loop {
        let name = word(file)?;
        expect(file, b':')?;
        let value = word(file)?;
        match name.as_str() {
            "start" => entry.start = value.parse().ok(),
            "length" => entry.length = value.parse().ok(),
            "data" => entry.data = value.parse().ok(),
            _ => {}
        }
        if blank_then(file)? == Some(b'}') {
            expect(file, b'}')?;
            return Ok(entry);
        }
        expect(file, b',')?;
    }
}

/// A string without its quotes, a number, or a word.
fn word<R: Read>(file: &mut RangeFile<R>) -> Result<String> {
    let quoted = blank_then(file)? == Some(b'"');
    if quoted {
        expect(file, b'"')?;
    }
    let mut word = Vec::new();
    while let Some(byte) = file.peek()? {
        let inside = if quoted {
            byte != b'"'
        } else {
            byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.')
        };
        if !inside {
            break;
        }
        file.byte()?;
        // Names of files may be long; what matters is not.
        if word.len() < LONGEST {
            word.push(byte);
        }
        if quoted && byte == b'\\' {
            file.byte()?;
        }
    }
    if quoted {
        expect(file, b'"')?;
    } else if word.is_empty() {
        return Err(wrong(file, "expected a name, a number, true or false"));
    }
    Ok(String::from_utf8_lossy(&word).into_owned())
}

/// Passes blanks; the byte behind them stays.
fn blank_then<R: Read>(file: &mut RangeFile<R>) -> Result<Option<u8>> {
    while file.peek()?.is_some_and(|byte| byte.is_ascii_whitespace()) {
        file.byte()?;
    }
    file.peek()
}

fn expect<R: Read>(file: &mut RangeFile<R>, expected: u8) -> Result<()> {
    if blank_then(file)? == Some(expected) {
        file.byte()?;
        return Ok(());
    }
    let why = format!("expected `{}`", char::from(expected));
    Err(wrong(file, &why))
}

fn wrong<R: Read>(file: &RangeFile<R>, why: &str) -> crate::error::Error {
    file.malformed(why.to_owned()).into()
}
