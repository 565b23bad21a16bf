//! What a person is told to do about one resource of a stack, or about what check found, is about just that.

use mdtool::builder::{Level, Peer};
use mdtool::units::{BitmapIndex, NodeId};
use serde_json::Value;

use super::images::{Image, outer_gone, sized, stack};
use super::run;
use crate::support::{Run, mdtool, patch, peek, scratch};

const SUPERBLOCK: u64 = (64 << 20) - 4096;

/// Every command in backticks that begins with these words; a remedy's folded lines are joined.
fn quoted(told: &str, begin: &str) -> Vec<String> {
    let words = told.split_whitespace().collect::<Vec<_>>().join(" ");
    let commands = words.split('`').skip(1).step_by(2);
    let commands = commands.filter(|command| command.starts_with(begin));
    commands.map(str::to_owned).collect()
}

/// Runs a command as it is written; nothing of it is quoted.
fn typed(command: &str, more: &[&str]) -> Run {
    let words = command.strip_prefix("mdtool ").unwrap().split(' ');
    mdtool(words.chain(more.iter().copied()))
}

fn document(run: &Run) -> Value {
    serde_json::from_str(&run.stdout).unwrap_or_else(|_| panic!("{run:?}"))
}

fn offsets(run: &Run) -> u64 {
    document(run)["metadata"]["md_offset"].as_u64().unwrap()
}

#[test]
fn applying_the_log_is_told_for_the_level_that_needs_it() {
    let dir = scratch();
    for (name, levels) in [
        ("inner", vec![Level::v08(), Level::v09(2).unclean()]),
        ("outer", vec![Level::v08().unclean(), Level::v08()]),
        ("both", vec![Level::v08().unclean(), Level::v08().unclean()]),
    ] {
        let image = stack(&dir, name, &levels);
        let locate = document(&run("locate", &image, &["--json"]));
        let unclean = locate["levels"].as_array().unwrap().iter();
        let unclean = unclean.filter(|level| level["state"] == "unclean");
        let unclean: Vec<u64> = unclean
            .map(|level| level["md_offset"].as_u64().unwrap())
            .collect();
        for words in [
            &["check"][..],
            &["check", "--stacked"],
            &["show"],
            &["show", "--stacked"],
        ] {
            let told = run(words[0], &image, &words[1..]);
            let commands = quoted(&told.stdout, "mdtool apply-al ");
            assert!(!commands.is_empty() || words[0] == "show", "{told:?}");
            let named: Vec<u64> = commands
                .iter()
                .map(|command| offsets(&typed(command, &["-n", "--json"])))
                .collect();
            assert_eq!(named.len(), commands.len());
            assert!(named.iter().all(|at| unclean.contains(at)), "{told:?}");
            if words == ["check"] {
                assert_eq!(named, unclean, "{told:?}");
            }
        }
    }
}

pub(super) fn two_on_a_slot(dir: &tempfile::TempDir) -> Image {
    let peer = || Peer::in_slot(BitmapIndex::new(0));
    let level = Level::v09(3)
        .node_id(NodeId::new(0))
        .peer(NodeId::new(1), peer())
        .peer(NodeId::new(2), peer());
    stack(dir, "twice", &[level])
}

#[test]
fn show_has_every_error_that_check_finds() {
    let dir = scratch();
    let image = two_on_a_slot(&dir);
    let check = document(&run("check", &image, &["--json"]));
    assert!(check.to_string().contains("slot-twice"), "{check}");
    let show = run("show", &image, &[]);
    assert!(show.stdout.contains("slot-twice"), "{show:?}");
    let show = document(&run("show", &image, &["--json"]));
    assert_eq!(show["levels"][0]["errors"][0]["kind"], "slot-twice");
}

#[test]
fn check_says_what_comes_next_alike_in_both_forms() {
    let dir = scratch();
    let striping = stack(&dir, "striping", &[Level::v09(2)]);
    patch(&striping.path, SUPERBLOCK + 96, &[0; 8]);
    // The outer one's change was interrupted, and there is something to be mended inside.
    let interrupted = stack(&dir, "interrupted", &[Level::v08(), Level::v09(2)]);
    let inner = document(&run("locate", &interrupted, &["--json"]))["levels"][1]["md_offset"]
        .as_u64()
        .unwrap();
    patch(&interrupted.path, inner + 96, &[0; 8]);
    patch(&interrupted.path, SUPERBLOCK + 60, b"mdU");
    let well = stack(&dir, "well", &[Level::v08()]);
    for (image, next) in [
        (striping, "mdtool repair "),
        (interrupted, "mdtool undo "),
        (well, ""),
    ] {
        let text = run("check", &image, &[]);
        let json = document(&run("check", &image, &["--json"]));
        let commands = json["next_commands"].as_array().unwrap();
        let line = text.stdout.lines().rfind(|line| line.starts_with("next: "));
        let line = line.unwrap_or_else(|| panic!("{text:?}"));
        assert_eq!(commands.is_empty(), next.is_empty(), "{json}");
        for command in commands {
            let command = command["command"].as_str().unwrap();
            assert!(command.starts_with(next), "{command}");
            assert!(line.contains(command), "{line}: {command}");
        }
        for finding in json["findings"].as_array().unwrap() {
            assert_eq!(finding["bytes"], finding["length"], "{finding}");
        }
    }
}

/// The commands of the `next:` lines and of the line below them.
fn next(run: &Run) -> Vec<String> {
    let mut lines = run
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("next: "));
    let lines = lines
        .by_ref()
        .map(|line| line.trim_start_matches("next: ").trim());
    let commands = lines.filter(|line| line.starts_with("mdtool ") && !line.contains(" FILE"));
    let command = |line: &str| line.split("  ").next().unwrap().to_owned();
    commands.map(command).collect()
}

#[test]
fn what_comes_next_is_not_refused_where_something_is_left_of_the_outer_one() {
    let dir = scratch();
    for image in outer_gone(&dir) {
        let name = &image.name;
        for more in [&[][..], &["--stacked"]] {
            let probe = document(&run("probe", &image, &[more, &["--json"]].concat()));
            let word = probe["images"][0]["own_answer"]
                .as_str()
                .unwrap()
                .to_owned();
            let plan = document(&run("plan", &image, &[more, &["--json"]].concat()));
            let export = run("export", &image, more);
            let taken = export.status == 0;
            // Whoever names the inner one has it, unless the same words named another since.
            let inner = !more.is_empty() && ["outer-zeroed", "outer-erased"].contains(&&**name);
            assert_eq!(taken, inner, "{name} {more:?}: {export:?}");
            let expected = if inner || name == "outer-retired" {
                "moved"
            } else {
                "damaged"
            };
            assert_eq!(word, expected, "{name} {more:?}");
            assert_eq!(probe["images"][0]["device_bytes"].is_u64(), inner, "{name}");
            let recommends = plan["recommended"].is_string();
            assert_eq!(
                recommends,
                inner && name == "outer-zeroed",
                "{name}: {plan}"
            );
            for command in ["locate", "show", "check", "plan"] {
                let told = run(command, &image, more);
                for next in next(&told) {
                    let next = next
                        .replace("--node-id N", "--node-id 0")
                        .replace(" -o metadata.md", "")
                        .replace(" -o inner.md", "");
                    let run = typed(&next, &[]);
                    assert_ne!(run.status, 2, "{name}: {command}: `{next}`: {run:?}");
                }
            }
        }
    }
}

#[test]
fn an_older_copy_of_a_resource_is_no_inner_one_for_anybody() {
    let dir = scratch();
    for level in [Level::v08(), Level::v09(2)] {
        // Online growth leaves the superblock where it was.
        let image = stack(&dir, "grown", std::slice::from_ref(&level));
        let larger = sized(&dir, "larger", 80 << 20, &[level]);
        patch(
            &larger.path,
            SUPERBLOCK,
            &peek(&image.path, SUPERBLOCK, 4096),
        );
        for (more, status) in [(&[][..], 0), (&["--stacked"], 1), (&["--level", "1"], 1)] {
            for command in ["probe", "check", "plan", "show", "export"] {
                let run = run(command, &larger, more);
                assert_eq!(run.status, status, "{command} {more:?}: {run:?}");
            }
        }
        let net = run("probe", &larger, &["--stacked", "--net-size"]);
        assert_eq!(net.stdout, "", "{net:?}");
        std::fs::remove_file(&image.path).unwrap();
        std::fs::remove_file(&larger.path).unwrap();
    }
}
