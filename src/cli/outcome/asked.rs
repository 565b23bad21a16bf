//! What a command was asked about, which hints then name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::commands::Command;
use crate::cli::commands::bitmap::args::Action;
use crate::cli::next::typed;
use crate::cli::output::explain::shell_word;

/// What a command was asked about.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    /// The image, and which resource of it is meant.
    image: Option<(ImageArgs, Option<LevelChoice>)>,
    /// What may be a dump.
    dump: Option<PathBuf>,
    /// The words of the command line behind the program's name.
    words: Vec<OsString>,
    /// It writes, and asks before.
    asks: bool,
}

impl Asked {
    /// By a command line.
    pub(crate) fn of(command: &Command, args: &[OsString]) -> Self {
        let image = image(command);
        let dump = match command {
            Command::Import(args) => Some(args.dump.clone()),
            _ => image.as_ref().map(|(image, _)| image.image.clone()),
        };
        Self {
            image,
            dump,
            words: args.iter().skip(1).cloned().collect(),
            asks: matches!(command, Command::Import(_)),
        }
    }

    /// About one image of several.
    pub(crate) fn about(image: &ImageArgs) -> Self {
        Self {
            image: Some((image.clone(), None)),
            ..Self::default()
        }
    }

    /// A hint that says IMAGE, and DISK where no part of it can be meant, with the name of what was asked about.
    pub(super) fn named(&self, hint: &str) -> String {
        let Some((image, level)) = &self.image else {
            return hint.to_owned();
        };
        let alone = ImageArgs {
            stacked: false,
            at: None,
            ..image.clone()
        };
        hint.replace(
            "IMAGE --scan full",
            &format!("{} --scan full", typed(&alone, None)),
        )
        .replace(
            "relocate IMAGE",
            &format!("relocate {}", relocated(image, *level)),
        )
        .replace("fit DISK", &format!("fit {}", shell_word(&image.image)))
        .replace("IMAGE", &typed(image, *level))
    }

    /// A dump's name, `-` apart, and the same command that reads it from standard input.
    pub(super) fn piped(&self, read: Option<&Path>) -> (String, String) {
        let dump = read.or(self.dump.as_deref());
        let known = dump.filter(|dump| *dump != Path::new("-"));
        let name = known.map_or_else(|| "DUMP".to_owned(), shell_word);
        let mut words = vec!["mdtool".to_owned()];
        words.extend(self.words.iter().map(|word| {
            let is_it = known.is_some_and(|dump| dump.as_os_str() == word);
            if is_it || word == "-" {
                "-".to_owned()
            } else if word.as_encoded_bytes().starts_with(b"-") {
                word.to_string_lossy().into_owned()
            } else {
                shell_word(Path::new(word))
            }
        }));
        let answers = ["-n", "--dry-run", "-y", "--yes"];
        let answered = self
            .words
            .iter()
            .any(|word| answers.iter().any(|one| word == one));
        if self.asks && !answered {
            // Nobody can be asked where standard input is a dump.
            words.push("-n".to_owned());
        }
        (name, words.join(" "))
    }
}

/// What `relocate` takes: it has no option for a stack, and names its inner resource as a level.
fn relocated(image: &ImageArgs, level: Option<LevelChoice>) -> String {
    let inner = image.stacked.then_some(LevelChoice::Inner);
    let image = ImageArgs {
        stacked: false,
        ..image.clone()
    };
    typed(&image, level.or(inner))
}

/// The image that a command is about, where it is about one.
fn image(command: &Command) -> Option<(ImageArgs, Option<LevelChoice>)> {
    let (image, level) = match command {
        Command::Locate(args) => (&args.image, args.level),
        Command::Show(args) => (&args.image, args.level),
        Command::Check(args) => (&args.image, args.level),
        Command::Al(args) => (&args.image, args.level),
        Command::Bitmap(args) => match &args.action {
            Action::Show(args) => (&args.image, args.level),
            Action::Set(args) => (&args.change.image, args.change.level),
            Action::Clear(args) => (&args.change.image, args.change.level),
        },
        Command::Files(args) => (&args.image, args.level),
        Command::Export(args) => (&args.image, args.level),
        Command::Plan(args) => (&args.image, args.level),
        Command::Adopt(args) => (&args.image, args.level),
        Command::Relocate(args) => return Some((args.source(), args.level)),
        Command::Import(args) => return Some((ImageArgs::whole(&args.target, args.index), None)),
        Command::Copy(args) => (&args.image, args.level),
        Command::Sum(args) => (&args.image, args.level),
        Command::ApplyAl(args) => (&args.image, args.level),
        Command::Edit(args) => (&args.image, args.level),
        Command::Repair(args) => (&args.image, args.level),
        Command::Wipe(args) => (&args.image, args.level),
        Command::Probe(_)
        | Command::Compare(_)
        | Command::Diff(_)
        | Command::Fit(_)
        | Command::Undo(_)
        | Command::Demo(_)
        | Command::Man(_)
        | Command::Completions(_) => return None,
    };
    Some(crate::cli::session::source::named(image, level))
}
