//! The steps of a departure, in their order, each with its reason.

use crate::cli::commands::plan::departure::names::{Names, quoted};
use crate::format::superblock::Format;
use crate::units::Bytes;
use crate::verdict::handshake::Pair;

/// Where the copy is read from.
pub(crate) enum Snapshot {
    /// The disk itself, while it is in use.
    None,
    /// A snapshot of a logical volume: its group and its name.
    Lvm(String, String),
    /// A snapshot of a ZFS volume.
    Zfs(String),
}

impl Snapshot {
    pub(crate) fn lvm(lv: &str) -> anyhow::Result<Self> {
        let name = lv.strip_prefix("/dev/").unwrap_or(lv);
        match name.split_once('/') {
            Some((group, name)) if !group.is_empty() && !name.is_empty() && !name.contains('/') => {
                Ok(Self::Lvm(group.to_owned(), name.to_owned()))
            }
            _ => anyhow::bail!("--lv: {lv}, expected VG/LV"),
        }
    }
}

/// Where a command is run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Source,
    Target,
}

impl Side {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

/// One command.
pub(crate) struct Step {
    /// Its name, for scripts.
    pub(crate) id: &'static str,
    pub(crate) side: Side,
    pub(crate) command: String,
    pub(crate) why: &'static str,
}

/// All that a departure depends on.
pub(crate) struct Departure {
    pub(crate) names: Names,
    pub(crate) snapshot: Snapshot,
    pub(crate) format: Format,
    pub(crate) size: Bytes,
    pub(crate) stacked: bool,
    pub(crate) node_id: Option<u8>,
    /// How long the copy takes at the line's rate.
    pub(crate) seconds: Option<u64>,
    /// What DRBD decides when the two meet.
    pub(crate) meeting: Pair,
}

impl Departure {
    /// A command of drbdadm's for the resource.
    fn drbdadm(&self, words: &str) -> String {
        let stacked = if self.stacked { "--stacked " } else { "" };
        format!("drbdadm {stacked}{words} {}", self.names.resource)
    }

    /// What says which level is meant.
    fn level(&self) -> &'static str {
        if self.stacked { " --stacked" } else { "" }
    }

    fn sums(&self) -> String {
        quoted(&format!("{}.sums", self.names.resource.trim_matches('\'')))
    }

    /// What the copy is read from.
    fn origin(&self) -> String {
        match &self.snapshot {
            Snapshot::None => self.names.disk.clone(),
            Snapshot::Lvm(group, name) => quoted(&format!("/dev/{group}/{name}-truck")),
            Snapshot::Zfs(volume) => quoted(&format!("/dev/zvol/{volume}@truck")),
        }
    }

    /// The first truck.
    pub(crate) fn first(&self) -> Vec<Step> {
        let clear = "new-current-uuid --clear-bitmap";
        let mut steps = vec![
            source("disconnect", self.drbdadm("disconnect"), "a generation is started only by who is connected to nobody"),
            source("begin-generation", self.drbdadm(clear), "from here on the bitmap counts what is written: that is what the copy may lack"),
        ];
        let next = source("next-generation", self.drbdadm("new-current-uuid"), "the source goes on in a new generation, and its bitmap UUID is now the copy's current UUID");
        if matches!(self.snapshot, Snapshot::None) {
            steps.push(self.carry());
            steps.push(next);
        } else {
            steps.extend(self.rest());
            steps.push(self.take());
            steps.push(self.attach());
            steps.push(next);
            steps.extend(self.serve());
            steps.push(self.carry());
            steps.push(self.drop_snapshot());
        }
        steps.extend(self.arrive());
        steps
    }

    /// A disk at rest: nobody writes while the snapshot is made.
    fn rest(&self) -> [Step; 3] {
        [
            source("unmount", format!("umount {}", self.names.device), "downtime begins: what is on it is written out, and clean"),
            source("secondary", self.drbdadm("secondary"), "nothing writes to it any more"),
            source("down", self.drbdadm("detach"), "its metadata is settled on the disk; the resource stays as it is, connected to nobody (after `drbdadm down`, `up` would connect)"),
        ]
    }

    fn take(&self) -> Step {
        let command = match &self.snapshot {
            Snapshot::None => String::new(),
            Snapshot::Lvm(group, name) => {
                let (origin, snapshot) = (quoted(&format!("{group}/{name}")), quoted(&format!("{name}-truck")));
                format!("lvcreate --snapshot --extents 10%ORIGIN --name {snapshot} {origin}")
            }
            Snapshot::Zfs(volume) => {
                let (plain, snapshot) = (quoted(volume), quoted(&format!("{volume}@truck")));
                format!("zfs set snapdev=visible {plain} && zfs snapshot {snapshot}")
            }
        };
        source("snapshot", command, "the moment that the copy shows (a thin volume's snapshot takes no --extents)")
    }

    fn attach(&self) -> Step {
        source("up", self.drbdadm("attach"), "the disk is back, and still nobody is connected")
    }

    /// Back in service.
    fn serve(&self) -> [Step; 2] {
        [
            source("primary", self.drbdadm("primary"), "may be mounted again"),
            source("mount", format!("mount {} MOUNTPOINT", self.names.device), "downtime ends"),
        ]
    }

    /// The copy itself.
    fn carry(&self) -> Step {
        let command = format!(
            "mdtool copy {} -{} --sums {} | ssh {} mdtool copy - {} --yes",
            self.origin(),
            self.level(),
            self.sums(),
            self.names.host,
            self.names.target
        );
        source("copy", command, "this level and nothing around it, over what the target disk holds; cut off, --resume on both sides goes on")
    }

    fn drop_snapshot(&self) -> Step {
        let command = match &self.snapshot {
            Snapshot::None => String::new(),
            Snapshot::Lvm(group, name) => format!("lvremove --yes {}", quoted(&format!("{group}/{name}-truck"))),
            Snapshot::Zfs(volume) => format!("zfs destroy {}", quoted(&format!("{volume}@truck"))),
        };
        source("drop-snapshot", command, "it is not needed any more, and slows writing down")
    }

    /// What is done where the copy went.
    fn arrive(&self) -> Vec<Step> {
        let target = &self.names.target;
        let node = match (self.format, self.node_id) {
            (Format::V09, Some(node)) => format!(" --node-id {node}"),
            (Format::V09, None) => " --node-id N".to_owned(),
            _ => String::new(),
        };
        let sums = self.sums();
        // There it is no stacked resource, unless the other side is a stack as well.
        let up = format!("drbdadm up {}", self.names.resource);
        vec![
            source("send-sums", format!("scp {sums} {}:", self.names.host), "the checksums that were made while copying"),
            target_step("check", format!("mdtool sum --check {sums} {target}"), "every chunk is on that disk; what is not, `copy --ranges` sends again"),
            target_step("adopt", format!("mdtool adopt {target}{}{node} --apply-al --yes", self.level()), "puts the metadata where DRBD looks (on a disk of exactly the copy's size it lies there already: `mdtool apply-al`, and for v09 `mdtool edit --node-id`, is all it needs)"),
            target_step("arrive", up, "attaches the copy"),
            source("connect", self.drbdadm("connect"), "and only what was written since is sent"),
        ]
    }

    /// A second truck, for what was written since the first.
    pub(crate) fn second(&self) -> Vec<Step> {
        let clear = "new-current-uuid --clear-bitmap";
        let peer = if self.format == Format::V09 { " --peer NODE" } else { "" };
        let mut steps = vec![source("disconnect", self.drbdadm("disconnect"), "as for the first")];
        steps.extend(self.rest());
        let carry = source("copy", format!(
            "mdtool copy {} -{} --changed{peer} | ssh {} mdtool copy - {} --yes",
            self.origin(),
            self.level(),
            self.names.host,
            self.names.target
        ), "what the bitmap and the activity log name, and the source's generation; before the target adopts it");
        let begin = source("begin-generation", self.drbdadm(clear), "before anything is written: the copy has all that the bits stood for");
        if matches!(self.snapshot, Snapshot::None) {
            steps.push(carry);
            steps.extend([self.attach(), begin]);
            steps.extend(self.serve());
        } else {
            steps.push(self.take());
            steps.extend([self.attach(), begin]);
            steps.extend(self.serve());
            steps.push(carry);
            steps.push(self.drop_snapshot());
        }
        steps
    }

    /// What should be known beforehand.
    pub(crate) fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        if matches!(self.snapshot, Snapshot::None) {
            notes.push("no snapshot: the disk is copied while it is in use, past the system's cache. What is written meanwhile is in the bitmap, and is sent again at the end.");
        }
        if self.format == Format::V09 {
            notes.push("DRBD 9: new-current-uuid --clear-bitmap clears the bitmaps of all peers. Before it, every other peer must be UpToDate (`drbdadm status`), or what it lacks is forgotten.");
            notes.push("DRBD 9: peers that stay here are a generation behind after it, and a second new-current-uuid without them costs them a full resync. It does not where they are connected, and UpToDate, between the two; then disconnect again.");
            notes.push("DRBD 9: nothing may be written between a disconnect and the new-current-uuid after it (secondary, or unmounted): a Primary that is left alone starts a generation of its own, and what is behind that is synced in full.");
            notes.push("the target's node id has to be free, or that of the node it replaces: --node-id N.");
        } else if !self.stacked {
            notes.push("v08 has one bitmap: the peer that is connected now is the one that the copy replaces.");
        }
        notes
    }
}

const fn source(id: &'static str, command: String, why: &'static str) -> Step {
    Step {
        id,
        side: Side::Source,
        command,
        why,
    }
}

const fn target_step(id: &'static str, command: String, why: &'static str) -> Step {
    Step {
        id,
        side: Side::Target,
        command,
        why,
    }
}
