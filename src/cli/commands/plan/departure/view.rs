//! A departure as text and as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::commands::compare::view::obstacles;
use crate::cli::commands::plan::departure::steps::{Departure, Side, Snapshot, Step};
use crate::cli::output::human::{bytes_and_decimal, duration};
use crate::verdict::handshake::Decision;

impl Departure {
    fn downtime(&self) -> &'static str {
        if matches!(self.snapshot, Snapshot::None) {
            "none"
        } else {
            "from umount to mount: as long as a snapshot takes"
        }
    }

    /// What DRBD decides when the two meet, a being this side and b the adopted copy.
    fn decision(&self) -> String {
        let pair = &self.meeting;
        let comes_of = match pair.decision {
            Decision::SourceBitmap => "what was written since the first step is sent, and nothing else",
            Decision::NoSync => "nothing is sent",
            Decision::SourceFull => "everything is sent",
            Decision::TargetBitmap | Decision::TargetFull => "the copy would be sent here",
            Decision::SplitBrain => "split brain: they do not connect",
            Decision::Unrelated => "they have nothing in common, and do not connect",
            Decision::Refused => "they do not connect",
        };
        let why = obstacles(pair).join("; ");
        let why = if why.is_empty() { why } else { format!(" ({why})") };
        format!("DRBD {}: {comes_of}{why}", pair.family)
    }

    /// The rule of each side, by DRBD's name.
    fn rules(&self) -> Vec<Option<&'static str>> {
        self.meeting.sides.iter().map(|side| side.rule).collect()
    }

    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        writeln!(
            out,
            "Departure of {}: {} to copy, holes and zeros not sent",
            self.names.resource,
            bytes_and_decimal(self.size)
        )?;
        match self.seconds {
            Some(seconds) => writeln!(out, "at that rate: {} at most", duration(seconds))?,
            None => writeln!(out, "--rate SIZE says how long that takes")?,
        }
        writeln!(out, "downtime: {}", self.downtime())?;
        for note in self.notes() {
            writeln!(out, "note: {note}")?;
        }
        writeln!(out)?;
        steps(out, &self.first())?;
        writeln!(out, "then: {}", self.decision())?;
        if let [Some(here), Some(there)] = self.rules()[..] {
            writeln!(out, "    (rule {here} here, {there} there; `mdtool compare` tells it of the two disks)")?;
        }
        writeln!(
            out,
            "\nA second truck, for what was written since, instead of a slow line (before the copy is adopted):\n"
        )?;
        steps(out, &self.second())?;
        writeln!(out, "Nothing of this was executed.")
    }

    pub(crate) fn json(&self) -> Value {
        let steps = |steps: Vec<Step>| -> Vec<Value> {
            let step = |step: Step| {
                json!({
                    "id": step.id,
                    "on": step.side.word(),
                    "command": step.command,
                    "why": step.why,
                })
            };
            steps.into_iter().map(step).collect()
        };
        json!({
            "resource": self.names.resource,
            "bytes": self.size.get(),
            "seconds": self.seconds,
            "downtime": self.downtime(),
            "notes": self.notes(),
            "steps": steps(self.first()),
            "decision": self.decision(),
            "decision_code": self.meeting.decision.word(),
            "rules": self.rules(),
            "second_truck": steps(self.second()),
        })
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
        writeln!(out, "    # {}", step.why)?;
        writeln!(out, "    {}", step.command)?;
    }
    writeln!(out)
}
