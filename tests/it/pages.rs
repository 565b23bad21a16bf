//! Help, man pages and completions: what is made of the commands' definitions.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::{mdtool, scratch};

/// The commands that help lists, in its order.
fn commands() -> Vec<String> {
    let help = mdtool(["--help"]);
    assert_eq!(help.status, 0);
    let (_, list) = help.stdout.split_once("\nLook:\n").unwrap();
    let (list, _) = list.split_once("\nOptions:").unwrap();
    list.lines()
        .filter_map(|line| line.strip_prefix("  "))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

#[test]
fn help_groups_the_commands_by_what_a_person_wants() {
    let commands = commands();
    assert!(commands.len() >= 10, "{commands:?}");
    let all = ["--help", "help", ""].map(|word| {
        let run = mdtool(Some(word).filter(|word| !word.is_empty()));
        format!("{}{}", run.stdout, run.stderr)
    });
    for help in &all {
        for heading in [
            "Look:",
            "Take out:",
            "Put in:",
            "Repair and take back:",
            "Options:",
            "Exit status:",
        ] {
            assert_eq!(
                help.matches(&format!("\n{heading}")).count(),
                1,
                "{heading} in {help}"
            );
        }
        assert!(!help.contains("completions"), "it is for packagers: {help}");
    }
}

#[test]
fn each_command_tells_its_exit_statuses() {
    for command in commands() {
        let run = mdtool([command.as_str(), "--help"]);
        assert!(
            run.stdout.contains("\nExit status"),
            "{command}: {}",
            run.stdout
        );
    }
}

#[test]
fn each_command_has_a_man_page() {
    let dir = scratch();
    let pages = dir.path().join("share/man/man8");
    let run = mdtool(["man".as_ref(), pages.as_os_str()]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let mut names = vec!["mdtool.8".to_owned()];
    names.extend(commands().iter().map(|name| format!("mdtool-{name}.8")));
    names.extend(["show", "set", "clear"].map(|name| format!("mdtool-bitmap-{name}.8")));
    assert_eq!(run.stdout.lines().count(), names.len(), "{}", run.stdout);
    for name in &names {
        let page = std::fs::read_to_string(pages.join(name)).unwrap();
        for section in [
            "NAME",
            "SYNOPSIS",
            "OPTIONS",
            "\"EXIT STATUS\"",
            "EXAMPLES",
            "FILES",
            "\"SEE ALSO\"",
        ] {
            assert!(
                page.contains(&format!("\n.SH {section}\n")),
                "{section} in {name}"
            );
        }
        assert!(
            page.contains("\\fBmdtool ") || page.contains("\\fBmdtool\\-"),
            "{name}"
        );
        let (_, related) = page.split_once("SEE ALSO").unwrap();
        for word in related
            .split(['\n', ' ', ','])
            .filter(|word| word.contains("mdtool"))
        {
            let word = word
                .replace("\\-", "-")
                .replace("\\fB", "")
                .replace("\\fR(8)", ".8");
            assert!(names.contains(&word), "{word} in {name}");
        }
    }
}

/// A newer version's pages take the place of an older one's; nobody else's do.
#[test]
fn man_replaces_its_own_pages_only() {
    let dir = scratch();
    let page = dir.path().join("mdtool.8");
    let run = mdtool(["man".as_ref(), dir.path().as_os_str()]);
    assert_eq!(run.status, 0);
    let whole = std::fs::read_to_string(&page).unwrap();
    let (mark, _) = whole.split_once('\n').unwrap();
    crate::support::put(&page, format!("{mark}\nolder\n").as_bytes());
    let run = mdtool(["man".as_ref(), dir.path().as_os_str()]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    assert_eq!(std::fs::read_to_string(&page).unwrap(), whole);
    crate::support::put(&page, b"of somebody else");
    let run = mdtool(["man".as_ref(), dir.path().as_os_str()]);
    assert_eq!(run.status, 2, "{run:?}");
    assert_eq!(std::fs::read_to_string(&page).unwrap(), "of somebody else");
}

#[test]
fn the_version_says_which_build_it_is() {
    for args in [&["--version"][..], &["-V"], &["show", "-V"]] {
        let run = mdtool(args);
        assert_eq!(run.status, 0);
        let lines: Vec<&str> = run.stdout.lines().collect();
        assert!(
            lines[0].ends_with(concat!(" ", env!("CARGO_PKG_VERSION"))),
            "{lines:?}"
        );
        let names = ["commit: ", "target: ", "features: "];
        assert_eq!(lines.len(), 4, "{lines:?}");
        for (line, name) in lines[1..].iter().zip(names) {
            assert!(line.len() > name.len() && line.starts_with(name), "{line}");
        }
    }
}

/// A level or an index is no file, and all of both are still taken.
#[test]
fn levels_and_indices_complete_to_their_values() {
    let bash = mdtool(["completions", "bash"]).stdout;
    for words in ["outer inner 0 1", "auto internal flex-external indexed:0"] {
        assert!(bash.contains(&format!("compgen -W \"{words}\"")), "{words}");
    }
    let help = mdtool(["show", "--help"]).stdout;
    assert!(!help.contains("possible values"), "{help}");
    for (args, status) in [
        (["--level", "7"], 1),
        (["--index", "indexed:255"], 1),
        (["--level", "x"], 2),
    ] {
        let dir = scratch();
        let image = dir.path().join("blank.raw");
        crate::support::sparse(&image, 1 << 20);
        let run = mdtool(["show", image.to_str().unwrap(), args[0], args[1]]);
        assert_eq!(run.status, status, "{args:?}: {run:?}");
    }
}

#[test]
fn bash_accepts_its_completions() {
    let run = mdtool(["completions", "bash"]);
    assert_eq!(run.status, 0);
    for command in commands() {
        assert!(
            run.stdout.contains(&format!("mdtool,{command})")),
            "{command}"
        );
    }
    let mut bash = Command::new("bash")
        .arg("-n")
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    bash.stdin
        .take()
        .unwrap()
        .write_all(run.stdout.as_bytes())
        .unwrap();
    let output = bash.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    for shell in ["zsh", "fish"] {
        assert_eq!(mdtool(["completions", shell]).status, 0);
    }
    assert_eq!(mdtool(["completions", "tcsh"]).status, 2);
}
