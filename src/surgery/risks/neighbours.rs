//! Other resources that use the device: their data and their slots are not overwritten, whoever says yes.

use crate::error::Result;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::{Generation, Header};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{Format, Superblock, Uuid};
use crate::image::Window;
use crate::surgery::place::PlaceRefusal;
use crate::transaction::is_attachable;
use crate::units::{DevPos, Sectors};

/// Refuses external metadata that would overwrite the data of a disk with metadata of its own, or slots of a meta device that is shared.
pub(super) fn refuse(device: Window<'_>, layout: &MdLayout) -> Result<()> {
    // Internal metadata takes the place of what is at the disk's end.
    if layout.index.is_internal() {
        return Ok(());
    }
    refuse_data(device, layout)?;
    if layout.index == MdIndex::FlexExternal {
        refuse_slots(device, layout)?;
    }
    Ok(())
}

/// Refuses to overwrite what is data of another DRBD device.
fn refuse_data(device: Window<'_>, layout: &MdLayout) -> Result<()> {
    let first = layout.whole.start;
    for index in [MdIndex::FlexInternal, MdIndex::Internal] {
        let Some((superblock, own)) = live(device, index)? else {
            continue;
        };
        let size = superblock.la_size().min(own.usable);
        // No size was ever agreed on: there is no data yet.
        let end = size.to_bytes().map_or(own.whole.start, DevPos::at);
        if end > first {
            return Err(PlaceRefusal::Disk {
                format: superblock.format(),
                at: own.md,
                end,
                first,
            }
            .into());
        }
    }
    Ok(())
}

/// Refuses to overwrite the slots of others; what lies where slot 0 begins is asked about.
fn refuse_slots(device: Window<'_>, layout: &MdLayout) -> Result<()> {
    let flexible = live(device, MdIndex::FlexExternal)?.is_some();
    if flexible && live(device, MdIndex::Indexed(0))?.is_none() {
        // All of the device is one resource's already, and what looks like a slot is old.
        return Ok(());
    }
    for slot in 1..=u8::MAX {
        let index = MdIndex::Indexed(slot);
        let Some(at) = index.superblock_pos(device.size()) else {
            break;
        };
        if at < layout.whole.end && live(device, index)?.is_some() {
            return Err(PlaceRefusal::Shared { at }.into());
        }
    }
    Ok(())
}

/// The metadata that DRBD would attach by this rule.
fn live(device: Window<'_>, index: MdIndex) -> Result<Option<(Superblock, MdLayout)>> {
    let Some(at) = index.superblock_pos(device.size()) else {
        return Ok(None);
    };
    let mut block = [0; SUPERBLOCK_LEN];
    device.read_exact_at(at, &mut block)?;
    if !is_attachable(&block) {
        return Ok(None);
    }
    let superblock = Superblock::decode(&block);
    Ok(superblock.and_then(|superblock| {
        let layout = MdLayout::of(&superblock, index, device.size()).ok()?;
        // v07's fixed place is no other format's: there it may as well be a slot of a meta device.
        let looked_for = index != MdIndex::Internal || superblock.format() == Format::V07;
        looked_for.then_some((superblock, layout))
    }))
}

/// Where the disk has internal metadata that is no former state of `header`'s: another resource's disk, or another node's.
pub(in crate::surgery) fn foreign(device: Window<'_>, header: &Header) -> Result<Option<DevPos>> {
    for index in [MdIndex::FlexInternal, MdIndex::Internal] {
        if let Some((superblock, layout)) = live(device, index)?
            && !is_former(&superblock, header)
        {
            return Ok(Some(layout.md));
        }
    }
    Ok(None)
}

/// Whether it is what the same metadata was before: of the same device, of its size, with a generation that it knows.
fn is_former(old: &Superblock, header: &Header) -> bool {
    let device = |header: &Header| match &header.generation {
        Generation::V07(_) => None,
        Generation::V08(generation) => Some(generation.device_uuid),
        Generation::V09(generation) => Some(generation.device_uuid),
    };
    let of = Header::of(old);
    let uuid = device(&of).filter(|uuid| *uuid != Uuid::NONE);
    uuid.is_some()
        && uuid == device(header)
        && sizes_agree(of.la_size, header.la_size)
        && knows(header, old.current_uuid())
}

/// Whether these are the sizes of one device: none was agreed on at first.
fn sizes_agree(old: Sectors, new: Sectors) -> bool {
    old == Sectors::ZERO || old == new
}

/// Whether it is this generation, or one that it came from.
fn knows(header: &Header, uuid: Option<Uuid>) -> bool {
    let Some(uuid) = uuid else {
        return false;
    };
    let known = |other: Uuid| other.same_generation(uuid);
    !uuid.names_a_generation()
        || match &header.generation {
            Generation::V07(_) => false,
            Generation::V08(generation) => generation.uuids.into_iter().any(known),
            Generation::V09(generation) => {
                let peers = generation.peers.iter().map(|peer| peer.bitmap_uuid);
                let history = generation.history_uuids.iter().copied();
                let current = std::iter::once(generation.current_uuid);
                current.chain(peers).chain(history).any(known)
            }
        }
}
