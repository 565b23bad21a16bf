//! The text form of compare.

use std::io::{self, Write};

use super::histories::Side;
use super::words::{self, Names, counted, letter, meaning, sectors};
use super::{Comparison, PairView, ReplicaView, choices, histories, matrix};
use crate::cli::output::amounts::{binary, bytes_and_binary, duration};
use crate::cli::output::text::table;
use crate::format::superblock::Uuid;
use crate::units::{Bytes, Sectors};
use crate::verdict::handshake::{Decision, SideView};

/// Columns of the table of replicas.
const HEADINGS: [(&str, bool); 8] = [
    ("", false),
    ("source", false),
    ("format", false),
    ("node", true),
    ("disk state", false),
    ("DRBD device", true),
    ("current UUID", false),
    ("bits by slot", false),
];

pub(super) fn print(comparison: &Comparison, out: &mut dyn Write) -> io::Result<()> {
    let rows: Vec<[String; 8]> = comparison.replicas.iter().zip(0..).map(row).collect();
    table(&HEADINGS, &rows, out)?;
    for pair in &comparison.pairs {
        writeln!(out)?;
        if comparison.pairs.len() > 1 {
            writeln!(out, "{} and {}", letter(pair.a), letter(pair.b))?;
        }
        self::pair(comparison, pair, out)?;
    }
    if comparison.replicas.len() > 2 {
        matrix::print(comparison, out)?;
    }
    Ok(())
}

fn row((replica, place): (&ReplicaView, usize)) -> [String; 8] {
    let level = replica.level.filter(|level| *level > 0);
    let source = match level {
        Some(level) => format!("{} (level {level})", replica.source),
        None => replica.source.clone(),
    };
    let size = Sectors::new(replica.la_size_sect);
    let slots: Vec<String> = replica.slot_bits.iter().map(u64::to_string).collect();
    [
        letter(place),
        source,
        replica.format.clone(),
        replica.node_id.map_or_else(|| "-".to_owned(), |id| id.to_string()),
        replica.disk_state.clone(),
        size.to_bytes().map_or_else(|| size.to_string(), |bytes| bytes_and_binary(bytes).replace(" bytes", "")),
        replica.current_uuid.clone().unwrap_or_else(|| "-".to_owned()),
        if slots.is_empty() { "not in the dump".to_owned() } else { slots.join(" ") },
    ]
}

fn pair(comparison: &Comparison, view: &PairView, out: &mut dyn Write) -> io::Result<()> {
    let names = Names {
        a: view.a,
        b: view.b,
    };
    writeln!(out, "DRBD {}: {}", kernels(view), headline(comparison, view, names))?;
    if let Some(otherwise) = view.pair.otherwise {
        writeln!(out, "  arbitrary: {}", arbitrary(view.pair.decision, otherwise, names))?;
    }
    for (rule, me, peer) in [(view.rule, view.a, view.b), (view.rule_b, view.b, view.a)] {
        if let Some(rule) = rule
            && let Some(meaning) = meaning(rule, me, peer)
        {
            writeln!(out, "  rule on {}: {rule} ({meaning})", letter(me))?;
        }
    }
    let said = [("in the way", &view.refused_by), ("lost", &view.lost), ("note", &view.notes)];
    for (what, sentences) in said {
        for sentence in sentences {
            writeln!(out, "  {what}: {}", sentence.text)?;
        }
    }
    let agreed = view.pair.sizes.as_ref().and_then(|sizes| sizes.agreed);
    if let Some(agreed) = agreed.filter(|_| view.pair.decision.connects()) {
        writeln!(out, "  size: they agree on {}", sectors(agreed))?;
    }
    let Some([a, b]) = sides(comparison, view) else {
        return Ok(());
    };
    let compared = view.rule.is_some() || view.rule_b.is_some();
    if compared && histories::differ(a, b) {
        writeln!(out, "\n  generations, newest first, equal ones on one line:")?;
        for line in histories::draw(a, b, names) {
            writeln!(out, "    {line}")?;
        }
    }
    choices::print(view, names, out)
}

/// The kernels that are meant.
fn kernels(view: &PairView) -> String {
    let [a, b] = view.pair.sides.each_ref().map(|side| side.family);
    if a == b { view.family.clone() } else { "8.4 and 9".to_owned() }
}

/// Both as they are at connect.
fn sides<'c>(comparison: &'c Comparison, view: &PairView) -> Option<[Side<'c>; 2]> {
    let side = |place: usize, side: &SideView, peer: &SideView| {
        let replica = comparison.replicas.get(place)?;
        Some(Side {
            header: &replica.header,
            promoted_anew: side.promoted_anew,
            peer: peer.id,
        })
    };
    let [a, b] = &view.pair.sides;
    Some([side(view.a, a, b)?, side(view.b, b, a)?])
}

/// What a race decides.
fn arbitrary(decision: Decision, otherwise: Decision, names: Names) -> String {
    let race = "it depends on whose connection wins a race";
    if otherwise == decision.mirrored() {
        return format!("nothing on disk decides who sends: {race}");
    }
    let (a, b) = (names.side(0), names.side(1));
    let what = if otherwise.is_source() {
        format!("{a} sends to {b}")
    } else if otherwise.is_target() {
        format!("{b} sends to {a}")
    } else if otherwise.connects() {
        "nothing is sent".to_owned()
    } else {
        "they do not connect".to_owned()
    };
    format!("nothing on disk decides this: {race}, and where the other one does, {what}")
}

fn headline(comparison: &Comparison, view: &PairView, names: Names) -> String {
    let (a, b) = (names.side(0), names.side(1));
    let either = view.pair.otherwise == Some(view.pair.decision.mirrored());
    let (source, target) = if either {
        ("one of the two".to_owned(), "the other".to_owned())
    } else if view.pair.decision.is_source() {
        (a, b)
    } else {
        (b, a)
    };
    match view.pair.decision {
        Decision::NoSync => "they connect, and nothing is sent".to_owned(),
        Decision::SourceBitmap | Decision::TargetBitmap => {
            format!("{source} sends to {target} what the bitmaps mark: {}", amount(comparison, view))
        }
        Decision::SourceFull | Decision::TargetFull => {
            format!("{source} sends everything to {target}: {}", amount(comparison, view))
        }
        Decision::SplitBrain => split_brain(comparison, view, names),
        Decision::Unrelated => unrelated(comparison, view),
        Decision::Refused => "they do not connect".to_owned(),
    }
}

fn unrelated(comparison: &Comparison, view: &PairView) -> String {
    let common = sides(comparison, view).and_then(|[a, b]| histories::known_to_both(a, b));
    match common {
        Some(uuid) => format!("they do not connect: DRBD takes this for unrelated data, though both know generation {uuid}"),
        None => "they do not connect: unrelated data, no generation in common".to_owned(),
    }
}

fn split_brain(comparison: &Comparison, view: &PairView, names: Names) -> String {
    let common = sides(comparison, view).and_then(|[a, b]| histories::common(a, b));
    let [a, b] = &view.pair.sides;
    if choices::is_uncounted(view) {
        return match common {
            Some(uuid) => format!("they do not connect: split brain, both have generation {uuid} in their past, and no bitmap counts from there"),
            None => "they do not connect: split brain, though they have no generation in common".to_owned(),
        };
    }
    let since = common.map_or_else(String::new, |uuid: Uuid| format!(" after generation {uuid}"));
    format!(
        "they do not connect: split brain, they parted{since}; {} marks {} of its own since, {} marks {}",
        names.side(0),
        counted(a.bits),
        names.side(1),
        counted(b.bits)
    )
}

/// How much is sent, and how long that takes.
fn amount(comparison: &Comparison, view: &PairView) -> String {
    let (Some(bits), Some(bytes)) = (view.sync_bits, view.sync_bytes) else {
        return "how much was not counted, since none is begun".to_owned();
    };
    let bytes = Bytes::new(bytes);
    let at_least = if view.sync_bits_at_least { "at least " } else { "" };
    let seconds = comparison.rate.seconds(bytes);
    format!(
        "{at_least}{}, {} ({}), {} at {}/s",
        words::bits(bits),
        bytes,
        binary(bytes),
        duration(seconds),
        binary(comparison.rate.0)
    )
}
