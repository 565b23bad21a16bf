use super::*;
use crate::image::MemImage;
use crate::image::WriteAt;
use crate::units::ImagePos;

const SIZE: u64 = 1 << 20;

/// Where bytes are put, and which.
type Pieces<'a> = &'a [(u64, &'a [u8])];

fn image(pieces: Pieces<'_>) -> MemImage {
    let mut image = MemImage::new(Bytes::new(SIZE));
    for (at, bytes) in pieces {
        image.write_all_at(ImagePos::new(*at), bytes).unwrap();
    }
    image
}

fn found(pieces: Pieces<'_>) -> Vec<(OccupantKind, Option<u64>)> {
    let image = image(pieces);
    let found = occupants(Window::whole(&image)).unwrap();
    found
        .into_iter()
        .map(|one| (one.kind, one.end.map(DevPos::get)))
        .collect()
}

/// An entry of a DOS table.
fn entry(status: u8, kind: u8, start: u32, sectors: u32) -> [u8; 16] {
    let mut entry = [0; 16];
    entry[0] = status;
    entry[4] = kind;
    entry[8..12].copy_from_slice(&start.to_le_bytes());
    entry[12..].copy_from_slice(&sectors.to_le_bytes());
    entry
}

const SIGNATURE: (u64, &[u8]) = (510, &[0x55, 0xAA]);

#[test]
fn a_dos_table_ends_with_its_furthest_partition() {
    let (far, near) = (entry(0x80, 0x83, 1000, 24), entry(0, 0x82, 8, 100));
    let table = [(446, &far[..]), (462, &near[..]), SIGNATURE];
    assert_eq!(found(&table), [(OccupantKind::Mbr, Some(1024 * 512))]);
    assert_eq!(found(&table[..2]), [], "without the signature");
    let nonsense = entry(0x12, 0x83, 1, 1);
    let broken = [(446, &far[..]), (462, &nonsense[..]), SIGNATURE];
    assert_eq!(found(&broken), [], "a status that is none");
    assert_eq!(found(&[SIGNATURE]), [], "no partition at all");
}

#[test]
fn a_protective_table_belongs_to_the_guid_one() {
    let protective = entry(0, 0xEE, 1, u32::MAX);
    let mut header = [0; 512];
    header[..8].copy_from_slice(b"EFI PART");
    header[32..40].copy_from_slice(&2047_u64.to_le_bytes());
    let whole = [(446, &protective[..]), (512, &header[..]), SIGNATURE];
    assert_eq!(found(&whole), [(OccupantKind::Gpt, Some(2048 * 512))]);
    let headless = [(446, &protective[..]), SIGNATURE];
    assert_eq!(found(&headless), [(OccupantKind::Gpt, None)]);
}

#[test]
fn a_boot_sector_is_no_partition_table() {
    // Boot code that looks like an entry.
    let code = entry(0, 0x83, 5, 5);
    let ntfs = [
        (3, &b"NTFS    "[..]),
        (11, &[0, 2]),
        (40, &99_u64.to_le_bytes()),
        (446, &code[..]),
        SIGNATURE,
    ];
    assert_eq!(found(&ntfs), [(OccupantKind::Ntfs, Some(100 * 512))]);
    let fat = [
        (11, &[0, 2, 4][..]),
        (16, &[2]),
        (32, &70_000_u32.to_le_bytes()),
        (82, b"FAT32   "),
        (446, &code[..]),
        SIGNATURE,
    ];
    assert_eq!(found(&fat), [(OccupantKind::Fat, Some(70_000 * 512))]);
    let exfat = [
        (3, &b"EXFAT   "[..]),
        (72, &10_u64.to_le_bytes()),
        (108, &[12]),
        (446, &code[..]),
        SIGNATURE,
    ];
    assert_eq!(found(&exfat), [(OccupantKind::ExFat, Some(40_960))]);
}

/// `struct mdp_superblock_1`, of which only what is read.
fn md_1(super_offset: u64, data_offset: u64, data_size: u64) -> [u8; 256] {
    let mut superblock = [0; 256];
    superblock[..4].copy_from_slice(&0xA92B_4EFC_u32.to_le_bytes());
    superblock[4] = 1;
    superblock[128..136].copy_from_slice(&data_offset.to_le_bytes());
    superblock[136..144].copy_from_slice(&data_size.to_le_bytes());
    superblock[144..152].copy_from_slice(&super_offset.to_le_bytes());
    superblock
}

#[test]
fn md_is_found_at_the_start_and_at_the_end() {
    let kinds = [
        (0, md_1(0, 16, 100), OccupantKind::Md, 116 * 512),
        (4096, md_1(8, 16, 100), OccupantKind::Md, 116 * 512),
        (
            SIZE - 8192,
            md_1((SIZE - 8192) / 512, 0, 100),
            OccupantKind::MdAtEnd,
            SIZE - 4096,
        ),
    ];
    for (at, superblock, kind, end) in kinds {
        assert_eq!(found(&[(at, &superblock[..])]), [(kind, Some(end))]);
        let moved = md_1(3, 16, 100);
        assert_eq!(
            found(&[(at, &moved[..])]),
            [],
            "a superblock of another place"
        );
    }
    for word in [u32::to_le_bytes, u32::to_be_bytes] {
        let superblock: Vec<u8> = [0xA92B_4EFC, 0, 90].into_iter().flat_map(word).collect();
        let at = SIZE - (64 << 10);
        assert_eq!(
            found(&[(at, &superblock)]),
            [(OccupantKind::MdAtEnd, Some(SIZE))]
        );
    }
}

/// Somebody lives there; where that ends is not known.
#[test]
fn a_size_that_cannot_be_is_none_that_is_said() {
    let label: &[u8] = b"LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001";
    let magic: (u64, &[u8]) = (1080, &[0x53, 0xEF]);
    let cases: [(OccupantKind, Pieces<'_>); 11] = [
        (OccupantKind::Ext, &[magic, (1024, &[9])]),
        (
            OccupantKind::Ext,
            &[magic, (1024, &[9]), (1028, &[9]), (1048, &[7])],
        ),
        (OccupantKind::Xfs, &[(0, b"XFSB\0\0\x10\0")]),
        (OccupantKind::Xfs, &[(0, b"XFSB\0\0\0\0\0\0\0\0\0\0\0\x09")]),
        (
            OccupantKind::Xfs,
            &[(0, b"XFSB\0\0\x10\x01\0\0\0\0\0\0\0\x09")],
        ),
        (OccupantKind::Btrfs, &[(65_600, b"_BHRfS_M")]),
        (OccupantKind::Swap, &[(4086, b"SWAPSPACE2")]),
        (OccupantKind::Lvm, &[(512, label)]),
        (OccupantKind::Md, &[(0, b"\xFC\x4E\x2B\xA9\x01")]),
        (OccupantKind::Gpt, &[(512, b"EFI PART")]),
        (OccupantKind::Ntfs, &[(3, b"NTFS    \0\x02")]),
    ];
    for (kind, pieces) in cases {
        assert_eq!(found(pieces), [(kind, None)], "{kind} {pieces:?}");
    }
    // Two bytes alone are too little to be a magic.
    assert_eq!(found(&[magic]), []);
}

#[test]
fn a_size_that_no_disk_has_is_not_believed() {
    let xfs = |blocks: u64| {
        let blocks = blocks.to_be_bytes();
        let image = image(&[(0, b"XFSB\0\0\x10\0"), (8, &blocks)]);
        let [one] = occupants(Window::whole(&image)).unwrap()[..] else {
            panic!("one XFS");
        };
        (one.end.is_some(), one.is_believable())
    };
    assert_eq!(xfs(1), (true, true));
    assert_eq!(xfs((1 << 51) - 1), (true, true));
    assert_eq!(xfs(1 << 51), (true, false));
    assert_eq!(xfs(u64::MAX), (true, false));
}

#[test]
fn what_is_inside_an_array_is_found_too() {
    let md = md_1((SIZE - 8192) / 512, 0, 100);
    let xfs = [
        (0, &b"XFSB"[..]),
        (4, &4096_u32.to_be_bytes()),
        (8, &10_u64.to_be_bytes()),
        (SIZE - 8192, &md[..]),
    ];
    assert_eq!(
        found(&xfs),
        [
            (OccupantKind::Xfs, Some(40_960)),
            (OccupantKind::MdAtEnd, Some(SIZE - 4096))
        ]
    );
}

#[test]
fn no_device_is_too_small_to_be_looked_at() {
    for size in [
        0, 1, 511, 512, 513, 4095, 8191, 8192, 65_535, 65_536, 131_072,
    ] {
        let image = MemImage::new(Bytes::new(size));
        assert_eq!(occupants(Window::whole(&image)).unwrap(), []);
        let noise = MemImage::from_bytes(&vec![0xFF; usize::try_from(size).unwrap()]);
        assert_eq!(occupants(Window::whole(&noise)).unwrap(), []);
    }
}
