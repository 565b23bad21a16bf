//! The generations that two replicas remember, side by side, what is equal on one line.

use super::words::{Names, letter};
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::Uuid;

/// Lines of history shown at most.
const MOST: usize = 8;

/// A replica at connect.
#[derive(Clone, Copy)]
pub(super) struct Side<'a> {
    pub(super) header: &'a Header,
    /// Promoting it began a generation that its metadata does not have yet.
    pub(super) promoted_anew: bool,
    /// The other's node id.
    pub(super) peer: usize,
}

/// A generation, and what it is to the replica; one that is begun at promotion has no name yet.
struct Row {
    uuid: Option<Uuid>,
    what: &'static str,
}

impl Row {
    fn cell(&self) -> String {
        let name = self.uuid.map_or_else(|| "(new)".to_owned(), |uuid| uuid.to_string());
        format!("{name:<18} {}", self.what)
    }

    fn same(&self, other: &Self) -> bool {
        matches!((self.uuid, other.uuid), (Some(one), Some(other)) if one.same_generation(other))
    }
}

/// What a replica remembers, newest first, of which the bitmap UUID is the one toward the other node.
fn rows(side: Side<'_>) -> Vec<Row> {
    let (current, bitmap, history) = match &side.header.generation {
        Generation::V07(_) => return Vec::new(),
        Generation::V08(generation) => {
            let [current, bitmap, history @ ..] = generation.uuids;
            (current, bitmap, history.to_vec())
        }
        Generation::V09(generation) => {
            let entry = generation.peers.get(side.peer);
            let bitmap = entry.map_or(Uuid::NONE, |entry| entry.bitmap_uuid);
            (generation.current_uuid, bitmap, generation.history_uuids.to_vec())
        }
    };
    let first = if side.promoted_anew {
        [(None, "current"), (Some(current), "bitmap")]
    } else {
        [(Some(current), "current"), (Some(bitmap), "bitmap")]
    };
    let past = history.into_iter().map(|uuid| (Some(uuid), "history"));
    let all = first.into_iter().chain(past).map(|(uuid, what)| Row { uuid, what });
    all.filter(|row| row.uuid.is_none_or(|uuid| uuid.0 & !1 != 0)).collect()
}

fn both(a: Side<'_>, b: Side<'_>) -> (Vec<Row>, Vec<Row>) {
    (rows(a), rows(b))
}

fn first_common<'r>(first: impl Iterator<Item = &'r Row>, second: &[&Row]) -> Option<Uuid> {
    let named = |row: &&Row| row.uuid != Some(Uuid::JUST_CREATED);
    let mut first = first.filter(named);
    let found = first.find(|one| second.iter().any(|other| one.same(other)));
    found.and_then(|row| row.uuid)
}

/// The newest generation that both remember, be it one's current.
pub(super) fn known_to_both(a: Side<'_>, b: Side<'_>) -> Option<Uuid> {
    let (first, second) = both(a, b);
    first_common(first.iter(), &second.iter().collect::<Vec<_>>())
}

/// The newest generation, the current ones aside, that both remember.
pub(super) fn common(a: Side<'_>, b: Side<'_>) -> Option<Uuid> {
    let (first, second) = both(a, b);
    let past = |row: &&Row| row.what != "current";
    first_common(first.iter().filter(past), &second.iter().filter(past).collect::<Vec<_>>())
}

/// Whether the two are not of one generation.
pub(super) fn differ(a: Side<'_>, b: Side<'_>) -> bool {
    let (first, second) = both(a, b);
    let equal = first.first().zip(second.first()).is_some_and(|(a, b)| a.same(b));
    !equal
}

/// The lines of the picture.
pub(super) fn draw(a: Side<'_>, b: Side<'_>, names: Names) -> Vec<String> {
    let (first, second) = both(a, b);
    let mut lines = vec![format!("{:<31}{}", letter(names.a), letter(names.b))];
    let mut next = 0;
    for row in &first {
        let rest = second.get(next..).unwrap_or_default();
        let equal = rest.iter().position(|other| other.same(row));
        match equal {
            Some(distance) => {
                let alone = rest.get(..distance).unwrap_or_default();
                lines.extend(alone.iter().map(|other| line(None, Some(other))));
                lines.push(line(Some(row), rest.get(distance)));
                next = next.saturating_add(distance).saturating_add(1);
            }
            None => lines.push(line(Some(row), None)),
        }
    }
    let rest = second.get(next..).unwrap_or_default();
    lines.extend(rest.iter().map(|other| line(None, Some(other))));
    let more = lines.len().saturating_sub(MOST.saturating_add(1));
    if more > 0 {
        lines.truncate(MOST.saturating_add(1));
        lines.push(format!("and {more} older"));
    }
    lines
}

fn line(a: Option<&Row>, b: Option<&Row>) -> String {
    let cell = |row: Option<&Row>| row.map_or_else(String::new, Row::cell);
    let sign = if a.is_some() && b.is_some() { "=" } else { " " };
    format!("{:<27} {sign}  {}", cell(a), cell(b)).trim_end().to_owned()
}
