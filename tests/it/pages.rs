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
    let pages = dir.path().join("man1");
    let run = mdtool(["man".as_ref(), pages.as_os_str()]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""));
    let mut names = vec!["mdtool.1".to_owned()];
    names.extend(commands().iter().map(|name| format!("mdtool-{name}.1")));
    assert_eq!(run.stdout.lines().count(), names.len(), "{}", run.stdout);
    for name in &names {
        let page = std::fs::read_to_string(pages.join(name)).unwrap();
        for section in [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", "Exit status"] {
            assert!(page.contains(section), "{section} in {name}");
        }
    }
    let again = mdtool(["man".as_ref(), pages.as_os_str()]);
    assert_eq!(again.status, 2, "nothing is overwritten: {again:?}");
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
