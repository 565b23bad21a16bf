//! Faults in reading: an error with the position, and never a partial result that looks whole.

/// The commands, as a shell runs them.
mod commands;

use std::cell::Cell;
use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use mdtool::builder::activity_log::{KernelLog, Write};
use mdtool::builder::{Level, Peer, build};
use mdtool::dump::{Compat, DumpReader, Preamble, print};
use mdtool::error::{Error, IoError, IoOp, Result};
use mdtool::format::metadata::Header;
use mdtool::image::{ImageFile, MemImage, ReadAt, Window, open_for_scan};
use mdtool::surgery::apply_al::{Applied, Marking, draft};
use mdtool::surgery::import::{ImportOptions, plan};
use mdtool::surgery::place::place;
use mdtool::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate};
use mdtool::survey::log::LogState;
use mdtool::transaction;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId};
use mdtool::verdict::check::{CheckOptions, check, in_place};
use mdtool::verdict::probe::{ProbeOptions, Which, probe};

use crate::support::{cut, patch, scratch, sparse};

const MIB: u64 = 1 << 20;

/// An image of which something happens at the n-th access, and which counts them.
struct Struck<'a, R: ?Sized> {
    image: &'a R,
    accesses: Cell<u64>,
    at: u64,
    /// Where the access was that was struck.
    place: Cell<Option<(ImagePos, Bytes)>>,
    strike: &'a dyn Fn(ImagePos, Bytes) -> Result<()>,
}

impl<'a, R: ReadAt + ?Sized> Struck<'a, R> {
    fn new(image: &'a R, at: u64, strike: &'a dyn Fn(ImagePos, Bytes) -> Result<()>) -> Self {
        Self {
            image,
            accesses: Cell::new(0),
            at,
            place: Cell::new(None),
            strike,
        }
    }

    fn access(&self, at: ImagePos, len: Bytes) -> Result<()> {
        let number = self.accesses.get();
        self.accesses.set(number + 1);
        if number == self.at {
            self.place.set(Some((at, len)));
            return (self.strike)(at, len);
        }
        Ok(())
    }
}

impl<R: ReadAt + ?Sized> ReadAt for Struck<'_, R> {
    fn size(&self) -> Bytes {
        self.image.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        self.access(at, Bytes::of_len(buf.len()))?;
        self.image.read_exact_at(at, buf)
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        self.access(from, Bytes::ZERO)?;
        self.image.next_data(from)
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        // Before the first piece, and before each further one.
        self.access(
            range.start,
            range.end.bytes_since(range.start).unwrap_or(Bytes::ZERO),
        )?;
        let mut failed = Ok(());
        let mut first = true;
        self.image.visit(range, &mut |at, piece| {
            if !std::mem::take(&mut first) {
                failed = self.access(at, Bytes::of_len(piece.len()));
            }
            if failed.is_err() {
                ControlFlow::Break(())
            } else {
                visit(at, piece)
            }
        })?;
        failed
    }
}

/// What only looks, and what it gives: text, so that two answers can be compared.
type Look = fn(&dyn ReadAt) -> Result<String>;

const LOOKS: [(&str, Look); 11] = [
    ("locate", |image| found(image, ScanMode::Auto)),
    ("locate --scan full", |image| found(image, ScanMode::Full)),
    ("export", |image| export(image, false)),
    ("export --apply-al", |image| export(image, true)),
    ("al", |image| Ok(format!("{:?}", log(image)?.0))),
    ("apply-al --dry-run", apply_al_preview),
    ("import --dry-run", import_preview),
    ("probe", |image| probed(image, ScanMode::Auto)),
    ("probe --scan full", |image| probed(image, ScanMode::Full)),
    ("check", |image| checked(image, false)),
    ("check --full", |image| checked(image, true)),
];

fn probed(image: &dyn ReadAt, scan: ScanMode) -> Result<String> {
    let options = ProbeOptions {
        scan,
        which: Which::Innermost,
        ..ProbeOptions::default()
    };
    Ok(format!("{:?}", probe(Window::whole(image), &options)?))
}

fn checked(image: &dyn ReadAt, full: bool) -> Result<String> {
    let device = Window::whole(image);
    let located = locate(device, &LocateOptions::default())?;
    let in_place = in_place(device, &located, IndexChoice::Auto)?;
    let judged = check(
        device,
        &located,
        &in_place,
        CheckOptions {
            full,
            of_dump: false,
        },
    )?;
    Ok(format!("{judged:?}"))
}

fn found(image: &dyn ReadAt, scan: ScanMode) -> Result<String> {
    let device = Window::whole(image);
    let found = locate(
        device,
        &LocateOptions {
            scan,
            stacked: true,
            ..LocateOptions::default()
        },
    )?;
    let sync: Result<Vec<_>> = found
        .levels
        .iter()
        .map(|level| level.out_of_sync(device, Bytes::new(MIB)))
        .collect();
    Ok(format!("{found:?} {:?}", sync?))
}

fn inner(image: &dyn ReadAt) -> Result<mdtool::survey::locate::Level> {
    let options = LocateOptions {
        stacked: true,
        ..LocateOptions::default()
    };
    let mut levels = locate(Window::whole(image), &options)?.levels;
    Ok(levels.pop().expect("a whole image has levels"))
}

fn log(image: &dyn ReadAt) -> Result<(LogState, mdtool::survey::locate::Level)> {
    let level = inner(image)?;
    Ok((
        LogState::read(Window::whole(image), &level, &mut |_| ())?,
        level,
    ))
}

fn export(image: &dyn ReadAt, apply: bool) -> Result<String> {
    let (log, level) = log(image)?;
    let preamble = Preamble {
        time: String::new(),
        origin: String::new(),
    };
    let header = Header::of(&level.superblock).with_log_applied();
    let extents: &[_] = if apply { &log.replay.active } else { &[] };
    let marking = Marking::of(extents, &level.layout.geometry);
    let mut bitmap = Applied::new(level.bitmap(Window::whole(image)), &marking);
    let mut text = Vec::new();
    let printed = print(
        &mut text,
        &header,
        &level.layout,
        &mut bitmap,
        &preamble,
        Compat::NEWEST,
    );
    if printed.is_err() {
        let partial = DumpReader::new(&*text).and_then(DumpReader::finish);
        assert!(
            partial.is_err(),
            "what was printed before the error is no dump"
        );
    }
    printed.map(|()| String::from_utf8(text).unwrap())
}

fn apply_al_preview(image: &dyn ReadAt) -> Result<String> {
    let (log, level) = log(image)?;
    let marking = Marking::of(&log.replay.active, &level.layout.geometry);
    let mut changes = Vec::new();
    let mut gained = Vec::new();
    let mut note =
        |change: &transaction::Change<'_>| changes.push((change.at, change.after.to_vec()));
    transaction::preview(image, &mut note, |drafting| {
        gained = draft(drafting, Window::whole(image), &level, &marking)?;
        Ok(())
    })?;
    Ok(format!("{gained:?} {changes:?}"))
}

fn import_preview(image: &dyn ReadAt) -> Result<String> {
    let whole = stack();
    let dump = export(&whole, true)?;
    let reader = DumpReader::new(dump.as_bytes())?;
    let import = plan(
        Window::whole(image),
        reader.header().clone(),
        &ImportOptions::default(),
    )?;
    let mut changes = Vec::new();
    let mut note =
        |change: &transaction::Change<'_>| changes.push((change.at, change.after.to_vec()));
    let mut bitmap = DumpReader::new(dump.as_bytes())?;
    transaction::preview(image, &mut note, |drafting| {
        place(
            drafting,
            Window::whole(image),
            &import.layout,
            &import.header,
            &mut bitmap,
        )
    })?;
    Ok(format!("{import:?} {changes:?}"))
}

/// A stack of v08 and v09 in 24 MiB, both unclean, with logs and bits.
fn stack() -> MemImage {
    let size = Bytes::new(24 * MIB);
    let mut image = MemImage::new(size);
    let mut log = KernelLog::new(1, 8, 1000, 1);
    log.activate(&[(0, 1), (1, 3)], Write::Whole);
    let slot = BitmapIndex::new(0);
    let peer = || Peer::in_slot(slot);
    let dirty = DevPos::new(MIB)..DevPos::new(3 * MIB);
    let levels = [
        Level::v08().unclean().dirty(slot, dirty.clone()),
        Level::v09(3)
            .node_id(NodeId::new(0))
            .peer(NodeId::new(1), peer())
            .unclean()
            .activity_log(log.area())
            .dirty(slot, dirty),
    ];
    build(&mut image, ImagePos::START, size, &levels).unwrap();
    // Data, so that a search has something to read.
    for at in (0..20 * MIB).step_by(3 * 4096) {
        image.write_at(ImagePos::new(at), &[0xA5; 4096]).unwrap();
    }
    image
}

fn eio(at: ImagePos, len: Bytes) -> Result<()> {
    Err(IoError::at(IoOp::Read, at, len, io::Error::from_raw_os_error(5)).into())
}

#[test]
fn an_error_at_any_access_is_told_with_its_position() {
    let image = stack();
    for (name, look) in LOOKS {
        let whole = look(&image).unwrap();
        let mut number = 0;
        loop {
            let struck = Struck::new(&image, number, &eio);
            let answer = look(&struck);
            let Some((at, len)) = struck.place.get() else {
                assert_eq!(answer.unwrap(), whole, "{name}");
                break;
            };
            match answer {
                Err(Error::Io(error)) => {
                    let said = (error.at, error.length, error.source.raw_os_error());
                    assert_eq!(
                        said,
                        (Some(at), Some(len), Some(5)),
                        "{name}, access {number}"
                    );
                }
                Err(other) => panic!("{name}, access {number}: {other:?}"),
                Ok(_) => panic!("{name}, access {number}: an answer, in spite of an error at {at}"),
            }
            number += 1;
        }
        assert!(number > 2, "{name} has {number} accesses only");
        eprintln!("{name}: an error at each of {number} accesses");
    }
}

/// The same stack in a file, without holes in its first part.
///
/// Written without a lock: between a fork and its exec, processes that other tests start would hold on to it.
fn stack_in(path: &Path) {
    let image = stack();
    sparse(path, image.size().get());
    let mut at = ImagePos::START;
    while let Some(data) = image.next_data(at).unwrap() {
        let mut bytes = vec![
            0;
            data.end
                .bytes_since(data.start)
                .unwrap()
                .to_usize()
                .unwrap()
        ];
        image.read_exact_at(data.start, &mut bytes).unwrap();
        patch(path, data.start.get(), &bytes);
        at = data.end;
    }
}

/// How a file is opened.
type Open = fn(&Path) -> Box<dyn ReadAt>;

#[test]
fn a_file_that_shrinks_at_any_access_gives_an_error_or_the_whole_answer() {
    let dir = scratch();
    let path = dir.path().join("shrinking.raw");
    let opens: [Open; 2] = [
        |path| Box::new(ImageFile::open(path).unwrap()),
        |path| open_for_scan(path).unwrap(),
    ];
    for (name, look) in LOOKS {
        for open in opens {
            stack_in(&path);
            let whole = look(&*open(&path)).unwrap();
            let mut errors = 0;
            // Every access is much; the first ones, and then ever fewer.
            let mut number = 0;
            loop {
                stack_in(&path);
                let image = open(&path);
                let left = [0, 10 * MIB + 700, 23 * MIB][usize::try_from(number % 3).unwrap()];
                let shrink = |_, _| {
                    cut(&path, left);
                    Ok(())
                };
                let struck = Struck::new(&*image, number, &shrink);
                match look(&struck) {
                    Ok(answer) => assert_eq!(answer, whole, "{name}, access {number}"),
                    Err(Error::Io(error)) => {
                        assert!(
                            error.at.is_some_and(|at| at.get() >= left),
                            "{name}: {error:?}"
                        );
                        errors += 1;
                    }
                    Err(other) => panic!("{name}, access {number}: {other:?}"),
                }
                if struck.place.get().is_none() {
                    break;
                }
                number += 1 + number / 8;
            }
            assert!(errors > 0, "{name}: nothing noticed of {number}");
        }
    }
}

/// How often the search asks for data in a hole of exbibytes.
#[test]
fn a_hole_of_exbibytes_is_searched_in_a_few_steps() {
    let mut image = MemImage::new(Bytes::new((8 << 60) + 4096));
    image.write_at(ImagePos::new(9 << 30), &[1; 4096]).unwrap();
    let never = |_, _| Ok(());
    let counted = Struck::new(&image, u64::MAX, &never);
    let found = locate(Window::whole(&counted), &LocateOptions::default()).unwrap();
    assert!(found.levels.is_empty());
    assert!(counted.accesses.get() < 1000, "{}", counted.accesses.get());
}
