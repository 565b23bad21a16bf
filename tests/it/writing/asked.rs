//! What is shown before a question, and what its answers do.

use std::path::Path;

use mdtool::builder::{LaSize, Level};

use super::{Disk, INNER, MIB, SIZE, Terminal, ok, some_bits, text};
use crate::apply_al::{PRIMARY, one_extent};
use crate::support::patch;

fn unclean() -> Level {
    let level = Level::v08().current_uuid(INNER).unclean().flags(PRIMARY);
    level.al_nr_extents(67).activity_log(one_extent(2).area())
}

/// A disk, a command that asks about it, and what it says before.
struct Asks {
    disk: Disk,
    command: Vec<String>,
    says: Vec<String>,
}

impl Asks {
    fn new(disk: Disk, command: &[&str], says: &[&str]) -> Self {
        let owned = |words: &[&str]| words.iter().map(ToString::to_string).collect();
        let mut says: Vec<String> = owned(says);
        says.push(format!("current UUID 0x{INNER:016X}"));
        Self {
            command: owned(command),
            says,
            disk,
        }
    }

    fn words(&self) -> Vec<&str> {
        self.command.iter().map(String::as_str).collect()
    }
}

fn adopting(strategy: &str, says: &str) -> Asks {
    let disk = Disk::stack();
    let (name, meta) = (disk.name().to_owned(), disk.file("meta"));
    let mut command = vec!["adopt", &name, "--stacked", "--strategy", strategy];
    if strategy == "external" {
        command.extend(["--meta", text(&meta)]);
    }
    let strategy = format!("strategy {strategy}");
    Asks::new(disk, &command, &["inner resource, v08", &strategy, says])
}

fn questions() -> Vec<Asks> {
    let unclean = Disk::of(&[unclean()]);
    let name = unclean.name().to_owned();
    let says = [
        "single resource, v08",
        "DRBD device: 16736256 bytes",
        "gains 1024 bits",
    ];
    let applying = Asks::new(unclean, &["apply-al", &name], &says);

    let disk = Disk::of(&[some_bits(Level::v08().current_uuid(INNER))]);
    let (name, dump) = (disk.name().to_owned(), disk.file("dump.md"));
    ok(&["export", &name, "-o", text(&dump)]);
    patch(&disk.path, disk.end() + 8, b"another");
    let says = [
        "v08 metadata of",
        "is written where DRBD looks",
        "DRBD device: 16736256",
    ];
    let importing = Asks::new(disk, &["import", &name, text(&dump)], &says);
    vec![
        applying,
        importing,
        adopting("relocate", "where DRBD looks"),
        adopting("truncate", "are cut off"),
        adopting("external", "keeps none"),
    ]
}

#[test]
fn the_question_comes_after_words_numbers_and_the_way_back() {
    for asks in questions() {
        let (disk, command) = (&asks.disk, asks.words());
        let before = disk.bytes();
        let names = || std::fs::read_dir(disk.dir.path()).unwrap().count();
        let had = names();
        for no in ["no\n", "\n", "y\n", "YES\n", "\u{4}"] {
            let Some(mut asked) = Terminal::run(&command) else {
                return;
            };
            asked.asks();
            let (status, shown) = asked.answer(no);
            assert_eq!(status, 2, "{command:?} {no:?}: {shown}");
            assert!(
                shown.contains("nothing was written"),
                "{command:?}: {shown}"
            );
            assert!(!shown.contains("expected --yes"), "{command:?}: {shown}");
            assert!(disk.bytes() == before, "{command:?} {no:?}");
            assert_eq!(names(), had, "{command:?} {no:?}: nothing is left");
            let mut from = 0;
            let parts = asks.says.iter().map(String::as_str);
            // In this order; the words first, then the table, then the undo file, then the question.
            for part in parts.chain(["from byte", "undo file: ", "Type yes to go on: "]) {
                let found = shown.find(part);
                let found = found.unwrap_or_else(|| panic!("{command:?}: {part:?} in {shown}"));
                if ["from byte", "undo file: ", "Type yes to go on: "].contains(&part) {
                    assert!(
                        found > from,
                        "{command:?}: {part:?} comes too early: {shown}"
                    );
                    from = found;
                }
            }
        }
        let mut asked = Terminal::run(&command).unwrap();
        asked.asks();
        let (status, shown) = asked.answer("yes\n");
        assert_eq!(status, 0, "{command:?}: {shown}");
        assert!(disk.bytes() != before, "{command:?}");
        assert!(
            shown.contains("next: mdtool check "),
            "{command:?}: {shown}"
        );
        assert!(shown.contains("drbdadm up"), "{command:?}: {shown}");
    }
}

/// The commands that say less before they ask.
fn more_questions() -> Vec<(Disk, Vec<String>)> {
    let one = || Disk::of(&[some_bits(Level::v08().current_uuid(INNER))]);
    let words = |disk: &Disk, words: &[&str]| {
        let name = |word: &&str| word.replace("DISK", disk.name());
        words.iter().map(name).collect::<Vec<_>>()
    };
    let (edited, wiped, undone) = (one(), one(), Disk::stack());
    let undo = undone.file("undo");
    let adopt = ["adopt", undone.name(), "--stacked", "--yes", "--undo"];
    ok(&[&adopt[..], &[text(&undo)]].concat());
    patch(&undone.path, undone.end() + 8, b"since");
    let edit = words(
        &edited,
        &["edit", "DISK", "--current-uuid", "0x0000ABCD0000ABCD"],
    );
    let wipe = words(&wiped, &["wipe", "DISK"]);
    let undo = words(&undone, &["undo", text(&undo)]);
    vec![(edited, edit), (wiped, wipe), (undone, undo)]
}

#[test]
fn edit_wipe_and_undo_take_no_for_an_answer() {
    for (disk, command) in more_questions() {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let before = disk.bytes();
        for no in ["no\n", "\n", "YES\n", "\u{4}"] {
            let Some(mut asked) = Terminal::run(&command) else {
                return;
            };
            asked.asks();
            let (status, shown) = asked.answer(no);
            assert_eq!(status, 2, "{command:?} {no:?}: {shown}");
            assert!(
                shown.contains("nothing was written"),
                "{command:?}: {shown}"
            );
            assert!(disk.bytes() == before, "{command:?} {no:?}");
        }
        disk.refuses(&command, "expected --yes");
        let mut asked = Terminal::run(&command).unwrap();
        asked.asks();
        let (status, shown) = asked.answer("yes\n");
        assert_eq!(status, 0, "{command:?}: {shown}");
        assert!(disk.bytes() != before, "{command:?}");
        assert!(shown.contains("next: "), "{command:?}: {shown}");
        let named = shown.split("undo file: ").nth(1).unwrap().lines().next();
        let named = named.unwrap().trim();
        assert!(Path::new(named).is_file(), "{command:?}: {named}");
    }
}

#[test]
fn an_interrupt_at_the_question_leaves_nothing_behind() {
    let asked = questions()
        .into_iter()
        .map(|asks| (asks.disk, asks.command));
    for (disk, command) in asked.chain(more_questions()) {
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let before = disk.bytes();
        let names = || std::fs::read_dir(disk.dir.path()).unwrap().count();
        let had = names();
        let Some(mut asked) = Terminal::run(&command) else {
            return;
        };
        asked.asks();
        let (status, shown) = asked.answer("\u{3}");
        assert_ne!(status, 0, "{command:?}: {shown}");
        assert!(disk.bytes() == before, "{command:?}");
        assert_eq!(names(), had, "{command:?}: nothing is left");
    }
}

#[test]
fn without_a_terminal_yes_is_asked_for() {
    for asks in questions() {
        let (disk, command) = (&asks.disk, asks.words());
        let run = disk.refuses(&command, "expected --yes");
        assert!(run.stderr.contains("no terminal to ask at"), "{run:?}");
        assert!(run.stderr.contains("--yes goes on"), "{run:?}");
    }
}

#[test]
fn short_options_do_what_the_long_ones_do() {
    for asks in questions() {
        let (disk, command) = (&asks.disk, asks.words());
        let before = disk.bytes();
        let short = ok(&[&command[..], &["-n"]].concat());
        let long = ok(&[&command[..], &["--dry-run"]].concat());
        assert_eq!(short, long);
        assert!(disk.bytes() == before, "{command:?}");
        ok(&[&command[..], &["-y"]].concat());
        assert!(disk.bytes() != before, "{command:?}");
    }
}

#[test]
fn a_device_that_will_grow_to_the_whole_disk_is_told_of() {
    let disk = Disk::grown(Level::v08().la_size(LaSize::Zero));
    let says = format!(
        "DRBD makes the device as large as fits, {}",
        SIZE + 65_536 - 40_960
    );
    for more in ["--dry-run", "--yes"] {
        let run = ok(&["adopt", disk.name(), more]);
        assert!(run.stderr.contains(&says), "{says:?} in {run:?}");
    }
}

#[test]
fn importing_a_device_that_will_grow_tells_of_it() {
    let disk = Disk::of(&[Level::v08().la_size(LaSize::Zero)]);
    let (dump, larger) = (disk.file("dump.md"), Disk::of_size(SIZE + MIB, &[]));
    ok(&["export", disk.name(), "-o", text(&dump)]);
    let says = "DRBD makes the device as large as fits, ";
    for more in ["--dry-run", "--yes"] {
        let run = ok(&["import", larger.name(), text(&dump), more]);
        assert!(run.stderr.contains(says), "{says:?} in {run:?}");
    }
    // Where a size was agreed on, nothing grows.
    let (disk, larger) = (Disk::of(&[Level::v08()]), Disk::of_size(SIZE + MIB, &[]));
    let dump = disk.file("agreed.md");
    ok(&["export", disk.name(), "-o", text(&dump)]);
    let run = ok(&["import", larger.name(), text(&dump), "--yes"]);
    assert!(!run.stderr.contains(says), "{run:?}");
}

#[test]
fn flags_without_0x_are_not_guessed() {
    let disk = Disk::of(&[Level::v08()]);
    let dump = disk.file("dump.md");
    ok(&["export", disk.name(), "-o", text(&dump)]);
    let import = ["import", disk.name(), text(&dump), "--yes", "--flags"];
    for flags in ["91", "145", "0"] {
        let run = disk.refuses(&[&import[..], &[flags]].concat(), "expected 0x");
        assert!(run.stderr.contains("CONSISTENT"), "{run:?}");
    }
    ok(&[&import[..], &["CONSISTENT,WAS_UP_TO_DATE,AL_CLEAN"]].concat());
    let dump = ok(&["export", disk.name()]).stdout;
    assert!(dump.contains("0x00000091"), "{dump}");
}
