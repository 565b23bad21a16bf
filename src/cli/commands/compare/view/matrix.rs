//! Three and more replicas: each with each, and who is ahead.

use std::fmt::Write as _;
use std::io;

use super::words::letter;
use super::{Comparison, PairView};
use crate::verdict::handshake::Note;

/// Prints the decisions, each row from its own side.
pub(super) fn print(comparison: &Comparison, out: &mut dyn io::Write) -> io::Result<()> {
    let count = comparison.replicas.len();
    let mut head = "    ".to_owned();
    for column in 0..count {
        let _ = write!(head, "{:<16}", letter(column));
    }
    writeln!(out, "\n{}", head.trim_end())?;
    for row in 0..count {
        let mut line = format!("{:<4}", letter(row));
        for column in 0..count {
            let word = decision(comparison, row, column).unwrap_or_else(|| "-".to_owned());
            let _ = write!(line, "{word:<16}");
        }
        writeln!(out, "{}", line.trim_end())?;
    }
    if comparison.pairs.iter().any(|pair| pair.arbitrary) {
        writeln!(out, "? may as well be the other way round")?;
    }
    writeln!(out, "\n{}", newest(comparison))
}

/// What one decides toward another.
fn decision(comparison: &Comparison, row: usize, column: usize) -> Option<String> {
    comparison.pairs.iter().find_map(|pair| {
        let decision = match (pair.a, pair.b) {
            (a, b) if (a, b) == (row, column) => pair.pair.decision,
            (a, b) if (b, a) == (row, column) => pair.pair.decision.mirrored(),
            _ => return None,
        };
        let sign = if pair.arbitrary { "?" } else { "" };
        Some(format!("{}{sign}", decision.word()))
    })
}

/// Whose data is the newest, and who has none that could be.
pub(super) fn newest(comparison: &Comparison) -> String {
    let sends = |one: &usize| comparison.pairs.iter().any(|pair| hangs(pair, *one));
    let unusable = comparison.unusable.iter().filter(|one| sends(one)).map(|one| {
        let one = letter(*one);
        format!("{one} is Inconsistent, so that its data is not usable, however new its generation: it must not be the source, see the notes of its pairs")
    });
    let lines: Vec<String> = std::iter::once(of_usable(comparison)).chain(unusable).collect();
    lines.join("\n")
}

/// Whether it is the source there and should not be.
fn hangs(view: &PairView, one: usize) -> bool {
    view.pair.notes.iter().any(|note| match note {
        Note::Hangs { side, .. } => one == if *side == 0 { view.a } else { view.b },
        _ => false,
    })
}

fn of_usable(comparison: &Comparison) -> String {
    if let Some([a, b]) = comparison.unknown {
        let (a, b) = (letter(a), letter(b));
        return format!("which has the newest data is unknown: {a} and {b} cannot be compared, see there");
    }
    let letters: Vec<String> = comparison.newest.iter().map(|one| letter(*one)).collect();
    match letters.as_slice() {
        [] if comparison.unusable.len() == comparison.replicas.len() => {
            "all are Inconsistent: no replica has data that could be used".to_owned()
        }
        [] => "no replica has all that the others wrote: whichever is kept, something is lost".to_owned(),
        [one] => format!("{one} has the newest data: connect the others to it first"),
        [all @ .., last] => format!("{} and {last} have the newest data, of one generation", all.join(", ")),
    }
}
