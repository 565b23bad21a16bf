//! Kinds of metadata of which commands said different things: one answer each.

use mdtool::builder::activity_log::{KernelLog, Write};
use mdtool::builder::{LaSize, Level};
use mdtool::units::Sectors;
use serde_json::Value;

use super::images::{Image, stack};
use super::run;
use crate::support::{Drbdmeta, mdtool, patch, scratch, sparse};

/// `MDF_CONSISTENT`, `MDF_PRIMARY_IND`, `MDF_WAS_UP_TO_DATE`.
const PRIMARY: u32 = 0x13;
const CRASHED: u32 = 0x40;
const AL_CLEAN: u32 = 0x80;
const AL_DISABLED: u32 = 0x100;
const MIB: u64 = 1 << 20;

/// A log that names extent 2.
fn log() -> Vec<u8> {
    let mut log = KernelLog::new(1, 8, 1000, 1);
    log.activate(&[(0, 2)], Write::Whole);
    log.area().to_vec()
}

fn json(words: &[&str]) -> Value {
    let run = mdtool(words.iter().chain(&["--json"]));
    let document = serde_json::from_str(&run.stdout);
    document.unwrap_or_else(|_| panic!("{words:?}: {run:?}"))
}

fn path(image: &Image) -> &str {
    image.path.to_str().unwrap()
}

fn kinds(plan: &Value) -> Vec<(&str, u64)> {
    let list = plan["on_connect"].as_array().unwrap().iter();
    let kind = |one: &'_ Value| one["bytes"].as_u64().unwrap_or(0);
    list.map(|one| (one["kind"].as_str().unwrap(), kind(one)))
        .collect()
}

#[test]
fn whoever_counts_a_log_that_was_off_says_so() {
    let dir = scratch();
    let flags = PRIMARY | AL_DISABLED;
    let v08 = Level::v08().unclean().flags(flags).activity_log(&log());
    let v09 = Level::v09(2).unclean().flags(flags).activity_log(&log());
    for image in [stack(&dir, "v08", &[v08]), stack(&dir, "v09", &[v09])] {
        for command in ["bitmap", "files", "show"] {
            let words: &[&str] = match command {
                "bitmap" => &["bitmap", "show", path(&image)],
                _ => &[command, path(&image)],
            };
            let run = mdtool(words);
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(told.contains("MDF_AL_DISABLED"), "{command}: {run:?}");
            let counts = told.contains("--apply-al counts what the activity log names");
            assert!(!counts, "{command}: {run:?}");
        }
    }
}

#[test]
fn plan_says_that_attaching_marks_everything_where_show_does() {
    let dir = scratch();
    let crashed = PRIMARY | CRASHED | AL_DISABLED | AL_CLEAN;
    let v09 = Level::v09(2).flags(crashed);
    let v08 = Level::v08().flags(PRIMARY | AL_DISABLED | AL_CLEAN);
    let full = Level::v08().flags(0x99);
    for (image, kind) in [
        (stack(&dir, "v08", &[v08]), "crashed-without-log"),
        (stack(&dir, "v09", &[v09]), "crashed-without-log"),
        (stack(&dir, "full", &[full]), "full-sync"),
    ] {
        let show = json(&["show", path(&image)]);
        let level = &show["levels"][0];
        assert_eq!(level["at_attach"][0]["kind"], kind, "{}", image.name);
        let plan = json(&["plan", path(&image)]);
        let device = level["device_bytes"].as_u64().unwrap();
        assert!(kinds(&plan).contains(&(kind, device)), "{plan}");
        let counted = kinds(&plan).iter().any(|one| one.0 == "out-of-sync");
        assert!(!counted, "{plan}");
    }
}

#[test]
fn compare_counts_of_a_clean_log_what_apply_al_marks() {
    let dir = scratch();
    let v08 = Level::v08().flags(PRIMARY | AL_CLEAN).activity_log(&log());
    let image = stack(&dir, "v08", &[v08]);
    let bitmap = json(&["bitmap", "show", path(&image), "--apply-al"]);
    assert_eq!(bitmap["slots"][0]["bits"], 1024);
    let compare = json(&["compare", path(&image), path(&image)]);
    assert_eq!(compare["replicas"][0]["slot_bits"][0], 1024);
}

#[test]
fn without_an_agreed_size_no_command_knows_what_is_out_of_sync() {
    let dir = scratch();
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    for (format, slots) in [("v08", &[][..]), ("v09", &["2"])] {
        let image = dir.path().join(format);
        sparse(&image, 64 * MIB);
        drbdmeta.ok(
            format,
            &image,
            "flex-internal",
            &[&["create-md"], slots].concat(),
        );
        let path = image.to_str().unwrap();
        let level = &json(&["locate", path])["levels"][0];
        assert!(level["out_of_sync_bytes"].is_null());
        let bitmap = json(&["bitmap", "show", path]);
        assert_eq!(bitmap["device_bytes"], level["device_bytes"]);
        for slot in bitmap["slots"].as_array().unwrap() {
            for field in [
                "bits",
                "bytes",
                "runs",
                "seconds",
                "bits_set",
                "resync_seconds",
            ] {
                assert!(slot[field].is_null(), "{field}: {bitmap}");
            }
        }
        let files = json(&["files", path]);
        assert!(files["ranges"].is_null(), "{files}");
        for words in [&["bitmap", "show"][..], &["files"], &["show"]] {
            let run = mdtool(words.iter().chain(&[path]));
            assert_eq!(run.status, 0, "{words:?}: {run:?}");
            assert!(
                run.stdout.contains("no size was ever agreed on"),
                "{words:?}: {run:?}"
            );
            assert!(
                !run.stdout.contains("nothing is out of sync"),
                "{words:?}: {run:?}"
            );
        }
    }
}

#[test]
fn nothing_says_that_all_is_well_with_v07() {
    let dir = scratch();
    for (name, level) in [("fixed", Level::v07()), ("flex", Level::v07_flex())] {
        let size = if name == "fixed" { 256 * MIB } else { 64 * MIB };
        let image = super::images::sized(&dir, name, size, &[level]);
        let check = run("check", &image, &[]);
        assert_eq!(check.status, 1, "{check:?}");
        assert!(
            !check.stdout.contains("nothing has to be mended"),
            "{check:?}"
        );
        assert!(check.stdout.contains("format-v07"), "{check:?}");
        let repair = run("repair", &image, &["-n"]);
        assert!(repair.stderr.contains("format-v07"), "{repair:?}");
        let plan = run("plan", &image, &[]);
        assert!(!plan.stdout.contains("Nothing to do"), "{plan:?}");
    }
}

#[test]
fn plan_does_not_say_that_nothing_is_to_be_done_where_no_kernel_attaches_it() {
    let dir = scratch();
    let inner = Level::v08();
    for (name, levels) in [
        ("v08", vec![Level::v08()]),
        ("v09", vec![Level::v09(2)]),
        ("stack", vec![Level::v08(), inner]),
    ] {
        let image = stack(&dir, name, &levels);
        // The agreed size is larger than what fits: the disk was cut, or the metadata grew.
        patch(&image.path, 64 * MIB - 4096, &140_000_u64.to_be_bytes());
        let plan = run("plan", &image, &[]);
        assert!(plan.stdout.contains("fit here"), "{plan:?}");
        assert!(!plan.stdout.contains("Nothing to do"), "{plan:?}");
        assert!(!plan.stdout.contains("drbdadm up"), "{plan:?}");
        let document = json(&["plan", path(&image)]);
        assert!(document["comes_first"].is_string(), "{document}");
    }
    let small = Level::v08().la_size(LaSize::Exactly(Sectors::new(50_000)));
    let plan = run("plan", &stack(&dir, "small", &[small]), &[]);
    assert!(plan.stdout.contains("Nothing to do"), "{plan:?}");
}

#[test]
fn bitmap_says_what_show_does_of_a_flag_that_marks_everything() {
    let dir = scratch();
    for (name, flags) in [("full", 0x99), ("not", 0x91)] {
        let image = stack(&dir, name, &[Level::v08().flags(flags)]);
        let show = mdtool(["show", path(&image)]);
        let bitmap = mdtool(["bitmap", "show", path(&image)]);
        let words = "a flag marks everything out of sync";
        assert_eq!(show.stdout.contains(words), flags == 0x99, "{show:?}");
        assert_eq!(bitmap.stderr.contains(words), flags == 0x99, "{bitmap:?}");
    }
}

#[test]
fn a_superblock_that_is_half_zeros_has_no_peer_in_a_slot_that_does_not_exist_twice() {
    let dir = scratch();
    let image = stack(&dir, "half", &[Level::v09(2)]);
    patch(&image.path, 64 * MIB - 4096 + 64, &[0; 4032]);
    let check = json(&["check", path(&image)]);
    let findings = check["findings"].as_array().unwrap();
    assert!(!findings.is_empty(), "{check}");
    let twice = findings.iter().filter(|one| one["id"] == "slot-twice");
    assert_eq!(twice.count(), 0, "{check}");
    assert!(!check.to_string().contains("zero where"), "{check}");
}

#[test]
fn probe_names_every_volume_that_has_metadata() {
    let dir = scratch();
    let images = super::cases::of_cases(&dir);
    let image = images
        .iter()
        .find(|one| one.name == "in-a-named-volume")
        .unwrap();
    let hints = |command| {
        let run = run(command, image, &[]);
        let hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
        hints.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(hints("probe").len(), 2);
    assert_eq!(hints("probe"), hints("locate"));
}
