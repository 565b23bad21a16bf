//! What `plan` prints: each way, whether it works, the arithmetic, the commands.

mod commands;
mod cutting;
mod elsewhere;

use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::args::{ImageArgs};
use crate::cli::output::amounts::bytes_and_decimal;
use crate::cli::session::open::Opened;
use crate::cli::output::document;
use crate::cli::output::view::{LevelView, Report};
use crate::error::UtilsVersion;
use crate::surgery::adopt::{Obstacle, Site, Strategies};
use crate::survey::locate::{Level, Located};
use crate::units::{Bytes, Sectors};
use crate::verdict::forecast::Forecast;

/// Words for the commands; what is not given stands there in capitals.
pub(crate) struct Names<'a> {
    pub(crate) device: Option<&'a Path>,
    pub(crate) minor: Option<u32>,
    pub(crate) resource: Option<&'a str>,
}

/// All that was found out.
pub(crate) struct Plan<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) image: &'a ImageArgs,
    /// Whether the image is a block device.
    pub(crate) block_device: bool,
    pub(crate) located: &'a Located,
    pub(crate) level: &'a Level,
    pub(crate) site: Site,
    pub(crate) ways: Strategies,
    pub(crate) forecast: Vec<Forecast>,
    pub(crate) utils: Option<UtilsVersion>,
    pub(crate) names: Names<'a>,
}

/// One way, ready to be printed.
pub(crate) struct Way {
    /// Its name in JSON.
    key: &'static str,
    title: &'static str,
    why_not: Option<Obstacle>,
    /// The arithmetic.
    notes: Vec<String>,
    commands: Vec<String>,
    warnings: Vec<String>,
    /// The numbers, for JSON.
    facts: Value,
}

impl Plan<'_> {
    /// Whether anything can be done, or nothing needs to be.
    pub(crate) fn is_any_feasible(&self) -> bool {
        self.ways()
            .iter()
            .any(|way| matches!(way.why_not, None | Some(Obstacle::AlreadyThere { .. })))
    }

    fn ways(&self) -> Vec<Way> {
        vec![
            self.relocate(),
            self.truncate(),
            self.external(),
            self.restore(),
            self.check_resize(),
        ]
    }

    fn number(&self) -> usize {
        let mut levels = self.located.levels.iter();
        levels
            .position(|one| one.layout.md == self.level.layout.md)
            .unwrap_or(0)
    }

    /// The way that loses nothing and needs least, where anything is to be done.
    fn recommended(ways: &[Way]) -> Option<&Way> {
        let feasible = || ways.iter().filter(|way| way.why_not.is_none());
        if Self::is_in_place(ways) {
            return None;
        }
        let without_warnings = feasible().find(|way| way.warnings.is_empty());
        without_warnings.or_else(|| feasible().next())
    }

    /// Whether DRBD finds the metadata where it is.
    fn is_in_place(ways: &[Way]) -> bool {
        let mut all = ways.iter();
        all.any(|way| matches!(way.why_not, Some(Obstacle::AlreadyThere { .. })))
    }

    /// Prints it for people.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let level = self.level;
        writeln!(
            out,
            "{}  {}",
            self.image.image.display(),
            bytes_and_decimal(self.opened.image_size())
        )?;
        let device = level.known_drbd_device().and_then(Sectors::to_bytes);
        writeln!(
            out,
            "to adopt: level {} ({}, {}, {}), {}, superblock at {}",
            self.number(),
            level.role,
            level.superblock.format(),
            level.superblock.al_state(),
            device.map_or_else(
                || "DRBD device of unknown size".to_owned(),
                |device| format!("DRBD device of {}", bytes_and_decimal(device)),
            ),
            self.opened.image_pos(level.layout.md),
        )?;
        writeln!(out, "on a disk of {}", bytes_and_decimal(self.site.size))?;
        let ways = self.ways();
        if Self::is_in_place(&ways) {
            writeln!(
                out,
                "nothing to do: the metadata is where DRBD looks on a disk of this size"
            )?;
        } else if let Some(way) = Self::recommended(&ways) {
            writeln!(out, "recommended: {}", way.title)?;
        }
        for (number, way) in (1..).zip(&ways) {
            way.print(number, out)?;
        }
        if !self.forecast.is_empty() {
            writeln!(
                out,
                "\non attaching and connecting, as far as the metadata tells:"
            )?;
        }
        for forecast in &self.forecast {
            writeln!(out, "   - {forecast}")?;
        }
        if let Some(resource) = self.names.resource {
            writeln!(out, "then: drbdadm up {resource}")?;
        }
        Ok(())
    }

    /// Prints it for programs.
    pub(crate) fn print_json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let report = Report {
            opened: self.opened,
            image: self.image,
            located: self.located,
            first: 0,
        };
        let listed = self.ways();
        let mut ways = serde_json::Map::new();
        for way in &listed {
            ways.insert(way.key.to_owned(), way.json());
        }
        let forecast: Vec<Value> = self.forecast.iter().map(outlook_json).collect();
        let document = json!({
            "image": self.image.image.to_string_lossy(),
            "image_bytes": self.opened.image_size().get(),
            "target_bytes": self.site.size.get(),
            "utils_version": self.utils.map(|version| version.to_string()),
            "level": LevelView::of(&report, self.number(), self.level)?,
            "needed": !Self::is_in_place(&listed),
            "recommended": Self::recommended(&listed).map(|way| way.key),
            "ways": ways,
            "on_connect": forecast,
        });
        Ok(document::print(out, document)?)
    }
}

impl Way {
    fn print(&self, number: u32, out: &mut dyn Write) -> io::Result<()> {
        match &self.why_not {
            None => writeln!(out, "\n{number}. {}: feasible", self.title)?,
            Some(why @ Obstacle::AlreadyThere { .. }) => {
                writeln!(out, "\n{number}. {}: not needed\n   {why}", self.title)?;
            }
            Some(why) => writeln!(out, "\n{number}. {}: not feasible\n   {why}", self.title)?,
        }
        for note in &self.notes {
            writeln!(out, "   {note}")?;
        }
        for command in &self.commands {
            for line in command.lines() {
                writeln!(out, "       {line}")?;
            }
        }
        for warning in &self.warnings {
            writeln!(out, "   warning: {warning}")?;
        }
        Ok(())
    }

    fn json(&self) -> Value {
        let mut value = json!({
            "feasible": self.why_not.is_none(),
            "why_not": self.why_not.map(|why| why.to_string()),
            "notes": self.notes,
            "commands": self.commands,
            "warnings": self.warnings,
        });
        if let (Some(value), Value::Object(facts)) = (value.as_object_mut(), &self.facts) {
            value.extend(facts.clone());
        }
        value
    }
}

fn outlook_json(forecast: &Forecast) -> Value {
    let kind = match forecast {
        Forecast::Unclean => "unclean",
        Forecast::NodeId { .. } => "node-id",
        Forecast::MayGrow => "may-grow",
        Forecast::JustCreated => "just-created",
        Forecast::Inconsistent => "inconsistent",
        Forecast::Outdated => "outdated",
        Forecast::OutOfSync { .. } => "out-of-sync",
        Forecast::NotCounted => "not-counted",
    };
    let bytes = match forecast {
        Forecast::OutOfSync { bytes } => Some(bytes.get()),
        _ => None,
    };
    json!({ "kind": kind, "bytes": bytes, "text": forecast.to_string() })
}

/// A size as the notes have it.
fn size(bytes: Bytes) -> String {
    bytes_and_decimal(bytes)
}
