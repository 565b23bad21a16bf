//! Hints of refusals name the image as it was given, and a mended dump goes to the command that was to read it.

use mdtool::builder::Level;

use super::images::stack;
use crate::support::{Run, mdtool, put, scratch};

/// The commands in backticks of the hints.
fn hinted(run: &Run) -> Vec<String> {
    let hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
    let quoted = hints.flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.map(str::to_owned).collect()
}

#[test]
fn a_refusal_names_the_image_that_it_is_of() {
    let dir = scratch();
    // A Primary's log without a valid block.
    let torn = Level::v08()
        .unclean()
        .flags(0x13)
        .activity_log(&vec![0xA5; 32768]);
    let torn = stack(&dir, "torn", &[Level::v08(), torn]);
    let v08 = stack(&dir, "v08", &[Level::v08()]);
    let v09 = stack(&dir, "v09", &[Level::v09(2)]);
    let cases: [(&str, &[&str], &str, &str); 6] = [
        (
            "bitmap show",
            &["--apply-al", "--level", "1"],
            "torn",
            "mdtool al {} --level 1",
        ),
        (
            "files",
            &["--stacked"],
            "torn",
            "mdtool apply-al {} --stacked --mark-all",
        ),
        (
            "locate",
            &["--at", "8192"],
            "v08",
            "mdtool locate {} --scan full",
        ),
        ("edit", &["--forget", "5", "-n"], "v09", "mdtool show {}"),
        ("edit", &["--node-id", "1", "-n"], "v08", ""),
        ("show", &["--level", "7"], "v08", "mdtool locate {}"),
    ];
    for (command, more, name, expected) in cases {
        let image = [&torn, &v08, &v09].into_iter().find(|one| one.name == name);
        let path = image.unwrap().path.to_str().unwrap();
        let words = command.split(' ').chain([path]);
        let run = mdtool(words.chain(more.iter().copied()));
        assert_ne!(run.status, 0, "{command}: {run:?}");
        let commands = hinted(&run);
        let expected = expected.replace("{}", path);
        let named = expected.is_empty() || commands.contains(&expected);
        assert!(named, "{command}: {expected}: {run:?}");
        for command in commands.iter().filter(|one| one.starts_with("mdtool ")) {
            assert!(command.contains(path), "{command}: {run:?}");
        }
    }
}

#[test]
fn a_text_that_is_no_dump_yet_is_piped_to_the_command_that_was_to_read_it() {
    let dir = scratch();
    let disk = stack(&dir, "disk", &[Level::v08()]);
    let disk = disk.path.to_str().unwrap();
    let export = mdtool(["export", disk]);
    let dump = dir.path().join("a dump.md");
    let text = format!("$ drbdadm dump-md r0\n{}", export.stdout);
    put(&dump, text.as_bytes());
    let dump = dump.to_str().unwrap();
    for words in [
        &["show", dump][..],
        &["check", dump],
        &["bitmap", "show", dump],
        &["compare", dump, disk],
        &["compare", disk, dump],
        &["plan", disk, "--peer", dump],
        &["export", dump],
        &["import", disk, dump],
        &["import", disk, dump, "--index", "internal", "--yes"],
    ] {
        let run = mdtool(words);
        assert_eq!(run.status, 2, "{words:?}: {run:?}");
        let commands = hinted(&run).into_iter();
        let commands: Vec<_> = commands.filter(|one| one.contains(" | ")).collect();
        let [command] = commands.as_slice() else {
            panic!("{words:?}: {run:?}");
        };
        assert!(
            command.contains(&format!("| mdtool {}", words[0])),
            "{command}"
        );
        let bin = env!("CARGO_BIN_EXE_mdtool");
        let line = command.replace("| mdtool ", &format!("| {bin} "));
        let shell = std::process::Command::new("sh")
            .args(["-c", &line])
            .output();
        let run = Run::from(shell.unwrap());
        assert!([0, 1].contains(&run.status), "{line}: {run:?}");
    }
}
