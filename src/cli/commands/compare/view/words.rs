//! The sentences of compare; docs/compare.md lists the codes.

mod rules;

use serde::Serialize;

use crate::cli::output::human::binary;
use crate::units::{Bytes, Sectors};
use crate::verdict::handshake::{Loss, Note, Obstacle, Pair, Step};
pub(super) use rules::meaning;

/// A sentence with a code for programs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Sentence {
    pub(super) code: &'static str,
    pub(super) text: String,
}

/// The replicas of a pair, as they are called.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) a: usize,
    pub(super) b: usize,
}

/// A replica's letter, or its number where there are no letters left.
pub(super) fn letter(place: usize) -> String {
    let letter = ('a'..='z').nth(place);
    letter.map_or_else(|| format!("#{place}"), String::from)
}

impl Names {
    pub(super) fn side(self, side: usize) -> String {
        letter(if side == 0 { self.a } else { self.b })
    }

    pub(super) fn other(self, side: usize) -> String {
        letter(if side == 0 { self.b } else { self.a })
    }
}

fn say(code: &'static str, text: String) -> Sentence {
    Sentence { code, text }
}

/// Sectors, and how many bytes that is.
pub(super) fn sectors(size: Sectors) -> String {
    let bytes = size.to_bytes().map(|bytes| format!(" ({})", binary(bytes)));
    format!("{size}{}", bytes.unwrap_or_default())
}

fn difference(more: Sectors, less: Sectors) -> String {
    more.checked_sub(less).map_or_else(String::new, sectors)
}

/// What stands in the way.
pub(super) fn obstacle(why: &Obstacle, names: Names) -> Sentence {
    match why {
        Obstacle::OldFormat { side } => say(
            "old-format",
            format!("{} is v07, which no kernel since DRBD 8 attaches: it has to be converted first", names.side(*side)),
        ),
        Obstacle::Formats => say(
            "formats",
            "one is v08 and the other v09: a resource has one format; convert the older one first".to_owned(),
        ),
        Obstacle::NotRead { kernel, format, .. } => say(
            "kernel",
            format!("DRBD {} does not read {format}", kernel.name()),
        ),
        Obstacle::SameNodeId { id } => say(
            "node-ids",
            format!("both say that they are node {id}: the metadata of one has to become that of another node"),
        ),
        Obstacle::NoSlot { side, slots } => say(
            "slots",
            format!(
                "{} has no bitmap slot for {}, and none of its {slots} is free: attach is refused (162)",
                names.side(*side),
                names.other(*side)
            ),
        ),
        Obstacle::TooSmall { side, agreed, current, configured } => {
            say("sizes", too_small(names, *side, (*agreed, *current), *configured))
        }
        Obstacle::Settings { name } => say(
            "settings",
            format!("{name} has to fit on both sides: the kernel drops the connection with \"incompatible {name} settings\""),
        ),
        Obstacle::DiscardAsPrimary { side } => say(
            "discard-as-primary",
            format!("{} is Primary, and DRBD refuses discard-my-data there (123): make it Secondary first", names.side(*side)),
        ),
        Obstacle::TwoPrimaries => say(
            "two-primaries",
            "both are Primary, and allow-two-primaries is not set".to_owned(),
        ),
        Obstacle::InconsistentSource { side } => say(
            "inconsistent-source",
            format!("{} would have to send, and is Inconsistent", names.side(*side)),
        ),
        Obstacle::PrimaryTarget { side } => say(
            "primary-target",
            format!("{} would be overwritten, and is Primary (rr-conflict)", names.side(*side)),
        ),
    }
}

/// Who is too small for the side that would have to shrink.
fn too_small(names: Names, side: usize, (agreed, current): (Sectors, Sectors), configured: bool) -> String {
    let (agreed_on, now) = (sectors(agreed), sectors(current));
    let missing = difference(current, agreed);
    let (large, small) = (names.side(side), names.other(side));
    if configured {
        format!("the configured size, {agreed_on}, is too small for {large}, which has {now} now and does not shrink on connecting: {missing} are missing")
    } else {
        format!("{small} is too small for {large}: they would agree on {agreed_on}, and {large} has {now} now and does not shrink; {missing} are missing")
    }
}

/// What is lost.
pub(super) fn loss(loss: &Loss, names: Names) -> Sentence {
    match loss {
        Loss::Unsent { side, bits, kept: false } => say(
            "bits-dropped",
            format!(
                "equal generations, {bits} bits set on {}: DRBD 9 clears them unsent, and what they mark is not synced",
                names.side(*side)
            ),
        ),
        Loss::Unsent { side, bits, .. } => say(
            "bits-unsent",
            format!(
                "equal generations, {bits} bits set on {}: DRBD 8.4 keeps them, and does not sync them",
                names.side(*side)
            ),
        ),
        Loss::Discarded { side, bits: 0 } => say(
            "writes-discarded",
            format!("{} is overwritten; no writes of its own are marked", names.side(*side)),
        ),
        Loss::Discarded { side, bits } => say(
            "writes-discarded",
            format!("the writes of {} since the two parted are discarded: {bits} bits", names.side(*side)),
        ),
        Loss::LastBits { side, bits } => say(
            "last-bits",
            format!(
                "DRBD 8.4 drops the last 64 bits of {} at attach, because its size is a multiple of 512 sectors: {bits} of them are set, and are not synced",
                names.side(*side)
            ),
        ),
    }
}

/// What else is worth knowing.
pub(super) fn note(note: &Note, names: Names) -> Sentence {
    of_metadata(note, names)
        .or_else(|| of_sizes(note, names))
        .unwrap_or_else(|| of_decision(note, names))
}

fn of_metadata(note: &Note, names: Names) -> Option<Sentence> {
    Some(match note {
        Note::Unclean { side } => say(
            "unclean",
            format!("{} is unclean: apply-al has to run before it is attached, as drbdadm does", names.side(*side)),
        ),
        Note::LogMissing { side } => say(
            "log-missing",
            format!("the activity log of {} is not here: what it names is synced as well, and is not counted", names.side(*side)),
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
        Note::NeverSized { side } => say(
            "never-sized",
            format!("{} never had a size: la-size is 0", names.side(*side)),
        ),
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
            format!("how large the disk of {} is cannot be told here; its last size is taken", names.side(*side)),
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
        Note::FullSync { avoidable: true } => say(
            "full-sync",
            "everything is sent: the target's generation is known, and no bitmap counts from it".to_owned(),
        ),
        Note::FullSync { .. } => say(
            "initial-sync",
            "everything is sent: the target never had data".to_owned(),
        ),
        Note::Hangs { side } => say(
            "hangs",
            format!(
                "{} sends though it is Inconsistent: {} becomes Inconsistent too, and both stay in PausedSync",
                names.side(*side),
                names.other(*side)
            ),
        ),
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

/// What had a say besides the generations.
pub(super) fn steps(pair: &Pair, names: Names) -> Vec<Sentence> {
    pair.steps.iter().map(|step| self::step(*step, pair, names)).collect()
}

fn step(step: Step, pair: &Pair, names: Names) -> Sentence {
    let [a, b] = &pair.sides;
    let source = if pair.decision.is_source() { names.side(0) } else { names.side(1) };
    match step {
        Step::DiskStates => say(
            "disk-states",
            format!("the disk states decide: {} is {}, {} is {}", names.side(0), a.disk, names.side(1), b.disk),
        ),
        Step::Quorum => say("quorum", format!("{source} has quorum and the other has not: that decides the split brain")),
        Step::Policy => say("policy", format!("a policy for split brain decides: {source} sends")),
        Step::Discarded => say("discard-my-data", format!("discard-my-data decides the split brain: {source} sends")),
        Step::Reversed => say("reversed", format!("discard-my-data turns the resync around: {source} sends, and older data comes back")),
        Step::NotReversed => say("not-reversed", "discard-my-data is ignored: this resync cannot be turned around".to_owned()),
        Step::GivesUpPrimary => {
            let target = if pair.decision.is_source() { names.side(1) } else { names.side(0) };
            say("gives-up-primary", format!("call-pri-lost-after-sb: {target} gives up being Primary first; where it is in use it cannot, a handler is called, and they do not connect"))
        }
        Step::PrimarySends => say("primary-sends", "only crash flags differ, and who is Primary now sends".to_owned()),
        Step::Violent => say("violently", "rr-conflict violently: a Primary is overwritten while it is in use".to_owned()),
        Step::AutoDiscarded => say("auto-discard", format!("rr-conflict auto-discard: {source} sends, and the crashed Primary is discarded")),
        Step::Skipped => say("skipped", "a resync whose end was missed is not repeated, since what would send is not UpToDate".to_owned()),
    }
}

#[cfg(test)]
mod tests;
