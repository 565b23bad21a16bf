//! What a writing command supplies: a decision, and drafts of what follows from it.

use std::fmt::Display;

use crate::cli::Streams;
use crate::cli::write::change::Change;
use crate::cli::write::look::Look;
use crate::error::Result;
use crate::format::layout::MdLayout;
use crate::survey::locate::Level;
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos, ImagePos};
use crate::verdict::check::Candidate;

/// Decides what is to be done.
pub(crate) trait Job {
    /// Decides by what was found; warnings and notes of that go out at once.
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>>;
}

/// One of the files that change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// The target that the command is about.
    Target,
    /// The meta device; where it is not there yet, it is made this large.
    Meta { size: Bytes },
}

/// What is asked before it is done.
pub(crate) struct Question {
    /// What is said to be overwritten.
    pub(crate) what: String,
    /// Whether it is asked although nothing is at stake.
    pub(crate) always: bool,
    /// What would be lost that somebody may want, with the file that has it.
    pub(crate) at_risk: Vec<String>,
}

/// Where new metadata lies, and on which device DRBD will look for it.
pub(crate) struct Placed<'a> {
    pub(crate) part: Part,
    /// Where in the file the device begins.
    pub(crate) base: ImagePos,
    pub(crate) layout: &'a MdLayout,
    /// The device's size when all is done.
    pub(crate) device: Bytes,
}

impl Question {
    /// Asks whatever is there, where nothing of anybody else's is at stake.
    pub(crate) fn always(look: &Look, what: &str) -> Self {
        Self {
            what: format!("{}: {what}", look.name()),
            always: true,
            at_risk: Vec::new(),
        }
    }
}

impl<'a> Placed<'a> {
    /// Metadata that stays on the device where it is.
    pub(crate) fn in_place(look: &Look, level: &Level, layout: &'a MdLayout) -> Vec<Self> {
        vec![Self {
            part: Part::Target,
            base: look.opened.image_pos(DevPos::START),
            layout,
            device: Candidate::of_level(level, look.holder()).device,
        }]
    }
}

/// What to do next with metadata that DRBD finds: look at it, bring it up, and what is sent then.
pub(crate) fn bring_up(look_at: impl Display, more: &str) -> String {
    format!(
        "mdtool check {look_at}{more}, then `drbdadm up` on its resource; what is out of sync is sent when a peer connects"
    )
}

/// What was decided.
pub(crate) trait Plan {
    /// The files that change, the one that the command is about first: the targets of the draft, by number.
    fn parts(&self) -> Vec<Part> {
        vec![Part::Target]
    }

    /// Drafts the change.
    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()>;

    /// What will happen, a line each; asked for when all is drafted.
    fn words(&self) -> Vec<String>;

    /// Which of these words the report has, too: a dry run says them once.
    fn reported(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is asked.
    fn question(&self) -> Question;

    /// Where the metadata is that the change leaves: each superblock that is drafted is one of these.
    fn placed(&self) -> Vec<Placed<'_>>;

    /// Prints what was changed, or would be.
    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()>;

    /// What to do next, when it is done.
    fn next(&self) -> Vec<String>;
}
