use std::cell::{Cell, RefCell};
use std::io;

use super::*;
use crate::error::{IoError, IoOp};
use crate::format::superblock::{format_of, mark_of};
use crate::image::{MemImage, ReadAt, WriteAt, reads_as};
use crate::truck::pieces::{Emitter, Source, overlapped};
use crate::truck::stream::Contents;

const SIZE: u64 = 5 << 20;

/// Where the source has a superblock.
const SUPERBLOCK: u64 = SIZE - 4096;

/// DRBD's magic of v08, and where it is.
const MAGIC: (u64, [u8; 4]) = (60, [0x83, 0x74, 0x02, 0x6B]);

/// A disk that loses what was not synced when the power fails, which it does after so many operations.
struct FailingDisk<'a> {
    durable: &'a RefCell<MemImage>,
    volatile: MemImage,
    left: &'a Cell<u32>,
}

fn count(left: &Cell<u32>) -> Result<()> {
    let rest = left.get().checked_sub(1);
    left.set(rest.unwrap_or(0));
    let failure = || IoError::whole(IoOp::Write, io::Error::other("power failure")).into();
    rest.map(|_| ()).ok_or_else(failure)
}

reads_as!([] FailingDisk<'_>, this => this.volatile);

impl WriteAt for FailingDisk<'_> {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        count(self.left)?;
        // Half of what was not synced may be on disk all the same; a sector is, or is not.
        let len = if bytes.len() > 512 {
            bytes.len() / 2
        } else {
            bytes.len()
        };
        let half = bytes.split_at(len).0;
        self.durable.borrow_mut().write_at(at, half)?;
        self.volatile.write_at(at, bytes)
    }

    fn resize(&mut self, _: Bytes) -> Result<()> {
        unreachable!("a target keeps its size")
    }

    fn sync(&mut self) -> Result<()> {
        count(self.left)?;
        *self.durable.borrow_mut() = self.volatile.clone();
        Ok(())
    }
}

impl Zeroing for FailingDisk<'_> {}

fn source() -> MemImage {
    let mut image = MemImage::new(Bytes::new(SIZE));
    let noise: Vec<u8> = (0..300_000_u32)
        .map(|i| u8::try_from(i % 251).unwrap() + 1)
        .collect();
    for at in [0, 900_000, 1 << 20, 4 << 20, SIZE - 300_000] {
        image.write_at(ImagePos::new(at), &noise).unwrap();
    }
    let (at, magic) = MAGIC;
    image
        .write_at(ImagePos::new(SUPERBLOCK + at), &magic)
        .unwrap();
    image
}

fn content(image: &MemImage) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(image.size().get()).unwrap()];
    image.read_exact_at(ImagePos::START, &mut bytes).unwrap();
    bytes
}

fn begin() -> State {
    State {
        contents: Contents::Level,
        level: 0,
        size: Bytes::new(SIZE),
        current_uuid: 1,
        since_uuid: 0,
        device_uuid: 2,
        target_size: Bytes::new(SIZE + 8192),
        target: "target".to_owned(),
        verified: DevPos::START,
        marks: Vec::new(),
    }
}

/// Copies from where the saved state says, until the power fails; whether it did not.
fn run(durable: &RefCell<MemImage>, saved: &RefCell<State>, left: &Cell<u32>) -> bool {
    run_over(durable, saved, left, None, SIZE)
}

/// The same over a superblock, `end` bytes of the source.
fn run_over(
    durable: &RefCell<MemImage>,
    saved: &RefCell<State>,
    left: &Cell<u32>,
    superblock: Option<u64>,
    end: u64,
) -> bool {
    let image = source();
    let source = Source::of(&image, ImagePos::START, Bytes::new(SIZE)).unwrap();
    let volatile = durable.borrow().clone();
    let mut disk = FailingDisk {
        durable,
        volatile,
        left,
    };
    let state = saved.borrow().clone();
    let first = state.verified;
    let putting = Putting {
        blank: false,
        discard: false,
        every: Bytes::new(400_000),
    };
    let save = |state: &State| {
        count(left)?;
        saved.replace(state.clone());
        Ok(())
    };
    let mut arrival = Arrival::new(&mut disk, state, putting, save);
    if superblock.is_some_and(|at| arrival.seal(DevPos::new(at)).is_err()) {
        return false;
    }
    let end = DevPos::new(end).max(first);
    let produce = |emitter: &mut Emitter| emitter.read(&source, first..end);
    let arrived = overlapped(produce, |piece| arrival.piece(piece));
    arrived.and_then(|()| arrival.finish()).is_ok()
}

#[test]
fn a_power_failure_at_any_write_and_sync_is_made_good_by_going_on() {
    let expected = content(&source());
    let old = vec![0xEE; usize::try_from(SIZE + 8192).unwrap()];
    let mut kills = 0;
    for operations in 0.. {
        let durable = RefCell::new(MemImage::from_bytes(&old));
        let saved = RefCell::new(begin());
        let left = Cell::new(operations);
        let survived = run(&durable, &saved, &left);
        // What the state says is on disk, and is right.
        let verified = usize::try_from(saved.borrow().verified.get()).unwrap();
        assert!(content(&durable.borrow())[..verified] == expected[..verified]);
        if survived {
            break;
        }
        kills += 1;
        left.set(u32::MAX);
        assert!(run(&durable, &saved, &left));
        let found = content(&durable.borrow());
        assert!(
            found[..expected.len()] == expected,
            "killed at {operations}"
        );
        assert!(found[expected.len()..].iter().all(|byte| *byte == 0xEE));
    }
    assert!(kills > 20, "{kills}");
}

#[test]
fn a_power_failure_never_leaves_a_superblock_over_data_that_is_not_its_own() {
    // In the midst of zeros, of data, and at the end; the last, too, where the source does not bring it.
    for (superblock, end) in [
        (512 << 10, SIZE),
        (900_000 / 4096 * 4096 + 8192, SIZE),
        (SUPERBLOCK, SIZE),
        (SUPERBLOCK, SUPERBLOCK + 100),
        (SUPERBLOCK, SUPERBLOCK - 5000),
    ] {
        let (magic_at, magic) = MAGIC;
        let mut old = vec![0xEE; usize::try_from(SIZE).unwrap()];
        let at = usize::try_from(superblock).unwrap();
        let word = at + usize::try_from(magic_at).unwrap();
        old[word..word + 4].copy_from_slice(&magic);
        let mut expected = content(&source());
        let kept = usize::try_from(end).unwrap();
        expected[kept..].copy_from_slice(&old[kept..]);
        for operations in 0.. {
            let durable = RefCell::new(MemImage::from_bytes(&old));
            let saved = RefCell::new(begin());
            let left = Cell::new(operations);
            let survived = run_over(&durable, &saved, &left, Some(superblock), end);
            let name = format!("{superblock}, up to {end}, killed at {operations}");
            let found = content(&durable.borrow());
            let block = found[at..].first_chunk::<4096>().unwrap();
            assert!(
                found == old || found == expected || mark_of(block).is_some(),
                "{name}"
            );
            assert!(
                format_of(block).is_none() || found == old || found == expected,
                "{name}"
            );
            if !survived {
                let text = saved.borrow().to_text();
                saved.replace(State::parse(text.as_bytes()).unwrap());
                saved.borrow().must_be_on(&*durable.borrow()).unwrap();
                left.set(u32::MAX);
                assert!(
                    run_over(&durable, &saved, &left, Some(superblock), end),
                    "{name}"
                );
            }
            assert!(content(&durable.borrow()) == expected, "{name}");
            if survived {
                break;
            }
        }
    }
}

#[test]
fn what_is_known_is_not_written_again() {
    let mut target = MemImage::from_bytes(&[0xEE; 8192]);
    let state = State {
        verified: DevPos::new(5000),
        size: Bytes::new(8192),
        ..begin()
    };
    let putting = Putting {
        blank: false,
        discard: false,
        every: EVERY,
    };
    let image = MemImage::from_bytes(&[[7; 4096], [0; 4096]].concat());
    let source = Source::of(&image, ImagePos::START, Bytes::new(8192)).unwrap();
    let mut arrival = Arrival::new(&mut target, state, putting, |_: &State| Ok(()));
    let all = DevPos::START..DevPos::new(8192);
    overlapped(
        |emitter| emitter.read(&source, all),
        |piece| arrival.piece(piece),
    )
    .unwrap();
    let totals = arrival.finish().unwrap();
    assert_eq!((totals.data.get(), totals.zeros.get()), (0, 3192));
    let expected = [vec![0xEE; 5000], vec![0; 3192]].concat();
    assert!(content(&target) == expected);
}
