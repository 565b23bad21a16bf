//! A damaged slot of a meta device that has others is seen whichever command looks, and however far.

use mdtool::builder::{External, Level, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use serde_json::Value;
use tempfile::TempDir;

use super::images::{Image, MIB, blank, changed};
use super::run;
use crate::support::scratch;

const SLOT: u64 = 128 * MIB;

fn slots(dir: &TempDir, name: &str, slots: &[u8]) -> Image {
    let size = 3 * SLOT + 16 * MIB;
    let image = blank(dir, name, size);
    let mut file = WritableFile::open(&image.path).unwrap();
    for slot in slots {
        let (place, backing) = (External::Indexed(*slot), Bytes::new(1 << 30));
        let (start, size) = (ImagePos::START, Bytes::new(size));
        build_external(&mut file, start, size, place, backing, &Level::v08()).unwrap();
    }
    drop(file);
    image
}

fn json(command: &str, image: &Image, more: &[&str]) -> (i32, Value) {
    let run = run(command, image, &[more, &["--json"]].concat());
    let document = serde_json::from_str(&run.stdout);
    (run.status, document.unwrap_or_else(|_| panic!("{run:?}")))
}

#[test]
fn a_damaged_slot_among_others_is_seen_by_every_command() {
    let dir = scratch();
    for (name, all, at, bytes) in [
        ("erased", &[0, 1, 2][..], 60, &[0; 4]),
        ("misfit", &[0, 1, 2], 76, &[0, 0, 0x11, 0]),
        ("alone-erased", &[1], 60, &[0; 4]),
        ("alone-misfit", &[1], 76, &[0, 0, 0x11, 0]),
    ] {
        let image = changed(slots(&dir, name, all), SLOT + at, bytes);
        for more in [
            &[][..],
            &["--scan", "full"],
            &["--scan", "full", "--full"],
            &["--index", "indexed:1"],
        ] {
            let (status, check) = json("check", &image, more);
            let findings = check["findings"].as_array().unwrap();
            let of_it = |one: &&Value| one["md_offset"] == SLOT && one["severity"] == "error";
            assert!(
                findings.iter().any(|one| of_it(&one)),
                "{name} {more:?}: {check}"
            );
            assert_eq!(status, 1, "{name} {more:?}");
            if more.contains(&"--full") {
                continue;
            }
            let (_, locate) = json("locate", &image, more);
            let listed = ["traces", "rejected"].into_iter().any(|list| {
                let mut list = locate[list].as_array().unwrap().iter();
                list.any(|one| one["md_offset"] == SLOT)
            });
            assert!(listed, "{name} {more:?}: {locate}");
        }
    }
}

#[test]
fn slots_in_order_have_no_findings() {
    let dir = scratch();
    let image = slots(&dir, "well", &[0, 1, 2]);
    let (status, check) = json("check", &image, &["--scan", "full"]);
    assert_eq!((status, &check["errors"]), (0, &0.into()), "{check}");
    assert_eq!(check["levels"].as_array().map(Vec::len), Some(3), "{check}");
}

/// An interrupted change is told by whoever is asked about the meta device, as nothing on it is written to before that is undone.
#[test]
fn an_interrupted_change_of_another_slot_is_told() {
    let dir = scratch();
    let image = changed(slots(&dir, "under-way", &[0, 1]), SLOT + 60, b"mdU");
    for more in [&[][..], &["--index", "indexed:0"], &["--scan", "full"]] {
        let (status, probe) = json("probe", &image, more);
        assert_eq!(status, 4, "{more:?}: {probe}");
        assert_eq!(probe["images"][0]["traces"][0]["kind"], "under-way");
    }
    let writes = ["--index", "indexed:0", "--new-generation", "-n"];
    assert_eq!(run("edit", &image, &writes).status, 2);
}
