//! The target of a copy: what is there, what has arrived, and what is to be done with it next.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::commands::copy::args::CopyArgs;
use crate::cli::commands::copy::generation::refuse_generation;
use crate::cli::write::blame::Blamed;
use crate::cli::write::confirm::{Kept, confirm};
use crate::error::{Error, Result};
use crate::format::superblock::{AlState, Format};
use crate::image::{
    ReadAt, Window, WritableFile, refuse_among_devices, small_file,
};
use crate::survey::locate::{Level, LocateOptions, ScanMode, locate};
use crate::survey::occupants::occupants;
use crate::truck::TruckRefusal;
use crate::truck::arrival::{Arrival, Putting};
use crate::truck::state::{FIRST_LINE, LONGEST, State};
use crate::truck::stream::{Contents, Header};
use crate::units::{Bytes, DevPos, ImagePos};

/// A target that may be written.
pub(crate) struct Arriving {
    file: WritableFile,
    state: State,
    state_path: PathBuf,
    blank: bool,
    /// The superblock that DRBD would attach, where the copy writes.
    seal: Option<DevPos>,
}

/// Where the state of a target is, unless it was said: beside a regular file, and for a block device where we are.
pub(crate) fn state_path(args: &CopyArgs, block_device: bool) -> PathBuf {
    if let Some(path) = &args.state {
        return path.clone();
    }
    let mut name = OsString::from(args.target.file_name().unwrap_or_else(|| "target".as_ref()));
    name.push(".mdtool-copy");
    if block_device {
        name.into()
    } else {
        args.target.with_file_name(name)
    }
}

/// Refuses to note a state where something else is: it would be gone.
fn refuse_foreign(path: &Path) -> anyhow::Result<()> {
    let name = || path.display().to_string();
    if small_file::is_own(path, FIRST_LINE.as_bytes()).with_context(name)? {
        return Ok(());
    }
    Err(Error::from(TruckRefusal::NotState)).with_context(name)
}

/// A name that holds wherever the state is read.
fn full_name(target: &Path) -> String {
    let path = std::path::absolute(target).unwrap_or_else(|_| target.to_owned());
    path.to_string_lossy().into_owned()
}

/// The state in a file, where there is one, if it is that of this copy.
fn read_state(path: &Path, header: &Header) -> anyhow::Result<Option<State>> {
    let name = || path.display().to_string();
    let text = small_file::read(path, LONGEST).with_context(name)?;
    // Nothing is what comes of fetching one that is not there.
    let text = text.filter(|text| !text.is_empty());
    let state = text.map(|text| {
        let state = State::parse(&text)?;
        state.must_be_of(header)?;
        Ok(state)
    });
    let state = state.transpose().map_err(|refusal: TruckRefusal| {
        let hint = "without --resume the copy begins anew".to_owned();
        anyhow::Error::from(Error::from(refusal)).context(Blamed::new(path, vec![hint]))
    })?;
    Ok(state)
}

/// How far the receiver is, as the state file says that was fetched from there; the start where there is none.
pub(crate) fn sent_before(args: &CopyArgs, header: &Header) -> anyhow::Result<DevPos> {
    let Some(path) = args.state.as_ref().filter(|_| args.resume) else {
        return Ok(DevPos::START);
    };
    let state = read_state(path, header)?;
    Ok(state.map_or(DevPos::START, |state| state.goes_on_at()))
}

impl Arriving {
    /// Opens or makes the target, when nothing speaks against it and nobody else has it.
    pub(crate) fn prepare(
        args: &CopyArgs,
        header: &Header,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Self> {
        let path = &args.target;
        let name = || path.display().to_string();
        if !path.exists() {
            return Self::make(args, header);
        }
        let file = WritableFile::open(path).with_context(name)?;
        let (found, least) = (file.size(), header.size);
        if found < least {
            let refusal = Error::from(TruckRefusal::TooSmall { found, least });
            return Err(refusal).with_context(name);
        }
        let block_device = file.is_block_device().with_context(name)?;
        let state_path = state_path(args, block_device);
        refuse_foreign(&state_path)?;
        let noted = if args.resume {
            read_state(&state_path, header)?
        } else {
            read_state(&state_path, header).unwrap_or_default()
        };
        let cut_off = noted.is_some();
        // Where nothing has arrived by which the target could be known again, this is a new copy, to be asked about as one.
        let known = noted.filter(|state| args.resume && state.goes_on_at() > DevPos::START);
        if known.is_none() {
            refuse_generation(&file, header, cut_off).with_context(name)?;
        }
        let verified = known.as_ref().map_or(DevPos::START, |state| state.verified);
        // What had arrived is on disk with all before it.
        let seal = in_place(path, &file, header, cut_off)?.filter(|at| *at >= verified);
        let blank = !block_device && known.is_none() && is_blank(&file).with_context(name)?;
        let state = if let Some(state) = known {
            let same = state.must_be_for(&full_name(path), found);
            same.map_err(Error::from)
                .with_context(|| state_path.display().to_string())?;
            state.must_be_on(&file).with_context(name)?;
            state
        } else {
            if !args.yes && !blank {
                ask(path, &file, header, out)?;
            }
            State::begin(header, full_name(path), found)
        };
        let arriving = Self {
            file,
            state,
            state_path,
            blank,
            seal,
        };
        arriving.begin(header)
    }

    /// A target that does not exist becomes a file of exactly the right size.
    fn make(args: &CopyArgs, header: &Header) -> anyhow::Result<Self> {
        let name = || args.target.display().to_string();
        if !header.contents.is_whole() {
            return Err(Error::from(TruckRefusal::NoCopy)).with_context(name);
        }
        refuse_among_devices(&args.target).with_context(name)?;
        let state = State::begin(header, full_name(&args.target), header.size);
        refuse_gap(&state, header).with_context(name)?;
        let state_path = state_path(args, false);
        refuse_foreign(&state_path)?;
        // Before the target, so that whoever goes on need not ask what that is. Where that cannot be, neither can the target beside it.
        let noted = if args.state.is_some() { &state_path } else { &args.target };
        small_file::replace(&state_path, state.to_text().as_bytes())
            .with_context(|| noted.display().to_string())?;
        let file = match WritableFile::create_new(&args.target, header.size) {
            Ok(file) => file,
            Err(error) => {
                small_file::remove(&state_path).with_context(|| state_path.display().to_string())?;
                return Err(error).with_context(name);
            }
        };
        Ok(Self {
            file,
            state,
            state_path,
            blank: true,
            seal: None,
        })
    }

    fn begin(self, header: &Header) -> anyhow::Result<Self> {
        refuse_gap(&self.state, header)
            .with_context(|| self.state_path.display().to_string())?;
        save(&self.state_path, &self.state)?;
        Ok(self)
    }

    /// How far the target has all.
    pub(crate) const fn first(&self) -> DevPos {
        self.state.verified
    }

    /// The target's size.
    pub(crate) fn size(&self) -> Bytes {
        self.file.size()
    }

    /// Where pieces are put.
    pub(crate) fn arrival(
        &mut self,
        args: &CopyArgs,
    ) -> Result<Arrival<'_, WritableFile, impl FnMut(&State) -> Result<()> + use<'_>>> {
        let putting = Putting {
            blank: self.blank,
            discard: args.discard,
            every: args.sync_every.0,
        };
        let path = &self.state_path;
        let save = move |state: &State| small_file::replace(path, state.to_text().as_bytes());
        let mut arrival = Arrival::new(&mut self.file, self.state.clone(), putting, save);
        if let Some(at) = self.seal {
            arrival.seal(at)?;
        }
        Ok(arrival)
    }

    /// Nothing is left to go on with.
    pub(crate) fn forget_state(&self) -> Result<()> {
        small_file::remove(&self.state_path)
    }

    pub(crate) fn how_to_go_on(&self) -> String {
        format!(
            "the same command with --resume goes on; {} says how far it came",
            self.state_path.display()
        )
    }

    /// The level that arrived, and those within it, the outermost first; none where its metadata is not where it should be.
    fn levels(&self, header: &Header) -> Result<Vec<Level>> {
        let Some(window) = Window::of(&self.file, ImagePos::START, header.size) else {
            return Ok(Vec::new());
        };
        Ok(locate(window, &quick())?.levels)
    }

    /// Says where the disk has, at its end, what DRBD would take for its metadata.
    fn stranger(&self) -> Result<Option<String>> {
        let found = !locate(Window::whole(&self.file), &quick())?.levels.is_empty();
        let note = "note: other DRBD metadata is at its end: attached as it is, the disk would be that resource";
        Ok(found.then(|| note.to_owned()))
    }

    /// What comes next, the first first.
    pub(crate) fn next_steps(&self, args: &CopyArgs, header: &Header) -> Result<Vec<String>> {
        let target = shell_word(&args.target);
        match header.contents {
            Contents::Data => {
                let import = format!(
                    "mdtool import {target} DUMP    (only the data was copied; `mdtool export` makes the dump of its metadata)"
                );
                return Ok([import].into_iter().chain(self.stranger()?).collect());
            }
            Contents::Ranges => {
                return Ok(vec![format!("mdtool sum --check SUMS {target}")]);
            }
            Contents::Level | Contents::Changed => {}
        }
        let before = (header.contents == Contents::Changed).then(|| "on the source, before it is written to again: new-current-uuid --clear-bitmap (`mdtool plan --departure` prints it)".to_owned());
        let levels = self.levels(header)?;
        let level = levels.first();
        let v09 = level.is_some_and(|level| level.superblock.format() == Format::V09);
        let inner = levels.len() > 1;
        let node = if v09 { " --node-id N" } else { "" };
        if self.size() == header.size {
            let mut steps: Vec<String> = before.into_iter().collect();
            let fits = "it has exactly the size that the metadata is for";
            if v09 {
                let level = if inner { " --level outer" } else { "" };
                steps.push(format!(
                    "mdtool edit {target}{level}{node}    ({fits}; the node id is still the source's)"
                ));
            } else {
                steps.push(format!("mdtool check {target}    ({fits}: `drbdadm up` attaches it as it is)"));
            }
            return Ok(steps);
        }
        // By its position: the disk may hold other metadata, by which a level would be counted.
        let at = level.map(|level| format!(" --at {}", level.layout.md.from_start().get()));
        let mut words = format!("mdtool adopt {target}{}", at.unwrap_or_default());
        words.push_str(node);
        if level.is_some_and(|level| level.superblock.al_state() != AlState::Clean) {
            words.push_str(" --apply-al");
        }
        words.push_str("    (the disk is larger than the copy, and DRBD looks at its end)");
        let mut steps: Vec<String> = before.into_iter().collect();
        steps.push(words);
        Ok(steps)
    }
}

/// Without a search.
pub(crate) fn quick() -> LocateOptions {
    LocateOptions {
        scan: ScanMode::Never,
        ..LocateOptions::default()
    }
}

/// Writes a state down.
fn save(path: &Path, state: &State) -> anyhow::Result<()> {
    small_file::replace(path, state.to_text().as_bytes())
        .with_context(|| path.display().to_string())
}

/// Refuses a stream that begins behind what the target has.
fn refuse_gap(state: &State, header: &Header) -> Result<()> {
    let (first, verified) = (header.first, state.verified);
    if first > verified {
        return Err(TruckRefusal::Gap { first, verified }.into());
    }
    Ok(())
}

/// The superblock by which DRBD would attach the target, where the copy writes, or whose magic was marked when it was `cut_off`. One that the copy
/// would leave as it is is refused: cut off, the target would be that resource over data of two.
fn in_place(
    path: &Path,
    file: &WritableFile,
    header: &Header,
    cut_off: bool,
) -> anyhow::Result<Option<DevPos>> {
    let located = locate(Window::whole(file), &quick());
    let located = located.with_context(|| path.display().to_string())?;
    let marked = located.under_way().filter(|mark| cut_off && mark.in_place);
    let live = located.levels.first().map(|level| level.layout.md);
    let is_written = |at: &DevPos| *at < DevPos::at(header.size);
    let Some(at) = live.filter(|at| !is_written(at)) else {
        return Ok(live.or_else(|| marked.map(|mark| mark.at)).filter(is_written));
    };
    // Ranges are for a copy of the same generation, and make it better with each byte.
    if header.contents == Contents::Ranges {
        return Ok(None);
    }
    let hint = format!(
        "`mdtool wipe {} --at {}` takes it away, and its undo file keeps it; then copy again",
        shell_word(path),
        at.from_start().get(),
    );
    let refusal = Error::from(TruckRefusal::MetadataBehind { at });
    Err(refusal).with_context(|| Blamed::new(path, vec![hint]))
}

/// Whether nothing was ever written to a regular file.
fn is_blank(file: &WritableFile) -> Result<bool> {
    Ok(file.next_data(ImagePos::START)?.is_none())
}

/// Asks, where somebody is there to ask; a stream leaves nobody.
fn ask(
    path: &Path,
    file: &WritableFile,
    header: &Header,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let name = path.display().to_string();
    let what = describe(file, header).with_context(|| name.clone())?;
    confirm(&name, &format!("{name}: {what}"), Kept::Nowhere, out)
}

/// What is overwritten, in words.
fn describe(file: &WritableFile, header: &Header) -> Result<String> {
    let device = Window::whole(file);
    let mut words = vec![format!("the first {}", header.size)];
    for one in occupants(device)? {
        words.push(format!("the {}", one.kind));
    }
    if !locate(device, &quick())?.levels.is_empty() {
        words.push("the DRBD resource".to_owned());
    }
    let (first, rest) = words.split_first().map_or(("", [].as_slice()), |(first, rest)| {
        (first.as_str(), rest)
    });
    Ok(if rest.is_empty() {
        first.to_owned()
    } else {
        format!("{first}, and with them {}", rest.join(", "))
    })
}
