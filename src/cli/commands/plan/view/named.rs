//! What commands call the resource, and what comes before any that writes it elsewhere.

use crate::cli::commands::plan::view::Plan;
use crate::cli::commands::plan::view::way::StrategyView;
use crate::cli::output::explain::shell_word;
use crate::format::superblock::{AlState, Format};
use crate::survey::locate::{FoundBy, IndexChoice};

impl Plan<'_> {
    pub(crate) fn is_unclean(&self) -> bool {
        let format = self.level.superblock.format();
        self.level.superblock.al_state() == AlState::Unclean && format != Format::V07
    }

    /// Whether the log is applied on the way: not where everything is marked before.
    pub(crate) fn is_to_be_applied(&self) -> bool {
        self.is_unclean() && !self.typing.mark_all
    }

    /// The same way with a command before that marks everything, where the log is needed and cannot be applied.
    pub(crate) fn marked_first(&self, mut way: StrategyView) -> StrategyView {
        if self.typing.mark_all && way.feasible {
            way.first_does_it = false;
            way.notes.push("the activity log does not show all that was being written: the first command marks everything out of sync where the metadata is now, and a full sync follows".to_owned());
            way.commands.insert(0, self.mark_all());
        }
        way
    }

    /// Marks everything where the metadata is: what a search found is named.
    fn mark_all(&self) -> String {
        let mut words = self.of_disk();
        let found = self.level.found_by == FoundBy::Scan || !self.is_here();
        let named = self.typing.by_position || self.image.at.is_some() || self.image.stacked;
        if !named && (found || self.located.levels.len() > 1) {
            words.push(format!("--level {}", self.number()));
        } else {
            words.extend(self.level_words());
        }
        format!("mdtool apply-al {} --mark-all", words.join(" "))
    }

    /// The resource where it is to be adopted, as a command takes it.
    pub(crate) fn target(&self) -> String {
        let mut words = self.of_disk();
        words.extend(self.level_words());
        words.join(" ")
    }

    /// The image, and which part and level of it.
    pub(crate) fn image_words(&self) -> String {
        let mut words = self.of_image();
        words.extend(self.level_words());
        words.join(" ")
    }

    /// The disk of the commands, and which part of it, if any.
    fn of_disk(&self) -> Vec<String> {
        if self.is_here() {
            return self.of_image();
        }
        // It has at its start what was looked at of the image.
        let mut words = vec![self.device()];
        if self.typing.by_position || self.image.at.is_some() {
            words.push(format!("--at {}", self.level.layout.md.get()));
        }
        words
    }

    fn of_image(&self) -> Vec<String> {
        let mut words = vec![shell_word(&self.image.image)];
        for (option, value) in [("--offset", self.image.offset), ("--size", self.image.size)] {
            words.extend(value.map(|size| format!("{option} {}", size.0.get())));
        }
        if self.typing.by_position || self.image.at.is_some() {
            let at = self.opened.image_pos(self.level.layout.md);
            words.push(format!("--at {}", at.get()));
        }
        words
    }

    /// Which level it is, where its position does not say so.
    fn level_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.image.index != IndexChoice::Auto {
            words.push(format!("--index {}", self.level.layout.index));
        }
        if self.typing.by_position {
            return words;
        }
        if self.image.stacked {
            words.push("--stacked".to_owned());
        } else if self.number() > 0 {
            words.push(format!("--level {}", self.number()));
        } else if self.located.levels.len() > 1 {
            words.push("--level outer".to_owned());
        }
        words
    }
}
