//! Whether nothing shows that the disk is the one that was changed, and who may live there by now.

use crate::cli::Streams;
use crate::error::Result;
use crate::image::{ImageFile, ReadAt, Window};
use crate::surgery::risks::{AtRisk, reaching};
use crate::transaction::{UndoCheck, UndoFile};
use crate::units::DevPos;

/// What is said of a target that an undo file cannot be held against.
const DOUBTED: &str = "nothing on it shows that it is the disk that was changed: what is there now other disks have as well";

/// What is doubtful about undoing what left nothing to know the disk by, as a wipe does.
pub(super) struct Doubt {
    /// Nothing shows that it is the disk.
    doubted: bool,
    /// Whether its name may be another disk's since, as that of a block device; a file of the recorded name is the one.
    devices: bool,
    /// Who reaches into what would be overwritten, or may: zeros there can be theirs.
    at_risk: Vec<AtRisk>,
}

impl Doubt {
    pub(super) fn of(
        undo: &UndoFile<ImageFile>,
        check: &UndoCheck,
        looked: &[&dyn ReadAt],
    ) -> Result<Self> {
        let doubted = check.is_doubted();
        let mut targets = undo.identity().targets.iter();
        let mut at_risk = Vec::new();
        for (number, target) in looked.iter().enumerate().filter(|_| doubted) {
            let ranges = undo.regions().filter(|one| one.target == number);
            let ranges = ranges.map(|one| one.range.clone());
            let all =
                ranges.reduce(|one, other| one.start.min(other.start)..one.end.max(other.end));
            if let Some(all) = all {
                let [start, end] = [all.start, all.end].map(|at| DevPos::at(at.from_start()));
                at_risk.extend(reaching(Window::whole(*target), &(start..end))?);
            }
        }
        Ok(Self {
            doubted,
            devices: targets.any(|one| one.block_device),
            at_risk,
        })
    }

    /// Whether that is to be asked.
    pub(super) const fn asks(&self) -> bool {
        self.doubted && (self.devices || !self.at_risk.is_empty())
    }

    /// What is said before anything is asked.
    pub(super) fn words(&self) -> Vec<String> {
        let doubted = self.doubted.then(|| DOUBTED.to_owned());
        let risks = self.at_risk.iter();
        let risks =
            risks.map(|one| format!("what is put back overwrites what is there now: {one}"));
        doubted.into_iter().chain(risks).collect()
    }

    /// Says it to somebody who is not asked.
    pub(super) fn warn(&self, name: &str, out: &mut Streams<'_>) {
        for one in &self.at_risk {
            out.tell(format_args!(
                "mdtool: warning: {name}: what is put back overwrites what is there now: {one}"
            ));
        }
    }
}
