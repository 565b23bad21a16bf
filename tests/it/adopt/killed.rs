//! `kill -9` at any moment.

use std::path::Path;
use std::process::Stdio;
use std::time::Instant;

use super::{MIB, dirty, ok, stack, text, v09, whole};
use crate::import::save;
use crate::support::mdtool_command;

/// Undoes what there is an undo file of.
fn undo(files: &[&Path]) {
    for file in files.iter().filter(|file| file.exists()) {
        ok(&["undo", text(file)]);
        std::fs::remove_file(file).unwrap();
    }
}

#[test]
fn a_kill_at_any_moment_is_undone() {
    let stack = stack(&[v09(31), dirty(v09(31))], 128 * MIB, "v09");
    let (undo_file, meta) = (stack.file("undo"), stack.file("meta"));
    save(&meta, &vec![0x5A; 1 << 20]);
    let before = [whole(&stack.image), whole(&meta)];
    for (strategy, kills) in [("relocate", 14), ("truncate", 10), ("external", 14)] {
        let mut words = vec!["--strategy", strategy, "--undo", text(&undo_file)];
        if strategy == "external" {
            words.extend(["--meta", text(&meta)]);
        }
        let started = Instant::now();
        stack.ok(&words);
        let took = started.elapsed();
        undo(&[&undo_file]);
        assert_eq!([whole(&stack.image), whole(&meta)], before);
        let mut interrupted = 0;
        for kill in 0..kills {
            let mut child = mdtool_command(stack.adopt(&words))
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(took.mul_f64(f64::from(kill) / f64::from(kills)));
            child.kill().unwrap();
            interrupted += u32::from(child.wait().unwrap().code().is_none());
            undo(&[&undo_file]);
            let now = [whole(&stack.image), whole(&meta)];
            assert!(now == before, "{strategy}, kill {kill}");
        }
        assert!(interrupted > 0, "{strategy} took {took:?}");
    }
}
