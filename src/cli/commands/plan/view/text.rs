//! A plan as text.

use std::io::{self, Write};

use super::way::StrategyView;
use super::{PlanView, size};
use crate::units::Bytes;

pub(super) fn print(plan: &PlanView, out: &mut dyn Write) -> io::Result<()> {
    verdict(plan, out)?;
    writeln!(out, "\n{}  {}", plan.image, size(Bytes::new(plan.image_bytes)))?;
    writeln!(out, "to adopt: {}", plan.texts.resource)?;
    writeln!(out, "on a disk of {}", size(Bytes::new(plan.target_bytes)))?;
    for (number, (_, way)) in (1..).zip(plan.ways.all()) {
        self::way(number, way, out)?;
    }
    if !plan.on_connect.is_empty() {
        writeln!(out, "\non attaching and connecting, as far as the metadata tells:")?;
    }
    for outlook in &plan.on_connect {
        writeln!(out, "   - {}", outlook.text)?;
    }
    if let Some(peer) = &plan.peer {
        writeln!(out, "\nconnected after adoption, a being this copy and b the peer:\n")?;
        peer.print(out)?;
    }
    next(plan, out)
}

/// What is to be done, before everything else.
fn verdict(plan: &PlanView, out: &mut dyn Write) -> io::Result<()> {
    if let Some(levels) = plan.texts.stack.filter(|_| plan.comes_first.is_none()) {
        writeln!(
            out,
            "A stack of {levels} resources: this is about the outer one, level 0; --stacked is about the inner one"
        )?;
    }
    if !plan.needed && plan.comes_first.is_none() {
        return writeln!(
            out,
            "Nothing to do: the metadata is where DRBD looks on a disk of this size"
        );
    }
    if let Some(first) = &plan.comes_first {
        writeln!(out, "First: {first}")?;
        for hint in &plan.texts.first {
            writeln!(out, "    {hint}")?;
        }
        return Ok(());
    }
    let Some((number, way)) = recommended(plan) else {
        return writeln!(out, "Nothing works here: each way says below why not");
    };
    match &plan.recommended_command {
        Some(command) => writeln!(out, "Recommended: {}\n    {command}", way.title),
        None => writeln!(out, "Recommended: {}: the commands of {number}. below", way.title),
    }
}

fn recommended(plan: &PlanView) -> Option<(u32, &StrategyView)> {
    let mut all = (1..).zip(plan.ways.all());
    all.find(|(_, (key, _))| Some(*key) == plan.recommended)
        .map(|(number, (_, way))| (number, way))
}

fn way(number: u32, way: &StrategyView, out: &mut dyn Write) -> io::Result<()> {
    let answer = match (way.feasible, way.in_place) {
        (true, _) => "feasible",
        (false, true) => "not needed",
        (false, false) => "not feasible",
    };
    writeln!(out, "\n{number}. {}: {answer}", way.title)?;
    for line in way.why_not.iter().chain(&way.notes) {
        writeln!(out, "   {line}")?;
    }
    for command in &way.commands {
        for line in command.lines() {
            writeln!(out, "       {line}")?;
        }
    }
    for warning in &way.warnings {
        writeln!(out, "   warning: {warning}")?;
    }
    Ok(())
}

/// What comes next.
fn next(plan: &PlanView, out: &mut dyn Write) -> io::Result<()> {
    let image = &plan.texts.image;
    let up = plan.texts.name.as_ref().map_or_else(
        || "`drbdadm up` on its resource".to_owned(),
        |name| format!("`drbdadm up {name}`"),
    );
    match &plan.recommended_command {
        Some(command) if command.starts_with("mdtool") => {
            writeln!(out, "next: {command} -n  (shows what it would write, and writes nothing)")?;
            writeln!(out, "then: the same without -n, and {up}")
        }
        _ if plan.comes_first.is_some() => writeln!(out, "next: mdtool check {image}"),
        _ if !plan.needed && plan.texts.stack.is_some() => {
            writeln!(out, "next: the same with --stacked, where the inner resource is meant")?;
            writeln!(out, "next: mdtool check {image}  (where the outer one is)")
        }
        _ if !plan.needed => writeln!(out, "next: mdtool check {image}\nthen: {up}"),
        _ if plan.recommended.is_some() => writeln!(out, "then: {up}"),
        _ => writeln!(out, "next: mdtool plan {image} --target-size SIZE  (for a disk of another size)"),
    }
}
