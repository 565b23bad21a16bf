//! Mending what a check found and what has one right answer.
//!
//! ```text
//! finding  ──▶ Mend ──▶ what the superblock says · what each slot is made of · whether the log is emptied ──▶ draft
//! ```
//!
//! No mend clears a bit of the DRBD device: where it is not known what is out of sync, everything is. What only a person or a configuration
//! knows is not here; docs/checks.md says of each rule why.

use crate::error::Result;
use crate::format::metadata::{Generation, Header, NODE_IDS};
use crate::format::superblock::{AlState, DeviceFlags, Format, Superblock};
use crate::image::Window;
use crate::surgery::edit::{EditedBitmap, Recipe};
use crate::surgery::place::{
    Former, PlaceRefusal, draft_log, image_pos, keep, keep_bitmap, place_over,
};
use crate::survey::locate::Level;
use crate::survey::traces::TraceKind;
use crate::transaction::Draft;
use crate::units::Sectors;
use crate::verdict::check::{Judged, free_slots};

/// Something that can be mended, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Mend {
    /// The magic is put back where zeros are in its place.
    Magic,
    /// Everything is marked out of sync, and the log initialised.
    Log,
    /// A log that nobody needs is initialised.
    BlankLog,
    /// Bits that stand for nothing are cleared.
    BitsBeyondEnd,
    /// Every bit of the free slots is set.
    FreeSlots,
    /// The day-0 UUID of the highest node id is given to all nodes that never were peers, as drbdmeta's `repair-md` does.
    Day0Uuids,
    /// 1 and 8 are written where 0 and 0 mean that.
    Striping,
}

impl Mend {
    /// How a rule's findings are mended; `None` where a person must decide, or nothing is broken.
    #[must_use]
    pub fn of(rule: &str) -> Option<Self> {
        Some(match rule {
            "magic-erased" => Self::Magic,
            "al-unusable" | "al-incomplete" => Self::Log,
            "al-not-initialised" => Self::BlankLog,
            "bits-beyond-end" => Self::BitsBeyondEnd,
            "free-slots-differ" => Self::FreeSlots,
            "day0-uuids-differ" => Self::Day0Uuids,
            "al-striping-unset" => Self::Striping,
            _ => return None,
        })
    }

    /// What is done, in a line.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Magic => "the superblock's magic is put back",
            Self::Log => {
                "everything is marked out of sync, and the activity log initialised: a full sync follows"
            }
            Self::BlankLog => "the activity log is initialised",
            Self::BitsBeyondEnd => "bits beyond the DRBD device's end are cleared",
            Self::FreeSlots => {
                "every bit of the free slots is set: the next peer that is added is synced in full"
            }
            Self::Day0Uuids => {
                "nodes that never were peers get the bitmap UUID of the last of them"
            }
            Self::Striping => "the activity log's striping is said to be 1 and 8",
        }
    }
}

/// A repair of one resource's metadata, ready to be drafted.
#[derive(Clone, Debug)]
pub struct Repair {
    level: Level,
    before: Header,
    /// What the superblock says then.
    header: Header,
    recipes: Vec<Recipe>,
    mends: Vec<(&'static str, Mend)>,
}

impl Repair {
    /// Takes what can be mended of what was found, of these rules or, where none are named, of all; none where that is nothing.
    #[must_use]
    pub fn of(judged: &Judged<'_>, rules: &[&str]) -> Option<Self> {
        // What is not known as a level cannot be written with sense.
        let level = judged.level?;
        let mut mends: Vec<(&'static str, Mend)> = Vec::new();
        for finding in &judged.findings {
            let id = finding.rule.id;
            let asked = rules.is_empty() || rules.contains(&id);
            let mend = Mend::of(id).filter(|mend| asked && applies(*mend, judged));
            if let Some(mend) = mend
                && !mends.iter().any(|(known, _)| *known == id)
            {
                mends.push((id, mend));
            }
        }
        if mends.is_empty() {
            return None;
        }
        let before = Header::of(&level.superblock);
        let recipes = before.geometry.slots().map(Recipe::of);
        let mut repair = Self {
            level: level.clone(),
            header: before.clone(),
            before,
            recipes: recipes.collect(),
            mends: mends.clone(),
        };
        for (_, mend) in mends {
            repair.mend(mend);
        }
        Some(repair)
    }

    /// What is mended: the rule, and how.
    #[must_use]
    pub fn mends(&self) -> &[(&'static str, Mend)] {
        &self.mends
    }

    /// Whose metadata it is.
    #[must_use]
    pub const fn level(&self) -> &Level {
        &self.level
    }

    /// What the superblock says then.
    ///
    /// # Errors
    ///
    /// [`PlaceRefusal::Layout`] where it has no place there.
    pub fn superblock(&self) -> Result<Superblock> {
        let after = self
            .header
            .rewrite(&self.level.superblock, &self.level.layout);
        Ok(after.map_err(PlaceRefusal::Layout)?)
    }

    fn does(&self, mend: Mend) -> bool {
        self.mends.iter().any(|(_, one)| *one == mend)
    }

    /// Whether bits are written anew: without a size there are none that count.
    fn changes_bits(&self) -> bool {
        let bits = [Mend::Log, Mend::BitsBeyondEnd, Mend::FreeSlots];
        self.before.la_size > Sectors::ZERO && bits.into_iter().any(|mend| self.does(mend))
    }

    fn mend(&mut self, mend: Mend) {
        match mend {
            // Written with the superblock, or with what it stands for.
            Mend::Magic | Mend::BlankLog | Mend::BitsBeyondEnd | Mend::Striping => {}
            Mend::Log => {
                self.recipes.fill(Recipe::all());
                self.header.al_state = AlState::Clean;
                let flags = match &mut self.header.generation {
                    Generation::V07(_) => return,
                    Generation::V08(generation) => &mut generation.flags,
                    Generation::V09(generation) => &mut generation.flags,
                };
                *flags = DeviceFlags(flags.0 | DeviceFlags::AL_CLEAN.0);
            }
            Mend::FreeSlots => {
                for slot in free_slots(&self.level.superblock) {
                    let recipe = usize::try_from(slot).ok();
                    if let Some(recipe) = recipe.and_then(|slot| self.recipes.get_mut(slot)) {
                        *recipe = Recipe::all();
                    }
                }
            }
            Mend::Day0Uuids => self.day0_uuids(),
        }
    }

    fn day0_uuids(&mut self) {
        let Generation::V09(generation) = &mut self.header.generation else {
            return;
        };
        let day0: Vec<usize> = (0..NODE_IDS)
            .filter(|node| generation.is_day0_entry(*node))
            .collect();
        let trusted = day0.last().and_then(|last| generation.peers.get(*last));
        let Some(trusted) = trusted.map(|peer| peer.bitmap_uuid) else {
            return;
        };
        for node in day0 {
            if let Some(peer) = generation.peers.get_mut(node) {
                peer.bitmap_uuid = trusted;
            }
        }
    }

    /// Drafts the repair; `window` shows the device that the level lies on.
    ///
    /// # Errors
    ///
    /// What [`place_over`] and the draft answer.
    pub fn draft(&self, draft: &mut Draft<'_>, window: Window<'_>) -> Result<()> {
        let level = &self.level;
        let layout = &level.layout;
        // In a stack the device ends before the disk does.
        let device = window.shortened(level.device).unwrap_or(window);
        let empties = self.does(Mend::Log) || self.does(Mend::BlankLog);
        if self.changes_bits() {
            let slots = level.bitmap(device);
            let mut bitmap = EditedBitmap::new(&slots, &self.before, &self.header, &self.recipes);
            let former = Former {
                superblock: &level.superblock,
                log: (!empties).then(|| (device, layout.al.clone())),
            };
            return place_over(
                draft,
                device,
                layout,
                &self.header,
                Some(&former),
                &mut bitmap,
            );
        }
        let at = image_pos(device, layout.md)?;
        draft.retire("old superblock", at)?;
        if empties {
            keep_bitmap(draft, device, layout)?;
            draft_log(draft, device, layout, self.header.format())?;
        } else {
            keep(draft, device, layout)?;
        }
        draft.commit("superblock", at, &self.superblock()?.to_bytes())
    }
}

/// Whether it is as the mend expects: somebody else's bytes in the magic's place may be the beginning of more, and v07 is not written.
fn applies(mend: Mend, judged: &Judged<'_>) -> bool {
    if mend == Mend::Magic {
        return judged.trace == Some(TraceKind::Erased { found: 0 });
    }
    judged.candidate.superblock.format() != Format::V07
}
