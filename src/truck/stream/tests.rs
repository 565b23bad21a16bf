use super::*;
use crate::error::Error;
use crate::image::{MemImage, PageBuffer, ReadAt};
use crate::truck::arrival::{Arrival, EVERY, Putting};
use crate::truck::pieces::{Data, Emitter, Piece, Source, Span, overlapped};
use crate::truck::state::State;
use crate::units::{DevPos, ImagePos};

const SIZE: usize = 5 * 4096 + 100;

fn header(id: u64) -> Header {
    Header {
        contents: Contents::Level,
        size: Bytes::of_len(SIZE),
        first: DevPos::START,
        image: Bytes::of_len(SIZE),
        level: 1,
        format: 8,
        current_uuid: 0x1234,
        since_uuid: 0,
        device_uuid: 0x5678,
        id: [id, 7],
    }
}

/// Data, a hole, zeros, data.
fn content(fill: u8) -> Vec<u8> {
    let mut content = vec![0; SIZE];
    content[..700].fill(fill);
    content[4 * 4096..].fill(fill.wrapping_add(1));
    content
}

fn stream_of(content: &[u8], id: u64) -> Vec<u8> {
    let image = MemImage::from_bytes(content);
    let source = Source::of(&image, ImagePos::START, Bytes::of_len(SIZE)).unwrap();
    let mut bytes = Vec::new();
    let mut stream = StreamWriter::new(&mut bytes, &header(id)).unwrap();
    let all = DevPos::START..DevPos::at(source.size());
    let produce = |emitter: &mut Emitter| emitter.read(&source, all);
    overlapped(produce, |piece| stream.piece(piece)).unwrap();
    let totals = stream.finish().unwrap();
    assert_eq!(totals.all(), Bytes::of_len(SIZE));
    assert_eq!(totals.zeros, Bytes::new(3 * 4096));
    bytes
}

/// What a target has after a stream, and how the stream ended.
fn arrive(bytes: &[u8], target_size: usize) -> (Vec<u8>, Result<Totals, Error>) {
    let mut target = MemImage::from_bytes(&vec![0xEE; target_size]);
    let result = receive(bytes, &mut target);
    let mut found = vec![0; target_size];
    target.read_exact_at(ImagePos::START, &mut found).unwrap();
    (found, result)
}

fn receive(bytes: &[u8], target: &mut MemImage) -> Result<Totals, Error> {
    let mut reader = StreamReader::open(bytes)?;
    let header = *reader.header();
    if header.size > target.size() {
        return Err(crate::truck::TruckRefusal::SameFile.into());
    }
    let state = State::begin(&header, String::new(), target.size());
    let putting = Putting {
        blank: false,
        discard: false,
        every: EVERY,
    };
    let mut arrival = Arrival::new(target, state, putting, |_: &State| Ok(()));
    let mut buffer = PageBuffer::default();
    loop {
        let record = match reader.next(&mut buffer) {
            Ok(record) => record,
            Err(error) => {
                // As the command does: what arrived until then is kept.
                arrival.keep()?;
                return Err(error);
            }
        };
        let piece = match record {
            Record::End(_) => return arrival.finish(),
            Record::Zeros(at, len) => Piece::Zeros(at..at.checked_add(len).unwrap()),
            Record::Data(at) => Piece::Data(Data {
                at,
                spans: vec![Span {
                    range: 0..buffer.len(),
                    zeros: false,
                }],
                bytes: buffer.clone(),
            }),
        };
        arrival.piece(&piece)?;
    }
}

/// Every byte of the target is what it was or what the source has, and no verified part ends in the midst.
#[track_caller]
fn assert_only_verified(found: &[u8], content: &[u8], why: &str) {
    let old = |range: std::ops::Range<usize>| found[range].iter().all(|byte| *byte == 0xEE);
    // The records of `content`: where each begins and ends.
    for range in [0..4096, 4096..4 * 4096, 4 * 4096..SIZE] {
        let is_new = found[range.clone()] == content[range.clone()];
        assert!(is_new || old(range.clone()), "{why}: {range:?}");
    }
    assert!(old(SIZE..found.len()), "{why}: behind the copy");
}

fn fault(result: Result<Totals, Error>) -> StreamFault {
    *result.unwrap_err().refusal().unwrap()
}

#[test]
fn a_stream_brings_all_that_it_was_given() {
    let content = content(1);
    let (found, result) = arrive(&stream_of(&content, 1), SIZE + 999);
    assert_eq!(result.unwrap().all(), Bytes::of_len(SIZE));
    assert!(found[..SIZE] == content);
    assert!(found[SIZE..].iter().all(|byte| *byte == 0xEE));
}

#[test]
fn a_cut_at_any_byte_is_an_error_with_its_position() {
    let content = content(1);
    let stream = stream_of(&content, 1);
    let mut arrived = Vec::new();
    for len in 0..stream.len() {
        let (found, result) = arrive(&stream[..len], SIZE + 999);
        let fault = fault(result);
        assert_eq!(fault.at, Bytes::of_len(len).get());
        let StreamProblem::Cut { arrived: to } = fault.problem else {
            panic!("{fault}");
        };
        arrived.push(to.get());
        assert_only_verified(&found, &content, &format!("cut at {len}"));
        // Nothing is held back that was verified.
        let to = usize::try_from(to.get()).unwrap();
        assert!(found[..to] == content[..to], "cut at {len}");
    }
    arrived.dedup();
    assert_eq!(arrived, [0, 4096, 4 * 4096, Bytes::of_len(SIZE).get()]);
}

#[test]
fn a_byte_flipped_anywhere_is_an_error() {
    let content = content(1);
    let stream = stream_of(&content, 1);
    for at in 0..stream.len() {
        for bit in [0x01, 0x80] {
            let mut flipped = stream.clone();
            flipped[at] ^= bit;
            let (found, result) = arrive(&flipped, SIZE + 999);
            let error = result.unwrap_err();
            assert!(
                error
                    .refusal::<StreamFault>()
                    .is_some_and(|fault| fault.at <= Bytes::of_len(at).get() + 1),
                "byte {at}: {error}"
            );
            assert_only_verified(&found, &content, &format!("byte {at} flipped"));
        }
    }
}

#[test]
fn records_of_another_stream_do_not_fit() {
    let (one, two) = (stream_of(&content(1), 1), stream_of(&content(9), 2));
    assert_eq!(one.len(), two.len());
    for at in HEADER_LEN..one.len() {
        let spliced = [&one[..at], &two[at..]].concat();
        let (found, result) = arrive(&spliced, SIZE);
        // A part of the first record's head is the same in both.
        let fault = fault(result);
        assert!(
            matches!(fault.problem, StreamProblem::Check { .. }),
            "{at}: {fault}"
        );
        assert_only_verified(&found, &content(1), &format!("spliced at {at}"));
    }
    let (_, result) = arrive(&[one.clone(), two].concat(), SIZE);
    assert_eq!(fault(result).problem, StreamProblem::Trailing);
    // The same content in another stream is another stream all the same.
    let three = stream_of(&content(1), 3);
    let spliced = [&one[..HEADER_LEN], &three[HEADER_LEN..]].concat();
    let (_, result) = arrive(&spliced, SIZE);
    assert!(matches!(fault(result).problem, StreamProblem::Check { .. }));
}

/// A stream of records with right checksums that says what it likes.
fn forged(header: &Header, records: &[([u64; 3], &[u8])]) -> Vec<u8> {
    let mut bytes = header.to_bytes().to_vec();
    let mut before: Check = bytes[HEADER_LEN - CHECK..].try_into().unwrap();
    for (numbers, data) in records {
        let head = head(*numbers);
        before = check(&before, &head, data);
        bytes.extend_from_slice(&head);
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(&before);
    }
    bytes
}

#[test]
fn a_hostile_stream_writes_nothing_outside_and_nothing_twice() {
    let size = Bytes::of_len(SIZE).get();
    let most = MOST_DATA.get();
    let cases: &[&[([u64; 3], &[u8])]] = &[
        &[([ZEROS, 0, size + 1], &[])],
        &[([ZEROS, u64::MAX, 2], &[])],
        &[([ZEROS, size, u64::MAX], &[])],
        &[([DATA, size - 1, 2], &[1, 2])],
        &[([DATA, 0, most + 1], &[])],
        &[([DATA, 0, 0], &[])],
        &[([ZEROS, 0, 0], &[])],
        &[([ZEROS, 1, 5], &[])],
        &[([ZEROS, 0, 5], &[]), ([ZEROS, 4, 5], &[])],
        &[([ZEROS, 0, 5], &[]), ([ZEROS, 6, 5], &[])],
        &[([4, 0, 5], &[])],
        &[([0, 0, 0], &[])],
        &[([ZEROS, 0, size], &[]), ([END, 0, size - 1], &[])],
        &[([ZEROS, 0, size - 1], &[]), ([END, 0, size - 1], &[])],
        &[([ZEROS, 0, size], &[])],
    ];
    for records in cases {
        let (found, result) = arrive(&forged(&header(1), records), SIZE + 99);
        let fault = fault(result);
        assert!(found[SIZE..].iter().all(|byte| *byte == 0xEE), "{fault}");
    }
    let good: &[([u64; 3], &[u8])] = &[([ZEROS, 0, size], &[]), ([END, 0, size], &[])];
    arrive(&forged(&header(1), good), SIZE).1.unwrap();
    let far = Header {
        first: DevPos::new(size + 1),
        ..header(1)
    };
    fault(arrive(&forged(&far, good), SIZE).1);
    let parts = Header {
        contents: Contents::Ranges,
        ..header(1)
    };
    let some: &[([u64; 3], &[u8])] = &[([DATA, 9, 2], &[1, 2]), ([END, 2, 0], &[])];
    let (found, result) = arrive(&forged(&parts, some), SIZE);
    result.unwrap();
    assert_eq!(found[8..12], [0xEE, 1, 2, 0xEE]);
}
