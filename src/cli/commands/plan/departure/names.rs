//! What things are called in the commands: as given, as the configuration says, or in capitals where nobody said.

use std::io::Read;

use anyhow::Context;

use crate::cli::commands::plan::args::PlanArgs;
use crate::cli::commands::plan::departure::config::{self, Resource};
use crate::image::open_source;

/// The most that is read of a configuration.
const LONGEST: u64 = 1 << 20;

/// Names for the commands, each safe in a shell.
pub(crate) struct Names {
    pub(crate) resource: String,
    /// The DRBD device, for what is mounted on it.
    pub(crate) device: String,
    /// The disk that is copied.
    pub(crate) disk: String,
    pub(crate) host: String,
    pub(crate) target: String,
}

impl Names {
    pub(crate) fn of(args: &PlanArgs, stacked: bool) -> anyhow::Result<Self> {
        let found = match &args.config {
            None => None,
            Some(path) => {
                let name = || path.display().to_string();
                let mut text = Vec::new();
                let source = open_source(path).with_context(name)?;
                source.take(LONGEST).read_to_end(&mut text).with_context(name)?;
                let resources = config::parse(&String::from_utf8_lossy(&text));
                Some(choose(&resources, args.resource.as_deref(), stacked).with_context(name)?)
            }
        };
        let given = |given: Option<String>, other: &str| {
            given.map_or_else(|| other.to_owned(), |name| quoted(&name))
        };
        let config = |field: fn(&Resource) -> Option<&String>| {
            found.as_ref().and_then(|resource| field(resource).cloned())
        };
        let disk = match &args.device {
            Some(device) => device.display().to_string(),
            None => args.image.image.display().to_string(),
        };
        let minor = args.minor.map(|minor| format!("/dev/drbd{minor}"));
        let resource = args.resource.clone();
        Ok(Self {
            resource: given(resource.or_else(|| config(|found| Some(&found.name))), "RESOURCE"),
            device: given(minor.or_else(|| config(|found| found.device.as_ref())), "/dev/drbdN"),
            disk: quoted(&disk),
            host: given(args.to_host.clone(), "HOST"),
            target: given(args.to_disk.clone(), "DISK"),
        })
    }
}

/// The resource that is meant: the one named, else the only one of its kind.
fn choose(
    resources: &[Resource],
    name: Option<&str>,
    stacked: bool,
) -> anyhow::Result<Resource> {
    if let Some(name) = name {
        let found = resources.iter().find(|resource| resource.name == name);
        return found.cloned().with_context(|| format!("there is no resource {name}"));
    }
    let mut fitting = resources.iter().filter(|resource| resource.stacked == stacked);
    let kind = if stacked { "stacked" } else { "unstacked" };
    let first = fitting.next().with_context(|| format!("there is no {kind} resource"))?;
    anyhow::ensure!(
        fitting.next().is_none(),
        "there are several {kind} resources, expected --resource NAME"
    );
    Ok(first.clone())
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+,%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
