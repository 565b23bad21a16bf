//! The commands by what a person wants, and what is made of their definitions: help, man pages, completions.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::cli::commands::GROUPS;

/// The program's definitions, its commands grouped, each with its exit statuses.
pub(crate) fn command() -> Command {
    let mut command = Cli::command();
    for (name, statuses) in GROUPS.iter().flat_map(|(_, commands)| *commands) {
        if !statuses.is_empty() {
            command = command.mut_subcommand(name, |command| command.after_help(*statuses));
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
    for (want, commands) in GROUPS.iter().filter(|(want, _)| !want.is_empty()) {
        // A string never refuses to be written to.
        let _ = writeln!(text, "\n{want}:");
        for (name, _) in *commands {
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
pub(crate) fn man_pages() -> std::io::Result<Vec<(String, Vec<u8>)>> {
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
pub(crate) fn completions(shell: clap_complete::Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "mdtool", &mut script);
    script
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_definitions_contradict_nothing() {
        command().debug_assert();
    }
}
