//! What `check` prints: one view, as text for people and as JSON for programs.

use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::cli::args::ImageArgs;
use crate::cli::next::{numbered, to_write, typed};
use crate::cli::output::text::title;
use crate::cli::output::view::{self, NextView, word};
use crate::cli::session::open::{Opened, Places};
use crate::format::layout::MdIndex;
use crate::format::superblock::{AlState, Format};
use crate::survey::locate::Located;
use crate::units::{Bytes, range_len};
use crate::verdict::check::{Attach, Code, Finding, Judged, Kernel, Severity};

/// Where lines for people are broken.
const COLUMNS: usize = 110;

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct CheckView {
    image: String,
    /// Nothing for a dump.
    image_bytes: Option<u64>,
    levels: Vec<JudgedView>,
    findings: Vec<FindingView>,
    errors: usize,
    warnings: usize,
    notes: usize,
    /// How far mdtool looked.
    searched: &'static str,
    /// What the places of a dump are worth.
    #[serde(skip_serializing_if = "Option::is_none")]
    dump: Option<Places>,
    /// The command that comes next, where one does.
    next_commands: Vec<NextView>,
}

/// A superblock that was judged.
#[derive(Serialize)]
struct JudgedView {
    /// Nothing for one that is no level.
    level: Option<usize>,
    /// The role of a level; of what is none, what it is instead.
    role: String,
    #[serde(serialize_with = "word")]
    format: Format,
    #[serde(serialize_with = "word")]
    index: MdIndex,
    #[serde(serialize_with = "word")]
    state: AlState,
    md_offset: u64,
    /// The device that it was judged on.
    judged_on_bytes: u64,
    /// Each kernel's answer.
    attach: Codes,
    /// What drbdmeta refuses it for, for people.
    drbdmeta: Option<String>,
    /// What was too large to be read, for people.
    not_looked_at: Vec<String>,
    /// Which superblock this is, for people.
    what: String,
    /// Each kernel's answer, for people.
    attach_text: String,
}

/// One finding.
#[derive(Serialize)]
struct FindingView {
    id: &'static str,
    #[serde(serialize_with = "word")]
    severity: Severity,
    level: Option<usize>,
    /// The superblock that it is about, or where that was.
    md_offset: Option<u64>,
    /// The row of the kernel's attach checks.
    row: Option<u8>,
    title: &'static str,
    /// The place in the image; nothing where it has no one place.
    offset: Option<u64>,
    /// How much of it, under the name that it has everywhere, and under an older one.
    bytes: Option<u64>,
    length: Option<u64>,
    found: String,
    meaning: String,
    remedy: String,
    /// Each kernel's answer for this finding alone; nothing where none asks.
    attach: Option<Codes>,
    /// The same, for people.
    attach_text: Option<String>,
    /// Which of `levels` it is about; nothing where there is none.
    #[serde(skip)]
    of: Option<usize>,
}

/// Each kernel's number; 0 where it has no objection.
struct Codes(Attach);

impl Serialize for Codes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let number = |kernel| self.0.of(kernel).map_or(0, Code::number);
        serializer.collect_map(Kernel::ALL.into_iter().map(|kernel| (kernel.name(), number(kernel))))
    }
}

impl CheckView {
    pub(crate) fn of(
        opened: &Opened,
        image: &ImageArgs,
        located: &Located,
        (judged, left): (&[Judged<'_>], &[Finding]),
        next: Option<NextView>,
    ) -> Self {
        let left = left.iter().map(|finding| FindingView::of_what_is_left(opened, image, finding));
        let findings: Vec<FindingView> = judged
            .iter()
            .enumerate()
            .flat_map(|(of, judged)| {
                let words = judged.number.map_or_else(|| typed(image, None), |number| numbered(image, located.levels.len(), number));
                let to_write = judged.number.zip(judged.level).map(|(number, level)| to_write(image, located.levels.len(), number, level));
                let to_write = to_write.unwrap_or_else(|| words.clone());
                let view = move |finding| FindingView::of(opened, (image, &words, &to_write), judged, finding, of);
                judged.findings.iter().map(view).collect::<Vec<_>>()
            })
            .chain(left)
            .collect();
        let count = |severity| findings.iter().filter(|one| one.severity == severity).count();
        Self {
            image: image.image.to_string_lossy().into_owned(),
            image_bytes: opened.known_size().map(Bytes::get),
            levels: judged.iter().map(|one| JudgedView::of(opened, one)).collect(),
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
            findings,
            searched: view::searched(located.searched),
            dump: opened.dump(),
            next_commands: next.into_iter().collect(),
        }
    }
}

impl CheckView {
    /// The command that comes next, where one does.
    pub(crate) fn next(&self) -> Option<&NextView> {
        self.next_commands.first()
    }
}

impl JudgedView {
    fn of(opened: &Opened, judged: &Judged<'_>) -> Self {
        let superblock = judged.candidate.superblock;
        Self {
            level: judged.number,
            role: role(judged),
            format: superblock.format(),
            index: judged.candidate.index,
            state: superblock.al_state(),
            md_offset: opened.image_pos(judged.candidate.at).get(),
            judged_on_bytes: judged.candidate.device.get(),
            attach: Codes(judged.attach),
            drbdmeta: judged.drbdmeta.map(|misfit| misfit.to_string()),
            not_looked_at: judged.not_looked.clone(),
            what: what(judged),
            attach_text: answers(superblock.format(), judged.attach),
        }
    }
}

impl FindingView {
    fn of(
        opened: &Opened,
        (image, words, to_write): (&ImageArgs, &str, &str),
        judged: &Judged<'_>,
        finding: &Finding,
        of: usize,
    ) -> Self {
        let (rule, place) = (finding.rule, finding.place.as_ref());
        let format = judged.candidate.superblock.format();
        Self {
            id: rule.id,
            severity: rule.severity,
            level: judged.number,
            md_offset: Some(opened.image_pos(judged.candidate.at).get()),
            row: rule.row,
            title: rule.title,
            offset: place.map(|place| opened.image_pos(place.start).get()),
            bytes: place.map(|place| range_len(place).get()),
            length: place.map(|place| range_len(place).get()),
            found: finding.found.clone(),
            meaning: finding.meaning.clone(),
            remedy: match opened.dump() {
                // What it is a dump of is not here.
                Some(_) => finding.remedy.clone(),
                None => for_image(&finding.remedy, image, words, to_write),
            },
            attach: finding.attach.map(Codes),
            attach_text: finding.attach.map(|attach| attach.words(format)),
            of: Some(of),
        }
    }

    /// What was found without a superblock.
    fn of_what_is_left(opened: &Opened, image: &ImageArgs, finding: &Finding) -> Self {
        let (rule, place) = (finding.rule, finding.place.as_ref());
        let at = place.map(|place| opened.image_pos(place.start).get());
        let bytes = place.map(|place| range_len(place).get());
        Self {
            id: rule.id,
            severity: rule.severity,
            level: None,
            md_offset: at,
            row: rule.row,
            title: rule.title,
            offset: at,
            bytes,
            length: bytes,
            found: finding.found.clone(),
            meaning: finding.meaning.clone(),
            remedy: for_image(&finding.remedy, image, &typed(image, None), &typed(image, None)),
            attach: None,
            attach_text: None,
            of: None,
        }
    }
}

/// What to do, with the image in the commands' place for it, and what is judged of it as `words`; a command that writes to it
/// in its place takes it as `to_write`.
fn for_image(remedy: &str, image: &ImageArgs, words: &str, to_write: &str) -> String {
    // The option is said there already.
    let alone = ImageArgs {
        stacked: false,
        at: None,
        ..image.clone()
    };
    let stacked = format!("{} --stacked", typed(&alone, None));
    let scan = format!("{} --scan full", typed(&alone, None));
    let at = format!("{} --at", typed(&alone, None));
    remedy
        .replace("IMAGE --stacked", &stacked)
        .replace("IMAGE --scan full", &scan)
        .replace("IMAGE --at", &at)
        .replace("apply-al IMAGE", &format!("apply-al {to_write}"))
        .replace("IMAGE", words)
}

/// `level 1, inner`, or what there is to say of one that is no level.
fn what(judged: &Judged<'_>) -> String {
    match (judged.number, judged.level) {
        (Some(number), Some(level)) => format!("level {number}, {}", level.role),
        (None, Some(_)) if judged.trace.is_some() => "not seen by DRBD".to_owned(),
        (None, Some(_)) => "another resource of this meta device".to_owned(),
        _ => "damaged: a superblock where DRBD looks, whose fields contradict its place".to_owned(),
    }
}

/// The role of a level; of what is none, what it is instead.
fn role(judged: &Judged<'_>) -> String {
    match (judged.trace, judged.level) {
        (Some(trace), _) => trace.word().to_owned(),
        (None, Some(level)) => level.role.to_string(),
        (None, None) => "damaged".to_owned(),
    }
}

/// Prints everything for people.
pub(crate) fn text(view: &CheckView, out: &mut dyn Write) -> io::Result<()> {
    title(&view.image, view.image_bytes, view.dump, out)?;
    for (of, level) in view.levels.iter().enumerate() {
        let JudgedView { what, format, index, md_offset, .. } = level;
        writeln!(out, "\n{what} ({format}, {index}, superblock at byte {md_offset})")?;
        writeln!(out, "  attach: {}", level.attach_text)?;
        if let Some(misfit) = &level.drbdmeta {
            writeln!(out, "  drbdmeta: would refuse: {misfit}")?;
        }
        for one in view.findings.iter().filter(|one| one.of == Some(of)) {
            finding(one, out)?;
        }
        for what in &level.not_looked_at {
            writeln!(out, "  not looked at: {what}")?;
        }
    }
    for one in view.findings.iter().filter(|one| one.of.is_none()) {
        finding(one, out)?;
    }
    if !view.levels.is_empty() || !view.findings.is_empty() {
        writeln!(out, "\n{}", summary(view))?;
    }
    Ok(())
}

fn finding(view: &FindingView, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "\n  {} {}: {}", view.severity, view.id, view.title)?;
    let mut line = |label: &str, text: &str| wrapped(&format!("    {label:8} "), text, out);
    if let Some((offset, bytes)) = view.offset.zip(view.bytes) {
        let bytes = if bytes == 0 { String::new() } else { format!(", {bytes} bytes") };
        line("where:", &format!("byte {offset}{bytes}"))?;
    }
    line("found:", &view.found)?;
    if let Some(words) = &view.attach_text {
        let row = view.row.map(|row| format!("row {row}: "));
        line("attach:", &format!("{}{words}", row.unwrap_or_default()))?;
    }
    line("meaning:", &view.meaning)?;
    line("do:", &view.remedy)
}

/// Prints words behind a label, further lines indented as far as the first.
fn wrapped(label: &str, text: &str, out: &mut dyn Write) -> io::Result<()> {
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

fn summary(view: &CheckView) -> String {
    let counted = [(view.errors, "error"), (view.warnings, "warning"), (view.notes, "note")];
    let counted = counted.into_iter().filter(|(count, _)| *count > 0);
    let told: Vec<String> = counted
        .map(|(count, what)| format!("{count} {what}{}", if count == 1 { "" } else { "s" }))
        .collect();
    let what = if told.is_empty() {
        "no findings".to_owned()
    } else {
        told.join(", ")
    };
    let looked = match view.searched {
        "everything" => "",
        _ => "; stale copies elsewhere were not looked for (--scan full does)",
    };
    format!("{what}{looked}")
}
