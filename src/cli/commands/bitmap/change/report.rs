//! What changed, or would, in words and as JSON.

use serde::Serialize;

use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::commands::bitmap::change::source::{Handshake, Toward};
use crate::cli::commands::bitmap::node_of;
use crate::cli::output::change::{self, ChangeView, Metadata};
use crate::cli::output::amounts::binary;
use crate::cli::write::{Change, Look, Written, show};
use crate::format::bitmap::bits_to_bytes;
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{DeviceFlags, PeerFlags};
use crate::surgery::bits::{BitEdit, Changed};
use crate::survey::locate::Level;
use crate::units::{BitmapIndex, DevPos};

/// All that is to be said of a change.
pub(crate) struct Report<'l> {
    look: &'l Look,
    pub(crate) level: &'l Level,
    pub(crate) edit: BitEdit,
    toward: Toward,
    notes: Vec<String>,
    json: bool,
    /// By slot.
    pub(crate) changed: Vec<Changed>,
}

/// What changes in a slot.
#[derive(Serialize)]
#[expect(
    clippy::struct_field_names,
    reason = "the names are those of the document"
)]
struct Slot {
    slot: u8,
    node_id: Option<usize>,
    set_bits: u64,
    set_bytes: u64,
    cleared_bits: u64,
    cleared_bytes: u64,
}

/// What the document has of its own.
#[derive(Serialize)]
struct ChangedBits<'r> {
    action: &'static str,
    slots: Vec<Slot>,
    /// What the handshake will decide; nothing without `--with`.
    handshake: Option<&'r Handshake>,
    /// Whether the generations change.
    sync_source: bool,
    /// What it means, for people.
    notes: Vec<String>,
}

impl<'l> Report<'l> {
    pub(super) const fn new(
        look: &'l Look,
        level: &'l Level,
        edit: BitEdit,
        toward: Toward,
        notes: Vec<String>,
        json: bool,
    ) -> Self {
        Self {
            look,
            level,
            edit,
            toward,
            notes,
            json,
            changed: Vec::new(),
        }
    }

    fn header(&self) -> Header {
        Header::of(&self.edit.superblock)
    }

    /// Slots that are meant, and those that the log marks.
    fn slots(&self) -> Vec<Slot> {
        let header = self.header();
        let per_bit = self.level.layout.geometry.bytes_per_bit;
        let bytes = |bits| bits_to_bytes(bits, per_bit).get();
        let slots = (0_u8..).map(BitmapIndex::new).zip(&self.changed);
        let told = slots.filter(|(slot, changed)| {
            self.edit.slots.contains(slot) || **changed != Changed::default()
        });
        told.map(|(slot, changed)| Slot {
            slot: slot.get(),
            node_id: node_of(slot, &header),
            set_bits: changed.set,
            set_bytes: bytes(changed.set),
            cleared_bits: changed.cleared,
            cleared_bytes: bytes(changed.cleared),
        })
        .collect()
    }

    /// What changes, a line for each slot.
    fn lines(&self) -> Vec<String> {
        let slots = self.slots();
        let line = |slot: &Slot| {
            let mut parts = Vec::new();
            for (bits, bytes, what) in [
                (slot.set_bits, slot.set_bytes, "set"),
                (slot.cleared_bits, slot.cleared_bytes, "cleared"),
            ] {
                if bits > 0 {
                    let size = binary(crate::units::Bytes::new(bytes));
                    parts.push(format!("{bits} bits {what}, {bytes} bytes ({size})"));
                }
            }
            if parts.is_empty() {
                parts.push("nothing changes".to_owned());
            }
            format!("slot {}{}: {}", slot.slot, of_node(slot), parts.join("; "))
        };
        slots.iter().map(line).collect()
    }

    /// What the change means for peers.
    fn meaning(&self) -> Vec<String> {
        let mut words = self.notes.clone();
        if !self.edit.set {
            for slot in self.slots().iter().filter(|slot| slot.cleared_bits > 0) {
                words.push(self.affected(slot));
            }
        }
        words.extend(self.set_at_attach());
        words.extend(self.toward.words.iter().cloned());
        words
    }

    /// Who does not get what is cleared.
    fn affected(&self, slot: &Slot) -> String {
        let size = slot.cleared_bytes;
        match (slot.node_id, self.header().generation) {
            (Some(node), _) => format!(
                "node {node} will not get the {size} bytes that are cleared: what it has there stays, even where it differs"
            ),
            (None, Generation::V09(_)) => format!(
                "slot {} belongs to no peer: one that gets it later will not get the {size} bytes that are cleared",
                slot.slot
            ),
            (None, _) => format!(
                "the peer will not get the {size} bytes that are cleared: what it has there stays, even where it differs"
            ),
        }
    }

    /// Slots that DRBD sets as a whole when it attaches: what is cleared in them is set again.
    fn set_at_attach(&self) -> Vec<String> {
        let header = self.header();
        let again = |what: &str, flag: &str| {
            format!("{what} has {flag}: DRBD sets the whole slot when it attaches")
        };
        if self.edit.set {
            return Vec::new();
        }
        match &header.generation {
            Generation::V07(_) => Vec::new(),
            Generation::V08(generation) => {
                let full = generation.flags.contains(DeviceFlags::FULL_SYNC);
                let said = again("the superblock", "MDF_FULL_SYNC");
                full.then_some(said).into_iter().collect()
            }
            Generation::V09(generation) => {
                let slots = self.edit.slots.iter();
                let nodes = slots.filter_map(|slot| node_of(*slot, &header));
                let full = nodes.filter(|node| {
                    let peer = generation.peers.get(*node);
                    peer.is_some_and(|peer| peer.flags.0 & PeerFlags::FULL_SYNC.0 != 0)
                });
                full.map(|node| again(&format!("peers[{node}]"), "MDF_PEER_FULL_SYNC"))
                    .collect()
            }
        }
    }

    pub(super) fn words(&self) -> Vec<String> {
        let mut words = show::resource(self.look, self.level);
        if self.edit.log.is_some() {
            words.push(
                "what the activity log names is marked out of sync in every slot first, and the log emptied".to_owned(),
            );
        }
        words.extend(self.lines());
        words.extend(self.meaning());
        words
    }

    pub(super) fn reported(&self) -> Vec<String> {
        if self.json { Vec::new() } else { self.lines() }
    }

    pub(super) fn print(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let Some(change) = changes.first() else {
            return Ok(());
        };
        if change.written != Written::DryRun {
            for line in self.meaning() {
                out.tell(format_args!("mdtool: note: {}: {line}", self.look.name()));
            }
        }
        if self.json {
            let metadata = Metadata {
                image: &self.look.path,
                base: self.look.opened.image_pos(DevPos::START),
                superblock: &self.edit.superblock,
                layout: &self.level.layout,
            };
            let own = ChangedBits {
                action: if self.edit.set { "set" } else { "clear" },
                slots: self.slots(),
                handshake: self.toward.handshake.as_ref(),
                sync_source: self.toward.header.is_some(),
                notes: self.meaning(),
            };
            change::print(out.stdout, changes, &metadata, own)?;
            return Ok(());
        }
        if change.written == Written::Nothing {
            let what = if self.edit.set { "set" } else { "clear" };
            writeln!(out.stdout, "nothing to do: these bits are {what} already")?;
            return Ok(());
        }
        for line in self.lines() {
            writeln!(out.stdout, "{line}")?;
        }
        ChangeView::of(change).table(out.stdout)?;
        Ok(())
    }

    pub(super) fn next(&self) -> Vec<String> {
        let name = shell_word(&self.look.path);
        if self.toward.header.is_some() {
            let typed = self.look.typed();
            return vec![format!(
                "mdtool check {typed}, then `drbdadm up` on both sides: they connect, this one is SyncSource and sends what is marked; when both are UpToDate, their contents are equal there"
            )];
        }
        let mut levels = self.look.located.levels.iter();
        let number = levels.position(|level| level.layout.md == self.level.layout.md);
        let level = number.filter(|_| self.look.located.levels.len() > 1);
        let level = level.map_or(String::new(), |number| format!("@{number}"));
        vec![
            format!("mdtool bitmap show {name}{level}"),
            format!("mdtool check {name}{level}"),
        ]
    }
}

fn of_node(slot: &Slot) -> String {
    slot.node_id
        .map_or(String::new(), |node| format!(" (node {node})"))
}
