//! The commands by what a person wants, and what is made of their definitions: help, man pages, completions.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use super::Cli;

/// A command, and how its exit status is to be read; nothing where its own definition says so.
type Entry = (&'static str, Option<&'static str>);

/// What a person wants, and the commands for it.
pub(super) const GROUPS: [(&str, &[Entry]); 5] = [
    (
        "Look",
        &[
            ("probe", None),
            (
                "locate",
                Some(
                    "0 metadata was found; 1 there is none, or no stack with --stacked (the report is printed all the same); \
                 2 could not look",
                ),
            ),
            (
                "show",
                Some("0 shown; 1 there is no metadata, or no such level; 2 could not look"),
            ),
            (
                "check",
                Some(
                    "0 nothing above a note was found; 1 there are warnings or errors, or there is no metadata; 2 could not look",
                ),
            ),
            (
                "al",
                Some(
                    "0 the log names all that may have been written to; 1 it does not, or there is no metadata; 2 could not look",
                ),
            ),
        ],
    ),
    (
        "Take out",
        &[(
            "export",
            Some(
                "0 exported; 1 there is no metadata, or no such level; 2 could not, or refused: unclean metadata wants --apply-al",
            ),
        )],
    ),
    (
        "Put in",
        &[
            (
                "plan",
                Some(
                    "0 at least one way works; 1 none does, or there is no metadata; 2 could not look",
                ),
            ),
            (
                "adopt",
                Some(
                    "0 done; 1 there is no metadata, or no such level; 2 refused, or could not: the disk is as it was, or the message \
                 names the undo file",
                ),
            ),
            (
                "import",
                Some(
                    "0 done; 2 refused, or could not: the disk is as it was, or the message names the undo file",
                ),
            ),
        ],
    ),
    (
        "Repair and take back",
        &[
            (
                "apply-al",
                Some(
                    "0 applied; 1 there is no metadata, or no such level; 2 refused, or could not: a log that does not show all \
                 wants --mark-all",
                ),
            ),
            (
                "undo",
                Some(
                    "0 everything is as it was before; 2 refused, or could not: it can be run again",
                ),
            ),
        ],
    ),
    (
        "Rehearse",
        &[("demo", Some("0 all went well; 2 something did not"))],
    ),
];

/// The program's definitions, its commands grouped, each with its exit statuses.
pub(super) fn command() -> Command {
    let mut command = Cli::command();
    for (_, commands) in GROUPS {
        for (name, statuses) in commands {
            let Some(statuses) = statuses else {
                continue;
            };
            let statuses = format!("Exit status: {statuses}.");
            command = command.mut_subcommand(name, |command| command.after_help(statuses));
        }
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{}\nOptions:\n{{options}}{{after-help}}",
        listing(&command)
    );
    command.help_template(template)
}

/// Every group with its commands, in the words of their definitions.
fn listing(command: &Command) -> String {
    let names = GROUPS.iter().flat_map(|(_, commands)| *commands);
    let width = names.map(|(name, _)| name.len()).max().unwrap_or(0);
    let mut text = String::new();
    for (want, commands) in GROUPS {
        // A string never refuses to be written to.
        let _ = writeln!(text, "\n{want}:");
        for (name, _) in commands {
            let about = command
                .find_subcommand(name)
                .and_then(Command::get_about)
                .map(ToString::to_string)
                .unwrap_or_default();
            let _ = writeln!(text, "  {name:width$}  {about}");
        }
    }
    text
}

/// The man pages: each file's name and its text, the program's own first.
pub(super) fn man_pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let mut command = command();
    command.build();
    let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let subcommands: Vec<Command> = command.get_subcommands().filter(shown).cloned().collect();
    std::iter::once(command)
        .chain(subcommands)
        .map(|command| {
            let man = clap_mangen::Man::new(command.disable_help_subcommand(true));
            let mut page = Vec::new();
            man.render(&mut page)?;
            Ok((man.get_filename(), page))
        })
        .collect()
}

/// What a shell reads to complete the program's words.
pub(super) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "mdtool", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_is_in_exactly_one_group() {
        let command = Cli::command();
        let mut defined: Vec<&str> = command
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(Command::get_name)
            .collect();
        let mut grouped: Vec<&str> = GROUPS
            .iter()
            .flat_map(|(_, commands)| commands.iter().map(|(name, _)| *name))
            .collect();
        defined.sort_unstable();
        grouped.sort_unstable();
        assert_eq!(grouped, defined);
    }

    #[test]
    fn the_definitions_contradict_nothing() {
        command().debug_assert();
    }
}
