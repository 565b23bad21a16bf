//! A second truck, for what was written since the first.

use crate::cli::commands::plan::departure::first::CLEAR;
use crate::cli::commands::plan::departure::steps::{Departure, Step};

impl Departure {
    /// Every command, in order.
    pub(crate) fn second(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        steps.extend(self.quiesce());
        steps.push(self.disconnect());
        steps.push(self.detach());
        if self.snapshot.is_none() {
            steps.push(self.carry_changed());
            steps.extend(self.begin_again());
        } else {
            steps.extend(self.take_snapshot());
            steps.extend(self.begin_again());
            steps.push(self.carry_changed());
            steps.extend(self.verify_changed());
            steps.extend(self.drop_snapshot());
        }
        steps.extend(self.arrive());
        steps
    }

    /// Back in service, with no bit set.
    fn begin_again(&self) -> Vec<Step> {
        let why = if self.snapshot.is_none() {
            "The copy has all that the bitmap stood for. Before anything is written, the source clears it and goes on in a new generation."
        } else {
            "The snapshot has all that the bitmap stands for. Before anything is written, the source clears it and goes on in a new generation."
        };
        let mut steps = vec![self.attach()];
        steps.push(Step::here("begin-generation", self.drbdadm(CLEAR), why));
        steps.extend(self.rejoin("A peer that stays follows into this generation."));
        steps.extend(self.serve());
        steps
    }

    fn carry_changed(&self) -> Step {
        let peer = match self.nodes.target {
            _ if !self.is_v09() => String::new(),
            Some(node) => format!(" --peer {node}"),
            None => " --peer N".to_owned(),
        };
        let changed = format!(" --changed{peer}");
        let what = "Sends what the bitmap and the activity log say was written since the first truck, and the source's generation.";
        if self.snapshot.is_none() && self.is_stacked() {
            // The disk itself stays in use: the outer resource has it. Without its stacked resource, that one's device is free.
            let level = if self.place.number.saturating_add(1) < self.place.count { " --level outer" } else { "" };
            let words = format!("{level}{changed}");
            return Step::here("copy", self.send(&self.names.outer, &words), format!("{what} It is read from the outer resource's device, on which nothing is attached now; the disk below that stays in use."));
        }
        Step::here("copy", self.send(&self.origin(), &format!("{}{changed}", self.level())), what)
    }

    /// Only of a snapshot is there something left to compare with.
    fn verify_changed(&self) -> Vec<Step> {
        let sums = self.file("-2.sums");
        let command = format!("mdtool sum {}{} --data-only -o {sums}", self.origin(), self.level());
        let mut steps = vec![Step::here("sums", command, "Reads all of the data for a list of checksums. The metadata is left out: the copy's has no bits and an empty activity log.")];
        steps.extend(self.proof("-2", &self.level(), "Compares again. Send and compare until it exits with 0: the snapshot is needed until then."));
        steps
    }
}
