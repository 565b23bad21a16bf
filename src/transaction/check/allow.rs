//! Who may undo what was found.

use super::{UndoCheck, UndoState};
use crate::error::{EditRefusal, Places};
use crate::units::ImagePos;

impl UndoCheck {
    /// The answer to who would undo this, by force or without.
    ///
    /// # Errors
    ///
    /// [`EditRefusal::OtherTarget`] where nothing is recognised; without force [`EditRefusal::ChangedSince`] where something was written
    /// since.
    pub fn allow(&self, force: bool) -> Result<(), EditRefusal> {
        if self.records > 0 && !self.recognised {
            return Err(EditRefusal::OtherTarget);
        }
        if force || self.state != UndoState::ChangedSince {
            return Ok(());
        }
        let first = self.changed.first().copied();
        Err(EditRefusal::ChangedSince {
            first: first.unwrap_or(ImagePos::START),
            places: Places(self.changed_count),
        })
    }

    /// Whether something would be put back to what may be any disk.
    #[must_use]
    pub fn is_doubted(&self) -> bool {
        self.records > 0 && !self.shown && self.state != UndoState::NothingToDo
    }
}
