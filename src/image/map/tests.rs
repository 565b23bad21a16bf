use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::super::support::{
    LoopDevice, MIB, bytes, file_of, io_error, is_alone, numbered, pos, run_alone,
    set_old_access_time, times,
};
use super::*;

/// Touches every page of a piece; `true` where a page is all zeros, which [`numbered`] never is.
fn has_zero_page(piece: &[u8]) -> bool {
    piece
        .chunks(4096)
        .any(|page| page.iter().all(|byte| *byte == 0))
}

fn is_eof(error: &IoError) -> bool {
    error.source.kind() == io::ErrorKind::UnexpectedEof
}

#[test]
fn windows_of_eight_mebibytes_show_the_file_s_bytes() {
    let content = numbered(19 * MIB + 512);
    let file = file_of(&content);
    let image = MappedImage::open(file.path()).unwrap();
    let mut at = 512;
    let mut lens = Vec::new();
    let mut compare = |start: ImagePos, piece: &[u8]| {
        assert_eq!(start, pos(Bytes::of_len(at).get()));
        assert!(piece == &content[at..at + piece.len()]);
        at += piece.len();
        lens.push(piece.len());
        ControlFlow::Continue(())
    };
    let end = pos(19 * MIB + 512);
    image.visit(pos(512)..end, &mut compare).unwrap();
    assert_eq!(lens, [8 << 20, 8 << 20, 3 << 20]);
    let mut stop = |_, _: &[u8]| ControlFlow::Break(());
    image.visit(pos(0)..end, &mut stop).unwrap();
    assert!(image.visit(pos(0)..pos(19 * MIB + 513), &mut stop).is_err());
}

#[test]
fn a_file_that_shrank_before_is_an_error_at_its_new_end() {
    let file = file_of(&numbered(20 * MIB));
    let image = MappedImage::open(file.path()).unwrap();
    file.as_file().set_len(9 * MIB + 700).unwrap();
    let mut seen = |_, piece: &[u8]| {
        has_zero_page(piece);
        ControlFlow::Continue(())
    };
    let error = io_error(image.visit(pos(0)..pos(20 * MIB), &mut seen));
    assert!(is_eof(&error), "{error:?}");
    assert_eq!(error.at, Some(pos(9 * MIB + 700)));
}

#[test]
fn a_file_that_shrinks_under_the_visitor_is_an_error_and_not_its_death() {
    for left in [0, 8 * MIB, 9 * MIB + 700] {
        let file = file_of(&numbered(20 * MIB));
        let image = MappedImage::open(file.path()).unwrap();
        let mut windows = 0;
        let mut shrink = |at: ImagePos, piece: &[u8]| {
            windows += 1;
            if at == pos(8 * MIB) {
                file.as_file().set_len(left).unwrap();
                assert!(has_zero_page(piece), "the premise: pages are gone");
            }
            ControlFlow::Continue(())
        };
        let error = io_error(image.visit(pos(0)..pos(20 * MIB), &mut shrink));
        assert!(is_eof(&error), "{error:?}");
        assert_eq!(error.at, Some(pos(left.max(8 * MIB))));
        assert_eq!(windows, 2);
    }
}

#[test]
fn a_last_page_cut_short_is_an_error_though_it_makes_no_fault() {
    let file = file_of(&numbered(MIB));
    let image = MappedImage::open(file.path()).unwrap();
    let mut shrink = |_, piece: &[u8]| {
        file.as_file().set_len(MIB - 1000).unwrap();
        assert_eq!(piece.last(), Some(&0), "the premise: zeros are seen");
        ControlFlow::Break(())
    };
    let error = io_error(image.visit(pos(0)..pos(MIB), &mut shrink));
    assert!(is_eof(&error), "{error:?}");
    assert_eq!(error.at, Some(pos(MIB - 1000)));
}

#[test]
fn a_file_that_shrank_and_grew_again_under_the_visitor_is_an_error() {
    let file = file_of(&numbered(MIB));
    let image = MappedImage::open(file.path()).unwrap();
    let mut change = |_, piece: &[u8]| {
        file.as_file().set_len(4096).unwrap();
        assert!(has_zero_page(&piece[8192..16384]));
        file.as_file().set_len(MIB).unwrap();
        ControlFlow::Continue(())
    };
    let error = io_error(image.visit(pos(0)..pos(MIB), &mut change));
    assert_eq!(error.at, Some(pos(8192)));
    assert_eq!(
        error.source.to_string(),
        "the image changed while being read"
    );
    // The missing page was that window's only.
    let mut again = |_, _: &[u8]| ControlFlow::Continue(());
    image.visit(pos(0)..pos(MIB), &mut again).unwrap();
}

#[test]
fn a_file_that_keeps_shrinking_and_growing_never_kills() {
    let content = numbered(4 * MIB);
    let file = file_of(&content);
    let image = MappedImage::open(file.path()).unwrap();
    let changed = &content[1 << 20..][..65536];
    let (start, done) = (Instant::now(), AtomicBool::new(false));
    let (mut well, mut failed, mut zeros) = (0, 0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for round in (0..).take_while(|_| !done.load(Ordering::Relaxed)) {
                let file = file.as_file();
                file.set_len([0, MIB, 3 * MIB + 100][round % 3]).unwrap();
                file.set_len(4 * MIB).unwrap();
                file.write_all_at(changed, MIB).unwrap();
            }
        });
        // On a busy machine one of the two may get no turn for seconds.
        let enough = |all| start.elapsed() > Duration::from_secs(if all { 2 } else { 60 });
        while !enough(well > 0 && failed > 0 && zeros > 0) {
            let mut compare = |at: ImagePos, piece: &[u8]| {
                let start = to_len(at.from_start());
                for (seen, written) in piece.iter().zip(&content[start..]) {
                    // Loaded once: the compiler takes it for granted that a slice keeps its bytes.
                    let seen = black_box(*seen);
                    zeros += u64::from(seen != *written);
                    assert!(seen == *written || seen == 0);
                }
                ControlFlow::Continue(())
            };
            match image.visit(pos(0)..pos(4 * MIB), &mut compare) {
                Ok(()) => well += 1,
                Err(_) => failed += 1,
            }
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(
        well > 0 && failed > 0 && zeros > 0,
        "the premise: {well} went well, {failed} failed, {zeros} bytes were gone"
    );
}

#[test]
fn more_windows_than_can_be_mapped_are_read() {
    fn nest(image: &MappedImage, depth: usize, lens: &mut Vec<usize>) {
        let mut deeper = |_, piece: &[u8]| {
            lens.push(piece.len());
            if depth > 0 {
                nest(image, depth - 1, lens);
            }
            ControlFlow::Break(())
        };
        image.visit(pos(0)..pos(2 * MIB), &mut deeper).unwrap();
    }
    if !is_alone() {
        // The windows are counted for the whole process, and other tests expect to get theirs.
        let name = "image::map::tests::more_windows_than_can_be_mapped_are_read";
        return assert!(run_alone(name).success());
    }
    let file = file_of(&numbered(2 * MIB));
    let image = MappedImage::open(file.path()).unwrap();
    let mut lens = Vec::new();
    nest(&image, 70, &mut lens);
    assert_eq!((lens.len(), lens[0], lens[70]), (71, 2 << 20, 1 << 20));
}

#[test]
fn a_block_device_is_mapped_and_its_bad_sectors_are_errors() {
    let content = numbered(32 * MIB);
    let file = file_of(&content);
    let Some(device) = LoopDevice::over(file.path()) else {
        return;
    };
    let image = MappedImage::open(device.path()).unwrap();
    assert_eq!(image.size(), bytes(32 * MIB));
    // The device keeps its size, and has nothing from this block on any more. The system has read ahead here and there, but not so far.
    let bad = 15 * MIB + 8192;
    file.as_file().set_len(bad).unwrap();
    let mut lens = Vec::new();
    let mut seen = |at: ImagePos, piece: &[u8]| {
        if at == ImagePos::START {
            assert!(piece == &content[..8 << 20]);
        }
        lens.push(piece.len());
        ControlFlow::Continue(())
    };
    let error = io_error(image.visit(pos(0)..pos(32 * MIB), &mut seen));
    let errno = rustix::io::Errno::IO.raw_os_error();
    assert_eq!(error.source.raw_os_error(), Some(errno));
    assert_eq!(error.at, Some(pos(bad)));
    let read = [
        8 << 20,
        1 << 20,
        1 << 20,
        1 << 20,
        1 << 20,
        1 << 20,
        1 << 20,
        1 << 20,
    ];
    assert_eq!(lens, read, "one window mapped, the next read");
}

#[test]
fn for_a_scan_a_file_is_mapped_and_a_block_device_is_read() {
    let piece = |path: &Path| {
        let mut len = 0;
        let mut first = |_, piece: &[u8]| {
            len = piece.len();
            ControlFlow::Break(())
        };
        let image = open_for_scan(path).unwrap();
        image.visit(pos(0)..pos(2 * MIB), &mut first).unwrap();
        len
    };
    let file = file_of(&numbered(2 * MIB));
    assert_eq!(piece(file.path()), 2 << 20);
    if let Some(device) = LoopDevice::over(file.path()) {
        assert_eq!(piece(device.path()), 1 << 20);
    }
}

#[test]
fn mapping_changes_neither_a_byte_nor_a_time() {
    let content = numbered(MIB);
    let file = file_of(&content);
    set_old_access_time(&file);
    let before = times(file.path());
    let image = MappedImage::open(file.path()).unwrap();
    let mut seen = |_, piece: &[u8]| {
        assert!(piece == content);
        ControlFlow::Continue(())
    };
    image.visit(pos(0)..pos(MIB), &mut seen).unwrap();
    assert_eq!(times(file.path()), before);
}

proptest! {
    #[test]
    fn it_answers_as_the_file_does(start in 0_u64..70_000, end in 0_u64..70_000) {
        let content = numbered(66_048);
        let file = file_of(&content);
        let show = |image: &dyn ReadAt| {
            let mut seen = Vec::new();
            let mut note = |at, piece: &[u8]| {
                seen.push((at, piece.to_vec()));
                ControlFlow::Continue(())
            };
            let answer = image.visit(pos(start)..pos(end), &mut note);
            (answer.map_err(|error| error.to_string()), seen)
        };
        let mapped = show(&MappedImage::open(file.path()).unwrap());
        prop_assert_eq!(mapped, show(&ImageFile::open(file.path()).unwrap()));
    }
}
