//! The examples: real lines, for what `mdtool demo DIR` leaves.

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
                "mdtool plan truck.raw --stacked --compat 9.22",
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
        "mdtool plan truck.raw --stacked --compat 9.22",
    ),
    (
        "Shown first and not written",
        "mdtool adopt truck.raw --stacked --dry-run",
    ),
];

/// The examples of a command; of the program where it has no words.
pub(crate) fn examples(words: &str) -> &'static [Example] {
    if words.is_empty() {
        return STORY;
    }
    let mut rows = EXAMPLES.iter().filter(|(name, _)| *name == words);
    rows.next().map_or(&[], |(_, examples)| examples)
}
