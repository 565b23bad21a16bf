//! What messages name: the file that they are about, and commands as a shell takes them.

use std::process::{Command, Stdio};

use mdtool::builder::Level;

use super::since::under;
use super::{Disk, INNER, ok, some_bits, text};
use crate::support::{Run, mdtool, patch};

fn single() -> Level {
    some_bits(Level::v08().current_uuid(INNER))
}

/// The commands that are to be typed, without what is said about them.
fn typed(run: &Run) -> Vec<String> {
    let remarks = [
        "; `meta-disk",
        "; in the resource",
        ", then `",
        ": the metadata",
    ];
    let lines = run.stderr.lines();
    let commands = lines.filter_map(|line| line.strip_prefix("next: mdtool "));
    let bare = |line: &str| {
        let ends = remarks.iter().filter_map(|remark| line.find(remark));
        line[..ends.min().unwrap_or(line.len())].to_owned()
    };
    commands.map(bare).collect()
}

#[test]
fn every_command_that_is_shown_quotes_its_paths() {
    for name in [
        "a b;touch PWNED",
        "it's $(touch PWNED)",
        "two\nlines",
        "\u{1b}[31mred",
    ] {
        for words in [
            &["edit", "--flag", "+FULL_SYNC"][..],
            &["bitmap", "set", "--all"],
            &["wipe"],
            &["adopt", "--strategy", "truncate"],
            &["relocate", "--meta", "META"],
            &["adopt", "--strategy", "external", "--meta", "META"],
        ] {
            let cuts = words.contains(&"truncate");
            let disk = if cuts {
                Disk::grown(single())
            } else {
                Disk::of(&[single()])
            };
            let (path, meta) = (disk.file(name), disk.file(&format!("{name}.md")));
            std::fs::rename(&disk.path, &path).unwrap();
            let mut words: Vec<&str> = words.to_vec();
            let at = if words[0] == "bitmap" { 2 } else { 1 };
            words.insert(at, text(&path));
            let meta = text(&meta);
            let words: Vec<&str> = words
                .iter()
                .map(|w| if *w == "META" { meta } else { w })
                .collect();
            let run = mdtool([&words[..], &["--yes"]].concat());
            assert_eq!(run.status, 0, "{words:?}: {run:?}");
            assert!(!run.stderr.contains('\u{1b}'), "{words:?}: {run:?}");
            let hint = run
                .stderr
                .lines()
                .find_map(|line| line.strip_prefix("hint: mdtool "));
            let hint = hint.unwrap_or_else(|| panic!("{words:?}: {run:?}"));
            let hint = hint.strip_suffix(" puts it back").unwrap();
            // What the hint says does it.
            let line = format!("'{}' {hint} --yes", env!("CARGO_BIN_EXE_mdtool"));
            let shell = Command::new("bash")
                .args(["-c", &line])
                .current_dir(disk.dir.path())
                .stdin(Stdio::null())
                .output()
                .unwrap();
            let shell: Run = shell.into();
            assert_eq!(shell.status, 0, "{line}: {shell:?}");
            assert!(!disk.file("PWNED").exists(), "{line}");
            // Nor does any other line of it.
            for command in typed(&run) {
                let line = format!("mdtool() {{ :; }}; drbdadm() {{ :; }}; mdtool {command}");
                let mut shell = Command::new("bash");
                shell.args(["-c", &line]).current_dir(disk.dir.path());
                shell.output().unwrap();
                assert!(!disk.file("PWNED").exists(), "{line}");
            }
        }
    }
}

#[test]
fn with_two_targets_the_one_that_failed_is_named() {
    for injected in [
        "inject=pwrite64:error=ENOSPC:when=3",
        "inject=fdatasync,fsync:error=EIO:when=6",
    ] {
        let disk = Disk::stack();
        let meta = disk.file("meta");
        let words = ["adopt", disk.name(), "--stacked", "--strategy", "external"];
        let words = [&words[..], &["--meta", text(&meta), "--yes"]].concat();
        let Some(run) = under(&words, injected) else {
            return;
        };
        assert_eq!(run.status, 2, "{injected}: {run:?}");
        let says = format!("mdtool: {}: ", text(&meta));
        assert!(run.stderr.contains(&says), "{injected}: {run:?}");
    }
}

#[test]
fn an_undo_file_that_is_there_by_now_is_what_is_named() {
    let disk = Disk::of(&[single()]);
    let meta = disk.file("meta");
    let words = ["adopt", disk.name(), "--strategy", "external", "--yes"];
    let run = disk.refuses(
        &[&words[..], &["--meta", text(&meta), "--undo", text(&meta)]].concat(),
        "exists already",
    );
    assert!(
        run.stderr.contains(&format!("mdtool: {}: ", text(&meta))),
        "{run:?}"
    );
}

#[test]
fn what_undo_refuses_of_the_second_target_names_that() {
    let disk = Disk::of(&[single()]);
    let (meta, undo) = (disk.file("meta"), disk.file("undo"));
    let words = ["adopt", disk.name(), "--strategy", "external", "--yes"];
    ok(&[&words[..], &["--meta", text(&meta), "--undo", text(&undo)]].concat());
    let twice = [
        "undo",
        text(&undo),
        "--target",
        disk.name(),
        "--target",
        disk.name(),
    ];
    disk.refuses(&twice, "is given for two targets");
    let random: Vec<u8> = (0..4096_u32).map(|n| (n * 7 % 251) as u8).collect();
    patch(&meta, 0, &random);
    let length = std::fs::metadata(&meta).unwrap().len();
    crate::support::cut(&meta, length + 4096);
    let run = disk.refuses(&["undo", text(&undo), "--yes"], "size is");
    assert!(
        run.stderr.contains(&format!("mdtool: {}: ", text(&meta))),
        "{run:?}"
    );
}
