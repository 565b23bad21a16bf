//! What things are called in the commands: as given, as the configuration says, or in capitals where nobody said.

use std::io::Read;

use anyhow::Context;

use crate::cli::commands::plan::args::PlanArgs;
use crate::cli::commands::plan::departure::config::{self, Host, MetaDisk, Resource, Volume};
use crate::image::{ImageFile, open_source};

/// The most that is read of a configuration.
const LONGEST: u64 = 1 << 20;

/// Names for the commands, each safe in a shell.
pub(crate) struct Names {
    pub(crate) resource: String,
    /// The DRBD device, for what is mounted on it.
    pub(crate) device: String,
    /// The disk that is copied.
    pub(crate) disk: String,
    /// Of a stacked resource, the DRBD device that it is on.
    pub(crate) outer: String,
    pub(crate) host: String,
    pub(crate) target: String,
    /// Where the target has its metadata, unless it is on the same disk.
    pub(crate) target_meta: Option<String>,
    /// Whether the target is on top of another resource, too.
    pub(crate) target_stacked: bool,
    pub(crate) node_id: Option<u8>,
    /// The hosts that the configuration has node ids for.
    pub(crate) peers: Vec<(u8, String)>,
}

impl Names {
    /// `own` is the node id that the metadata has.
    pub(crate) fn of(args: &PlanArgs, stacked: bool, own: Option<u8>) -> anyhow::Result<Self> {
        let found = match &args.config {
            None => Found::default(),
            Some(path) => {
                let name = || path.display().to_string();
                let mut text = Vec::new();
                let source = open_source(path).with_context(name)?;
                source.take(LONGEST).read_to_end(&mut text).with_context(name)?;
                let text = String::from_utf8_lossy(&text);
                if let Some(line) = config::unfinished(&text) {
                    anyhow::bail!(
                        "{}: line {line}: what begins here does not end: the file was cut off",
                        path.display()
                    );
                }
                let resources = config::parse(&text);
                Found::of(&resources, args, stacked, own).with_context(name)?
            }
        };
        let or = |name: Option<String>, other: &str| {
            name.map_or_else(|| other.to_owned(), |name| quoted(&name))
        };
        let image = &args.image.image;
        let is_device = ImageFile::open(image).and_then(|image| image.is_block_device());
        let is_device = is_device.unwrap_or(false);
        let disk = match &args.device {
            Some(device) => device.display().to_string(),
            None => found
                .disk
                .filter(|_| !is_device)
                .unwrap_or_else(|| image.display().to_string()),
        };
        let minor = args.minor.map(|minor| format!("/dev/drbd{minor}"));
        Ok(Self {
            resource: or(args.resource.clone().or(found.resource), "RESOURCE"),
            device: or(minor.or(found.here.device), "/dev/drbdN"),
            disk: quoted(&disk),
            outer: or(found.outer, "OUTER-DEVICE"),
            host: or(args.to_host.clone().or(found.host), "HOST"),
            target: or(args.to_disk.clone().or(found.there.disk), "DISK"),
            target_meta: match found.there.meta_disk {
                Some(MetaDisk::Flexible(meta)) => Some(quoted(&meta)),
                _ => None,
            },
            target_stacked: found.target_stacked,
            node_id: args.node_id.or(found.node_id),
            peers: found.peers,
        })
    }
}

/// What a configuration says of this departure.
#[derive(Default)]
struct Found {
    resource: Option<String>,
    here: Volume,
    disk: Option<String>,
    outer: Option<String>,
    host: Option<String>,
    there: Volume,
    target_stacked: bool,
    node_id: Option<u8>,
    peers: Vec<(u8, String)>,
}

impl Found {
    fn of(
        resources: &[Resource],
        args: &PlanArgs,
        stacked: bool,
        own: Option<u8>,
    ) -> anyhow::Result<Self> {
        let resource = choose(resources, args.resource.as_deref(), stacked)?;
        let here = here(resource, args, own);
        let there = there(resource, args, here);
        let number = volume(resource, args, here)?;
        let lower = |host: Option<&Host>| {
            let name = host?.lower.as_deref()?;
            resources.iter().find(|resource| resource.name == name)
        };
        let mut found = Self {
            resource: Some(resource.name.clone()),
            host: there.and_then(|host| host.names.first().cloned()),
            target_stacked: there.is_some_and(|host| host.lower.is_some()),
            node_id: there.and_then(|host| host.node_id),
            ..Self::default()
        };
        if let Some(here) = here {
            found.here = resource.volume(here, number);
            found.disk = found.here.disk.clone();
        }
        if let Some(there) = there {
            found.there = resource.volume(there, number);
        }
        if let Some(lower) = lower(here) {
            found.outer = agreed(lower, |volume| volume.device);
            found.disk = agreed(lower, |volume| volume.disk);
        }
        if let Some(lower) = lower(there) {
            found.there.disk = agreed(lower, |volume| volume.device);
        }
        if let Some(MetaDisk::Indexed(meta)) = &found.there.meta_disk {
            anyhow::bail!("the target's meta-disk is one of several on {meta}, expected internal metadata there, or a device of its own");
        }
        if let Some((given, said)) = args.node_id.zip(found.node_id) {
            anyhow::ensure!(given == said, "the target has node-id {said}, expected {given}, as --node-id says");
        }
        let peers = resource.hosts.iter().filter(|host| host.lower.is_none());
        let named = peers.filter_map(|host| Some((host.node_id?, host.names.first()?.clone())));
        found.peers = named.collect();
        Ok(found)
    }
}

/// The side that is left.
fn here<'r>(resource: &'r Resource, args: &PlanArgs, own: Option<u8>) -> Option<&'r Host> {
    let hosts = &resource.hosts;
    if own.is_some()
        && let Some(host) = hosts.iter().find(|host| host.node_id == own)
    {
        return Some(host);
    }
    let other = |host: &&Host| {
        let names = args.to_host.as_ref();
        names.is_none_or(|name| !host.names.contains(name))
    };
    let mut stacks = hosts.iter().filter(|host| host.lower.is_some());
    if let (Some(stack), None) = (stacks.next(), stacks.next()) {
        return Some(stack);
    }
    let others: Vec<&Host> = hosts.iter().filter(other).collect();
    if let ([host], true) = (&others[..], args.to_host.is_some()) {
        return Some(host);
    }
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let mut named = hosts.iter().filter(|host| host.names.iter().any(|one| *one == name));
    named.next()
}

/// The side that the copy goes to: as said, else the only other one.
fn there<'r>(
    resource: &'r Resource,
    args: &PlanArgs,
    here: Option<&Host>,
) -> Option<&'r Host> {
    let hosts = &resource.hosts;
    if let Some(name) = &args.to_host {
        return hosts.iter().find(|host| host.names.contains(name));
    }
    if args.node_id.is_some() {
        return hosts.iter().find(|host| host.node_id == args.node_id);
    }
    let here = here?;
    let mut others = hosts.iter().filter(|host| *host != here);
    others.next().filter(|_| others.next().is_none())
}

/// The volume that is meant: of the minor number, or on the disk, that was named, else the only one.
fn volume(resource: &Resource, args: &PlanArgs, here: Option<&Host>) -> anyhow::Result<u32> {
    let numbers = resource.volumes();
    let minor = args.minor.map(|minor| format!("/dev/drbd{minor}"));
    let disk = args.device.as_ref().unwrap_or(&args.image.image);
    let is_meant = |number: &&u32| {
        let Some(here) = here else { return false };
        let volume = resource.volume(here, **number);
        (minor.is_some() && volume.device == minor)
            || volume.disk.is_some_and(|found| disk.as_os_str() == found.as_str())
    };
    match (numbers.iter().find(is_meant), &numbers[..]) {
        (Some(number), _) | (None, [number]) => Ok(*number),
        _ => anyhow::bail!(
            "resource {} has {} volumes, expected --minor N or --device PATH as one of them has it",
            resource.name,
            numbers.len()
        ),
    }
}

/// What all hosts of a resource say, or the one that we are on.
fn agreed(resource: &Resource, of: fn(Volume) -> Option<String>) -> Option<String> {
    let number = resource.volumes().first().copied()?;
    let said = |host: &Host| of(resource.volume(host, number));
    let (first, rest) = resource.hosts.split_first()?;
    let value = said(first);
    if rest.iter().all(|host| said(host) == value) {
        return value;
    }
    let system = rustix::system::uname();
    let name = system.nodename().to_string_lossy();
    let mut hosts = resource.hosts.iter();
    hosts
        .find(|host| host.names.iter().any(|one| *one == name))
        .and_then(said)
}

/// The resource that is meant: the one named, else the only one of its kind.
fn choose<'r>(
    resources: &'r [Resource],
    name: Option<&str>,
    stacked: bool,
) -> anyhow::Result<&'r Resource> {
    if let Some(name) = name {
        let found = resources.iter().find(|resource| resource.name == name);
        return found.with_context(|| format!("there is no resource {name}"));
    }
    let mut fitting = resources.iter().filter(|resource| resource.is_stacked() == stacked);
    let kind = if stacked { "stacked" } else { "unstacked" };
    let first = fitting.next().with_context(|| format!("there is no {kind} resource"))?;
    anyhow::ensure!(
        fitting.next().is_none(),
        "there are several {kind} resources, expected --resource NAME"
    );
    Ok(first)
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
