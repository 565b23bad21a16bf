//! What help and man pages say of a command beyond its arguments: examples, files, what else to read.
//!
//! The examples are run in the directory that `mdtool demo DIR` leaves, and what they print is compared: `tests/it/examples.rs`.

use clap_mangen::roff::{Roff, bold, italic, roman};

/// What an example shows, and the line to type.
type Example = (&'static str, &'static str);

/// A command's examples, by its words.
const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "probe",
        &[
            (
                "The outer resource is where DRBD looks",
                "mdtool probe truck.raw",
            ),
            (
                "The inner one, and of which generation it is",
                "mdtool probe truck.raw --stacked",
            ),
            (
                "Where the data ends, for losetup --sizelimit",
                "mdtool probe disk.raw --net-size",
            ),
        ],
    ),
    (
        "locate",
        &[
            (
                "Every level of a stack, and what to do next",
                "mdtool locate truck.raw --stacked",
            ),
            ("The same for a program", "mdtool locate truck.raw --json"),
        ],
    ),
    (
        "show",
        &[
            (
                "All that the inner resource's metadata says",
                "mdtool show truck.raw@inner",
            ),
            ("The same of a dump", "mdtool show inner.md"),
        ],
    ),
    (
        "check",
        &[
            ("Whether DRBD will attach a disk", "mdtool check disk.raw"),
            (
                "One resource of a stack",
                "mdtool check truck.raw --level inner",
            ),
        ],
    ),
    (
        "compare",
        &[
            (
                "Who will send what to whom",
                "mdtool compare truck.raw@inner disk.raw",
            ),
            (
                "The same with a node that was promoted, on a slow line",
                "mdtool compare truck.raw@inner disk.raw --primary a --rate 2MiB",
            ),
        ],
    ),
    (
        "al",
        &[
            ("What the activity log marks", "mdtool al disk.raw"),
            (
                "The inner resource's, for a program",
                "mdtool al truck.raw@inner --json",
            ),
        ],
    ),
    (
        "bitmap",
        &[
            ("How much is out of sync", "mdtool bitmap show disk.raw"),
            (
                "Mark a range, shown first and not written",
                "mdtool bitmap set disk.raw 1GiB+4MiB --dry-run",
            ),
        ],
    ),
    (
        "bitmap show",
        &[
            (
                "How much each slot has out of sync",
                "mdtool bitmap show truck.raw@inner",
            ),
            (
                "Which ranges, START LENGTH in bytes",
                "mdtool bitmap show truck.raw@inner --ranges",
            ),
        ],
    ),
    (
        "bitmap set",
        &[
            (
                "Mark 4 MiB, shown first and not written",
                "mdtool bitmap set disk.raw 1GiB+4MiB --dry-run",
            ),
            (
                "Mark the ranges of a file",
                "mdtool bitmap set disk.raw --from bad --yes",
            ),
        ],
    ),
    (
        "bitmap clear",
        &[
            (
                "Clear a range, shown first and not written",
                "mdtool bitmap clear disk.raw 0..64GiB --dry-run",
            ),
            (
                "Clear the ranges of a file",
                "mdtool bitmap clear disk.raw --from bad --yes",
            ),
        ],
    ),
    (
        "diff",
        &[
            (
                "Which bytes differ, and whether the bitmaps know",
                "mdtool diff truck.raw@inner disk.raw",
            ),
            (
                "The same by checksums, where the other side is far away",
                "mdtool diff disk.raw --sums disk.sums",
            ),
        ],
    ),
    (
        "files",
        &[
            (
                "Whose the ranges out of sync are",
                "mdtool files truck.raw@inner",
            ),
            ("Whose one range is", "mdtool files disk.raw 0+1MiB"),
        ],
    ),
    (
        "export",
        &[
            (
                "The inner resource's metadata into a file",
                "mdtool export truck.raw --stacked -o drbd10.md",
            ),
            (
                "As an older drbd-utils reads it",
                "mdtool export disk.raw --compat 9.22",
            ),
        ],
    ),
    (
        "plan",
        &[
            (
                "Every way to adopt the inner resource",
                "mdtool plan truck.raw --stacked",
            ),
            (
                "Every step of carrying it to another host",
                "mdtool plan truck.raw --stacked --departure --resource r10",
            ),
        ],
    ),
    (
        "fit",
        &[
            ("What DRBD leaves of a disk", "mdtool fit --disk 9TB"),
            (
                "How large a disk must be, in extents of 4 MiB",
                "mdtool fit --net 1TiB --lv-extent 4MiB",
            ),
        ],
    ),
    (
        "adopt",
        &[
            (
                "What would be written, and where",
                "mdtool adopt truck.raw --stacked --dry-run",
            ),
            (
                "Write it, with a way back",
                "mdtool adopt truck.raw --stacked --yes --undo truck.undo",
            ),
        ],
    ),
    (
        "relocate",
        &[
            (
                "Before the disk is cut to a size",
                "mdtool relocate disk.raw --for-size 9000GB --dry-run",
            ),
            (
                "To a meta device",
                "mdtool relocate disk.raw --meta disk.meta --yes --undo meta.undo",
            ),
        ],
    ),
    (
        "import",
        &[
            (
                "What a dump would change on a disk",
                "mdtool import disk.raw inner.md --dry-run",
            ),
            (
                "Write it, with a way back",
                "mdtool import disk.raw inner.md --yes --undo import.undo",
            ),
        ],
    ),
    (
        "copy",
        &[
            (
                "One level of a stack to a new file",
                "mdtool copy truck.raw copy.raw --stacked",
            ),
            (
                "The same through a pipe, as through ssh",
                "mdtool copy truck.raw - --stacked | mdtool copy - piped.raw",
            ),
        ],
    ),
    (
        "sum",
        &[
            (
                "A list of checksums",
                "mdtool sum truck.raw --level inner -o inner.sums",
            ),
            (
                "What is not as it was sent: adopting wrote metadata",
                "mdtool sum --check disk.sums disk.raw",
            ),
        ],
    ),
    (
        "apply-al",
        &[
            (
                "Whether there is anything to apply",
                "mdtool apply-al disk.raw --dry-run",
            ),
            (
                "Apply the inner resource's log",
                "mdtool apply-al truck.raw --level inner --yes",
            ),
        ],
    ),
    (
        "edit",
        &[
            (
                "Clear a flag, shown first and not written",
                "mdtool edit disk.raw --flag -MDF_WAS_UP_TO_DATE --dry-run",
            ),
            (
                "As DRBD 9 has it, as a dump: the disk stays as it is",
                "mdtool edit disk.raw --format v09 --node-id 1 --peer 0 --max-peers 1 -o -",
            ),
        ],
    ),
    (
        "repair",
        &[
            ("What can be mended", "mdtool repair disk.raw --dry-run"),
            (
                "One rule's findings only",
                "mdtool repair truck.raw bits-beyond-end --level inner --dry-run",
            ),
        ],
    ),
    (
        "wipe",
        &[
            (
                "What would be wiped",
                "mdtool wipe truck.raw --level outer --dry-run",
            ),
            (
                "Wipe it, with a way back",
                "mdtool wipe disk.raw --yes --undo wiped.undo",
            ),
        ],
    ),
    (
        "undo",
        &[
            ("What would be put back", "mdtool undo disk.undo --dry-run"),
            (
                "Put it back",
                "mdtool undo disk.undo --yes --undo again.undo",
            ),
        ],
    ),
    (
        "demo",
        &[
            ("Walk through it, and leave nothing behind", "mdtool demo"),
            ("Keep the images to play with", "mdtool demo rehearsal"),
        ],
    ),
];

/// What the program's own page shows.
const STORY: &[Example] = &[
    (
        "Find what is on a disk",
        "mdtool locate truck.raw --stacked",
    ),
    (
        "Every way to put it where DRBD looks",
        "mdtool plan truck.raw --stacked",
    ),
    (
        "Shown first and not written",
        "mdtool adopt truck.raw --stacked --dry-run",
    ),
];

/// Commands that write metadata: each keeps an undo file.
const WRITING: [&str; 13] = [
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
    "copy",
];

/// The examples of a command; of the program where it has no words.
pub(crate) fn examples(words: &str) -> &'static [Example] {
    if words.is_empty() {
        return STORY;
    }
    let mut rows = EXAMPLES.iter().filter(|(name, _)| *name == words);
    rows.next().map_or(&[], |(_, examples)| examples)
}

/// What stands below a command's options: its statuses and examples.
pub(crate) fn below(words: &str, statuses: &str) -> String {
    let mut text = statuses.to_owned();
    let examples = examples(words);
    if !examples.is_empty() {
        text.push_str("\n\nExamples, in what `mdtool demo DIR` leaves:");
    }
    for (what, line) in examples {
        text.push_str(&format!("\n  {what}:\n    {line}"));
    }
    text
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
    if WRITING.contains(&words) {
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
