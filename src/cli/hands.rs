//! What hands type that is no command of ours: other tools' words, answered by the command that is meant.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Words of drbdmeta, mdadm and others, and what does that here.
const WORDS: &[(&[&str], &str)] = &[
    (
        &["dump-md", "dump", "backup", "save"],
        "`mdtool export IMAGE` prints a resource's metadata as dump-md does; -o FILE writes it to a file",
    ),
    (
        &["restore-md", "restore", "load"],
        "`mdtool import TARGET DUMP` puts a dump's metadata where DRBD looks; -n shows first what that changes",
    ),
    (
        &[
            "info",
            "examine",
            "detail",
            "print",
            "view",
            "get-gi",
            "show-gi",
            "dump-superblock",
            "read-dev-uuid",
        ],
        "`mdtool show IMAGE` shows all that the metadata says",
    ),
    (
        &["verify-dump"],
        "`mdtool show DUMP` reads a dump and shows what it says",
    ),
    (
        &["verify", "validate", "fsck"],
        "`mdtool check IMAGE` judges every resource",
    ),
    (
        &["list", "ls", "scan", "find", "search", "detect"],
        "`mdtool locate IMAGE` finds every level of a stack",
    ),
    (
        &["dstate", "status", "state", "test"],
        "`mdtool probe IMAGE` answers in one line and one status",
    ),
    (
        &["wipe-md", "erase", "zap", "delete", "remove"],
        "`mdtool wipe IMAGE` makes metadata zeros; -n shows first what that changes",
    ),
    (
        &["create", "init"],
        "mdtool makes no new metadata, it finds and moves what is there: `mdtool locate IMAGE` looks for it; `mdtool fit DISK` says what room new metadata takes",
    ),
    (
        &["check-resize", "resize", "grow", "shrink", "move"],
        "`mdtool relocate IMAGE` moves metadata to where DRBD looks after the disk's size changed",
    ),
    (
        &["forget-peer"],
        "`mdtool edit IMAGE --forget NODE` frees a peer's slot",
    ),
    (
        &["new-current-uuid"],
        "`mdtool edit IMAGE --new-generation` begins a new generation",
    ),
    (
        &[
            "set-gi",
            "write-dev-uuid",
            "outdate",
            "invalidate",
            "convert",
            "set",
            "modify",
        ],
        "`mdtool edit IMAGE CHANGE` changes metadata; `mdtool edit --help` lists the changes",
    ),
    (
        &["fix", "mend"],
        "`mdtool repair IMAGE` mends what has one right answer",
    ),
    (
        &["revert", "rollback"],
        "`mdtool undo FILE` puts back what a command changed",
    ),
    (
        &["clone", "send"],
        "`mdtool copy SOURCE TARGET` copies one level of a stack",
    ),
    (
        &["checksum", "hash"],
        "`mdtool sum IMAGE` lists checksums by chunk",
    ),
    (&["version"], "`mdtool --version` prints it"),
];

/// What is meant by a word, with or without dashes before it.
fn meant(word: &str) -> Option<&'static str> {
    let word = word.trim_start_matches('-');
    let row = |word: &str| WORDS.iter().find(|(words, _)| words.contains(&word));
    let bare = || word.strip_suffix("-md").and_then(row);
    row(word).or_else(bare).map(|(_, hint)| *hint)
}

/// What was typed in a command's place, and what to type instead; nothing where that is not known.
///
/// drbdmeta has its verb last: `mdtool 0 v08 /dev/sdb internal dump-md`.
pub(crate) fn instead(error: &clap::Error, args: &[OsString]) -> Option<(String, &'static str)> {
    let context = match error.kind() {
        ErrorKind::InvalidSubcommand => ContextKind::InvalidSubcommand,
        ErrorKind::UnknownArgument => ContextKind::InvalidArg,
        _ => return None,
    };
    let ContextValue::String(typed) = error.get(context)? else {
        return None;
    };
    let mut words = args.iter().skip(1).filter_map(|arg| arg.to_str());
    if words.next() != Some(typed) {
        // A command's own arguments.
        return None;
    }
    let verb = |word: &str| word.contains('-').then(|| meant(word)).flatten();
    let hint = meant(typed).or_else(|| words.find_map(verb))?;
    Some((typed.clone(), hint))
}

/// What is meant by an option that is none, where the likest one is another thing.
fn better_tip(error: &mut clap::Error) {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let tip = match (
        text(ContextKind::InvalidArg),
        text(ContextKind::SuggestedArg),
    ) {
        (Some("--inner"), Some("--index")) => "the inner resource of a stack is '--level inner'",
        (Some("--outer"), Some(_)) => "the outer resource of a stack is '--level outer'",
        (Some("--force-yes"), Some("--force")) => "'--yes' answers what is asked",
        _ => return,
    };
    error.remove(ContextKind::SuggestedArg);
    error.insert(
        ContextKind::Suggested,
        ContextValue::StyledStrs(vec![tip.into()]),
    );
}

/// The complaint without the advice to give a mistyped option as a value: `-- -y` would name a file.
pub(crate) fn without_trailing(mut error: clap::Error) -> clap::Error {
    if let Some(ContextValue::StyledStrs(tips)) = error.remove(ContextKind::Suggested) {
        let trailing = |tip: &str| tip.starts_with("to pass ");
        let mut tips = tips;
        tips.retain(|tip| !trailing(&tip.to_string()));
        if !tips.is_empty() {
            error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
        }
    }
    better_tip(&mut error);
    error
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::groups;

    #[test]
    fn no_word_is_a_command_of_ours_and_none_is_there_twice() {
        let command = groups::command();
        let mut seen = Vec::new();
        for word in WORDS.iter().flat_map(|(words, _)| *words) {
            assert!(command.find_subcommand(word).is_none(), "{word}");
            assert!(!seen.contains(word), "{word}");
            seen.push(word);
        }
    }

    #[test]
    fn every_advice_names_a_command_that_is_there() {
        let command = groups::command();
        for (_, hint) in WORDS {
            for rest in hint.split("`mdtool ").skip(1) {
                let name = rest.split([' ', '`']).next().unwrap();
                assert!(
                    name.starts_with("--") || command.find_subcommand(name).is_some(),
                    "{hint}"
                );
            }
        }
    }
}
