//! What `plan` prints: one view, as text for people and as JSON for programs. A verdict, then each way: whether it works, the arithmetic, the commands.

mod commands;
mod cutting;
mod elsewhere;
mod named;
mod text;
mod way;

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli::args::ImageArgs;
use crate::cli::commands::compare::view::Comparison;
use crate::cli::output::document;
use crate::cli::output::view::{LevelView, Report};
use crate::cli::session::open::Opened;
use crate::cli::session::select::Instead;
use crate::error::UtilsVersion;
use crate::format::layout::MdIndex;
use crate::format::metadata::Header;
use crate::surgery::adopt::{Site, Strategies};
use crate::survey::locate::{FoundBy, Level, Located};
use crate::units::{Bytes, Sectors};
use crate::verdict::check::{Candidate, nobody_attaches, refusing};
use crate::verdict::forecast::Forecast;
use way::StrategyView;

/// Words for the commands; what is not given stands there in capitals.
pub(crate) struct Names<'a> {
    pub(crate) device: Option<&'a Path>,
    pub(crate) minor: Option<u32>,
    pub(crate) resource: Option<&'a str>,
}

/// What the commands have to say beyond the usual.
pub(crate) struct Typing {
    /// It is named by its position alone: its number, or its place in the stack, was another's.
    pub(crate) by_position: bool,
    /// The activity log is needed, and cannot be applied: everything is marked before.
    pub(crate) mark_all: bool,
}

/// All that was found out.
pub(crate) struct Plan<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) image: &'a ImageArgs,
    /// Whether the image is a block device.
    pub(crate) block_device: bool,
    pub(crate) located: &'a Located,
    pub(crate) level: &'a Level,
    /// Whether it was said which level is meant.
    pub(crate) level_given: bool,
    pub(crate) site: Site,
    pub(crate) ways: Strategies,
    /// What is to be looked at before any of them.
    pub(crate) instead: Option<Instead>,
    /// Why DRBD does not take what stands in its place as it is.
    pub(crate) refused: Option<String>,
    pub(crate) typing: Typing,
    pub(crate) forecast: Vec<Forecast>,
    pub(crate) utils: Option<UtilsVersion>,
    pub(crate) names: Names<'a>,
}

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct PlanView {
    image: String,
    image_bytes: u64,
    target_bytes: u64,
    utils_version: Option<String>,
    level: LevelView,
    needed: bool,
    /// What stands in this level's place and comes before any way, for people.
    comes_first: Option<String>,
    /// The key of the way that loses nothing and needs least.
    recommended: Option<&'static str>,
    /// What does all of that, where one command does.
    recommended_command: Option<String>,
    ways: StrategyViews,
    on_connect: Vec<Outlook>,
    /// What connecting to `--peer` decides after adoption.
    peer: Option<Comparison>,
    #[serde(skip)]
    texts: Texts,
}

/// What only the text says.
struct Texts {
    /// The image, as a command names it.
    image: String,
    /// The resource that is to be adopted.
    resource: String,
    /// Its name, where that was given.
    name: Option<String>,
    /// What is to be done about what comes first.
    first: Vec<String>,
    /// Of how many resources nobody said which is meant, where it is a stack.
    stack: Option<usize>,
}

/// Each way, by its key.
#[derive(Serialize)]
struct StrategyViews {
    relocate: StrategyView,
    truncate: StrategyView,
    external: StrategyView,
    restore_md: StrategyView,
    check_resize: StrategyView,
}

impl StrategyViews {
    /// All of them with their keys, in the order in which they are numbered.
    const fn all(&self) -> [(&'static str, &StrategyView); 5] {
        [
            ("relocate", &self.relocate),
            ("truncate", &self.truncate),
            ("external", &self.external),
            ("restore_md", &self.restore_md),
            ("check_resize", &self.check_resize),
        ]
    }

    /// Whether DRBD finds the metadata where it is.
    fn is_in_place(&self) -> bool {
        self.all().iter().any(|(_, way)| way.in_place)
    }

    /// The way that loses nothing and needs least.
    fn recommended(&self) -> Option<(&'static str, &StrategyView)> {
        let all = self.all();
        let mut feasible = all.into_iter().filter(|(_, way)| way.feasible);
        let without_warnings = feasible.clone().find(|(_, way)| way.warnings.is_empty());
        without_warnings.or_else(|| feasible.next())
    }
}

/// What attaching and connecting will show.
#[derive(Serialize)]
struct Outlook {
    kind: &'static str,
    /// How much is out of sync, where it tells of that.
    bytes: Option<u64>,
    text: String,
}

impl Plan<'_> {
    /// What is printed of it.
    pub(crate) fn view(&self, peer: Option<Comparison>) -> anyhow::Result<PlanView> {
        let report = Report {
            opened: self.opened,
            image: self.image,
            located: self.located,
            first: 0,
        };
        let broken = self.broken();
        let unless_broken = |way: StrategyView| match &broken {
            Some(why) if way.feasible => way.never(why.clone()),
            _ => way,
        };
        let ways = StrategyViews {
            relocate: unless_broken(self.marked_first(self.relocate())),
            truncate: unless_broken(self.marked_first(self.truncate())),
            external: unless_broken(self.marked_first(self.external())),
            restore_md: unless_broken(self.restore()),
            check_resize: unless_broken(self.marked_first(self.check_resize())),
        };
        let needed = !ways.is_in_place() && !self.is_on_its_meta_device();
        let recommended = ways.recommended().filter(|_| needed && self.instead.is_none());
        // Elsewhere it is laid out anew.
        let refused = if needed { broken.as_ref() } else { self.refused.as_ref() };
        Ok(PlanView {
            image: self.image.image.to_string_lossy().into_owned(),
            image_bytes: self.opened.image_size().get(),
            target_bytes: self.site.size.get(),
            utils_version: self.utils.map(|version| version.to_string()),
            level: LevelView::of(&report, self.number(), self.level)?,
            needed,
            comes_first: self.instead.as_ref().map(|instead| &instead.what).or(refused).cloned(),
            recommended: recommended.map(|(key, _)| key),
            recommended_command: recommended.and_then(|(_, way)| way.one_command()),
            ways,
            on_connect: self.forecast.iter().map(Outlook::of).collect(),
            peer,
            texts: Texts {
                image: self.image_words(),
                resource: self.resource(),
                name: self.names.resource.map(str::to_owned),
                first: match (&self.instead, refused) {
                    (Some(instead), _) => instead.hints.clone(),
                    (None, Some(_)) => vec![format!("`mdtool check {}` says what to do", self.image_words())],
                    (None, None) => Vec::new(),
                },
                stack: Some(self.located.levels.len()).filter(|levels| *levels > 1 && !self.image.stacked && !self.level_given),
            },
        })
    }

    fn number(&self) -> usize {
        let mut levels = self.located.levels.iter();
        levels
            .position(|one| one.layout.md == self.level.layout.md)
            .unwrap_or(0)
    }

    /// Why no command writes it anywhere, where no kernel would attach the result: what the writing commands ask of it before they write.
    fn broken(&self) -> Option<String> {
        let level = self.level;
        let (layout, device) = match &self.ways.import {
            Ok(relocation) => (&relocation.layout, self.site.size),
            Err(_) => (&level.layout, level.device),
        };
        let mut header = Header::of(&level.superblock);
        header.la_size = header.la_size.min(level.layout.usable);
        let superblock = header.rewrite(&level.superblock, layout).ok()?;
        let findings = refusing(&Candidate {
            superblock: &superblock,
            at: layout.md,
            index: layout.index,
            device,
        });
        let first = findings.first().filter(|_| nobody_attaches(&findings, superblock.format()))?;
        Some(format!("no kernel attaches it, wherever it is put: {} ({})", first.found, first.rule.id))
    }

    /// Whether it is on a meta device, which is taken as it is, and large enough.
    fn is_on_its_meta_device(&self) -> bool {
        let Level { layout, superblock, found_by, .. } = self.level;
        let whole = self.site.size == self.opened.window().size();
        (*found_by == FoundBy::ExpectedPosition && !layout.index.is_internal() || matches!(layout.index, MdIndex::Indexed(_))) && whole && superblock.la_size() <= layout.usable
    }

    /// What is to be adopted, and where its superblock is.
    fn resource(&self) -> String {
        let level = self.level;
        let device = level.known_drbd_device().and_then(Sectors::to_bytes);
        let device = device.map_or_else(
            || "DRBD device of unknown size".to_owned(),
            |device| format!("DRBD device of {}", size(device)),
        );
        format!(
            "level {} ({}, {}, {}), {device}, superblock at {}",
            self.number(),
            level.role,
            level.superblock.format(),
            level.superblock.al_state(),
            self.opened.image_pos(level.layout.md),
        )
    }
}

impl PlanView {
    /// Whether anything can be done, or nothing needs to be.
    pub(crate) fn is_any_feasible(&self) -> bool {
        let all = self.ways.all();
        all.iter().any(|(_, way)| way.feasible || way.in_place)
    }

    /// Prints one document.
    pub(crate) fn json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        Ok(document::print(out, self)?)
    }

    /// Prints text.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        text::print(self, out)
    }
}

impl Outlook {
    fn of(forecast: &Forecast) -> Self {
        let kind = match forecast {
            Forecast::Unclean => "unclean",
            Forecast::NodeId { .. } => "node-id",
            Forecast::MayGrow => "may-grow",
            Forecast::JustCreated => "just-created",
            Forecast::Inconsistent => "inconsistent",
            Forecast::Outdated => "outdated",
            Forecast::Whole { why, .. } => why.word(),
            Forecast::OutOfSync { .. } => "out-of-sync",
            Forecast::NotCounted => "not-counted",
        };
        let bytes = match forecast {
            Forecast::OutOfSync { bytes } => Some(bytes.get()),
            Forecast::Whole { bytes, .. } => bytes.map(Bytes::get),
            _ => None,
        };
        Self {
            kind,
            bytes,
            text: forecast.to_string(),
        }
    }
}

/// A size as the notes have it.
fn size(bytes: Bytes) -> String {
    crate::cli::output::amounts::bytes_and_binary(bytes)
}
