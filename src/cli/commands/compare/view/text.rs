//! The text form of compare.

use std::io::{self, Write};

use super::words::{Names, letter, meaning, sectors};
use super::{Comparison, PairView, ReplicaView, histories, matrix};
use crate::cli::output::human::{binary, bytes_and_decimal, duration};
use crate::cli::output::text::table;
use crate::format::superblock::Uuid;
use crate::units::{Bytes, Sectors};
use crate::verdict::handshake::{Decision, Family};

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
        size.to_bytes().map_or_else(|| size.to_string(), |bytes| bytes_and_decimal(bytes).replace(" bytes", "")),
        replica.current_uuid.clone().unwrap_or_else(|| "-".to_owned()),
        slots.join(" "),
    ]
}

fn pair(comparison: &Comparison, view: &PairView, out: &mut dyn Write) -> io::Result<()> {
    let names = Names {
        a: view.a,
        b: view.b,
    };
    writeln!(out, "DRBD {}: {}", view.family, headline(comparison, view, names))?;
    if view.arbitrary {
        writeln!(out, "  arbitrary: nothing on disk decides this; it depends on whose connection wins a race, and may as well go the other way round")?;
    }
    for (rule, me, peer) in [(view.rule, view.a, view.b), (view.rule_b, view.b, view.a)] {
        if let Some(rule) = rule
            && let Some(meaning) = meaning(view.pair.family, rule, me, peer)
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
    let (Some(a), Some(b)) = (comparison.replicas.get(view.a), comparison.replicas.get(view.b)) else {
        return Ok(());
    };
    if view.rule.is_some() && a.current_uuid != b.current_uuid {
        writeln!(out, "\n  generations, newest first, equal ones on one line:")?;
        for line in histories::draw(&a.header, &b.header, names) {
            writeln!(out, "    {line}")?;
        }
    }
    if view.pair.decision == Decision::SplitBrain {
        choices(view, names, per_bit(a, b), out)?;
    }
    Ok(())
}

/// What a bit of either stands for, the coarser.
fn per_bit(a: &ReplicaView, b: &ReplicaView) -> u64 {
    u64::from(a.bytes_per_bit.max(b.bytes_per_bit))
}

fn headline(comparison: &Comparison, view: &PairView, names: Names) -> String {
    let (a, b) = (names.side(0), names.side(1));
    let (source, target) = if view.pair.decision.is_source() { (a, b) } else { (b, a) };
    match view.pair.decision {
        Decision::NoSync => "they connect, and nothing is sent".to_owned(),
        Decision::SourceBitmap | Decision::TargetBitmap => {
            format!("{source} sends to {target} what the bitmaps mark: {}", amount(comparison, view))
        }
        Decision::SourceFull | Decision::TargetFull => {
            format!("{source} sends everything to {target}: {}", amount(comparison, view))
        }
        Decision::SplitBrain => split_brain(comparison, view, names),
        Decision::Unrelated => "they do not connect: unrelated data, no generation in common".to_owned(),
        Decision::Refused => "they do not connect".to_owned(),
    }
}

fn split_brain(comparison: &Comparison, view: &PairView, names: Names) -> String {
    let header = |place: usize| comparison.replicas.get(place).map(|replica| &replica.header);
    let common = header(view.a).zip(header(view.b)).and_then(|(a, b)| histories::common(a, b));
    let since = common.map_or_else(String::new, |uuid: Uuid| format!(" after generation {uuid}"));
    let [a, b] = &view.pair.sides;
    // What a log names that is not here was written, too.
    let least = |place: usize| {
        let log = comparison.replicas.get(place).map(|replica| replica.log);
        if log == Some("missing") { "at least " } else { "" }
    };
    format!(
        "they do not connect: split brain, they parted{since}; {} marks {}{} bits of its own since, {} marks {}{}",
        names.side(0),
        least(view.a),
        a.bits,
        names.side(1),
        least(view.b),
        b.bits
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
        "{at_least}{bits} bits, {} ({}), {} at {}/s",
        bytes,
        binary(bytes),
        duration(seconds),
        binary(comparison.rate.0)
    )
}

/// The two ways out of a split brain, the one that loses less first.
fn choices(view: &PairView, names: Names, per_bit: u64, out: &mut dyn Write) -> io::Result<()> {
    let [a, b] = &view.pair.sides;
    let mut victims = [(0, a.bits), (1, b.bits)];
    victims.sort_by_key(|(_, bits)| *bits);
    writeln!(out, "\n  either choice loses what one side wrote; copy what is needed from there first")?;
    for (victim, bits) in victims {
        let (lost, kept) = (names.side(victim), names.other(victim));
        let bytes = Bytes::new(bits.saturating_mul(per_bit));
        writeln!(out, "\n  {lost} is the victim, {kept} is kept: what {lost} wrote is lost ({bits} bits, {})", binary(bytes))?;
        writeln!(out, "    on {lost}:  drbdadm disconnect RESOURCE")?;
        writeln!(out, "           drbdadm secondary RESOURCE")?;
        writeln!(out, "           drbdadm connect --discard-my-data RESOURCE")?;
        writeln!(out, "    on {kept}:  drbdadm connect RESOURCE    (where it is StandAlone)")?;
    }
    if view.pair.family == Family::V9 && view.rule == Some("history-both") {
        writeln!(out, "  a full sync follows: no bitmap counts from a common generation")?;
    }
    Ok(())
}
