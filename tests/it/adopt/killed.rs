//! `kill -9` at any moment.

use super::{MIB, dirty, ok, stack, text, v09, whole};
use crate::support::mdtool_command;
use std::time::Instant;

#[test]
fn a_kill_at_any_moment_is_undone() {
    let stack = stack(&[v09(31), dirty(v09(31))], 512 * MIB, "v09");
    let before = whole(&stack.image);
    let undo = stack.file("undo");
    let undo_text = text(&undo).to_owned();
    for (strategy, kills) in [("relocate", 14), ("truncate", 10)] {
        let words = ["--strategy", strategy, "--undo", &undo_text];
        std::fs::remove_file(&undo).unwrap_or(());
        let started = Instant::now();
        stack.ok(&words);
        let took = started.elapsed();
        ok(&["undo", &undo_text]);
        assert_eq!(whole(&stack.image), before);
        let mut interrupted = 0;
        for kill in 0..kills {
            std::fs::remove_file(&undo).unwrap_or(());
            let mut child = mdtool_command(stack.adopt(&words))
                .stdout(std::process::Stdio::null())
                .stderr(std::process::Stdio::null())
                .spawn()
                .unwrap();
            std::thread::sleep(took.mul_f64(f64::from(kill) / f64::from(kills)));
            child.kill().unwrap();
            interrupted += u32::from(child.wait().unwrap().code().is_none());
            if undo.exists() {
                ok(&["undo", &undo_text]);
            }
            assert!(whole(&stack.image) == before, "{strategy}, kill {kill}");
        }
        assert!(interrupted > 0, "{strategy} took {took:?}");
    }
}
