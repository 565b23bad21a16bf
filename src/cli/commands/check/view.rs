//! What `check` prints.

use std::io::Write;
use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::cli::args::{ImageArgs};
use crate::cli::output::document;
use crate::cli::output::amounts::bytes_and_decimal;
use crate::cli::session::open::Opened;
use crate::survey::locate::{Located, Searched};
use crate::units::{Bytes, DevPos};
use crate::format::superblock::Format;
use crate::verdict::check::{Attach, Code, Finding, Judged, Kernel, Severity};

/// Where lines for people are broken.
const COLUMNS: usize = 110;

/// What was judged.
pub(crate) struct Report<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) image: &'a ImageArgs,
    pub(crate) located: &'a Located,
    pub(crate) judged: &'a [Judged<'a>],
}

impl Report<'_> {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.judged.iter().flat_map(|one| &one.findings)
    }

    fn count(&self, severity: Severity) -> usize {
        self.findings()
            .filter(|finding| finding.rule.severity == severity)
            .count()
    }
}

/// `level 1, inner`, or what there is to say of one that is no level.
fn title(judged: &Judged<'_>) -> String {
    match (judged.number, judged.level) {
        (Some(number), Some(level)) => format!("level {number}, {}", level.role),
        (None, Some(_)) if judged.trace.is_some() => "not seen by DRBD".to_owned(),
        (None, Some(_)) => "another resource of this meta device".to_owned(),
        _ => "damaged: a superblock where DRBD looks, whose fields contradict its place".to_owned(),
    }
}

/// Prints everything for people.
pub(crate) fn text(report: &Report<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    match report.opened.dump() {
        Some(dump) => writeln!(out, "{}  {}", report.image.image.display(), dump.words())?,
        None => writeln!(
            out,
            "{}  {}",
            report.image.image.display(),
            bytes_and_decimal(report.opened.image_size())
        )?,
    }
    for judged in report.judged {
        let format = judged.candidate.superblock.format();
        writeln!(
            out,
            "\n{} ({format}, {}, superblock at {})",
            title(judged),
            judged.candidate.index,
            report.opened.image_pos(judged.candidate.at)
        )?;
        writeln!(out, "  attach: {}", answers(format, judged.attach))?;
        if let Some(misfit) = judged.drbdmeta {
            writeln!(out, "  drbdmeta: would refuse: {misfit}")?;
        }
        for finding in &judged.findings {
            self::finding(report, judged, finding, out)?;
        }
        for what in &judged.not_looked {
            writeln!(out, "  not looked at: {what}")?;
        }
    }
    if !report.judged.is_empty() {
        writeln!(out, "\n{}", summary(report))?;
    }
    Ok(())
}

fn finding(
    report: &Report<'_>,
    judged: &Judged<'_>,
    finding: &Finding,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let rule = finding.rule;
    writeln!(out, "\n  {} {}: {}", rule.severity, rule.id, rule.title)?;
    let mut line = |label: &str, text: &str| wrapped(&format!("    {label:8} "), text, out);
    if let Some(place) = &finding.place {
        line("where:", &self::place(report, place))?;
    }
    line("found:", &finding.found)?;
    if let Some(attach) = finding.attach {
        let words = attach.words(judged.candidate.superblock.format());
        let row = rule.row.map(|row| format!("row {row}: "));
        line("attach:", &format!("{}{words}", row.unwrap_or_default()))?;
    }
    line("meaning:", &finding.meaning)?;
    line("do:", &finding.remedy)
}

/// Prints words behind a label, further lines indented as far as the first.
fn wrapped(label: &str, text: &str, out: &mut dyn Write) -> std::io::Result<()> {
    let mut line = label.trim_end().to_owned();
    let indent = label.chars().count();
    let mut words = 0_u32;
    for word in text.split(' ') {
        let column = line.chars().count().max(indent);
        let full = column.saturating_add(word.chars().count()) > COLUMNS;
        if full && words > 0 {
            writeln!(out, "{}", line.trim_end())?;
            line.clear();
            words = 0;
        }
        while words == 0 && line.chars().count() < indent {
            line.push(' ');
        }
        line.push_str(word);
        line.push(' ');
        words = words.saturating_add(1);
    }
    writeln!(out, "{}", line.trim_end())
}

fn place(report: &Report<'_>, place: &Range<DevPos>) -> String {
    let at = report.opened.image_pos(place.start);
    match len(place) {
        0 => format!("{at}"),
        len => format!("{at}, {len} bytes"),
    }
}

fn len(place: &Range<DevPos>) -> u64 {
    place.end.bytes_since(place.start).map_or(0, Bytes::get)
}

/// `drbd 8.4: 119 ERR_MD_INVALID; drbd 9.0, 9.2, 9.3: accepted`.
///
/// That DRBD 9 does not read v08 but in its 8.4 mode is no fault of the metadata: it is said once, and not as a refusal.
pub(crate) fn answers(format: Format, attach: Attach) -> String {
    let v08 = format == Format::V08 && Kernel::ALL.iter().filter(|one| one.is_9()).all(|one| attach.of(*one) == Some(Code::MdInvalid));
    let asked = Kernel::ALL.into_iter().filter(|kernel| !(v08 && kernel.is_9()));
    let mut words = grouped(attach, asked);
    if v08 {
        words.push_str("; drbd 9 takes v08 in its 8.4 mode only");
    }
    words
}

/// The kernels by their answers.
fn grouped(attach: Attach, kernels: impl Iterator<Item = Kernel>) -> String {
    let each = kernels.map(|kernel| {
        let answer = attach.of(kernel);
        let words = answer.map_or_else(|| "accepted".to_owned(), |code| code.to_string());
        (kernel.name(), words)
    });
    let mut groups: Vec<(Vec<&str>, String)> = Vec::new();
    for (name, words) in each {
        match groups.iter_mut().find(|(_, other)| *other == words) {
            Some((names, _)) => names.push(name),
            None => groups.push((vec![name], words)),
        }
    }
    let groups = groups.into_iter();
    groups
        .map(|(names, words)| format!("drbd {}: {words}", names.join(", ")))
        .collect::<Vec<_>>()
        .join("; ")
}

fn summary(report: &Report<'_>) -> String {
    let counted = [Severity::Error, Severity::Warning, Severity::Note]
        .map(|severity| (report.count(severity), severity));
    let told: Vec<String> = counted
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, severity)| format!("{count} {severity}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let what = if told.is_empty() {
        "no findings".to_owned()
    } else {
        told.join(", ")
    };
    let looked = match report.located.searched {
        Searched::Everything => "",
        Searched::Expected | Searched::Tail(_) => {
            "; stale copies elsewhere were not looked for (--scan full does)"
        }
    };
    format!("{what}{looked}")
}

/// Prints one document; docs/json.md has its fields.
pub(crate) fn json(report: &Report<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let levels: Vec<Value> = report
        .judged
        .iter()
        .map(|judged| level(report, judged))
        .collect();
    let findings: Vec<Value> = report
        .judged
        .iter()
        .flat_map(|judged| {
            let one = |finding| self::one(report, judged, finding);
            judged.findings.iter().map(one)
        })
        .collect();
    let mut document = json!({
        "image": report.image.image.to_string_lossy(),
        "image_bytes": report.opened.known_size().map(Bytes::get),
        "levels": levels,
        "findings": findings,
        "errors": report.count(Severity::Error),
        "warnings": report.count(Severity::Warning),
        "notes": report.count(Severity::Note),
        "searched": match report.located.searched {
            Searched::Expected => "expected",
            Searched::Tail(_) => "tail",
            Searched::Everything => "everything",
        },
    });
    report.opened.note_dump(&mut document);
    Ok(document::print(out, document)?)
}

fn level(report: &Report<'_>, judged: &Judged<'_>) -> Value {
    let superblock = judged.candidate.superblock;
    json!({
        "level": judged.number,
        "role": role(judged),
        "format": superblock.format().to_string(),
        "index": judged.candidate.index.to_string(),
        "state": superblock.al_state().to_string(),
        "md_offset": report.opened.image_pos(judged.candidate.at).get(),
        "judged_on_bytes": judged.candidate.device.get(),
        "attach": codes(judged.attach),
        "drbdmeta": judged.drbdmeta.map(|misfit| misfit.to_string()),
        "not_looked_at": judged.not_looked,
    })
}

/// The role of a level; of what is none, what it is instead.
fn role(judged: &Judged<'_>) -> String {
    match (judged.trace, judged.level) {
        (Some(trace), _) => trace.word().to_owned(),
        (None, Some(level)) => level.role.to_string(),
        (None, None) => "damaged".to_owned(),
    }
}

fn one(report: &Report<'_>, judged: &Judged<'_>, finding: &Finding) -> Value {
    let place = finding.place.as_ref();
    json!({
        "id": finding.rule.id,
        "severity": finding.rule.severity.to_string(),
        "level": judged.number,
        "md_offset": report.opened.image_pos(judged.candidate.at).get(),
        "row": finding.rule.row,
        "title": finding.rule.title,
        "offset": place.map(|place| report.opened.image_pos(place.start).get()),
        "length": place.map(len),
        "found": finding.found,
        "meaning": finding.meaning,
        "remedy": finding.remedy,
        "attach": finding.attach.map(codes),
    })
}

/// Each kernel's number; 0 where it has no objection.
fn codes(attach: Attach) -> Value {
    let codes = Kernel::ALL.into_iter().map(|kernel| {
        let number = attach
            .of(kernel)
            .map_or(0, crate::verdict::check::Code::number);
        (kernel.name().to_owned(), Value::from(number))
    });
    Value::Object(codes.collect::<Map<_, _>>())
}
