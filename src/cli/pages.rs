//! What help and man pages say of a command beyond its arguments: examples, files, what else to read.
//!
//! The examples are run in the directory that `mdtool demo DIR` leaves, and what they print is compared: `tests/it/examples.rs`.

mod examples;

use std::fmt::Write as _;

use clap_mangen::roff::{Roff, bold, italic, roman};

use examples::examples;

/// A space at which no line is broken.
const NO_BREAK: &str = "\u{a0}";
/// Commands that write metadata: each keeps an undo file.
const WRITING: [&str; 12] = [
    "adopt",
    "relocate",
    "import",
    "apply-al",
    "edit",
    "repair",
    "wipe",
    "undo",
    "bitmap",
    "bitmap set",
    "bitmap clear",
    "diff",
];

/// Whether a command keeps an undo file, which `mdtool undo` reads.
pub(crate) fn keeps_undo_file(words: &str) -> bool {
    WRITING.contains(&words)
}

/// What stands below a command's options: its statuses and examples.
pub(crate) fn below(words: &str, statuses: &str) -> String {
    let mut text = statuses.to_owned();
    let examples = examples(words);
    if !examples.is_empty() {
        text.push_str("\n\nExamples, in what `mdtool demo DIR` leaves:");
    }
    for (what, line) in examples {
        // A string never refuses to be written to.
        let _ = write!(text, "\n  {what}:\n{}", unbroken(&format!("    {line}")));
    }
    text
}

/// A line to be typed, which clap must not break: it knows of no backslash, and our own folding does.
fn unbroken(line: &str) -> String {
    line.replace(' ', NO_BREAK)
}

/// What clap rendered, with the spaces that it was not to break at.
pub(crate) fn spaced(help: &str) -> String {
    help.replace(NO_BREAK, " ")
}

/// The sections behind a man page's options. `related` are the names of pages beside it.
pub(crate) fn sections(words: &str, statuses: &str, related: &[String]) -> Roff {
    let mut page = Roff::new();
    exit_status(&mut page, statuses);
    page.control("SH", ["EXAMPLES"]);
    page.text([
        roman("In the directory that "),
        bold("mdtool demo DIR"),
        roman(" leaves:"),
    ]);
    for (what, line) in examples(words) {
        page.control("TP", []);
        page.text([roman(*what)]);
        page.text([bold(*line)]);
    }
    files(&mut page, words);
    page.control("SH", ["SEE ALSO"]);
    let pages = related.iter().map(|name| (name.as_str(), "8"));
    let drbd = [("drbdadm", "8"), ("drbdmeta", "8"), ("drbd.conf", "5")];
    let mut line = Vec::new();
    for (name, section) in pages.chain(drbd) {
        if !line.is_empty() {
            line.push(roman(", "));
        }
        line.extend([bold(name), roman(format!("({section})"))]);
    }
    page.text(line);
    page
}

/// Each status and what it means, a paragraph each; a table as it is.
fn exit_status(page: &mut Roff, statuses: &str) {
    page.control("SH", ["EXIT STATUS"]);
    let Some(list) = statuses.strip_prefix("Exit status: ") else {
        page.control("nf", []);
        for line in statuses.lines() {
            page.text([roman(line)]);
        }
        page.control("fi", []);
        return;
    };
    let (list, more) = list.split_once("\n\n").unwrap_or((list, ""));
    let list = list.replace('\n', " ");
    for part in list.split("; ") {
        match part.split_once(' ') {
            Some((number, meaning)) if number.len() == 1 && number < ":" => {
                page.control("TP", []);
                page.text([bold(number)]);
                page.text([roman(meaning)]);
            }
            _ => {
                page.text([roman(part)]);
            }
        }
    }
    if !more.is_empty() {
        page.control("PP", []);
        page.text([roman(more)]);
    }
}

/// Which files a command knows besides those that it is given.
fn files(page: &mut Roff, words: &str) {
    page.control("SH", ["FILES"]);
    if keeps_undo_file(words) {
        page.control("TP", []);
        page.text([italic("IMAGE"), roman(".mdtool-undo-"), italic("SECONDS")]);
        page.text([
            roman("What was there before; beside a regular file, and in the working directory for a block device. --undo FILE names another. "),
            bold("mdtool undo"),
            roman(" reads it."),
        ]);
    }
    if words == "copy" {
        page.control("TP", []);
        page.text([italic("TARGET"), roman(".mdtool-copy")]);
        page.text([roman("What has arrived, for --resume; gone when all has.")]);
    }
    page.control("TP", []);
    page.text([italic("/usr/share/doc/mdtool")]);
    page.text([roman("The documentation, where the package is installed. There is no configuration, and no state is kept.")]);
}
