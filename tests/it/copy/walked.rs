//! The commands that `plan --departure` prints, run on files as they are printed.

use std::path::Path;

use mdtool::builder::Level;
use serde_json::Value;

use super::departed::planned;
use super::{stack, text};
use crate::adopt::MIB;
use crate::support::{mdtool, sparse};

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
    let program = Path::new(env!("CARGO_BIN_EXE_mdtool")).parent().unwrap();
    let path = format!("{}:{}", text(program), std::env::var("PATH").unwrap());
    let ran = std::process::Command::new("sh")
        .args(["-c", &script, "sh", text(stack.dir.path())])
        .envs([
            ("PATH", path.as_str()),
            ("SOURCE", stack.source()),
            ("LEVEL", &format!("--level {level}")),
        ])
        .output()
        .unwrap();
    let name = format!("{} levels, {level}, {more} more", levels.len());
    assert!(ran.status.success(), "{name}: {script}\n{ran:?}");
    let source = format!("{}@{level}", stack.source());
    let copy = format!("{}@0", text(&disk));
    let met = mdtool(["compare", &source, &copy, "--json"]);
    let met: Value = serde_json::from_str(&met.stdout).unwrap();
    let decision = met.to_string();
    assert!(decision.contains("source-bitmap"), "{name}: {decision}");
}
