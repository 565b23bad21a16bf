//! README and the pages of docs/ that answer a question: every command in them is run, and what is printed there is what it prints.
//!
//! A block ` ```console ` has commands behind `$ ` and what they print on either stream; a block ` ```sh ` has commands alone, which must
//! succeed. All of a page runs in one shell, in an empty directory. `MDTOOL_WRITE_DOCUMENTS=1` writes what is printed into the pages: read
//! the difference before you keep it.

use std::path::{Path, PathBuf};

use crate::examples::shell;
use crate::support::scratch;

/// Between the outputs of commands.
const MARK: &str = "=-=-=-= MARK ";

/// The pages, from the root of the sources.
const PAGES: [&str; 6] = [
    "README.md",
    "docs/adopt-a-copied-disk.md",
    "docs/the-disk-grew.md",
    "docs/nothing-is-found.md",
    "docs/what-connecting-will-do.md",
    "docs/probe-in-scripts.md",
];

/// A page in pieces.
#[derive(Debug)]
enum Piece {
    /// Lines that are no output.
    Text(String),
    /// A command, and what the page says that it prints; nothing where the page says nothing.
    Command(String, Option<String>),
}

fn pieces(page: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut block = None;
    for line in page.lines() {
        if let Some(kind) = line.strip_prefix("```") {
            block = (!kind.is_empty()).then(|| kind.to_owned());
            pieces.push(Piece::Text(line.to_owned()));
            continue;
        }
        match (block.as_deref(), line.strip_prefix("$ ")) {
            (Some("console"), Some(command)) => {
                pieces.push(Piece::Command(command.to_owned(), Some(String::new())));
            }
            (Some("console"), None) => match pieces.last_mut() {
                Some(Piece::Command(_, Some(output))) => output.extend([line, "\n"]),
                _ => panic!("{line}: no command before it"),
            },
            (Some("sh"), _) if !line.starts_with('#') && !line.is_empty() => {
                pieces.push(Piece::Command(line.to_owned(), None));
            }
            _ => pieces.push(Piece::Text(line.to_owned())),
        }
    }
    pieces
}

/// Runs the commands of a page; what each printed, and its status.
fn run(pieces: &[Piece], dir: &Path) -> Vec<(String, i32)> {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut script = format!("exec 2>&1; MDTOOL_SOURCES={root}\n");
    for piece in pieces {
        if let Piece::Command(command, _) = piece {
            script.extend([command, "\necho \"", MARK, "$?\"\n"]);
        }
    }
    let printed = shell(&script, dir).stdout;
    let printed = printed.replace(dir.to_str().unwrap(), "/srv");
    let mut parts = printed.split(MARK);
    let mut outputs = vec![parts.next().unwrap().to_owned()];
    let mut statuses = Vec::new();
    for part in parts {
        let (status, output) = part.split_once('\n').unwrap();
        statuses.push(status.parse().unwrap());
        outputs.push(output.to_owned());
    }
    outputs.into_iter().zip(statuses).collect()
}

/// What is other in each run, made the same: seconds in names, and how many bytes of superblocks differ, generations begun at random, where and when a dump was made.
fn settled(text: &str) -> String {
    let mut lines = Vec::new();
    for line in text.lines() {
        let mut words = Vec::new();
        for word in line.split(' ') {
            let plain = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
            let random = plain.len() == 18
                && plain.starts_with("0x")
                && !["6D64746F6F6C", "C0FFEE"]
                    .iter()
                    .any(|fixed| plain.contains(fixed));
            let word = if random {
                word.replace(plain, "0xUUID")
            } else {
                word.to_owned()
            };
            let word = match word.split_once(".mdtool-undo-") {
                Some((name, rest)) => {
                    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '-');
                    format!("{name}.mdtool-undo-N{rest}")
                }
                None => word,
            };
            words.push(word);
        }
        // How many bytes of a superblock differ depends on those of a random UUID.
        if line.starts_with("superblock ")
            && let Some(count) = words.last_mut().filter(|word| word.parse::<u64>().is_ok())
        {
            "N".clone_into(count);
        }
        lines.push(words.join(" ").trim_end().to_owned());
    }
    lines.join("\n").trim_end().to_owned()
}

/// The page with what was printed in the place of what it says.
fn rewritten(pieces: &[Piece], printed: &[(String, i32)]) -> String {
    let mut text = String::new();
    let mut printed = printed.iter();
    for piece in pieces {
        match piece {
            Piece::Text(line) => text.extend([line, "\n"]),
            Piece::Command(command, said) => {
                let (output, _) = printed.next().unwrap();
                let prompt = if said.is_some() { "$ " } else { "" };
                text.extend([prompt, command, "\n"]);
                if said.is_some() {
                    text.push_str(output);
                }
            }
        }
    }
    text
}

/// What a page says otherwise than it is.
fn faults(name: &str) -> Vec<String> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name);
    let page = std::fs::read_to_string(&path).unwrap();
    let pieces = pieces(&page);
    let dir = scratch();
    let printed = run(&pieces, dir.path());
    let commands = pieces.iter().filter_map(|piece| match piece {
        Piece::Command(command, said) => Some((command, said)),
        Piece::Text(_) => None,
    });
    let mut faults = Vec::new();
    let mut count = 0;
    for ((command, said), (output, status)) in commands.zip(&printed) {
        count += 1;
        match said {
            Some(said) if settled(said) != settled(output) => {
                faults.push(format!(
                    "{name}: $ {command}\n--- said\n{said}--- printed\n{output}"
                ));
            }
            None if *status != 0 => {
                faults.push(format!("{name}: {command}: status {status}: {output}"));
            }
            _ => {}
        }
    }
    assert!(count >= 3, "{name} has examples: {count}");
    if std::env::var_os("MDTOOL_WRITE_DOCUMENTS").is_some() {
        crate::support::put(&path, rewritten(&pieces, &printed).as_bytes());
    }
    faults
}

#[test]
fn every_page_prints_what_it_says() {
    let faults: Vec<String> = PAGES.iter().flat_map(|name| faults(name)).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_page_that_lies_is_found() {
    let page = "```console\n$ echo a\nb\n$ true\n```\n\n```sh\nfalse\n```\n";
    let pieces = pieces(page);
    let dir = scratch();
    let printed = run(&pieces, dir.path());
    assert_eq!(
        printed,
        [
            ("a\n".to_owned(), 0),
            (String::new(), 0),
            (String::new(), 1)
        ]
    );
    assert_eq!(rewritten(&pieces, &printed), page.replace("b\n", "a\n"));
}

#[test]
fn readme_is_short_and_names_the_version_of_rust() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| std::fs::read_to_string(root.join(name)).unwrap();
    let readme = read("README.md");
    assert!(readme.lines().count() < 200, "{}", readme.lines().count());
    let manifest = read("Cargo.toml");
    let promised = manifest
        .lines()
        .find_map(|line| line.strip_prefix("rust-version = \""));
    let promised = promised.unwrap().trim_end_matches('"');
    assert!(readme.contains(&format!("Rust {promised}")), "{promised}");
    for line in readme.lines().filter(|line| line.starts_with("cargo ")) {
        assert!(line.contains("--locked"), "{line}");
    }
    let version = manifest
        .lines()
        .find_map(|line| line.strip_prefix("version = \""));
    let version = version.unwrap().trim_end_matches('"');
    assert!(
        read("packaging/changelog").starts_with(&format!("mdtool ({version}-")),
        "{version}"
    );
}
