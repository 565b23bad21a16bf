//! The generations of one level, and its peers.

use serde::Serialize;

use crate::cli::commands::show::view::raw::hex32;
use crate::cli::output::view::{Shown, word};
use crate::format::metadata::{CountersV07, Day0, Generation, GenerationV09, Header};
use crate::format::superblock::{Named, PeerFlags, Uuid};
use crate::units::BitmapIndex;

/// What each format has.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum GenerationView {
    V07 {
        generation_counters: Counters,
    },
    V08 {
        /// The generation that the bitmap counts from.
        #[serde(serialize_with = "word")]
        bitmap_uuid: Uuid,
        bitmap_uuid_primary: bool,
        /// Those that are set, newest first.
        history_uuids: Vec<Shown<Uuid>>,
    },
    V09(Current),
}

/// v07's counters.
#[derive(Serialize)]
pub(crate) struct Counters {
    pub(crate) human: u32,
    pub(crate) timeout: u32,
    pub(crate) connected: u32,
    pub(crate) arbitrary: u32,
}

/// v09's generation.
#[derive(Serialize)]
pub(crate) struct Current {
    /// The own one; nothing where it is not set.
    pub(crate) node_id: Option<i32>,
    pub(crate) members: Vec<u32>,
    /// Those that are set, newest first.
    pub(crate) history_uuids: Vec<Shown<Uuid>>,
    pub(crate) day0: Day0View,
    /// The entries in use.
    pub(crate) peers: Vec<PeerView>,
}

/// The generation that free slots count from, and the slot that is taken for it.
#[derive(Serialize)]
pub(crate) struct Day0View {
    pub(crate) uuid: Option<Shown<Uuid>>,
    /// The lowest free one.
    pub(crate) slot: Option<u8>,
    /// The current UUID is the one it was created with.
    pub(crate) never_rotated: bool,
}

/// One of v09's entries.
#[derive(Serialize)]
pub(crate) struct PeerView {
    pub(crate) node_id: i32,
    pub(crate) bitmap_slot: Option<i32>,
    #[serde(serialize_with = "word")]
    pub(crate) bitmap_uuid: Uuid,
    bitmap_uuid_primary: bool,
    pub(crate) bitmap_dagtag: u64,
    #[serde(flatten)]
    pub(crate) flags: FlagsView,
}

/// Flags, and what they are called.
#[derive(Serialize)]
pub(crate) struct FlagsView {
    /// All of them, in hex.
    pub(crate) flags: String,
    flag_names: Vec<&'static str>,
    /// The bits that have no name, in hex; nothing where there are none.
    unknown_flags: Option<String>,
    /// The same in one line, for people.
    #[serde(skip)]
    pub(crate) words: String,
}

impl FlagsView {
    pub(crate) fn of(flags: String, named: Named) -> Self {
        Self {
            flags,
            words: named.to_string(),
            flag_names: named.names,
            unknown_flags: (named.unknown != 0).then(|| hex32(named.unknown)),
        }
    }
}

impl GenerationView {
    pub(crate) fn of(header: &Header) -> Self {
        match &header.generation {
            Generation::V07(CountersV07([_, human, timeout, connected, arbitrary])) => Self::V07 {
                generation_counters: Counters {
                    human: *human,
                    timeout: *timeout,
                    connected: *connected,
                    arbitrary: *arbitrary,
                },
            },
            Generation::V08(generation) => {
                let [_, bitmap_uuid, past @ ..] = generation.uuids;
                Self::V08 {
                    bitmap_uuid,
                    bitmap_uuid_primary: primary(bitmap_uuid),
                    history_uuids: history(&past),
                }
            }
            Generation::V09(generation) => {
                let day0 = generation.day0(header.geometry.max_peers);
                Self::V09(Current {
                    node_id: (generation.node_id != -1).then_some(generation.node_id),
                    members: node_ids(generation.members),
                    history_uuids: history(&generation.history_uuids),
                    peers: peers(generation, day0),
                    day0: Day0View {
                        uuid: day0.uuid.map(Shown),
                        slot: day0.slot.map(BitmapIndex::get),
                        never_rotated: day0.never_rotated,
                    },
                })
            }
        }
    }
}

/// Bit 0 of a UUID that names a generation.
pub(crate) fn primary(uuid: Uuid) -> bool {
    uuid.names_a_generation() && uuid.set_as_primary()
}

fn history(uuids: &[Uuid]) -> Vec<Shown<Uuid>> {
    let set = uuids.iter().filter(|uuid| **uuid != Uuid::NONE);
    set.copied().map(Shown).collect()
}

/// The node ids in a mask.
fn node_ids(mask: u64) -> Vec<u32> {
    let set = |node: &u32| mask.checked_shr(*node).unwrap_or(0) & 1 != 0;
    (0..u64::BITS).filter(set).collect()
}

/// Those that say more than that nobody is there.
fn peers(generation: &GenerationV09, day0: Day0) -> Vec<PeerView> {
    let unused = [day0.uuid.unwrap_or(Uuid::NONE), Uuid::NONE];
    let told = (0..).zip(&generation.peers).filter(|(_, peer)| {
        let empty = peer.bitmap_index == -1 && peer.flags == PeerFlags(0);
        !(empty && unused.contains(&peer.bitmap_uuid))
    });
    told.map(|(node_id, peer)| PeerView {
        node_id,
        bitmap_slot: (peer.bitmap_index != -1).then_some(peer.bitmap_index),
        bitmap_uuid: peer.bitmap_uuid,
        bitmap_uuid_primary: primary(peer.bitmap_uuid),
        bitmap_dagtag: peer.bitmap_dagtag,
        flags: FlagsView::of(hex32(peer.flags.0), peer.flags.named()),
    })
    .collect()
}
