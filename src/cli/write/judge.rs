//! Judging a draft before it is written: what no kernel would attach is no result.

use crate::cli::Streams;
use crate::cli::outcome::Declined;
use crate::cli::write::look::Look;
use crate::cli::write::plan::{Part, Placed};
use crate::format::superblock::Superblock;
use crate::transaction::Block;
use crate::units::ImagePos;
use crate::verdict::check::{
    Attach, Candidate, Finding, Kernel, attached_all_the_same, nobody_attaches, refusing,
};

/// A superblock that a draft would write.
pub(crate) struct Drafted {
    pub(crate) part: Part,
    pub(crate) at: ImagePos,
    pub(crate) block: Block,
}

/// Judges every superblock of a draft by what kernels ask before they attach.
pub(crate) fn judge<'d>(
    drafted: impl Iterator<Item = &'d Drafted>,
    placed: &[Placed<'_>],
    look: &Look,
    force: bool,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    for one in drafted {
        let Some(superblock) = Superblock::decode(&one.block) else {
            continue;
        };
        let home = placed.iter().find(|place| {
            place.part == one.part
                && place.base.checked_add(place.layout.md.from_start()) == Some(one.at)
        });
        let Some(home) = home else {
            return Err(Declined::new(
                format!(
                    "{}: a superblock at {} was drafted where no metadata was planned",
                    look.name(),
                    one.at
                ),
                &[],
            )
            .into());
        };
        let candidate = Candidate {
            superblock: &superblock,
            at: home.layout.md,
            index: home.layout.index,
            device: home.device,
        };
        for fault in attached_all_the_same(&superblock) {
            out.tell(format_args!(
                "mdtool: warning: {}: the result: {fault}",
                look.name()
            ));
        }
        let findings = refusing(&candidate);
        weigh(&findings, &superblock, look, force, out)?;
    }
    Ok(())
}

/// Refuses what no kernel would attach that reads this format, and warns of what some would not.
fn weigh(
    findings: &[Finding],
    superblock: &Superblock,
    look: &Look,
    force: bool,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let Some(first) = findings.first() else {
        return Ok(());
    };
    let format = superblock.format();
    let answers = |kernel: Kernel| findings.iter().find_map(|one| one.attach?.of(kernel));
    let all = Attach::each(answers);
    let what = format!(
        "{}: the result: {} ({}); {}",
        look.name(),
        first.found,
        first.rule.id,
        all.words(format)
    );
    if !nobody_attaches(findings, format) {
        out.tell(format_args!("mdtool: warning: {what}"));
        return Ok(());
    }
    let before = rules_before(look);
    let new = |finding: &&Finding| {
        before
            .as_ref()
            .is_some_and(|before| !before.contains(&finding.rule.id))
    };
    if let Some(new) = findings.iter().find(new) {
        let hint = format!(
            "the metadata did not break the rule {} before, and would then: --force does not write that either",
            new.rule.id
        );
        return Err(Declined::new(what, &[&hint]).into());
    }
    if force {
        out.tell(format_args!(
            "mdtool: warning: {what}; written as it was before (--force)"
        ));
        return Ok(());
    }
    let hint = format!(
        "docs/checks.md has the rule {}; it was broken before: --force writes the metadata as it is",
        first.rule.id
    );
    Err(Declined::new(what, &[&hint]).into())
}

/// The rules that the metadata broke where it is now; `None` where it comes from elsewhere, and is what it is.
fn rules_before(look: &Look) -> Option<Vec<&'static str>> {
    let level = look.chosen()?;
    let candidate = Candidate::of_level(level, look.holder());
    Some(refusing(&candidate).iter().map(|one| one.rule.id).collect())
}
