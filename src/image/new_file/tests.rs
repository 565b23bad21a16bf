//! Tests of `new_file`.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::error::Error;
use crate::image::ReadAt;
use crate::units::{Bytes, ImagePos};

fn names(dir: &Path) -> Vec<OsString> {
    std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect()
}

#[test]
fn a_file_appears_only_when_it_is_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.md");
    let mut file = NewFile::create(&path).unwrap();
    file.write_all(b"whole").unwrap();
    assert!(!path.exists());
    file.finish().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
    assert_eq!(names(dir.path()), ["dump.md"]);
}

#[test]
fn a_finished_file_can_be_read_and_a_device_cannot() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("undo");
    let mut file = NewFile::create(&path).unwrap();
    file.write_all(b"whole").unwrap();
    let read = file.finish_to_read().unwrap();
    let mut found = [0; 5];
    read.read_exact_at(ImagePos::START, &mut found).unwrap();
    assert_eq!((&found, read.size()), (b"whole", Bytes::new(5)));
    assert!(path.exists());

    let device = NewFile::create(Path::new("/dev/null")).unwrap();
    let found = FileKind::CharacterDevice;
    assert!(matches!(
        device.finish_to_read(),
        Err(Error::Refused(refused)) if refused == Refused::FileKind { found }
    ));
}

#[test]
fn a_private_file_is_its_owner_s_only_from_the_first_byte() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |name: &OsString| {
        let found = std::fs::metadata(dir.path().join(name)).unwrap();
        found.permissions().mode() & 0o777
    };
    let own = Mode::RUSR | Mode::WUSR;
    let named = NewFile::begin_named(dir.path().join("named"), own).unwrap();
    let [temporary] = names(dir.path()).try_into().unwrap();
    assert_eq!(mode(&temporary), 0o600);
    named.finish().unwrap();
    let file = NewFile::create_private(&dir.path().join("undo")).unwrap();
    file.finish().unwrap();
    assert_eq!(names(dir.path()).len(), 2);
    for name in ["named", "undo"] {
        assert_eq!(mode(&name.into()), 0o600);
    }
}

#[test]
fn a_private_file_is_no_stream() {
    let dir = tempfile::tempdir().unwrap();
    let fifo = dir.path().join("fifo");
    let kind = FileType::Fifo;
    rustix::fs::mknodat(CWD, &fifo, kind, Mode::from_raw_mode(0o666), 0).unwrap();
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    for (path, found) in [
        (fifo.as_path(), FileKind::Fifo),
        (&link, FileKind::Fifo),
        (Path::new("/dev/null"), FileKind::CharacterDevice),
    ] {
        assert!(matches!(
            NewFile::create_private(path),
            Err(Error::Refused(refused)) if refused == Refused::NotNew { found }
        ));
    }
    assert_eq!(names(dir.path()).len(), 2);
}

#[test]
fn a_link_that_leads_nowhere_is_a_name_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("undo");
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    for answer in [NewFile::create(&path), NewFile::create_private(&path)] {
        assert!(matches!(answer, Err(Error::Refused(Refused::Exists))));
    }
}

#[test]
fn what_is_not_finished_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.md");
    let mode = Mode::from_raw_mode(0o666);
    let mut nameless = NewFile::create(&path).unwrap();
    nameless.write_all(b"half").unwrap();
    assert!(names(dir.path()).is_empty(), "a kill leaves nothing, too");
    let mut named = NewFile::begin_named(path, mode).unwrap();
    named.write_all(b"half").unwrap();
    assert_eq!(names(dir.path()).len(), 1);
    drop((nameless, named));
    assert!(names(dir.path()).is_empty());
}

#[test]
fn a_name_that_was_taken_meanwhile_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.md");
    let mode = Mode::from_raw_mode(0o666);
    let files = [
        NewFile::create(&path).unwrap(),
        NewFile::begin_named(path.clone(), mode).unwrap(),
    ];
    std::os::unix::fs::symlink("somebody's", &path).unwrap();
    for file in files {
        assert!(matches!(
            file.finish(),
            Err(Error::Refused(Refused::Exists))
        ));
    }
    assert_eq!(names(dir.path()), ["dump.md"]);
}

#[test]
fn a_file_that_exists_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("dump.md");
    let mode = Mode::from_raw_mode(0o666);
    let late = NewFile::begin_named(path.clone(), mode).unwrap();
    NewFile::begin_named(path.clone(), mode).unwrap_err();
    drop(late);
    let late = NewFile::create(&path).unwrap();
    std::os::unix::fs::symlink("nowhere", &path).unwrap();
    assert!(matches!(
        late.finish(),
        Err(Error::Refused(Refused::Exists))
    ));
    assert_eq!(names(dir.path()), ["dump.md"]);
    let image = dir.path().join("image.raw");
    NewFile::create(&image).unwrap().finish().unwrap();
    assert!(matches!(
        NewFile::create(&image),
        Err(Error::Refused(Refused::Exists))
    ));
}
