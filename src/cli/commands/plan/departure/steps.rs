//! What a departure is made of: commands, each with its reason.

use serde::Serialize;

use crate::cli::commands::plan::departure::names::{Names, quoted};
use crate::cli::commands::plan::departure::nodes::Nodes;
use crate::cli::commands::plan::departure::snapshot::Snapshot;
use crate::format::superblock::Format;
use crate::units::Bytes;
use crate::verdict::handshake::Pair;

/// Where a command is run.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Source,
    Target,
}

/// One command.
#[derive(Serialize)]
pub(crate) struct Step {
    /// Its name, for scripts.
    pub(crate) id: &'static str,
    #[serde(rename = "on")]
    pub(crate) side: Side,
    pub(crate) command: String,
    pub(crate) why: String,
    /// When it is to be run, where that is not always.
    pub(crate) only_if: Option<String>,
}

impl Step {
    pub(crate) fn here(id: &'static str, command: String, why: impl Into<String>) -> Self {
        Self {
            id,
            side: Side::Source,
            command,
            why: why.into(),
            only_if: None,
        }
    }

    pub(crate) fn there(id: &'static str, command: String, why: impl Into<String>) -> Self {
        Self {
            side: Side::Target,
            ..Self::here(id, command, why)
        }
    }

    pub(crate) fn only_if(self, condition: String) -> Self {
        Self {
            only_if: Some(condition),
            ..self
        }
    }
}

/// Which resource of how many.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) number: usize,
    pub(crate) count: usize,
}

/// All that a departure depends on.
pub(crate) struct Departure {
    pub(crate) names: Names,
    pub(crate) snapshot: Snapshot,
    pub(crate) format: Format,
    /// Of the copy.
    pub(crate) size: Bytes,
    /// Of the disk that it goes to, where it was said.
    pub(crate) target_size: Option<Bytes>,
    pub(crate) place: Place,
    pub(crate) nodes: Nodes,
    /// How long the copy takes at the line's rate.
    pub(crate) seconds: Option<u64>,
    /// What DRBD decides when the two meet.
    pub(crate) meeting: Pair,
}

impl Departure {
    pub(crate) const fn is_stacked(&self) -> bool {
        self.place.number > 0
    }

    /// A command of drbdadm's for the resource.
    pub(crate) fn drbdadm(&self, words: &str) -> String {
        let stacked = if self.is_stacked() { "--stacked " } else { "" };
        format!("drbdadm {stacked}{words} {}", self.names.resource)
    }

    /// What says which level of the disk is meant.
    pub(crate) fn level(&self) -> String {
        let Place { number, count } = self.place;
        if count < 2 {
            String::new()
        } else if number.saturating_add(1) == count {
            " --stacked".to_owned()
        } else {
            format!(" --level {number}")
        }
    }

    /// The same where only this level, and those within it, are left.
    pub(crate) fn level_there(&self) -> &'static str {
        let Place { number, count } = self.place;
        if number.saturating_add(1) < count {
            " --level outer"
        } else if self.is_stacked() {
            " --stacked"
        } else {
            ""
        }
    }

    /// A file named after the resource.
    pub(crate) fn file(&self, ending: &str) -> String {
        quoted(&format!("{}{ending}", self.names.resource.trim_matches('\'')))
    }

    /// What the copy is read from.
    pub(crate) fn origin(&self) -> String {
        self.snapshot.device().unwrap_or_else(|| self.names.disk.clone())
    }

    /// A command that is run on the other host; the shell there takes it apart once more.
    pub(crate) fn remote(&self, command: &str) -> String {
        let host = &self.names.host;
        if command.contains('\'') {
            format!("ssh {host} {}", quoted(command))
        } else {
            format!("ssh {host} {command}")
        }
    }

    /// Sends what `mdtool copy` reads with these words.
    pub(crate) fn send(&self, origin: &str, words: &str) -> String {
        let receive = format!("mdtool copy - {} --yes", self.names.target);
        format!("mdtool copy {origin} -{words} | {}", self.remote(&receive))
    }

    /// Nobody is connected any more.
    pub(crate) fn disconnect(&self) -> Step {
        Step::here("disconnect", self.drbdadm("disconnect"), "A generation can be started only while no peer is connected.")
    }

    /// Nothing is written any more.
    pub(crate) fn quiesce(&self) -> [Step; 2] {
        [
            Step::here("unmount", format!("umount {}", self.names.device), "Downtime begins. Stop whatever else uses the device, too."),
            Step::here("secondary", self.drbdadm("secondary"), "Makes sure that nothing writes to it."),
        ]
    }

    pub(crate) fn detach(&self) -> Step {
        Step::here("down", self.drbdadm("detach"), "Settles the metadata on the disk. The resource stays configured, and disconnected: after drbdadm down, drbdadm up would connect it.")
    }

    pub(crate) fn attach(&self) -> Step {
        Step::here("up", self.drbdadm("attach"), "The resource has its disk again, and is still disconnected.")
    }

    /// Back in service.
    pub(crate) fn serve(&self) -> [Step; 2] {
        [
            Step::here("primary", self.drbdadm("primary"), "The device can be mounted again."),
            Step::here("mount", format!("mount {} MOUNTPOINT", self.names.device), "Downtime ends."),
        ]
    }

    /// The peers that stay are connected again.
    pub(crate) fn rejoin(&self, why: &str) -> Vec<Step> {
        let each = |node: &Option<u8>| Step::here("connect-peer", self.to_peer("connect", *node), why);
        self.nodes.staying.iter().map(each).collect()
    }

    /// Until the peers that stay have what this side has.
    pub(crate) fn wait(&self) -> Vec<Step> {
        let each = |node: &Option<u8>| Step::here("wait-peer", self.to_peer("wait-sync", *node), "Waits until that peer is UpToDate, in this generation.");
        self.nodes.staying.iter().map(each).collect()
    }

    /// A command for one connection.
    fn to_peer(&self, verb: &str, node: Option<u8>) -> String {
        let Names { resource, peers, .. } = &self.names;
        let name = peers.iter().find(|(id, _)| Some(*id) == node);
        if let Some((_, name)) = name.filter(|_| !self.is_stacked()) {
            let connection = quoted(&format!("{}:{name}", resource.trim_matches('\'')));
            return format!("drbdadm {verb} {connection}");
        }
        let verb = if verb == "connect" { verb } else { "wait-sync-connection" };
        let node = node.map_or_else(|| "NODE".to_owned(), |node| node.to_string());
        format!("drbdsetup {verb} {resource} {node}")
    }

    pub(crate) fn is_v09(&self) -> bool {
        self.format == Format::V09
    }
}
