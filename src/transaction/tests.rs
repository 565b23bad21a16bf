//! The write path as a whole, on images in memory.

mod commands;
mod crash_disk;
mod crashes;
mod drafts;
mod faults;
mod hostile;
mod lost;
mod meddled;
mod random;
mod reads;
mod redone;
mod scenario;
mod two_targets;
mod undoing;

use super::*;
use scenario::{Scenario, snapshot};

#[test]
fn a_change_of_each_kind_is_applied_and_undone() {
    for scenario in Scenario::each() {
        let mut target = scenario.old_image();
        let undo = scenario.prepare(&target, Vec::new()).unwrap();
        let undo = undo.apply(&mut target).unwrap().expect("it changes");
        assert!(snapshot(&target) == scenario.new, "as drafted");
        assert_eq!(undo.check(&target).unwrap().state, UndoState::Applied);

        let Undone::Restored { bytes } = undo.undo(&mut target, false).unwrap() else {
            panic!("there was something to undo");
        };
        assert!(bytes > Bytes::ZERO);
        assert!(snapshot(&target) == scenario.old, "as before");
        assert_eq!(undo.undo(&mut target, false).unwrap(), Undone::Nothing);
    }
}

#[test]
fn a_second_run_writes_nothing() {
    for scenario in [Scenario::relocation(), Scenario::in_place()] {
        let mut target = scenario.old_image();
        let first = scenario.prepare(&target, Vec::new()).unwrap();
        assert!(first.apply(&mut target).unwrap().is_some());
        let second = scenario.prepare(&target, Vec::new()).unwrap();
        assert!(second.summary().is_nothing());
        assert!(second.apply(&mut target).unwrap().is_none());
        assert!(snapshot(&target) == scenario.new);
    }
}
