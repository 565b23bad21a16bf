//! The sentences of compare; docs/compare.md lists the codes.

mod notes;
mod rules;

use serde::Serialize;

use crate::cli::output::amounts::binary;
use crate::terms::Format;
use crate::units::Sectors;
use crate::verdict::check::AttachRefusal;
use crate::verdict::handshake::{Counted, Loss, Obstacle, Pair, Step};
pub(super) use notes::note;
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
        Obstacle::BytesPerBit { side, format: Format::V09, bytes } => say(
            "granularity",
            format!("a bit stands for {bytes} bytes on {}: before 9.3 DRBD knows 4096 only, and refuses the attach (119)", names.side(*side)),
        ),
        Obstacle::BytesPerBit { side, format, bytes } => say(
            "granularity",
            format!("a bit stands for {bytes} bytes on {}: of {format} DRBD knows 4096 only, and refuses the attach (119)", names.side(*side)),
        ),
        Obstacle::NotRead { side, kernel, format } => say(
            "kernel",
            format!("{} is {format}, which DRBD {} does not read", names.side(*side), kernel.name()),
        ),
        Obstacle::Attach { side, refusal } => say("attach", not_attached(&names.side(*side), refusal)),
        Obstacle::SameNodeId { id } => say(
            "node-ids",
            format!("both say that they are node {id}: the metadata of one has to become that of another node, `mdtool edit --node-id N`"),
        ),
        Obstacle::NoSlot { side, slots } => say(
            "slots",
            format!(
                "{} has no bitmap slot for {}, and none of its {slots} is free: attach is refused (162); `mdtool edit --max-peers N` makes more, --forget NODE frees one",
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
            format!("{} would be overwritten, and is Primary (rr-conflict): make it Secondary first", names.side(*side)),
        ),
    }
}

fn not_attached(whose: &str, refusal: &AttachRefusal) -> String {
    let AttachRefusal { kernel, rule, title, code } = refusal;
    format!("DRBD {} does not attach {whose}: {title} ({rule}), {code}; `mdtool check` says what to do", kernel.name())
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

/// How many bits, in words.
pub(super) fn bits(count: u64) -> String {
    format!("{count} {}", if count == 1 { "bit" } else { "bits" })
}

/// How many were counted, in words.
pub(super) fn counted(found: Counted) -> String {
    match found {
        Counted { bits: 0, at_least: true } => "an unknown number of bits".to_owned(),
        Counted { bits, at_least: true } => format!("at least {}", self::bits(bits)),
        Counted { bits, .. } => self::bits(bits),
    }
}

/// What is lost.
pub(super) fn loss(loss: &Loss, names: Names) -> Sentence {
    match loss {
        Loss::Unsent { side, bits, kept } => unsent(&names.side(*side), *bits, *kept),
        Loss::Discarded { side, bits } => say("writes-discarded", discarded(&names.side(*side), *bits)),
        Loss::OneDiscarded { bits } => say("writes-discarded", one_discarded(*bits, names)),
        Loss::LastBits { side, bits } => say(
            "last-bits",
            format!(
                "DRBD 8.4 drops the last 64 bits of {} at attach, because its size is a multiple of 512 sectors: {bits} of them are set, and are not synced",
                names.side(*side)
            ),
        ),
        Loss::NotRead { side, bits } => say(
            "bitmap-not-read",
            format!(
                "{} set on {} are not read at attach, because its la-size is 0, and what they mark is not synced: so since DRBD 9.2.18 and 9.3.2, while 9.0, 9.1 and earlier ones of 9.2 and 9.3 read them",
                self::bits(*bits),
                names.side(*side)
            ),
        ),
    }
}

fn unsent(whose: &str, found: Counted, kept: bool) -> Sentence {
    let unknown = found.bits == 0;
    let what = if unknown {
        format!("equal generations, and the log or the bitmap of {whose} is not here")
    } else {
        format!("equal generations, {} set on {whose}", counted(found))
    };
    if kept {
        let them = if unknown { "what it marks" } else { "them" };
        say("bits-unsent", format!("{what}: DRBD 8.4 keeps {them}, and does not sync {}", if unknown { "it" } else { "them" }))
    } else {
        let (them, mark) = if unknown { ("what it marks", "that") } else { ("them", "what they mark") };
        say("bits-dropped", format!("{what}: DRBD 9 clears {them} unsent, and {mark} is not synced"))
    }
}

fn discarded(whose: &str, found: Option<Counted>) -> String {
    match found {
        Some(Counted { bits: 0, at_least: false }) => {
            format!("{whose} is overwritten; no writes of its own are marked")
        }
        Some(Counted { bits: 0, .. }) => {
            format!("{whose} is overwritten; what it wrote is in its log, which is not here")
        }
        Some(found) => {
            format!("the writes of {whose} since the two parted are discarded: {}", counted(found))
        }
        None => format!("{whose} is overwritten; what it wrote since the two parted is lost, and no bitmap records how much"),
    }
}

fn one_discarded(found: [Option<Counted>; 2], names: Names) -> String {
    let what = "one of the two is overwritten, and nothing on disk decides which";
    match found {
        [Some(a), Some(b)] => format!(
            "{what}: the writes of {}, {}, or those of {}, {}, are discarded",
            names.side(0),
            counted(a),
            names.side(1),
            counted(b)
        ),
        _ => format!("{what}: what it wrote since the two parted is lost, and no bitmap records how much"),
    }
}

/// What had a say besides the generations.
pub(super) fn steps(pair: &Pair, names: Names) -> Vec<Sentence> {
    pair.steps.iter().map(|step| self::step(*step, pair, names)).collect()
}

/// Who sends and who is overwritten, as far as that can be told.
fn ends(pair: &Pair, names: Names) -> (String, String) {
    let (a, b) = (names.side(0), names.side(1));
    if pair.arbitrary {
        ("one of the two".to_owned(), "the other".to_owned())
    } else if pair.decision.is_source() {
        (a, b)
    } else {
        (b, a)
    }
}

fn step(step: Step, pair: &Pair, names: Names) -> Sentence {
    let [a, b] = &pair.sides;
    let (source, target) = ends(pair, names);
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
        Step::GivesUpPrimary => say("gives-up-primary", format!("call-pri-lost-after-sb: {target} gives up being Primary first; where it is in use it cannot, a handler is called, and they do not connect")),
        Step::PrimarySends => say("primary-sends", "only crash flags differ, and who is Primary now sends".to_owned()),
        Step::Violent => say("violently", "rr-conflict violently: a Primary is overwritten while it is in use".to_owned()),
        Step::AutoDiscarded => say("auto-discard", format!("rr-conflict auto-discard: {source} sends, and the crashed Primary is discarded")),
        Step::Skipped => say("skipped", "a resync whose end was missed is not repeated, since what would send is not UpToDate".to_owned()),
    }
}

#[cfg(test)]
mod tests;
