//! What to do where two replicas do not connect because of their generations.

use std::io::{self, Write};

use super::PairView;
use super::words::{Names, counted};
use crate::cli::output::amounts::binary;
use crate::format::superblock::Uuid;
use crate::units::Bytes;
use crate::verdict::handshake::{Decision, Family, Note};

/// Whether no bitmap counts from a generation that both have; where both were made Primary by force, none is common to the data.
pub(super) fn is_uncounted(view: &PairView) -> bool {
    let mut notes = view.pair.notes.iter();
    notes.any(|note| matches!(note, Note::Uncounted { .. } | Note::ForcedBoth))
}

pub(super) fn print(view: &PairView, names: Names, out: &mut dyn Write) -> io::Result<()> {
    match view.pair.decision {
        Decision::SplitBrain => split_brain(view, names, out),
        Decision::Unrelated => unrelated(out),
        _ => Ok(()),
    }
}

/// The two ways out of a split brain, the one that loses less first.
fn split_brain(view: &PairView, names: Names, out: &mut dyn Write) -> io::Result<()> {
    let uncounted = is_uncounted(view);
    let [a, b] = &view.pair.sides;
    let mut victims = [(0, a), (1, b)];
    victims.sort_by_key(|(_, side)| side.bits.bits);
    writeln!(out, "\n  either choice loses what one side wrote; copy what is needed from there first")?;
    for (victim, side) in victims {
        let (lost, kept) = (names.side(victim), names.other(victim));
        let bytes = Bytes::new(side.bits.bits.saturating_mul(view.bytes_per_bit));
        let how_much = if uncounted {
            "how much is not known".to_owned()
        } else {
            format!("{}, {}", counted(side.bits), binary(bytes))
        };
        writeln!(out, "\n  {lost} is the victim, {kept} is kept: what {lost} wrote is lost ({how_much})")?;
        writeln!(out, "    on {lost}:  drbdadm disconnect RESOURCE")?;
        writeln!(out, "           drbdadm secondary RESOURCE")?;
        // What discard-my-data sends of such a pair on 8.4 is what happens to be marked.
        if uncounted && side.family == Family::V8 {
            writeln!(out, "           drbdadm invalidate RESOURCE    (so that everything is sent)")?;
            writeln!(out, "           drbdadm connect RESOURCE")?;
        } else {
            writeln!(out, "           drbdadm connect --discard-my-data RESOURCE")?;
        }
        writeln!(out, "    on {kept}:  drbdadm connect RESOURCE    (where it is StandAlone)")?;
    }
    if uncounted {
        writeln!(out, "\n  a full sync follows")?;
    }
    Ok(())
}

/// Nothing but a full sync makes one of the other.
fn unrelated(out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n  DRBD connects them only where one gives up its data, all of it; on that one:")?;
    writeln!(out, "    drbdadm down RESOURCE")?;
    writeln!(
        out,
        "    mdtool edit DISK --current-uuid 0x{:016X}    (as if it never had data; its undo file has the old one)",
        Uuid::JUST_CREATED.0
    )?;
    writeln!(out, "    drbdadm up RESOURCE    (everything is sent to it)")
}
