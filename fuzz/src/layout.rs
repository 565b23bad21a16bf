//! A layout that is accepted has its regions inside the device, apart from each other, and room for the largest device it allows.

use std::ops::Range;

use mdtool::format::layout::{MAX_DEVICE, MdIndex, MdLayout};
use mdtool::format::metadata::Header;
use mdtool::format::superblock::{MAGIC_V07, MAGIC_V08, MAGIC_V09, Superblock};
use mdtool::units::{Bytes, DevPos, MD_BLOCK, range_len};

use super::input::Input;

/// Where a format has what a layout is made of: magic, size, log, bitmap, granularity, slots, node id, stripes.
struct Fields {
    magic: (usize, u32),
    md_size: usize,
    al_offset: usize,
    bm_offset: usize,
    others: &'static [usize],
}

const FORMATS: [Fields; 3] = [
    Fields {
        magic: (28, MAGIC_V07),
        md_size: 32,
        al_offset: 36,
        bm_offset: 44,
        others: &[],
    },
    Fields {
        magic: (60, MAGIC_V08),
        md_size: 64,
        al_offset: 68,
        bm_offset: 76,
        others: &[80, 88, 92],
    },
    Fields {
        magic: (60, MAGIC_V09),
        md_size: 64,
        al_offset: 68,
        bm_offset: 76,
        others: &[80, 88, 92, 96, 100],
    },
];

/// The property.
pub fn holds(data: &[u8]) {
    let mut input = Input(data);
    let (format, index, how) = (usize::from(input.u8() % 3), input.u8(), input.u8());
    let fields = &FORMATS[format];
    let index = match index % 4 {
        0 => MdIndex::Internal,
        1 => MdIndex::FlexInternal,
        2 => MdIndex::FlexExternal,
        _ => MdIndex::Indexed(index >> 2),
    };
    let device = Bytes::new(input.u64() >> (how >> 2));
    let mut block = [0; 4096];
    let mut put = |at: usize, bytes: [u8; 4]| block[at..at + 4].copy_from_slice(&bytes);
    put(0, input.array());
    put(4, input.array());
    for at in fields.others {
        // Powers of two and small numbers, mostly: those are the ones that are accepted.
        let number = if how & 1 == 1 {
            input.u32()
        } else {
            match input.u8() {
                byte @ ..=127 => 1 << (byte % 32),
                byte => u32::from(byte % 32),
            }
        };
        put(*at, number.to_be_bytes());
    }
    put(fields.magic.0, fields.magic.1.to_be_bytes());
    for at in [fields.md_size, fields.al_offset, fields.bm_offset] {
        put(at, input.array());
    }
    // What the formulas say, in half of the cases.
    let superblock = Superblock::decode(&block).expect("has a magic");
    if how & 2 == 0
        && let Ok(planned) = MdLayout::planned(index, superblock.geometry(), device)
        && let Ok(composed) = Header::of(&superblock).compose(&planned)
    {
        let kept = if format == 0 { 28..48 } else { 60..80 };
        block[kept.clone()].copy_from_slice(&composed.to_bytes()[kept]);
    }
    judge(
        &Superblock::decode(&block).expect("has a magic"),
        index,
        device,
    );
}

fn judge(superblock: &Superblock, index: MdIndex, device: Bytes) {
    let Ok(layout) = MdLayout::of(superblock, index, device) else {
        return;
    };
    let inside = |range: &Range<DevPos>| {
        range.start < range.end
            && layout.whole.start <= range.start
            && range.end <= layout.whole.end
    };
    let md = layout.md..layout.md.checked_add(MD_BLOCK).expect("inside");
    assert!(layout.whole.end.from_start() <= device, "{layout:?}");
    assert!(
        inside(&md) && inside(&layout.al) && (layout.bm.is_empty() || inside(&layout.bm)),
        "{layout:?}"
    );
    let mut regions = [md, layout.al.clone(), layout.bm.clone()];
    regions.sort_by_key(|range| range.start);
    assert!(
        regions.is_sorted_by(|left, right| left.end <= right.start),
        "{layout:?}"
    );
    assert!(layout.usable <= MAX_DEVICE);
    let needed = layout
        .geometry
        .bitmap_size(layout.usable)
        .expect("at most 1 PiB");
    assert!(
        needed <= range_len(&layout.bm),
        "{layout:?} has no room for {needed}"
    );
    if index.is_internal() {
        let data = layout.usable.to_bytes().expect("at most 1 PiB");
        assert!(data <= layout.whole.start.from_start(), "{layout:?}");
    }
    assert!(layout.device_size(superblock.la_size()) <= layout.usable);
    // The same resource, composed anew for the same place, has the same layout.
    if let Ok(composed) = Header::of(superblock).compose(&layout) {
        let again = MdLayout::of(&composed, index, device).expect("what was composed is accepted");
        assert_eq!(
            (again.md, again.al, again.bm, again.usable),
            (layout.md, layout.al, layout.bm, layout.usable)
        );
    }
}
