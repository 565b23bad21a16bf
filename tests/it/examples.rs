//! The examples of help and man pages, run where they say: in what `mdtool demo DIR` leaves.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::{Run, mdtool, scratch, tool};

/// Every command that has a page, by its words.
pub(crate) const COMMANDS: [&str; 27] = [
    "probe",
    "locate",
    "show",
    "check",
    "compare",
    "al",
    "bitmap",
    "bitmap show",
    "bitmap set",
    "bitmap clear",
    "diff",
    "files",
    "export",
    "plan",
    "fit",
    "adopt",
    "relocate",
    "import",
    "copy",
    "sum",
    "apply-al",
    "edit",
    "repair",
    "wipe",
    "undo",
    "demo",
    "",
];

/// What `--help` of a command gives as examples.
pub(crate) fn examples(words: &str) -> Vec<String> {
    let help = mdtool(words.split_whitespace().chain(["--help"])).stdout;
    let (_, examples) = help.split_once("\nExamples, ").unwrap_or(("", ""));
    let lines = examples
        .lines()
        .filter_map(|line| line.strip_prefix("    "));
    lines.map(str::to_owned).collect()
}

/// Two directories: what the demo leaves, untouched, and the place of it, made anew for each command.
pub(crate) struct Ground {
    dir: tempfile::TempDir,
}

impl Ground {
    pub(crate) fn new() -> Self {
        let ground = Self { dir: scratch() };
        let run = mdtool(["demo".as_ref(), ground.place().as_os_str()]);
        assert_eq!(run.status, 0, "{run:?}");
        let kept = ground.dir.path().join("kept");
        std::fs::rename(ground.place(), kept).unwrap();
        ground
    }

    /// Where the examples are run; undo files know it by this name.
    pub(crate) fn place(&self) -> std::path::PathBuf {
        self.dir.path().join("truck")
    }

    pub(crate) fn renew(&self) {
        let _ = std::fs::remove_dir_all(self.place());
        let kept = self.dir.path().join("kept");
        let (kept, place) = (kept.to_str().unwrap(), self.place());
        tool(
            "cp",
            &["-a", "--sparse=always", kept, place.to_str().unwrap()],
        );
    }
}

/// A line as a shell runs it.
pub(crate) fn shell(line: &str, dir: &Path) -> Run {
    let program = Path::new(env!("CARGO_BIN_EXE_mdtool"));
    let path = std::env::var("PATH").unwrap();
    let path = format!("{}:{path}", program.parent().unwrap().display());
    let mut command = Command::new("sh");
    command
        .args(["-c", line])
        .current_dir(dir)
        .env("PATH", path);
    command.stdin(Stdio::null()).output().unwrap().into()
}

/// What is other in each run, made the same.
pub(crate) fn filters(place: &Path) -> Vec<(String, &'static str)> {
    let shown = mdtool([
        "show".as_ref(),
        place.join("truck.raw@inner").as_os_str(),
        "--json".as_ref(),
    ]);
    let shown: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
    let random = shown["levels"][0]["current_uuid"]
        .as_str()
        .unwrap()
        .to_owned();
    vec![
        (random, "0xRANDOM_UUID_OF_IT"),
        (place.display().to_string(), "/truck"),
        (r"undo-\d{9,}(-\d+)?".to_owned(), "undo-SECONDS"),
        // How many bytes of a superblock differ depends on those of a random UUID.
        (r"(?m)^(superblock .* 4096 +)\d+$".to_owned(), "${1}N"),
        (r"# \d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*".to_owned(), "# TIME"),
        (r"# \S+> mdtool".to_owned(), "# HOST> mdtool"),
    ]
}

#[test]
fn every_example_does_what_it_says() {
    let ground = Ground::new();
    ground.renew();
    let filters = filters(&ground.place());
    let filters: Vec<(&str, &str)> = filters
        .iter()
        .map(|(from, to)| (from.as_str(), *to))
        .collect();
    for words in COMMANDS
        .into_iter()
        .filter(|words| *words != "demo" && !words.is_empty())
    {
        let examples = examples(words);
        assert!((2..=3).contains(&examples.len()), "{words}: {examples:?}");
        ground.renew();
        let mut transcript = String::new();
        for line in examples {
            assert!(
                line.starts_with(&format!("mdtool {}", words.split(' ').next().unwrap())),
                "{line}"
            );
            let run = shell(&line, &ground.place());
            // A mistake in an example would be a usage or a file that is not there.
            assert!(run.status < 2, "{line}: {run:?}");
            let Run {
                status,
                stdout,
                stderr,
            } = run;
            transcript.push_str(
                &[
                    "$ ",
                    &line,
                    "\n",
                    &stdout,
                    &stderr,
                    "status: ",
                    &status.to_string(),
                    "\n\n",
                ]
                .concat(),
            );
        }
        let name = words.replace(' ', "_");
        insta::with_settings!({filters => filters.clone(), omit_expression => true}, {
            insta::assert_snapshot!(name, transcript);
        });
    }
}

/// What it prints is compared with README.
#[test]
fn the_demos_examples_run() {
    let dir = scratch();
    for line in examples("demo") {
        let run = shell(&line, dir.path());
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{line}");
    }
    assert!(dir.path().join("rehearsal/truck.raw").is_file());
}
