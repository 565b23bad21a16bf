//! The commands that `plan --departure` prints, run on files as they are printed.

use std::path::Path;

use mdtool::builder::Level;
use serde_json::Value;

use super::departed::planned;
use super::{ok, refused, stack, text};
use crate::adopt::MIB;
use crate::support::{cut, kernel_image, mdtool, peek, scratch, sparse};

/// What stands for the other host and for DRBD where the commands are run on files.
const STUBS: &str = r#"
    set -eu
    cd "$1"
    ssh() { shift; case "$1" in *' '*) eval "$1" ;; *) "$@" ;; esac; }
    scp() { [ -s "$1" ]; }
    umount() { :; }
    mount() { :; }
    drbdsetup() { :; }
    drbdadm() { case " $* " in *" new-current-uuid "*) mdtool edit "$SOURCE" $LEVEL --new-generation --yes --undo "undo-$(date +%N)" ;; esac; }
"#;

#[test]
fn the_printed_commands_make_a_replica_of_files() {
    let v09 = || Level::v09(3);
    // Levels, which of them, and by how much the target is larger.
    for (levels, level, more) in [
        (vec![Level::v08()], 0, 0),
        (vec![Level::v08(), Level::v08()], 1, 0),
        (vec![Level::v08(), Level::v08()], 1, 4 * MIB),
        (vec![Level::v08(), Level::v08()], 0, 4 * MIB),
        (vec![v09(), v09()], 1, 0),
        (vec![v09(), v09()], 1, 4 * MIB),
        (vec![v09(), v09()], 0, 0),
        (vec![Level::v08(), Level::v08(), v09()], 1, 4 * MIB),
    ] {
        walk(&levels, level, more);
    }
}

/// Runs what is printed, as it is printed, and breaks the copy in between.
fn walk(levels: &[Level], level: usize, more: u64) {
    let stack = stack(levels, 64 * MIB);
    let number = level.to_string();
    let disk = stack.file("a disk");
    let plan = |target: &str| {
        planned(&[
            stack.source(),
            "--level",
            &number,
            "--to-disk",
            text(&disk),
            "--to-host",
            "HOST",
            "--node-id",
            "2",
            "--target-size",
            target,
        ])
    };
    let size = plan("1TiB")["bytes"].as_u64().unwrap() + more;
    sparse(&disk, size);
    let plan = plan(&size.to_string());
    let mut script = STUBS.to_owned();
    for step in plan["steps"].as_array().unwrap() {
        let command = step["command"].as_str().unwrap();
        let line = match step["id"].as_str().unwrap() {
            "copy" => {
                format!("{command}\nprintf broken | dd of='a disk' bs=1 seek=5000000 conv=notrunc")
            }
            "check" => format!("status=0; {command} || status=$?; [ $status = 1 ]; [ -s *.bad ]"),
            _ => command.to_owned(),
        };
        script.push_str(&line);
        script.push('\n');
    }
    let level_words = format!("--level {level}");
    let variables = [("SOURCE", stack.source()), ("LEVEL", &level_words)];
    let ran = run_script(&script, stack.dir.path(), &variables);
    let name = format!("{} levels, {level}, {more} more", levels.len());
    assert!(ran.status.success(), "{name}: {script}\n{ran:?}");
    let source = format!("{}@{level}", stack.source());
    let copy = format!("{}@0", text(&disk));
    let met = mdtool(["compare", &source, &copy, "--json"]);
    let met: Value = serde_json::from_str(&met.stdout).unwrap();
    let decision = met.to_string();
    assert!(decision.contains("source-bitmap"), "{name}: {decision}");
}

#[test]
fn commands_that_are_not_always_run_say_when() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let size = stack.inner;
    let conditions = |more: &[&str]| -> Vec<(String, String)> {
        let plan = planned(&[&[stack.source(), "--stacked"], more].concat());
        let steps = plan["steps"].as_array().unwrap().iter();
        let conditional = steps.filter_map(|step| {
            let condition = step["only_if"].as_str()?;
            Some((step["id"].as_str()?.to_owned(), condition.to_owned()))
        });
        conditional.collect()
    };
    let of = |id: &str, condition: &str| (id.to_owned(), condition.to_owned());
    let resent = [
        of("resend", "sum --check exited with 1"),
        of("check-again", "sum --check exited with 1"),
    ];
    let both = [
        of("adopt", &format!("DISK is larger than {size} bytes")),
        of("fits", &format!("DISK has exactly {size} bytes")),
    ];
    assert_eq!(conditions(&[]), [&resent[..], &both].concat());
    assert_eq!(conditions(&["--target-size", "1TiB"]), resent);
    assert_eq!(conditions(&["--target-size", &size.to_string()]), resent);
    let words = [
        "plan",
        stack.source(),
        "--stacked",
        "--departure",
        "--target-size",
        "1MiB",
    ];
    refused(
        &words,
        2,
        "--target-size: has 1048576 bytes, expected at least",
    );
    let text = ok(&words[..4]).stdout;
    assert!(text.contains("    # (only if sum --check exited with 1)\n    # Sends those chunks again.\n    mdtool copy "), "{text}");
}

/// The source as it is afterwards stands for a snapshot of it.
#[test]
fn a_second_truck_from_a_snapshot_is_compared_and_mended_too() {
    for (name, more) in [("v08", 0), ("v08", 4 * MIB), ("v09", 4 * MIB)] {
        let dir = scratch();
        let file = |name: &str| dir.path().join(name);
        let (snapshot, disk) = (kernel_image(&format!("{name}-stack-down")), file("disk"));
        let first = kernel_image(&format!("{name}-stack-live-copy"));
        ok(&["copy", text(&first), text(&disk), "--stacked"]);
        let size = std::fs::metadata(&disk).unwrap().len() + more;
        cut(&disk, size);
        let plan = planned(&[
            text(&snapshot),
            "--stacked",
            "--lv",
            "vg/lv",
            "--to-disk",
            text(&disk),
            "--target-size",
            &size.to_string(),
        ]);
        let mut script = STUBS.to_owned();
        script.push_str("lvcreate() { :; }\nlvremove() { :; }\ndrbdadm() { :; }\n");
        for step in plan["second_truck"].as_array().unwrap() {
            let command = step["command"].as_str().unwrap();
            let command = command.replace("/dev/vg/lv-truck", text(&snapshot));
            let line = match step["id"].as_str().unwrap() {
                "copy" => {
                    format!("{command}\nprintf broken | dd of=disk bs=1 seek=70000000 conv=notrunc")
                }
                "check" => format!(
                    "status=0; {command} || status=$?; [ $status = 1 ]; [ $(wc -l <RESOURCE-2.bad) = 1 ]"
                ),
                _ => command,
            };
            script.push_str(&line);
            script.push('\n');
        }
        let ran = run_script(&script, dir.path(), &[]);
        assert!(ran.status.success(), "{name}: {script}\n{ran:?}");
        // The data is that of the source, and the generation, too.
        let located = ok(&["locate", text(&disk), "--json"]).stdout;
        let located: Value = serde_json::from_str(&located).unwrap();
        let level = &located["levels"][0];
        assert_eq!(level["found_by"], "expected-position", "{name}");
        let len = level["device_bytes"].as_u64().unwrap() as usize;
        assert!(peek(&disk, 0, len) == peek(&snapshot, 0, len), "{name}");
        let known = ok(&["locate", text(&snapshot), "--stacked", "--json"]).stdout;
        let known: Value = serde_json::from_str(&known).unwrap();
        assert_eq!(
            level["current_uuid"], known["levels"][1]["current_uuid"],
            "{name}"
        );
    }
}

/// Runs commands with this mdtool, in a directory.
fn run_script(script: &str, dir: &Path, variables: &[(&str, &str)]) -> std::process::Output {
    let program = Path::new(env!("CARGO_BIN_EXE_mdtool")).parent().unwrap();
    let path = format!("{}:{}", text(program), std::env::var("PATH").unwrap());
    std::process::Command::new("sh")
        .args(["-c", script, "sh", text(dir)])
        .env("PATH", path)
        .envs(variables.iter().copied())
        .output()
        .unwrap()
}
