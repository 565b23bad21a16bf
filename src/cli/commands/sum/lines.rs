//! A list of checksums: JSON Lines, the first of which says what was summed, and the last that it is complete.

use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::cli::output::view::{Shown, word};
use crate::error::{Error, IoError, IoOp, Result};
use crate::format::superblock::Uuid;
use crate::image::NewFile;
use crate::truck::hash::{Algorithm, Tree, Value};
use crate::truck::pieces::Piece;
use crate::truck::stream::{Contents, Header};
use crate::truck::sums::{CHUNK, ChunkSum, PieceSums, Summing};
use crate::units::{Bytes, range_len};

/// What was summed.
pub(crate) struct Identity {
    pub(crate) image: String,
    /// `None` for the whole image.
    pub(crate) level: Option<usize>,
    /// Without the metadata.
    pub(crate) data_only: bool,
    pub(crate) current_uuid: Option<String>,
    pub(crate) device_uuid: Option<String>,
}

impl Identity {
    pub(crate) const fn image(image: String) -> Self {
        Self {
            image,
            level: None,
            data_only: false,
            current_uuid: None,
            device_uuid: None,
        }
    }
}

/// The first line.
#[derive(Serialize)]
struct Head<'i> {
    /// The form.
    mdtool_sums: u32,
    image: &'i str,
    what: &'static str,
    level: Option<usize>,
    current_uuid: Option<&'i str>,
    device_uuid: Option<&'i str>,
    bytes: u64,
    #[serde(serialize_with = "word")]
    algorithm: Algorithm,
    chunk_bytes: u64,
}

/// The line of a chunk.
#[derive(Serialize)]
struct Chunk<'v> {
    start: u64,
    length: u64,
    /// All of it is.
    zeros: bool,
    /// Nothing for zeros that were not hashed.
    value: Option<Shown<&'v Value>>,
}

/// The last line: without it, the list was cut off.
#[derive(Serialize)]
struct End<'v> {
    chunks: u64,
    /// Nothing where something was not hashed.
    whole: Option<Shown<&'v Value>>,
}

/// The list, as it is written.
pub(crate) struct Lines<W> {
    out: W,
    chunks: u64,
}

impl<W: Write> Lines<W> {
    pub(crate) fn begin(
        out: W,
        identity: &Identity,
        size: Bytes,
        summing: Summing,
    ) -> Result<Self> {
        let mut lines = Self { out, chunks: 0 };
        lines.line(&Head {
            mdtool_sums: 1,
            image: &identity.image,
            what: match (identity.level, identity.data_only) {
                (None, _) => "image",
                (Some(_), false) => "level",
                (Some(_), true) => "data",
            },
            level: identity.level,
            current_uuid: identity.current_uuid.as_deref(),
            device_uuid: identity.device_uuid.as_deref(),
            bytes: size.get(),
            algorithm: summing.algorithm,
            chunk_bytes: summing.chunk.get(),
        })?;
        Ok(lines)
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let written = serde_json::to_string(line).map_err(io::Error::from);
        let written = written.and_then(|line| writeln!(self.out, "{line}"));
        Ok(written.map_err(|error| IoError::whole(IoOp::WriteOutput, error))?)
    }

    pub(crate) fn chunk(&mut self, sum: &ChunkSum) -> Result<()> {
        self.chunks = self.chunks.saturating_add(1);
        self.line(&Chunk {
            start: sum.range.start.get(),
            length: range_len(&sum.range).get(),
            zeros: sum.hashed.zeros,
            value: sum.hashed.value.as_ref().map(Shown),
        })
    }

    pub(crate) fn finish(&mut self, whole: Option<&Value>) -> Result<()> {
        let chunks = self.chunks;
        self.line(&End {
            chunks,
            whole: whole.map(Shown),
        })?;
        let flushed = self.out.flush();
        Ok(flushed.map_err(|error| IoError::whole(IoOp::WriteOutput, error))?)
    }
}

type Emit = Box<dyn FnMut(&ChunkSum) -> Result<()>>;

/// Checksums that are made while something is copied, where they are wanted.
pub(crate) struct CopySums {
    wanted: Option<Wanted>,
}

struct Wanted {
    sums: PieceSums<Emit>,
    /// What the chunks are written to, which the closure shares.
    shared: std::rc::Rc<std::cell::RefCell<Shared>>,
    name: String,
}

struct Shared {
    lines: Lines<BufWriter<NewFile>>,
    tree: Tree,
}

impl CopySums {
    /// Whether there is to be a list: then it needs every piece from the first byte on.
    pub(crate) const fn are_wanted(&self) -> bool {
        self.wanted.is_some()
    }

    /// Begins the list that `--sums` asks for, before anything is written elsewhere: a name that is taken is known then.
    pub(crate) fn begin(
        path: Option<&Path>,
        image: &Path,
        header: &Header,
    ) -> anyhow::Result<Self> {
        let Some(path) = path else {
            return Ok(Self { wanted: None });
        };
        let name = path.display().to_string();
        let uuid = |uuid: u64| (uuid != 0).then(|| Uuid(uuid).to_string());
        let identity = Identity {
            image: image.to_string_lossy().into_owned(),
            level: usize::try_from(header.level).ok(),
            data_only: header.contents == Contents::Data,
            current_uuid: uuid(header.current_uuid),
            device_uuid: uuid(header.device_uuid),
        };
        let summing = Summing {
            algorithm: Algorithm::Blake3,
            chunk: CHUNK,
            hash_zeros: false,
        };
        let file = NewFile::create(path).with_context(|| name.clone())?;
        let lines = Lines::begin(BufWriter::new(file), &identity, header.size, summing);
        let shared = Shared {
            lines: lines.with_context(|| name.clone())?,
            tree: Tree::default(),
        };
        let shared = std::rc::Rc::new(std::cell::RefCell::new(shared));
        let chunks = shared.clone();
        let emit: Emit = Box::new(move |sum| {
            let mut shared = chunks.borrow_mut();
            shared.tree.push(&sum.hashed);
            shared.lines.chunk(sum)
        });
        let sums = PieceSums::new(summing, header.size, emit);
        let wanted = Wanted { sums, shared, name };
        Ok(Self {
            wanted: Some(wanted),
        })
    }

    pub(crate) fn piece(&mut self, piece: &Piece) -> Result<()> {
        match &mut self.wanted {
            Some(wanted) => wanted.sums.piece(piece),
            None => Ok(()),
        }
    }

    /// Gives the list its name.
    pub(crate) fn finish(self) -> anyhow::Result<()> {
        let Some(Wanted { sums, shared, name }) = self.wanted else {
            return Ok(());
        };
        drop(sums);
        let shared = std::rc::Rc::into_inner(shared).map(std::cell::RefCell::into_inner);
        // OK to expect: the only other holder was dropped just now.
        let Shared { mut lines, tree } = shared.expect("one holder");
        lines.finish(tree.finish().as_ref()).with_context(|| name.clone())?;
        let file = lines.out.into_inner();
        let file = file.map_err(|error| IoError::whole(IoOp::WriteOutput, error.into_error()));
        file.map_err(Error::from)
            .and_then(NewFile::finish)
            .with_context(|| name)
    }
}
