//! What is done where the copy went.

use crate::cli::commands::plan::departure::steps::{Departure, Step};

impl Departure {
    /// The copy becomes a replica.
    pub(crate) fn arrive(&self) -> Vec<Step> {
        let stacked = if self.names.target_stacked { "--stacked " } else { "" };
        let up = format!("drbdadm {stacked}up {}", self.names.resource);
        let mut steps = self.settle();
        steps.push(Step::there("arrive", up, "Applies the activity log and attaches the copy."));
        let connect = if self.is_v09() { "adjust" } else { "connect" };
        steps.push(Step::here("connect", self.drbdadm(connect), "Connects the two. The copy gets what was written since it was made."));
        steps
    }

    /// Metadata where DRBD looks for it, with the id of the node that it is on.
    fn settle(&self) -> Vec<Step> {
        let target = &self.names.target;
        let node = match self.nodes.target {
            _ if !self.is_v09() => String::new(),
            Some(node) => format!(" --node-id {node}"),
            None => " --node-id N".to_owned(),
        };
        let level = self.level_there();
        if let Some(meta) = &self.names.target_meta {
            let command = format!("mdtool adopt {target}{level} --strategy external --meta {meta}{node} --apply-al --yes");
            return vec![Step::there("adopt", command, "Moves the metadata to the device that the configuration names for it.")];
        }
        let adopt = Step::there("adopt", format!("mdtool adopt {target}{level}{node} --apply-al --yes"), "Moves the metadata to the end of that disk, where DRBD looks for it.");
        let (fits, why) = if self.is_v09() {
            (format!("mdtool edit {target}{}{node} --yes", self.level_fitting()), "The metadata is where DRBD looks for it. It only has to become that of the other node.")
        } else {
            (format!("mdtool apply-al {target}{} --yes", self.level_fitting()), "The metadata is where DRBD looks for it. Only its activity log is to be applied.")
        };
        let fits = Step::there("fits", fits, why);
        match self.target_size {
            Some(size) if size > self.size => vec![adopt],
            Some(_) => vec![fits],
            None => vec![
                adopt.only_if(format!("{target} is larger than {} bytes", self.size.get())),
                fits.only_if(format!("{target} has exactly {} bytes", self.size.get())),
            ],
        }
    }

    /// On a disk where this level is the outermost.
    const fn level_fitting(&self) -> &'static str {
        if self.place.number.saturating_add(1) < self.place.count {
            " --level outer"
        } else {
            ""
        }
    }
}
