//! Superblocks with one field changed: accepted and refused as `drbdmeta dump-md` does, and dumped the same, but for what is known.

use std::collections::BTreeSet;
use std::path::Path;

use crate::export_drbdmeta::{Content, Kind, create, fill};
use crate::limits::{Field, LIMITS, V07, V08, V09, put};
use crate::support::{Drbdmeta, mdtool, patch, peek, scratch};

const MIB: u64 = 1 << 20;

/// Format, placement in drbdmeta's word and ours, size, fields.
type Shape = (
    &'static str,
    (&'static str, &'static str),
    u64,
    &'static [Field],
);

const KINDS: [Shape; 6] = [
    ("v07", ("internal", "internal"), 136 * MIB, V07),
    ("v08", ("internal", "internal"), 4 * MIB, V08),
    ("v08", ("flex-external", "flex-external"), 4 * MIB, V08),
    ("v08", ("0", "indexed:0"), 130 * MIB, V08),
    ("v09", ("internal", "internal"), 4 * MIB, V09),
    ("v09", ("flex-external", "flex-external"), 4 * MIB, V09),
];

/// One field that is off, and what the two say of it.
#[derive(Debug)]
pub(crate) struct Case {
    format: &'static str,
    external: bool,
    indexed: bool,
    field: &'static str,
    /// The number, as wide as the field.
    value: u64,
    ours: Option<String>,
    theirs: Option<String>,
}

/// One way in which they differ.
struct Difference {
    name: &'static str,
    is: fn(&Case) -> bool,
}

/// All of them, seen with drbd-utils 9.22. docs/differences.md says who is right.
const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "v07 size beyond 64 bits of sectors",
        is: |case| case.field == "la_kb" && case.value >= 1 << 63 && case.both(),
    },
    Difference {
        name: "v07 md_size_kb beyond 32 bits of sectors",
        is: |case| case.field == "md_size_kb" && case.value >= 1 << 31 && case.both(),
    },
    Difference {
        name: "granularity that its format does not have",
        is: |case| {
            let not_ours = case.format == "v08" || case.value > 1 << 20;
            case.field == "bm_bytes_per_bit"
                && case.value.is_power_of_two()
                && not_ours
                && case.theirs_alone()
        },
    },
    Difference {
        name: "granularity that the version to export for does not know",
        is: |case| {
            case.field == "bm_bytes_per_bit"
                && case.format == "v09"
                && case.value.is_power_of_two()
                && case.value <= 1 << 20
                && case.theirs_alone()
        },
    },
    Difference {
        name: "log size that wraps around in 32 bits",
        is: |case| {
            case.field.starts_with("al_stripe") && case.value >= 1 << 29 && case.theirs_alone()
        },
    },
    Difference {
        name: "external md_size_sect other than the meta device's",
        is: |case| case.external && case.field.starts_with("md_size_") && case.both(),
    },
    Difference {
        name: "v09 internal md_size_sect is off",
        is: |case| {
            !case.external
                && case.format == "v09"
                && case.field == "md_size_sect"
                && case.theirs_alone()
        },
    },
    Difference {
        name: "indexed md_size_sect is off",
        is: |case| case.indexed && case.field.starts_with("md_size_") && case.theirs_alone(),
    },
    Difference {
        name: "more than 31 bitmap slots",
        is: |case| case.field == "bm_max_peers" && case.value > 31 && case.theirs_alone(),
    },
    Difference {
        name: "peer's bitmap slot out of range",
        is: |case| {
            case.field == "peers[1].bitmap_index"
                && (32..=0xFFFF_FFFE).contains(&case.value)
                && case.ours_alone()
        },
    },
    Difference {
        name: "external metadata on a meta device that is too small for its size",
        is: |case| {
            let flexible = case.external && !case.indexed;
            let clipped = |theirs, ours| theirs < ours;
            flexible
                && case.both()
                && clipped(agreed(case.theirs.as_deref()), agreed(case.ours.as_deref()))
        },
    },
];

/// The size that a dump says.
fn agreed(dump: Option<&str>) -> Option<u64> {
    let mut lines = dump?.lines();
    let size = lines.find_map(|line| line.strip_prefix("la-size-sect "))?;
    size.trim_end_matches(';').parse().ok()
}

impl Case {
    /// What the two say of an image in which `field` of `kind`'s superblock is `value`.
    pub(crate) fn of(
        drbdmeta: &Drbdmeta,
        image: &Path,
        kind: &Kind,
        (field, value): (&'static str, u64),
    ) -> Self {
        let name = image.to_str().unwrap();
        let export = ["export", "--force", "--compat", "9.22", "--index"];
        let ours = mdtool(export.iter().chain(&[kind.index.1, name]));
        let theirs = drbdmeta.run(kind.format, image, kind.index.0, &["dump-md"]);
        let case = Self {
            format: kind.format,
            external: !kind.index.0.contains("internal"),
            indexed: kind.index.1.starts_with("indexed:"),
            field,
            value,
            ours: said(&ours.stdout),
            theirs: said(&theirs.stdout),
        };
        assert_eq!(case.ours.is_some(), ours.status == 0, "{case:?}");
        case
    }

    /// Whether the two agree.
    pub(crate) fn agrees(&self) -> bool {
        self.ours == self.theirs
    }

    /// What the difference is called, where it is a known one.
    pub(crate) fn known(&self) -> Option<&'static str> {
        let known = DIFFERENCES.iter().find(|difference| (difference.is)(self));
        known.map(|difference| difference.name)
    }

    fn both(&self) -> bool {
        self.ours.is_some() && self.theirs.is_some()
    }

    fn ours_alone(&self) -> bool {
        self.ours.is_some() && self.theirs.is_none()
    }

    fn theirs_alone(&self) -> bool {
        self.ours.is_none() && self.theirs.is_some()
    }
}

/// The number in a field.
pub(crate) fn get(block: &[u8], (_, at, width): Field) -> u64 {
    let bytes = block[at..at + width].iter();
    bytes.fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Numbers that a field may hold instead of `old`: at limits, and near what is right.
pub(crate) fn numbers(old: u64, (_, _, width): Field) -> BTreeSet<u64> {
    let near = [
        old.wrapping_add(8),
        old.wrapping_mul(2),
        old / 2,
        31,
        32,
        8192,
        1 << 21,
    ];
    let most = if width == 8 {
        u64::MAX
    } else {
        (1 << (8 * width)) - 1
    };
    let all = LIMITS.into_iter().chain(near);
    all.filter(|number| *number <= most && *number != old)
        .collect()
}

/// What a dump says, but for time, command, and v08's flags, which drbdmeta before 9.33 does not print.
fn said(dump: &str) -> Option<String> {
    let (_, body) = dump.split_once("version ")?;
    let lines = body
        .lines()
        .filter(|line| !line.starts_with("    flags 0x"));
    Some(lines.collect::<Vec<_>>().join("\n"))
}

/// Every case that the two see differently.
fn differing(drbdmeta: &Drbdmeta, image: &Path, seen: &mut dyn FnMut(Case)) -> usize {
    let mut count = 0;
    for (format, index, size, fields) in KINDS {
        let max_peers = if format == "v09" { 3 } else { 1 };
        let kind = Kind {
            format,
            index,
            max_peers,
            stripes: 1,
            stripe_kib: 32,
        };
        let place = create(drbdmeta, image, size, &kind).unwrap();
        let content = Content {
            la_size: 900,
            uuids: (1..=100).collect(),
            flags: 0x91,
            peer_flags: vec![0; 32],
            bits: Vec::new(),
        };
        fill(image, &kind, &place, &content);
        let base = peek(image, place.md, 4096);
        for field in fields {
            let name = field.0;
            let old = get(&base, *field);
            for value in numbers(old, *field) {
                let mut block = base.clone();
                put(&mut block, *field, value);
                patch(image, place.md, &block);
                let case = Case::of(drbdmeta, image, &kind, (name, value));
                count += 1;
                if !case.agrees() {
                    seen(case);
                }
            }
        }
    }
    count
}

#[test]
fn a_superblock_with_one_field_off_is_judged_as_by_drbdmeta() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let mut unknown = Vec::new();
    let mut known = BTreeSet::new();
    let cases = differing(
        &drbdmeta,
        &dir.path().join("image"),
        &mut |case| match case.known() {
            Some(name) => {
                known.insert(name);
            }
            None => unknown.push(case),
        },
    );
    assert!(
        unknown.is_empty(),
        "{} of {cases} are not explained: {unknown:#?}",
        unknown.len()
    );
    let all: BTreeSet<_> = DIFFERENCES
        .iter()
        .map(|difference| difference.name)
        .collect();
    assert_eq!(known, all, "each known difference is still one");
}

/// What the differences are called.
pub(crate) fn difference_names() -> impl Iterator<Item = &'static str> {
    DIFFERENCES.iter().map(|difference| difference.name)
}

/// The document names every difference that a test allows.
#[test]
fn every_difference_that_a_test_allows_is_explained() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let document = std::fs::read_to_string(path).unwrap();
    let parsers =
        crate::dump_parse::difference_names().chain(crate::one_number_off::difference_names());
    let names = difference_names().chain(parsers);
    for name in names {
        assert!(
            document.contains(&format!("| {name} |")),
            "docs/differences.md has no row for: {name}"
        );
    }
}
