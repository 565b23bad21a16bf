//! The generations that two replicas remember, side by side, what is equal on one line.

use super::words::{Names, letter};
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::Uuid;

/// Lines of history shown at most.
const MOST: usize = 8;

/// A generation, and what it is to the replica.
struct Row {
    uuid: Uuid,
    what: &'static str,
}

/// What a replica remembers, newest first, of which the bitmap UUID is the one toward the other node.
fn rows(header: &Header, peer: Option<i32>) -> Vec<Row> {
    let (current, bitmap, history) = match &header.generation {
        Generation::V07(_) => return Vec::new(),
        Generation::V08(generation) => {
            let [current, bitmap, history @ ..] = generation.uuids;
            (current, bitmap, history.to_vec())
        }
        Generation::V09(generation) => {
            let entry = peer.and_then(|peer| generation.peers.get(usize::try_from(peer).ok()?));
            let bitmap = entry.map_or(Uuid::NONE, |entry| entry.bitmap_uuid);
            (generation.current_uuid, bitmap, generation.history_uuids.to_vec())
        }
    };
    let first = [(current, "current"), (bitmap, "bitmap")];
    let past = history.into_iter().map(|uuid| (uuid, "history"));
    let all = first.into_iter().chain(past).map(|(uuid, what)| Row { uuid, what });
    all.filter(|row| row.uuid.0 & !1 != 0).collect()
}

fn node_id(header: &Header) -> Option<i32> {
    match &header.generation {
        Generation::V09(generation) => Some(generation.node_id),
        _ => None,
    }
}

/// The newest generation, the current ones aside, that both remember.
pub(super) fn common(a: &Header, b: &Header) -> Option<Uuid> {
    let (first, second) = (rows(a, node_id(b)), rows(b, node_id(a)));
    let past = |row: &&Row| row.what != "current" && row.uuid != Uuid::JUST_CREATED;
    let found = first
        .iter()
        .filter(past)
        .find(|one| second.iter().filter(past).any(|other| one.uuid.same_generation(other.uuid)));
    found.map(|row| row.uuid)
}

/// The lines of the picture.
pub(super) fn draw(a: &Header, b: &Header, names: Names) -> Vec<String> {
    let (first, second) = (rows(a, node_id(b)), rows(b, node_id(a)));
    let mut lines = vec![format!("{:<31}{}", letter(names.a), letter(names.b))];
    let mut next = 0;
    for row in &first {
        let rest = second.get(next..).unwrap_or_default();
        let equal = rest.iter().position(|other| other.uuid.same_generation(row.uuid));
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
    let cell = |row: Option<&Row>| row.map_or_else(String::new, |row| format!("{} {}", row.uuid, row.what));
    let sign = if a.is_some() && b.is_some() { "=" } else { " " };
    format!("{:<27} {sign}  {}", cell(a), cell(b)).trim_end().to_owned()
}
