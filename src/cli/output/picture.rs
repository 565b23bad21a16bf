//! A picture of the stack: one line a level, outermost first, every device beginning at the left.

use crate::format::layout::MdIndex;
use crate::survey::locate::Level;
use crate::survey::occupancy::Evidence;

/// Columns for the innermost device.
const INNERMOST: usize = 42;

/// The lines; none where a level's data is on another device. Who lives on the disk is named where the outermost device is.
pub(crate) fn draw(levels: &[Level], evidence: &[Evidence]) -> Vec<String> {
    if !levels.iter().all(|level| level.layout.index.is_internal()) {
        return Vec::new();
    }
    let mut lines: Vec<String> = Vec::new();
    let mut width = INNERMOST;
    for level in levels.iter().rev() {
        let metadata = match level.layout.index {
            MdIndex::Internal => "sb|log|bitmap|",
            _ => "bitmap|log|sb|",
        };
        let device = device_name(levels, level);
        let outermost = lines.len().saturating_add(1) == levels.len();
        let name = match lives_in(levels, evidence).filter(|_| outermost) {
            Some(who) => format!(" {device}, {who} "),
            None => format!(" {device} "),
        };
        let line = format!("|<{name:-^width$}>|{metadata}");
        // The next one outwards spans all of this line: its two frames of three characters and its name between them.
        width = line.chars().count().saturating_sub(4);
        lines.push(line);
    }
    lines.reverse();
    lines
}

/// What a level's device is called beside the others.
pub(crate) fn device_name(levels: &[Level], level: &Level) -> String {
    if levels.len() == 1 {
        "DRBD device".to_owned()
    } else {
        format!("{} device", level.role)
    }
}

/// `xfs ends inside the inner one`, of the first whose end is known to be in one.
fn lives_in(levels: &[Level], evidence: &[Evidence]) -> Option<String> {
    let (kind, number) = evidence
        .iter()
        .find_map(|one| Some((one.occupant.kind, one.level?)))?;
    let word = kind.word();
    Some(match levels.get(number)? {
        _ if number == 0 => format!("{word} ends inside it"),
        level => format!("{word} ends inside the {} one", level.role),
    })
}
