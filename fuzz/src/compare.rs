//! Any two dumps that parse have a decision, and the other order has its mirror.

use mdtool::dump::{DumpReader, Note};
use mdtool::format::bitmap::count_set;
use mdtool::format::metadata::Bitmap;
use mdtool::surgery::described::refusals;
use mdtool::units::{BitmapIndex, Sectors};
use mdtool::verdict::handshake::{FlagsTold, Log, Mark, Options, Replica, compare};

use super::input::Input;

/// The property.
pub fn holds(data: &[u8]) {
    let mut input = Input(data);
    let (how, len) = (input.u8(), usize::from(input.u16()));
    let (first, second) = input.0.split_at(len.min(input.0.len()));
    let (Some(a), Some(b)) = (replica(first), replica(second)) else {
        return;
    };
    let mut options = Options::default();
    options.sides[0].primary = how & 1 != 0;
    options.sides[1].net.discard_my_data = how & 2 != 0;
    options.size = (how & 4 != 0).then_some(Sectors::new(u64::from(how) * 4096));
    let pair = compare(&a, &b, &options);
    options.sides.reverse();
    let turned = compare(&b, &a, &options);
    assert_eq!(pair.mirrored, turned.mirrored);
    assert_eq!(pair.arbitrary, turned.arbitrary);
    if pair.mirrored && !pair.arbitrary {
        assert_eq!(pair.decision.mirrored(), turned.decision);
    }
    let Some(marks) = pair.marks else {
        return;
    };
    let readers = [first, second].map(DumpReader::looking);
    let [Ok(mut a), Ok(mut b)] = readers else {
        return;
    };
    let words = [slot(&mut a, marks.sides[0]), slot(&mut b, marks.sides[1])];
    let _ = marks.count(words);
}

/// The words of a slot, where one is wanted and there.
fn slot<'r>(
    reader: &'r mut DumpReader<'_>,
    mark: Mark,
) -> Option<Box<dyn mdtool::format::metadata::SlotWords + 'r>> {
    match mark {
        Mark::Slot(slot) => reader.slot(slot).ok(),
        Mark::Nothing | Mark::All => None,
    }
}

fn replica(text: &[u8]) -> Option<Replica> {
    let mut reader = DumpReader::looking(text).ok()?;
    let header = reader.header().clone();
    let bits = header.geometry.bits(header.la_size)?;
    let mut slots = Vec::new();
    for slot in 0..header.geometry.max_peers {
        let slot = BitmapIndex::new(u8::try_from(slot).ok()?);
        slots.push(count_set(&mut *reader.slot(slot).ok()?, bits).ok()?);
    }
    let places = reader.places();
    let doubtful = reader.notes().contains(&Note::FlagsZero);
    reader.finish().ok()?;
    let refusals = refusals(&header, &places);
    let mut replica = Replica {
        log: Log::unseen(&header),
        last_bits: slots.first().copied()?.min(64),
        header,
        capacity: places.usable(),
        slots,
        refusals,
        flags: FlagsTold::Known,
    };
    if doubtful {
        replica.doubt_flags();
    }
    Some(replica)
}
