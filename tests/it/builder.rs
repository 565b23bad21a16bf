//! The builder's images: byte for byte what `drbdmeta create-md` makes, and read by `drbdmeta dump-md` as they were meant.

use std::ops::Range;
use std::path::Path;

use mdtool::builder::{Built, External, LaSize, Level, build, build_external};
use mdtool::image::{ImageFile, ReadAt, WritableFile};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId, Sectors};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Drbdmeta, cut, scratch, sparse};

const MIB: u64 = 1 << 20;

/// Makes an image of one level, or of a meta device.
fn built(path: &Path, size: u64, placement: Option<External>, level: &Level) -> Built {
    let (size, at) = (Bytes::new(size), ImagePos::START);
    let mut file = WritableFile::create_new(path, size).unwrap();
    match placement {
        None => build(&mut file, at, size, std::slice::from_ref(level))
            .unwrap()
            .remove(0),
        Some(placement) => build_external(&mut file, at, size, placement, size, level).unwrap(),
    }
}

/// Where two files first differ, holes being zeros.
fn first_difference(ours: &Path, theirs: &Path) -> Option<ImagePos> {
    let (ours, theirs) = (
        ImageFile::open(ours).unwrap(),
        ImageFile::open(theirs).unwrap(),
    );
    assert_eq!(ours.size(), theirs.size());
    let mut at = ImagePos::START;
    loop {
        let next = [ours.next_data(at).unwrap(), theirs.next_data(at).unwrap()];
        let next = next.into_iter().flatten().min_by_key(|data| data.start)?;
        let size = Bytes::new(MIB).min(next.end.bytes_since(next.start).unwrap());
        let (mut here, mut there) = (vec![0; size.to_usize().unwrap()], Vec::new());
        there.clone_from(&here);
        ours.read_exact_at(next.start, &mut here).unwrap();
        theirs.read_exact_at(next.start, &mut there).unwrap();
        if let Some(first) = (0..here.len()).find(|i| here[*i] != there[*i]) {
            return next.start.checked_add(Bytes::of_len(first));
        }
        at = next.start.checked_add(size).unwrap();
    }
}

/// Holds a level just created against what `create-md` makes.
fn compare(
    (size, level): (u64, &Level),
    (placement, index): (Option<External>, &str),
    (format, words): (&str, &[&str]),
) {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let (ours, theirs) = (dir.path().join("ours.img"), dir.path().join("theirs.img"));
    built(&ours, size, placement, &level.clone().just_created());
    sparse(&theirs, size);
    let words = [&["create-md"], words].concat();
    drbdmeta.ok(format, &theirs, index, &words);
    assert_eq!(
        first_difference(&ours, &theirs),
        None,
        "{format} {index} {words:?} on {size} bytes"
    );
}

#[test]
fn what_is_just_created_is_what_create_md_makes() {
    let flex_external = (Some(External::Flex), "flex-external");
    let indexed = |index| {
        (
            Some(External::Indexed(index)),
            ["0", "1", "2"][usize::from(index)],
        )
    };
    // One block more than are written at once.
    let striped = ["--al-stripes", "5", "--al-stripe-size-kB", "52"];
    // The first size is one where 31 bitmaps need another block only because each has whole 64-bit words.
    for size in [4_325_376, 100 * MIB + 1536, 128 * MIB, 128 * MIB + 512] {
        for placement in [(None, "internal"), flex_external] {
            compare((size, &Level::v08()), placement, ("v08", &[]));
            let level = Level::v08().striping(5, 13);
            compare((size, &level), placement, ("v08", &striped));
            for peers in [1, 2, 3, 7, 31] {
                let words = [peers.to_string()];
                let words = [words[0].as_str()];
                compare((size, &Level::v09(peers)), placement, ("v09", &words));
            }
        }
        let flex = (None, "flex-internal");
        compare((size, &Level::v07_flex()), flex, ("v07", &[]));
        compare((size, &Level::v07()), flex_external, ("v07", &[]));
    }
    for size in [128 * MIB + 70_000, 300 * MIB + 512] {
        compare((size, &Level::v07()), (None, "internal"), ("v07", &[]));
    }
    for (size, index) in [
        (128 * MIB, 0),
        (300 * MIB, 0),
        (300 * MIB, 1),
        (384 * MIB, 2),
    ] {
        compare((size, &Level::v07()), indexed(index), ("v07", &[]));
        compare((size, &Level::v08()), indexed(index), ("v08", &[]));
        compare((size, &Level::v09(1)), indexed(index), ("v09", &["1"]));
        compare((size, &Level::v09(3)), indexed(index), ("v09", &["3"]));
    }
}

/// A level for random tests: its format for drbdmeta, the words for a new level, its stripes.
#[derive(Clone, Debug)]
struct Case {
    format: &'static str,
    peers: u8,
    striping: (u32, u32),
    /// Sectors out of 1000 of what fits; 0 for none agreed.
    la_size: u64,
    /// Slot, start and length, out of 1000 of what fits.
    dirty: Vec<(u8, f64, f64)>,
}

fn case() -> impl Strategy<Value = Case> {
    let stripings = select(vec![(1, 8), (1, 8), (2, 8), (1, 64), (7, 16)]);
    let dirty = proptest::collection::vec((0_u8..31, 0.0..1.1, 0.0..0.01), 0..20);
    let la_size = select(vec![0, 1, 333, 999, 1000, 1000, 1100]);
    (
        select(vec!["v07", "v08", "v09"]),
        select(vec![1, 2, 3, 7, 31]),
        stripings,
        la_size,
        dirty,
    )
        .prop_map(|(format, peers, striping, la_size, dirty)| Case {
            format,
            peers: if format == "v09" { peers } else { 1 },
            striping: if format == "v07" { (1, 8) } else { striping },
            la_size,
            dirty,
        })
}

impl Case {
    /// What drbdmeta calls the placement at the device's end.
    fn index(&self) -> &'static str {
        if self.format == "v07" {
            "flex-internal"
        } else {
            "internal"
        }
    }

    /// The level without its size and bits.
    fn bare(&self) -> Level {
        let level = match self.format {
            "v07" => Level::v07_flex(),
            "v08" => Level::v08(),
            _ => Level::v09(self.peers).node_id(NodeId::new(self.peers)),
        };
        level.striping(self.striping.0, self.striping.1)
    }

    fn la_size(&self, usable: Sectors) -> Sectors {
        Sectors::new(usable.get() / 1000 * self.la_size)
    }

    /// The bytes out of sync in each slot.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        clippy::as_conversions,
        reason = "any place will do"
    )]
    fn dirty(&self, device: Bytes) -> Vec<(BitmapIndex, Range<DevPos>)> {
        let at = |part: f64| (device.get() as f64 * part) as u64;
        let range = |(slot, start, len): &(u8, f64, f64)| {
            let start = at(*start);
            let range = DevPos::new(start)..DevPos::new(start + at(*len));
            (BitmapIndex::new(slot % self.peers), range)
        };
        self.dirty.iter().map(range).collect()
    }

    /// The level with all, for a device that leaves `usable`.
    fn level(&self, usable: Sectors) -> Level {
        let mut level = self.bare().la_size(match self.la_size(usable) {
            Sectors::ZERO => LaSize::Zero,
            size => LaSize::Exactly(size),
        });
        for (slot, bytes) in self.dirty(usable.to_bytes().unwrap()) {
            level = level.dirty(slot, bytes);
        }
        level
    }

    /// Every slot's bits in 64-bit words, as `dump-md` should print them: by the bit, for la-size only.
    fn words(&self, usable: Sectors) -> Vec<Vec<u64>> {
        let la_size = self.la_size(usable);
        let unit = if self.format == "v07" { 2 } else { 1 };
        let la_size = (la_size.get() / unit * unit).min(usable.get());
        let bits = la_size.div_ceil(8);
        let len = usize::try_from(bits.div_ceil(64)).unwrap();
        let mut slots = vec![vec![0; len]; usize::from(self.peers)];
        for (slot, bytes) in self.dirty(usable.to_bytes().unwrap()) {
            if bytes.start == bytes.end {
                continue;
            }
            let device = (la_size * 512).min(bytes.end.get());
            for bit in bytes.start.get() / 4096..device.div_ceil(4096) {
                let word = usize::try_from(bit / 64).unwrap();
                slots[usize::from(slot.get())][word] |= 1_u64 << (bit % 64);
            }
        }
        slots
    }
}

/// The number after a dump's keyword.
fn number(dump: &str, name: &str) -> u64 {
    let line = dump.lines().find_map(|line| line.strip_prefix(name));
    let number = line.unwrap_or_else(|| panic!("no {name} in {dump}"));
    number.trim().trim_end_matches(';').parse().unwrap()
}

/// The words of each bitmap in a dump.
fn bitmaps(dump: &str) -> Vec<Vec<u64>> {
    let mut slots: Vec<Vec<u64>> = Vec::new();
    let mut inside = false;
    for line in dump.lines() {
        if line.starts_with("bm {") || line.starts_with("bitmap[") {
            slots.push(Vec::new());
            inside = true;
        } else if line.starts_with('}') {
            inside = false;
        } else if inside && !line.trim_start().starts_with('#') {
            let mut times = 1;
            for token in line.split_whitespace() {
                match token.strip_prefix("0x") {
                    Some(digits) => {
                        let word = u64::from_str_radix(digits.trim_end_matches(';'), 16).unwrap();
                        let slot = slots.last_mut().unwrap();
                        slot.extend(std::iter::repeat_n(word, times));
                        times = 1;
                    }
                    None if token != "times" => times = token.parse().unwrap(),
                    None => {}
                }
            }
        }
    }
    slots
}

/// Has drbdmeta read an image, and compares what it says with what was asked for.
fn read_back(drbdmeta: &Drbdmeta, image: &Path, case: &Case, built: &Built) {
    // v07 cannot say that its log was applied, so its dumps are forced ones and the tool's status says so.
    let dump = match case.format {
        "v07" => {
            drbdmeta
                .run("v07", image, case.index(), &["dump-md"])
                .stdout
        }
        format => drbdmeta.ok(format, image, case.index(), &["dump-md"]),
    };
    let said = [
        ("# md_size_sect", built.md_size_sect().get()),
        ("# md_offset", built.md().get()),
        ("# al_offset", built.al().get()),
        ("# bm_offset", built.bm().get()),
        (
            "la-size-sect",
            built.la_size_sect().min(built.usable()).get(),
        ),
    ];
    for (name, value) in said {
        assert_eq!(number(&dump, name), value, "{name} of {case:?}");
    }
    let asked = case.words(built.usable());
    let mut found = bitmaps(&dump);
    assert_eq!(found.len(), asked.len(), "{case:?}");
    for (slot, (found, asked)) in found.iter_mut().zip(&asked).enumerate() {
        // The bitmap is printed to the end of its last block.
        let rest = found.split_off(asked.len().min(found.len()));
        assert!(
            rest.iter().all(|word| *word == 0),
            "slot {slot} of {case:?}"
        );
        assert!(found == asked, "slot {slot} of {case:?}");
    }
    let last = asked.last().unwrap();
    let set: u64 = last.iter().map(|word| u64::from(word.count_ones())).sum();
    assert_eq!(number(&dump, "# bits-set"), set, "{case:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(60), max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    /// An inner resource within an outer one, each of which drbdmeta reads at the end of a file of its size.
    #[test]
    fn drbdmeta_reads_what_was_asked_for(outer in case(), inner in case(), size in 16 * MIB..700 * MIB) {
        let Some(drbdmeta) = Drbdmeta::new() else { return Ok(()) };
        let dir = scratch();
        let image = dir.path().join("stack.img");
        let (size, at) = (Bytes::new(size), ImagePos::START);
        let mut file = WritableFile::create_new(&image, size).unwrap();
        let usable = |levels: &[Level]| {
            let mut memory = mdtool::image::MemImage::new(size);
            build(&mut memory, at, size, levels).map(|all| all[all.len() - 1].usable())
        };
        let outer_level = outer.level(usable(&[outer.bare()]).unwrap());
        let Ok(inner_usable) = usable(&[outer_level.clone(), inner.bare()]) else {
            // An outer device of a thousandth has no room for an inner one.
            prop_assert_eq!(outer.la_size, 1);
            return Ok(());
        };
        let levels = [outer_level, inner.level(inner_usable)];
        let all = build(&mut file, at, size, &levels).unwrap();
        drop(file);
        read_back(&drbdmeta, &image, &outer, &all[0]);
        cut(&image, all[0].device().get());
        // drbdmeta wants a little more than the metadata.
        if all[0].device() >= Bytes::new(2 * MIB) {
            read_back(&drbdmeta, &image, &inner, &all[1]);
        }
    }
}
