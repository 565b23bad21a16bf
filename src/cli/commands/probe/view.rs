//! What `probe` prints of one image: a line, an entry of its JSON document, hints.

mod words;

use anyhow::Error;
use serde_json::{Value, json};

use crate::cli::args::{ImageArgs};
use crate::cli::session::open::Opened;
use crate::cli::outcome;
use crate::cli::output::{json as level_json, text, traces};
use crate::cli::session::select::{of_inside, of_partition};
use crate::survey::locate::{Level, Searched, Why};
use crate::survey::traces::Trace;
use crate::units::{Bytes, DevPos};
use crate::verdict::probe::{Answer, Contents, Damage, Held, InPartition, Moved, Probed, Status, Unseen};

/// One image, and what looking at it gave.
pub(crate) struct Report<'a> {
    pub(crate) image: &'a ImageArgs,
    pub(crate) looked: Result<(&'a Opened, &'a Probed), &'a Error>,
}

impl Report<'_> {
    /// The status of this image.
    pub(crate) fn status(&self) -> Status {
        self.looked
            .map_or(Status::Error, |(_, probed)| probed.status())
    }

    /// The size of the DRBD device, where it is to be relied on.
    pub(crate) fn net_size(&self) -> Option<Bytes> {
        self.looked.ok().and_then(|(_, probed)| probed.net_size())
    }

    /// Whether it is a partition's: where its data ends is no position of this image.
    pub(crate) fn is_in_partition(&self) -> bool {
        self.looked
            .is_ok_and(|(_, probed)| matches!(probed.answer, Answer::InPartition(_) | Answer::Held(_)))
    }

    /// `IMAGE: WORD what it is`.
    pub(crate) fn line(&self) -> String {
        let image = self.image.image.display();
        format!("{image}: {} {}", self.status(), self.what())
    }

    /// What was found, in words for people.
    fn what(&self) -> String {
        let (opened, probed) = match self.looked {
            Ok(looked) => looked,
            Err(error) => return format!("{error:#}"),
        };
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
    pub(crate) fn hints(&self) -> Vec<String> {
        let probed = match self.looked {
            Ok((_, probed)) => probed,
            Err(error) => return outcome::hints(error),
        };
        if let Answer::InPartition(one) = &probed.answer {
            let all = std::iter::once(&one.partition).chain(&one.others);
            return all.map(|one| of_partition(self.image, one)).collect();
        }
        if let Answer::Held(one) = &probed.answer {
            return vec![of_inside(self.image, &one.inside)];
        }
        if let Some(trace) = of_trace(probed) {
            return traces::hints(self.image, trace);
        }
        let hint = match &probed.answer {
            _ if !probed.differences.is_empty() => Some(
                "`mdtool locate` shows everything that is on it; it may be another disk than you think",
            ),
            Answer::None(_) => Some(
                "if the metadata is external, give the meta device; if the disk has partitions, give --offset and --size",
            ),
            Answer::Unclean { in_use: true } => {
                Some("something writes to it: probe a snapshot, or when the resource is down")
            }
            Answer::Unclean { in_use: false } => Some(
                "a live or crashed Primary's disk looks so: `mdtool al` shows what its log names, `mdtool apply-al` applies it once nothing else uses the disk",
            ),
            Answer::Moved(Moved::Level { .. }) => {
                Some("`mdtool plan` lists each way to put it where DRBD looks")
            }
            Answer::Moved(Moved::Stray {
                why: Why::Smaller { .. },
                ..
            }) => Some(
                "give the partition's or volume's own device, or its --offset and --size in this image",
            ),
            Answer::Moved(Moved::Stray { .. } | Moved::Retired { .. }) => Some(
                "`mdtool locate --scan full` lists every superblock there is; --at BYTE looks at one alone",
            ),
            Answer::Damaged(Damage::Log(_)) => Some(
                "`mdtool al` shows the log; `mdtool apply-al --mark-all` marks everything out of sync instead",
            ),
            Answer::Damaged(Damage::Refused { .. }) => {
                Some("`mdtool check` explains it, and says what to do")
            }
            Answer::Damaged(_) => Some(
                "keep the disk as it is, or a copy of it: `mdtool locate --scan full` lists every superblock there is",
            ),
            Answer::Unseen(Unseen::NotSearched) => {
                Some("--scan auto looks at everything that holds data")
            }
            Answer::Unseen(Unseen::NotThere { .. }) => {
                Some("without --at everything that holds data is looked at")
            }
            Answer::Unseen(Unseen::CutOff(_)) => {
                Some("the rest of the disk or image is needed for an answer")
            }
            Answer::Clean | Answer::InPartition(_) | Answer::Held(_) | Answer::Unseen(_) => None,
        };
        hint.into_iter().map(str::to_owned).collect()
    }

    /// The entry of one image; docs/json.md documents its fields.
    pub(crate) fn json(&self) -> anyhow::Result<Value> {
        let looked = self.looked.ok();
        let probed = looked.map(|(_, probed)| probed);
        let level = probed.filter(|probed| probed.level().is_some());
        let contents = probed.and_then(|probed| match &probed.answer {
            Answer::None(contents) => Some(contents),
            _ => None,
        });
        Ok(json!({
            "image": self.image.image.to_string_lossy(),
            "image_bytes": looked.map(|(opened, _)| opened.image_size().get()),
            "status": self.status().code(),
            "answer": self.status().to_string(),
            "own_answer": probed.map_or(Status::Error, Probed::own_status).to_string(),
            "what": self.what(),
            "unexpected": probed.map(differences).unwrap_or_default(),
            "device_bytes": self.net_size().map(Bytes::get),
            "level": level.map(|probed| probed.number),
            "levels": match looked {
                Some((opened, probed)) => self.levels(opened, probed)?,
                None => Vec::new(),
            },
            "blank": contents.map(|contents| contents.blank),
            "occupants": looked.zip(contents)
                .map(|((opened, _), contents)| occupants(opened, contents))
                .unwrap_or_default(),
            "searched": probed.map(|probed| searched(probed.located.searched)),
            "partition": looked.and_then(|(opened, probed)| match &probed.answer {
                Answer::InPartition(one) => Some(partition(opened, one)),
                _ => None,
            }),
            "partitions": looked.map(|(opened, probed)| partitions(opened, probed)).unwrap_or_default(),
            "traces": looked.map(|(_, probed)| self.traces(probed)).unwrap_or_default(),
            "inside": looked.and_then(|(opened, probed)| match &probed.answer {
                Answer::Held(one) => Some(held(opened, one)),
                _ => None,
            }),
        }))
    }

    /// What is left of metadata that DRBD does not see, as `locate` has it.
    fn traces(&self, probed: &Probed) -> Vec<Value> {
        let traces = probed.located.traces.iter();
        traces.map(|one| level_json::trace(self.image, one)).collect()
    }

    /// The levels, as `locate` has them.
    fn levels(&self, opened: &Opened, probed: &Probed) -> anyhow::Result<Vec<Value>> {
        let report = text::Report {
            opened,
            image: self.image,
            located: &probed.located,
            first: 0,
        };
        let levels: &[Level] = &probed.located.levels;
        (0..)
            .zip(levels)
            .map(|(number, level)| level_json::level(&report, number, level))
            .collect()
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

/// The one document, whatever the number of images.
pub(crate) fn document(worst: Status, images: &[Value]) -> Value {
    json!({
        "status": worst.code(),
        "answer": worst.to_string(),
        "images": images,
    })
}

fn differences(probed: &Probed) -> Vec<Value> {
    let one = |difference: &crate::verdict::probe::Difference| json!({ "field": difference.name(), "why": difference.to_string() });
    probed.differences.iter().map(one).collect()
}

fn occupants(opened: &Opened, contents: &Contents) -> Vec<Value> {
    let position = |at: DevPos| opened.image_pos(at).get();
    contents
        .occupants
        .iter()
        .map(|occupant| {
            json!({
                "kind": occupant.kind.to_string(),
                "end": occupant.end.map(position),
                "end_offset": occupant.end.map(position),
            })
        })
        .collect()
}

/// The partitions that have metadata, as `locate` has them.
fn partitions(opened: &Opened, probed: &Probed) -> Vec<Value> {
    let partitions = probed.located.partitions.iter();
    partitions
        .map(|one| {
            json!({
                "number": one.number,
                "offset": opened.image_pos(one.start).get(),
                "bytes": one.size.get(),
            })
        })
        .collect()
}

fn held(opened: &Opened, one: &Held) -> Value {
    let mut value = level_json::inside(&one.inside, |at| opened.image_pos(at).get());
    let answer = one.probed.as_ref().map(|probed| probed.own_status().to_string());
    if let Some(object) = value.as_object_mut() {
        object.insert("answer".to_owned(), json!(answer));
    }
    value
}

fn partition(opened: &Opened, one: &InPartition) -> Value {
    json!({
        "number": one.partition.number,
        "offset": opened.image_pos(one.partition.start).get(),
        "bytes": one.partition.size.get(),
        "answer": one.inside.own_status().to_string(),
    })
}

const fn searched(searched: Searched) -> &'static str {
    match searched {
        Searched::Expected => "expected",
        Searched::Tail(_) => "tail",
        Searched::Everything => "everything",
    }
}
