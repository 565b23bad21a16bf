//! The commands by what a person wants, and what is made of their definitions: help, man pages, completions.

use std::fmt::Write as _;

use clap::{Command, CommandFactory};

use crate::cli::args::EXIT_STATUS;
use crate::cli::commands::GROUPS;
use crate::cli::{Cli, pages};

/// The program's definitions, its commands grouped, each with its exit statuses and examples.
pub(crate) fn command() -> Command {
    let mut command = Cli::command();
    for (name, statuses) in GROUPS.iter().flat_map(|(_, commands)| *commands) {
        if !statuses.is_empty() {
            command = command.mut_subcommand(name, |command| explained(command, name, statuses));
        }
    }
    let template = format!(
        "{{about-with-newline}}\n{{usage-heading}} {{usage}}\n{}\nOptions:\n{{options}}{{after-help}}",
        listing(&command)
    );
    command.help_template(template)
}

/// A command with its exit statuses and examples, and so are those below it.
fn explained(command: Command, words: &str, statuses: &str) -> Command {
    let below: Vec<String> = command
        .get_subcommands()
        .map(|one| one.get_name().to_owned())
        .collect();
    let command = below.iter().fold(command, |command, name| {
        let words = format!("{words} {name}");
        command.mut_subcommand(name, |command| explained(command, &words, statuses))
    });
    // What can be completed is in the value's name already, and is not all that can be given.
    let command = command.mut_args(|arg| match arg.get_id().as_str() {
        "level" | "index" => arg.hide_possible_values(true),
        _ => arg,
    });
    command.after_help(pages::below(words, statuses))
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
    let mut command = command().disable_help_subcommand(true);
    command.build();
    let mut pages = Vec::new();
    add_pages(&command, "", "", &[], &mut pages)?;
    Ok(pages)
}

/// Adds a command's page, and those of the commands below it.
fn add_pages(
    command: &Command,
    words: &str,
    statuses: &str,
    siblings: &[String],
    pages: &mut Vec<(String, Vec<u8>)>,
) -> std::io::Result<()> {
    let name = page_name(words);
    let shown = |command: &&Command| !command.is_hide_set() && command.get_name() != "help";
    let below: Vec<&Command> = command.get_subcommands().filter(shown).collect();
    let (above, _) = words.rsplit_once(' ').unwrap_or(("", ""));
    let mut related: Vec<String> = if words.is_empty() {
        Vec::new()
    } else {
        vec![page_name(above)]
    };
    related.extend(beside(words).iter().map(|name| page_name(name)));
    related.extend_from_slice(siblings);
    let undo = page_name("undo");
    if pages::keeps_undo_file(words) && name != undo && !related.contains(&undo) {
        related.push(undo);
    }
    let inner = |one: &&Command| page_name(format!("{words} {}", one.get_name()).trim());
    related.extend(below.iter().map(inner));
    let man = clap_mangen::Man::new(command.clone())
        .title(name.to_uppercase())
        .section("8")
        .source(format!("mdtool {}", env!("CARGO_PKG_VERSION")))
        .manual("Metadata of DRBD");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    // Names of commands stay whole.
    page.extend_from_slice(b".nh\n.ad l\n");
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if !below.is_empty() {
        man.render_subcommands_section(&mut page)?;
    }
    let statuses_of_program = statuses_of(words).unwrap_or(statuses);
    pages::sections(words, statuses_of_program, &related).to_writer(&mut page)?;
    pages.push((format!("{name}.8"), page));
    for one in &below {
        let others = below
            .iter()
            .filter(|other| !words.is_empty() && other.get_name() != one.get_name());
        let others: Vec<String> = others.map(inner).collect();
        let words = format!("{words} {}", one.get_name());
        add_pages(one, words.trim(), statuses_of_program, &others, pages)?;
    }
    Ok(())
}

/// What a page is called: `mdtool-bitmap-show`.
fn page_name(words: &str) -> String {
    format!("mdtool {words}").trim().replace(' ', "-")
}

/// What a command says of its statuses, the program where there are no words; nothing of those within another.
fn statuses_of(words: &str) -> Option<&'static str> {
    if words.is_empty() {
        return Some(EXIT_STATUS);
    }
    let mut all = GROUPS.iter().flat_map(|(_, commands)| *commands);
    all.find(|(name, _)| *name == words)
        .map(|(_, statuses)| *statuses)
}

/// The other commands of a command's group.
fn beside(words: &str) -> Vec<&'static str> {
    let mut groups = GROUPS.iter().map(|(_, commands)| commands);
    let group = groups.find(|commands| commands.iter().any(|(name, _)| *name == words));
    let names = group.into_iter().flat_map(|commands| commands.iter());
    names
        .map(|(name, _)| *name)
        .filter(|name| *name != words)
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
