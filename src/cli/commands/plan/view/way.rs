//! One way, ready to be printed.

use serde::Serialize;

use crate::surgery::adopt::Obstacle;

/// Whether a way works, and what it takes.
#[derive(Serialize)]
pub(crate) struct StrategyView {
    #[serde(skip)]
    pub(super) title: &'static str,
    /// The metadata is where DRBD looks: there is nothing to do.
    #[serde(skip)]
    pub(super) in_place: bool,
    /// The first command does all of it, and any others are in its stead.
    #[serde(skip)]
    pub(super) first_does_it: bool,
    pub(super) feasible: bool,
    pub(super) why_not: Option<String>,
    /// The arithmetic.
    pub(super) notes: Vec<String>,
    pub(super) commands: Vec<String>,
    /// What is to be known of the last command.
    pub(super) warnings: Vec<String>,
    #[serde(flatten)]
    pub(super) facts: Facts,
}

/// The numbers of a way.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Facts {
    None {},
    Relocate {
        same_node: bool,
        md_offset: u64,
        al_offset: u64,
        bm_offset: u64,
        data_bytes: u64,
        metadata_bytes: u64,
        slack_bytes: u64,
        overlaps: bool,
    },
    Truncate {
        size_bytes: u64,
        cut_bytes: u64,
        beyond_extent_bytes: Option<u64>,
    },
    External {
        least_bytes: u64,
        whole_bytes: u64,
    },
    Restore {
        utils_bugs: usize,
        /// The same, by its older name.
        traps: usize,
    },
    CheckResize {
        path: String,
        content: String,
        shifts_bitmap: bool,
    },
}

impl StrategyView {
    pub(super) const fn new(title: &'static str) -> Self {
        Self {
            title,
            in_place: false,
            first_does_it: false,
            feasible: true,
            why_not: None,
            notes: Vec::new(),
            commands: Vec::new(),
            warnings: Vec::new(),
            facts: Facts::None {},
        }
    }

    /// It does not work, or is not needed.
    pub(super) fn not(self, why: Obstacle) -> Self {
        Self {
            in_place: matches!(why, Obstacle::AlreadyThere { .. }),
            ..self.never(why.to_string())
        }
    }

    /// It does not work.
    pub(super) fn never(self, why: String) -> Self {
        // Nobody is to type what does not work.
        Self {
            feasible: false,
            why_not: Some(why),
            commands: Vec::new(),
            warnings: Vec::new(),
            ..self
        }
    }

    /// What does all of it, where one command does.
    pub(super) fn one_command(&self) -> Option<String> {
        let one = self.first_does_it || self.commands.len() == 1;
        self.commands.first().filter(|_| one).cloned()
    }
}
