//! Arguments of `edit`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};
use crate::cli::size::Size;
use crate::error::UtilsVersion;
use crate::format::superblock::{DeviceFlags, PeerFlags, Uuid};
use crate::surgery::edit::{Change, NewSlots, NewUuid, Rebrand};
use crate::units::{BitmapIndex, NodeId};

/// Arguments of `edit`.
#[derive(Args, Debug)]
pub(crate) struct EditArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: the only one; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Leave the image as it is, and print the edited metadata as a dump to this new file; - is stdout
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["undo", "dry_run", "yes", "json"])]
    pub(crate) output: Option<PathBuf>,
    /// With -o: write what this version of drbd-utils can read
    #[arg(long, value_name = "VERSION", requires = "output")]
    pub(crate) compat: Option<UtilsVersion>,
    #[command(flatten)]
    pub(crate) changes: ChangeArgs,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

/// The changes.
#[derive(Args, Debug)]
#[command(next_help_heading = "Changes")]
pub(crate) struct ChangeArgs {
    /// Make it the metadata of this node: exchange its peer entry with that of the node it came from
    #[arg(long, value_name = "N", value_parser = node)]
    node_id: Option<NodeId>,
    /// Exchange the entries of two peers
    #[arg(long, value_name = "A,B", value_parser = two_nodes)]
    swap_nodes: Option<(NodeId, NodeId)>,
    /// Have this many bitmap slots; slots keep their number and their bits
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=31))]
    max_peers: Option<u32>,
    /// What slots that --max-peers adds begin with [default: free where a slot is free, else all]
    #[arg(long, value_name = "all|free", requires = "max_peers")]
    new_slots: Option<Slots>,
    /// Give a peer a slot [default: the lowest free one]
    #[arg(long, value_name = "NODE[=SLOT]", value_parser = assignment)]
    assign: Vec<(NodeId, Option<BitmapIndex>)>,
    /// Free a peer's slot, and make it what a free slot is
    #[arg(long, value_name = "NODE", value_parser = node)]
    forget: Vec<NodeId>,
    /// Stripes of the activity log
    #[arg(long, value_name = "N")]
    al_stripes: Option<u32>,
    /// Size of a stripe of the activity log
    #[arg(long, value_name = "SIZE")]
    al_stripe_size: Option<Size>,
    /// Bytes that a bit of the bitmap stands for (DRBD 9.3 and newer)
    #[arg(long, value_name = "SIZE")]
    bytes_per_bit: Option<Size>,
    /// The agreed size of the DRBD device
    #[arg(long, value_name = "SIZE")]
    la_size: Option<Size>,
    /// Set or clear a flag of the device, by DRBD's name
    #[arg(long, value_name = "±NAME", value_parser = flag, allow_hyphen_values = true)]
    flag: Vec<(DeviceFlags, bool)>,
    /// Set or clear a flag of a peer's entry, by DRBD's name
    #[arg(long, value_name = "NODE:±NAME", value_parser = peer_flag)]
    peer_flag: Vec<(NodeId, PeerFlags, bool)>,
    /// The current UUID
    #[arg(long, value_name = "0xUUID|new", value_parser = new_uuid)]
    current_uuid: Option<NewUuid>,
    /// The bitmap UUID; v09 has one for each peer
    #[arg(long, value_name = "[NODE:]0xUUID|new", value_parser = bitmap_uuid)]
    bitmap_uuid: Vec<(Option<NodeId>, NewUuid)>,
    /// The history UUIDs, newest first
    #[arg(long, value_name = "0xUUID,...", value_parser = uuid, value_delimiter = ',')]
    history: Option<Vec<Uuid>>,
    /// The device UUID
    #[arg(long, value_name = "0xUUID|new", value_parser = new_uuid)]
    device_uuid: Option<NewUuid>,
    /// Begin a new generation, as new-current-uuid does where nobody is connected
    #[arg(long)]
    new_generation: bool,
    /// With --new-generation: clear every slot, and declare the disk up to date
    #[arg(long, requires = "new_generation")]
    clear_bitmap: bool,
    /// Give a clone an identity of its own: device UUID, slots, node id; keep its generation or begin a new one
    #[arg(long, value_name = "keep|fresh")]
    rebrand: Option<Generation>,
    /// Convert to the other format; v09 needs --node-id, --peer and --max-peers, v08 needs --peer
    #[arg(long, value_name = "v08|v09", requires = "peer")]
    format: Option<ToFormat>,
    /// With --format: the peer whose slot is v08's
    #[arg(long, value_name = "NODE", value_parser = node, requires = "format")]
    peer: Option<NodeId>,
    /// With --format v08: add the bits of all other slots
    #[arg(long, requires = "format")]
    merge_slots: bool,
}

/// What new slots begin with.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Slots {
    /// Everything out of sync
    All,
    /// A copy of a free slot
    Free,
}

/// A clone's generation.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Generation {
    /// Its source's
    Keep,
    /// A new one, without a history
    Fresh,
}

/// The other format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ToFormat {
    /// DRBD 8
    V08,
    /// DRBD 9
    V09,
}

impl ChangeArgs {
    /// The changes, in the order in which they are made: to v09 first, so that all that v09 has can be changed; to v08 last.
    pub(crate) fn changes(&self) -> Result<Vec<Change>, String> {
        let mut changes = Vec::new();
        if self.merge_slots && self.format != Some(ToFormat::V08) {
            return Err("--merge-slots is for --format v08, which has one slot".to_owned());
        }
        let mut node_id = self.node_id;
        let mut max_peers = self.max_peers;
        if self.format == Some(ToFormat::V09) {
            let missing = "--format v09 needs --node-id, --peer and --max-peers";
            changes.push(Change::ToV09 {
                node_id: node_id.take().ok_or(missing)?,
                peer: self.peer.ok_or(missing)?,
                max_peers: max_peers.take().ok_or(missing)?,
            });
        }
        if let Some(rebrand) = self.rebrand {
            changes.push(Change::Rebrand {
                generation: match rebrand {
                    Generation::Keep => Rebrand::Keep,
                    Generation::Fresh => Rebrand::Fresh,
                },
                node_id: node_id.take(),
            });
        }
        self.of_nodes(node_id, &mut changes);
        self.of_slots(max_peers, &mut changes);
        self.of_shape(&mut changes)?;
        self.of_generation(&mut changes);
        if self.format == Some(ToFormat::V08) {
            changes.push(Change::ToV08 {
                peer: self.peer.ok_or("--format v08 needs --peer")?,
                merge_slots: self.merge_slots,
            });
        }
        if changes.is_empty() {
            return Err("no change was asked for".to_owned());
        }
        Ok(changes)
    }

    fn of_nodes(&self, node_id: Option<NodeId>, changes: &mut Vec<Change>) {
        changes.extend(node_id.map(Change::NodeId));
        let swap = self.swap_nodes;
        changes.extend(swap.map(|(one, other)| Change::SwapNodes(one, other)));
        changes.extend(self.forget.iter().copied().map(Change::Forget));
    }

    fn of_slots(&self, max_peers: Option<u32>, changes: &mut Vec<Change>) {
        let new = match self.new_slots {
            None => NewSlots::Auto,
            Some(Slots::All) => NewSlots::All,
            Some(Slots::Free) => NewSlots::Free,
        };
        changes.extend(max_peers.map(|slots| Change::MaxPeers { slots, new }));
        let assign = self.assign.iter();
        changes.extend(assign.map(|(node, slot)| Change::Assign {
            node: *node,
            slot: *slot,
        }));
    }

    fn of_shape(&self, changes: &mut Vec<Change>) -> Result<(), String> {
        changes.extend(self.al_stripes.map(Change::AlStripes));
        if let Some(size) = self.al_stripe_size {
            let blocks = size.0.whole_units(crate::units::MD_BLOCK);
            let whole = crate::units::MD_BLOCK.checked_mul(blocks) == Some(size.0);
            let blocks = u32::try_from(blocks).ok().filter(|_| whole);
            let blocks = blocks.ok_or("--al-stripe-size: expected a multiple of 4096 bytes")?;
            changes.push(Change::AlStripeSize4k(blocks));
        }
        if let Some(size) = self.bytes_per_bit {
            let bytes = u32::try_from(size.0.get());
            let bytes = bytes.map_err(|_| "--bytes-per-bit: expected 4KiB to 1MiB")?;
            changes.push(Change::BytesPerBit(bytes));
        }
        if let Some(size) = self.la_size {
            let sectors = size.0.to_sectors_exact();
            let sectors = sectors.ok_or("--la-size: expected whole sectors of 512 bytes")?;
            changes.push(Change::LaSize(sectors));
        }
        Ok(())
    }

    fn of_generation(&self, changes: &mut Vec<Change>) {
        if self.new_generation {
            let clear_bitmap = self.clear_bitmap;
            changes.push(Change::NewGeneration { clear_bitmap });
        }
        changes.extend(self.current_uuid.map(Change::CurrentUuid));
        let uuids = self.bitmap_uuid.iter();
        changes.extend(uuids.map(|(node, uuid)| Change::BitmapUuid {
            node: *node,
            uuid: *uuid,
        }));
        changes.extend(self.history.clone().map(Change::History));
        changes.extend(self.device_uuid.map(Change::DeviceUuid));
        let flags = self.flag.iter();
        changes.extend(flags.map(|(flag, set)| Change::Flag {
            flag: *flag,
            set: *set,
        }));
        let flags = self.peer_flag.iter();
        changes.extend(flags.map(|(node, flag, set)| Change::PeerFlag {
            node: *node,
            flag: *flag,
            set: *set,
        }));
    }
}

fn node(text: &str) -> Result<NodeId, String> {
    let id: Option<u8> = text.parse().ok().filter(|id| *id < 32);
    id.map(NodeId::new)
        .ok_or_else(|| "expected a node id from 0 to 31".to_owned())
}

fn two_nodes(text: &str) -> Result<(NodeId, NodeId), String> {
    let (one, other) = text
        .split_once(',')
        .ok_or("expected two node ids: 1,2")?;
    let (one, other) = (node(one)?, node(other)?);
    if one == other {
        return Err("expected two different node ids".to_owned());
    }
    Ok((one, other))
}

fn assignment(text: &str) -> Result<(NodeId, Option<BitmapIndex>), String> {
    let Some((id, slot)) = text.split_once('=') else {
        return Ok((node(text)?, None));
    };
    let slot = u8::from_str(slot).map_err(|_| "expected NODE=SLOT, both numbers".to_owned())?;
    Ok((node(id)?, Some(BitmapIndex::new(slot))))
}

/// A name, and whether it is set: `+NAME`, `NAME` or `-NAME`.
fn sign(text: &str) -> (&str, bool) {
    match text.strip_prefix('-') {
        Some(name) => (name, false),
        None => (text.strip_prefix('+').unwrap_or(text), true),
    }
}

fn flag(text: &str) -> Result<(DeviceFlags, bool), String> {
    let (name, set) = sign(text);
    let flag = DeviceFlags::of_names(std::iter::once(name));
    flag.map(|flag| (flag, set)).ok_or_else(|| {
        let names: Vec<&str> = DeviceFlags::all_names().collect();
        format!("expected + or - and one of {}", names.join(", "))
    })
}

fn peer_flag(text: &str) -> Result<(NodeId, PeerFlags, bool), String> {
    let grammar = || "expected NODE:+NAME or NODE:-NAME, as 1:+PEER_DEVICE_SEEN".to_owned();
    let (id, rest) = text.split_once(':').ok_or_else(grammar)?;
    let (name, set) = sign(rest);
    let flag = PeerFlags::of_name(name).ok_or_else(grammar)?;
    Ok((node(id)?, flag, set))
}

/// `0x` and 16 digits, as DRBD's tools print them.
fn uuid(text: &str) -> Result<Uuid, String> {
    let digits = text.strip_prefix("0x").filter(|digits| digits.len() == 16);
    let all_hex = |digits: &&str| digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let value = digits
        .filter(all_hex)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok());
    value
        .map(Uuid)
        .ok_or_else(|| "expected 0x and 16 hex digits".to_owned())
}

fn new_uuid(text: &str) -> Result<NewUuid, String> {
    if text == "new" {
        return Ok(NewUuid::Random);
    }
    let given = uuid(text).map(NewUuid::Given);
    given.map_err(|_| "expected 0x and 16 hex digits, or new".to_owned())
}

fn bitmap_uuid(text: &str) -> Result<(Option<NodeId>, NewUuid), String> {
    match text.split_once(':') {
        None => Ok((None, new_uuid(text)?)),
        Some((id, text)) => Ok((Some(node(id)?), new_uuid(text)?)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(uuid("0x00000000000000AA").is_ok());
        for text in ["AA", "0xAA", "0x+0000000000000AA", "170", ""] {
            assert!(uuid(text).is_err(), "{text}");
        }
        assert_eq!(flag("-CONSISTENT"), Ok((DeviceFlags::CONSISTENT, false)));
        assert_eq!(flag("+MDF_CONSISTENT"), Ok((DeviceFlags::CONSISTENT, true)));
        assert!(flag("0x1").is_err());
        assert_eq!(
            peer_flag("3:-PEER_DEVICE_SEEN"),
            Ok((NodeId::new(3), PeerFlags::DEVICE_SEEN, false))
        );
        assert!(node("32").is_err());
        assert_eq!(
            assignment("3=1"),
            Ok((NodeId::new(3), Some(BitmapIndex::new(1))))
        );
    }
}
