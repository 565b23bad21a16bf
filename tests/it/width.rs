//! No line of text is wider than the terminal, but for words that cannot be broken: paths.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::examples::{COMMANDS, Ground, examples};
use crate::support::require_tool;

/// Runs a line on a terminal of so many columns, where `answer` is typed.
fn on_terminal(line: &str, columns: usize, answer: &str, dir: &std::path::Path) -> String {
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_mdtool"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let line = format!("stty cols {columns} rows 50 -echo; {line}");
    let mut child = Command::new("script")
        .args(["-q", "-e", "-c", &line, "/dev/null"])
        .current_dir(dir)
        .env("PATH", path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    drop(stdin);
    String::from_utf8_lossy(&output.stdout).replace("\r\n", "\n")
}

/// What follows an escape sequence whose first character is gone.
fn without_escape(line: &str) -> &str {
    let sequence = line
        .strip_prefix('[')
        .filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let behind = sequence.and_then(|rest| rest.split_once(|c: char| c.is_ascii_alphabetic()));
    behind.map_or(line, |(_, behind)| behind)
}

/// Lines that are too wide, and could have been broken.
fn too_wide(text: &str, columns: usize) -> Vec<&str> {
    let is_path = |word: &str| word.len() > 20 && word.contains('/');
    let breakable =
        |line: &&str| line.split_whitespace().count() > 1 && !line.split_whitespace().any(is_path);
    // What draws a bar begins anew behind a carriage return or an escape sequence.
    let lines = text.lines().flat_map(|line| line.split(['\r', '\u{1b}']));
    lines
        .map(|line| without_escape(line).trim_end())
        .filter(|line| line.chars().count() > columns)
        .filter(breakable)
        .collect()
}

/// Whether an example prints data for programs, which is not folded.
fn is_data(line: &str) -> bool {
    ["--json", "--ranges", "mdtool export", "mdtool sum", "-o -"]
        .iter()
        .any(|word| line.contains(word))
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    if !require_tool("script") {
        return;
    }
    let ground = Ground::new();
    ground.renew();
    let place = ground.place();
    assert_eq!(
        on_terminal(
            "tput cols 2>/dev/null || stty size | cut -d' ' -f2",
            60,
            "",
            &place
        )
        .trim(),
        "60"
    );
    let unfolded = crate::examples::shell("mdtool locate truck.raw --stacked", &place).stdout;
    assert!(
        too_wide(&unfolded, 120).len() == 1 && too_wide(&unfolded, 60).len() > 5,
        "the premise: {unfolded}"
    );
    let mut wide = Vec::new();
    for columns in [60, 80, 120] {
        for words in COMMANDS.iter().filter(|words| **words != "demo") {
            let mut lines: Vec<String> = examples(words)
                .into_iter()
                .filter(|line| !is_data(line))
                .collect();
            lines.push(format!("mdtool {words} --help"));
            if columns == 60 {
                lines.push(format!("mdtool {words} -h"));
            }
            ground.renew();
            for line in lines {
                let text = on_terminal(&line, columns, "", &place);
                assert!(!text.is_empty(), "{line}");
                wide.extend(
                    too_wide(&text, columns)
                        .iter()
                        .map(|one| format!("{columns}: {line}: {one}")),
                );
            }
        }
        for line in [
            "mdtool",
            "mdtool show nothing.raw",
            "mdtool export disk.raw --compat x",
            "mdtool dump-md x",
            "mdtool adopt x --yess",
        ] {
            let text = on_terminal(line, columns, "", &place);
            wide.extend(
                too_wide(&text, columns)
                    .iter()
                    .map(|one| format!("{columns}: {line}: {one}")),
            );
        }
    }
    assert!(wide.is_empty(), "{}", wide.join("\n"));
}

/// A question stands whole before the answer, and nothing is written where that is no.
#[test]
fn a_question_is_asked_on_the_terminal() {
    if !require_tool("script") {
        return;
    }
    let ground = Ground::new();
    ground.renew();
    let text = on_terminal(
        "mdtool adopt truck.raw --stacked",
        60,
        "no\n",
        &ground.place(),
    );
    assert!(
        text.contains("Type yes to go") && text.contains("nothing was written"),
        "{text}"
    );
    // What follows stands on the line of the answer, which is not echoed here.
    let text = text.replace("go on: ", "go on:\n");
    assert!(too_wide(&text, 60).is_empty(), "{text}");
}

/// What a program reads is as it is in a pipe.
#[test]
fn data_is_not_folded() {
    if !require_tool("script") {
        return;
    }
    let ground = Ground::new();
    ground.renew();
    let place = ground.place();
    for line in [
        "mdtool locate truck.raw --json",
        "mdtool bitmap show disk.raw --ranges",
    ] {
        let text = on_terminal(line, 60, "", &place);
        assert_eq!(text, crate::examples::shell(line, &place).stdout, "{line}");
    }
}
