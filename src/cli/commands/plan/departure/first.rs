//! The first truck: all of it.

use crate::cli::commands::plan::departure::steps::{Departure, Step};

/// Starts a generation, and what it is not to count.
pub(crate) const CLEAR: &str = "new-current-uuid --clear-bitmap";

impl Departure {
    /// Every command, in order.
    pub(crate) fn first(&self) -> Vec<Step> {
        let mut steps = self.begin();
        if self.snapshot.is_none() {
            steps.push(self.carry());
            steps.extend(self.verify());
            steps.extend(self.go_on());
        } else {
            steps.push(self.carry());
            steps.extend(self.verify());
            steps.extend(self.drop_snapshot());
        }
        steps.extend(self.arrive());
        steps
    }

    /// Up to where the copy can be made.
    fn begin(&self) -> Vec<Step> {
        let clear = Step::here("begin-generation", self.drbdadm(CLEAR), "Starts a generation with an empty bitmap: from here on that records what is written, which is what the copy may lack.");
        // With DRBD 9, whoever stays has to follow, and nothing may be written before.
        let others = !self.nodes.staying.is_empty();
        let mut steps = Vec::new();
        if others {
            steps.extend(self.quiesce());
        }
        steps.push(self.disconnect());
        steps.push(clear);
        if others {
            steps.extend(self.rejoin("Lets a peer that stays follow into this generation: else the next one costs it a full resync."));
            steps.extend(self.wait());
        }
        if self.snapshot.is_none() {
            if others {
                steps.extend(self.serve());
            }
            return steps;
        }
        if others {
            steps.push(Step::here("disconnect-again", self.drbdadm("disconnect"), "Nobody may be connected when the next generation is started, either. Nothing was written since."));
        } else {
            steps.extend(self.quiesce());
        }
        steps.push(self.detach());
        steps.extend(self.take_snapshot());
        steps.push(self.attach());
        steps.push(self.next_generation("The source goes on in a new generation, with the copy's current UUID as its bitmap UUID. The snapshot stays in the one before: chunks can be sent from it again at any time."));
        steps.extend(self.rejoin("A peer that stays follows into this generation."));
        steps.extend(self.serve());
        steps
    }

    /// Without a snapshot: the copy is complete and verified, and the source may go on.
    fn go_on(&self) -> Vec<Step> {
        let why = "Only when the copy is verified: chunks that are sent later would be of another generation. The source goes on in a new one, with the copy's current UUID as its bitmap UUID.";
        let next = self.next_generation(why);
        if self.nodes.staying.is_empty() {
            return vec![next];
        }
        let mut steps = Vec::new();
        steps.extend(self.quiesce());
        steps.push(Step::here("disconnect-again", self.drbdadm("disconnect"), "Nobody may be connected when the next generation is started, either; and nothing may be written in between."));
        steps.push(next);
        steps.extend(self.rejoin("A peer that stays follows into this generation."));
        steps.extend(self.serve());
        steps
    }

    fn next_generation(&self, why: &str) -> Step {
        Step::here("next-generation", self.drbdadm("new-current-uuid"), why)
    }

    pub(crate) fn take_snapshot(&self) -> Option<Step> {
        let (command, why) = self.snapshot.take()?;
        Some(Step::here("snapshot", command, why))
    }

    /// The copy itself.
    fn carry(&self) -> Step {
        let words = format!("{} --sums {}", self.level(), self.file(".sums"));
        let why = "Copies this level, and nothing around it, over what is on the target disk. Where it is cut off, the same command with --resume on both sides goes on.";
        Step::here("copy", self.send(&self.origin(), &words), why)
    }

    /// Until every chunk is on the other disk.
    fn verify(&self) -> Vec<Step> {
        let why = if self.snapshot.is_none() {
            "Compares again. A chunk that was written to since it was copied differs from the list every time, and needs nothing: the bitmap has it, and DRBD sends it in the end. For any other, send and compare again until it exits with 0."
        } else {
            "Compares again. Send and compare until it exits with 0: the snapshot is needed until then."
        };
        self.proof("", &self.level(), why)
    }

    /// Compares with a list, and sends again what differs.
    pub(crate) fn proof(&self, which: &str, level: &str, again: &str) -> Vec<Step> {
        let sums = self.file(&format!("{which}.sums"));
        let bad = self.file(&format!("{which}.bad"));
        let compare = self.remote(&format!("mdtool sum --check {sums} {}", self.names.target));
        let compare = format!("{compare} > {bad}");
        let failed = || "sum --check exited with 1".to_owned();
        let resend = self.send(&self.origin(), &format!("{level} --ranges {bad}"));
        vec![
            Step::here("send-sums", format!("scp {sums} {}:", self.names.host), "The other side needs the list of checksums."),
            Step::here("check", compare.clone(), format!("Compares every chunk on the target disk with the list. Exit status 0: all are as listed. 1: some are not, and {bad} has them.")),
            Step::here("resend", resend, "Sends those chunks again.").only_if(failed()),
            Step::here("check-again", compare, again).only_if(failed()),
        ]
    }

    pub(crate) fn drop_snapshot(&self) -> Option<Step> {
        let command = self.snapshot.remove()?;
        Some(Step::here("drop-snapshot", command, "Only now: nothing has to be sent from it any more, and while it exists it slows writing down."))
    }
}
