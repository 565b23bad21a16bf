//! Tests of `state`.

use super::*;

fn state() -> State {
    State {
        contents: Contents::Level,
        level: 1,
        size: Bytes::new(1 << 30),
        current_uuid: 0x1122_3344_5566_7788,
        since_uuid: 0,
        device_uuid: 7,
        target_size: Bytes::new(2 << 30),
        target: "/tmp/a\nb check ".to_owned(),
        verified: DevPos::new(12_345_678),
        marks: vec![
            Mark {
                at: DevPos::new(4096),
                len: Bytes::new(512),
                hash: "ab".repeat(32),
            },
            Mark {
                at: DevPos::new(12_345_000),
                len: Bytes::new(678),
                hash: "cd".repeat(32),
            },
        ],
    }
}

#[test]
fn a_target_is_known_by_a_bounded_number_of_marks() {
    let mut image = crate::image::MemImage::from_bytes(&vec![7; 100_000]);
    let mut state = State {
        marks: Vec::new(),
        ..state()
    };
    assert_eq!(state.goes_on_at(), DevPos::START);
    for part in 0..90 {
        let at = DevPos::new(part * 1000);
        state.add_mark(&image, at, Bytes::new(1000)).unwrap();
        assert!(state.marks.len() <= MOST_MARKS);
        assert_eq!(state.marks[0].at, DevPos::START);
        assert_eq!(state.marks.last().unwrap().at, at);
    }
    assert_eq!(state.goes_on_at(), state.verified);
    let read = State::parse(state.to_text().as_bytes()).unwrap();
    assert_eq!(read.marks, state.marks);
    read.must_be_on(&image).unwrap();
    image.write_at(ImagePos::new(89_999), &[8]).unwrap();
    read.must_be_on(&image).unwrap_err();
}

#[test]
fn a_state_is_read_as_it_was_written() {
    let text = state().to_text();
    let read = State::parse(text.as_bytes()).unwrap();
    assert_eq!(read.to_text(), text);
    assert_eq!(read.verified, state().verified);
    read.must_be_for("/tmp/a\nb check ", Bytes::new(2 << 30))
        .unwrap();
    read.must_be_for("/tmp/b", Bytes::new(2 << 30)).unwrap_err();
    read.must_be_for("/tmp/a\nb check ", Bytes::new(1))
        .unwrap_err();
}

#[test]
fn no_cut_and_no_changed_byte_is_believed() {
    let text = state().to_text().into_bytes();
    for len in 0..text.len() {
        State::parse(&text[..len]).unwrap_err();
    }
    for at in 0..text.len() {
        for bit in [1, 2, 4, 16, 32] {
            let mut changed = text.clone();
            changed[at] ^= bit;
            assert!(State::parse(&changed).is_err(), "byte {at}");
        }
    }
    State::parse(&[&text[..], b"x\n"].concat()).unwrap_err();
}
