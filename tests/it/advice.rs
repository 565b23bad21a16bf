//! What messages, hints and documents advise.

use std::path::{Path, PathBuf};

/// Every file of these kinds below a directory.
fn files(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, extension, found);
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Replicas were erased by tools and people who made metadata anew where it only could not be read.
#[test]
fn create_md_is_in_no_message() {
    let mut sources = Vec::new();
    files(&root().join("src"), "rs", &mut sources);
    assert!(sources.len() > 100, "the sources are here");
    for source in sources {
        let text = std::fs::read_to_string(&source).unwrap();
        // What tests run is no message; they end a file, or are one.
        let shown = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        if source.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        for line in shown.lines().map(str::trim_start) {
            let code = line.split("//").next().unwrap();
            assert!(
                !code.contains("create-md") && !code.contains("create_md"),
                "{}: {line}",
                source.display()
            );
        }
    }
}

/// It may be told what it does; it is never the next step.
#[test]
fn create_md_is_in_no_command_of_the_documents() {
    let mut documents = vec![root().join("README.md")];
    files(&root().join("docs"), "md", &mut documents);
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let is_command = words
                .first()
                .is_some_and(|word| ["$", "#", "drbdadm", "drbdmeta", "sudo"].contains(word));
            assert!(
                !(is_command && line.contains("create-md")),
                "{}: {line}",
                document.display()
            );
        }
    }
}
