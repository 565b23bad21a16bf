//! Typed changes of metadata: what is done with `sed` on dumps today, each with what it needs and why it may be refused.
//!
//! ```text
//! Header  ──▶ change ──▶ change ──▶ … ──▶ Header        what the superblock says
//! slots   ──▶ recipe of each slot    ──▶ EditedBitmap   a stream: which old slots are united, all set, all clear; regrained last
//! ```
//!
//! Nothing here reads a disk or writes: a change works on a [`Header`] and on the recipes of its slots, so that one implementation serves
//! metadata in place, dumps, and the options of `adopt` and `import`.

mod bitmap;
mod convert;
mod draft;
mod generation;
mod note;
mod recipe;
mod refusal;
mod single;
mod slots;
mod source;
mod spooled;

pub use bitmap::{EditedBitmap, SlotSource};
pub use generation::{begin_generation, push_history};
pub use note::{Dropped, Note};
pub use recipe::Recipe;
pub use refusal::{ChangeRefusal, LostBits};
pub use source::make_source;
pub use spooled::Spooled;

use crate::error::Result;
use crate::format::metadata::{Generation, GenerationV09, Header};
use crate::format::superblock::{AlState, DeviceFlags, Format, PeerFlags, Uuid};
use crate::units::{BitmapIndex, NodeId, Sectors};

/// What slots that `--max-peers` adds begin with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NewSlots {
    /// A copy of a free slot where there is one, else everything out of sync.
    #[default]
    Auto,
    /// A copy of a free slot.
    Free,
    /// Everything out of sync.
    All,
}

/// Which generation a clone has after it got an identity of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebrand {
    /// Its source's: it is a copy of that data.
    Keep,
    /// A new one, without a history: it is not to meet its source.
    Fresh,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The metadata becomes this node's: its entry and the former own one are exchanged, as for truck based replication.
    NodeId(NodeId),
    /// The entries of two peers are exchanged.
    SwapNodes(NodeId, NodeId),
    /// As many bitmap slots; slots keep their number and their bits.
    MaxPeers {
        /// How many, 1 to 31.
        slots: u32,
        /// What added ones begin with.
        new: NewSlots,
    },
    /// A slot for a peer.
    Assign {
        /// Which peer.
        node: NodeId,
        /// Which slot; the lowest free one where not said.
        slot: Option<BitmapIndex>,
    },
    /// A peer's slot is freed, and becomes what a free slot is.
    Forget(NodeId),
    /// `al_stripes`.
    AlStripes(u32),
    /// `al_stripe_size_4k`.
    AlStripeSize4k(u32),
    /// `bm_bytes_per_bit`.
    BytesPerBit(u32),
    /// The agreed size of the DRBD device.
    LaSize(Sectors),
    /// A flag of the device is set or cleared.
    Flag {
        /// Which.
        flag: DeviceFlags,
        /// Set, else cleared.
        set: bool,
    },
    /// A flag of a peer's entry is set or cleared.
    PeerFlag {
        /// Whose entry.
        node: NodeId,
        /// Which.
        flag: PeerFlags,
        /// Set, else cleared.
        set: bool,
    },
    /// The data's current generation.
    CurrentUuid(NewUuid),
    /// The generation that a slot counts from; v09 names whose.
    BitmapUuid {
        /// Whose entry; none before v09.
        node: Option<NodeId>,
        /// Which.
        uuid: NewUuid,
    },
    /// All of the history, newest first.
    History(Vec<Uuid>),
    /// The identifier of this device's metadata.
    DeviceUuid(NewUuid),
    /// What `new-current-uuid` does to a resource that nobody is connected to.
    NewGeneration {
        /// Clears every slot and declares the disk up to date.
        clear_bitmap: bool,
    },
    /// A clone gets an identity of its own.
    Rebrand {
        /// Which generation it has then.
        generation: Rebrand,
        /// v09: the node whose it becomes; nobody's where not said.
        node_id: Option<NodeId>,
    },
    /// Bitmap, UUIDs, flags and size as v08.
    ToV08 {
        /// The peer whose slot is the one that v08 has.
        peer: NodeId,
        /// The other slots' bits are added to it.
        merge_slots: bool,
    },
    /// Bitmap, UUIDs, flags and size as v09.
    ToV09 {
        /// The own node.
        node_id: NodeId,
        /// The peer that v08's one slot tracks.
        peer: NodeId,
        /// How many slots there are then.
        max_peers: u32,
    },
}

/// A UUID that is given or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewUuid {
    /// This one.
    Given(Uuid),
    /// A random one.
    Random,
}

/// Where random UUIDs come from.
pub type Random<'a> = &'a mut dyn FnMut() -> Result<u64>;

/// What a change needs of the world.
#[non_exhaustive]
pub struct Needs<'a> {
    /// The slots as they are, for changes that depend on bits.
    pub slots: &'a dyn SlotSource,
    /// Random numbers for new UUIDs.
    pub random: Random<'a>,
    /// Goes on where bits would be lost.
    pub force: bool,
}

/// Metadata while it is edited, and afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edited {
    /// As it was.
    before: Header,
    /// What the superblock says now.
    pub header: Header,
    /// What each slot is made of.
    pub recipes: Vec<Recipe>,
    /// What to know of it.
    pub notes: Vec<Note>,
}

impl Edited {
    /// Makes all changes, in the order that is given, or none.
    ///
    /// # Errors
    ///
    /// [`ChangeRefusal`], which names the change that is not possible; reading the slots.
    pub fn new(before: &Header, changes: &[Change], needs: &mut Needs<'_>) -> Result<Self> {
        if before.format() == Format::V07 && !changes.is_empty() {
            return Err(ChangeRefusal::V07.into());
        }
        let mut edited = Self {
            before: before.clone(),
            header: before.clone(),
            recipes: before.geometry.slots().map(Recipe::of).collect(),
            notes: Vec::new(),
        };
        for change in changes {
            edited.change(change, needs)?;
        }
        edited.settle()?;
        Ok(edited)
    }

    /// Whether the place or the shape of bitmap or log differ, so that all of the metadata is written anew.
    #[must_use]
    pub fn moves(&self) -> bool {
        self.before.geometry != self.header.geometry
            || self.before.format() != self.header.format()
            || self.before.geometry.bitmap_size(self.before.la_size)
                != self.header.geometry.bitmap_size(self.header.la_size)
    }

    /// Whether any slot's bits are made anew.
    #[must_use]
    pub fn changes_bits(&self) -> bool {
        self.moves()
            || self.before.la_size != self.header.la_size
            || self
                .recipes
                .iter()
                .zip(0..=u8::MAX)
                .any(|(recipe, slot)| *recipe != Recipe::of(BitmapIndex::new(slot)))
    }

    /// The bitmap as it is after the edit.
    #[must_use]
    pub fn bitmap<'s>(&'s self, slots: &'s dyn SlotSource) -> EditedBitmap<'s> {
        EditedBitmap::new(slots, &self.before, &self.header, &self.recipes)
    }

    fn change(&mut self, change: &Change, needs: &mut Needs<'_>) -> Result<()> {
        match change {
            Change::NodeId(node) => self.node_id(*node),
            Change::SwapNodes(one, other) => self.swap_nodes(*one, *other),
            Change::MaxPeers { slots, new } => self.max_peers(*slots, *new),
            Change::Assign { node, slot } => self.assign(*node, *slot),
            Change::Forget(node) => self.forget(*node, needs),
            Change::AlStripes(stripes) => {
                self.header.geometry.al.stripes = *stripes;
                Ok(())
            }
            Change::AlStripeSize4k(blocks) => {
                self.header.geometry.al.stripe_size_4k = *blocks;
                Ok(())
            }
            Change::BytesPerBit(bytes) => {
                self.bytes_per_bit(*bytes);
                Ok(())
            }
            Change::LaSize(size) => self.la_size(*size, needs),
            Change::Flag { flag, set } => self.flag(*flag, *set),
            Change::PeerFlag { node, flag, set } => self.peer_flag(*node, *flag, *set),
            Change::CurrentUuid(uuid) => self.current_uuid(*uuid, needs),
            Change::BitmapUuid { node, uuid } => self.bitmap_uuid(*node, *uuid, needs),
            Change::History(uuids) => self.history(uuids),
            Change::DeviceUuid(uuid) => self.device_uuid(*uuid, needs),
            Change::NewGeneration { clear_bitmap } => self.new_generation(*clear_bitmap, needs),
            Change::Rebrand {
                generation,
                node_id,
            } => self.rebrand(*generation, *node_id, needs),
            Change::ToV08 { peer, merge_slots } => self.convert_to_v08(*peer, *merge_slots, needs),
            Change::ToV09 {
                node_id,
                peer,
                max_peers,
            } => self.convert_to_v09(*node_id, *peer, *max_peers),
        }
    }

    /// What holds after all changes, whatever their order.
    fn settle(&mut self) -> Result<()> {
        let format = self.header.format();
        self.header
            .geometry
            .check(format)
            .map_err(ChangeRefusal::Geometry)?;
        if self.changes_bits() && self.header.al_state == AlState::Unclean {
            return Err(ChangeRefusal::Unclean.into());
        }
        Ok(())
    }

    /// The v09 part, or a refusal.
    fn v09(&mut self) -> Result<&mut GenerationV09> {
        let format = self.header.format();
        match &mut self.header.generation {
            Generation::V09(generation) => Ok(generation),
            Generation::V07(_) | Generation::V08(_) => {
                Err(ChangeRefusal::OnlyV09 { format }.into())
            }
        }
    }

    fn note(&mut self, note: Note) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

impl NewUuid {
    fn make(self, random: Random<'_>) -> Result<Uuid> {
        Ok(match self {
            Self::Given(uuid) => uuid,
            Self::Random => random_uuid(random)?,
        })
    }
}

/// A random generation: never none or just created, and not set as Primary.
fn random_uuid(random: Random<'_>) -> Result<Uuid> {
    loop {
        let uuid = Uuid(random()? & !1);
        if uuid.names_a_generation() {
            return Ok(uuid);
        }
    }
}

#[cfg(test)]
mod tests;
