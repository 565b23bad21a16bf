//! What else is worth knowing, in words.

use super::{Names, Sentence, say, sectors};
use crate::cli::output::amounts::binary;
use crate::units::Bytes;
use crate::verdict::handshake::{Family, NeverSized, Note, WhyFull, Whole};

/// What else is worth knowing.
pub(in super::super) fn note(note: &Note, names: Names) -> Sentence {
    of_metadata(note, names)
        .or_else(|| of_sizes(note, names))
        .unwrap_or_else(|| of_decision(note, names))
}

fn of_metadata(note: &Note, names: Names) -> Option<Sentence> {
    Some(match note {
        Note::Formats => say(
            "formats",
            "one is v08 and the other v09: they speak 8.4's protocol, and each follows its own rules; no such connection was recorded to hold this against".to_owned(),
        ),
        Note::Unclean { side } => say(
            "unclean",
            format!("{} is unclean: apply-al has to run before it is attached, as drbdadm does", names.side(*side)),
        ),
        Note::FlagsNotInDump { side, assumed } => say("flags-not-in-dump", flags_not_in_dump(&names.side(*side), *assumed)),
        Note::LogMissing { side } => say(
            "log-missing",
            format!("the activity log of {} is not here: what it names is out of sync as well, and is not counted", names.side(*side)),
        ),
        Note::Clone { uuid } => say(
            "clone",
            format!("both have the device UUID {uuid}: one is a copy of the other"),
        ),
        Note::UnknownPeer { side, id, slot } => say(
            "unknown-peer",
            format!("{} has no slot for node {id} yet: slot {slot} is free, and is given to it at attach", names.side(*side)),
        ),
        Note::Granularity { bytes } => say(
            "granularity",
            format!(
                "a bit stands for {} on {} and for {} on {}: only DRBD 9.3 connects them, and counts by the coarser",
                binary(Bytes::new(u64::from(bytes[0]))),
                names.side(0),
                binary(Bytes::new(u64::from(bytes[1]))),
                names.side(1)
            ),
        ),
        Note::QuorumAssumed { side } => say(
            "quorum-assumed",
            format!("{} lost quorum while it was Primary, and is taken to have a quorum policy; --quorum off if it has none", names.side(*side)),
        ),
        Note::NotPromoted { side, disk } => say(
            "not-promoted",
            format!("{} is {disk}: it is not promoted, and is taken for Secondary", names.side(*side)),
        ),
        Note::NewGeneration { side } => say(
            "new-generation",
            format!("promoting {} starts a new generation, since it has no bitmap UUID", names.side(*side)),
        ),
        _ => return None,
    })
}

fn of_sizes(note: &Note, names: Names) -> Option<Sentence> {
    Some(match note {
        Note::NeverSized { side, bitmap } => say("never-sized", never_sized(&names.side(*side), *bitmap)),
        Note::NoBitmap { side, read } => say("no-bitmap", no_bitmap(&names.side(*side), *read)),
        Note::MayGrow { side, from, to } => say(
            "may-grow",
            format!(
                "{} has no peer that it knows to have had a disk (MDF_PEER_DEVICE_SEEN), so that DRBD 9 grows it from {} to {} at attach",
                names.side(*side),
                sectors(*from),
                sectors(*to)
            ),
        ),
        Note::SizeNotKnown { side } => say(
            "size-not-known",
            format!("how large the disk of {} is is not known here; its last size is used", names.side(*side)),
        ),
        Note::Grows { side, from, to } => say(
            "grows",
            format!("{} grows from {} to {}", names.side(*side), sectors(*from), sectors(*to)),
        ),
        _ => return None,
    })
}

fn of_decision(note: &Note, names: Names) -> Sentence {
    match note {
        Note::FullSync { why } => full_sync(*why, names),
        Note::Uncounted { family: Family::V8 } => say(
            "uncounted",
            "no bitmap counts from a generation that both have: what either wrote since is not known, and with discard-my-data DRBD 8.4 sends only what is marked, so that all else stays different, unnoticed".to_owned(),
        ),
        Note::Uncounted { .. } => say(
            "uncounted",
            "no bitmap counts from a generation that both have: what either wrote since is not known, and with discard-my-data DRBD 9 sends everything".to_owned(),
        ),
        Note::Hangs { side, turns } => say("hangs", hangs(&names.side(*side), &names.other(*side), *turns)),
        Note::ForcedBoth => say(
            "forced-both",
            "the common generation is 4, JUST_CREATED: both were made Primary by force, and their data may have nothing in common; discard-my-data or a policy would sync it by bitmap all the same".to_owned(),
        ),
        Note::EmptyHistory => say(
            "empty-history",
            "all that the histories have in common are empty entries: this may be unrelated data, which DRBD 8.4 takes for a split brain".to_owned(),
        ),
        Note::NotMirrored => say(
            "not-mirrored",
            "the two sides decide differently: the connection does not settle".to_owned(),
        ),
        Note::CrashDecides { side } => say(
            "crash-decides",
            format!(
                "the generations are equal, and {} crashed as Primary: that alone decides; a copy of a disk that was in use looks the same",
                names.side(*side)
            ),
        ),
        other => say("other", format!("{other:?}")),
    }
}

fn full_sync(why: WhyFull, names: Names) -> Sentence {
    let (code, why) = match why {
        WhyFull::Fresh { side } => ("initial-sync", format!("{} never had data", names.side(side))),
        WhyFull::History => (
            "full-sync",
            "the target's generation is known, and no bitmap counts from it".to_owned(),
        ),
        WhyFull::Ambiguous => (
            "full-sync",
            "the two have at most a past generation in common, and no bitmap counts from it".to_owned(),
        ),
        WhyFull::NoSlot => (
            "full-sync",
            "the slot that counts from the target's generation belongs to a node that is gone, and none keeps its bits".to_owned(),
        ),
        WhyFull::Marked { side, why: Whole::NeverSized } => (
            "full-sync",
            format!("la-size of {} is 0, so that its bitmap is not used; were it known, a partial resync would do", names.side(side)),
        ),
        WhyFull::Marked { side, why: Whole::Flag } => (
            "marked-whole",
            format!("a flag of {} marks everything out of sync", names.side(side)),
        ),
        WhyFull::Marked { side, why: Whole::CrashedWithoutLog } => (
            "marked-whole",
            format!("{} crashed while it was Primary and kept no log", names.side(side)),
        ),
    };
    say(code, format!("everything is sent: {why}"))
}

fn flags_not_in_dump(whose: &str, assumed: bool) -> String {
    let what = format!("the dump of {whose} says flags 0, as drbd-utils from 2012 to 9.32 print them whatever the disk says");
    if assumed {
        format!("{what}: disk state and crash flags are not in it, and {whose} is taken to be UpToDate and not to have crashed; the disk itself, or a dump of mdtool or of newer drbd-utils, shows it")
    } else {
        format!("{what}; an unclean one may say so truly, and {whose} is taken to be Inconsistent; the disk itself, or a dump of mdtool or of newer drbd-utils, shows it")
    }
}

fn hangs(source: &str, target: &str, turns: bool) -> String {
    let what = format!("{source} sends though it is Inconsistent: {target} becomes Inconsistent too, and both stay in PausedSync");
    if turns {
        format!("{what}; make {source} the target instead: `drbdadm connect --discard-my-data RESOURCE` on {source}, before {target} connects")
    } else {
        format!("{what}; do not connect them: whoever is consistent has to send to {source} first")
    }
}

fn never_sized(whose: &str, bitmap: NeverSized) -> String {
    let what = match bitmap {
        NeverSized::AllSet8 => "DRBD 8.4 marks everything out of sync at attach, whatever its bitmap says",
        NeverSized::AllSet9 => {
            "DRBD 9.2.18, 9.3.2 and later mark everything out of sync at attach; earlier ones read its bitmap"
        }
        NeverSized::Dropped => {
            "DRBD 9.2.18, 9.3.2 and later do not read its bitmap, and begin with no bit set, or with all where discard-zeroes-if-aligned is off; earlier ones read it"
        }
        NeverSized::Read => {
            "DRBD 9.0 and 9.1 read its bitmap all the same; 9.2.18, 9.3.2 and later do not"
        }
    };
    format!("{whose} never had a size, la-size is 0: {what}")
}

fn no_bitmap(whose: &str, read: bool) -> String {
    let what = if read {
        "what is marked on its disk is synced as well, and is not counted"
    } else {
        "what is marked on its disk is not known, and is not read at attach; compare the disk itself"
    };
    format!("{whose} is a dump without a bitmap, since la-size is 0: {what}")
}
