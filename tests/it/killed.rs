//! Every writing command, killed before each of its writes, syncs, renames and truncations, in turn.
//!
//! A command is one row of [`every_command`]: what it begins with, and its words.

mod ground;

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};

use ground::Ground;

use crate::support::{Drbdmeta, Run, mdtool, require_tool};

/// All calls that change a file, a name, or what of them is durable.
const CALLS: [&str; 10] = [
    "pwrite64",
    "fsync",
    "fdatasync",
    "ftruncate",
    "fallocate",
    "write",
    "rename",
    "renameat2",
    "linkat",
    "unlink",
];

/// What every file of a directory holds.
type Files = BTreeMap<String, Vec<u8>>;

/// What others say of a state: `probe`, and drbdmeta of the disk and of the meta device.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Said {
    probe: Run,
    disk: Option<String>,
    meta: Option<String>,
}

/// What drbdmeta prints where it finds metadata, without what is another at each run.
fn dump(drbdmeta: &Drbdmeta, format: &str, path: &Path, index: &str) -> Option<String> {
    if !path.exists() {
        return None;
    }
    let run = drbdmeta.run(format, path, index, &["dump-md"]);
    let lines = run.stdout.lines().filter(|line| !line.starts_with('#'));
    (run.status == 0).then(|| lines.collect::<Vec<_>>().join("\n"))
}

fn said(ground: &Ground) -> Said {
    // Held no longer than it is needed: the other tests wait for it.
    let drbdmeta = Drbdmeta::new();
    let of = |path: &Path, index| dump(drbdmeta.as_ref()?, ground.format, path, index);
    let meta = ground.path("meta");
    Said {
        probe: mdtool(["probe", ground.text("disk").as_str()]),
        disk: of(&ground.path("disk"), "internal"),
        meta: of(&meta, "flex-external"),
    }
}

/// What is changed: all but undo files and what is not yet one.
fn targets(files: &Files) -> Files {
    let of = files.clone().into_iter();
    of.filter(|(name, _)| ["disk", "meta"].contains(&name.as_str()))
        .collect()
}

/// A state, but for the time that is in an undo file and its name.
fn key(files: &Files) -> Vec<(String, u32)> {
    let one = |(name, bytes): (&String, &Vec<u8>)| {
        let letters = name.chars().filter(|letter| !letter.is_ascii_digit());
        let content = if name.contains("undo-") {
            bytes.len() as u32
        } else {
            crc32fast::hash(bytes)
        };
        (letters.collect(), content)
    };
    files.iter().map(one).collect()
}

/// Runs the command so that it is killed before one call of a kind; `None` where there is no such call.
fn killed(ground: &Ground, words: &[String], call: &str, number: usize) -> Option<()> {
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:signal=KILL:when={number}")])
        .arg(env!("CARGO_BIN_EXE_mdtool"))
        .args(words)
        .current_dir(ground.dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    if status.signal() == Some(9) {
        return Some(());
    }
    assert_eq!(status.code(), Some(0), "{words:?}, {call} {number}");
    None
}

/// A command, before and after.
struct Case<'a> {
    ground: &'a Ground,
    words: Vec<String>,
    old: Files,
    new: Files,
    says_old: Said,
    says_new: Said,
}

impl Case<'_> {
    fn of(ground: &Ground, words: Vec<String>) -> Case<'_> {
        let old = ground.files();
        let says_old = said(ground);
        let run = mdtool(&words);
        assert_eq!(run.status, 0, "{words:?}: {run:?}");
        let (new, says_new) = (ground.files(), said(ground));
        assert_ne!(targets(&old), targets(&new), "{words:?} changes something");
        ground.restore(&old);
        Case {
            ground,
            words,
            old,
            new,
            says_old,
            says_new,
        }
    }

    /// The undo file that the command made, if it came so far.
    fn made(&self, state: &Files) -> Option<String> {
        let made = state.keys().find(|name| {
            name.contains(".mdtool-undo-")
                && !name.starts_with('.')
                && !self.old.contains_key(*name)
        });
        made.cloned()
    }

    /// Whether it is an undoing of what is as the change left it: then the undo file that there is already finishes it.
    fn is_finished_only(&self) -> bool {
        self.words[0] == "undo" && self.made(&self.new).is_none()
    }

    /// Whether what is changed is what it was; a meta device that is new may be there, without anything on it.
    fn is_old(&self, state: &Files) -> bool {
        let blank = |name: &str, bytes: &[u8]| match self.old.get(name) {
            Some(old) => old == bytes,
            None => bytes.iter().all(|byte| *byte == 0),
        };
        targets(state)
            .iter()
            .all(|(name, bytes)| blank(name, bytes))
    }

    fn judge(&self, state: &Files, what: &str) {
        let made = if self.is_finished_only() {
            Some("earlier".to_owned())
        } else {
            self.made(state)
        };
        assert!(made.is_some() || self.is_old(state), "{what}: no way back");
        let data = ..self.ground.data.min(state["disk"].len());
        assert!(
            state["disk"][data] == self.old["disk"][data],
            "{what}: data changed"
        );
        self.ground.restore(state);
        self.others(state, made.as_deref(), what);
        self.again(state, made.as_deref(), what);
        if let Some(made) = made {
            self.ground.restore(state);
            let run = mdtool(["undo", &self.ground.text(&made)]);
            assert_eq!(run.status, 0, "{what}: {run:?}");
            let undone = self.ground.files();
            let as_it_was = if self.is_finished_only() {
                targets(&undone) == targets(&self.new)
            } else {
                self.is_old(&undone)
            };
            assert!(as_it_was, "{what}: undone to something else");
        }
    }

    /// What `probe` and drbdmeta say: the old state, the new one, or that a change is under way.
    fn others(&self, state: &Files, made: Option<&str>, what: &str) {
        let said = said(self.ground);
        let one_of = |of: &dyn Fn(&Said) -> bool| of(&self.says_old) || of(&self.says_new);
        assert!(
            said.disk.is_none() || one_of(&|whole| whole.disk == said.disk),
            "{what}: drbdmeta: {:?}",
            said.disk
        );
        assert!(
            said.meta.is_none() || one_of(&|whole| whole.meta == said.meta),
            "{what}: drbdmeta: {:?}",
            said.meta
        );
        let old_and_new = said.disk.is_some() && said.meta.is_some();
        assert!(!old_and_new, "{what}: one resource, twice");
        if targets(state) == targets(&self.new) {
            assert_eq!(said, self.says_new, "{what}");
        } else if said.probe.status == 4 && said.probe != self.says_old.probe {
            let probe = &said.probe;
            let all = format!("{}{}", probe.stdout, probe.stderr);
            // Another name than the usual is not looked for.
            let usual = made.filter(|made| made.contains(".mdtool-undo-"));
            let names = usual.is_none_or(|made| all.contains(made));
            assert!(names, "{what}: no undo file named: {probe:?}");
        } else {
            assert!(
                one_of(&|whole| whole.probe == said.probe),
                "{what}: {:?}",
                said.probe
            );
            // What is neither old nor new is seen to be under way, but where old copies go one by one.
            let looked_at = self.says_old.probe != self.says_new.probe;
            assert!(
                !looked_at || self.is_old(state),
                "{what}: nobody sees that it was cut off"
            );
        }
    }

    /// The same command once more: it comes to its end, or names the undo file and leaves all as it is.
    fn again(&self, state: &Files, made: Option<&str>, what: &str) {
        let run = mdtool(&self.words);
        let after = targets(&self.ground.files());
        if after == targets(state) {
            // But for marks of what is retired, which nobody looks for.
            // What cannot be made twice, as a slot for a peer, is refused where it is made.
            let made_all = after == targets(&self.new);
            let done = (run.status != 2 || made_all) && said(self.ground) == self.says_new;
            let refuses = run.status != 0 && made.is_some_and(|made| run.stderr.contains(made));
            assert!(done || refuses, "{what}, again: {run:?}");
        } else {
            assert_eq!(run.status, 0, "{what}, again: {run:?}");
            assert!(
                after == targets(&self.new),
                "{what}, again: it made something else of it"
            );
        }
    }
}

/// Kills a command wherever that leaves something else.
fn every_kill(ground: &Ground, words: &str) {
    if !require_tool("strace") {
        return;
    }
    let case = Case::of(ground, ground.words(words));
    let mut seen = BTreeSet::new();
    let mut kills = 0;
    for call in CALLS {
        for number in 1.. {
            if killed(ground, &case.words, call, number).is_none() {
                ground.restore(&case.old);
                break;
            }
            kills += 1;
            let state = ground.files();
            if seen.insert(key(&state)) {
                case.judge(
                    &state,
                    &format!("{words:?} {call} {number}", words = case.words),
                );
            }
            ground.restore(&case.old);
        }
    }
    // The premise: there is something between the old state and the new one.
    assert!(kills > 10 && seen.len() > 4, "{kills} {}", seen.len());
}

/// A row for each command: its name, what it begins with, its words, and more of them for v09.
macro_rules! every_command {
    ($($name:ident: $ground:ident, $words:expr, $v09:expr;)*) => {
        $(mod $name {
            use super::{Ground, every_kill};

            #[test]
            fn v08() {
                every_kill(&Ground::$ground("v08"), $words);
            }

            #[test]
            fn v09() {
                every_kill(&Ground::$ground("v09"), &format!("{} {}", $words, $v09));
            }
        })*
    };
}

/// A row for each command that one format has.
macro_rules! of_one_format {
    ($($name:ident: $ground:ident, $format:literal, $words:expr;)*) => {
        $(#[test]
        fn $name() {
            every_kill(&Ground::$ground($format), $words);
        })*
    };
}

of_one_format! {
    editing_more_slots: roomy, "v09", "edit DISK --max-peers 5 --yes";
    editing_fewer_slots: roomy, "v09", "edit DISK --max-peers 1 --yes";
    editing_the_granularity: roomy, "v09", "edit DISK --bytes-per-bit 16KiB --yes";
    editing_a_peer_away: one, "v09", "edit DISK --forget 1 --yes";
    editing_a_peer_in: one, "v09", "edit DISK --assign 2 --yes";
    editing_the_node: one, "v09", "edit DISK --node-id 1 --yes";
    editing_to_v08: one, "v09", "edit DISK --format v08 --peer 1 --merge-slots --yes";
    editing_to_v09: roomy, "v08", "edit DISK --format v09 --node-id 0 --peer 1 --max-peers 3 --yes";
}

every_command! {
    adopting_stacked: stack, "adopt DISK --stacked --yes", "--node-id 1";
    adopting_a_level: stack, "adopt DISK --level 1 --yes", "--node-id 1";
    adopting_by_truncation: stack, "adopt DISK --stacked --strategy truncate --yes", "--node-id 1";
    adopting_by_truncation_unclean: unclean_grown, "adopt DISK --strategy truncate --apply-al --yes", "--node-id 1";
    adopting_to_a_new_meta_device: stack, "adopt DISK --stacked --strategy external --meta META --yes", "--node-id 1";
    adopting_to_a_used_meta_device: used_meta, "adopt DISK --stacked --strategy external --meta META --yes", "--node-id 1";
    adopting_where_the_disk_grew: grown, "adopt DISK --yes", "--node-id 1";
    adopting_where_the_disk_grew_far: grown_far, "adopt DISK --yes", "--node-id 1";
    adopting_unclean: unclean_grown, "adopt DISK --apply-al --yes", "--node-id 1";
    importing_over_another: dumped, "import DISK DUMP --yes", "";
    importing_onto_a_blank_disk: dumped_for_blank, "import DISK DUMP --yes", "";
    importing_to_a_meta_device: dumped_for_meta, "import META DUMP --index flex-external --yes", "";
    applying_the_log: unclean, "apply-al DISK --yes", "";
    editing_fields: one, "edit DISK --current-uuid 0x1234567890ABCDE0 --yes", "";
    editing_the_log: roomy, "edit DISK --al-stripes 2 --al-stripe-size 32KiB --yes", "";
    editing_the_size: roomy, "edit DISK --la-size 3200s --yes", "";
    // The current UUID is the one that was, so that a second call comes to the same.
    editing_a_new_generation: one, "edit DISK --new-generation --clear-bitmap --force --yes --history 0x00000000000000A0 --current-uuid 0x1122334455667788", "";
    editing_a_clone: one, "edit DISK --rebrand keep --device-uuid 0x00000000000000D0 --yes", "";
    setting_bits: one, "bitmap set DISK 600000..700000 --slot 0 --yes", "";
    clearing_bits: one, "bitmap clear DISK 0..65536 --slot 0 --yes", "";
    relocating_where_the_disk_grew: grown, "relocate DISK --yes", "";
    relocating_for_a_smaller_disk: roomy, "relocate DISK --for-size 1900KiB --yes", "";
    relocating_to_a_meta_device: one, "relocate DISK --meta META --yes", "";
    repairing_the_log: unusable, "repair DISK --yes", "";
    wiping: one, "wipe DISK --yes", "";
    wiping_old_copies: stale, "wipe DISK --stale --yes", "";
    wiping_a_level: stack, "wipe DISK --level 1 --yes", "";
    undoing: adopted, "undo UNDO --yes", "";
    undoing_over_what_is_new: adopted_and_changed, "undo UNDO --yes", "";
    undoing_a_truncation: truncated, "undo UNDO --yes", "";
    undoing_a_truncation_over_what_is_new: truncated_and_changed, "undo UNDO --yes", "";
    undoing_on_both: moved_to_meta, "undo UNDO --yes", "";
}
