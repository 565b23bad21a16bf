//! Small inputs that were answered wrongly, each with its right answer and with two more of its kind.

/// Texts that are no dump, and why.
mod dump_inputs;
/// Questions that two commands answered differently.
mod same_question;

use std::path::{Path, PathBuf};

use mdtool::builder::{External, LaSize, Level, Peer, build, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, BmBit, Bytes, ImagePos, NodeId, Sectors};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Drbdmeta, Run, cut, mdtool, patch, scratch, sparse};

const MIB: u64 = 1 << 20;

fn built(dir: &TempDir, size: u64, levels: &[Level]) -> PathBuf {
    let path = dir.path().join("image.raw");
    let _ = std::fs::remove_file(&path);
    let mut image = WritableFile::create_new(&path, Bytes::new(size)).unwrap();
    build(&mut image, ImagePos::START, Bytes::new(size), levels).unwrap();
    path
}

fn run(command: &str, image: &Path, more: &[&str]) -> Run {
    let args = [command, image.to_str().unwrap()];
    mdtool(args.iter().chain(more))
}

fn json(command: &str, image: &Path, more: &[&str]) -> Value {
    let run = run(command, image, &[more, &["--json"]].concat());
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{command}: {run:?}"))
}

fn ids(check: &Value) -> Vec<&str> {
    let findings = check["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|one| one["id"].as_str().unwrap())
        .collect()
}

#[test]
fn cutting_a_disk_before_its_metadata_is_out_is_not_feasible() {
    let dir = scratch();
    let half = LaSize::Exactly(Sectors::new(100 * MIB / 512));
    for (levels, more) in [
        (vec![Level::v09(7).la_size(half)], &[][..]),
        (
            vec![Level::v08().la_size(half)],
            &["--device", "/dev/vg/lv"],
        ),
        (
            vec![Level::v08(), Level::v08().la_size(half)],
            &["--stacked"],
        ),
    ] {
        let path = built(&dir, 256 * MIB, &levels);
        let words = [&["--target-size", "128MiB"], more].concat();
        let plan = json("plan", &path, &words);
        for way in ["relocate", "external", "check_resize"] {
            let way = &plan["ways"][way];
            assert_eq!(way["feasible"], false, "{way}");
            let why = way["why_not"].as_str().unwrap();
            assert!(why.contains("lies beyond byte 134217728"), "{why}");
        }
        let restore = &plan["ways"]["restore_md"];
        assert_eq!(restore["feasible"], true, "{restore}");
        let commands = restore["commands"].to_string();
        assert!(commands.contains("mdtool export"), "{commands}");
        assert!(commands.contains("mdtool import"), "{commands}");
        assert_eq!(plan["recommended"], "restore_md");
    }
}

#[test]
fn a_plan_says_that_nothing_is_to_be_done_and_recommends_what_is() {
    let dir = scratch();
    let path = built(&dir, 64 * MIB, &[Level::v08()]);
    let plan = run("plan", &path, &[]);
    assert_eq!(plan.status, 0, "{plan:?}");
    assert!(plan.stdout.starts_with("Nothing to do: "), "{plan:?}");
    assert_eq!(json("plan", &path, &[])["needed"], false);
    cut(&path, 80 * MIB);
    let plan = run("plan", &path, &[]);
    let command = format!("mdtool relocate {}", path.display());
    let verdict =
        format!("Recommended: relocate, new metadata at the end of the disk\n    {command}\n");
    assert!(plan.stdout.starts_with(&verdict), "{plan:?}");
    assert_eq!(json("plan", &path, &[])["recommended_command"], *command);
    assert!(!plan.stdout.contains("the outer metadata"), "{plan:?}");
    let locate = run("locate", &path, &[]);
    assert!(locate.stdout.contains("next: mdtool plan"), "{locate:?}");
}

#[test]
fn a_plan_for_metadata_on_a_meta_device_that_is_large_enough_says_that_nothing_is_to_be_done() {
    let dir = scratch();
    for level in [Level::v08(), Level::v09(3)] {
        let path = dir.path().join("meta.raw");
        let _ = std::fs::remove_file(&path);
        let size = Bytes::new(16 * MIB);
        let mut image = WritableFile::create_new(&path, size).unwrap();
        let (start, backing) = (ImagePos::START, Bytes::new(1 << 30));
        build_external(&mut image, start, size, External::Flex, backing, &level).unwrap();
        let plan = run("plan", &path, &[]);
        assert!(plan.stdout.starts_with("Nothing to do: "), "{plan:?}");
        let plan = json("plan", &path, &[]);
        assert_eq!(
            (&plan["needed"], &plan["recommended"]),
            (&false.into(), &Value::Null)
        );
        // A smaller one is another question.
        let plan = json("plan", &path, &["--target-size", "8MiB"]);
        assert_eq!(
            (&plan["needed"], &plan["recommended"]),
            (&true.into(), &"restore_md".into())
        );
    }
}

#[test]
fn a_way_on_which_drbdmeta_loses_something_is_not_feasible() {
    let dir = scratch();
    let size = 2 << 40;
    let path = built(&dir, size, &[Level::v08()]);
    cut(&path, size + MIB);
    let way =
        |compat: &str| json("plan", &path, &["--compat", compat])["ways"]["restore_md"].clone();
    let lossy = way("9.22");
    assert_eq!(lossy["feasible"], false, "{lossy}");
    assert!(
        lossy["why_not"].to_string().contains("first 32 MiB"),
        "{lossy}"
    );
    assert_eq!(lossy["commands"].as_array().unwrap().len(), 0, "{lossy}");
    assert!(
        lossy["notes"].to_string().contains("mdtool import"),
        "{lossy}"
    );
    let whole = way("9.23");
    assert_eq!(whole["feasible"], true, "{whole}");
    // mdtool exports, so that what drbdmeta's dump-md forgets is no matter here; its restore-md is the last command.
    assert_eq!(whole["utils_bugs"], 1, "{whole}");
    let warnings = whole["warnings"].to_string();
    assert!(
        warnings.contains("activity log") && !warnings.contains("flags 0"),
        "{whole}"
    );
}

#[test]
fn a_meta_device_that_is_too_small_is_called_so_and_exported_whole() {
    let dir = scratch();
    for (level, size) in [
        (Level::v09(1), 2 * MIB),
        (Level::v08(), 2 * MIB),
        (Level::v09(3), 4 * MIB),
    ] {
        let path = dir.path().join("meta.raw");
        let _ = std::fs::remove_file(&path);
        let size = Bytes::new(size);
        let mut image = WritableFile::create_new(&path, size).unwrap();
        let (start, backing) = (ImagePos::START, Bytes::new(1 << 34));
        build_external(&mut image, start, size, External::Flex, backing, &level).unwrap();
        let usable = json("locate", &path, &[])["levels"][0]["usable_sect"]
            .as_u64()
            .unwrap();
        let said = usable * 2;
        patch(&path, 0, &said.to_be_bytes());

        let check = run("check", &path, &[]);
        assert_eq!(check.status, 1, "{check:?}");
        let words = check
            .stdout
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        assert!(words.contains("the meta device is too small"), "{words}");
        assert!(words.contains("--index flex-external"), "{words}");
        let show = run("show", &path, &[]);
        assert!(
            !show.stdout.contains("nothing stands in its way"),
            "{show:?}"
        );
        let plan = run("plan", &path, &[]);
        assert_eq!(plan.status, 0, "{plan:?}");
        assert!(plan.stdout.contains("mdtool import NEWMETA"), "{plan:?}");

        let dump = dir.path().join("meta.md");
        let _ = std::fs::remove_file(&dump);
        let export = run("export", &path, &["-o", dump.to_str().unwrap()]);
        assert_eq!(export.status, 0, "{export:?}");
        assert!(
            export.stderr.contains("the meta device is too small"),
            "{export:?}"
        );
        let text = std::fs::read_to_string(&dump).unwrap();
        assert!(text.contains(&format!("la-size-sect {said};")), "{text}");
        let larger = dir.path().join("larger.raw");
        sparse(&larger, 16 * MIB);
        let words = [dump.to_str().unwrap(), "--index", "flex-external", "--yes"];
        let import = run("import", &larger, &words);
        assert_eq!(import.status, 0, "{import:?}");
        let located = json("locate", &larger, &[]);
        assert_eq!(located["levels"][0]["la_size_sect"], said);
        let show = json("show", &larger, &[]);
        let behind = show["levels"][0]["slots"][0]["out_of_sync_bytes"]
            .as_u64()
            .unwrap();
        assert!(behind >= usable * 512 - MIB, "{behind}");
    }
}

#[test]
fn a_dump_that_was_clipped_says_so_when_it_is_imported() {
    let dir = scratch();
    let path = built(&dir, 64 * MIB, &[Level::v08()]);
    let dump = run("export", &path, &[]).stdout;
    let clipped = dir.path().join("clipped.md");
    for said in [999_999_999_u64, 131_064, 18_446_744_073_709_551_615] {
        let text = format!("# la-size-sect was too big ({said}), truncated (130992)!\n{dump}");
        crate::support::put(&clipped, text.as_bytes());
        let import = run("import", &path, &[clipped.to_str().unwrap(), "--dry-run"]);
        assert_eq!(import.status, 0, "{import:?}");
        assert!(
            import
                .stderr
                .contains(&format!("the disk said {said} sectors")),
            "{import:?}"
        );
    }
}

#[test]
fn free_slots_that_differ_are_told() {
    let dir = scratch();
    // Peer 1 is there, in slot 0; the others were forgotten.
    let v09 = |slots: u8| {
        let exists = Peer {
            flags: 0x1_0000,
            ..Peer::default()
        };
        let first = Peer::in_slot(BitmapIndex::new(0));
        let level = Level::v09(slots).peer(NodeId::new(1), first);
        (2..=slots).fold(level, |level, node| level.peer(NodeId::new(node), exists))
    };
    for (level, slot) in [
        (v09(3).words(BitmapIndex::new(2), BmBit::new(0), &[0xFF]), 1),
        (v09(3).words(BitmapIndex::new(1), BmBit::new(64), &[1]), 2),
        (v09(7).words(BitmapIndex::new(3), BmBit::new(0), &[7, 7]), 1),
    ] {
        let path = built(&dir, 64 * MIB, &[level]);
        let check = json("check", &path, &[]);
        assert!(ids(&check).contains(&"free-slots-differ"), "{check}");
        let show = run("show", &path, &[]);
        // Behind the table of peers.
        let line = show
            .stdout
            .lines()
            .rev()
            .find(|line| line.starts_with(&format!("  {slot}  ")));
        assert!(line.unwrap().contains("nobody: left by a peer"), "{show:?}");
    }
    let same = v09(3)
        .words(BitmapIndex::new(1), BmBit::new(0), &[0xFF])
        .words(BitmapIndex::new(2), BmBit::new(0), &[0xFF]);
    let path = built(&dir, 64 * MIB, &[same]);
    let check = json("check", &path, &[]);
    assert!(!ids(&check).contains(&"free-slots-differ"), "{check}");
}

#[test]
fn show_tells_of_attaching_what_check_tells() {
    let dir = scratch();
    let superblock = 64 * MIB - 4096;
    let level = |format: &str| match format {
        "v08" => Level::v08(),
        _ => Level::v09(3),
    };
    let changes: [(&str, u64, &[u8], &str); 5] = [
        ("v09", 0, &[0, 0, 0, 0, 0, 2, 0, 0], "implicit-shrink"),
        ("v09", 112 + 20, &[0, 0, 0, 2], "own-bitmap-slot"),
        (
            "v09",
            112 + 2 * 32 + 20,
            &[0, 0, 0, 77],
            "bitmap-slot-range",
        ),
        ("v08", 0, &[0, 0, 0, 0, 0, 2, 0, 0], "implicit-shrink"),
        ("v09", 56, &[0, 0, 0, 0x93], "al-unusable"),
    ];
    for (format, at, bytes, id) in changes {
        let path = built(&dir, 64 * MIB, &[level(format)]);
        if id == "al-unusable" {
            patch(&path, superblock - 32768, &vec![0; 32768]);
        }
        patch(&path, superblock + at, bytes);
        let check = json("check", &path, &[]);
        assert!(ids(&check).contains(&id), "{id}: {check}");
        let probe = run("probe", &path, &[]);
        assert_eq!(probe.status, 4, "{id}: {probe:?}");
        let show = run("show", &path, &[]);
        assert!(
            !show.stdout.contains("nothing stands in its way"),
            "{id}: {show:?}"
        );
        assert!(show.stdout.contains(id), "{id}: {show:?}");
        let kinds = json("show", &path, &[])["levels"][0]["at_attach"].to_string();
        assert!(kinds.contains(id), "{kinds}");
    }
}

#[test]
fn a_healthy_v08_has_no_findings_and_drbd_9_is_said_once() {
    let dir = scratch();
    let path = built(&dir, 64 * MIB, &[Level::v08()]);
    patch(&path, 4096, &[1]);
    let check = run("check", &path, &[]);
    assert_eq!(check.status, 0, "{check:?}");
    assert!(
        check
            .stdout
            .contains("drbd 8.4: accepted; drbd 9 takes v08 in its 8.4 mode only")
    );
    assert!(!check.stdout.contains("119"), "{check:?}");
    assert!(check.stdout.contains("\nno findings"), "{check:?}");
}

#[test]
fn metadata_that_a_control_plane_seeded_is_no_old_bug() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let path = dir.path().join("seeded.raw");
    let linstor = |node: u32| match node {
        0 => "8D1B2A3C4D5E6F70:1122334455667788:::1:1",
        _ => ":1122334455667788:",
    };
    let blockstor = |_: u32| "1122334455667788:1122334455667788:0:0";
    let seeds: [(&dyn Fn(u32) -> &'static str, u32); 3] =
        [(&linstor, 32), (&blockstor, 3), (&blockstor, 1)];
    for (seed, nodes) in seeds {
        sparse(&path, 64 * MIB);
        drbdmeta.ok("v09", &path, "internal", &["create-md", "7"]);
        for node in 0..nodes {
            let path = path.to_str().unwrap();
            let node_id = node.to_string();
            let words = [
                "--force",
                "--node-id",
                &node_id,
                "-",
                "v09",
                path,
                "internal",
                "set-gi",
            ];
            let output = std::process::Command::new("drbdmeta")
                .args(words)
                .arg(seed(node))
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
        }
        let check = run("check", &path, &[]);
        assert_eq!(check.status, 0, "{check:?}");
        assert_eq!(ids(&json("check", &path, &[])), ["seeded"]);
    }
}

#[test]
fn new_metadata_over_a_grown_disk_does_not_hide_the_old() {
    let dir = scratch();
    for (old, new) in [
        (Level::v08(), Level::v08().just_created()),
        (Level::v09(3), Level::v09(3).just_created()),
        (Level::v08(), Level::v09(1).just_created()),
    ] {
        let path = built(&dir, 64 * MIB, &[old]);
        // Somebody lives on it: an ext4 of 60 MiB.
        patch(&path, 1024 + 0x38, &0xEF53_u16.to_le_bytes());
        patch(&path, 1024 + 4, &(60 * 256_u32).to_le_bytes());
        patch(&path, 1024 + 0x18, &2_u32.to_le_bytes());
        let grown = dir.path().join("grown.raw");
        let _ = std::fs::remove_file(&grown);
        let mut image = WritableFile::create_new(&grown, Bytes::new(512 * MIB)).unwrap();
        build(&mut image, ImagePos::START, Bytes::new(512 * MIB), &[new]).unwrap();
        drop(image);
        patch(&grown, 0, &crate::support::peek(&path, 0, 64 << 20));
        let check = json("check", &grown, &[]);
        assert!(ids(&check).contains(&"created-over"), "{check}");
        let locate = run("locate", &grown, &[]);
        assert!(locate.stdout.contains("byte 67104768"), "{locate:?}");
    }
}

#[test]
fn v09_whose_log_is_needed_and_empty_is_damaged_and_v08_is_not() {
    let dir = scratch();
    let blank = vec![0; 32768];
    for (level, status) in [
        (Level::v09(3).flags(0x93), 4),
        (Level::v09(1).flags(0x93), 4),
        (Level::v08().flags(0x93), 0),
    ] {
        let path = built(&dir, 64 * MIB, &[level.activity_log(&blank)]);
        let probe = run("probe", &path, &[]);
        assert_eq!(probe.status, status, "{probe:?}");
        let check = json("check", &path, &[]);
        let found = ids(&check).contains(&"al-unusable");
        assert_eq!(found, status == 4, "{check}");
    }
}
