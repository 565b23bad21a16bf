//! Any bytes as a stream or a state file are refused, or give records in order within the size that the stream's header says.

use mdtool::image::PageBuffer;
use mdtool::truck::state::State;
use mdtool::truck::stream::{HEADER_LEN, MOST_DATA, Record, StreamReader};
use mdtool::units::Bytes;

use super::input::Input;

/// The property.
pub fn holds(data: &[u8]) {
    state(data);
    let mut input = Input(data);
    let how = input.u8();
    let mut bytes = input.0.to_vec();
    if how & 1 == 0 {
        reseal(&mut bytes);
    }
    let Ok(mut reader) = StreamReader::open(&bytes[..]) else {
        return;
    };
    let header = *reader.header();
    let mut buffer = PageBuffer::default();
    let mut end = header.first;
    let mut sum = Bytes::ZERO;
    // Anything else is an error, and nothing of what was asked for then may be used.
    while let Ok(record) = reader.next(&mut buffer) {
        let (start, len) = match record {
            Record::Data(at) => {
                assert!(!buffer.is_empty() && Bytes::of_len(buffer.len()) <= MOST_DATA);
                (at, Bytes::of_len(buffer.len()))
            }
            Record::Zeros(at, len) => (at, len),
            Record::End(totals) => {
                assert_eq!(totals.all(), sum);
                if header.contents.is_whole() {
                    assert_eq!(end.from_start(), header.size);
                }
                return;
            }
        };
        assert!(start >= end, "records are in order");
        assert!(
            start == end || !header.contents.is_whole(),
            "no gaps in a whole"
        );
        end = start.checked_add(len).expect("within 64 bits");
        assert!(end.from_start() <= header.size, "inside");
        sum = sum.checked_add(len).expect("not more than the size");
    }
}

/// What is read as a state is written as it was read, and so with the checksum that its lines need.
fn state(data: &[u8]) {
    let word = b"\ncheck ";
    let lines = data.windows(word.len()).rposition(|bytes| bytes == word);
    let resealed = lines.map(|at| {
        let said = &data[..=at];
        [said, format!("check {}\n", blake3::hash(said)).as_bytes()].concat()
    });
    for text in [Some(data), resealed.as_deref()].into_iter().flatten() {
        if let Ok(state) = State::parse(text) {
            assert!(state.verified.from_start() <= state.size);
            // A number with zeros before it says the same, and no more.
            let again = State::parse(state.to_text().as_bytes()).expect("its own text is read");
            assert_eq!(again, state);
        }
    }
}

/// Gives the header, and each record behind it, the checksum that it needs.
fn reseal(bytes: &mut [u8]) {
    const CHECK: usize = 32;
    let Some((header, mut rest)) = bytes.split_at_mut_checked(HEADER_LEN) else {
        return;
    };
    let (said, check) = header.split_at_mut(HEADER_LEN - CHECK);
    check.copy_from_slice(blake3::hash(said).as_bytes());
    let mut before = check.to_vec();
    while let Some((head, later)) = rest.split_at_mut_checked(24) {
        let number = |at: usize| u64::from_be_bytes(head[at..at + 8].try_into().expect("8 bytes"));
        let len = if number(0) == 1 {
            usize::try_from(number(16)).unwrap_or(usize::MAX)
        } else {
            0
        };
        let Some((data, later)) = later.split_at_mut_checked(len) else {
            return;
        };
        let Some((check, later)) = later.split_at_mut_checked(CHECK) else {
            return;
        };
        let mut hasher = blake3::Hasher::new();
        hasher.update(&before).update(head);
        if !data.is_empty() {
            hasher.update(blake3::hash(data).as_bytes());
        }
        check.copy_from_slice(hasher.finalize().as_bytes());
        before = check.to_vec();
        rest = later;
    }
}
