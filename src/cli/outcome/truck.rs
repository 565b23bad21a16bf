//! What helps where nothing is copied.

use crate::truck::TruckRefusal;

pub(super) const fn refusal(refusal: &TruckRefusal) -> Option<&'static str> {
    match refusal {
        TruckRefusal::External => Some(
            "copy the data disk as it is, and the metadata with `mdtool export IMAGE` and import",
        ),
        TruckRefusal::TooSmall { .. } => {
            Some("take a larger disk, or remove the file: a new one gets exactly the right size")
        }
        TruckRefusal::NotState => {
            Some("--state FILE names another file for it, which need not exist")
        }
        TruckRefusal::OtherDisk { .. } => Some(
            "find the disk that it began on; without --resume the copy begins afresh, after asking",
        ),
        TruckRefusal::NoCopy => Some("without --ranges and --changed a whole copy is made"),
        TruckRefusal::Gap { .. } => Some(
            "the sender was given the state of another target: fetch this target's, or send without --resume and --state",
        ),
        TruckRefusal::MixedGenerations { .. } => Some(
            "send them from the snapshot that the copy was made of; where that is gone, copy the whole level again",
        ),
        TruckRefusal::Generation { .. } => {
            Some("this delta is for another copy: a whole one is made without --changed")
        }
        TruckRefusal::LogDisabled => Some("make a whole copy, without --changed"),
        TruckRefusal::NoGeneration => Some(
            "new-current-uuid starts a generation: `mdtool plan IMAGE --departure` prints the order",
        ),
        TruckRefusal::Adopted => Some("make a whole copy, without --changed, and adopt that"),
        TruckRefusal::NoSlot { .. } => {
            Some("without --peer it is the only one; `mdtool show IMAGE` lists them")
        }
        TruckRefusal::Peer => Some("--peer NODE chooses one; `mdtool show IMAGE` lists them"),
        TruckRefusal::Live => Some(
            "copy from a snapshot that was made while the resource was down, or from the disk while it is down",
        ),
        _ => None,
    }
}
