//! Lines of `xfs_bmap -v` and `filefrag -v`.

use std::ops::Range;

use super::units;
use crate::units::{Bytes, DevPos, SECTOR_SIZE};

type Line = Result<Option<Range<DevPos>>, String>;

/// A line of `xfs_bmap -v`; `legend`: those that follow explain flags.
pub(super) fn xfs_bmap(line: &str, legend: &mut bool) -> Line {
    let line = line.trim();
    if line.starts_with("EXT:") {
        *legend = false;
        return Ok(None);
    }
    if line.starts_with("FLAG Values:") {
        *legend = true;
        return Ok(None);
    }
    let words: Vec<&str> = line.split_ascii_whitespace().collect();
    let [number, in_file, place, ..] = words.as_slice() else {
        return other(line, *legend);
    };
    let counted = number.strip_suffix(':').is_some_and(is_number);
    if !counted || !in_file.starts_with('[') {
        return other(line, *legend);
    }
    match *place {
        "hole" => Ok(None),
        "delalloc" => Err("an extent has no place yet: sync the file first".to_owned()),
        place => first_and_last(place)
            .map(|(first, count)| units(first, count, SECTOR_SIZE))
            .ok_or_else(|| "expected BLOCK-RANGE as FIRST..LAST".to_owned())?
            .map(Some),
    }
}

/// A line that is no extent: a file's name, or nothing that matters.
fn other(line: &str, legend: bool) -> Line {
    let known = legend || line.is_empty() || line.ends_with(':') || line.ends_with("no extents");
    if known {
        Ok(None)
    } else {
        Err("expected a line of `xfs_bmap -v`".to_owned())
    }
}

/// A line of `filefrag -v`; `block` is the size of a block, once it was said.
pub(super) fn filefrag(line: &str, block: &mut Option<Bytes>) -> Line {
    let line = line.trim();
    if line.starts_with("File size of ") {
        let size = block_size(line).ok_or("expected the size of a block at the end")?;
        *block = Some(size);
        return Ok(None);
    }
    let fields: Vec<&str> = line.split(':').map(str::trim).collect();
    let [number, _, physical, _, rest @ ..] = fields.as_slice() else {
        return header(line);
    };
    if !is_number(number) {
        return header(line);
    }
    let flags = rest.last().copied().unwrap_or_default();
    if flags.contains("unknown") || flags.contains("delalloc") {
        return Err("an extent has no place yet: sync the file first".to_owned());
    }
    if flags.contains("inline") {
        return Err(
            "the file's data lies within its inode, and has no blocks of its own".to_owned(),
        );
    }
    let block = block.ok_or("expected a line with the file's size before")?;
    let (first, count) =
        first_and_last(physical).ok_or("expected physical_offset as FIRST.. LAST")?;
    units(first, count, block).map(Some)
}

/// A line that is no extent.
fn header(line: &str) -> Line {
    let known = line.is_empty()
        || line.starts_with("Filesystem ")
        || line.starts_with("ext:")
        || line.contains(" extent") && line.contains(" found");
    if known {
        Ok(None)
    } else {
        Err("expected a line of `filefrag -v`".to_owned())
    }
}

/// `File size of NAME is 12288 (3 blocks of 4096 bytes)`, and as it was before e2fsprogs 1.42.
fn block_size(line: &str) -> Option<Bytes> {
    let (_, said) = line.rsplit_once('(')?;
    let mut words = said.split_ascii_whitespace();
    words.find(|word| *word == "of" || *word == "blocksize")?;
    let size = words.next()?.trim_end_matches(')').parse().ok()?;
    (size > 0).then_some(Bytes::new(size))
}

/// `FIRST..LAST`, with or without blanks: the first, and how many.
fn first_and_last(text: &str) -> Option<(u64, u64)> {
    let (first, last) = text.split_once("..")?;
    let first: u64 = first.trim().parse().ok()?;
    let last: u64 = last.trim().parse().ok()?;
    Some((first, last.checked_sub(first)?.checked_add(1)?))
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
