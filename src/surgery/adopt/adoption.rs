//! Drafting an adoption: what is written where, for each strategy.

use std::ops::{ControlFlow, Range};

use super::AdoptRefusal;
use super::{Obstacle, data, occupied};
use crate::error::{EditRefusal, Refused, Result};
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{AlState, DeviceFlags};
use crate::image::Window;
use crate::surgery::apply_al::{Applied, Gained, Marking, can_be_clean, gained};
use crate::surgery::place::{Former, place_over};
use crate::survey::locate::{Level, Located, superblocks_in};
use crate::survey::log::LogState;
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK, NodeId, Sectors};

/// How far behind the metadata remnants are searched for, where nothing says where they end.
const SEARCHED_BEHIND: Bytes = Bytes::new(1 << 30);

/// What adopting is to change in the metadata.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdoptOptions {
    /// v09: the node to which the disk belongs from now on.
    pub node_id: Option<NodeId>,
    /// Whether an unclean log is applied to the bitmap.
    pub apply_al: bool,
    /// The disk never left its node: node id, flags and log stay as they are, unclean stays unclean.
    pub same_node: bool,
}

/// A resource ready to be placed: what its new superblock says, and what is out of sync.
#[derive(Clone, Debug)]
pub struct Adoption<'a> {
    level: &'a Level,
    device: Window<'a>,
    remnants: Vec<DevPos>,
    header: Header,
    marking: Marking,
    source: Option<NodeId>,
    /// The log is carried over.
    same_node: bool,
    /// The peer whose disk was noted as seen.
    seen: Option<NodeId>,
}

impl<'a> Adoption<'a> {
    /// Reads what there is of a level: its log where it is to be applied, and superblocks around it that are to go.
    ///
    /// # Errors
    ///
    /// [`Obstacle::OtherDevice`] where it is not of the same node; [`Obstacle::Occupied`]; [`Refused::Unclean`]; [`AdoptRefusal::NodeId`] for v09 without one; what moving it to that node
    /// ([`Header::move_to_node`]), its log ([`LogState::extents`]) and reading the device answer.
    pub fn new(
        device: Window<'a>,
        located: &Located,
        level: &'a Level,
        options: AdoptOptions,
    ) -> Result<Self> {
        let internal = level.layout.index.is_internal();
        if !internal && !options.same_node {
            return Err(AdoptRefusal::Obstacle(Obstacle::OtherDevice).into());
        }
        if internal && let Some(obstacle) = occupied(level, device)? {
            return Err(AdoptRefusal::Obstacle(obstacle).into());
        }
        let mut header = Header::of(&level.superblock);
        header.la_size = header.la_size.min(level.layout.usable);
        let (source, marking) = if options.same_node {
            (None, Marking::default())
        } else {
            let source = move_to(&mut header, options.node_id)?;
            (source, apply(device, level, &mut header, options.apply_al)?)
        };
        Ok(Self {
            remnants: if internal {
                remnants(device, located, level)?
            } else {
                Vec::new()
            },
            level,
            device,
            header,
            marking,
            source,
            same_node: options.same_node,
            seen: None,
        })
    }

    /// What the new superblock says.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How many bits each slot gains from the activity log, where that is applied.
    ///
    /// # Errors
    ///
    /// What reading the bitmap meets.
    pub fn gained(&self) -> Result<Gained> {
        gained(self.device, self.level, &self.marking)
    }

    /// Superblocks behind the data, of whatever resource and however old.
    #[must_use]
    pub fn remnants(&self) -> &[DevPos] {
        &self.remnants
    }

    /// The node whose metadata it was, where that is another than the target's.
    #[must_use]
    pub const fn source(&self) -> Option<NodeId> {
        self.source
    }

    /// The node whose disk was noted as seen, so that DRBD 9 does not take all of a larger disk.
    #[must_use]
    pub const fn seen(&self) -> Option<NodeId> {
        self.seen
    }

    /// Drafts the metadata at `layout` of the same disk: at its end, or where it is.
    ///
    /// # Errors
    ///
    /// [`Obstacle::NoRoom`] where it would begin in the data; what [`place_over`] and the draft answer.
    pub fn draft_here(&mut self, draft: &mut Draft<'_>, layout: &MdLayout) -> Result<()> {
        let data = data(self.level);
        let internal = self.level.layout.index.is_internal();
        if internal && layout.whole.start < DevPos::at(data) {
            let metadata = crate::units::range_len(&layout.whole);
            let missing = data.saturating_sub(layout.whole.start.from_start());
            let size = self.device.size();
            return Err(AdoptRefusal::Obstacle(Obstacle::NoRoom {
                data,
                metadata,
                size,
                missing,
            })
            .into());
        }
        self.note_seen(layout.usable);
        self.retire(draft)?;
        self.place(draft, self.device, layout)?;
        self.clean_up(draft, None)
    }

    /// Drafts the metadata where it is, and the cut of a file to `size` behind it.
    ///
    /// # Errors
    ///
    /// As [`Self::draft_here`].
    pub fn draft_cut(&mut self, draft: &mut Draft<'_>, size: Bytes) -> Result<()> {
        let layout = self.level.layout.clone();
        self.note_seen(layout.usable);
        self.retire(draft)?;
        self.place(draft, self.device, &layout)?;
        let behind = self.pos(DevPos::at(size))?..ImagePos::at(draft.target().size());
        self.clean_up(draft, Some(&behind))?;
        if behind.is_empty() {
            return Ok(());
        }
        draft.cut("behind the metadata", behind.start)
    }

    /// Drafts the metadata at the start of a meta device of its own.
    ///
    /// # Errors
    ///
    /// What [`place_over`] and the draft answer.
    pub fn draft_meta(&mut self, draft: &mut Draft<'_>, meta: Window<'_>) -> Result<()> {
        let geometry = self.header.geometry;
        let layout = MdLayout::planned(MdIndex::FlexExternal, geometry, meta.size())
            .map_err(|misfit| AdoptRefusal::Obstacle(Obstacle::Layout(misfit)))?;
        self.note_seen(layout.usable.min(self.device.size().to_sectors_floor()));
        self.place(draft, meta, &layout)
    }

    /// Drafts the move of the metadata from the disk, which is target `image` of the draft, to a meta device of its own, target `meta`: when
    /// it stands there, what is left on the disk is retired.
    ///
    /// # Errors
    ///
    /// As [`Self::draft_meta`]; [`EditRefusal::NoSuchTarget`].
    pub fn draft_external(
        &mut self,
        draft: &mut Draft<'_>,
        image: usize,
        meta: usize,
    ) -> Result<()> {
        draft.turn_to(image)?;
        self.retire(draft)?;
        draft.turn_to(meta)?;
        let device = Window::whole(draft.target());
        self.draft_meta(draft, device)?;
        draft.turn_to(image)?;
        self.clean_up(draft, None)
    }

    /// Drafts the move of the metadata from target `from` of the draft to `layout` of target `to`: when it stands there, what is left where it
    /// was is retired.
    ///
    /// # Errors
    ///
    /// What [`place_over`] and the draft answer; [`EditRefusal::NoSuchTarget`].
    pub fn draft_to(
        &mut self,
        draft: &mut Draft<'_>,
        from: usize,
        to: usize,
        layout: &MdLayout,
    ) -> Result<()> {
        draft.turn_to(from)?;
        self.retire(draft)?;
        draft.turn_to(to)?;
        let device = Window::whole(draft.target());
        self.place(draft, device, layout)?;
        draft.turn_to(from)?;
        self.clean_up(draft, None)
    }

    /// Drafts that no superblock is left on the disk, whose metadata is elsewhere now; the data stays as it is.
    ///
    /// # Errors
    ///
    /// What the draft answers.
    pub fn draft_retirement(&self, draft: &mut Draft<'_>) -> Result<()> {
        self.retire(draft)?;
        self.clean_up(draft, None)
    }

    /// Notes the source's disk as seen where the target has more room than the DRBD device takes.
    fn note_seen(&mut self, usable: Sectors) {
        let la_size = self.header.la_size;
        if let Some(source) = self.source
            && la_size != Sectors::ZERO
            && usable > la_size
        {
            self.header.note_disk_seen(source);
            self.seen = Some(source);
        }
    }

    fn place(&self, draft: &mut Draft<'_>, on: Window<'_>, layout: &MdLayout) -> Result<()> {
        let bitmap = self.level.bitmap(self.device);
        let mut bitmap = Applied::new(bitmap, &self.marking);
        let log = self.level.layout.al.clone();
        let former = Former {
            superblock: &self.level.superblock,
            log: self.same_node.then_some((self.device, log)),
        };
        place_over(draft, on, layout, &self.header, Some(&former), &mut bitmap)
    }

    /// Takes the magic from the level itself and from those around it, before anything else changes.
    fn retire(&self, draft: &mut Draft<'_>) -> Result<()> {
        for at in self.foremost() {
            draft.retire("old superblock", self.pos(at)?)?;
        }
        Ok(())
    }

    /// Where DRBD looks for a superblock, and the level's own; behind the data all of them. What DRBD would attach comes first.
    fn foremost(&self) -> Vec<DevPos> {
        if !self.level.layout.index.is_internal() {
            // A meta device has no data, and its other slots are other resources'.
            return vec![self.level.layout.md];
        }
        let data = DevPos::at(data(self.level));
        let size = self.device.size();
        let looked_at = [MdIndex::FlexInternal, self.level.layout.index];
        let looked_at = looked_at.into_iter();
        let mut places: Vec<_> = looked_at
            .filter_map(|index| index.superblock_pos(size))
            .collect();
        places.push(self.level.layout.md);
        places.retain(|at| *at >= data);
        places
    }

    /// Takes the magic from every other superblock behind the data, when the new one stands.
    fn clean_up(&self, draft: &mut Draft<'_>, except: Option<&Range<ImagePos>>) -> Result<()> {
        let retired = self.foremost();
        for at in self.remnants.iter().filter(|at| !retired.contains(at)) {
            let start = self.pos(*at)?;
            let end = start.checked_add(MD_BLOCK).unwrap_or(start);
            let inside = |range: &Range<ImagePos>| range.start < end && start < range.end;
            if !draft.covers(&(start..end)) && !except.is_some_and(inside) {
                draft.clean_up("remnant", start)?;
            }
        }
        Ok(())
    }

    fn pos(&self, at: DevPos) -> Result<ImagePos> {
        let outside = EditRefusal::Outside {
            at: ImagePos::at(at.from_start()),
            length: MD_BLOCK,
            end: ImagePos::at(self.device.size()),
        };
        Ok(self.device.image_pos(at).ok_or(outside)?)
    }
}

/// Makes it the metadata of the node that it goes to.
fn move_to(header: &mut Header, node_id: Option<NodeId>) -> Result<Option<NodeId>> {
    match (node_id, &header.generation) {
        (Some(node_id), _) => header.move_to_node(node_id),
        (None, Generation::V09(generation)) => {
            let own = generation.node_id;
            Err(AdoptRefusal::NodeId { own }.into())
        }
        (None, Generation::V07(_) | Generation::V08(_)) => Ok(None),
    }
}

/// Replays the log into a marking, and says so in the header.
fn apply(
    device: Window<'_>,
    level: &Level,
    header: &mut Header,
    apply_al: bool,
) -> Result<Marking> {
    let format = header.format();
    let at = level.layout.md;
    let at = device
        .image_pos(at)
        .unwrap_or(ImagePos::at(at.from_start()));
    if header.al_state == AlState::Clean {
        return Ok(Marking::default());
    }
    let log = LogState::read(device, level, &mut |_| {})?;
    // v07 has no place to say that it is clean: what matters is whether its log names anything.
    let needed = can_be_clean(format) || log.primary_ind;
    if needed && !apply_al {
        return Err(Refused::Unclean { at, format }.into());
    }
    let marking = Marking::of(log.extents(at)?, &header.geometry);
    match &mut header.generation {
        Generation::V07(_) => {}
        Generation::V08(generation) => {
            generation.flags = DeviceFlags(generation.flags.0 | DeviceFlags::AL_CLEAN.0);
        }
        Generation::V09(generation) => {
            generation.flags = DeviceFlags(generation.flags.0 | DeviceFlags::AL_CLEAN.0);
        }
    }
    if can_be_clean(format) {
        header.al_state = AlState::Clean;
    }
    Ok(marking)
}

/// Superblocks behind the data, of whatever resource and however old, as far as metadata around this one may reach.
fn remnants(device: Window<'_>, located: &Located, level: &Level) -> Result<Vec<DevPos>> {
    let data = DevPos::at(data(level));
    let size = DevPos::at(device.size());
    let levels = located.levels.iter().map(|level| level.layout.whole.end);
    let rejected = located
        .rejected
        .iter()
        .filter_map(|rejected| rejected.at.checked_add(MD_BLOCK));
    let behind = level.layout.whole.end.checked_add(SEARCHED_BEHIND);
    let end = levels.chain(rejected).chain(behind).max();
    let end = end.unwrap_or(size).min(size);
    let start = data.from_start().align_up(MD_BLOCK).map_or(end, DevPos::at);
    let mut found = Vec::new();
    superblocks_in(device, start..end, &mut |at| {
        found.push(at);
        // As many as a draft takes.
        if found.len() < 1024 {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })?;
    Ok(found)
}
