//! A departure as text and as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use crate::cli::commands::plan::departure::steps::{Departure, Side, Snapshot, Step};
use crate::cli::output::human::{bytes_and_decimal, duration};

impl Departure {
    fn downtime(&self) -> &'static str {
        if matches!(self.snapshot, Snapshot::None) {
            "none"
        } else {
            "from umount to mount: as long as a snapshot takes"
        }
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
