//! What `plan` recommends is taken by the command that it names.

use std::path::Path;

use mdtool::builder::Level;
use serde_json::Value;
use tempfile::TempDir;

use super::cases::of_cases;
use super::images::{Image, MIB, SIZE, SUPERBLOCK, changed, of_each_kind, resized, stack};
use super::run;
use crate::support::{mdtool, require_tool, scratch, tool};

/// `MDF_CONSISTENT`, `MDF_PRIMARY_IND`, `MDF_WAS_UP_TO_DATE`.
const PRIMARY: u32 = 0x13;
/// Where v09 has the slot of a node's entry.
const SLOT_OF_NODE_1: u64 = SUPERBLOCK + 112 + 32 + 20;

/// A Primary's metadata whose log has no valid block.
fn torn(level: Level) -> Level {
    level
        .unclean()
        .flags(PRIMARY)
        .activity_log(&vec![0xA5; 32768])
}

/// What a writing command does not take as it is, and what was moved before.
fn grown(dir: &TempDir) -> Vec<Image> {
    let grown = |name: &str, levels: &[Level]| resized(stack(dir, name, levels), SIZE + 16 * MIB);
    let slot = changed(
        stack(dir, "slot-9", &[Level::v09(2)]),
        SLOT_OF_NODE_1,
        &9_u32.to_be_bytes(),
    );
    let adopted = stack(dir, "adopted", &[Level::v08(), Level::v08()]);
    let disk = adopted.path.to_str().unwrap();
    let undo = dir.path().join("elsewhere.undo");
    let words = ["adopt", disk, "--stacked", "--yes", "--undo"];
    let run = mdtool(words.into_iter().chain([undo.to_str().unwrap()]));
    assert_eq!(run.status, 0, "{run:?}");
    vec![
        changed(
            stack(dir, "slot-9-here", &[Level::v09(2)]),
            SLOT_OF_NODE_1,
            &9_u32.to_be_bytes(),
        ),
        resized(slot, SIZE + 16 * MIB),
        grown("torn-v08", &[torn(Level::v08())]),
        grown("torn-v09", &[torn(Level::v09(2))]),
        stack(dir, "torn-here", &[torn(Level::v08())]),
        stack(dir, "torn-inner", &[Level::v08(), torn(Level::v08())]),
        resized(adopted, SIZE + 16 * MIB),
    ]
}

fn plan(image: &Image, more: &[&str]) -> Value {
    let run = run("plan", image, &[more, &["--json"]].concat());
    serde_json::from_str(&run.stdout).unwrap_or(Value::Null)
}

/// The words of a command, and the image's own for what nobody can know here.
fn typed(command: &str, image: &Image, meta: &Path) -> Vec<String> {
    let words = command.split(' ').skip(1);
    let word = |word: &str| match word {
        "N" => "0".to_owned(),
        "META" => meta.display().to_string(),
        "DEVICE" => image.path.display().to_string(),
        other => other.to_owned(),
    };
    words.map(word).collect()
}

/// The commands that are typed first, by the way that they are of.
fn first_of_each_way(plan: &Value) -> Vec<String> {
    let Some(ways) = plan["ways"].as_object() else {
        return Vec::new();
    };
    let feasible = ways.values().filter(|way| way["feasible"] == true);
    let first = feasible.filter_map(|way| way["commands"][0].as_str());
    let mut found: Vec<String> = first.map(str::to_owned).collect();
    found.extend(plan["recommended_command"].as_str().map(str::to_owned));
    found.retain(|command| command.starts_with("mdtool "));
    found
}

#[test]
fn whatever_plan_says_to_type_first_is_not_refused() {
    let dir = scratch();
    let meta = dir.path().join("no-file-yet.meta");
    let (mut wrong, mut tried) = (Vec::new(), 0);
    let images = [of_each_kind(&dir), of_cases(&dir), grown(&dir)];
    for image in images.iter().flatten() {
        for more in [&[][..], &["--stacked"]] {
            for command in first_of_each_way(&plan(image, more)) {
                let mut words = typed(&command, image, &meta);
                if words[0] == "export" {
                    words.retain(|word| word != "-o" && word != "dump.md");
                } else {
                    words.push("--dry-run".to_owned());
                }
                let run = mdtool(&words);
                tried += 1;
                if run.status != 0 {
                    wrong.push(format!(
                        "{}: plan {more:?}: `{command}`: {run:?}",
                        image.name
                    ));
                }
            }
        }
    }
    assert!(tried > 50, "{tried}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn all_that_plan_says_to_type_about_a_torn_log_can_be_typed() {
    if !require_tool("cp") {
        return;
    }
    let dir = scratch();
    let mut tried = 0;
    for image in grown(&dir)
        .iter()
        .filter(|one| one.name.starts_with("torn"))
    {
        for more in [&[][..], &["--stacked"]] {
            let plan = plan(image, more);
            for key in ["relocate", "truncate", "external"] {
                let way = &plan["ways"][key];
                let commands = way["commands"].as_array().into_iter().flatten();
                let commands: Vec<&str> = commands.map(|one| one.as_str().unwrap()).collect();
                // In its stead, for a copy.
                let commands = match commands.as_slice() {
                    [mark, relocate, _] if relocate.contains(" relocate ") => {
                        vec![*mark, *relocate]
                    }
                    other => other.to_vec(),
                };
                let from = image.path.to_str().unwrap();
                let to = format!("{from}-{key}-{}", more.len());
                tool("cp", &["--sparse=always", from, &to]);
                let copy = Image {
                    name: image.name.clone(),
                    path: to.clone().into(),
                };
                let meta = dir
                    .path()
                    .join(format!("meta-{}-{key}-{}", image.name, more.len()));
                for command in commands {
                    let words = typed(&command.replace(from, &to), &copy, &meta);
                    let undo = dir.path().join(format!("undo-{tried}"));
                    let word = |word: String| {
                        if word == "adopt.undo" {
                            undo.display().to_string()
                        } else {
                            word
                        }
                    };
                    let words = words.into_iter().map(word).chain(["--yes".to_owned()]);
                    let run = mdtool(words.collect::<Vec<_>>());
                    assert_eq!(run.status, 0, "{}: {key}: `{command}`: {run:?}", image.name);
                    tried += 1;
                }
            }
        }
    }
    assert!(tried > 10, "{tried}");
}
