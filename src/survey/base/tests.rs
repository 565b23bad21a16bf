use super::*;
use crate::builder::{Level, build};
use crate::image::{MemImage, WriteAt};
use crate::survey::locate::{LocateOptions, locate};
use crate::units::ImagePos;

const MIB: u64 = 1 << 20;

/// A disk with metadata for a device of `size` from `base` on, and what holds it.
fn held(disk: u64, base: u64, size: u64, more: &[(u64, &[u8])]) -> Option<Inside> {
    let mut image = MemImage::new(Bytes::new(disk));
    build(
        &mut image,
        ImagePos::new(base),
        Bytes::new(size),
        &[Level::v08()],
    )
    .unwrap();
    let device = Window::of(&image, ImagePos::new(base), Bytes::new(size)).unwrap();
    let mut levels = locate(device, &LocateOptions::default()).unwrap().levels;
    let level = levels.remove(0);
    for (at, bytes) in more {
        image.write_all_at(ImagePos::new(*at), bytes).unwrap();
    }
    let md = DevPos::new(base + level.layout.md.get());
    let holders = Holders::of(Window::whole(&image));
    holders.inside(md, &level.superblock).unwrap()
}

/// A DOS table of one partition, in bytes.
fn table(start: u64, size: u64) -> Vec<u8> {
    let mut sector = vec![0; 512];
    let word = |bytes: u64| u32::try_from(bytes / 512).unwrap().to_le_bytes();
    sector[450] = 0x83;
    sector[454..458].copy_from_slice(&word(start));
    sector[458..462].copy_from_slice(&word(size));
    sector[510..].copy_from_slice(&[0x55, 0xAA]);
    sector
}

#[test]
fn a_disk_with_nobody_on_it_holds_its_own() {
    assert_eq!(held(64 * MIB, 0, 64 * MIB, &[]), None);
    assert_eq!(held(64 * MIB, 0, 32 * MIB, &[]), None, "a grown one, too");
}

#[test]
fn a_partition_holds_what_lies_in_it() {
    let place = |start, size| Some((DevPos::new(start), Bytes::new(size)));
    let found = |table: &[u8]| held(64 * MIB, MIB, 32 * MIB, &[(0, table)]);
    let one = found(&table(MIB, 32 * MIB)).unwrap();
    assert_eq!(one.holder, Holder::Partition(1));
    assert_eq!(one.place, place(MIB, 32 * MIB));
    // It has grown since.
    let grown = found(&table(MIB, 40 * MIB)).unwrap();
    assert_eq!(grown.place, place(MIB, 40 * MIB));
    // One that ends before is a partition of the DRBD device's own table.
    assert_eq!(found(&table(MIB, 16 * MIB)), None);
}

#[test]
fn a_table_on_a_drbd_device_leaves_its_metadata_to_the_disk() {
    let inner = table(MIB, 62 * MIB);
    assert_eq!(held(64 * MIB, 0, 64 * MIB, &[(0, &inner)]), None);
    // Even where it claims what the metadata has: the DRBD device is larger than what is left of the partition.
    let beyond = table(MIB, 63 * MIB);
    assert_eq!(held(64 * MIB, 0, 64 * MIB, &[(0, &beyond)]), None);
}

#[test]
fn nonsense_in_a_label_holds_nothing() {
    let mut label = vec![0xFF; 512];
    label[..8].copy_from_slice(b"LABELONE");
    label[20..24].copy_from_slice(&32_u32.to_le_bytes());
    label[24..32].copy_from_slice(b"LVM2 001");
    for offset in [0, 32, 400, 511, u32::MAX] {
        label[20..24].copy_from_slice(&offset.to_le_bytes());
        assert_eq!(held(64 * MIB, 0, 64 * MIB, &[(512, &label)]), None);
    }
    let mut array = vec![0xFF; 256];
    array[..8].copy_from_slice(&[0xFC, 0x4E, 0x2B, 0xA9, 1, 0, 0, 0]);
    array[144..152].copy_from_slice(&8_u64.to_le_bytes());
    assert_eq!(held(64 * MIB, 0, 64 * MIB, &[(4096, &array)]), None);
}
