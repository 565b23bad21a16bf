//! What a mark says of the other targets of a change.

use crate::format::superblock::{Mark, mark_of};
use crate::image::ReadAt;
use crate::transaction::format::Doing;
use crate::transaction::outline::Phase;
use crate::transaction::superblock::RetiredBlock;
use crate::transaction::undo_file::UndoFile;

/// Whether a retired superblock in its last form says of a change that it came to its end on every target: it is marked so after all the new
/// superblocks stand, where its own target gets none.
pub(super) fn ends<R: ReadAt>(undo: &UndoFile<R>, target: usize, block: &RetiredBlock) -> bool {
    let mut commits = undo.regions().filter(|one| one.phase == Phase::Commit);
    undo.doing() == Doing::Change
        && mark_of(&block.last).is_some_and(|marked| marked.mark == Mark::Retired)
        && commits.all(|one| one.target != target)
}
