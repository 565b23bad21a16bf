//! A departure as text and as JSON.

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::commands::compare::view::obstacles;
use crate::cli::commands::plan::departure::steps::{Departure, Side, Step};
use crate::cli::output::document;
use crate::cli::output::amounts::{bytes_and_binary, duration};
use crate::units::Bytes;
use crate::verdict::handshake::Decision;

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct DepartureView {
    resource: String,
    bytes: u64,
    seconds: Option<u64>,
    downtime: &'static str,
    notes: Vec<String>,
    steps: Vec<Step>,
    /// What DRBD decides when the two meet.
    decision: String,
    decision_code: &'static str,
    /// The rule of each side, by DRBD's name.
    rules: Vec<Option<&'static str>>,
    second_truck: Vec<Step>,
    second_downtime: &'static str,
}

impl Departure {
    /// What is printed of it.
    pub(crate) fn view(&self) -> DepartureView {
        DepartureView {
            resource: self.names.resource.clone(),
            bytes: self.size.get(),
            seconds: self.seconds,
            downtime: self.downtime(),
            notes: self.notes(),
            steps: self.first(),
            decision: self.decision(),
            decision_code: self.meeting.decision.word(),
            rules: self.meeting.sides.iter().map(|side| side.rule).collect(),
            second_truck: self.second(),
            second_downtime: self.downtime_of_second(),
        }
    }

    /// What DRBD decides when the two meet, a being this side and b the adopted copy.
    fn decision(&self) -> String {
        let pair = &self.meeting;
        let comes_of = match pair.decision {
            Decision::SourceBitmap => "the copy gets what was written since it was made, and nothing else",
            Decision::NoSync => "nothing is sent",
            Decision::SourceFull => "the copy gets everything, in a full resync",
            Decision::TargetBitmap | Decision::TargetFull => "this side would be overwritten with the copy",
            Decision::SplitBrain => "split brain: they do not connect",
            Decision::Unrelated => "their data is unrelated: they do not connect",
            Decision::Refused => "they do not connect",
        };
        let why = obstacles(pair).join("; ");
        let why = if why.is_empty() { why } else { format!(" ({why})") };
        format!("DRBD {}: {comes_of}{why}", pair.family)
    }
}

impl DepartureView {
    /// Prints one document.
    pub(crate) fn json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        Ok(document::print(out, serde_json::to_value(self)?)?)
    }

    /// Prints text.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "Departure of {}: {} to copy; holes and zeros are not sent",
            self.resource,
            bytes_and_binary(Bytes::new(self.bytes))
        )?;
        match self.seconds {
            Some(seconds) => writeln!(out, "at that rate: {} at most", duration(seconds))?,
            None => writeln!(out, "--rate SIZE says how long that takes")?,
        }
        writeln!(out, "downtime: {}", self.downtime)?;
        for note in &self.notes {
            writeln!(out, "note: {note}")?;
        }
        writeln!(out)?;
        steps(out, &self.steps)?;
        self.outcome(out)?;
        writeln!(
            out,
            "\nA second truck, for what was written since, where the line is too slow for that. Its commands come before the first one's adopt:\ndowntime: {}\n",
            self.second_downtime
        )?;
        steps(out, &self.second_truck)?;
        self.outcome(out)?;
        writeln!(out, "\nNothing of this was executed.")
    }

    /// What comes of connecting the two.
    fn outcome(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "then: {}", self.decision)?;
        if let [Some(here), Some(there)] = self.rules[..] {
            writeln!(out, "    (rule {here} here, {there} there; mdtool compare says it of the two disks)")?;
        }
        Ok(())
    }
}

/// Each command below its reason, as it can be pasted.
fn steps(out: &mut dyn Write, steps: &[Step]) -> io::Result<()> {
    let mut side = None;
    for step in steps {
        if side != Some(step.side) {
            side = Some(step.side);
            let place = match step.side {
                Side::Source => "here",
                Side::Target => "where the copy goes",
            };
            writeln!(out, "# {place}")?;
        }
        if let Some(condition) = &step.only_if {
            writeln!(out, "    # (only if {condition})")?;
        }
        writeln!(out, "    # {}", step.why)?;
        writeln!(out, "    {}", step.command)?;
    }
    writeln!(out)
}
