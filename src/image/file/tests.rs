use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixListener;
use std::process::Command;

use super::super::support::{
    LoopDevice, MIB, all_data, bytes, file_of, io_error, numbered, pos, set_old_access_time, skip,
    times,
};
use super::*;
use crate::error::Error;

fn visited(image: &dyn ReadAt, range: Range<ImagePos>) -> Vec<(ImagePos, Vec<u8>)> {
    let mut pieces = Vec::new();
    let mut note = |at, piece: &[u8]| {
        pieces.push((at, piece.to_vec()));
        ControlFlow::Continue(())
    };
    image.visit(range, &mut note).unwrap();
    pieces
}

#[test]
fn every_way_of_reading_gives_the_file_s_bytes() {
    let content = numbered(3 * MIB + 512);
    let file = file_of(&content);
    let image = ImageFile::open(file.path()).unwrap();
    assert_eq!(image.size(), Bytes::of_len(content.len()));
    let mut buf = vec![0; 1000];
    image.read_exact_at(pos(2 * MIB - 500), &mut buf).unwrap();
    let from = 2 * 1024 * 1024 - 500;
    assert_eq!(buf, content[from..from + 1000]);

    let pieces = visited(&image, pos(512)..pos(3 * MIB + 512));
    assert_eq!(pieces.len(), 3);
    assert_eq!(pieces[1].0, pos(512 + MIB));
    let whole: Vec<u8> = pieces.into_iter().flat_map(|(_, piece)| piece).collect();
    assert_eq!(whole, content[512..]);
}

#[test]
fn a_visitor_that_has_seen_enough_is_shown_no_more() {
    let file = file_of(&numbered(3 * MIB));
    let image = ImageFile::open(file.path()).unwrap();
    let mut pieces = 0;
    let mut stop = |_, _: &[u8]| {
        pieces += 1;
        ControlFlow::Break(())
    };
    image.visit(pos(0)..pos(3 * MIB), &mut stop).unwrap();
    assert_eq!(pieces, 1);
}

#[test]
fn nothing_is_read_beyond_the_end() {
    let file = file_of(&numbered(4096));
    let image = ImageFile::open(file.path()).unwrap();
    for (at, len) in [(4096, 1), (0, 4097), (u64::MAX, 2)] {
        let mut buf = vec![7; len];
        let error = io_error(image.read_exact_at(pos(at), &mut buf));
        assert_eq!(
            (error.at, error.source.kind()),
            (Some(pos(at)), io::ErrorKind::InvalidInput)
        );
        assert!(buf.iter().all(|byte| *byte == 7), "not a byte was read");
    }
    let mut untouched = |_, _: &[u8]| panic!("nothing is to be shown");
    assert!(image.visit(pos(0)..pos(4097), &mut untouched).is_err());
    image.visit(pos(9)..pos(3), &mut untouched).unwrap();
    image.read_exact_at(pos(4096), &mut []).unwrap();
    assert_eq!(image.next_data(pos(4096)).unwrap(), None);
    assert_eq!(image.next_data(pos(u64::MAX)).unwrap(), None);
}

#[test]
fn what_is_no_file_and_no_block_device_is_refused_without_waiting() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let socket = dir.path().join("socket");
    let _listener = UnixListener::bind(&socket).unwrap();
    let kinds = [
        (dir.path(), FileKind::Directory),
        (&fifo, FileKind::Fifo),
        (&socket, FileKind::Socket),
        (Path::new("/dev/null"), FileKind::CharacterDevice),
    ];
    for (path, kind) in kinds {
        let answer = ImageFile::open(path);
        assert!(
            matches!(answer, Err(Error::Refused(Refused::FileKind { found })) if found == kind),
            "{kind}: {answer:?}"
        );
    }
    let error = ImageFile::open(&fifo).unwrap_err();
    assert_eq!(
        error.to_string(),
        "is a named pipe, expected a regular file or a block device"
    );
    let missing = io_error(ImageFile::open(&dir.path().join("missing")));
    assert_eq!(missing.op, IoOp::Open);
    assert_eq!(missing.source.kind(), io::ErrorKind::NotFound);
}

#[test]
fn reading_changes_neither_a_byte_nor_a_time() {
    let content = numbered(2 * MIB);
    let file = file_of(&content);
    set_old_access_time(&file);
    let before = times(file.path());
    let image = ImageFile::open(file.path()).unwrap();
    visited(&image, pos(0)..pos(2 * MIB));
    all_data(&image);
    drop(image);
    assert_eq!(times(file.path()), before);

    // The premise: here, an ordinary read would have been noted.
    let seen = Command::new("cat").arg(file.path()).output().unwrap();
    assert_eq!(seen.stdout, content);
    if times(file.path()) == before {
        skip("access times are not kept here");
    }
}

#[test]
fn a_file_that_is_another_s_can_be_read() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can become somebody else");
    }
    let file = file_of(&numbered(4096));
    let readable = std::fs::Permissions::from_mode(0o644);
    file.as_file().set_permissions(readable).unwrap();
    let path = file.path().to_owned();
    let nobody = move || {
        // The thread alone changes: `setresuid` itself is per thread.
        let uid = Some(rustix::process::Uid::from_raw(65534));
        rustix::thread::set_thread_res_uid(uid, uid, uid).unwrap();
        let open = |flags| rustix::fs::open(&path, flags | OFlags::RDONLY, Mode::empty());
        assert_eq!(open(OFlags::NOATIME).unwrap_err(), Errno::PERM);
        ImageFile::open(&path).map(|image| image.size())
    };
    let size = std::thread::spawn(nobody).join().unwrap();
    assert_eq!(size.unwrap(), bytes(4096));
}

#[test]
fn holes_of_nine_terabytes_are_skipped() {
    let size = 9_000_000_000_000;
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().set_len(size).unwrap();
    let at = 4_000_000_000_000 / 4096 * 4096;
    file.as_file().write_all_at(&numbered(8192), at).unwrap();
    let image = ImageFile::open(file.path()).unwrap();
    assert_eq!(image.size(), bytes(size));
    assert_eq!(all_data(&image), [(at, at + 8192)]);
    let data = image.next_data(pos(at + 5000)).unwrap();
    assert_eq!(data, Some(pos(at + 5000)..pos(at + 8192)));
    assert_eq!(image.next_data(pos(at + 8192)).unwrap(), None);
}

#[test]
fn data_never_reaches_beyond_the_size_it_had() {
    let file = file_of(&numbered(4096));
    let image = ImageFile::open(file.path()).unwrap();
    file.as_file().write_all_at(&[1; 8192], 4096).unwrap();
    assert_eq!(all_data(&image), [(0, 4096)]);
}

#[test]
fn a_file_that_shrank_is_an_error_at_its_new_end() {
    let file = file_of(&numbered(3 * MIB));
    let image = ImageFile::open(file.path()).unwrap();
    file.as_file().set_len(MIB + 700).unwrap();
    let error = io_error(image.read_exact_at(pos(MIB), &mut vec![0; 2048]));
    assert_eq!(error.at, Some(pos(MIB + 700)));
    assert_eq!(error.length, Some(bytes(2048 - 700)));
    assert_eq!(error.source.kind(), io::ErrorKind::UnexpectedEof);
    assert_eq!(
        error.source.to_string(),
        "the image shrank while being read"
    );
    // What is gone is not a hole.
    let error = io_error(image.next_data(pos(2 * MIB)));
    assert_eq!(error.at, Some(pos(2 * MIB)));
    assert_eq!(error.source.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn a_block_device_has_the_size_that_blockdev_says() {
    let file = file_of(&numbered(3 * MIB + 512));
    let Some(device) = LoopDevice::over(file.path()) else {
        return;
    };
    let said = Command::new("blockdev")
        .arg("--getsize64")
        .arg(device.path())
        .output()
        .unwrap();
    let said: u64 = String::from_utf8(said.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    let image = ImageFile::open(device.path()).unwrap();
    assert_eq!(image.size(), bytes(said));
    assert_eq!(said, 3 * MIB + 512);
    assert_eq!(all_data(&image), [(0, said)], "all of it may be data");
    let mut last = [0; 512];
    image.read_exact_at(pos(3 * MIB), &mut last).unwrap();
    assert_eq!(last[..], numbered(3 * MIB + 512)[3 * 1024 * 1024..]);
}

#[test]
fn a_bad_sector_is_named_by_its_position() {
    let file = file_of(&numbered(2 * MIB));
    let Some(device) = LoopDevice::over(file.path()) else {
        return;
    };
    let image = ImageFile::open(device.path()).unwrap();
    // The device keeps its size, and has nothing from this block on any more.
    let bad = MIB / 2 + 4096;
    file.as_file().set_len(bad).unwrap();
    let error = io_error(image.read_exact_at(pos(512), &mut vec![0; 1024 * 1024]));
    assert_eq!(error.source.raw_os_error(), Some(Errno::IO.raw_os_error()));
    assert_eq!(error.at, Some(pos(bad)));
    assert_eq!(error.length, Some(bytes(512 + MIB - bad)));
}

/// A reader that is interrupted at first, gives at most 5000 bytes at once, and fails whole where a read touches `bad`.
fn reader(bad: Range<u64>) -> impl FnMut(ImagePos, &mut [u8]) -> io::Result<usize> {
    let mut interrupted = false;
    move |at, piece| {
        let end = at.get() + Bytes::of_len(piece.len()).get();
        if !std::mem::replace(&mut interrupted, true) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if at.get() < bad.end && end > bad.start {
            return Err(Errno::IO.into());
        }
        let count = piece.len().min(5000);
        piece[..count].fill(1);
        Ok(count)
    }
}

#[test]
fn short_and_interrupted_reads_are_gone_on_with() {
    let mut buf = vec![0; 20_000];
    fill(pos(100), &mut buf, reader(0..0)).unwrap();
    assert!(buf.iter().all(|byte| *byte == 1));
}

#[test]
fn an_error_over_a_long_stretch_is_narrowed_to_its_block() {
    let mut buf = vec![0; 100_000];
    let stop = fill(pos(100), &mut buf, reader(41_000..41_001)).unwrap_err();
    assert_eq!(stop.at, pos(100));
    let stop = fill_in_blocks(pos(100), &mut buf, reader(41_000..41_001)).unwrap_err();
    assert_eq!(stop.at, pos(40_960));
    let readable = 40_960 - 100;
    assert!(buf[..readable].iter().all(|byte| *byte == 1));
    assert!(buf[readable..].iter().all(|byte| *byte == 0));
    fill_in_blocks(pos(100), &mut buf, reader(0..0)).unwrap();
    assert!(buf.iter().all(|byte| *byte == 1));
}
