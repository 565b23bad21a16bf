//! `mdtool export` held against `drbdmeta dump-md`, on images that drbdmeta made.

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Drbdmeta, mdtool, patch, peek, scratch, sparse};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Which metadata drbdmeta is to make.
#[derive(Clone, Debug)]
pub(crate) struct Kind {
    pub(crate) format: &'static str,
    /// drbdmeta's word and ours for the placement.
    pub(crate) index: (&'static str, &'static str),
    pub(crate) max_peers: u32,
    pub(crate) stripes: u32,
    pub(crate) stripe_kib: u32,
}

/// What is changed in it afterwards.
#[derive(Clone, Debug)]
pub(crate) struct Content {
    /// Sectors out of 1000 of what fits; beyond 1000 too large; 0 none.
    pub(crate) la_size: u64,
    pub(crate) uuids: Vec<u64>,
    pub(crate) flags: u32,
    pub(crate) peer_flags: Vec<u32>,
    pub(crate) bits: Vec<Stroke>,
}

/// Some words of the bitmap area, painted with one word or with noise.
#[derive(Clone, Debug)]
pub(crate) struct Stroke {
    /// Where, as a part of the area.
    at: f64,
    words: u64,
    word: Option<u32>,
}

pub(crate) fn kind() -> impl Strategy<Value = Kind> {
    let indexed = || {
        select(vec![
            ("internal", "internal"),
            ("flex-external", "flex-external"),
            ("1", "indexed:1"),
        ])
    };
    let peers = select(vec![1_u32, 2, 3, 7, 31]);
    let striping = select(vec![
        (1_u32, 32_u32),
        (1, 32),
        (2, 32),
        (1, 256),
        (4, 16),
        (7, 64),
    ]);
    (
        select(vec!["v07", "v08", "v09"]),
        indexed(),
        peers,
        striping,
    )
        .prop_map(|(format, index, max_peers, striping)| {
            let fixed = index.0 == "1" || format == "v07";
            let (stripes, stripe_kib) = if fixed { (1, 32) } else { striping };
            // v07's own flexible placement goes by another name.
            let index =
                if format == "v07" && stripe_kib == 32 && max_peers > 3 && index.0 == "internal" {
                    ("flex-internal", "internal")
                } else {
                    index
                };
            Kind {
                format,
                index,
                max_peers: if format == "v09" && index.0 != "1" {
                    max_peers
                } else {
                    1
                },
                stripes,
                stripe_kib,
            }
        })
}

pub(crate) fn content() -> impl Strategy<Value = Content> {
    let stroke = (
        0.0..1.0,
        1..3000_u64,
        select(vec![
            Some(0),
            Some(u32::MAX),
            Some(1),
            Some(0x8000_0000),
            None,
        ]),
    )
        .prop_map(|(at, words, word)| Stroke { at, words, word });
    (
        select(vec![0, 1, 500, 777, 999, 1000, 1000, 1000, 1001, 5000]),
        proptest::collection::vec(any::<u64>(), 100),
        any::<u32>(),
        proptest::collection::vec(
            select(vec![0, 0, 1, 0x10, 0x1_001F, 0x1_0010, 0xFFFF_FFFF]),
            32,
        ),
        proptest::collection::vec(stroke, 0..12),
    )
        .prop_map(|(la_size, uuids, flags, peer_flags, bits)| Content {
            la_size,
            uuids,
            flags,
            peer_flags,
            bits,
        })
}

/// Sizes from 1 MiB to 4 GiB, as many small as large ones, not all of them round.
pub(crate) fn size() -> impl Strategy<Value = u64> {
    (20.0..32.0_f64, select(vec![512_u64, 4096, 4 * MIB])).prop_map(|(exponent, unit)| {
        let size = exponent.exp2().round();
        let size = size as u64;
        (size / unit).max(MIB / unit) * unit
    })
}

/// Where drbdmeta said that it put things.
pub(crate) struct Place {
    pub(crate) md: u64,
    pub(crate) bm: u64,
    /// Bytes of the bitmap area.
    pub(crate) bm_len: u64,
    pub(crate) usable_sect: u64,
}

pub(crate) fn number(dump: &str, name: &str) -> u64 {
    let line = dump
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .unwrap();
    line.trim().trim_end_matches(';').parse().unwrap()
}

/// Makes metadata by drbdmeta; `None` where it has no room for it.
pub(crate) fn create(drbdmeta: &Drbdmeta, image: &Path, size: u64, kind: &Kind) -> Option<Place> {
    sparse(image, size);
    let (stripes, stripe_kib) = (kind.stripes.to_string(), kind.stripe_kib.to_string());
    let peers = kind.max_peers.to_string();
    let mut words = vec!["create-md"];
    if kind.format != "v07" {
        words.extend(["--al-stripes", &stripes, "--al-stripe-size-kB", &stripe_kib]);
    }
    if kind.format == "v09" {
        words.push(&peers);
    }
    if drbdmeta
        .run(kind.format, image, kind.index.0, &words)
        .status
        != 0
    {
        return None;
    }
    let dump = drbdmeta
        .run(kind.format, image, kind.index.0, &["dump-md"])
        .stdout;
    let (md, bm) = (number(&dump, "# md_offset"), number(&dump, "# bm_offset"));
    let al = number(&dump, "# al_offset");
    let (bm_end, usable_sect) = if bm < md {
        (al, bm / 512)
    } else {
        (bm.max(md + number(&dump, "# md_size_sect") * 512), 0)
    };
    let usable_sect = match (kind.index.0, usable_sect) {
        ("internal", 0) => md / 512,
        (_, 0) => (bm_end - bm) / 4096 * 4096 / u64::from(kind.max_peers) / 8 * 8 * 64,
        (_, sectors) => sectors,
    };
    Some(Place {
        md,
        bm,
        bm_len: bm_end - bm,
        usable_sect,
    })
}

/// Gives the metadata a history: size, identifiers, flags, peers, bits.
pub(crate) fn fill(image: &Path, kind: &Kind, place: &Place, content: &Content) {
    let put = |offset: u64, bytes: &[u8]| patch(image, place.md + offset, bytes);
    let la_sect = place.usable_sect * content.la_size / 1000;
    if kind.format == "v07" {
        put(0, &(la_sect / 2).to_be_bytes());
        put(8, &(content.flags | 0x80).to_be_bytes());
        put(12, &content.uuids[0].to_be_bytes());
        put(20, &content.uuids[1].to_be_bytes());
    } else {
        put(0, &la_sect.to_be_bytes());
        put(0x38, &(content.flags | 0x80).to_be_bytes());
        put(0x54, &content.flags.rotate_left(7).to_be_bytes());
        put(8, &content.uuids[0].to_be_bytes());
    }
    if kind.format == "v08" {
        for (i, uuid) in content.uuids[1..5].iter().enumerate() {
            put(16 + 8 * i as u64, &uuid.to_be_bytes());
        }
    }
    if kind.format == "v09" {
        put(0x30, &content.uuids[1].to_be_bytes());
        put(
            0x5C,
            &(i32::from((content.flags & 31) as u8) - 1).to_be_bytes(),
        );
        for node_id in 0..32_u64 {
            let peer = 0x70 + 32 * node_id;
            let i = node_id as usize;
            put(peer, &content.uuids[2 + i].to_be_bytes());
            put(peer + 8, &content.uuids[34 + i].to_be_bytes());
            put(peer + 16, &content.peer_flags[i].to_be_bytes());
            put(
                peer + 20,
                &(if content.uuids[i].is_multiple_of(3) {
                    -1
                } else {
                    (i as i32) % 31
                })
                .to_be_bytes(),
            );
            put(0x470 + 8 * node_id, &content.uuids[66 + i].to_be_bytes());
        }
    }
    let all = place.bm_len / 4;
    // The very end is where slots end unevenly.
    if content.flags & 1 == 1 && kind.index.0 == "internal" {
        patch(image, place.bm + place.bm_len - 256, &[0xA5; 256]);
    }
    for stroke in &content.bits {
        // The start of a large external area is what la-size reaches.
        let start = ((all.min(1 << 16) as f64) * stroke.at) as u64;
        let words = stroke.words.min(all - start);
        let noise =
            |i: u64| (content.uuids[(i % 100) as usize] as u32).wrapping_mul(2 * i as u32 + 1);
        let bytes: Vec<u8> = (0..words)
            .flat_map(|i| stroke.word.unwrap_or_else(|| noise(i)).to_le_bytes())
            .collect();
        patch(image, place.bm + 4 * start, &bytes);
    }
}

/// A dump without its three header lines, which tell time and command.
fn comparable(dump: &str) -> Vec<&str> {
    let start = dump
        .lines()
        .position(|line| line == "# DRBD meta data dump")
        .unwrap();
    let mut lines: Vec<&str> = dump.lines().collect();
    lines.drain(start..start + 3);
    lines
}

/// Where two dumps first differ.
fn first_difference(ours: &[&str], theirs: &[&str]) -> Option<String> {
    let at = (0..ours.len().max(theirs.len())).find(|i| ours.get(*i) != theirs.get(*i))?;
    Some(format!(
        "line {}: ours {:?}, drbdmeta's {:?}",
        at + 4,
        ours.get(at),
        theirs.get(at)
    ))
}

/// Holds our dump against drbdmeta's, and lets drbdmeta verify ours.
///
/// drbdmeta before 9.33 prints 0 for v08's flags, whatever the disk says: there ours must be the disk's.
pub(crate) fn compare(drbdmeta: &Drbdmeta, ours: &str, image: &Path, kind: &Kind, place: &Place) {
    // v07 has no place to say that its log is applied, so it never is; its dumps are the forced ones.
    let theirs = match kind.format {
        "v07" => {
            drbdmeta
                .run(kind.format, image, kind.index.0, &["dump-md"])
                .stdout
        }
        _ => drbdmeta.ok(kind.format, image, kind.index.0, &["dump-md"]),
    };
    let mut lines = comparable(ours);
    if kind.format == "v08" {
        let flags = u32::from_be_bytes(peek(image, place.md + 56, 4).try_into().unwrap());
        let at = lines
            .iter()
            .position(|line| line.starts_with("    flags "))
            .unwrap();
        assert_eq!(
            lines[at],
            format!("    flags 0x{flags:08X};"),
            "our flags are the disk's"
        );
        lines[at] = "    flags 0x00000000;";
    }
    assert_eq!(
        first_difference(&lines, &comparable(&theirs)),
        None,
        "{kind:?}"
    );
    let text = image.with_extension("md");
    let unclean = |line: &&str| line.starts_with("This_is_an_unclean");
    patch_new(
        &text,
        &ours
            .lines()
            .filter(|line| !unclean(line))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let text = text.to_str().unwrap();
    if number(&theirs, "# bm-bytes") <= 32 << 20 {
        drbdmeta.ok(kind.format, image, kind.index.0, &["verify-dump", text]);
    } else {
        // On larger bitmaps 9.22's verify-dump crashes, with its own dumps too; so it must take ours by restore-md. That writes the first
        // 32 MiB of a bitmap only, over what is there already, so the dump must be the same afterwards.
        drbdmeta.ok(kind.format, image, kind.index.0, &["restore-md", text]);
        let restored = drbdmeta
            .run(kind.format, image, kind.index.0, &["dump-md"])
            .stdout;
        let body = |dump: &str| dump.split_once("version ").unwrap().1.to_owned();
        assert!(body(&restored) == body(&theirs), "restore-md {kind:?}");
    }
}

fn patch_new(path: &Path, text: &str) {
    sparse(path, 0);
    patch(path, 0, text.as_bytes());
}

fn export(image: &Path, more: &[&str]) -> String {
    let args = [
        "export",
        image.to_str().unwrap(),
        "--compat",
        "9.22",
        "--force",
    ];
    let run = mdtool(args.iter().chain(more));
    assert_eq!(run.status, 0, "{more:?}: {}", run.stderr);
    run.stdout
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(240), max_shrink_iters: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_metadata_is_dumped_as_drbdmeta_dumps_it(kind in kind(), size in size(), content in content()) {
        let Some(drbdmeta) = Drbdmeta::new() else { return Ok(()) };
        let dir = scratch();
        let image = dir.path().join("random.img");
        // What needs 128 MiB or more gets it.
        let size = match kind.index.0 {
            "1" => size.max(256 * MIB),
            "internal" if kind.format == "v07" => size + 129 * MIB,
            "internal" => size.max(4 * MIB),
            // Where a meta device ends within a page of 4 KiB, drbdmeta clips a too large la-size to a bitmap that leaves the device, and
            // then fails to read it; we clip to whole pages, as a kernel does.
            _ if content.la_size > 1000 => size.max(2 * MIB) / 4096 * 4096,
            _ => size.max(2 * MIB),
        };
        let place = create(&drbdmeta, &image, size, &kind);
        let place = place.ok_or_else(|| TestCaseError::fail(format!("drbdmeta has no room: {kind:?} in {size}")))?;
        fill(&image, &kind, &place, &content);
        let mut ours = export(&image, &["--index", kind.index.1]);
        let too_large = content.la_size > 1000;
        if let Some(clipped) = too_large.then(|| clipped_by_drbdmeta(&drbdmeta, &image, &kind)).flatten() {
            // v07 counts KiB.
            let unit = if kind.format == "v07" { 2 } else { 1 };
            let whole = u64::from_be_bytes(peek(&image, place.md, 8).try_into().unwrap()) * unit;
            prop_assert_eq!(number(&ours, "la-size-sect"), whole, "the dump has the whole size");
            // All else is compared where both dump the same size.
            patch(&image, place.md, &(clipped / unit).to_be_bytes());
            ours = export(&image, &["--index", kind.index.1]);
        }
        compare(&drbdmeta, &ours, &image, &kind, &place);
    }
}

/// What drbdmeta clips the size to where the meta device is too small for it, and a larger one would do: there we dump the whole size.
fn clipped_by_drbdmeta(drbdmeta: &Drbdmeta, image: &Path, kind: &Kind) -> Option<u64> {
    if kind.index.0 != "flex-external" {
        return None;
    }
    let theirs = drbdmeta.run(kind.format, image, kind.index.0, &["dump-md"]);
    let said = "# la-size-sect was too big (";
    let clipped = theirs.stdout.lines().any(|line| line.starts_with(said));
    clipped.then(|| number(&theirs.stdout, "la-size-sect"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(24), max_shrink_iters: 10, failure_persistence: None, ..ProptestConfig::default() })]

    /// An inner resource, whose own image is the outer's cut to the size of the outer DRBD device.
    #[test]
    fn an_inner_resource_is_dumped_as_drbdmeta_dumps_it_alone(
        outer in kind(), inner in kind(), size in 300 * MIB..GIB, la_size in select(vec![0_u64, 600, 999, 1000]), content in content()
    ) {
        let Some(drbdmeta) = Drbdmeta::new() else { return Ok(()) };
        let internal = |kind: Kind| Kind { index: ("internal", "internal"), ..kind };
        let (outer, inner) = (internal(outer), internal(inner));
        let dir = scratch();
        let (stack, alone) = (dir.path().join("stack.img"), dir.path().join("alone.img"));
        let place = create(&drbdmeta, &stack, size, &outer).unwrap();
        let of_outer = Content { la_size, bits: Vec::new(), ..content.clone() };
        fill(&stack, &outer, &place, &of_outer);
        let unit = if outer.format == "v07" { 2 } else { 1 };
        let device_sect = if la_size == 0 { place.usable_sect } else { place.usable_sect * la_size / 1000 / unit * unit };
        let Some(within) = create(&drbdmeta, &alone, device_sect * 512, &inner) else { return Ok(()) };
        fill(&alone, &inner, &within, &content);
        let start = within.bm.min(within.md);
        let end = device_sect * 512 / 4096 * 4096;
        for at in (start..end).step_by(1 << 20) {
            let len = usize::try_from((end - at).min(1 << 20)).unwrap();
            patch(&stack, at, &peek(&alone, at, len));
        }
        let ours = export(&stack, &["--stacked"]);
        compare(&drbdmeta, &ours, &alone, &inner, &within);
        // And the outer one is still dumped as drbdmeta dumps the whole.
        let ours = export(&stack, &["--level", "outer"]);
        compare(&drbdmeta, &ours, &stack, &outer, &place);
    }
}

/// Runs across the ends of drbdmeta's 32 MiB reads have rules of their own.
#[test]
fn bitmaps_of_several_reads_are_dumped_as_drbdmeta_dumps_them() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = dir.path().join("large.img");
    for (format, max_peers, size) in [
        ("v08", 1, 9_000_000_000_000),
        ("v09", 3, 700 * GIB),
        ("v09", 7, 180 * GIB),
    ] {
        let kind = Kind {
            format,
            index: ("internal", "internal"),
            max_peers,
            stripes: 1,
            stripe_kib: 32,
        };
        let place = create(&drbdmeta, &image, size, &kind).unwrap();
        let content = Content {
            la_size: 1000,
            uuids: (1..=100).collect(),
            flags: 0x91,
            peer_flags: vec![0; 32],
            bits: Vec::new(),
        };
        fill(&image, &kind, &place, &content);
        let chunk = (32 << 20) / (4096 * u64::from(max_peers)) * 4096 * u64::from(max_peers) / 4;
        let step = u64::from(max_peers);
        for (nth, distance) in [
            (1, -9),
            (1, 3),
            (2, -17),
            (2, 8),
            (3, -25),
            (3, -8),
            (4, -1),
            (5, 0),
            (6, -33),
            (7, -16),
        ] {
            let word = (chunk * nth)
                .checked_add_signed(distance * step as i64)
                .unwrap();
            if word * 4 < place.bm_len {
                patch(&image, place.bm + word * 4, &7_u32.to_le_bytes());
            }
        }
        compare(&drbdmeta, &export(&image, &[]), &image, &kind, &place);
    }
}
