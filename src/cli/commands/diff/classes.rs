//! What differs, held against what bitmaps mark.

use std::ops::Range;

use crate::cli::session::slots::Scale;
use crate::error::Result;
use crate::format::bitmap::SetRuns;
use crate::units::{Bytes, DevPos};

/// What is true of a range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Class {
    /// A resync mends it.
    DifferMarked,
    /// Nobody will mend it.
    DifferUnmarked,
    /// It will be sent for nothing.
    EqualMarked,
}

impl Class {
    /// One word, for programs.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::DifferMarked => "differ_marked",
            Self::DifferUnmarked => "differ_unmarked",
            Self::EqualMarked => "equal_marked",
        }
    }
}

/// A bitmap's runs, as ranges of the device.
struct Marked<'a> {
    runs: SetRuns<'a>,
    scale: Scale,
    head: Option<Range<DevPos>>,
}

impl Marked<'_> {
    fn advance(&mut self) -> Result<()> {
        let run = self.runs.next_run()?;
        self.head = run.map(|run| self.scale.range(&run));
        Ok(())
    }
}

/// Two streams of ranges, what differs and what is marked, merged into one of ranges with a class.
pub(crate) struct Classes<'a> {
    marked: Vec<Marked<'a>>,
    /// What is marked next, as far as it was not shown.
    next: Option<Range<DevPos>>,
    end: DevPos,
}

/// Takes a range with its class.
type Show<'s> = dyn FnMut(Range<DevPos>, Class) + 's;

impl<'a> Classes<'a> {
    /// What is marked among the first `len` bytes, by any of these.
    pub(crate) fn new(runs: Vec<(SetRuns<'a>, Scale)>, len: Bytes) -> Result<Self> {
        let mut marked = Vec::new();
        for (runs, scale) in runs {
            let mut one = Marked {
                runs,
                scale,
                head: None,
            };
            one.advance()?;
            marked.push(one);
        }
        let mut classes = Self {
            marked,
            next: None,
            end: DevPos::at(len),
        };
        classes.next = classes.union()?;
        Ok(classes)
    }

    /// The next marked range: all that touches joined.
    fn union(&mut self) -> Result<Option<Range<DevPos>>> {
        let heads = self.marked.iter().filter_map(|one| one.head.as_ref());
        let Some(start) = heads.map(|head| head.start).min().filter(|start| *start < self.end) else {
            return Ok(None);
        };
        let mut end = start;
        loop {
            let mut grown = false;
            for one in &mut self.marked {
                while let Some(head) = one.head.take_if(|head| head.start <= end) {
                    end = end.max(head.end);
                    one.advance()?;
                    grown = true;
                }
            }
            if !grown {
                return Ok(Some(start..end.min(self.end)));
            }
        }
    }

    /// The next range that differs; they come in order.
    pub(crate) fn differ(&mut self, range: Range<DevPos>, show: &mut Show<'_>) -> Result<()> {
        self.before(range.start, show)?;
        let mut at = range.start;
        while at < range.end {
            let next = self.next.clone().unwrap_or(range.end..range.end);
            if next.start > at {
                let end = next.start.min(range.end);
                show(at..end, Class::DifferUnmarked);
                at = end;
                continue;
            }
            let end = next.end.min(range.end);
            show(at..end, Class::DifferMarked);
            self.pass(end)?;
            at = end;
        }
        Ok(())
    }

    /// Shows what is marked before a position: it is equal.
    fn before(&mut self, position: DevPos, show: &mut Show<'_>) -> Result<()> {
        while let Some(next) = self.next.clone().filter(|next| next.start < position) {
            let end = next.end.min(position);
            show(next.start..end, Class::EqualMarked);
            self.pass(end)?;
        }
        Ok(())
    }

    /// What is marked is shown up to a position.
    fn pass(&mut self, position: DevPos) -> Result<()> {
        if let Some(next) = &mut self.next {
            next.start = position.min(next.end);
            if next.start >= next.end {
                self.next = self.union()?;
            }
        }
        Ok(())
    }

    /// Nothing more differs.
    pub(crate) fn finish(mut self, show: &mut Show<'_>) -> Result<()> {
        self.before(self.end, show)
    }
}
