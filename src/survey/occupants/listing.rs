//! The partitions that a table lists: devices of their own, whose metadata counts from their own beginning.
//!
//! A table is taken for what it says, whole or not: this is a list of places to look at, not a proof that somebody uses them.

use super::partitions::{PROTECTIVE, SECTOR, gpt_sector, table};
use crate::error::Result;
use crate::image::Window;
use crate::survey::bytes::{array, le32, le64};
use crate::units::{Bytes, DevPos};

/// What begins a chain of partitions instead of being one.
const EXTENDED: [u8; 3] = [0x05, 0x0F, 0x85];
/// How many links of such a chain are followed, and how many entries of a GUID table are read.
const MOST: u32 = 128;
/// The number of the first partition of a chain.
const FIRST_LOGICAL: u32 = 5;
/// What holds a DOS table, and the header of a GUID one.
const HEAD: usize = 8192;

/// A partition, as far as it lies on the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Partition {
    /// Its number, as in the name of its device.
    pub number: u32,
    /// Where it begins.
    pub start: DevPos,
    /// How large it is.
    pub size: Bytes,
}

/// A partition table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Table {
    /// Its partitions, in its order.
    pub partitions: Vec<Partition>,
    /// Where the part ends that a GUID table has for partitions; behind it lies the table's backup.
    pub usable_end: Option<DevPos>,
}

/// The partitions of a device, in the table's order; none where there is no table.
///
/// # Errors
///
/// Errors of reading the device's first 8 KiB, then the entries of a table or the links of a chain, a bounded number of them.
pub fn partitions(device: Window<'_>) -> Result<Vec<Partition>> {
    Ok(of_device(device)?.partitions)
}

/// The partition table of a device; where a GUID table is gone, its backup at the device's end.
///
/// # Errors
///
/// As [`partitions`].
pub fn partition_table(device: Window<'_>) -> Result<Table> {
    let found = of_device(device)?;
    if found != Table::default() {
        return Ok(found);
    }
    for sector in [SECTOR, 4096].map(Bytes::new) {
        let end = device.size().align_down(sector);
        let Some(at) = end.checked_sub(sector).map(DevPos::at) else {
            continue;
        };
        let header = block::<512>(device, at.from_start())?;
        if let Some(header) = header.filter(|header| header.starts_with(b"EFI PART")) {
            return by_header(device, &header, sector.get());
        }
    }
    Ok(Table::default())
}

fn of_device(device: Window<'_>) -> Result<Table> {
    let mut head = vec![0; HEAD.min(device.size().to_usize().unwrap_or(HEAD))];
    device.read_exact_at(DevPos::START, &mut head)?;
    match gpt_sector(&head) {
        Some(sector) => {
            let at = Bytes::new(sector).to_usize().unwrap_or(HEAD);
            by_header(device, head.get(at..).unwrap_or_default(), sector)
        }
        None => Ok(Table {
            partitions: on_device(device, dos(device, &head)?),
            usable_end: None,
        }),
    }
}

/// What a GUID table lists whose header this is.
fn by_header(device: Window<'_>, header: &[u8], sector: u64) -> Result<Table> {
    // `LastUsableLBA`.
    let last = le64(header, 48).filter(|last| *last > 0);
    let end = last
        .and_then(|last| last.checked_add(1)?.checked_mul(sector))
        .map(DevPos::new);
    Ok(Table {
        partitions: on_device(device, guid(device, header, sector)?),
        usable_end: end.filter(|end| end.from_start() < device.size()),
    })
}

/// What of that lies on the device.
fn on_device(device: Window<'_>, found: Vec<Listed>) -> Vec<Partition> {
    let on_device = |(number, start, size): Listed| {
        let rest = device.size().checked_sub(start)?;
        let size = size.min(rest);
        let partition = Partition {
            number,
            start: DevPos::at(start),
            size,
        };
        // One that begins with the device holds the table itself, and is none.
        (size > Bytes::ZERO && start > Bytes::ZERO).then_some(partition)
    };
    found.into_iter().filter_map(on_device).collect()
}

/// A number, a beginning and a size.
type Listed = (u32, Bytes, Bytes);

/// `struct gpt_header`: `PartitionEntryLBA`, `NumberOfPartitionEntries`, `SizeOfPartitionEntry`.
fn guid(device: Window<'_>, header: &[u8], sector: u64) -> Result<Vec<Listed>> {
    let sector = Bytes::new(sector);
    let fields = || {
        let first = sector.checked_mul(le64(header, 72)?)?;
        let (count, size) = (le32(header, 80)?.min(MOST), le32(header, 84)?);
        // Version 1 has 128; what is larger only leaves room.
        (128..=4096)
            .contains(&size)
            .then_some((first, count, Bytes::new(u64::from(size))))
    };
    let Some((first, count, size)) = fields() else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for number in 1..=count {
        let before = size.checked_mul(u64::from(number.saturating_sub(1)));
        let at = before.and_then(|before| first.checked_add(before));
        let Some(entry) = at.map(|at| block::<128>(device, at)).transpose()?.flatten() else {
            break;
        };
        let used = entry.iter().take(16).any(|byte| *byte != 0);
        let range = le64(&entry, 32).zip(le64(&entry, 40)).filter(|_| used);
        found.extend(range.and_then(|(start, last)| {
            let sectors = last.checked_sub(start)?.checked_add(1)?;
            Some((
                number,
                sector.checked_mul(start)?,
                sector.checked_mul(sectors)?,
            ))
        }));
    }
    Ok(found)
}

/// The four entries of the first sector, and the chain that one of them may begin.
fn dos(device: Window<'_>, head: &[u8]) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    for entry in table(head).unwrap_or_default() {
        let (start, sectors) = (u64::from(entry.start), u64::from(entry.sectors));
        if EXTENDED.contains(&entry.kind) {
            found.extend(chain(device, start)?);
        } else if entry.kind != PROTECTIVE {
            found.extend(listed(entry.number, start, sectors));
        }
    }
    Ok(found)
}

/// The partitions of a chain: each link is a table of a partition, counted from the link, and the next link, counted from the first.
fn chain(device: Window<'_>, first: u64) -> Result<Vec<Listed>> {
    let mut found = Vec::new();
    let mut link = first;
    let mut number = FIRST_LOGICAL;
    for _ in 0..MOST {
        let at = Bytes::new(SECTOR).checked_mul(link);
        let sector = at.map(|at| block::<512>(device, at)).transpose()?.flatten();
        let Some(entries) = sector.as_ref().and_then(|sector| table(sector)) else {
            break;
        };
        let mut next = None;
        for entry in entries {
            let start = u64::from(entry.start);
            if EXTENDED.contains(&entry.kind) {
                next = next.or_else(|| first.checked_add(start));
            } else {
                let start = link.saturating_add(start);
                found.extend(listed(number, start, u64::from(entry.sectors)));
                number = number.saturating_add(1);
            }
        }
        // Links go forwards; one that does not would go round.
        match next.filter(|next| *next > link) {
            Some(next) => link = next,
            None => break,
        }
    }
    Ok(found)
}

fn listed(number: u32, start: u64, sectors: u64) -> Option<Listed> {
    let bytes = |sectors| Bytes::new(SECTOR).checked_mul(sectors);
    Some((number, bytes(start)?, bytes(sectors)?))
}

/// `N` bytes of the device, if they lie on it.
fn block<const N: usize>(device: Window<'_>, at: Bytes) -> Result<Option<[u8; N]>> {
    let end = at.checked_add(Bytes::of_len(N));
    if end.is_none_or(|end| end > device.size()) {
        return Ok(None);
    }
    let mut bytes = [0; N];
    device.read_exact_at(DevPos::at(at), &mut bytes)?;
    Ok(array(&bytes, 0))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::{MemImage, WriteAt};
    use crate::units::ImagePos;

    const SIZE: u64 = 64 << 20;

    fn found(pieces: &[(u64, Vec<u8>)]) -> Vec<(u32, u64, u64)> {
        let mut image = MemImage::new(Bytes::new(SIZE));
        for (at, bytes) in pieces {
            image.write_all_at(ImagePos::new(*at), bytes).unwrap();
        }
        let found = partitions(Window::whole(&image)).unwrap();
        let told = found.iter();
        told.map(|one| (one.number, one.start.get(), one.size.get()))
            .collect()
    }

    fn dos_sector(entries: &[(u8, u32, u32)]) -> Vec<u8> {
        let mut sector = vec![0; 512];
        for (i, (kind, start, sectors)) in entries.iter().enumerate() {
            let entry = &mut sector[446 + 16 * i..][..16];
            entry[4] = *kind;
            entry[8..12].copy_from_slice(&start.to_le_bytes());
            entry[12..].copy_from_slice(&sectors.to_le_bytes());
        }
        sector[510..].copy_from_slice(&[0x55, 0xAA]);
        sector
    }

    #[test]
    fn a_chain_of_partitions_is_followed_and_does_not_go_round() {
        let primary = dos_sector(&[(0x83, 63, 1000), (0, 0, 0), (0x05, 2000, 9000)]);
        let first = dos_sector(&[(0x83, 63, 500), (0x05, 3000, 900)]);
        for next in [0, 3000, 500, u32::MAX] {
            let second = dos_sector(&[(0x82, 10, 100), (0x05, next, 900)]);
            let pieces = [
                (0, primary.clone()),
                (2000 * 512, first.clone()),
                (5000 * 512, second),
            ];
            let expected = [
                (1, 63 * 512, 1000 * 512),
                (5, 2063 * 512, 500 * 512),
                (6, 5010 * 512, 100 * 512),
            ];
            assert_eq!(found(&pieces), expected, "{next}");
        }
    }

    #[test]
    fn a_partition_ends_with_the_device_and_does_not_begin_behind_it() {
        let end = u32::try_from(SIZE / 512).unwrap();
        let entries = [
            (0x83, end - 1, 9),
            (0x83, end, 9),
            (0x83, 0, 9),
            (0xEE, 1, 9),
        ];
        assert_eq!(
            found(&[(0, dos_sector(&entries))]),
            [(1, SIZE - 512, 512)],
            "nor with it"
        );
    }

    #[test]
    fn a_guid_table_s_entries_are_read_where_its_header_says() {
        for sector in [512_u64, 4096] {
            let mut header = vec![0; 92];
            header[..8].copy_from_slice(b"EFI PART");
            header[72..80].copy_from_slice(&5_u64.to_le_bytes());
            header[80..84].copy_from_slice(&u32::MAX.to_le_bytes());
            header[84..88].copy_from_slice(&256_u32.to_le_bytes());
            let mut entry = vec![7; 16];
            entry.resize(128, 0);
            entry[32..40].copy_from_slice(&34_u64.to_le_bytes());
            entry[40..48].copy_from_slice(&99_u64.to_le_bytes());
            let pieces = [(sector, header), (5 * sector + 2 * 256, entry)];
            assert_eq!(found(&pieces), [(3, 34 * sector, 66 * sector)], "{sector}");
        }
    }

    proptest! {
        #[test]
        fn any_table_lists_what_lies_on_the_device(
            mut head in proptest::collection::vec(any::<u8>(), 2048),
            guid in any::<bool>(),
            size in 0_usize..2048,
        ) {
            if guid {
                head[512..520].copy_from_slice(b"EFI PART");
                head[584..592].copy_from_slice(&2_u64.to_le_bytes());
                head[592..600].copy_from_slice(&[4, 0, 0, 0, 128, 0, 0, 0]);
            } else {
                for entry in 0..4 {
                    head[446 + 16 * entry] = 0;
                }
                head[510..512].copy_from_slice(&[0x55, 0xAA]);
            }
            head.truncate(size);
            let image = MemImage::from_bytes(&head);
            for one in partitions(Window::whole(&image)).unwrap() {
                prop_assert!(one.start.get() > 0 && one.size.get() > 0);
                prop_assert!(one.start.get() + one.size.get() <= image_size(&head));
            }
        }
    }

    fn image_size(bytes: &[u8]) -> u64 {
        Bytes::of_len(bytes.len()).get()
    }
}
