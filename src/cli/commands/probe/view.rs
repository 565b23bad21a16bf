//! What `probe` prints of one image: a line, an entry of its JSON document, hints.

mod words;

use std::fmt::{self, Display};

use anyhow::Error;
use serde::Serialize;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::next::{apply_al, to_write, typed};
use crate::cli::outcome::{self, Asked};
use crate::cli::output::traces;
use crate::cli::output::view::{
    self, InsideView, LevelView, OccupantView, PartitionView, TraceView, word,
};
use crate::cli::session::open::Opened;
use crate::cli::session::select::{of_inside, of_partition};
use crate::survey::locate::{IndexChoice, Why};
use crate::survey::occupants::Occupant;
use crate::survey::traces::{Trace, TraceKind};
use crate::units::Bytes;
use crate::verdict::probe::{Answer, Damage, Difference, Moved, Probed, Status, Unseen};

/// The one document, whatever the number of images.
#[derive(Serialize)]
pub(crate) struct Document<'v> {
    /// The exit status.
    status: u8,
    #[serde(serialize_with = "word")]
    answer: Status,
    images: &'v [ProbeView],
}

impl<'v> Document<'v> {
    pub(crate) const fn new(answer: Status, images: &'v [ProbeView]) -> Self {
        Self {
            status: answer.code(),
            answer,
            images,
        }
    }
}

/// What was found on one image.
#[derive(Serialize)]
pub(crate) struct ProbeView {
    image: String,
    image_bytes: Option<u64>,
    status: u8,
    #[serde(serialize_with = "word")]
    pub(crate) answer: Status,
    /// The answer without what was expected.
    #[serde(serialize_with = "word")]
    own_answer: Status,
    /// The rest of the line, for people.
    what: String,
    /// Each expectation that does not hold.
    unexpected: Vec<Unexpected>,
    /// The size of the DRBD device; nothing where it is not to be relied on.
    pub(crate) device_bytes: Option<u64>,
    /// The level that was probed.
    level: Option<usize>,
    /// Every level found, in a document only: it takes more reading than the answer.
    levels: Vec<LevelView>,
    /// Every byte is known to be zero.
    blank: Option<bool>,
    /// What is there instead of metadata.
    occupants: Vec<Instead>,
    /// How far mdtool looked.
    searched: Option<&'static str>,
    /// The partition that has the metadata.
    partition: Option<Holding<PartitionView>>,
    partitions: Vec<PartitionView>,
    traces: Vec<TraceView>,
    /// The device that has the metadata, where something on the disk holds it.
    inside: Option<Holding<InsideView>>,
    /// Every such device.
    all_inside: Vec<InsideView>,
    /// What to do next, for people.
    pub(crate) hints: Vec<String>,
}

/// An expectation that does not hold.
#[derive(Serialize)]
struct Unexpected {
    field: &'static str,
    /// For people.
    why: String,
}

/// Who lives where metadata was looked for.
#[derive(Serialize)]
struct Instead {
    /// For people.
    kind: String,
    #[serde(flatten)]
    ends: OccupantView,
    /// The kind, as `locate` has it.
    word: &'static str,
}

/// What has the metadata, and the word for it alone.
#[derive(Serialize)]
struct Holding<P> {
    #[serde(flatten)]
    place: P,
    answer: Option<String>,
}

impl Display for ProbeView {
    /// `IMAGE: WORD what it is`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.image, words::sentence(self.answer, &self.what))
    }
}

impl ProbeView {
    /// What looking at an image gave; with `full`, the levels as well. Where reading those fails, the answer is the error.
    pub(crate) fn of(image: &ImageArgs, looked: &anyhow::Result<(Opened, Probed)>, full: bool) -> Self {
        let (opened, probed) = match looked {
            Ok(looked) => looked,
            Err(error) => return Self::error(image, error),
        };
        let report = view::Report {
            opened,
            image,
            located: &probed.located,
            first: 0,
        };
        match full.then(|| report.levels()).transpose() {
            Ok(levels) => Self::found(&report, probed, levels.unwrap_or_default()),
            Err(error) => Self::error(image, &error.into()),
        }
    }

    /// What could not be looked at.
    fn error(image: &ImageArgs, error: &Error) -> Self {
        Self {
            image: image.image.to_string_lossy().into_owned(),
            image_bytes: None,
            status: Status::Error.code(),
            answer: Status::Error,
            own_answer: Status::Error,
            what: format!("{error:#}"),
            unexpected: Vec::new(),
            device_bytes: None,
            level: None,
            levels: Vec::new(),
            blank: None,
            occupants: Vec::new(),
            searched: None,
            partition: None,
            partitions: Vec::new(),
            traces: Vec::new(),
            inside: None,
            all_inside: Vec::new(),
            hints: outcome::hints(error, &Asked::about(image)),
        }
    }

    fn found(report: &view::Report<'_>, probed: &Probed, levels: Vec<LevelView>) -> Self {
        let (opened, answer) = (report.opened, probed.status());
        let contents = match &probed.answer {
            Answer::None(contents) => Some(contents),
            _ => None,
        };
        let occupants = contents.map(|contents| &contents.occupants);
        let differences = probed.differences.iter();
        Self {
            image: report.image.image.to_string_lossy().into_owned(),
            image_bytes: Some(opened.image_size().get()),
            status: answer.code(),
            answer,
            own_answer: probed.own_status(),
            what: what(opened, probed),
            unexpected: differences.map(Unexpected::of).collect(),
            device_bytes: probed.net_size().map(Bytes::get),
            level: probed.level().map(|_| probed.number),
            levels,
            blank: contents.map(|contents| contents.blank),
            occupants: occupants.into_iter().flatten().map(|one| Instead::of(opened, one)).collect(),
            searched: Some(view::searched(probed.located.searched)),
            partition: match &probed.answer {
                Answer::InPartition(one) => Some(Holding {
                    place: PartitionView::of(opened, &one.partition),
                    answer: Some(one.inside.own_status().to_string()),
                }),
                _ => None,
            },
            partitions: report.partitions(),
            traces: report.traces(),
            inside: match &probed.answer {
                Answer::Held(one) => Some(Holding {
                    place: InsideView::of(opened, &one.inside),
                    answer: one.probed.as_ref().map(|probed| probed.own_status().to_string()),
                }),
                _ => None,
            },
            all_inside: report.inside(),
            hints: hints(report.image, probed),
        }
    }

    /// Whether it is a partition's: where its data ends is no position of this image.
    pub(crate) const fn is_in_partition(&self) -> bool {
        self.partition.is_some() || self.inside.is_some()
    }
}

impl Unexpected {
    fn of(difference: &Difference) -> Self {
        Self {
            field: difference.name(),
            why: difference.to_string(),
        }
    }
}

impl Instead {
    fn of(opened: &Opened, occupant: &Occupant) -> Self {
        Self {
            kind: occupant.kind.to_string(),
            ends: OccupantView::of(opened, occupant),
            word: occupant.kind.word(),
        }
    }
}

/// What was found, in words for people.
fn what(opened: &Opened, probed: &Probed) -> String {
    let what = words::what(opened.window(), probed);
    if probed.differences.is_empty() {
        return what;
    }
    let differences: Vec<String> = probed.differences.iter().map(ToString::to_string).collect();
    format!(
        "{}; it is {} {what}",
        differences.join(", "),
        probed.own_status()
    )
}

/// What to do next, the least destructive first.
fn hints(image: &ImageArgs, probed: &Probed) -> Vec<String> {
    if let Answer::InPartition(one) = &probed.answer {
        let all = std::iter::once(&one.partition).chain(&one.others);
        return all.map(|one| of_partition(image, one)).collect();
    }
    if let Answer::Held(one) = &probed.answer {
        let all = std::iter::once(&one.inside).chain(&one.others);
        return all.map(|one| of_inside(image, one)).collect();
    }
    if let Some(trace) = of_trace(probed) {
        let mut hints = traces::hints(image, trace);
        if !probed.located.passed_over(0).is_empty() && matches!(trace.kind, TraceKind::LogAlone { .. }) && !image.stacked {
            hints.push(format!("what a search found may be the inner resource of a stack: `mdtool plan {}` lists every way to make DRBD find that", typed(&ImageArgs { stacked: true, ..image.clone() }, None)));
        }
        return hints;
    }
    let inner = probed.number > 0 && !image.stacked && image.at.is_none();
    let words = typed(image, inner.then_some(LevelChoice::Number(probed.number)));
    let everywhere = typed(&ImageArgs { at: None, ..image.clone() }, None);
    let hint: Option<String> = match &probed.answer {
        _ if !probed.differences.is_empty() => Some(format!("`mdtool locate {words}` shows everything that is on it; it may be another disk than you think")),
        Answer::None(_) => Some("if the metadata is external, give the meta device; if the disk has partitions, give --offset and --size".to_owned()),
        Answer::Unclean { in_use: true } => {
            Some("something writes to it: probe a snapshot, or when the resource is down".to_owned())
        }
        Answer::Unclean { in_use: false } => Some(format!("a live or crashed Primary's disk looks so: `mdtool al {words}` shows what its log names, `mdtool apply-al {words}` applies it once nothing else uses the disk")),
        // What is in its place by another rule is found by that.
        Answer::Moved(Moved::Level { asked: Some(_), made_for, device, .. }) if made_for == device => {
            let any = ImageArgs { index: IndexChoice::Auto, ..image.clone() };
            Some(format!("without that --index it is found: `mdtool locate {}`", typed(&any, None)))
        }
        Answer::Moved(Moved::Level {
            made_for, device, ..
        }) => Some(of_moved(probed.number > 0 && made_for > device, &words)),
        Answer::Moved(Moved::Stray {
            why: Why::Smaller { .. },
            ..
        }) => Some("give the partition's or volume's own device, or its --offset and --size in this image".to_owned()),
        Answer::Moved(Moved::Stray { .. } | Moved::Retired { .. }) => Some(format!("`mdtool locate {everywhere} --scan full` lists every superblock there is; --at BYTE looks at one alone")),
        Answer::Damaged(Damage::Log(_)) => {
            let levels = &probed.located.levels;
            let level = levels.get(probed.number);
            let named = level.map_or_else(|| words.clone(), |level| to_write(image, levels.len(), probed.number, level));
            Some(format!("`mdtool al {words}` shows the log; `{}` marks everything out of sync instead", apply_al(&named, true)))
        }
        Answer::Damaged(Damage::Refused { .. } | Damage::Unsound { .. }) => {
            Some(format!("`mdtool check {words}` explains it, and says what to do"))
        }
        Answer::Damaged(_) => Some(format!("keep the disk as it is, or a copy of it: `mdtool check {words}` judges the superblock field by field, and says what to do")),
        Answer::Unseen(Unseen::NotSearched) => {
            Some("--scan auto looks at everything that holds data".to_owned())
        }
        Answer::Unseen(Unseen::NotThere { .. }) => {
            Some("without --at everything that holds data is looked at".to_owned())
        }
        Answer::Unseen(Unseen::CutOff(_)) => {
            Some("the rest of the disk or image is needed to tell".to_owned())
        }
        Answer::Clean | Answer::InPartition(_) | Answer::Held(_) | Answer::Unseen(_) => None,
    };
    hint.into_iter().collect()
}

/// What to do about metadata that is not where DRBD looks; `beyond` the end of the device around it, or elsewhere.
fn of_moved(beyond: bool, words: &str) -> String {
    if beyond {
        format!("the DRBD device around it is smaller than it was: `mdtool check {words}` says what to do about that")
    } else {
        format!("`mdtool plan {words}` lists each way to put it where DRBD looks")
    }
}

/// The trace that an answer is about.
fn of_trace(probed: &Probed) -> Option<&Trace> {
    let about = matches!(
        probed.answer,
        Answer::Damaged(Damage::Magic { .. } | Damage::UnderWay { .. } | Damage::LogAlone { .. })
            | Answer::Moved(Moved::Retired { .. })
    );
    let trace = probed.located.foremost_trace();
    trace.filter(|_| about && probed.differences.is_empty())
}
