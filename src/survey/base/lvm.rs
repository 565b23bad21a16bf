//! A physical volume of LVM2: its label, and of the volume group's text what says where logical volumes lie on it.
//!
//! ```text
//! | label | metadata area: header, text | extent 0 | extent 1 | …
//! ```

use std::collections::BTreeMap;

use super::Holder;
use super::holders::{Region, block, le64, sectors};
use crate::error::Result;
use crate::image::Window;
use crate::units::{Bytes, DevPos, SECTOR_SIZE};

/// The sectors in which a label may be.
const LABELS: u64 = 4;
/// The longest text that is read: a volume group of thousands of volumes.
const LONGEST: Bytes = Bytes::new(4 << 20);
/// `FMTT_MAGIC`.
const MAGIC: &[u8] = b" LVM2 x[5A%r0N*>";

/// `struct label_header` and `struct pv_header`.
struct Label {
    /// Without the dashes that the text has.
    uuid: String,
    size: Bytes,
    /// Where each data area begins.
    data: Vec<Bytes>,
    /// Each metadata area, with its size.
    metadata: Vec<(Bytes, Bytes)>,
}

/// The region of a physical volume.
pub(super) fn physical_volume(device: Window<'_>) -> Result<Option<Region>> {
    let Some(label) = label(device)? else {
        return Ok(None);
    };
    let Some(start) = label.data.first() else {
        return Ok(None);
    };
    let mut region = Region {
        holder: Holder::Lvm,
        start: DevPos::at(*start),
        end: DevPos::at(label.size),
        devices: Vec::new(),
    };
    for area in &label.metadata {
        if let Some(text) = text(device, *area)?
            && let Some(group) = Group::of(&text, &label.uuid)
        {
            region.start = DevPos::at(group.start);
            region.devices = group.volumes;
            break;
        }
    }
    Ok(Some(region))
}

fn label(device: Window<'_>) -> Result<Option<Label>> {
    for number in 0..LABELS {
        let at = SECTOR_SIZE.checked_mul(number).map(DevPos::at);
        let Some(sector) = at.map(|at| block::<512>(device, at)).transpose()?.flatten() else {
            continue;
        };
        let is_label = sector.starts_with(b"LABELONE") && sector.get(24..32) == Some(b"LVM2 001");
        if is_label && let Some(label) = label_of(&sector) {
            return Ok(Some(label));
        }
    }
    Ok(None)
}

fn label_of(sector: &[u8]) -> Option<Label> {
    let offset = u32::from_le_bytes(*sector.get(20..)?.first_chunk()?);
    let header = sector.get(usize::try_from(offset).ok()?..)?;
    let uuid = String::from_utf8_lossy(header.get(..32)?).into_owned();
    // Two lists of offsets and sizes, each up to an offset of 0.
    let mut lists = [Vec::new(), Vec::new()];
    let mut rest = header.get(40..)?;
    for list in &mut lists {
        loop {
            let (start, size) = (le64(rest, 0)?, le64(rest, 8)?);
            rest = rest.get(16..)?;
            if start == 0 {
                break;
            }
            list.push((Bytes::new(start), Bytes::new(size)));
        }
    }
    let [data, metadata] = lists;
    Some(Label {
        uuid,
        size: Bytes::new(le64(header, 32)?),
        data: data.into_iter().map(|(start, _)| start).collect(),
        metadata,
    })
}

/// The text that the header of a metadata area leads to, `struct mda_header` and `struct raw_locn`; it may go round the area's end.
fn text(device: Window<'_>, (area, area_size): (Bytes, Bytes)) -> Result<Option<String>> {
    let Some(header) = block::<512>(device, DevPos::at(area))? else {
        return Ok(None);
    };
    if header.get(4..20) != Some(MAGIC) {
        return Ok(None);
    }
    let numbers = le64(&header, 40).zip(le64(&header, 48));
    let Some((offset, len)) = numbers.map(|(offset, len)| (Bytes::new(offset), Bytes::new(len)))
    else {
        return Ok(None);
    };
    if offset < SECTOR_SIZE || offset >= area_size || len > LONGEST.min(area_size) {
        return Ok(None);
    }
    let first = len.min(area_size.saturating_sub(offset));
    let pieces = [
        (area.checked_add(offset), first),
        (area.checked_add(SECTOR_SIZE), len.saturating_sub(first)),
    ];
    let mut text = Vec::new();
    for (at, len) in pieces {
        let Some((at, len)) = at.zip(len.to_usize()) else {
            return Ok(None);
        };
        let end = at.checked_add(Bytes::of_len(len));
        if end.is_none_or(|end| end > device.size()) {
            return Ok(None);
        }
        let mut piece = vec![0; len];
        device.read_exact_at(DevPos::at(at), &mut piece)?;
        text.append(&mut piece);
    }
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

/// What a volume group's text says of one physical volume.
struct Group {
    /// Where its first extent begins.
    start: Bytes,
    /// Each logical volume that lies on it in one piece.
    volumes: Vec<(DevPos, Bytes)>,
}

/// A segment of a logical volume, in extents.
struct Segment {
    start: u64,
    count: u64,
    /// The extent of the physical volume that it begins with, where it is on that alone.
    on: Option<u64>,
}

impl Group {
    fn of(text: &str, uuid: &str) -> Option<Self> {
        let entries = entries(text);
        let value = |path: &[&str]| entries.get(&path.join("/"));
        let number = |path: &[&str]| value(path)?.first()?.parse::<u64>().ok();
        let is_it = |id: &Vec<String>| id.first().is_some_and(|id| id.replace('-', "") == uuid);
        let (group, name) = entries.iter().find_map(|(path, id)| {
            let parts: Vec<&str> = path.split('/').collect();
            match parts.as_slice() {
                [group, "physical_volumes", name, "id"] if is_it(id) => Some((*group, *name)),
                _ => None,
            }
        })?;
        let extent = sectors(number(&[group, "extent_size"])?)?;
        let start = sectors(number(&[group, "physical_volumes", name, "pe_start"])?)?;
        let mut volumes: BTreeMap<&str, Vec<Segment>> = BTreeMap::new();
        for path in entries.keys() {
            let parts: Vec<&str> = path.split('/').collect();
            if let [one, "logical_volumes", volume, segment, "extent_count"] = parts.as_slice()
                && *one == group
            {
                let at = |key| [group, "logical_volumes", *volume, *segment, key];
                let stripes = value(&at("stripes"));
                let on = stripes.and_then(|stripes| match stripes.as_slice() {
                    [pv, extent] if pv == name => extent.parse().ok(),
                    _ => None,
                });
                let is_plain = value(&at("type")).is_some_and(|kind| kind == &["striped"]);
                volumes.entry(volume).or_default().push(Segment {
                    start: number(&at("start_extent"))?,
                    count: number(&at("extent_count"))?,
                    on: on.filter(|_| is_plain),
                });
            }
        }
        let volumes = volumes.values().filter_map(|segments| {
            let (first, count) = in_one_piece(segments)?;
            let before = extent.checked_mul(first)?;
            let at = start.checked_add(before).map(DevPos::at)?;
            Some((at, extent.checked_mul(count)?))
        });
        Some(Self {
            start,
            volumes: volumes.collect(),
        })
    }
}

/// The first extent, and how many there are, of a volume whose segments follow each other on the physical volume.
fn in_one_piece(segments: &[Segment]) -> Option<(u64, u64)> {
    let first = segments.first()?;
    let base = first.on?.checked_sub(first.start)?;
    let mut count = 0_u64;
    for segment in segments {
        if segment.on?.checked_sub(segment.start)? != base {
            return None;
        }
        count = count.checked_add(segment.count)?;
    }
    Some((base, count))
}

/// The values of a text, by the names of the sections that they are in: of a list its members.
fn entries(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    let mut path: Vec<String> = Vec::new();
    let mut tokens = Tokens(text);
    let mut name = None;
    while let Some(token) = tokens.next() {
        match token {
            "{" => path.extend(name.take()),
            "}" => {
                path.pop();
            }
            "=" => {
                let mut values = Vec::new();
                match tokens.next() {
                    Some("[") => {
                        while let Some(value) = tokens.next().filter(|value| *value != "]") {
                            values.push(unquoted(value));
                        }
                    }
                    Some(value) => values.push(unquoted(value)),
                    None => break,
                }
                if let Some(name) = name.take() {
                    let mut whole = path.clone();
                    whole.push(name);
                    found.insert(whole.join("/"), values);
                }
            }
            word => name = Some(word.to_owned()),
        }
    }
    found
}

fn unquoted(value: &str) -> String {
    value.trim_matches('"').to_owned()
}

/// Words, texts in quotation marks, and signs; comments and commas are left out.
struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        loop {
            self.0 = self.0.trim_start_matches(|sign: char| {
                sign.is_whitespace() || matches!(sign, ',' | '\0')
            });
            if !self.0.starts_with('#') {
                break;
            }
            let (_, rest) = self.0.split_once('\n').unwrap_or_default();
            self.0 = rest;
        }
        let first = self.0.chars().next()?;
        let len = match first {
            '{' | '}' | '[' | ']' | '=' => 1,
            '"' => {
                let text = self.0.get(1..)?;
                text.find('"')?.checked_add(2)?
            }
            _ => {
                let ends = |sign: char| sign.is_whitespace() || "{}[]=,#\"".contains(sign);
                self.0.find(ends).unwrap_or(self.0.len())
            }
        };
        let (token, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(token)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"vg {
        id = "oI85Yo-7JE0"
        status = ["RESIZEABLE", "READ"]
        extent_size = 8192 # 4 Megabytes
        physical_volumes {
            pv0 { id = "abc-def" pe_start = 2048 pe_count = 100 }
            pv1 { id = "xyz" pe_start = 2048 }
        }
        logical_volumes {
            whole { segment_count = 2
                segment1 { start_extent = 0 extent_count = 5 type = "striped" stripe_count = 1 stripes = [ "pv0", 10 ] }
                segment2 { start_extent = 5 extent_count = 3 type = "striped" stripes = [
                    "pv0", 15
                ] }
            }
            torn { segment1 { start_extent = 0 extent_count = 5 type = "striped" stripes = ["pv0", 30] }
                segment2 { start_extent = 5 extent_count = 5 type = "striped" stripes = ["pv0", 50] } }
            other { segment1 { start_extent = 0 extent_count = 5 type = "striped" stripes = ["pv1", 0] } }
            thin { segment1 { start_extent = 0 extent_count = 5 type = "thin" } }
        }
    }
    contents = "Text Format Volume Group""#;

    #[test]
    fn a_volume_in_one_piece_is_found_where_it_lies() {
        let group = Group::of(TEXT, "abcdef").unwrap();
        assert_eq!(group.start, Bytes::new(1 << 20));
        let extent = 4 << 20;
        let whole = (DevPos::new((1 << 20) + 10 * extent), Bytes::new(8 * extent));
        assert_eq!(group.volumes, [whole]);
        assert!(Group::of(TEXT, "abc").is_none());
        assert_eq!(Group::of(TEXT, "xyz").unwrap().volumes.len(), 1);
    }

    #[test]
    fn a_text_that_is_cut_off_does_no_harm() {
        for cut in 0..TEXT.len() {
            let _ = Group::of(TEXT.get(..cut).unwrap(), "abcdef");
        }
        for nonsense in [
            "}}}}{{{{",
            "= = =",
            "a = [ b",
            "\"",
            "[",
            "a { b = c",
            "####",
        ] {
            assert!(Group::of(nonsense, "abcdef").is_none());
        }
    }
}
