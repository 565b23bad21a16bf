//! What is needed of a DRBD configuration: resources, their hosts, disks and node ids. What it does not know, it passes by.

use std::collections::BTreeMap;

/// A resource, as far as its section says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    /// What holds for every host that does not say otherwise.
    common: Volumes,
    pub(crate) hosts: Vec<Host>,
}

/// One host of a resource, or one stack that it is on top of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Host {
    /// Several, where an address moves between them; none for a floating one.
    pub(crate) names: Vec<String>,
    /// The resource below it.
    pub(crate) lower: Option<String>,
    pub(crate) node_id: Option<u8>,
    volumes: Volumes,
}

/// What belongs to one volume.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    /// `/dev/drbd10`, where it says so or names a minor number.
    pub(crate) device: Option<String>,
    pub(crate) disk: Option<String>,
    pub(crate) meta_disk: Option<MetaDisk>,
}

/// Where the metadata is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MetaDisk {
    Internal,
    /// On a device of its own, all of it.
    Flexible(String),
    /// One of several on a device.
    Indexed(String),
}

/// By number; what stands outside of a volume section is at `None`.
type Volumes = BTreeMap<Option<u32>, Volume>;

impl Resource {
    /// Whether it is stacked on another.
    pub(crate) fn is_stacked(&self) -> bool {
        self.hosts.iter().any(|host| host.lower.is_some())
    }

    /// The numbers of its volumes.
    pub(crate) fn volumes(&self) -> Vec<u32> {
        let hosts = self.hosts.iter().map(|host| &host.volumes);
        let all = hosts.chain([&self.common]).flat_map(BTreeMap::keys);
        let mut numbers: Vec<u32> = all.filter_map(|number| *number).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() {
            numbers.push(0);
        }
        numbers
    }

    /// What holds for a volume on a host.
    pub(crate) fn volume(&self, host: &Host, number: u32) -> Volume {
        let mut found = Volume::default();
        for (volumes, number) in [
            (&host.volumes, Some(number)),
            (&host.volumes, None),
            (&self.common, Some(number)),
            (&self.common, None),
        ] {
            let Some(said) = volumes.get(&number).cloned() else {
                continue;
            };
            found.device = found.device.or(said.device);
            found.disk = found.disk.or(said.disk);
            found.meta_disk = found.meta_disk.or(said.meta_disk);
        }
        found
    }
}

/// What a section that is open is about.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Resource,
    Host,
    Volume(u32),
    Other,
}

/// Every resource in a text, in its order.
pub(crate) fn parse(text: &str) -> Vec<Resource> {
    let mut resources: Vec<Resource> = Vec::new();
    let mut open: Vec<Section> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    for token in tokens(text) {
        match token.as_str() {
            "{" => {
                let section = begin(&words, &open, &mut resources);
                open.push(section);
                words.clear();
            }
            "}" => {
                open.pop();
                words.clear();
            }
            ";" => {
                if let Some(resource) = resources.last_mut() {
                    statement(&words, &open, resource);
                }
                words.clear();
            }
            _ => words.push(token),
        }
    }
    resources
}

/// The line of what has no end: a section, a statement, or what is in quotes.
pub(crate) fn unfinished(text: &str) -> Option<usize> {
    let mut line = 1_usize;
    let (mut sections, mut statement) = (Vec::new(), None);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\n' => line = line.saturating_add(1),
            '#' => {
                if chars.by_ref().any(|c| c == '\n') {
                    line = line.saturating_add(1);
                }
            }
            '"' => {
                let begins = *statement.get_or_insert(line);
                let quoted = chars.as_str().split_once('"');
                let Some((quoted, rest)) = quoted else {
                    return Some(begins);
                };
                line = line.saturating_add(quoted.matches('\n').count());
                chars = rest.chars();
            }
            '{' => sections.push(statement.take().unwrap_or(line)),
            '}' => {
                sections.pop();
                statement = None;
            }
            ';' => statement = None,
            c if c.is_whitespace() => {}
            _ => {
                statement.get_or_insert(line);
            }
        }
    }
    // The innermost is what the cut went through.
    statement.or(sections.pop())
}

/// A section begins.
fn begin(words: &[String], open: &[Section], resources: &mut Vec<Resource>) -> Section {
    let Some((kind, names)) = words.split_first() else {
        return Section::Other;
    };
    let inside = open.last().copied();
    let host = match (kind.as_str(), inside, names) {
        ("resource", None, [name, ..]) => {
            resources.push(Resource {
                name: name.clone(),
                ..Resource::default()
            });
            return Section::Resource;
        }
        ("volume", Some(Section::Resource | Section::Host), [number, ..]) => {
            return number.parse().map_or(Section::Other, Section::Volume);
        }
        ("on", Some(Section::Resource), names) => Host {
            names: names.to_vec(),
            ..Host::default()
        },
        ("stacked-on-top-of", Some(Section::Resource), names) => Host {
            lower: names.first().cloned(),
            ..Host::default()
        },
        ("floating", Some(Section::Resource), _) => Host::default(),
        _ => return Section::Other,
    };
    if let Some(resource) = resources.last_mut() {
        resource.hosts.push(host);
    }
    Section::Host
}

/// Words up to a semicolon.
fn statement(words: &[String], open: &[Section], resource: &mut Resource) {
    let Some((name, values)) = words.split_first() else {
        return;
    };
    let number = match open.last() {
        Some(Section::Volume(number)) => Some(*number),
        Some(Section::Resource | Section::Host) => None,
        Some(Section::Other) | None => return,
    };
    let host = open
        .contains(&Section::Host)
        .then(|| resource.hosts.last_mut())
        .flatten();
    let volumes = match host {
        Some(host) => {
            if name == "node-id" {
                host.node_id = values.first().and_then(|id| id.parse().ok());
            }
            &mut host.volumes
        }
        None => &mut resource.common,
    };
    let known = ["device", "disk", "meta-disk", "flexible-meta-disk"];
    if !known.contains(&name.as_str()) {
        return;
    }
    let volume = volumes.entry(number).or_default();
    match name.as_str() {
        "device" => volume.device = device(values),
        "disk" => volume.disk = values.first().filter(|disk| *disk != "none").cloned(),
        _ => volume.meta_disk = meta_disk(values),
    }
}

/// `device /dev/drbd10 minor 10;`, `device minor 10;`, `device /dev/drbd10;`
fn device(values: &[String]) -> Option<String> {
    let path = values.iter().find(|word| word.starts_with('/')).cloned();
    let mut after = values.iter().skip_while(|word| *word != "minor").skip(1);
    path.or_else(|| after.next().map(|number| format!("/dev/drbd{number}")))
}

/// `internal`, `/dev/md1`, `/dev/md1 [0]`, `/dev/md1[0]`
fn meta_disk(values: &[String]) -> Option<MetaDisk> {
    let (first, rest) = values.split_first()?;
    if first == "internal" {
        return Some(MetaDisk::Internal);
    }
    let (path, index) = first.split_once('[').unwrap_or((first, ""));
    let indexed = !index.is_empty() || rest.iter().any(|word| word.starts_with('['));
    let path = path.to_owned();
    Some(if indexed {
        MetaDisk::Indexed(path)
    } else {
        MetaDisk::Flexible(path)
    })
}

/// Words, braces and semicolons; comments are passed by, and quotes taken off.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut word = String::new();
    let mut chars = text.chars();
    let end = |word: &mut String, tokens: &mut Vec<String>| {
        if !word.is_empty() {
            tokens.push(std::mem::take(word));
        }
    };
    while let Some(c) = chars.next() {
        match c {
            '#' => {
                end(&mut word, &mut tokens);
                chars.by_ref().find(|c| *c == '\n');
            }
            '"' => {
                end(&mut word, &mut tokens);
                tokens.push(chars.by_ref().take_while(|c| *c != '"').collect());
            }
            '{' | '}' | ';' => {
                end(&mut word, &mut tokens);
                tokens.push(c.to_string());
            }
            c if c.is_whitespace() => end(&mut word, &mut tokens),
            c => word.push(c),
        }
    }
    end(&mut word, &mut tokens);
    tokens
}

#[cfg(test)]
mod tests;
