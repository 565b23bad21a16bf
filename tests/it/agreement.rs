//! Every looking command on every image: no answer contradicts another, and every hint leads somewhere.

/// The images that every command looks at.
mod cases;
mod images;
/// One answer for each kind of which commands said different things.
mod kinds;
/// Ways that plan calls feasible.
mod planned;
/// The slots of a meta device, one resource each.
mod slots;
/// What to do next, for one resource of several.
mod steps;
/// Hints as they are typed.
mod typed;

use std::collections::BTreeSet;

use serde_json::Value;

use cases::of_cases;
use images::{Image, of_each_kind, of_kernels};

use crate::support::{Run, mdtool, scratch};

fn run(command: &str, image: &Image, more: &[&str]) -> Run {
    let args = [command, image.path.to_str().unwrap()];
    mdtool(args.iter().chain(more))
}

fn json(command: &str, image: &Image) -> (i32, Value) {
    let run = run(command, image, &["--json"]);
    let document = serde_json::from_str(&run.stdout);
    let name = &image.name;
    let document: Value = document.unwrap_or_else(|_| panic!("{name}: {command}: {run:?}"));
    assert_eq!(document["schema"], 1, "{name}: {command}");
    assert_eq!(
        document["mdtool"],
        env!("CARGO_PKG_VERSION"),
        "{name}: {command}"
    );
    (run.status, document)
}

/// The statuses that go with each answer of `probe`.
struct Row {
    word: &'static str,
    locate: &'static [i32],
    show: &'static [i32],
    check: &'static [i32],
    export: &'static [i32],
    plan: &'static [i32],
    al: &'static [i32],
}

const TABLE: &[Row] = &[
    Row {
        word: "clean",
        locate: &[0],
        show: &[0],
        check: &[0, 1],
        export: &[0],
        plan: &[0],
        al: &[0, 1],
    },
    Row {
        word: "unclean",
        locate: &[0],
        show: &[0],
        check: &[1],
        export: &[2],
        plan: &[0],
        al: &[0, 1],
    },
    Row {
        word: "none",
        locate: &[1],
        show: &[1],
        check: &[1],
        export: &[1],
        plan: &[1],
        al: &[1],
    },
    Row {
        word: "error",
        locate: &[2],
        show: &[2],
        check: &[2],
        export: &[2],
        plan: &[2],
        al: &[2],
    },
    // A superblock in its place that kernels refuse is a level; one without its magic, or that contradicts its place, is none.
    Row {
        word: "damaged",
        locate: &[0, 1],
        show: &[0, 1],
        check: &[1],
        export: &[0, 1, 2],
        plan: &[0, 1],
        al: &[0, 1],
    },
    Row {
        word: "moved",
        locate: &[0, 1],
        show: &[0, 1],
        check: &[1],
        export: &[0, 1, 2],
        plan: &[0, 1],
        al: &[0, 1],
    },
];

fn first_level(document: &Value) -> &Value {
    let levels = document["levels"].as_array();
    levels
        .and_then(|levels| levels.first())
        .unwrap_or(&Value::Null)
}

/// Kinds of what `check` says that a kernel refuses, of the first level.
fn refusals(check: &Value) -> BTreeSet<&str> {
    let findings = check["findings"].as_array().unwrap().iter();
    let refused = findings.filter(|one| {
        let codes = one["attach"].as_object();
        let refuses = codes.is_some_and(|codes| codes.values().any(|code| code != 0));
        one["severity"] == "error" && one["level"] == 0 && refuses
    });
    refused.map(|one| one["id"].as_str().unwrap()).collect()
}

/// Nothing that one command has found is nothing for another.
fn of_what_is_left(word: &str, probe: &Value, locate: &Value, check: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    let has_traces = |document: &Value| document["traces"].as_array().map_or(0, Vec::len);
    if has_traces(probe) != has_traces(locate) && word != "clean" && word != "unclean" {
        wrong.push(format!(
            "traces: probe {}, locate {}",
            probe["traces"], locate["traces"]
        ));
    }
    let looked = locate["inside"].is_array() && word != "clean" && word != "unclean";
    if looked && probe["all_inside"] != locate["inside"] {
        wrong.push(format!(
            "held: probe {}, locate {}",
            probe["all_inside"], locate["inside"]
        ));
    }
    if word == "none" && has_traces(locate) > 0 {
        wrong.push("none, and locate has traces".to_owned());
    }
    // What a device on it has is judged there.
    let own = probe["inside"].is_null() && probe["partition"].is_null();
    if word == "damaged" && own && check["errors"] == 0 && !check["findings"].is_null() {
        wrong.push(format!(
            "damaged, and check has no error: {}",
            check["findings"]
        ));
    }
    wrong
}

/// What attaching does is the same for each.
fn of_attaching(word: &str, show: &Value, check: &Value) -> Vec<String> {
    let mut wrong = Vec::new();
    if !show["levels"].is_null() && !check["findings"].is_null() {
        let kinds = show["levels"][0]["at_attach"].to_string();
        for id in refusals(check) {
            if !kinds.contains(id) {
                wrong.push(format!("check: {id}; show: {kinds}"));
            }
            if word == "clean" || word == "unclean" {
                wrong.push(format!("probe {word}, and check: {id}"));
            }
        }
        // What lives on the device, and what a kernel makes of its size, is not the metadata's own.
        let around = ["data-cut-off", "last-64-bits"];
        let findings = check["findings"].as_array().unwrap().iter();
        let mut own = findings.filter(|one| {
            let id = one["id"].as_str().unwrap();
            one["severity"] == "error" && one["level"] == 0 && !around.contains(&id)
        });
        if let Some(error) = own.next()
            && (word == "clean" || word == "unclean")
        {
            wrong.push(format!("probe {word}, and check: {error}"));
        }
    }
    wrong
}

/// What is wrong with one image's answers.
fn contradictions(image: &Image) -> Vec<String> {
    let mut wrong = Vec::new();
    let (probed, probe) = json("probe", image);
    let probe = &probe["images"][0];
    let word = probe["own_answer"].as_str().unwrap();
    let row = TABLE.iter().find(|row| row.word == word).unwrap();
    let (located, locate) = json("locate", image);
    let (showed, show) = json("show", image);
    let (checked, check) = json("check", image);
    let (planned, plan) = json("plan", image);
    let exported = run("export", image, &[]).status;
    let al = run("al", image, &[]).status;
    for (command, status, allowed) in [
        ("locate", located, row.locate),
        ("show", showed, row.show),
        ("check", checked, row.check),
        ("export", exported, row.export),
        ("plan", planned, row.plan),
        ("al", al, row.al),
    ] {
        if !allowed.contains(&status) {
            wrong.push(format!("probe {word} ({probed}), {command} {status}"));
        }
    }
    // The same level, or none, in each.
    let of_probe = first_level(probe);
    for (command, status, level) in [
        ("locate", located, first_level(&locate)),
        ("show", showed, first_level(&show)),
        ("plan", planned, &plan["level"]),
    ] {
        if level.is_null() != (status != 0) && command != "plan" {
            wrong.push(format!(
                "{command} ends with {status}, and its level is {level}"
            ));
        }
        for field in [
            "format",
            "state",
            "md_offset",
            "device_bytes",
            "index",
            "found_by",
        ] {
            let known = !of_probe.is_null() && !level.is_null();
            if known && of_probe[field] != level[field] {
                let (a, b) = (&of_probe[field], &level[field]);
                wrong.push(format!("{field}: probe {a}, {command} {b}"));
            }
        }
    }
    wrong.extend(of_what_is_left(word, probe, &locate, &check));
    wrong.extend(of_attaching(word, &show, &check));
    wrong
}

#[test]
fn no_command_contradicts_another() {
    let dir = scratch();
    let mut wrong = Vec::new();
    let twice = vec![steps::two_on_a_slot(&dir)];
    let images = [of_each_kind(&dir), of_cases(&dir), of_kernels(), twice];
    for image in images.iter().flatten() {
        let found = contradictions(image).into_iter();
        wrong.extend(found.map(|what| format!("{}: {what}", image.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The commands in backticks that a text names and that can be run as they are.
fn commands(text: &str) -> BTreeSet<String> {
    let quoted = text.split('`').skip(1).step_by(2);
    let placeholder = |word: &str| {
        let letters = word.trim_matches(|c: char| !c.is_ascii_alphabetic());
        letters.len() > 1 && letters.chars().all(|c| c.is_ascii_uppercase())
    };
    let whole = quoted.filter(|command| command.starts_with("mdtool "));
    let whole = whole.filter(|command| !command.split(' ').any(placeholder));
    whole.map(str::to_owned).collect()
}

/// Whether a hint's command finds nothing, and names itself.
fn circle(image: &Image, command: &str) -> Option<String> {
    let path = image.path.to_str().unwrap();
    let words = command.split(' ').skip(1);
    let looks = ["locate", "show", "check", "al", "plan", "probe"];
    let looks = words
        .clone()
        .next()
        .is_some_and(|word| looks.contains(&word));
    let run = (looks && command.contains(path)).then(|| mdtool(words))?;
    let again = run.status != 0 && commands(&run.stderr).contains(command);
    again.then(|| format!("{}: `{command}` names itself: {run:?}", image.name))
}

/// Runs a hint's command on the image, without changing it, and says what is wrong with what it answers.
fn lead(image: &Image, command: &str) -> Option<String> {
    let path = image.path.to_str().unwrap();
    let mut words: Vec<&str> = command.split(' ').skip(1).collect();
    if !words.contains(&path) {
        words.insert(1, path);
    }
    match words[0] {
        "locate" | "show" | "check" | "al" | "plan" | "probe" => {}
        "apply-al" | "repair" => words.push("--dry-run"),
        "export" => {
            words.retain(|word| *word != "-o" && *word != "metadata.md");
        }
        // It takes what the command before it made.
        "import" | "undo" => return None,
        other => return Some(format!("`{command}`: {other} was not tried")),
    }
    let run = mdtool(&words);
    let nothing =
        run.stderr.contains("no DRBD metadata where") || run.stderr.contains("not possible");
    (run.status == 2 || nothing).then(|| format!("`{command}` answers {run:?}"))
}

#[test]
fn every_hint_names_a_command_that_finds_something() {
    let dir = scratch();
    let (mut wrong, mut tried) = (Vec::new(), BTreeSet::new());
    let mut images = of_each_kind(&dir);
    images.extend(of_cases(&dir));
    for image in images {
        let mut told = String::new();
        for command in ["probe", "locate", "show", "check", "al", "export", "plan"] {
            let run = run(command, &image, &[]);
            let hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
            told.extend(hints.map(|line| format!("{line}\n")));
        }
        for command in commands(&told) {
            wrong.extend(circle(&image, &command));
            wrong.extend(lead(&image, &command).map(|what| format!("{}: {what}", image.name)));
            tried.insert(command);
        }
    }
    assert!(tried.len() > 5, "hints were found: {tried:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a file is as the system sees it: any write would show.
fn stamp(image: &Image) -> (u64, i64, i64, u64) {
    use std::os::unix::fs::MetadataExt;
    let found = std::fs::metadata(&image.path).unwrap();
    (
        found.len(),
        found.mtime(),
        found.mtime_nsec(),
        found.blocks(),
    )
}

#[test]
fn no_dry_run_writes_and_none_goes_on_where_nothing_is() {
    let dir = scratch();
    let mut images = of_each_kind(&dir);
    images.extend(of_cases(&dir));
    let mut wrong = Vec::new();
    for image in &images {
        let before = stamp(image);
        let (_, probe) = json("probe", image);
        let word = probe["images"][0]["own_answer"]
            .as_str()
            .unwrap()
            .to_owned();
        let (checked, check) = json("check", image);
        for (command, more) in [
            ("adopt", &["--node-id", "0"][..]),
            ("apply-al", &[]),
            ("relocate", &[]),
            ("wipe", &[]),
            ("repair", &[]),
            ("edit", &["--new-generation"]),
        ] {
            let run = run(command, image, &[more, &["--dry-run"]].concat());
            let name = &image.name;
            if stamp(image) != before {
                wrong.push(format!("{name}: {command} --dry-run wrote"));
            }
            let nothing = ["none", "error"].contains(&word.as_str());
            if !(0..=2).contains(&run.status) || nothing && run.status == 0 {
                wrong.push(format!("{name}: probe {word}, {command} {run:?}"));
            }
            if run.stdout.is_empty() && run.stderr.is_empty() {
                wrong.push(format!("{name}: {command} says nothing"));
            }
            // It takes what stands where DRBD looks, and asks which of several.
            let levels = probe["images"][0]["levels"].as_array().unwrap();
            let only = levels.len() == 1 && levels[0]["found_by"] == "expected-position";
            let named = only && word == "clean" && command == "wipe";
            if named && run.status != 0 {
                wrong.push(format!("{name}: probe {word}, {command} {run:?}"));
            }
            let repairs = check["findings"].to_string().contains("mdtool repair");
            if command == "repair" && repairs && run.status != 0 {
                wrong.push(format!("{name}: check {checked} names repair: {run:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
