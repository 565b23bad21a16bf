//! What becomes of a `SIGBUS` that is none of ours. Each of these tests runs again as a process of its own, which is to die or to change
//! its handlers.

use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;

use super::*;
use crate::image::support::{file_of, is_alone, numbered, run_alone};

/// A map of ours, and one that is not.
fn two_maps() -> (tempfile::NamedTempFile, GuardedMap, Mmap) {
    let file = file_of(&numbered(8192));
    let ours = GuardedMap::new(file.as_file().as_fd(), ImagePos::START, 8192).unwrap();
    // SAFETY: of no consequence in a test.
    let other = unsafe { Mmap::map(file.as_file()) }.unwrap();
    (file, ours, other)
}

#[test]
fn a_missing_page_of_somebody_else_s_map_still_kills() {
    if is_alone() {
        let (file, ours, other) = two_maps();
        file.as_file().set_len(0).unwrap();
        assert_eq!((ours.bytes()[4096], ours.fault()), (0, Some(4096)));
        let byte = std::hint::black_box(&other)[0];
        panic!("read {byte} from a page that is not there");
    }
    let status =
        run_alone("image::map::guard::tests::a_missing_page_of_somebody_else_s_map_still_kills");
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
}

#[test]
fn a_bus_error_that_is_sent_still_kills() {
    if is_alone() {
        let _maps = two_maps();
        let this = rustix::process::getpid();
        // Rust's own handler, which was there before ours, lets one pass.
        for _ in 0..1000 {
            rustix::process::kill_process(this, rustix::process::Signal::BUS).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        panic!("the signals were swallowed");
    }
    let status = run_alone("image::map::guard::tests::a_bus_error_that_is_sent_still_kills");
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status}");
}

#[test]
fn nothing_is_mapped_where_somebody_else_handles_bus_errors() {
    if is_alone() {
        let (file, ours, _other) = two_maps();
        drop(ours);
        // SAFETY: no page is missing here.
        unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
        assert!(GuardedMap::new(file.as_file().as_fd(), ImagePos::START, 8192).is_none());
        return;
    }
    let status = run_alone(
        "image::map::guard::tests::nothing_is_mapped_where_somebody_else_handles_bus_errors",
    );
    assert!(status.success(), "{status}");
}

#[test]
fn a_window_that_starts_within_a_page_is_guarded_too() {
    let file = file_of(&numbered(4 * 4096));
    let fd = file.as_file().as_fd();
    let map = GuardedMap::new(fd, ImagePos::new(4096 + 512), 4096).unwrap();
    assert_eq!(map.bytes()[..8], 10_u64.to_be_bytes());
    assert_eq!(map.fault(), None);
    file.as_file().set_len(4096).unwrap();
    assert_eq!(map.bytes()[4000], 0);
    assert_eq!(map.fault(), Some(4096 - 512));
    let same_page = GuardedMap::new(fd, ImagePos::new(512), 512).unwrap();
    assert_eq!(same_page.fault(), None, "the note went with its window");
}
