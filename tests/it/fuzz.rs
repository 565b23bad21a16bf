//! The properties of the fuzz targets, held on every seed and on every crash that was ever found.

/// The properties themselves, which the fuzz targets hold too.
#[path = "../../fuzz/src/lib.rs"]
#[expect(unreachable_pub, reason = "they are a crate of their own as well")]
mod properties;
/// What the targets begin with.
mod seeds;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use self::properties::TARGETS;

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The files of `directory`, by target; every directory there is a target's.
fn files(directory: &str) -> Vec<(String, PathBuf)> {
    let mut found = Vec::new();
    for target in std::fs::read_dir(repository(directory)).unwrap() {
        let target = target.unwrap();
        let name = target.file_name().into_string().unwrap();
        let files = std::fs::read_dir(target.path()).unwrap();
        found.extend(files.map(|file| (name.clone(), file.unwrap().path())));
    }
    found.sort();
    found
}

/// Runs every target's property on its files.
fn hold(directory: &str) {
    for (target, file) in files(directory) {
        let property = TARGETS.iter().find(|(name, _)| *name == target);
        let (_, property) = property.unwrap_or_else(|| panic!("no target {target}"));
        eprintln!("{}", file.display());
        #[expect(clippy::disallowed_methods, reason = "a few KiB of bytes")]
        property(&std::fs::read(&file).unwrap());
    }
}

#[test]
fn no_crash_that_was_found_comes_back() {
    assert!(!files("testdata/crashes").is_empty());
    hold("testdata/crashes");
}

#[test]
fn every_property_holds_on_its_seeds() {
    let seeded: BTreeSet<String> = files("fuzz/seeds")
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    let targets: BTreeSet<String> = TARGETS.map(|(name, _)| name.to_owned()).into();
    assert_eq!(seeded, targets, "each target has seeds");
    hold("fuzz/seeds");
}

#[test]
fn every_property_has_a_fuzz_target_that_says_it() {
    let manifest = std::fs::read_to_string(repository("fuzz/Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        let first_line = |path: String| {
            let text = std::fs::read_to_string(repository(&path)).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        let property = first_line(format!("fuzz/src/{name}.rs"));
        assert_eq!(first_line(format!("fuzz/fuzz_targets/{name}.rs")), property);
        assert!(
            manifest.contains(&format!("fuzz_targets/{name}.rs")),
            "{name}"
        );
    }
}

/// `MDTOOL_WRITE_SEEDS=1` writes them.
#[test]
fn seeds_are_what_testdata_gives() {
    let write = std::env::var_os("MDTOOL_WRITE_SEEDS").is_some();
    let mut expected = BTreeSet::new();
    for (target, name, bytes) in seeds::all() {
        let path = repository("fuzz/seeds").join(target).join(&name);
        assert!(bytes.len() <= 20480, "{target}/{name} is too large");
        #[expect(clippy::disallowed_methods, reason = "a few KiB of bytes")]
        if write {
            std::fs::write(&path, &bytes).unwrap();
        } else {
            assert!(std::fs::read(&path).unwrap() == bytes, "{}", path.display());
        }
        expected.insert((target.to_owned(), path));
    }
    let there: BTreeSet<_> = files("fuzz/seeds").into_iter().collect();
    assert_eq!(there, expected);
}
