//! What to do next where surgery refuses: what would work.

use crate::surgery::adopt::{AdoptRefusal, Obstacle};
use crate::surgery::edit::ChangeRefusal;
use crate::surgery::place::PlaceRefusal;
use crate::surgery::relocate::RelocateRefusal;
use crate::survey::occupants::OccupantKind;

pub(super) fn adopt(refusal: &AdoptRefusal) -> &'static str {
    match refusal {
        AdoptRefusal::NodeId { .. } => {
            "--node-id N, as the target's drbd.conf has it; a disk that never left its node is for `mdtool relocate IMAGE`: DRBD 9 does not attach metadata of another node, and the slot that tracked the target must track the source"
        }
        AdoptRefusal::Obstacle(Obstacle::Occupied {
            kind: OccupantKind::Lvm,
            ..
        }) => {
            "`mdtool locate IMAGE` lists who lives on which resource: --level adopts that one; `pvs` shows whether a volume group uses the physical volume: where none does, pvremove takes its label away"
        }
        AdoptRefusal::Obstacle(Obstacle::Occupied { .. }) => {
            "`mdtool locate IMAGE` lists who lives on which resource: --level adopts that one; wipefs removes the traces of what is no longer used"
        }
        AdoptRefusal::Obstacle(_) | AdoptRefusal::BlockDevice | AdoptRefusal::NotTheEnd { .. } => {
            "`mdtool plan IMAGE` lists the ways there are, with the numbers"
        }
        AdoptRefusal::MetaSize { .. } => {
            "a new file gets the right size by itself; `mdtool plan IMAGE` shows the numbers"
        }
    }
}

/// What would work in the place of a change that is refused.
pub(super) const fn change(refusal: &ChangeRefusal) -> &'static str {
    match refusal {
        ChangeRefusal::OnlyV09 { .. } => {
            "`--format v09 --node-id N --peer P --max-peers M` in the same call makes it v09"
        }
        ChangeRefusal::V07 => {
            "`mdtool export IMAGE` and `mdtool import` move it as it is; DRBD 8's own tools make v08 of it, which can be edited"
        }
        ChangeRefusal::Geometry(_) => {
            "docs/edit.md has the limits; `mdtool fit DISK` shows what a disk has room for"
        }
        ChangeRefusal::NoRoom { .. } => {
            "make the disk larger by what is missing and move the metadata to its new end first, as `mdtool relocate IMAGE` does, or take the metadata out with -o and put it on a meta device that is large enough"
        }
        ChangeRefusal::Unclean => "`mdtool apply-al IMAGE` comes first",
        ChangeRefusal::Inconsistent => {
            "let it be synced first; `mdtool edit IMAGE --flag +CONSISTENT` before says that the data is good all the same"
        }
        ChangeRefusal::NoGeneration { .. } => {
            "without --sync-source the bits are set all the same; `mdtool edit IMAGE --current-uuid new` gives the data a generation"
        }
        ChangeRefusal::SlotInUse { .. } => {
            "--forget that node in the same call, or keep as many slots as it needs"
        }
        ChangeRefusal::NoFreeSlot { .. } => {
            "--max-peers N adds slots, --forget NODE frees one, --new-slots all needs none to be free"
        }
        ChangeRefusal::SlotTaken { .. } => {
            "without =SLOT it gets the lowest free one; --forget frees that node's"
        }
        ChangeRefusal::NoSuchSlot { .. } => "--max-peers N in the same call adds slots",
        ChangeRefusal::HasSlot { .. } => {
            "nothing has to be done; --forget it first to give it another"
        }
        ChangeRefusal::HasNoSlot { .. } => {
            "`mdtool show IMAGE` lists the peers and their slots; --assign NODE gives it one"
        }
        ChangeRefusal::OwnNode { .. } => {
            "--node-id N makes it another node's metadata; name a peer here"
        }
        ChangeRefusal::BitsLost { size: true, .. } => {
            "with a size the bits stay; --force forgets them, and the peer is never sent what they mark"
        }
        ChangeRefusal::BitsLost { .. } => {
            "without --clear-bitmap the bits stay; --force forgets them, and the peer is never sent what they mark"
        }
        ChangeRefusal::OtherSlots { .. } => {
            "--merge-slots adds their bits to the slot that is kept"
        }
        ChangeRefusal::NoSuchFlag { .. } => {
            "what v08 says of its one peer is said of each in v09: --peer-flag NODE:±NAME"
        }
        ChangeRefusal::History { .. } => "leave out the oldest ones, which come last",
        ChangeRefusal::WhichPeer => "--bitmap-uuid NODE:UUID; `mdtool show IMAGE` lists the peers",
        ChangeRefusal::SameFormat { .. } => "leave out --format",
        ChangeRefusal::OwnSlot { .. } => {
            "`mdtool edit IMAGE --forget NODE` in a call of its own frees that node's slot"
        }
    }
}

pub(super) const fn relocate(refusal: &RelocateRefusal) -> &'static str {
    match refusal {
        RelocateRefusal::NoSize => {
            "`mdtool edit IMAGE --la-size SIZE` sets the size, where it is known; attached and connected once, DRBD sets it itself"
        }
        RelocateRefusal::BitsWithoutSize { .. } => {
            "`mdtool edit IMAGE --la-size SIZE` sets the size, where it is known: without one kernels take these bits or not, by their version"
        }
        RelocateRefusal::Unaligned { .. } => {
            "give a size in sectors (`8s` is 4096 bytes), or one that ends in KiB, MiB or GiB"
        }
        RelocateRefusal::Larger { .. } => {
            "make the disk larger first: without --for-size the metadata then goes to its new end"
        }
        RelocateRefusal::NotInternal { .. } => {
            "nothing has to be done before the disk is cut, as long as la-size fits; --data DISK makes the metadata internal"
        }
        RelocateRefusal::V07 => {
            "`mdtool export IMAGE` and `mdtool import --index` move it as a dump"
        }
        RelocateRefusal::LaSize { .. } => {
            "take a larger disk, or leave the metadata on a meta device: `mdtool fit DISK` shows what a disk has room for"
        }
        RelocateRefusal::ForeignDisk { .. } => {
            "--data names the disk whose data the metadata is about; where it is this one, `mdtool show DISK` shows what its own metadata says, and `mdtool wipe DISK` takes that away"
        }
        RelocateRefusal::Shared { .. } => {
            "--meta FILE names another meta device; `mdtool wipe FILE --index indexed:N` takes metadata away that nobody needs"
        }
    }
}

pub(super) const fn place(refusal: &PlaceRefusal) -> Option<&'static str> {
    match refusal {
        PlaceRefusal::LaSize { .. } => Some(
            "take a larger disk, or a meta device that is large enough; --clip makes the DRBD device smaller, which cuts off the end of what is on it",
        ),
        PlaceRefusal::Occupied {
            kind: OccupantKind::Lvm,
            ..
        } => Some(
            "pvresize makes it smaller, or take a larger disk or external metadata; `pvs` shows whether a volume group uses it: where none does, pvremove takes its label away",
        ),
        PlaceRefusal::Occupied { .. } => Some(
            "shrink it first, take a larger disk or external metadata; wipefs removes the traces of what is no longer used",
        ),
        PlaceRefusal::Disk { .. } => Some(
            "name another meta device, or a file that is not there yet; `mdtool wipe FILE` takes metadata away that nobody needs",
        ),
        PlaceRefusal::Shared { .. } => Some(
            "name another meta device, or a file that is not there yet; `mdtool wipe FILE --index indexed:N` takes metadata away that nobody needs",
        ),
        PlaceRefusal::OwnSlot { .. } => {
            Some("--node-id takes the target's node id; the one in the metadata is its source's")
        }
        PlaceRefusal::NoNodeIds { .. } => Some("leave out --node-id"),
        PlaceRefusal::NoFlags { .. } => Some("leave out --flags"),
        PlaceRefusal::Layout(_) => Some("`mdtool fit DISK` shows what a disk has room for"),
        PlaceRefusal::Geometry => None,
    }
}
