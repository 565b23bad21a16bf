//! `mdtool check`: every rule broken on its own, healthy metadata without a word, and drbdmeta for an oracle.

/// Each rule, broken by one thing.
pub(crate) mod broken;
/// No false alarms.
mod healthy;
/// What drbdmeta refuses, and hostile bytes.
mod oracle;

use mdtool::builder::{Built, External, Level, build, build_external};
use mdtool::image::{MemImage, ReadAt, Window, WritableFile, WriteAt};
use mdtool::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate};
use mdtool::units::{Bytes, ImagePos};
use mdtool::verdict::check::{
    CheckOptions, Finding, Kernel, Severity, check, check_what_is_left, in_place, rules,
};

use crate::support::{kernel_image, mdtool, patch, scratch, sparse, testdata};

const MIB: u64 = 1 << 20;

/// An image of a device, and how to look at it.
struct Made {
    image: MemImage,
    built: Vec<Built>,
    scan: ScanMode,
}

/// Where the data of each stack has its one byte that is not zero.
const DATA: u64 = 0x3000;

impl Made {
    /// A stack in so many bytes.
    fn stack(size: u64, levels: &[Level]) -> Self {
        let mut image = MemImage::new(Bytes::new(size));
        let built = build(&mut image, ImagePos::START, Bytes::new(size), levels).unwrap();
        let mut made = Self {
            image,
            built,
            scan: ScanMode::Auto,
        };
        // Somebody's data: a blank disk with a history is a finding of its own.
        made.put(DATA, &[1]);
        made
    }

    /// A meta device.
    fn external(size: u64, placement: External, level: &Level) -> Self {
        let mut image = MemImage::new(Bytes::new(size));
        let size = image.size();
        let built = build_external(&mut image, ImagePos::START, size, placement, size, level);
        Self {
            image,
            built: vec![built.unwrap()],
            scan: ScanMode::Auto,
        }
    }

    /// Overwrites a big-endian word of a level's superblock.
    fn word(mut self, level: usize, at: u64, value: u32) -> Self {
        let at = self.built[level].md().get() + at;
        self.put(at, &value.to_be_bytes());
        self
    }

    /// The same, twice as wide.
    fn wide(mut self, level: usize, at: u64, value: u64) -> Self {
        let at = self.built[level].md().get() + at;
        self.put(at, &value.to_be_bytes());
        self
    }

    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.image.write_all_at(ImagePos::new(at), bytes).unwrap();
    }

    fn found(&self) -> Vec<Found> {
        found(&self.image, self.scan)
    }
}

/// What a test compares of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Found {
    level: Option<usize>,
    id: &'static str,
    severity: Severity,
    text: String,
    /// By kernel; 0 for none.
    attach: Option<[u16; 4]>,
}

impl Found {
    fn of(level: Option<usize>, finding: &Finding) -> Self {
        Self {
            level,
            id: finding.rule.id,
            severity: finding.rule.severity,
            text: finding.found.clone(),
            attach: finding.attach.map(numbers),
        }
    }
}

/// Each kernel's code.
fn numbers(attach: mdtool::verdict::check::Attach) -> [u16; 4] {
    Kernel::ALL.map(|kernel| {
        attach
            .of(kernel)
            .map_or(0, mdtool::verdict::check::Code::number)
    })
}

fn found(image: &dyn ReadAt, scan: ScanMode) -> Vec<Found> {
    found_at(image, scan, IndexChoice::Auto)
}

fn found_at(image: &dyn ReadAt, scan: ScanMode, index: IndexChoice) -> Vec<Found> {
    let options = LocateOptions {
        scan,
        index,
        ..LocateOptions::default()
    };
    let device = Window::whole(image);
    let located = locate(device, &options).unwrap();
    let in_place = in_place(device, &located, index).unwrap();
    let judged = check(device, &located, &in_place, CheckOptions::default()).unwrap();
    let each = judged.iter().flat_map(|one| {
        one.findings
            .iter()
            .map(|finding| Found::of(one.number, finding))
    });
    let left = check_what_is_left(&located);
    each.chain(left.iter().map(|finding| Found::of(None, finding)))
        .collect()
}

#[test]
fn every_rule_is_documented_and_every_documented_rule_exists() {
    let text = std::fs::read_to_string(testdata("../docs/checks.md")).unwrap();
    let row = |line: &str| {
        line.strip_prefix("### `")?
            .split_once('`')
            .map(|(id, _)| id.to_owned())
    };
    let documented: Vec<String> = text.lines().filter_map(row).collect();
    let all: Vec<&str> = rules().map(|rule| rule.id).collect();
    assert_eq!(documented, all, "in the table's order");
    for rule in rules() {
        let head = format!("### `{}`\n\n{}", rule.id, rule.severity);
        for part in [&head, rule.title, rule.meaning, rule.remedy, rule.source] {
            assert!(text.contains(part), "{}: {part:?}", rule.id);
        }
        let attach_row = rule
            .row
            .map(|row| format!("\n\n{} · row {row} · ", rule.severity));
        let head = attach_row.map(|tail| format!("### `{}`{tail}", rule.id));
        assert!(head.is_none_or(|head| text.contains(&head)), "{}", rule.id);
    }
}

#[test]
fn remedies_are_for_people_and_never_create_metadata() {
    let mut ids: Vec<&str> = rules().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), rules().count(), "an id names one rule");
    for rule in rules() {
        assert!(!rule.remedy.contains("create-md"), "{}", rule.id);
        assert!(!rule.remedy.is_empty() && !rule.meaning.is_empty() && !rule.source.is_empty());
        assert!(
            !rule.remedy.contains("  ") && !rule.meaning.contains("  "),
            "{}",
            rule.id
        );
    }
}

fn run_json(args: &[&str]) -> (i32, serde_json::Value) {
    let run = mdtool(["check", "--json"].iter().chain(args));
    assert_eq!(run.stderr, "", "{run:?}");
    (run.status, serde_json::from_str(&run.stdout).unwrap())
}

#[test]
fn the_document_tells_what_the_text_tells() {
    let path = kernel_image("v08-stack-live-copy");
    let image = path.to_str().unwrap();
    let (status, document) = run_json(&[image]);
    assert_eq!(status, 1);
    assert_eq!(
        (&document["errors"], &document["warnings"]),
        (&1.into(), &2.into())
    );
    let first = &document["findings"][0];
    assert_eq!(first["id"], "not-where-drbd-looks");
    assert_eq!(
        (&first["level"], &first["row"], &first["offset"]),
        (&0.into(), &7.into(), &268_431_360.into())
    );
    assert_eq!(
        first["attach"],
        serde_json::json!({ "8.4": 119, "9.0": 119, "9.2": 119, "9.3": 119 })
    );
    assert_eq!(document["levels"][0]["attach"]["8.4"], 119);
    assert_eq!(document["levels"][1]["attach"]["8.4"], 165);
    let (status, inner) = run_json(&[image, "--level", "inner"]);
    assert_eq!((status, inner["levels"].as_array().unwrap().len()), (1, 1));
    assert_eq!(inner["findings"][0]["level"], 1);
    let text = mdtool(["check", image]);
    assert_eq!(text.status, 1);
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let told = words(&text.stdout);
    for finding in document["findings"].as_array().unwrap() {
        let row = finding["row"].as_u64();
        let row = row.map_or(String::new(), |row| format!("attach: row {row}: drbd "));
        assert!(told.contains(&row), "{row:?} in {told}");
        for key in ["id", "found", "meaning", "remedy"] {
            assert!(
                told.contains(&words(finding[key].as_str().unwrap())),
                "{finding}"
            );
        }
    }
}

#[test]
fn statuses_are_0_for_nothing_to_do_and_1_for_something() {
    let dir = scratch();
    let write = |name: &str, made: &Made| {
        let path = dir.path().join(name);
        let mut bytes = vec![0; made.image.size().to_usize().unwrap()];
        made.image
            .read_exact_at(ImagePos::START, &mut bytes)
            .unwrap();
        sparse(&path, made.image.size().get());
        patch(&path, 0, &bytes);
        path.to_str().unwrap().to_owned()
    };
    let good = write(
        "good",
        &Made::stack(64 * MIB, &[Level::v08(), Level::v09(3)]),
    );
    let run = mdtool(["check", &good]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    assert!(run.stdout.contains("\nno findings"), "{run:?}");
    // The superblock contradicts its place: locate does not take it for one, and check judges it.
    let made = Made::stack(64 * MIB, &[Level::v08()]).word(0, 76, 0);
    let at = made.built[0].md().get().to_string();
    let bad = write("bad", &made);
    for args in [
        &[bad.as_str()][..],
        &[&bad, "--at", &at],
        &[&bad, "--scan", "never"],
    ] {
        let (status, document) = run_json(args);
        assert_eq!(status, 1, "{document}");
        assert_eq!(document["levels"][0]["role"], "damaged");
        assert_eq!(document["levels"][0]["attach"]["8.4"], 119);
        assert!(document["levels"][0]["level"].is_null());
        assert_eq!(document["findings"][0]["id"], "bm-offset-after-log");
    }
    let zeros = write(
        "zeros",
        &Made {
            image: MemImage::new(Bytes::new(MIB)),
            built: vec![],
            scan: ScanMode::Auto,
        },
    );
    let run = mdtool(["check", &zeros]);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("no DRBD metadata"), "{run:?}");
    assert_eq!(mdtool(["check", &good, "--at", "0"]).status, 2);
    assert_eq!(mdtool(["check", &good, "--level", "7"]).status, 1);
    assert_eq!(mdtool(["check", "/nowhere"]).status, 2);
}

#[test]
fn positions_count_from_the_images_start() {
    let dir = scratch();
    let path = dir.path().join("partition.raw");
    let mut image = WritableFile::create_new(&path, Bytes::new(80 * MIB)).unwrap();
    let (base, size) = (ImagePos::new(MIB), Bytes::new(64 * MIB));
    let built = build(&mut image, base, size, &[Level::v08().unclean()]).unwrap();
    drop(image);
    let path = path.to_str().unwrap();
    let (status, document) = run_json(&[path, "--offset", "1MiB", "--size", "64MiB"]);
    assert_eq!(status, 1);
    let magic = MIB + built[0].md().get() + 60;
    assert_eq!(document["findings"][0]["offset"], magic, "{document}");
    assert_eq!(document["warnings"], 1);
    // The whole image is no device of DRBD's: what was found in it would not be found by DRBD.
    let (_, document) = run_json(&[path]);
    assert_eq!(document["findings"][0]["id"], "not-where-drbd-looks");
}
