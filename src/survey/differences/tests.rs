use proptest::prelude::*;

use super::*;
use crate::image::{Access, Counted, MemImage, Watched, WriteAt};

const SIZE: u64 = 4 << 20;

fn image(pieces: &[(u64, u64, u8)]) -> MemImage {
    let mut image = MemImage::new(Bytes::new(SIZE));
    for (at, len, byte) in pieces {
        let len = (*len).min(SIZE - at);
        image
            .write_all_at(
                ImagePos::new(*at),
                &vec![*byte; usize::try_from(len).unwrap()],
            )
            .unwrap();
    }
    image
}

fn content(image: &MemImage) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(SIZE).unwrap()];
    image.read_exact_at(ImagePos::START, &mut bytes).unwrap();
    bytes
}

fn pieces() -> impl Strategy<Value = Vec<(u64, u64, u8)>> {
    proptest::collection::vec((0..SIZE, 1_u64..300_000, 0_u8..3), 0..8)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(48)))]

    #[test]
    fn what_differs_is_what_a_comparison_of_each_unit_finds(
        common in pieces(), more_a in pieces(), more_b in pieces(), shift in 12..=20_u32, cut in 0_u64..SIZE
    ) {
        let a = [common.clone(), more_a].concat();
        let (a, b) = (image(&a), image(&[common, more_b].concat()));
        let (len, unit) = (SIZE - cut / 512 * 512, 1_u64 << shift);
        let comparison = Comparison {
            a: Window::whole(&a),
            b: Window::whole(&b),
            len: Bytes::new(len),
            unit: Bytes::new(unit),
        };
        let mut found = Vec::new();
        let copy = content(&a);
        let open = move || -> Result<Box<dyn ReadAt>> { Ok(Box::new(MemImage::from_bytes(&copy))) };
        comparison.run(open, &mut |range| {
            found.push(range.start.get()..range.end.get());
            Ok(())
        }).unwrap();
        let (a, b) = (content(&a), content(&b));
        let mut expected: Vec<Range<u64>> = Vec::new();
        for start in (0..len).step_by(usize::try_from(unit).unwrap()) {
            let end = (start + unit).min(len);
            let part = usize::try_from(start).unwrap()..usize::try_from(end).unwrap();
            if a[part.clone()] != b[part] {
                match expected.last_mut() {
                    Some(last) if last.end == start => last.end = end,
                    _ => expected.push(start..end),
                }
            }
        }
        prop_assert_eq!(found, expected);
    }
}

/// How much of an image is no hole.
fn data(image: &MemImage) -> u64 {
    let (mut at, mut sum) = (ImagePos::START, 0);
    while let Some(data) = image.next_data(at).unwrap() {
        sum += data.end.get() - data.start.get();
        at = data.end;
    }
    sum
}

#[test]
fn each_byte_of_either_is_read_once_and_holes_not_at_all() {
    let pieces = [(0, 300_000, 1), (2 << 20, 300_000, 0), (3 << 20, 5000, 1)];
    let (a, b) = (image(&pieces), image(&pieces[1..]));
    let expected = (data(&a), data(&b));
    assert!(expected.0 < SIZE && expected.1 < expected.0);
    let (copy, b) = (content(&a), Counted::new(b));
    let read = std::sync::Arc::new(std::sync::atomic::AtomicU64::new(0));
    let count = std::sync::Arc::clone(&read);
    let open = move || -> Result<Box<dyn ReadAt>> {
        let image = MemImage::from_bytes(&copy);
        Ok(Box::new(Watched::new(
            image,
            move |_: Access, bytes: Bytes| {
                count.fetch_add(bytes.get(), std::sync::atomic::Ordering::Relaxed);
            },
        )))
    };
    let comparison = Comparison {
        a: Window::whole(&a),
        b: Window::whole(&b),
        len: Bytes::new(SIZE),
        unit: Bytes::new(4096),
    };
    comparison.run(open, &mut |_| Ok(())).unwrap();
    let read = read.load(std::sync::atomic::Ordering::Relaxed);
    assert_eq!((read, b.bytes().get()), expected);
}

#[test]
fn an_error_of_the_other_thread_is_ours() {
    let (a, b) = (image(&[(0, 5000, 1)]), image(&[]));
    let comparison = Comparison {
        a: Window::whole(&a),
        b: Window::whole(&b),
        len: Bytes::new(SIZE),
        unit: Bytes::new(4096),
    };
    let open = || {
        let error = std::io::Error::other("no");
        Err(crate::error::IoError::whole(crate::error::IoOp::Open, error).into())
    };
    assert!(comparison.run(open, &mut |_| Ok(())).is_err());
}
