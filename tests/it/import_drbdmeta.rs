//! What `mdtool import` writes, held against `drbdmeta restore-md`.

use std::ops::Range;

use proptest::prelude::*;
use proptest::sample::select;

use crate::export_drbdmeta::{Kind, Place, compare, content, create, fill, kind, number};
use crate::import::{difference, dumped, export, ok, save, text, undo_file};
use crate::support::{Drbdmeta, peek, scratch, sparse};

const MIB: u64 = 1 << 20;

/// What of a dump does not depend on the place, and not on the time.
///
/// `# bits-set` counts, as drbdmeta does, a last word that no dump has, where slots end unevenly.
pub(crate) fn content_of(dump: &str) -> Vec<&str> {
    let placed = [
        "# md_",
        "# al_offset",
        "# bm_offset",
        "# DRBD",
        "# 20",
        "# la-size",
        "# bits-set",
    ];
    let lines = dump.lines();
    lines
        .filter(|line| {
            !placed.iter().any(|start| line.starts_with(start)) && !line.contains("> mdtool")
        })
        .collect()
}

/// What restore-md has of a bitmap in memory at once. Of runs behind it 9.22 writes nothing.
const RESTORED: u64 = 32 * MIB;

/// Where the bitmap area is longer than the slots' whole 64-bit words, because it is rounded up to 4 KiB: nothing there stands for anything. And
/// what restore-md does not get to.
fn not_restored(dump: &str, slots: u64) -> Range<u64> {
    let (bm, la_size) = (number(dump, "# bm_offset"), number(dump, "la-size-sect"));
    let slot_bits = la_size.div_ceil(8).next_multiple_of(64);
    let used = slot_bits / 8 * slots;
    bm + used.min(RESTORED)..bm + used.next_multiple_of(4096)
}

/// A size at which `kind` has room, small enough to be compared byte by byte.
fn roomy(kind: &Kind, size: u64) -> u64 {
    match kind.index.0 {
        "1" => 256 * MIB + size,
        "internal" if kind.format == "v07" => 129 * MIB + size,
        _ => 4 * MIB + size,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(32), max_shrink_iters: 10, failure_persistence: None, ..ProptestConfig::default() })]

    /// Of words that the rounding of the area alone has room for, restore-md of 9.22 forgets some; ours gives back all that the dump has. And it
    /// leaves the log, what of the area the dump has no words for, and bitmaps beyond 32 MiB as they are: so the targets are
    /// zeros and small, and the log is held against create-md's.
    #[test]
    fn imported_metadata_is_what_restore_md_restores(
        kind in kind(), size in 0..48 * MIB, other in select(vec![None, Some(0), Some(1)]), delta in 0..32 * MIB, content in content()
    ) {
        let Some(drbdmeta) = Drbdmeta::new() else { return Ok(()) };
        // v07's other placement has no name of ours: what is imported goes to the fixed one.
        prop_assume!(kind.index.0 != "flex-internal");
        let dir = scratch();
        let path = |name: &str| dir.path().join(name);
        let (source, ours, theirs, dump) = (path("source"), path("ours"), path("theirs"), path("dump.md"));
        let size = roomy(&kind, size / 512 * 512);
        let place = create(&drbdmeta, &source, size, &kind);
        let place = place.ok_or_else(|| TestCaseError::fail(format!("no room: {kind:?} in {size}")))?;
        fill(&source, &kind, &place, &content);
        let exported = export(&source, kind.index.1);
        save(&dump, exported.as_bytes());
        let target_size = match other {
            None => size,
            Some(0) => size + delta / 512 * 512,
            Some(_) => roomy(&kind, delta / 512 * 512),
        };
        sparse(&ours, target_size);
        sparse(&theirs, target_size);

        // Some of it no kernel attaches: that is written only when told to.
        let words = ["import", text(&ours), text(&dump), "--index", kind.index.1, "--clip", "--force"];
        let imported = ok(&words);
        let clipped = imported.stderr.contains("clipped");
        let again = export(&ours, kind.index.1);
        let (md, al) = (number(&again, "# md_offset"), number(&again, "# al_offset"));
        let log = al..al + u64::from(kind.stripes * kind.stripe_kib) * 1024;
        // Where la-size does not fit, restore-md keeps it, or stops half way: that it is clipped is for its dump-md to agree to, below.
        if !clipped {
            drbdmeta.ok(kind.format, &theirs, kind.index.0, &["restore-md", text(&dump)]);
            prop_assert_eq!(peek(&ours, md, 4096), peek(&theirs, md, 4096), "superblock {:?}", &kind);
            let mut but = [not_restored(&again, u64::from(kind.max_peers)), log.clone()];
            but.sort_by_key(|range| range.start);
            prop_assert_eq!(difference(&ours, &theirs, &but), None, "{:?}", &kind);
            prop_assert_eq!(content_of(&again), content_of(&exported), "{:?}", &kind);
        }
        if target_size == size {
            // create-md made the source's log, and nobody touched it since.
            let len = (log.end - log.start) as usize;
            prop_assert_eq!(peek(&ours, log.start, len), peek(&source, log.start, len));
        }
        let now = Place { md, ..place };
        compare(&drbdmeta, &dumped(&ours, kind.index.1), &ours, &kind, &now);

        // The fixed point: what is exported and imported again changes nothing.
        save(&dump, again.as_bytes());
        let undo = path("again.undo");
        let words = ["import", text(&ours), text(&dump), "--index", kind.index.1, "--undo", text(&undo), "--yes", "--force"];
        let run = ok(&words);
        prop_assert!(run.stderr.contains("holds this metadata already"), "{:?}", run);
        prop_assert!(!undo.exists());

        // And what was there before, nothing, is put back.
        ok(&["undo", text(&undo_file(&imported))]);
        sparse(&theirs, target_size);
        prop_assert_eq!(difference(&ours, &theirs, &[]), None);
    }
}
