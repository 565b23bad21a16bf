//! Dumps with one number changed: taken and refused as `drbdmeta restore-md` does, but for what is known.

use std::collections::BTreeSet;
use std::path::Path;

use crate::export_drbdmeta::{Content, Kind, create, fill};
use crate::limits::{numbers, written};
use crate::support::{Drbdmeta, mdtool, patch, scratch, sparse};

const SIZE: u64 = 4 << 20;
/// v09 has 32 peers, and one is as good as another: so many numbers from each end are tried.
const ENDS: usize = 10;
/// Each restore-md takes a third of a second, so these are few.
const VALUES: [u64; 7] = [
    0,
    (1 << 31) - 1,
    1 << 31,
    1 << 32,
    (1 << 41) + 1,
    1 << 63,
    u64::MAX,
];

/// A dump that one of the two takes and the other does not.
#[derive(Debug)]
pub(crate) struct Case {
    /// What comes before the number on its line.
    before: String,
    value: u64,
    /// Whether it is we who take it.
    ours: bool,
    /// What we said.
    said: String,
}

/// What a difference is called in docs/differences.md, and whether a case is one.
type Difference = (&'static str, fn(&Case) -> bool);

/// All of them, seen with drbd-utils 9.22.
const DIFFERENCES: &[Difference] = &[
    ("number out of range", |case| {
        case.refused("expected a decimal number") || case.refused("expected a node id")
    }),
    ("granularity out of range", |case| {
        case.refused("expected a power of two")
    }),
    ("granularity that its format does not have", |case| {
        case.refused("bm_bytes_per_bit is")
    }),
    ("more bits than a device can have", |case| {
        case.refused("that a 1 PiB device has bits for")
    }),
    ("la-size larger than fits", |case| {
        case.refused("no more fit here")
    }),
    ("striping that no DRBD attaches to", |case| {
        case.refused("al_stripe")
    }),
    ("la-size of 0, and bits", |case| {
        case.ours && case.before == "la-size-sect " && case.value == 0
    }),
    ("peer's bitmap slot out of range", |case| {
        case.ours && case.before == "    bitmap-index "
    }),
];

impl Case {
    /// Puts a dump on a new target, or looks whether that can be done; `None` where the two agree. `changed` is where the number is, and what.
    pub(crate) fn of(
        drbdmeta: &Drbdmeta,
        dir: &Path,
        (kind, size): (&Kind, u64),
        text: &str,
        (at, value): (usize, u64),
    ) -> Option<Self> {
        let (file, target) = (dir.join("one.md"), dir.join("target"));
        sparse(&file, 0);
        patch(&file, 0, text.as_bytes());
        sparse(&target, size);
        let (name, file) = (target.to_str().unwrap(), file.to_str().unwrap());
        let words = ["import", name, file, "--index", kind.index.1];
        // What no kernel attaches is compared, too.
        let ours = mdtool(words.iter().chain(&["--dry-run", "--yes", "--force"]));
        let theirs = drbdmeta.run(kind.format, &target, kind.index.0, &["restore-md", file]);
        let differ = (ours.status == 0) != (theirs.status == 0);
        let line = text[..at].rsplit('\n').next().unwrap_or_default();
        differ.then(|| Self {
            before: line.to_owned(),
            value,
            ours: ours.status == 0,
            said: format!("{}drbdmeta: {}", ours.stderr, theirs.stderr),
        })
    }

    /// What the difference is called, where it is a known one.
    pub(crate) fn known(&self) -> Option<&'static str> {
        let known = DIFFERENCES.iter().find(|(_, is)| is(self));
        known.map(|(name, _)| *name)
    }

    fn refused(&self, because: &str) -> bool {
        !self.ours && self.said.contains(because)
    }
}

/// What the differences are called.
pub(crate) fn difference_names() -> impl Iterator<Item = &'static str> {
    DIFFERENCES.iter().map(|(name, _)| *name)
}

/// What drbdmeta is to make.
fn kind(format: &'static str) -> Kind {
    Kind {
        format,
        index: ("internal", "internal"),
        max_peers: if format == "v09" { 3 } else { 1 },
        stripes: 1,
        stripe_kib: 32,
    }
}

/// A dump of metadata that drbdmeta made, without comments.
fn dump(drbdmeta: &Drbdmeta, image: &Path, kind: &Kind) -> String {
    let place = create(drbdmeta, image, SIZE, kind).unwrap();
    let content = Content {
        la_size: 900,
        uuids: (1..=100).collect(),
        flags: 0x91,
        peer_flags: vec![0; 32],
        bits: Vec::new(),
    };
    fill(image, kind, &place, &content);
    exported(image, kind)
}

/// What we export for 9.22, without comments, and whatever its activity log.
pub(crate) fn exported(image: &Path, kind: &Kind) -> String {
    let name = image.to_str().unwrap();
    let words = ["export", "--force", "--compat", "9.22", name, "--index"];
    let run = mdtool(words.iter().chain(&[kind.index.1]));
    assert_eq!(run.status, 0, "{run:?}");
    let lines = run.stdout.lines();
    let lines = lines.filter(|line| !line.starts_with("This_is_an_unclean"));
    let lines = lines.map(|line| line.split('#').next().unwrap_or_default().trim_end());
    let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}

#[test]
fn a_dump_with_one_number_off_is_taken_as_by_restore_md() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let (mut cases, mut unknown, mut known) = (0, Vec::new(), BTreeSet::new());
    for format in ["v08", "v09"] {
        let kind = kind(format);
        let text = dump(&drbdmeta, &dir.path().join("image"), &kind);
        let judge =
            |text: &str, changed| Case::of(&drbdmeta, dir.path(), (&kind, SIZE), text, changed);
        assert!(judge(&text, (0, 0)).is_none(), "taken by both as it is");
        let numbers = numbers(&text);
        for (i, (range, hexadecimal)) in numbers.iter().enumerate() {
            if i >= ENDS && i + ENDS < numbers.len() {
                continue;
            }
            // One that the bitmap has the same room for.
            let granularity = text[..range.start].ends_with("bm-byte-per-bit ");
            for value in VALUES.into_iter().chain(granularity.then_some(8192)) {
                let number = written(value, &text[range.clone()], *hexadecimal);
                let off = [&text[..range.start], &number, &text[range.end..]].concat();
                cases += 1;
                let Some(case) = judge(&off, (range.start, value)) else {
                    continue;
                };
                match case.known() {
                    Some(name) => {
                        known.insert(name);
                    }
                    None => unknown.push(case),
                }
            }
        }
    }
    assert!(
        unknown.is_empty(),
        "{} of {cases} are not explained: {unknown:#?}",
        unknown.len()
    );
    let all: BTreeSet<_> = difference_names().collect();
    assert_eq!(
        known, all,
        "each known difference is still one, in {cases} cases"
    );
}
