//! Opening an image as the arguments say.

use anyhow::Context;
use serde::Serialize;

use crate::cli::Streams;
use crate::cli::args::ImageArgs;
use crate::cli::output::progress::Progress;
use crate::cli::session::source;
use crate::error::Unsupported;
use crate::image::{Access, ReadAt, Watched, Window, is_regular_file, open_for_scan};
use crate::surgery::described::Described;
use crate::survey::file_form::{BEGINNING, FileForm, container, recognise};
use crate::survey::locate::{LocateOptions, ScanMode, locate};
use crate::survey::windows::{hold, partition_at};
use crate::units::{Bytes, DevPos, ImagePos};

/// What was opened where a dump was named: the disk that it describes.
#[derive(Clone, Debug)]
struct OfDump {
    places: Places,
    /// What is odd about it, for people.
    warnings: Vec<String>,
}

/// What the places of a dump's metadata are worth.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Places {
    /// Its comments say where it lay.
    Told,
    /// They are those of the smallest disk that fits.
    Assumed,
}

impl Places {
    /// The same, for people.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Told => {
                "a dump: positions are those in its comments; it does not contain the activity log, the data, or what else is on the disk"
            }
            Self::Assumed => {
                "a dump that does not say where it lay: places are those of the smallest disk that fits; it does not contain the activity log, the data, or what else is on the disk"
            }
        }
    }
}

/// An image, and the part of it that is looked at.
pub(crate) struct Opened {
    image: Box<dyn ReadAt>,
    progress: Progress,
    base: ImagePos,
    len: Bytes,
    dump: Option<OfDump>,
}

impl Opened {
    /// Opens an image read-only, or a dump as text: what that describes is looked at as a disk then.
    pub(crate) fn open_source(args: &ImageArgs) -> anyhow::Result<Self> {
        let name = || args.image.display().to_string();
        let Some(text) = source::text(&args.image).with_context(name)? else {
            return Self::open(args);
        };
        let windowed = args.at.is_some() || args.offset.is_some() || args.size.is_some();
        anyhow::ensure!(
            !windowed,
            "{}: is a dump: --at, --offset and --size are for images",
            name()
        );
        let reader = text.reader().with_context(name)?;
        let notes = reader.notes().iter().filter(|note| note.is_warning());
        let warnings = notes.map(ToString::to_string).collect();
        let described = Described::of(reader).with_context(name)?;
        let places = if described.is_told() {
            Places::Told
        } else {
            Places::Assumed
        };
        let opened = Self::over(described, args).with_context(name)?;
        Ok(Self {
            dump: Some(OfDump { places, warnings }),
            ..opened
        })
    }

    /// Tells what is odd about a dump.
    pub(crate) fn tell_warnings(&self, args: &ImageArgs, out: &mut Streams<'_>) {
        for warning in self.dump.iter().flat_map(|dump| &dump.warnings) {
            out.tell(format_args!(
                "mdtool: warning: {}: {warning}",
                args.image.display()
            ));
        }
    }

    /// What places are worth where a dump was opened.
    pub(crate) fn dump(&self) -> Option<Places> {
        self.dump.as_ref().map(|dump| dump.places)
    }

    /// Opens an image read-only and checks that the window lies in it.
    pub(crate) fn open(args: &ImageArgs) -> anyhow::Result<Self> {
        Self::open_window(args).with_context(|| args.image.display().to_string())
    }

    /// The same, for who names the image in another way.
    pub(crate) fn open_window(args: &ImageArgs) -> anyhow::Result<Self> {
        Self::over(open_for_scan(&args.image)?, args)
    }

    /// An image that is open already, and the part of it that the arguments name.
    pub(crate) fn over(image: impl ReadAt + 'static, args: &ImageArgs) -> anyhow::Result<Self> {
        let progress = Progress::new();
        let watch = progress.clone();
        let image = Watched::new(image, move |_: Access, bytes| {
            watch.advance(bytes);
        });
        let base = args
            .offset
            .map_or(ImagePos::START, |offset| ImagePos::at(offset.0));
        let rest = image.size().checked_sub(base.from_start());
        let rest = rest.with_context(|| {
            format!(
                "--offset: {base} lies outside the image, which has {}",
                image.size()
            )
        })?;
        let whole = Window::whole(&image);
        if base == ImagePos::START && is_regular_file(&args.image) {
            // What a file is comes before what is in it.
            if let Some(form) = container(whole)? {
                return Err(crate::error::Error::from(Unsupported::FileForm(form)).into());
            }
        }
        let start = DevPos::at(base.from_start());
        let own = match args.size {
            Some(size) => Some(size.0),
            None => partition_at(whole, start)?.map(|partition| partition.size),
        };
        let len = own.unwrap_or(rest);
        anyhow::ensure!(
            len <= rest,
            "--size: {len} from {base} on leave the image, which has {}; at most {rest} are there",
            image.size()
        );
        Ok(Self {
            image: Box::new(image),
            progress,
            base,
            len,
            dump: None,
        })
    }

    /// Refuses a window through which somebody else's bytes could be overwritten.
    pub(crate) fn hold(&self) -> anyhow::Result<()> {
        let start = DevPos::at(self.base.from_start());
        Ok(hold(Window::whole(&self.image), start, self.len)?)
    }

    /// Looks for something in the window, which may take long.
    pub(crate) fn searching<'a, T>(&'a self, search: impl FnOnce(Window<'a>) -> T) -> T {
        self.during("searching", self.len, || search(self.window()))
    }

    /// Does work that reads `total` of the image, which may take long.
    pub(crate) fn during<T>(
        &self,
        what: &'static str,
        total: Bytes,
        work: impl FnOnce() -> T,
    ) -> T {
        self.progress.during(what, total, work)
    }

    /// The whole image.
    pub(crate) fn image(&self) -> &dyn ReadAt {
        &*self.image
    }

    /// The whole image's size.
    pub(crate) fn image_size(&self) -> Bytes {
        self.image.size()
    }

    /// The same; nothing where a dump was opened, which does not tell it.
    pub(crate) fn known_size(&self) -> Option<Bytes> {
        self.dump.is_none().then(|| self.image_size())
    }

    /// Where in the image a position of the device is.
    pub(crate) fn image_pos(&self, at: DevPos) -> ImagePos {
        // OK to fall back: positions that were found lie in the window.
        self.window()
            .image_pos(at)
            .unwrap_or(ImagePos::at(at.from_start()))
    }

    /// The part that is looked at.
    pub(crate) fn window(&self) -> Window<'_> {
        // OK to fall back: the window was checked when it was opened.
        Window::of(&self.image, self.base, self.len).unwrap_or_else(|| Window::whole(&self.image))
    }

    /// The position in the device of a position in the image.
    pub(crate) fn device_pos(&self, at: Bytes) -> anyhow::Result<DevPos> {
        let at = ImagePos::at(at);
        let inside = at
            .bytes_since(self.base)
            .filter(|distance| *distance < self.len);
        inside.map(DevPos::at).with_context(|| {
            format!(
                "--at: {at} lies outside the {} from {} on",
                self.len, self.base
            )
        })
    }

    /// Refuses a file that is recognised as something else than a raw image, unless metadata is where DRBD would look.
    pub(crate) fn refuse_foreign(&self, options: LocateOptions) -> anyhow::Result<()> {
        refuse_foreign(self.window(), options)
    }

    /// Says what the file seems to be instead of a raw image, where its bytes count all the same, whatever is packed in them.
    pub(crate) fn tell_foreign(
        &self,
        args: &ImageArgs,
        comes_of: &str,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<()> {
        if let Some(form) = foreign(self.window(), LocateOptions::default())? {
            out.tell(format_args!(
                "mdtool: note: {} begins like {form}: {comes_of}",
                args.image.display()
            ));
        }
        Ok(())
    }
}

/// Refuses what is recognised as something else than a raw image, unless metadata is where DRBD would look.
pub(crate) fn refuse_foreign(window: Window<'_>, options: LocateOptions) -> anyhow::Result<()> {
    match foreign(window, options)? {
        Some(form) => Err(crate::error::Error::from(Unsupported::FileForm(form)).into()),
        None => Ok(()),
    }
}

/// What is recognised as something else than a raw image; nothing where metadata is where DRBD would look.
fn foreign(window: Window<'_>, options: LocateOptions) -> anyhow::Result<Option<FileForm>> {
    let mut beginning = [0; BEGINNING];
    let len = window.size().to_usize().unwrap_or(BEGINNING).min(BEGINNING);
    if let Some(beginning) = beginning.get_mut(..len) {
        window.read_exact_at(DevPos::START, beginning)?;
    }
    let Some(foreign) = recognise(&beginning) else {
        return Ok(None);
    };
    // A raw disk may hold a qcow2 image as its data: then its metadata is in its place.
    let quick = LocateOptions {
        scan: ScanMode::Never,
        ..options
    };
    let is_raw = !locate(window, &quick)?.levels.is_empty();
    Ok((!is_raw).then_some(foreign))
}
