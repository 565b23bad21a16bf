//! Any log gets an answer: its active extents sorted, each once; its places counted, each once; the same when it is read again.

use std::cell::Cell;

use mdtool::builder::activity_log::{FREE, KernelLog, SectorLog, Write, initialised_block, seal};
use mdtool::format::activity_log::{AlArea, AlKind, Complete, Replay, Verdict, replay};
use mdtool::format::layout::{AlStriping, MdGeometry};
use mdtool::format::superblock::Format;
use mdtool::surgery::apply_al::Marking;

use super::input::Input;

const BLOCK: usize = 4096;

/// The property.
pub fn holds(data: &[u8]) {
    let mut input = Input(data);
    let how = input.u8();
    let area = AlArea {
        format: [Format::V07, Format::V08, Format::V09][usize::from(how % 3)],
        unclean_84: how & 4 != 0,
        striping: AlStriping {
            stripes: u32::from(input.u8() % 4),
            stripe_size_4k: u32::from(input.u8() % 10),
        },
        al_nr_extents: u32::from(input.u16()) << (how >> 5),
    };
    let mut log = log(area.striping, how, &mut input);
    // Bytes of it changed, and checksums made to fit or not.
    let mut fits = vec![false; log.len() / BLOCK];
    while !input.is_empty() && !log.is_empty() {
        let number = usize::from(input.u8()) % fits.len();
        let (at, change) = (usize::from(input.u16()) % BLOCK, input.u8());
        let bytes = input.slice(usize::from(change % 32) + 1);
        let room = log[number * BLOCK..][..BLOCK].iter_mut().skip(at);
        room.zip(bytes).for_each(|(to, from)| *to = *from);
        fits[number] = change & 32 == 0;
    }
    for (block, _) in log
        .chunks_exact_mut(BLOCK)
        .zip(&fits)
        .filter(|(_, fits)| **fits)
    {
        seal(block);
    }
    let first = answer(&area, &log);
    if how & 1 == 0 {
        assert_eq!(answer(&area, &log), first, "the same log, the same answer");
    }
}

/// A log as a kernel left it, or nothing of the kind.
fn log(striping: AlStriping, how: u8, input: &mut Input<'_>) -> Vec<u8> {
    let (stripes, blocks) = (striping.stripes, striping.stripe_size_4k);
    let len = usize::try_from(striping.blocks().unwrap_or(0)).expect("small") * BLOCK;
    match (how >> 3) & 3 {
        0 => vec![0; len],
        1 => initialised_block().repeat(len / BLOCK),
        2 => {
            let mut log = KernelLog::new(stripes, blocks, input.u16() % 4000, input.u32());
            for _ in 0..input.u8() % 24 {
                let changes = [
                    (input.u16() % 2000, u32::from(input.u16())),
                    (input.u16() % 2000, FREE),
                ];
                let torn = input.u8();
                let write = if torn < 16 {
                    Write::Torn(usize::from(torn % 8))
                } else {
                    Write::Whole
                };
                log.activate(&changes[..usize::from(torn % 3)], write);
            }
            log.area().to_vec()
        }
        _ => {
            let mut log = SectorLog::new(input.u16() % 4000, input.u32(), None);
            for _ in 0..input.u8() {
                log.activate(input.u16() % 4000, u32::from(input.u16()));
            }
            let mut area = log.area().to_vec();
            area.resize(len, 0);
            area
        }
    }
}

fn answer(area: &AlArea, log: &[u8]) -> Option<Replay> {
    let mut read = |block: u64, bytes: &mut [u8; BLOCK]| {
        let start = usize::try_from(block).expect("a block of the area") * BLOCK;
        bytes.copy_from_slice(&log[start..start + BLOCK]);
        Ok(())
    };
    let seen = Cell::new(0_u64);
    let mut visit = |_: &_| seen.set(seen.get() + 1);
    let Ok(replay) = replay(area, &mut read, &mut visit) else {
        assert!(area.striping.blocks().is_none(), "a log in memory is read");
        return None;
    };
    assert!(
        replay.active.is_sorted_by(|left, right| left < right),
        "{replay:?}"
    );
    let places = replay.transactions + replay.unwritten + replay.invalid;
    if replay.kind == AlKind::Blocks {
        assert_eq!(Some(places), area.striping.blocks(), "{replay:?}");
    }
    if replay.kind != AlKind::Pmem {
        assert_eq!(seen.get(), places, "each place is shown once");
        assert_eq!(
            replay.newest.is_some(),
            replay.transactions > 0,
            "{replay:?}"
        );
        assert!(
            replay.active.is_empty() || replay.transactions > 0,
            "{replay:?}"
        );
    }
    if replay.verdict == Verdict::Complete(Complete::Unused) {
        assert!(
            replay.active.is_empty() && replay.transactions == 0 && replay.invalid == 0,
            "{replay:?}"
        );
    }
    let _ = replay.verdict.to_string();
    let marking = Marking::of(&replay.active, &MdGeometry::DEFAULT);
    let apart = |left: &std::ops::Range<u64>, right: &std::ops::Range<u64>| left.end <= right.start;
    assert!(
        marking
            .marks()
            .iter()
            .map(|mark| &mark.words)
            .is_sorted_by(|l, r| apart(l, r))
    );
    Some(replay)
}
