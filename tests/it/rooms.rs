//! The house: arrows between rooms point one way only, and there is no circle.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms, each above all before it.
const ROOMS: [&str; 13] = [
    "units",
    "terms",
    "error",
    "format",
    "image",
    "dump",
    "survey",
    "verdict",
    "transaction",
    "surgery",
    "truck",
    "builder",
    "cli",
];

/// Rooms that belong to their neighbour below: words that use each other.
const TOGETHER: [(&str, &str); 1] = [("units", "terms")];

fn rank(room: &str) -> Option<usize> {
    ROOMS.iter().position(|one| *one == room)
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
}

/// The part of a file that is compiled into the library: all before its tests.
fn without_tests(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect::<Vec<_>>()
        .join("\n")
}

fn is_test_file(path: &Path) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        part.starts_with("tests") || part.ends_with("_tests.rs") || part == "test_cases.rs"
    })
}

/// The rooms that a text names, as `crate::ROOM`.
fn named(text: &str) -> BTreeSet<&str> {
    text.split("crate::")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| c != '_' && !c.is_ascii_alphanumeric())?;
            rest.get(..end)
        })
        .collect()
}

#[test]
fn no_room_names_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&src, &mut files);
    let mut upwards = Vec::new();
    let mut judged = 0;
    for path in files {
        let inside = path
            .strip_prefix(&src)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let room = inside.split(['/', '.']).next().unwrap().to_owned();
        if is_test_file(Path::new(&inside)) || matches!(room.as_str(), "lib" | "main") {
            continue;
        }
        let own = rank(&room).unwrap_or_else(|| panic!("{inside}: {room} is no room of the house"));
        judged += 1;
        let text = without_tests(&fs::read_to_string(&path).unwrap());
        for other in named(&text) {
            let together = TOGETHER.contains(&(room.as_str(), other));
            if rank(other).is_some_and(|other| other > own) && !together {
                upwards.push(format!("{inside} names {other}"));
            }
        }
    }
    assert!(judged > 100, "only {judged} files were looked at");
    assert_eq!(upwards, Vec::<String>::new(), "arrows that point upwards");
}

/// Documents are views that serde writes: one made by hand beside the text would say something else one day.
#[test]
fn no_document_is_made_by_hand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    sources(&root.join("src/cli"), &mut files);
    let (mut views, mut by_hand) = (0, Vec::new());
    for file in files {
        let name = file
            .strip_prefix(root)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let text = without_tests(&fs::read_to_string(&file).unwrap());
        views += usize::from(text.contains("Serialize)]"));
        let marks = [
            "json!(",
            "json!{",
            "json! {",
            "Map<String, Value>",
            "Value::Object",
        ];
        if marks.iter().any(|mark| text.contains(mark)) {
            by_hand.push(name);
        }
    }
    assert!(
        by_hand.is_empty(),
        "a struct that derives Serialize instead: {by_hand:?}"
    );
    assert!(
        views > 20,
        "this test looks elsewhere: {views} files have views"
    );
}
