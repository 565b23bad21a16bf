//! The command line: arguments in, text or JSON out, one exit status.
//!
//! stdout carries data only; warnings, notes and `hint:` lines go to stderr. Everything that knows DRBD is in the library.

mod args;
mod commands;
mod groups;
mod hands;
mod next;
mod outcome;
mod output;
mod pages;
mod ranges;
mod session;
mod size;
mod write;

use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Instant;

use clap::FromArgMatches;

pub use args::Cli;
use outcome::{Asked, Outcome, is_broken_pipe};
use output::document::print_error;
use output::fold::{Folding, columns};
use output::{progress, style};

/// Runs the program as the shell called it.
#[must_use]
pub fn main() -> ExitCode {
    // A write beyond `ulimit -f` is an error, after which everything is put back, and not the end of us half way.
    crate::image::ignore_size_limit_signal();
    let args: Vec<OsString> = std::env::args_os().collect();
    let (mut stdout, mut stderr) = (io::stdout().lock(), io::stderr());
    let width = columns(&stdout).filter(|_| !prints_data(&args));
    let mut folded = Folding::new(&mut stdout, width);
    let width = columns(&stderr);
    let mut out = Streams {
        stdout: &mut folded,
        stderr: &mut Folding::new(&mut stderr, width),
    };
    run(&args, &mut out).into()
}

/// Whether stdout gets what programs read, of which no line may be broken, on a terminal either.
fn prints_data(args: &[OsString]) -> bool {
    let data = ["export", "sum", "completions"];
    let command = args
        .iter()
        .skip(1)
        .find(|arg| !arg.as_encoded_bytes().starts_with(b"-"));
    let asked = ["--json", "--ranges", "-o", "--output", "--help", "-h"];
    let has = |word: &str| args.iter().any(|arg| arg == word);
    let help = has("--help") || has("-h");
    !help
        && (command.is_some_and(|word| data.iter().any(|name| word == name))
            || asked.into_iter().any(has))
}

/// Where a command prints.
pub struct Streams<'a> {
    /// Data only.
    pub stdout: &'a mut dyn Write,
    /// Everything meant for people.
    pub stderr: &'a mut dyn Write,
}

impl Streams<'_> {
    /// Tells people something; that nobody reads it is no reason to stop.
    fn tell(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.stderr, "{line}");
    }
}

/// Runs the program with these arguments, the first of which is its name.
///
/// What goes wrong is told on stderr and is in the status.
pub fn run(args: &[OsString], out: &mut Streams<'_>) -> Outcome {
    let parsed = groups::command().try_get_matches_from(args);
    let json = wants_json(args);
    let cli = match parsed.and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return usage(error, args, out),
    };
    let began = Instant::now();
    let out = &mut Streams {
        stdout: &mut *out.stdout,
        stderr: &mut Folding::new(&mut *out.stderr, None)
            .without_remarks(cli.quiet)
            .for_people(),
    };
    if cli.quiet {
        progress::silence();
    }
    style::set(cli.bytes, cli.verbose, cli.quiet);
    if cli.verbose {
        let build = args::BUILD.replace('\n', ", ");
        out.tell(format_args!("mdtool: {build}: {}", command_line(args)));
    }
    let outcome = run_parsed(&cli, args, json, out);
    if cli.verbose {
        let seconds = began.elapsed().as_secs_f64();
        out.tell(format_args!(
            "mdtool: status {} after {seconds:.2} s",
            outcome.code()
        ));
    }
    outcome
}

/// Runs what the arguments say, and reports what went wrong.
fn run_parsed(cli: &Cli, args: &[OsString], json: bool, out: &mut Streams<'_>) -> Outcome {
    // What is data goes through as it is, and has no remarks.
    let quiet = cli.quiet && !prints_data(args);
    let mut stdout = Folding::new(&mut *out.stdout, None).without_remarks(quiet);
    let mut counted = Counted {
        out: &mut stdout,
        written: false,
    };
    let mut streams = Streams {
        stdout: &mut counted,
        stderr: &mut *out.stderr,
    };
    let outcome = run_command(cli, args, &mut streams);
    let written = counted.written;
    drop(stdout);
    match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            let asked = Asked::of(&cli.command, args);
            tell_error(error, &asked, json && !written, out)
        }
    }
}

/// Whether a document was asked for.
fn wants_json(args: &[OsString]) -> bool {
    let words = args.iter().take_while(|arg| *arg != "--");
    words.into_iter().any(|arg| arg == "--json")
}

/// A stream that knows whether anything was written to it.
struct Counted<'a> {
    out: &'a mut dyn Write,
    written: bool,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.written |= !bytes.is_empty();
        self.out.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Runs a command, and sees to it that all of its output is out.
fn run_command(cli: &Cli, args: &[OsString], out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    cli.command
        .run(&command_line(args), out)
        .and_then(|outcome| {
            if !cli.quiet {
                tell_what_comes_next(&cli.command, outcome, out)?;
            }
            match out.stdout.flush() {
                // What `probe` found is true whoever reads it; and 0 would say that all is well.
                Err(error)
                    if error.kind() == io::ErrorKind::BrokenPipe
                        && matches!(outcome, Outcome::Probed(_)) =>
                {
                    Ok(outcome)
                }
                flushed => Ok(flushed.map(|()| outcome)?),
            }
        })
}

/// Tells what comes next after a command that only looked.
fn tell_what_comes_next(
    command: &commands::Command,
    outcome: Outcome,
    out: &mut Streams<'_>,
) -> io::Result<()> {
    match next::after(command, outcome) {
        Some((next::Place::Text, line)) => writeln!(out.stdout, "next: {line}"),
        Some((next::Place::Aside, line)) => {
            out.tell(format_args!("next: {line}"));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Tells what went wrong: on stderr, and where a document was asked for and none was begun, as one.
fn tell_error(
    error: anyhow::Error,
    asked: &Asked,
    document: bool,
    out: &mut Streams<'_>,
) -> Outcome {
    if is_broken_pipe(&error) {
        return Outcome::Done;
    }
    let error = outcome::placed(error);
    let outcome = outcome::of_error(&error);
    let hints = outcome::hints(&error, asked);
    if document {
        // That it cannot be printed is in the status, too.
        let message = format!("{error:#}");
        let printed = print_error(out.stdout, &message, &hints, outcome.code());
        let _ = printed.and_then(|()| out.stdout.flush());
    }
    out.tell(format_args!("mdtool: {error:#}"));
    if let Some(excerpt) = outcome::excerpt(&error) {
        out.tell(excerpt);
    }
    for hint in hints {
        out.tell(format_args!("hint: {hint}"));
    }
    outcome
}

/// Prints what clap has to say: help on stdout, complaints on stderr.
fn usage(error: clap::Error, args: &[OsString], out: &mut Streams<'_>) -> Outcome {
    if let Some((typed, hint)) = hands::instead(&error, args) {
        out.tell(format_args!("mdtool: {typed} is no command of mdtool"));
        out.tell(format_args!("hint: {hint}"));
        return Outcome::Failed;
    }
    let error = hands::without_trailing(error);
    if error.use_stderr() {
        out.tell(pages::spaced(error.render().to_string().trim_end()));
        return Outcome::Failed;
    }
    let help = pages::spaced(&error.render().to_string());
    let printed = write!(out.stdout, "{help}").and_then(|()| out.stdout.flush());
    match printed {
        // Help that nobody reads to the end was help all the same.
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            out.tell(format_args!("mdtool: {:#}", outcome::placed(error.into())));
            Outcome::Failed
        }
        _ => Outcome::Done,
    }
}

/// The command line for a dump's header: as typed, without the program's directory, on one line.
fn command_line(args: &[OsString]) -> String {
    let words = args
        .iter()
        .skip(1)
        .map(|arg| arg.to_string_lossy().replace(['\n', '\r'], " "));
    std::iter::once("mdtool".to_owned())
        .chain(words)
        .collect::<Vec<_>>()
        .join(" ")
}
