//! A picture of the stack: one line a level, outermost first, every device beginning at the left.

use crate::cli::output::fold::stdout_columns;
use crate::format::layout::MdIndex;
use crate::survey::locate::Level;
use crate::survey::residents::Resident;

/// Columns for the innermost device, where there is room.
const INNERMOST: usize = 42;
/// Columns that each level takes besides: its metadata.
const METADATA: usize = 14;
/// Fewer are no picture.
const FEWEST: usize = 18;

/// The lines; none where a level's data is on another device. Who lives on the disk is named where the outermost device is.
pub(crate) fn draw(levels: &[Level], residents: &[Resident]) -> Vec<String> {
    if !levels.iter().all(|level| level.layout.index.is_internal()) {
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
        let metadata = match level.layout.index {
            MdIndex::Internal => "sb|log|bitmap|",
            _ => "bitmap|log|sb|",
        };
        let device = device_name(levels, level);
        let outermost = lines.len().saturating_add(1) == levels.len();
        let name = match lives_in(levels, residents).filter(|_| outermost) {
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

/// What a level's device is called beside the others.
pub(crate) fn device_name(levels: &[Level], level: &Level) -> String {
    if levels.len() == 1 {
        "DRBD device".to_owned()
    } else {
        format!("{} device", level.role)
    }
}

/// `xfs ends inside the inner one`, of the first whose end is known to be in one.
fn lives_in(levels: &[Level], residents: &[Resident]) -> Option<String> {
    let (kind, number) = residents
        .iter()
        .find_map(|one| Some((one.occupant.kind, one.level?)))?;
    let word = kind.word();
    Some(match levels.get(number)? {
        _ if number == 0 => format!("{word} ends inside it"),
        level => format!("{word} ends inside the {} one", level.role),
    })
}
