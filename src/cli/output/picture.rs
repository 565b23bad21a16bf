//! A picture of the stack: one line a level, outermost first, every device beginning at the left.

use crate::cli::output::fold::stdout_columns;
use crate::cli::output::view::{LevelView, ResidentView};
use crate::format::layout::MdIndex;
use crate::survey::locate::Role;

/// Columns for the innermost device, where there is room.
const INNERMOST: usize = 42;
/// Columns that each level takes besides: its metadata.
const METADATA: usize = 14;
/// Fewer are no picture.
const FEWEST: usize = 18;

/// The lines; none where a level's data is on another device. Who lives on the disk is named where the outermost device is.
pub(crate) fn draw(levels: &[LevelView], occupants: &[ResidentView]) -> Vec<String> {
    if !levels.iter().all(|level| level.index.is_internal()) {
        return Vec::new();
    }
    let mut lines: Vec<String> = Vec::new();
    let around = METADATA.saturating_mul(levels.len()).saturating_add(4);
    let room = stdout_columns().map_or(INNERMOST, |columns| columns.saturating_sub(around));
    let mut width = INNERMOST.min(room);
    if width < FEWEST {
        return Vec::new();
    }
    for level in levels.iter().rev() {
        let metadata = match level.index {
            MdIndex::Internal => "sb|log|bitmap|",
            _ => "bitmap|log|sb|",
        };
        let device = device_name(levels.len(), level.role);
        let outermost = lines.len().saturating_add(1) == levels.len();
        let name = match lives_in(levels, occupants).filter(|_| outermost) {
            Some(who) => format!(" {device}, {who} "),
            None => String::new(),
        };
        let name = if name.is_empty() || name.len() > width {
            format!(" {device} ")
        } else {
            name
        };
        let line = format!("|<{name:-^width$}>|{metadata}");
        // The next one outwards spans all of this line: its two frames of three characters and its name between them.
        width = line.chars().count().saturating_sub(4);
        lines.push(line);
    }
    lines.reverse();
    lines
}

/// What a device is called beside those of the other levels.
pub(crate) fn device_name(levels: usize, role: Role) -> String {
    if levels == 1 {
        "DRBD device".to_owned()
    } else {
        format!("{role} device")
    }
}

/// `xfs ends inside the inner one`, of the first whose end is known to be in one.
fn lives_in(levels: &[LevelView], occupants: &[ResidentView]) -> Option<String> {
    let (word, number) = occupants
        .iter()
        .find_map(|one| Some((one.kind, one.ends_inside_level?)))?;
    let place = levels.iter().position(|level| level.level == number)?;
    Some(match levels.get(place)? {
        _ if place == 0 => format!("{word} ends inside it"),
        level => format!("{word} ends inside the {} one", level.role),
    })
}
