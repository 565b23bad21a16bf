//! Drafting: what is refused, what is left out, what is shown.

use std::os::unix::ffi::OsStringExt;

use super::scenario::{Scenario, block, pos, superblock};
use crate::error::{EditRefusal, Error, Refused, Result, TargetState};
use crate::image::{MemImage, NewFile};
use crate::transaction::{Draft, Phase, UndoFile, prepare, preview};
use crate::units::Bytes;

const MIB: usize = 1 << 20;
const V09: u32 = 0x8374_026D;

fn len(bytes: usize) -> Bytes {
    Bytes::of_len(bytes)
}

/// A target of 1 MiB with a superblock at 64 KiB, the rest zeros.
fn target() -> MemImage {
    let mut target = MemImage::new(len(MIB));
    target.write_at(pos(65536), &superblock(V09, 1)).unwrap();
    target
}

/// Why a draft is refused.
fn refused(draft: impl FnOnce(&mut Draft<'_>) -> Result<()>) -> EditRefusal {
    match preview(&target(), &mut |_| (), draft) {
        Err(Error::Refused(Refused::Edit(refusal))) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_superblock_must_be_retired_before_another_takes_its_place() {
    let new = block(&superblock(V09, 2), 0);
    let at = pos(65536);
    let found = refused(|draft| draft.commit("sb", at, &new));
    assert_eq!(found, EditRefusal::NotRetired { at });
    let both = |draft: &mut Draft<'_>| {
        draft.retire("sb", at)?;
        draft.retire("sb", at)?;
        draft.commit("sb", at, &new)
    };
    let summary = preview(&target(), &mut |_| (), both).unwrap();
    let phases: Vec<_> = summary.regions.iter().map(|one| one.phase).collect();
    assert_eq!(phases, [Phase::Retire, Phase::Commit]);
    // The magic's last byte stays.
    assert_eq!(summary.regions[0].differing, len(3));
}

#[test]
fn what_overlaps_or_comes_too_late_or_leaves_the_target_is_refused() {
    let area = |draft: &mut Draft<'_>, start, end| -> Result<()> {
        draft
            .body("area", pos(start)..pos(end))?
            .fill(1, len(end - start))
    };
    let found = refused(|draft| {
        area(draft, 0, 8192)?;
        area(draft, 7680, 16384)
    });
    assert_eq!(found, EditRefusal::Overlap { at: pos(7680) });
    let found = refused(|draft| {
        area(draft, 0, 8192)?;
        draft.retire("sb", pos(65536))
    });
    assert_eq!(found, EditRefusal::PhaseOver { at: pos(65536) });
    let found = refused(|draft| area(draft, MIB - 512, MIB + 512));
    let at = pos(MIB - 512);
    let (length, end) = (len(1024), pos(MIB));
    assert_eq!(found, EditRefusal::Outside { at, length, end });
    for (start, end) in [(1, 513), (512, 1000), (100, 100)] {
        let found = refused(|draft| area(draft, start, end));
        let (at, length) = (pos(start), len(end - start));
        assert_eq!(found, EditRefusal::Unaligned { at, length });
    }
    let found = refused(|draft| {
        draft.retire("sb", pos(65536))?;
        draft.commit("sb", pos(65536 + 512), &[0; 4096])
    });
    assert_eq!(
        found,
        EditRefusal::Overlap {
            at: pos(65536 + 512)
        }
    );
}

#[test]
fn an_area_takes_no_more_than_was_announced_and_whole_sectors() {
    let found = refused(|draft| {
        let mut area = draft.body("area", pos(0)..pos(8192))?;
        area.skip(len(4096))?;
        area.put(&[1; 4097])
    });
    let (at, length, end) = (pos(4096), len(4097), pos(8192));
    assert_eq!(found, EditRefusal::Outside { at, length, end });
    let found = refused(|draft| draft.body("area", pos(0)..pos(8192))?.put(&[1; 100]));
    let (at, length) = (pos(0), len(100));
    assert_eq!(found, EditRefusal::Unaligned { at, length });
    let found = refused(|draft| draft.body("area", pos(0)..pos(8192))?.skip(len(10)));
    let (at, length) = (pos(0), len(10));
    assert_eq!(found, EditRefusal::Unaligned { at, length });
}

#[test]
fn only_all_that_is_behind_can_be_cut_off_and_only_at_a_sector() {
    for at in [MIB, MIB + 512] {
        let found = refused(|draft| draft.cut("rest", pos(at)));
        assert!(matches!(found, EditRefusal::Outside { .. }), "{found:?}");
    }
    let found = refused(|draft| draft.cut("rest", pos(MIB - 100)));
    let (at, length) = (pos(MIB - 100), len(100));
    assert_eq!(found, EditRefusal::Unaligned { at, length });
    let found = refused(|draft| {
        draft.body("area", pos(MIB - 8192)..pos(MIB - 512))?;
        draft.cut("rest", pos(MIB - 1024))
    });
    let at = pos(MIB - 1024);
    assert_eq!(found, EditRefusal::Overlap { at });
    // Only the superblock is no hole. Where nothing but holes is cut off, that is a change too.
    for (from, written) in [(8192, 4096), (131_072, 0)] {
        let summary = preview(&target(), &mut |_| (), |draft| draft.cut("rest", pos(from)));
        let summary = summary.unwrap();
        assert_eq!(summary.written(), len(written));
        assert!(!summary.is_nothing());
    }
}

#[test]
fn a_refused_draft_says_that_nothing_was_changed() {
    let scenario = Scenario::relocation();
    let of = scenario.identity();
    let result = prepare(&scenario.old_image(), &of, Vec::new(), |draft| {
        draft.commit("sb", pos(15 * 4096), &[0; 4096])
    });
    match result {
        Err(Error::Edit(error)) => assert_eq!(error.state, TargetState::Untouched),
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocks_that_do_not_change_are_left_out_and_runs_cost_nothing() {
    let mut shown = Vec::new();
    let mut show = |change: &crate::transaction::Change<'_>| {
        let words = (change.before[0], change.after[0]);
        shown.push((
            change.label.to_owned(),
            change.at,
            change.after.len(),
            words,
        ));
    };
    let draft = |draft: &mut Draft<'_>| {
        let mut area = draft.body("bitmap", pos(0)..pos(MIB))?;
        area.fill(0, len(8192))?;
        area.fill(0xFF, len(16384))?;
        area.skip(len(65536 - 24576))?;
        area.put(&superblock(V09, 1))?;
        area.put(&[1, 2].repeat(2048))?;
        area.fill(0, len(MIB - 65536 - 8192))
    };
    let summary = preview(&target(), &mut show, draft).unwrap();
    assert_eq!(
        shown,
        [
            ("bitmap".to_owned(), pos(8192), 16384, (0, 0xFF)),
            ("bitmap".to_owned(), pos(65536 + 4096), 4096, (0, 1)),
        ]
    );
    let bitmap = &summary.regions[0];
    assert_eq!(bitmap.range, pos(0)..pos(MIB));
    assert_eq!((bitmap.written, bitmap.differing), (len(20480), len(20480)));
    assert!(summary.undo_file < len(512), "{}", summary.undo_file);
    assert!(!summary.is_nothing());
}

#[test]
fn a_draft_knows_what_it_covers() {
    let asked = |draft: &mut Draft<'_>| {
        draft.retire("sb", pos(65536))?;
        assert!(!draft.covers(&(pos(65536)..pos(65540))), "only retired");
        draft.body("bitmap", pos(8192)..pos(12288))?;
        assert!(draft.covers(&(pos(0)..pos(8193))));
        assert!(!draft.covers(&(pos(12288)..pos(MIB))));
        Ok(())
    };
    preview(&target(), &mut |_| (), asked).unwrap();
}

#[test]
fn an_undo_file_that_cannot_be_read_back_is_refused_before_anything_changes() {
    let scenario = Scenario::in_place();
    let mut target = scenario.old_image();
    let store = NewFile::create(std::path::Path::new("/dev/null")).unwrap();
    match scenario.prepare(&target, store).unwrap().apply(&mut target) {
        Err(Error::Edit(error)) => assert_eq!(error.state, TargetState::Untouched),
        other => panic!("{}", other.is_ok()),
    }
    assert!(super::snapshot(&target) == scenario.old);
}

#[test]
fn words_for_people_are_kept_and_cut_where_they_are_too_long() {
    let scenario = Scenario::in_place();
    let mut of = scenario.identity();
    of.command = "ü".repeat(5000);
    // A path need not be text, and is kept to the byte.
    let path = std::path::PathBuf::from(std::ffi::OsString::from_vec(vec![b'/', 0xFF, 0xC3]));
    of.targets[0].path.clone_from(&path);
    let mut target = scenario.old_image();
    let prepared = prepare(&target, &of, Vec::new(), |draft| scenario.draft(draft)).unwrap();
    let undo: UndoFile<MemImage> = prepared.apply(&mut target).unwrap().unwrap();
    assert_eq!(undo.identity().command, "ü".repeat(2048));
    assert_eq!(undo.identity().targets[0].path, path);
}
