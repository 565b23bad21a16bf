//! Hints of refusals name the image as it was given, and a mended dump goes to the command that was to read it.

use mdtool::builder::Level;

use super::images::{MIB, SIZE, blank, of_each_kind, resized, stack};
use super::run;
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

/// Every command that a text names in backticks or after `next:`, that begins so.
fn said(run: &Run, begin: &str) -> Vec<String> {
    let text = format!("{}\n{}", run.stdout, run.stderr);
    let lines = text
        .lines()
        .map(|line| line.trim_start_matches("next:").trim());
    let lines = lines.filter(|line| line.starts_with(begin));
    let alone = lines.map(|line| line.split("  (").next().unwrap().trim().to_owned());
    let quoted = text.split('`').skip(1).step_by(2).map(str::to_owned);
    let all = alone.chain(quoted).map(|one| one.replace('\n', " "));
    let all = all.map(|one| one.split_whitespace().collect::<Vec<_>>().join(" "));
    all.filter(|one| one.starts_with(begin)).collect()
}

#[test]
fn whatever_is_told_about_a_log_that_cannot_be_applied_is_not_refused_for_it() {
    let dir = scratch();
    let torn = |level: Level| level.unclean().flags(0x13).activity_log(&vec![0xA5; 32768]);
    let images = [
        stack(&dir, "here", &[torn(Level::v08())]),
        stack(&dir, "here-v09", &[torn(Level::v09(2))]),
        stack(&dir, "inside", &[Level::v08(), torn(Level::v08())]),
        resized(
            stack(&dir, "longer", &[torn(Level::v08())]),
            SIZE + 16 * MIB,
        ),
    ];
    for image in &images {
        let mut told = Vec::new();
        for words in [
            &["probe"][..],
            &["locate"],
            &["show"],
            &["check"],
            &["adopt", "--apply-al", "-n"],
        ] {
            let inside = image.name == "inside" && words[0] == "adopt";
            let more = if inside { &["--stacked"][..] } else { &[] };
            let run = run(words[0], image, &[&words[1..], more].concat());
            told.extend(said(&run, "mdtool apply-al "));
            told.extend(said(&run, "mdtool export "));
        }
        let path = image.path.to_str().unwrap();
        let inner = if image.name == "inside" {
            &["--stacked"][..]
        } else {
            &[]
        };
        let shown = mdtool([&["bitmap", "show", path], inner].concat());
        assert!(!shown.stderr.contains("--apply-al counts"), "{shown:?}");
        told.extend(said(&shown, "mdtool apply-al "));
        assert!(told.len() > 3, "{}: {told:?}", image.name);
        for command in told {
            let words = command.split(' ').skip(1);
            let mut words: Vec<&str> = words
                .filter(|word| *word != "-o" && !["metadata.md", "inner.md"].contains(word))
                .collect();
            if words[0] == "apply-al" {
                words.push("-n");
            }
            let run = mdtool(&words);
            assert_eq!(run.status, 0, "{}: `{command}`: {run:?}", image.name);
        }
    }
}

#[test]
fn show_names_the_slot_whose_log_is_to_be_applied() {
    let dir = scratch();
    let images = of_each_kind(&dir);
    let slot = images.iter().find(|one| one.name == "indexed-1").unwrap();
    crate::support::patch(&slot.path, (128 << 20) + 60, &[0x83, 0x74, 0x02, 0x6C]);
    let shown = run("show", slot, &[]);
    let told = said(&shown, "mdtool apply-al ");
    assert_eq!(told.len(), 1, "{shown:?}");
    let words = told[0].split(' ').skip(1).chain(["-n"]);
    let applied = mdtool(words);
    assert_eq!(applied.status, 0, "{told:?}: {applied:?}");
}

#[test]
fn the_hint_of_adopt_about_a_disk_that_stayed_on_its_node_is_taken_by_relocate() {
    let dir = scratch();
    let grown = |name, levels: &[Level]| resized(stack(&dir, name, levels), SIZE + 16 * MIB);
    let mut outer_gone = stack(&dir, "inner-alone", &[Level::v08(), Level::v09(2)]);
    crate::support::patch(&outer_gone.path, SIZE - 4096, &[0; 4096]);
    outer_gone = resized(outer_gone, SIZE + 16 * MIB);
    for image in [outer_gone, grown("stack", &[Level::v08(), Level::v09(2)])] {
        let adopt = run("adopt", &image, &["--stacked", "-n"]);
        let told = said(&adopt, "mdtool relocate ");
        assert_eq!(told.len(), 1, "{adopt:?}");
        let relocate = mdtool(told[0].split(' ').skip(1).chain(["-n"]));
        assert!(
            !relocate.stderr.contains("unexpected argument"),
            "{told:?}: {relocate:?}"
        );
        assert_eq!(relocate.status, 0, "{told:?}: {relocate:?}");
    }
}

#[test]
fn repair_answers_what_check_does_where_no_metadata_is() {
    let dir = scratch();
    let cut = of_each_kind(&dir)
        .into_iter()
        .find(|one| one.name == "cut-off");
    for image in [blank(&dir, "nothing", 4 * MIB), cut.unwrap()] {
        let check = run("check", &image, &[]);
        let repair = run("repair", &image, &["-n"]);
        assert_eq!(repair.status, check.status, "{repair:?}");
        let hints = |run: &Run| {
            let hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
            hints.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(hints(&repair), hints(&check), "{repair:?}");
    }
}

#[test]
fn no_hint_about_an_erased_magic_is_refused_for_what_erased_it() {
    let dir = scratch();
    let mut tried = 0;
    for (name, program, words) in [
        ("swap", "mkswap", &["-q"][..]),
        ("volume", "pvcreate", &["--devices"]),
    ] {
        for level in [Level::v08(), Level::v09(2)] {
            let image = stack(&dir, name, &[level]);
            let path = image.path.to_str().unwrap();
            if program == "mkswap" {
                if !crate::support::require_tool(program) {
                    continue;
                }
                crate::support::tool(program, &[words, &[path]].concat());
            } else {
                crate::base::physical_volume(&image.path, SIZE, None);
                crate::support::patch(&image.path, SIZE - 4096 + 60, &[0; 4]);
            }
            let probe = run("probe", &image, &[]);
            let told = hinted(&probe);
            assert!(told.iter().any(|one| one.contains(" repair ")), "{probe:?}");
            for command in told {
                let words = command.split(' ').skip(1);
                let mut words: Vec<&str> = words
                    .filter(|word| *word != "-o" && !["metadata.md", "inner.md"].contains(word))
                    .collect();
                assert_ne!(words[0], "import", "{probe:?}");
                if words[0] == "repair" {
                    words.push("-n");
                }
                let run = mdtool(&words);
                assert_eq!(run.status, 0, "`{command}`: {run:?}");
                tried += 1;
            }
            std::fs::remove_file(&image.path).unwrap();
        }
    }
    assert!(tried > 5, "{tried}");
    let other = stack(&dir, "other", &[Level::v08()]);
    let dump = dir.path().join("dump.md");
    put(
        &dump,
        mdtool(["export", other.path.to_str().unwrap()])
            .stdout
            .as_bytes(),
    );
    let volume = blank(&dir, "volume", SIZE);
    crate::base::physical_volume(&volume.path, SIZE, None);
    let import = run("import", &volume, &[dump.to_str().unwrap(), "-n"]);
    assert_eq!(import.status, 2, "{import:?}");
    assert!(!import.stderr.contains("wipefs"), "{import:?}");
}
