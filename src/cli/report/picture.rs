//! A picture of the stack: one line a level, outermost first, every device beginning at the left.

use crate::layout::MdIndex;
use crate::locate::Level;

/// Columns for the innermost device.
const INNERMOST: usize = 42;

/// The lines; none where a level's data is on another device.
pub(super) fn draw(levels: &[Level]) -> Vec<String> {
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
        let name = if levels.len() == 1 {
            " DRBD device ".to_owned()
        } else {
            format!(" {} device ", level.role)
        };
        let line = format!("|<{name:-^width$}>|{metadata}");
        // The next one outwards spans all of this line: its two frames of three characters and its name between them.
        width = line.chars().count().saturating_sub(4);
        lines.push(line);
    }
    lines.reverse();
    lines
}
