//! What a level that was found comes to.

use super::Prober;
use crate::error::{Error, Refused, Result};
use crate::format::layout::MdIndex;
use crate::format::superblock::{AlState, DeviceFlags, Format};
use crate::survey::locate::{IndexChoice, Level, Located};
use crate::survey::log::LogState;
use crate::units::Bytes;
use crate::verdict::check::{Candidate, Kernel, Severity, attach, attached_all_the_same};
use crate::verdict::probe::{Answer, Damage, Moved, Probed};

impl Prober<'_> {
    /// What a level comes to: damaged before moved, moved before unclean.
    pub(super) fn judge(&self, located: Located, number: usize) -> Result<Probed> {
        let Some(level) = located.levels.get(number) else {
            return self.nothing(located);
        };
        let around = number
            .checked_sub(1)
            .and_then(|outer| located.levels.get(outer));
        let holder = located.holder(number, self.device.size());
        let answer = match self.state(level, holder)? {
            damaged @ Answer::Damaged(_) => damaged,
            state => self
                .moved(level, holder, around.is_none())
                .map_or(state, Answer::Moved),
        };
        Ok(Probed {
            number,
            ..Probed::of(answer, located)
        })
    }

    /// What kernels would say to the superblock and, where it matters, what the activity log says.
    fn state(&self, level: &Level, holder: Bytes) -> Result<Answer> {
        let superblock = &level.superblock;
        if let Some(damage) = refused(level, holder) {
            return Ok(Answer::Damaged(damage));
        }
        if let Some(why) = attached_all_the_same(superblock).into_iter().next() {
            return Ok(Answer::Damaged(Damage::Unsound { why }));
        }
        let clean = superblock.al_state() == AlState::Clean;
        let primary = superblock.flags().contains(DeviceFlags::PRIMARY_IND);
        if clean && !(primary && superblock.format() == Format::V09) {
            return Ok(Answer::Clean);
        }
        if !primary {
            // Nobody was writing: apply-al empties the log, whatever is in it.
            return Ok(Answer::Unclean { in_use: false });
        }
        if clean {
            return self.applied_log(level);
        }
        match LogState::read(self.device, level, &mut |_| {}) {
            Ok(log) if log.replay.verdict.is_complete() => Ok(Answer::Unclean { in_use: false }),
            Ok(log) => Ok(Answer::Damaged(Damage::Log(log.replay.verdict))),
            Err(Error::Refused(Refused::ActivityLogChanged { .. })) => {
                Ok(Answer::Unclean { in_use: true })
            }
            Err(error) => Err(error),
        }
    }

    /// v09 of a Primary whose log is said to be applied: drbdmeta reads it all the same, and stops where it finds none.
    fn applied_log(&self, level: &Level) -> Result<Answer> {
        match LogState::read(self.device, level, &mut |_| {}) {
            Ok(log) if log.is_refused() => Ok(Answer::Damaged(Damage::Log(log.replay.verdict))),
            Ok(_) => Ok(Answer::Clean),
            Err(Error::Refused(Refused::ActivityLogChanged { .. })) => {
                Ok(Answer::Unclean { in_use: true })
            }
            Err(error) => Err(error),
        }
    }

    /// Where DRBD will look instead; `None` where it looks just there.
    fn moved(&self, level: &Level, device: Bytes, outermost: bool) -> Option<Moved> {
        let index = level.layout.index;
        let asked = self.asked().filter(|asked| match asked {
            MdIndex::Internal | MdIndex::FlexInternal => !index.is_internal(),
            other => *other != index,
        });
        let asked = asked.filter(|_| outermost);
        let expected = asked.unwrap_or(index).superblock_pos(device);
        let made_for_this = !index.is_internal() || level.device == device;
        if asked.is_none() && made_for_this && expected == Some(level.layout.md) {
            return None;
        }
        Some(Moved::Level {
            expected,
            made_for: level.device,
            device,
            asked,
        })
    }

    /// The placement that the caller named.
    const fn asked(&self) -> Option<MdIndex> {
        match self.options.index {
            IndexChoice::Auto => None,
            IndexChoice::Internal => Some(MdIndex::FlexInternal),
            IndexChoice::FlexExternal => Some(MdIndex::FlexExternal),
            IndexChoice::Indexed(slot) => Some(MdIndex::Indexed(slot)),
        }
    }
}

/// The first reason, other than an activity log to be applied, for which a kernel that reads the format would refuse to attach.
fn refused(level: &Level, holder: Bytes) -> Option<Damage> {
    let format = level.superblock.format();
    let findings = attach(&Candidate::of_level(level, holder));
    let refusal = findings.into_iter().find(|finding| {
        let refuses = |kernel: Kernel| {
            let answers = finding.attach.unwrap_or_default();
            kernel.knows(format) && answers.of(kernel).is_some()
        };
        finding.rule.severity == Severity::Error && Kernel::ALL.into_iter().any(refuses)
    })?;
    Some(Damage::Refused {
        rule: refusal.rule.id,
        found: refusal.found,
    })
}
