//! One look at one device: in its place first, then everywhere, then for what is left.

mod answers;
mod level;

use answers::{damaged, internal_misfit, just, left, of_trace, unseen};

use super::{Answer, Damage, Moved, ProbeOptions, Probed, Unseen, Which};
use crate::error::{Corrupt, Error, Result, Unsupported};
use crate::format::layout::{MdIndex, MdLayout};
use crate::image::Window;
use crate::survey::contents::Contents;
use crate::survey::file_form::{BEGINNING, recognise};
use crate::survey::locate::{
    FoundBy, IndexChoice, Level, LocateOptions, Located, Rejected, Role, ScanMode, Why, locate,
    locate_at, located_at, smaller_device,
};
use crate::survey::places;
use crate::survey::plausibility::is_plausible;
use crate::survey::traces::{TraceKind, superblock_at};
use crate::units::{Bytes, DevPos};

/// One look.
pub(super) struct Prober<'a> {
    pub(super) device: Window<'a>,
    pub(super) options: ProbeOptions,
    /// Whether the device is a part of another: a DRBD device inside another's metadata, or a partition.
    pub(super) nested: bool,
}

impl<'a> Prober<'a> {
    pub(super) const fn new(device: Window<'a>, options: ProbeOptions) -> Self {
        Self {
            device,
            options,
            nested: false,
        }
    }

    pub(super) fn look(&self) -> Result<Probed> {
        if self.device.size() == Bytes::ZERO {
            return Ok(unseen(Unseen::Empty));
        }
        if let Some(at) = self.options.at {
            return self.given(at);
        }
        let quick = self.locate(self.options.index, ScanMode::Never)?;
        if let Some(interrupted) = quick.under_way().and_then(of_trace) {
            return Ok(Probed::of(interrupted, quick));
        }
        if self.options.scan != ScanMode::Full
            && let Some(number) = self.wanted(&quick)
        {
            return self.judge(quick, number);
        }
        if let Some(probed) = self.held(&quick)? {
            return Ok(probed);
        }
        if quick.levels.is_empty() {
            self.refuse_foreign()?;
            if !quick.partitions.is_empty()
                && let Some(probed) = self.in_partitions(&quick)?
            {
                return Ok(probed);
            }
            if let Some(probed) = self.damaged_in_place()? {
                return Ok(probed);
            }
            let erased = quick.trace_of(|kind| matches!(kind, TraceKind::Erased { .. }));
            // Whoever asks for the inner one does not ask what is left of the outer one.
            let erased = erased.filter(|_| !self.asks_for_inner());
            if let Some(erased) = erased.and_then(of_trace) {
                return Ok(Probed::of(erased, quick));
            }
        }
        if self.options.scan == ScanMode::Never {
            return Ok(self.unsearched(quick));
        }
        self.search()
    }

    /// Searches everything, and says of all that it found what it comes to.
    fn search(&self) -> Result<Probed> {
        let (index, scan) = match self.options.index {
            IndexChoice::Auto | IndexChoice::Internal => (IndexChoice::Auto, self.options.scan),
            // What lies elsewhere on a meta device is found by looking at all of it.
            IndexChoice::FlexExternal | IndexChoice::Indexed(_) => {
                (IndexChoice::Auto, ScanMode::Full)
            }
        };
        let located = self.locate(index, scan)?;
        if let Some(interrupted) = located.under_way().and_then(of_trace) {
            return Ok(self.about_missing(interrupted, located));
        }
        if let Some(probed) = self.held(&located)? {
            return Ok(probed);
        }
        if let Some(probed) = self.in_partitions(&located)? {
            return Ok(probed);
        }
        if let Some(number) = self.wanted(&located) {
            let passed_over = located.passed_over(number).into_iter();
            let mut passed_over = passed_over
                .filter(|trace| trace.kind == TraceKind::Retired || !self.asks_for_inner());
            if let Some(answer) = passed_over.next().and_then(of_trace) {
                return Ok(self.about_missing(answer, located));
            }
            return self.judge(located, number);
        }
        if self.options.which != Which::Outermost && !located.levels.is_empty() {
            return self.inside(located);
        }
        self.nothing(located)
    }

    fn locate(&self, index: IndexChoice, scan: ScanMode) -> Result<Located> {
        let options = LocateOptions {
            index,
            scan,
            stacked: self.options.which != Which::Outermost,
        };
        locate(self.device, &options)
    }

    /// The number of the level that is asked about, where it was found.
    fn wanted(&self, located: &Located) -> Option<usize> {
        let last = located.levels.len().checked_sub(1)?;
        let first = located.levels.first()?;
        match self.options.which {
            Which::Outermost => (!self.is_another_slot(first)).then_some(0),
            Which::Innermost | Which::Last => {
                (last > 0 || first.role == Role::Inner).then_some(last)
            }
            Which::Number(number) => (number <= last).then_some(number),
        }
    }

    /// Whether the inner resource of a stack is meant, whatever became of the outer one.
    const fn asks_for_inner(&self) -> bool {
        matches!(self.options.which, Which::Innermost | Which::Last)
    }

    /// Whether it is another resource's, in another slot of the meta device than the one asked about.
    fn is_another_slot(&self, level: &Level) -> bool {
        match (self.options.index, level.layout.index) {
            (IndexChoice::Indexed(asked), MdIndex::Indexed(slot)) => asked != slot,
            _ => false,
        }
    }

    /// Every placement whose superblock DRBD might look for.
    fn places(&self) -> Vec<(MdIndex, DevPos)> {
        let places = places::outermost(self.options.index, self.device.size());
        let with_place = |place: places::Place| (place.index, place.at);
        places.into_iter().map(with_place).collect()
    }

    /// Refuses what is recognised as something else than a raw image.
    fn refuse_foreign(&self) -> Result<()> {
        if self.nested {
            // The image is a raw one: it has an outer resource's metadata in its place, or a partition table.
            return Ok(());
        }
        let mut beginning = [0; BEGINNING];
        let len = self.device.size().to_usize().unwrap_or(BEGINNING);
        if let Some(beginning) = beginning.get_mut(..len.min(BEGINNING)) {
            self.device.read_exact_at(DevPos::START, beginning)?;
        }
        match recognise(&beginning) {
            Some(foreign) => Err(Unsupported::FileForm(foreign).into()),
            None => Ok(()),
        }
    }

    /// A superblock where DRBD looks that does not count there: made for a device a few sectors larger or smaller, or damaged.
    fn damaged_in_place(&self) -> Result<Option<Probed>> {
        for (index, at) in self.places() {
            let Some(superblock) = superblock_at(self.device, at)? else {
                continue;
            };
            match locate_at(self.device, at, IndexChoice::Auto) {
                Ok(level) if self.is_another_slot(&level) => continue,
                Ok(level) => return self.judge(just(level), 0).map(Some),
                Err(error @ Error::Io(_)) => return Err(error),
                Err(_) => {}
            }
            if !is_plausible(&superblock, at) && self.is_somebody_s(at)? {
                continue;
            }
            if smaller_device(&superblock, at).is_some()
                && let Some(probed) = self.in_partitions(&Located::default())?
            {
                // The last partition ends with the device.
                return Ok(Some(probed));
            }
            if let Err(misfit) = MdLayout::of(&superblock, index, self.device.size()) {
                return Ok(Some(damaged(at, &superblock, misfit, true)));
            }
        }
        Ok(None)
    }

    /// Whether something that says its size has this position.
    fn is_somebody_s(&self, at: DevPos) -> Result<bool> {
        let contents = Contents::of(self.device)?;
        Ok(contents
            .occupants
            .iter()
            .any(|occupant| occupant.end.is_none_or(|end| end > at)))
    }

    /// The answer where nothing is in its place and nobody wants a search.
    fn unsearched(&self, located: Located) -> Probed {
        let left = left(&located).filter(|_| located.levels.is_empty());
        let answer = left.unwrap_or(Answer::Unseen(Unseen::NotSearched));
        self.about_missing(answer, located)
    }

    /// The answer where no level is what was asked about: what does not count may still be what is left of it.
    fn nothing(&self, located: Located) -> Result<Probed> {
        for rejected in &located.rejected {
            if let Some(answer) = self.reconsidered(rejected)? {
                return Ok(self.about_missing(answer, located));
            }
        }
        let answer = if let Some(left) = left(&located) {
            left
        } else {
            let contents = Contents::of(self.device)?;
            match contents.beyond(self.device) {
                Some(occupant) => Answer::Unseen(Unseen::CutOff(occupant)),
                None => Answer::None(contents),
            }
        };
        Ok(self.about_missing(answer, located))
    }

    /// An answer about a level that is not among those found.
    fn about_missing(&self, answer: Answer, located: Located) -> Probed {
        let number = match self.options.which {
            _ if located.levels.is_empty() => 0,
            Which::Number(number) => number,
            Which::Outermost | Which::Innermost | Which::Last => located.levels.len(),
        };
        Probed {
            number,
            ..Probed::of(answer, located)
        }
    }

    /// What a superblock that does not count comes to: metadata all the same, or data that looks like it.
    fn reconsidered(&self, rejected: &Rejected) -> Result<Option<Answer>> {
        let Some(superblock) = superblock_at(self.device, rejected.at)? else {
            return Ok(None);
        };
        if !is_plausible(&superblock, rejected.at) {
            return Ok(None);
        }
        let Rejected { at, format, why } = *rejected;
        let misfit = match why {
            Why::Misfit(misfit) => Some(misfit),
            // External by the sign of an offset that external metadata does not have.
            Why::External => internal_misfit(&superblock, at),
            Why::Outside { .. } | Why::Leftover { .. } | Why::Smaller { .. } => None,
            Why::Stale { .. } | Why::OtherSlot { .. } | Why::OtherIndex { .. } => return Ok(None),
        };
        Ok(Some(match misfit {
            Some(misfit) => Answer::Damaged(Damage::Superblock {
                at,
                format,
                misfit,
                in_place: self.is_place(at),
            }),
            None => Answer::Moved(Moved::Stray { at, format, why }),
        }))
    }

    /// Whether DRBD might look there.
    fn is_place(&self, at: DevPos) -> bool {
        self.places().iter().any(|(_, place)| *place == at)
    }

    /// Looks inside the innermost level found as if its DRBD device were the image.
    fn inside(&self, mut located: Located) -> Result<Probed> {
        let found = located.levels.len();
        let Some(outer) = located.levels.last() else {
            return self.nothing(located);
        };
        let device = outer
            .drbd_device()
            .to_bytes()
            .and_then(|size| self.device.shortened(size))
            .filter(|_| outer.layout.index.is_internal());
        let innermost = found.saturating_sub(1);
        let Some(device) = device else {
            if self.options.which == Which::Last {
                return self.judge(located, innermost);
            }
            let answer = Answer::Unseen(Unseen::DataElsewhere);
            return Ok(self.about_missing(answer, located));
        };
        let which = match self.options.which {
            Which::Number(number) if number > found => Which::Number(number.saturating_sub(found)),
            _ => Which::Outermost,
        };
        let inside = Prober {
            device,
            options: ProbeOptions {
                index: IndexChoice::Internal,
                which,
                ..self.options
            },
            nested: true,
        };
        let mut inner = inside.look()?;
        let copy = inner
            .level()
            .filter(|level| level.found_by == FoundBy::Scan);
        if copy.is_some_and(|level| located.is_older_copy(&level.superblock)) {
            // What the resource itself left behind is no inner one.
            inner = Probed::of(Answer::None(Contents::of(device)?), Located::default());
        }
        if matches!(inner.answer, Answer::None(_)) {
            // What lies outside the outer DRBD device may have been inside when that was larger.
            for rejected in &located.rejected {
                if let Some(answer) = self.reconsidered(rejected)? {
                    inner.answer = answer;
                    break;
                }
            }
        }
        if self.options.which == Which::Last && matches!(inner.answer, Answer::None(_)) {
            return self.judge(located, innermost);
        }
        located.levels.extend(inner.located.levels);
        located.searched = located.searched.max(inner.located.searched);
        Ok(Probed {
            number: found.saturating_add(inner.number),
            ..Probed::of(inner.answer, located)
        })
    }

    /// The superblock that the caller says is at `at`.
    fn given(&self, at: DevPos) -> Result<Probed> {
        match located_at(self.device, at, self.options.index) {
            Ok(located) => match left(&located) {
                Some(answer) => Ok(Probed::of(answer, located)),
                None => self.judge(located, 0),
            },
            Err(Error::Corrupt(Corrupt::Magic { .. })) => Ok(unseen(Unseen::NotThere { at })),
            Err(Error::Corrupt(Corrupt::Superblock { format, misfit, .. })) => Ok(Probed::of(
                Answer::Damaged(Damage::Superblock {
                    at,
                    format,
                    misfit,
                    in_place: self.is_place(at),
                }),
                Located::default(),
            )),
            Err(Error::Corrupt(
                Corrupt::External { format, .. } | Corrupt::Elsewhere { format, .. },
            )) => Ok(Probed::of(
                Answer::Moved(Moved::Stray {
                    at,
                    format,
                    why: Why::External,
                }),
                Located::default(),
            )),
            Err(error) => Err(error),
        }
    }
}
