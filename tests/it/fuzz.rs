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

/// Numbers that follow from one another, and look as if they did not.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit.max(1)
    }

    /// Damages a few places.
    fn damage(&mut self, bytes: &mut [u8]) {
        const ODD: [u32; 8] = [0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, u32::MAX];
        for _ in 0..=self.below(8) {
            let (at, odd) = (self.below(bytes.len()), ODD[self.below(8)]);
            match self.below(5) {
                0 => bytes[at] ^= 1 << self.below(8),
                1 => bytes[at] = self.below(256) as u8,
                2 => {
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].copy_from_slice(&odd.to_le_bytes()[..end - at]);
                }
                3 => {
                    let end = (at + 4).min(bytes.len());
                    bytes[at..end].copy_from_slice(&odd.to_be_bytes()[..end - at]);
                }
                _ => {
                    let from = self.below(bytes.len());
                    let len = self.below(64).min(bytes.len() - from.max(at));
                    bytes.copy_within(from..from + len, at);
                }
            }
        }
    }
}

/// What the fuzz targets do at length, for those that read what others wrote. `MDTOOL_TEST_TIMES` makes it longer.
#[test]
fn properties_hold_on_damaged_seeds() {
    const WHICH: [&str; 5] = ["ext", "xfs", "lvm", "partitions", "range_file"];
    let mut dice = Dice(0x9E37_79B9_7F4A_7C15);
    let seeds = files("fuzz/seeds").into_iter();
    let seeds: Vec<_> = seeds
        .filter(|(target, _)| WHICH.contains(&target.as_str()))
        .collect();
    for round in 0..crate::test_cases::cases(10) {
        for (target, file) in &seeds {
            let (_, property) = TARGETS.iter().find(|(name, _)| name == target).unwrap();
            #[expect(clippy::disallowed_methods, reason = "a few KiB of bytes")]
            let mut bytes = std::fs::read(file).unwrap();
            dice.damage(&mut bytes);
            let held = std::panic::catch_unwind(|| property(&bytes));
            if held.is_err() {
                let kept = std::env::temp_dir().join(format!("mdtool-crash-{target}-{round}"));
                #[expect(clippy::disallowed_methods, reason = "a few KiB of bytes")]
                std::fs::write(&kept, &bytes).unwrap();
                panic!("{target}: {} is a crash", kept.display());
            }
        }
    }
}
