//! SOURCE: an image, a block device, one level of either as `PATH@LEVEL`, or a dump as text; `-` is standard input.

mod text;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Context;

use text::last_bits;
pub(crate) use text::{Text, text};

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::session::open::Opened;
use crate::cli::session::select::{choose, find, nothing_found};
use crate::dump::DumpReader;
use crate::error::{Error, Refused};
use crate::format::bitmap::count_set;
use crate::format::metadata::{Bitmap, Header};
use crate::format::superblock::AlState;
use crate::image::is_there;
use crate::surgery::apply_al::{Applied, Marking};
use crate::survey::bitmap::OnDiskBitmap;
use crate::survey::locate::{IndexChoice, Level, Located, ScanMode};
use crate::survey::log::LogState;
use crate::units::Sectors;
use crate::verdict::check::refusals_of_level;
use crate::verdict::handshake::{FlagsTold, Log, Replica};

/// A source, and one resource in it.
pub(crate) struct Source {
    /// As it was named.
    pub(crate) name: String,
    kind: Kind,
}

enum Kind {
    Disk(Box<Disk>),
    Dump(Text),
}

/// A level of an image.
struct Disk {
    opened: Opened,
    located: Located,
    number: usize,
    /// What the log names.
    marking: Marking,
    log: Log,
}

/// Which resource of a stack is meant where the source itself does not say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Meant {
    pub(crate) level: Option<LevelChoice>,
    pub(crate) stacked: bool,
}

impl Source {
    /// Opens a source for looking.
    pub(crate) fn open(named: &Path, meant: Meant) -> anyhow::Result<Self> {
        let name = named.display().to_string();
        let (path, level) = split(named);
        let meant = Meant {
            level: level.or(meant.level),
            ..meant
        };
        let kind = if let Some(text) = text(&path).with_context(|| name.clone())? {
            anyhow::ensure!(
                matches!(
                    level,
                    None | Some(LevelChoice::Outer | LevelChoice::Number(0))
                ),
                "{name}: is a dump, which holds one resource: expected its path without a level"
            );
            Kind::Dump(text)
        } else {
            let image = ImageArgs {
                image: path,
                stacked: meant.stacked && meant.level.is_none(),
                index: IndexChoice::Auto,
                at: None,
                offset: None,
                size: None,
            };
            Kind::Disk(Box::new(Disk::open(&image, meant.level)?))
        };
        Ok(Self { name, kind })
    }

    /// Opens a dump; nothing where the path leads to anything else.
    pub(crate) fn of_dump(named: &Path) -> anyhow::Result<Option<Self>> {
        let name = named.display().to_string();
        let text = text(named).with_context(|| name.clone())?;
        Ok(text.map(|text| Self {
            name,
            kind: Kind::Dump(text),
        }))
    }

    /// The dump from its beginning; nothing for an image.
    pub(crate) fn dump(&self) -> anyhow::Result<Option<DumpReader<'_>>> {
        match &self.kind {
            Kind::Disk(_) => Ok(None),
            Kind::Dump(text) => Ok(Some(text.reader().with_context(|| self.name.clone())?)),
        }
    }

    /// Opens an image as the arguments of other commands name it.
    pub(crate) fn of_image(image: &ImageArgs, level: Option<LevelChoice>) -> anyhow::Result<Self> {
        Ok(Self {
            name: image.image.display().to_string(),
            kind: Kind::Disk(Box::new(Disk::open(image, level)?)),
        })
    }

    /// The same after its adoption, which takes the superblock's word that a log is applied, and begins an empty one.
    pub(crate) fn adopted(mut self) -> Self {
        if let Kind::Disk(disk) = &mut self.kind
            && disk.level().superblock.al_state() == AlState::Clean
        {
            (disk.marking, disk.log) = (Marking::default(), Log::Applied);
        }
        self
    }

    /// The number of the level in a stack; nothing for a dump.
    pub(crate) fn level(&self) -> Option<usize> {
        match &self.kind {
            Kind::Disk(disk) => Some(disk.number),
            Kind::Dump(_) => None,
        }
    }

    /// What its metadata says, and what is counted in it.
    pub(crate) fn replica(&self) -> anyhow::Result<Replica> {
        match &self.kind {
            Kind::Disk(disk) => disk.replica(),
            Kind::Dump(text) => text.replica(),
        }
        .with_context(|| self.name.clone())
    }

    /// The bitmap, the log's extents among its bits where they are known. A dump's slots have to be asked for in order.
    pub(crate) fn bitmap(&self) -> anyhow::Result<Box<dyn Bitmap + '_>> {
        Ok(match &self.kind {
            Kind::Disk(disk) => Box::new(Applied::new(disk.bitmap(), &disk.marking)),
            Kind::Dump(text) => Box::new(text.reader().with_context(|| self.name.clone())?),
        })
    }

    /// What is odd about it, for people.
    pub(crate) fn warnings(&self) -> anyhow::Result<Vec<String>> {
        let Kind::Dump(text) = &self.kind else {
            return Ok(Vec::new());
        };
        let reader = text.reader().with_context(|| self.name.clone())?;
        let notes = reader.notes().iter().filter(|note| note.is_warning());
        Ok(notes.map(ToString::to_string).collect())
    }
}

/// A source that is no dump as it should be.
#[derive(Debug)]
pub(crate) struct ReadBy {
    pub(crate) path: PathBuf,
}

impl ReadBy {
    /// Notes the source in errors of reading it.
    pub(crate) fn note(error: anyhow::Error, named: &Path) -> anyhow::Error {
        let is_syntax = |cause: &Error| matches!(cause, Error::Syntax(_));
        if !error.downcast_ref::<Error>().is_some_and(is_syntax) {
            return error;
        }
        let path = named.to_owned();
        match error.downcast::<Error>() {
            Ok(error) => anyhow::Error::from(error).context(Self { path }),
            Err(error) => error,
        }
    }
}

impl fmt::Display for ReadBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// An image's arguments and level as a reading command takes them: `PATH@LEVEL` picks a level, and comes before `--level`.
pub(crate) fn named(
    image: &ImageArgs,
    level: Option<LevelChoice>,
) -> (ImageArgs, Option<LevelChoice>) {
    let (path, own) = split(&image.image);
    let image = ImageArgs {
        image: path,
        stacked: image.stacked && own.is_none(),
        ..image.clone()
    };
    (image, own.or(level))
}

/// A path and a level: what exists as it is written is no level of anything.
pub(crate) fn split(named: &Path) -> (PathBuf, Option<LevelChoice>) {
    let whole = || (named.to_owned(), None);
    let exists = named == Path::new("-") || is_there(named);
    let Some(text) = named.to_str().filter(|_| !exists) else {
        return whole();
    };
    let Some((path, level)) = text.rsplit_once('@') else {
        return whole();
    };
    match level.parse() {
        Ok(level) => (PathBuf::from(path), Some(level)),
        Err(_) => whole(),
    }
}

impl Disk {
    fn open(image: &ImageArgs, level: Option<LevelChoice>) -> anyhow::Result<Self> {
        let opened = Opened::open(image)?;
        let located = find(&opened, image, level, ScanMode::Auto)?;
        if located.levels.is_empty() {
            return Err(nothing_found(&located, image, &opened));
        }
        let number = choose(&located, image, level, &opened)?;
        let mut disk = Self {
            opened,
            located,
            number,
            marking: Marking::default(),
            log: Log::Applied,
        };
        let name = || image.image.display().to_string();
        (disk.marking, disk.log) = disk.read_log().with_context(name)?;
        Ok(disk)
    }

    fn level(&self) -> &Level {
        // OK to expect: the number was chosen among these levels, which do not change.
        self.located.levels.get(self.number).expect("a level")
    }

    /// What the log marks, by what apply-al does, which `drbdadm up` runs first; a log that is not complete marks nothing, and is missing.
    fn read_log(&self) -> crate::error::Result<(Marking, Log)> {
        let level = self.level();
        let geometry = &level.layout.geometry;
        let clean = level.superblock.al_state() == AlState::Clean;
        let state = LogState::read(self.opened.window(), level, &mut |_| {})?;
        match state.extents(self.opened.image_pos(level.layout.md)) {
            Ok([]) if clean => Ok((Marking::default(), Log::Applied)),
            Ok(extents) => Ok((Marking::of(extents, geometry), Log::Counted)),
            Err(Error::Refused(Refused::LogIncomplete { .. })) if clean => {
                Ok((Marking::default(), Log::Applied))
            }
            Err(Error::Refused(Refused::LogIncomplete { .. })) => {
                Ok((Marking::default(), Log::Missing))
            }
            Err(error) => Err(error),
        }
    }

    /// The bitmap as it is on disk, also where it never had a size.
    fn bitmap(&self) -> OnDiskBitmap<'_> {
        let level = self.level();
        OnDiskBitmap::new(self.opened.window(), &level.layout, level.drbd_device())
    }

    fn replica(&self) -> anyhow::Result<Replica> {
        let level = self.level();
        let layout = &level.layout;
        let header = Header {
            la_size: clipped(level),
            ..Header::of(&level.superblock)
        };
        let bitmap = self.bitmap();
        let bits = header.geometry.bits(level.drbd_device()).unwrap_or(0);
        let mut slots = Vec::new();
        if self.marking.marks().is_empty() {
            slots = bitmap.count_slots(bits)?;
        } else {
            let mut bitmap = Applied::new(bitmap, &self.marking);
            for slot in header.geometry.slots() {
                slots.push(count_set(&mut *bitmap.slot(slot)?, bits)?);
            }
        }
        let refusals = refusals_of_level(&self.located, self.number, self.opened.window().size());
        let mut again = Applied::new(bitmap, &self.marking);
        Ok(Replica {
            refusals,
            flags: FlagsTold::Known,
            last_bits: last_bits(&header, &mut again, &slots)?,
            header,
            capacity: layout.index.is_internal().then_some(layout.usable),
            slots,
            log: self.log,
        })
    }
}

/// The size that was agreed on, as far as the metadata reaches.
fn clipped(level: &Level) -> Sectors {
    level.superblock.la_size().min(level.layout.usable)
}
