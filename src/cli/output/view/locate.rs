//! What `locate` found.

use std::borrow::Cow;

use serde::Serialize;

use crate::cli::output::explain;
use crate::cli::output::view::{
    InsideView, LevelView, PartView, PartitionView, RejectedView, Report, ResidentView, TraceView,
    searched,
};
use crate::cli::session::select::nothing;

/// What `locate` found.
#[derive(Serialize)]
pub(crate) struct LocateView {
    /// As given.
    pub(crate) image: String,
    /// All of it, also where a part was looked at.
    pub(crate) image_bytes: u64,
    /// Outermost first.
    pub(crate) levels: Vec<LevelView>,
    /// What carries a magic and does not count, by position.
    pub(crate) rejected: Vec<RejectedView>,
    pub(crate) traces: Vec<TraceView>,
    /// How many more were rejected.
    pub(crate) rejected_more: u64,
    /// How far mdtool looked.
    searched: &'static str,
    pub(crate) occupants: Vec<ResidentView>,
    partitions: Vec<PartitionView>,
    inside: Vec<InsideView>,
    /// The part that was looked at; nothing where that is the whole image.
    pub(crate) looked_at: Option<PartView>,
    /// What DRBD finds on this disk, for people; nothing where it is the only resource, in its place.
    pub(crate) summary: Option<String>,
    /// What else is to be known, for people.
    pub(crate) notes: Vec<String>,
    pub(crate) next_commands: Vec<NextView>,
}

/// A command that a reader may want next.
#[derive(Serialize)]
pub(crate) struct NextView {
    pub(crate) command: String,
    /// What it is for, for people.
    pub(crate) purpose: Cow<'static, str>,
}

impl LocateView {
    pub(crate) fn of(report: &Report<'_>) -> crate::error::Result<Self> {
        let located = report.located;
        let rejected = located.rejected.iter();
        let inside = located.inside.iter();
        Ok(Self {
            image: report.image.image.to_string_lossy().into_owned(),
            image_bytes: report.opened.image_size().get(),
            levels: report.levels()?,
            rejected: rejected.map(|one| RejectedView::of(report, one)).collect(),
            traces: report.traces(),
            rejected_more: located.rejected_more,
            searched: searched(located.searched),
            occupants: report.occupants()?,
            partitions: report.partitions(),
            inside: inside
                .map(|one| InsideView::of(report.opened, one))
                .collect(),
            looked_at: PartView::of(report),
            summary: if located.levels.is_empty() {
                Some(nothing(located).to_owned())
            } else {
                explain::what_drbd_sees(report)
            },
            notes: explain::notes(report),
            next_commands: explain::next(report)?,
        })
    }
}
