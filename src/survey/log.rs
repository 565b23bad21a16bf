//! A level's activity log, read and replayed.

use super::locate::Level;
use crate::error::{Error, Refused, Result};
use crate::format::activity_log::{AlArea, Entry, Replay, Verdict, replay};
use crate::format::superblock::{AlState, DeviceFlags, Format, MAGIC_84_UNCLEAN, Superblock};
use crate::image::Window;
use crate::units::{AlExtent, DevPos, ImagePos, MD_BLOCK};

/// What a level's activity log says, and what its superblock says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogState {
    /// The log.
    pub replay: Replay,
    /// `MDF_PRIMARY_IND`: the node may have been writing, so the log matters.
    pub primary_ind: bool,
    /// Whether the bitmap already has what an earlier log named.
    pub state: AlState,
    /// Whose log it is.
    pub format: Format,
}

impl LogState {
    /// Reads the log of a level, and shows each place of its ring to `visit`, in order of time.
    ///
    /// # Errors
    ///
    /// As [`replay`].
    pub fn read(device: Window<'_>, level: &Level, visit: &mut dyn FnMut(&Entry)) -> Result<Self> {
        let superblock = &level.superblock;
        let area = AlArea {
            format: superblock.format(),
            unclean_84: matches!(superblock, Superblock::V08(sb) if sb.magic == MAGIC_84_UNCLEAN),
            striping: level.layout.geometry.al,
            al_nr_extents: superblock.al_nr_extents(),
        };
        let mut read = |block: u64, bytes: &mut [u8; 4096]| {
            let at = MD_BLOCK
                .checked_mul(block)
                .and_then(|offset| level.layout.al.start.checked_add(offset));
            // A position beyond 64 bits is outside the device like any other that is.
            device.read_exact_at(at.unwrap_or(DevPos::new(u64::MAX)), bytes)
        };
        Ok(Self {
            replay: replay(&area, &mut read, visit)?,
            primary_ind: superblock.flags().contains(DeviceFlags::PRIMARY_IND),
            state: superblock.al_state(),
            format: superblock.format(),
        })
    }

    /// Whether `drbdmeta`'s apply-al stops at it: a Primary's log that does not show all that was being written, or that has nothing to show.
    ///
    /// It takes v08's word that the log is applied, and v09's only where it finds a log.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        let refused = match &self.replay.verdict {
            Verdict::Complete(_) => false,
            Verdict::Incomplete(_) => self.state == AlState::Unclean,
            Verdict::Unusable(_) => self.state == AlState::Unclean || self.format == Format::V09,
        };
        self.primary_ind && refused
    }

    /// The extents that become out of sync: none where the node was not Primary, as drbdmeta has it.
    ///
    /// # Errors
    ///
    /// [`Refused::LogIncomplete`] where a Primary's log does not show all extents it may have been writing to. Where the superblock says that
    /// the bitmap has them already, what the log shows is enough; v09's has to show something.
    pub fn extents(&self, superblock_at: ImagePos) -> Result<&[AlExtent]> {
        if !self.primary_ind {
            return Ok(&[]);
        }
        if self.is_refused() {
            return Err(Refused::LogIncomplete { at: superblock_at }.into());
        }
        Ok(&self.replay.active)
    }
}

/// Whether a level's log is still to be applied and cannot be: `apply-al` stops at it, and everything has to be marked instead.
///
/// A log that somebody writes to just now is not judged.
///
/// # Errors
///
/// Errors of reading the device.
pub fn cannot_be_applied(device: Window<'_>, level: &Level) -> Result<bool> {
    if level.superblock.al_state() == AlState::Clean {
        return Ok(false);
    }
    match LogState::read(device, level, &mut |_| {}) {
        Err(Error::Refused(Refused::ActivityLogChanged { .. })) => Ok(false),
        log => Ok(log?.is_refused()),
    }
}

/// Whether the log was switched off while it mattered (`MDF_AL_DISABLED`): then it does not say what was being written.
///
/// DRBD does that where `al-updates` is off, where there is no bitmap, and, as Secondary, where the one peer keeps track. `apply-al` does
/// not look at the flag, and leaves it where it is.
#[must_use]
pub fn log_was_off(superblock: &Superblock) -> bool {
    let has = |flag| superblock.flags().contains(flag);
    let mattered = has(DeviceFlags::PRIMARY_IND) || has(DeviceFlags::CRASHED_PRIMARY);
    // v07 has no such flag.
    superblock.format() != Format::V07 && has(DeviceFlags::AL_DISABLED) && mattered
}
