//! What parses is printed, parses again to the same, and is printed the same again.

use std::fmt::Write as _;

use mdtool::dump::{Compat, DumpReader, Preamble, print};
use mdtool::error::{Error, Result};
use mdtool::format::layout::{MAX_DEVICE, MdGeometry, MdIndex, MdLayout};
use mdtool::format::metadata::{Bitmap, Header, Run};
use mdtool::units::{BitmapIndex, Bytes};

/// Words that a bitmap may have here, or a few bytes of text take minutes.
const WORDS: usize = 1 << 16;

/// The property.
pub fn holds(data: &[u8]) {
    match DumpReader::new(data) {
        Ok(reader) => {
            let header = reader.header().clone();
            let whole = reader
                .finish()
                .inspect_err(|error| is_an_answer(data, error))
                .is_ok();
            if !whole || !is_short(data, &header) {
                return;
            }
            let mut reader = DumpReader::new(data).expect("parsed before");
            let text = printed(&header, &mut reader).expect("parsed before");
            let mut again = DumpReader::new(text.as_bytes()).expect("what is printed parses");
            assert_eq!(again.header(), &header);
            let once_more = printed(&header, &mut again).expect("what is printed parses");
            again.finish().expect("what is printed parses to its end");
            assert!(once_more == text, "{text}\n{once_more}");
        }
        Err(error) => is_an_answer(data, &error),
    }
}

/// The newest drbdmeta's text, where every size fits.
pub fn printed(header: &Header, bitmap: &mut dyn Bitmap) -> Result<String> {
    let layout = MdLayout::planned(
        MdIndex::FlexExternal,
        MdGeometry::DEFAULT,
        Bytes::new(1 << 40),
    );
    let layout = MdLayout {
        usable: MAX_DEVICE.max(header.la_size),
        ..layout.expect("a terabyte is enough")
    };
    let preamble = Preamble {
        time: String::new(),
        origin: String::new(),
    };
    let mut out = Vec::new();
    print(&mut out, header, &layout, bitmap, &preamble, Compat::NEWEST)?;
    Ok(String::from_utf8(out).expect("text"))
}

/// Whether the bitmaps of a text that parses have few words.
fn is_short(data: &[u8], header: &Header) -> bool {
    let mut reader = DumpReader::new(data).expect("parsed before");
    let mut words = 0;
    for slot in 0..header.geometry.max_peers {
        let slot = BitmapIndex::new(u8::try_from(slot).expect("at most 31"));
        let mut slot = reader.slot(slot).expect("parsed before");
        while let Some(run) = slot.next_run().expect("parsed before") {
            words += match run {
                Run::Words(words) => words.len(),
                Run::Repeat { count, .. } => usize::try_from(count).expect("64 bits"),
            };
            if words > WORDS {
                return false;
            }
        }
    }
    true
}

/// A refusal says where, on a line that can be shown.
fn is_an_answer(data: &[u8], error: &Error) {
    let mut said = String::new();
    write!(said, "{error}").expect("memory");
    match error {
        Error::Syntax(error) => {
            assert!(
                error.at.get() <= Bytes::of_len(data.len()).get(),
                "{error:?}"
            );
            assert!(
                error.line_text.chars().count() <= 120 && error.mark <= 60,
                "{error:?}"
            );
            assert!(!error.line_text.chars().any(char::is_control), "{error:?}");
        }
        Error::Refused(_) => {}
        error => panic!("{error:?}"),
    }
}
