//! `mdtool plan` and `mdtool adopt`: DRBD finds the inner resource afterwards, and nothing else changed.

mod cut;
mod external;
mod killed;
mod plan;
mod refused;

use std::path::{Path, PathBuf};

use mdtool::builder::{self, LaSize, Level, Peer};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId, Sectors};
use tempfile::TempDir;

use crate::support::{Drbdmeta, Run, kernel_image, mdtool, patch, peek, scratch, testdata};

pub(crate) const MIB: u64 = 1 << 20;

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[track_caller]
pub(crate) fn ok(words: &[&str]) -> Run {
    let run = mdtool(words);
    assert_eq!(run.status, 0, "{words:?}: {run:?}");
    run
}

#[track_caller]
fn refused(words: &[&str], status: i32, says: &str) {
    let run = mdtool(words);
    assert_eq!(run.status, status, "{words:?}: {run:?}");
    assert!(run.stderr.contains(says), "{words:?}: {run:?}");
    assert!(run.stdout.is_empty(), "{words:?}: {run:?}");
}

fn crc(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}

pub(crate) fn whole(path: &Path) -> (usize, u32) {
    let len = std::fs::metadata(path).unwrap().len() as usize;
    (len, crc(&peek(path, 0, len)))
}

/// The data area's content.
fn data(path: &Path, end: u64) -> u32 {
    crc(&peek(path, 0, end as usize))
}

/// A stack of 64 MiB or so with data everywhere up to the inner device's end, and bits.
pub(crate) struct Stack {
    pub(crate) dir: TempDir,
    pub(crate) image: PathBuf,
    /// Bytes of the inner DRBD device.
    inner: u64,
    format: &'static str,
}

pub(crate) fn v09(peers: u8) -> Level {
    let peer = Peer {
        bitmap_uuid: 0x1234_5678_9ABC_DEF0,
        flags: 0x1_0000,
        ..Peer::in_slot(BitmapIndex::new(0))
    };
    Level::v09(peers).peer(NodeId::new(1), peer)
}

pub(crate) fn stack(levels: &[Level], size: u64, format: &'static str) -> Stack {
    let dir = scratch();
    let image = dir.path().join("image.raw");
    let mut file = WritableFile::create_new(&image, Bytes::new(size)).unwrap();
    let built = builder::build(&mut file, ImagePos::START, Bytes::new(size), levels).unwrap();
    drop(file);
    let inner = built.last().unwrap().device().get();
    for part in 0..64 {
        patch(&image, inner / 64 * part, &[part as u8 + 1; 5000]);
    }
    patch(&image, inner - 512, &[0xEE; 512]);
    Stack {
        dir,
        image,
        inner,
        format,
    }
}

pub(crate) fn dirty(level: Level) -> Level {
    let range = |from: u64, to: u64| DevPos::new(from)..DevPos::new(to);
    let slot = BitmapIndex::new(0);
    let level = level.dirty(slot, range(MIB, 3 * MIB));
    level.dirty(slot, range(40 * MIB, 40 * MIB + 4096))
}

fn stacks() -> Vec<Stack> {
    let inner = Sectors::new(2000);
    vec![
        stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08"),
        stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09"),
        stack(&[v09(31), dirty(v09(1))], 150 * MIB + 512, "v09"),
        // A metadata area smaller than the distance it moves by, and one much larger.
        stack(
            &[Level::v08().striping(2, 64), dirty(v09(31))],
            80 * MIB,
            "v09",
        ),
        stack(
            &[Level::v08(), Level::v08().la_size(LaSize::Exactly(inner))],
            64 * MIB,
            "v08",
        ),
    ]
}

impl Stack {
    pub(crate) fn adopt(&self, more: &[&str]) -> Vec<String> {
        let mut words = vec!["adopt", text(&self.image), "--stacked", "--yes"];
        if self.format == "v09" {
            words.extend(["--node-id", "1"]);
        }
        words.extend(more);
        words.into_iter().map(str::to_owned).collect()
    }

    fn run(&self, more: &[&str]) -> Run {
        mdtool(self.adopt(more))
    }

    #[track_caller]
    fn ok(&self, more: &[&str]) -> Run {
        let run = self.run(more);
        assert_eq!(run.status, 0, "{more:?}: {run:?}");
        run
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn dump(&self, more: &[&str]) -> Vec<String> {
        let mut words = vec!["export", text(&self.image), "--compat", "9.22"];
        words.extend(more);
        comparable(&ok(&words).stdout)
    }

    /// The dump of the adopted metadata that is expected.
    fn expected(&self) -> Vec<String> {
        let dump = self.dump(&["--stacked"]);
        if self.format == "v08" {
            return dump;
        }
        moved(&dump, 0, 1)
    }
}

/// What of a dump does not depend on place and time, nor on what drbdmeta 9.22 gets wrong.
fn comparable(dump: &str) -> Vec<String> {
    let v08 = dump.contains("version \"v08\"");
    let lines = dump.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter(|line| !v08 || !line.starts_with("    flags 0x"))
        .map(str::to_owned)
        .collect()
}

/// UG9's sed script: the node id, and the entries of two peers exchanged, back in order; the source marked as seen.
fn moved(dump: &[String], from: usize, to: usize) -> Vec<String> {
    let mut lines: Vec<String> = dump.to_vec();
    let start = |n: usize| {
        let head = format!("peer[{n}] {{");
        dump.iter().position(|line| *line == head).unwrap()
    };
    let length = start(1) - start(0);
    for i in 1..length {
        lines.swap(start(from) + i, start(to) + i);
    }
    for line in &mut lines {
        if line.starts_with("node-id ") {
            *line = format!("node-id {to};");
        }
    }
    lines
}

/// Lines that differ only in the flag that says that a peer's disk was seen.
#[track_caller]
fn assert_alike(found: &[String], expected: &[String]) {
    let unseen = |line: &String| {
        let line = line.split(" # ").next().unwrap_or(line).trim_end();
        match line.trim().strip_prefix("flags 0x") {
            Some(flags) => {
                let flags = u32::from_str_radix(flags.trim_end_matches(';'), 16).unwrap();
                format!("flags {:x}", flags & !0x10)
            }
            None => line.to_owned(),
        }
    };
    let found: Vec<String> = found.iter().map(unseen).collect();
    let expected: Vec<String> = expected.iter().map(unseen).collect();
    assert_eq!(found, expected);
}

/// How many levels a full search finds.
fn levels(image: &Path) -> Vec<serde_json::Value> {
    let run = ok(&["locate", text(image), "--scan", "full", "--json"]);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(
        document["rejected"].as_array().unwrap().len(),
        0,
        "{document:#}"
    );
    document["levels"].as_array().unwrap().clone()
}

#[test]
fn a_relocated_resource_is_all_that_is_found_and_undo_gives_the_file_back() {
    for stack in stacks() {
        let (before, expected) = (whole(&stack.image), stack.expected());
        let kept = data(&stack.image, stack.inner);
        let undo = stack.file("undo");
        stack.ok(&["--undo", text(&undo)]);
        assert_ne!(whole(&stack.image), before, "it did something");
        assert_eq!(data(&stack.image, stack.inner), kept, "data is untouched");
        let found = levels(&stack.image);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0]["found_by"], "expected-position");
        assert_alike(&stack.dump(&[]), &expected);
        if let Some(drbdmeta) = Drbdmeta::new() {
            let theirs = drbdmeta.ok(stack.format, &stack.image, "internal", &["dump-md"]);
            assert_alike(&comparable(&theirs), &expected);
            drbdmeta.ok(stack.format, &stack.image, "internal", &["apply-al"]);
        }
        // drbdmeta's apply-al may have written: undo that over it.
        ok(&["undo", text(&undo), "--yes"]);
        assert_eq!(whole(&stack.image), before);
    }
}

#[test]
fn the_source_is_marked_as_seen_where_the_disk_is_larger() {
    let stack = stack(&[v09(1), v09(3)], 64 * MIB, "v09");
    let run = stack.ok(&[]);
    assert!(
        run.stderr.contains("node 0 becomes node 1") && run.stderr.contains("peers[0]: MDF_PEER"),
        "{run:?}"
    );
    let dump = stack.dump(&[]).join("\n");
    let peer = dump.split("peer[0] {").nth(1).unwrap();
    let peer = peer.split('}').next().unwrap();
    assert!(peer.contains("flags 0x00010010;"), "{peer}");
    assert!(peer.contains("bitmap-index 0;"), "{peer}");
    assert!(dump.contains("node-id 1;"));
}

#[test]
fn what_kernels_wrote_is_adopted_with_its_log_applied() {
    for (format, state) in [
        ("v08", "down"),
        ("v08", "live-copy"),
        ("v09", "down"),
        ("v09", "live-copy"),
    ] {
        let name = format!("{format}-stack-{state}");
        let dir = scratch();
        let image = dir.path().join("image.raw");
        std::fs::copy(kernel_image(&name), &image).unwrap();
        let before = whole(&image);
        let undo = dir.path().join("undo");
        let mut words = vec!["adopt", text(&image), "--stacked", "--yes"];
        words.extend(["--undo", text(&undo)]);
        if format == "v09" {
            words.extend(["--node-id", "1"]);
        }
        refused(&words, 2, "metadata is unclean");
        assert_eq!((whole(&image), undo.exists()), (before, false));
        words.push("--apply-al");
        // How many bits the log adds is said before anybody is asked, as apply-al says it.
        let gains = |words: &[&str]| -> Vec<String> {
            let run = ok(&[words, &["--dry-run"]].concat());
            let lines = run.stderr.lines().filter(|line| line.contains(" gains "));
            lines.map(str::to_owned).collect()
        };
        let gained = gains(&words);
        assert!(!gained.is_empty(), "{name}");
        assert_eq!(
            gained,
            gains(&["apply-al", text(&image), "--stacked"]),
            "{name}"
        );
        ok(&words);
        assert_eq!(levels(&image).len(), 1, "{name}");
        let dump = testdata("dumps").join(format!("{name}.inner.applied.md"));
        let expected = comparable(&std::fs::read_to_string(dump).unwrap());
        let expected = match format {
            "v09" => moved(&expected, 0, 1),
            _ => expected,
        };
        let found = comparable(&ok(&["export", text(&image)]).stdout);
        assert_alike(&found, &expected);
        if let Some(drbdmeta) = Drbdmeta::new() {
            drbdmeta.ok(format, &image, "internal", &["dump-md"]);
            let run = drbdmeta.run(format, &image, "internal", &["apply-al"]);
            assert_eq!(run.status, 0, "{name}: {run:?}");
        }
        ok(&["undo", text(&undo), "--yes"]);
        assert_eq!(whole(&image), before, "{name}");
    }
}

#[test]
fn remnants_behind_the_data_go_and_those_in_it_stay() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB, "v08");
    let behind = stack.inner + 8192 - stack.inner % 4096;
    for at in [behind, 4096 * 100] {
        patch(&stack.image, at + 60, &0x8374_026D_u32.to_be_bytes());
    }
    let kept = data(&stack.image, stack.inner);
    let before = whole(&stack.image);
    let undo = stack.file("undo");
    stack.ok(&["--undo", text(&undo)]);
    assert_eq!(data(&stack.image, stack.inner), kept);
    let run = ok(&["locate", text(&stack.image), "--scan", "full"]);
    assert!(run.stdout.contains("byte 409600"), "{run:?}");
    assert!(!run.stdout.contains(&format!("byte {behind}")), "{run:?}");
    ok(&["undo", text(&undo)]);
    assert_eq!(whole(&stack.image), before);
}

#[test]
fn metadata_may_move_by_less_than_its_own_length() {
    let dir = scratch();
    let image = dir.path().join("image.raw");
    let size = 300 * MIB;
    let mut file = WritableFile::create_new(&image, Bytes::new(size + 4096)).unwrap();
    let level = [dirty(v09(31))];
    let built = builder::build(&mut file, ImagePos::START, Bytes::new(size), &level).unwrap();
    drop(file);
    let stack = Stack {
        dir,
        image,
        inner: built[0].device().get(),
        format: "v09",
    };
    let plan = ok(&["plan", text(&stack.image), "--json"]).stdout;
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    assert_eq!(plan["ways"]["relocate"]["overlaps"], true, "{plan:#}");
    let (before, expected) = (whole(&stack.image), stack.dump(&[]));
    let kept = data(&stack.image, stack.inner);
    let undo = stack.file("undo");
    let words = ["adopt", text(&stack.image), "--yes", "--node-id", "1"];
    ok(&[&words[..], &["--undo", text(&undo)]].concat());
    assert_eq!(data(&stack.image, stack.inner), kept);
    assert_eq!(levels(&stack.image).len(), 1);
    assert_alike(&stack.dump(&[]), &moved(&expected, 0, 1));
    ok(&["undo", text(&undo)]);
    assert_eq!(whole(&stack.image), before);
}
