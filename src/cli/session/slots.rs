//! Which bitmap slots are meant, and what is out of sync in them.

use std::ops::Range;

use anyhow::Context;
use clap::Args;

use crate::cli::commands::bitmap::node_of;
use crate::cli::session::select::Chosen;
use crate::format::bitmap::{SetRuns, Union};
use crate::format::layout::MdGeometry;
use crate::format::metadata::{Bitmap, Generation, Header};
use crate::surgery::apply_al::{Applied, Marking};
use crate::survey::bitmap::OnDiskBitmap;
use crate::survey::locate::Level;
use crate::survey::log::LogState;
use crate::units::{BitmapIndex, BmBit, Bytes, DevPos, Sectors};

/// Which slots, where that can be said.
#[derive(Args, Clone, Copy, Debug, Default)]
pub(crate) struct SlotArgs {
    /// This slot only
    #[arg(long, value_name = "N", conflicts_with = "peer")]
    pub(crate) slot: Option<u8>,
    /// The slot of the peer with this node id only
    #[arg(long, value_name = "NODE")]
    pub(crate) peer: Option<u8>,
}

/// What is said of what is out of sync where la-size is 0: no bit stands for anything.
pub(crate) const NEVER_SIZED: &str = "not known: no size was ever agreed on";

/// The slots meant: the one named, else every one with a peer; where no peer has one, all.
pub(crate) fn meant(args: SlotArgs, header: &Header) -> anyhow::Result<Vec<BitmapIndex>> {
    if let Some(slot) = args.slot {
        let count = header.geometry.max_peers;
        anyhow::ensure!(
            u32::from(slot) < count,
            "--slot: there is no slot {slot}, expected 0 to {}",
            count.saturating_sub(1)
        );
        return Ok(vec![BitmapIndex::new(slot)]);
    }
    if let Some(peer) = args.peer {
        let slot = slot_of(peer, header)
            .with_context(|| format!("--peer: no slot is assigned to node {peer}"))?;
        return Ok(vec![slot]);
    }
    let assigned = header.assigned_slots();
    if assigned.is_empty() {
        return Ok(header.geometry.slots().collect());
    }
    Ok(assigned)
}

/// The slots to be changed: the one named, all of them, or the only one with a peer.
///
/// Slots without a peer keep track for peers to come: they are cleared only where they are named.
pub(crate) fn to_change(
    args: SlotArgs,
    all: bool,
    clear: bool,
    header: &Header,
) -> anyhow::Result<Vec<BitmapIndex>> {
    if args.slot.is_some() || args.peer.is_some() {
        return meant(args, header);
    }
    let assigned = header.assigned_slots();
    if all && !clear {
        return Ok(header.geometry.slots().collect());
    }
    anyhow::ensure!(
        !assigned.is_empty(),
        "no slot is assigned to a peer: they keep track for peers to come; --slot N names one"
    );
    if all || assigned.len() == 1 {
        return Ok(assigned);
    }
    let slots = assigned.iter().map(|slot| {
        let node = node_of(*slot, header);
        let node = node.map_or(String::new(), |node| format!(" (node {node})"));
        format!("{}{node}", slot.get())
    });
    anyhow::bail!(
        "which slot? These are assigned: {}; expected --slot N, --peer NODE or --all-slots",
        slots.collect::<Vec<_>>().join(", ")
    )
}

/// The slot of a peer.
fn slot_of(peer: u8, header: &Header) -> Option<BitmapIndex> {
    let Generation::V09(generation) = &header.generation else {
        return None;
    };
    let slot = generation.peers.get(usize::from(peer))?.bitmap_index;
    let slot = u8::try_from(slot).ok()?;
    (u32::from(slot) < header.geometry.max_peers).then_some(BitmapIndex::new(slot))
}

/// The bits that a level's activity log stands for.
pub(crate) fn log_marking(chosen: &Chosen) -> crate::error::Result<Marking> {
    let (opened, level) = (&chosen.opened, chosen.level());
    let state = LogState::read(opened.window(), level, &mut |_| {})?;
    let extents = state.extents(opened.image_pos(level.layout.md))?;
    Ok(Marking::of(extents, &level.layout.geometry))
}

/// What bits stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scale {
    /// Bits that count.
    pub(crate) bits: u64,
    pub(crate) per_bit: Bytes,
    /// The size of the DRBD device.
    pub(crate) device: Bytes,
}

impl Scale {
    /// Of a level on disk.
    pub(crate) fn of_level(level: &Level) -> Self {
        let size = level.superblock.la_size().min(level.layout.usable);
        Self::new(&level.layout.geometry, size)
    }

    /// Of a bitmap of this geometry for a device of that size.
    pub(crate) fn new(geometry: &MdGeometry, size: Sectors) -> Self {
        Self {
            bits: geometry.bits(size).unwrap_or(0),
            per_bit: Bytes::new(u64::from(geometry.bytes_per_bit)),
            device: size.to_bytes().unwrap_or(Bytes::ZERO),
        }
    }

    /// The same, where there is a size that was agreed on.
    pub(crate) fn known(&self) -> Option<&Self> {
        (self.device != Bytes::ZERO).then_some(self)
    }

    /// Where a run of bits lies on the DRBD device: the last bit may stand for less than the others.
    pub(crate) fn range(&self, run: &Range<BmBit>) -> Range<DevPos> {
        let at = |bit: BmBit| {
            let at = self.per_bit.checked_mul(bit.get());
            at.unwrap_or(self.device).min(self.device)
        };
        DevPos::at(at(run.start))..DevPos::at(at(run.end))
    }
}

/// Shows what is out of sync in any of these slots to `visit`, in order.
pub(crate) fn each_out_of_sync(
    chosen: &Chosen,
    slots: &[BitmapIndex],
    marking: &Marking,
    visit: &mut dyn FnMut(Range<DevPos>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let level = chosen.level();
    if level.superblock.la_size() == Sectors::ZERO {
        return Ok(());
    }
    let bitmap = level.bitmap(chosen.opened.window());
    let mut applied: Vec<(BitmapIndex, Applied<'_, OnDiskBitmap<'_>>)> = slots
        .iter()
        .map(|slot| (*slot, Applied::new(bitmap, marking)))
        .collect();
    let scale = Scale::of_level(level);
    let words = applied
        .iter_mut()
        .map(|(slot, bitmap)| bitmap.slot(*slot))
        .collect::<crate::error::Result<Vec<_>>>()?;
    let mut runs = SetRuns::new(Box::new(Union::of(words)), scale.bits);
    while let Some(run) = runs.next_run()? {
        visit(scale.range(&run))?;
    }
    Ok(())
}
