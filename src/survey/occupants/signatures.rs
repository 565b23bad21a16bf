//! Who is known by a signature: one row each, as libblkid of util-linux 2.41 has them.
//!
//! A row's probe sees the device's first bytes and says where that ends. It answers `None` where a short signature is not enough by itself.

use super::probes::End;
use super::sizes::{
    apfs, bcache, bcachefs, cramfs, erofs, f2fs, hfs, hfs_plus, iso9660, jfs, lvm1, minix, nilfs2,
    ocfs2, refs, reiserfs, romfs, second_luks, squashfs, stratis, sun, swsuspend, ufs, unsaid,
    verity, zfs,
};
use super::{Known, OccupantKind};
use crate::error::Result;
use crate::image::Window;
use crate::survey::bytes::has;
use crate::units::DevPos;

/// A signature, where it stands, and who says by it to live there.
struct Row {
    known: Known,
    at: usize,
    magic: &'static [u8],
    probe: fn(&[u8]) -> Option<End>,
}

const fn row(
    word: &'static str,
    name: &'static str,
    at: usize,
    magic: &'static [u8],
    probe: fn(&[u8]) -> Option<End>,
) -> Row {
    Row {
        known: Known { word, name },
        at,
        magic,
        probe,
    }
}

/// bcache's and bcachefs's first magic.
const BCACHE: &[u8] = b"\xC6\x85\x73\xF6\x4E\x1A\x45\xCA\x82\x65\xF5\x7F\x48\xBA\x6D\x81";
/// bcachefs's own.
const BCACHEFS: &[u8] = b"\xC6\x85\x73\xF6\x66\xCE\x90\xA9\xD9\x6A\x60\xCF\x80\x3D\xF7\xEF";
/// Stratis's.
const STRATIS: &[u8] = b"!Stra0tis\x86\xFF\x02^\x41rh";
const SUSPEND: &str = "suspended system image in swap space";

/// Those in the device's first 128 KiB. An empty signature leaves all to the probe.
#[rustfmt::skip]
const START: [Row; 86] = [
    row("f2fs", "F2FS file system", 1024, b"\x10\x20\xF5\xF2", f2fs),
    row("reiserfs", "ReiserFS file system", 65_588, b"ReIsEr", reiserfs),
    row("reiserfs", "ReiserFS file system", 8244, b"ReIsErFs", unsaid),
    row("reiserfs", "ReiserFS file system", 8212, b"ReIsErFs", unsaid),
    row("reiser4", "Reiser4 file system", 65_536, b"ReIsEr4", unsaid),
    row("minix", "Minix file system", 0, b"", minix),
    row("nilfs2", "NILFS2 file system", 1030, b"\x34\x34", nilfs2),
    row("jfs", "JFS file system", 32_768, b"JFS1", jfs),
    row("hfsplus", "HFS+ file system", 1024, b"H+", hfs_plus),
    row("hfsplus", "HFS+ file system", 1024, b"HX", hfs_plus),
    row("hfs", "HFS file system", 1024, b"BD", hfs),
    row("ufs", "UFS file system", 0, b"", ufs),
    row("gfs2", "GFS or GFS2 file system", 65_536, b"\x01\x16\x19\x70", unsaid),
    row("ocfs2", "OCFS2 file system", 1024, b"OCFSV2", ocfs2::<1024>),
    row("ocfs2", "OCFS2 file system", 2048, b"OCFSV2", ocfs2::<2048>),
    row("ocfs2", "OCFS2 file system", 4096, b"OCFSV2", ocfs2::<4096>),
    row("ocfs2", "OCFS2 file system", 8192, b"OCFSV2", ocfs2::<8192>),
    row("ocfs", "OCFS file system", 8200, b"OracleCFS", unsaid),
    row("ocfs", "OCFS file system", 8192, b"OracleCFS", unsaid),
    row("oracleasm", "Oracle ASM disk", 32, b"ORCLDISK", unsaid),
    row("squashfs", "SquashFS file system", 0, b"hsqs", squashfs),
    row("squashfs", "SquashFS file system", 0, b"sqsh", unsaid),
    row("squashfs", "SquashFS file system", 0, b"qshs", unsaid),
    row("erofs", "EROFS file system", 1024, b"\xE2\xE1\xF5\xE0", erofs),
    row("cramfs", "cramfs file system", 0, b"\x45\x3D\xCD\x28", cramfs),
    row("cramfs", "cramfs file system", 0, b"\x28\xCD\x3D\x45", unsaid),
    row("cramfs", "cramfs file system", 512, b"\x45\x3D\xCD\x28", unsaid),
    row("romfs", "romfs file system", 0, b"-rom1fs-", romfs),
    row("iso9660", "ISO 9660 file system", 32_769, b"CD001", iso9660),
    row("iso9660", "ISO 9660 file system", 32_777, b"CDROM", unsaid),
    row("udf", "UDF file system", 34_817, b"NSR0", unsaid),
    row("udf", "UDF file system", 36_865, b"NSR0", unsaid),
    row("udf", "UDF file system", 38_913, b"NSR0", unsaid),
    row("udf", "UDF file system", 40_961, b"NSR0", unsaid),
    row("udf", "UDF file system", 43_009, b"NSR0", unsaid),
    row("udf", "UDF file system", 45_057, b"NSR0", unsaid),
    row("udf", "UDF file system", 32_769, b"BEA01", unsaid),
    row("zonefs", "zonefs file system", 0, b"SFOZ", unsaid),
    row("apfs", "APFS container", 32, b"NXSB", apfs),
    row("refs", "ReFS file system", 0, b"\0\0\0ReFS\0", refs),
    row("bitlocker", "BitLocker volume", 3, b"-FVE-FS-", unsaid),
    row("hpfs", "HPFS file system", 8192, b"\x49\xE8\x95\xF9", unsaid),
    row("befs", "BeFS file system", 32, b"BFS1", unsaid),
    row("befs", "BeFS file system", 32, b"1SFB", unsaid),
    row("befs", "BeFS file system", 544, b"BFS1", unsaid),
    row("befs", "BeFS file system", 544, b"1SFB", unsaid),
    row("bfs", "BFS file system", 0, b"\xCE\xFA\xAD\x1B", unsaid),
    row("sysv", "System V file system", 1016, b"\x20\x7E\x18\xFD", unsaid),
    row("sysv", "System V file system", 1016, b"\xFD\x18\x7E\x20", unsaid),
    row("xenix", "Xenix file system", 2048, b"\x44\x55\x2B\0", unsaid),
    row("xenix", "Xenix file system", 2048, b"\x2B\x55\x44\0", unsaid),
    row("vxfs", "VxFS file system", 1024, b"\xF5\xFC\x01\xA5", unsaid),
    row("vxfs", "VxFS file system", 8192, b"\xA5\x01\xFC\xF5", unsaid),
    row("nss", "Novell Storage Services volume", 4096, b"SPB5", unsaid),
    row("ubi", "UBI image", 0, b"UBI#", unsaid),
    row("ubifs", "UBIFS file system", 0, b"\x31\x18\x10\x06", unsaid),
    row("exfs", "EXFS file system", 0, b"EXFS", unsaid),
    row("xfs-log", "XFS external log", 0, b"\xFE\xED\xBA\xBE\0\0\0", unsaid),
    row("scoutfs", "ScoutFS file system", 65_540, b"\x8B\x42\x3C\x10", unsaid),
    row("mpool", "mpool device", 0, b"mpoolDev", unsaid),
    row("opensvc-hb", "OpenSVC heartbeat device", 4, b"\x3D\xC1\x3C\x87\xC0\x5B\xE3\xB6", unsaid),
    row("bcachefs", "bcachefs file system", 4120, BCACHEFS, unsaid),
    row("bcachefs", "bcachefs file system", 4120, BCACHE, bcachefs),
    row("bcache", "bcache device", 4120, BCACHE, bcache),
    row("bluestore", "Ceph BlueStore device", 0, b"bluestore block device", unsaid),
    row("vdo", "VDO volume", 0, b"dmvdo001", unsaid),
    row("stratis", "Stratis pool member", 516, STRATIS, stratis),
    row("stratis", "Stratis pool member", 4612, STRATIS, unsaid),
    row("dm-integrity", "dm-integrity device", 0, b"integrt\0", unsaid),
    row("dm-verity", "dm-verity hash device", 0, b"verity\0\0", verity),
    row("dm-snapshot", "device-mapper snapshot store", 0, b"SnAp", unsaid),
    row("dm-thin", "device-mapper thin pool metadata", 32, b"\xBA\x52\x9C\x01\0\0\0\0", unsaid),
    row("lvm1", "LVM1 physical volume", 0, b"HM", lvm1),
    row("luks-second", "LUKS2 volume without its first header", 16_384, b"SKUL\xBA\xBE", second_luks),
    row("swsuspend", SUSPEND, 0, b"", swsuspend),
    row("zfs", "ZFS pool member", 0, b"", zfs),
    row("drbdmanage", "drbdmanage control volume", 0, b"$DRBDmgr=q", unsaid),
    row("drbdproxy", "DRBD Proxy data log", 16, b"DRBDdlh*", unsaid),
    row("hpt37x", "HighPoint 37x RAID member", 4640, b"\xF0\x16\x78\x5A", unsaid),
    row("hpt37x", "HighPoint 37x RAID member", 4640, b"\xFD\x16\x78\x5A", unsaid),
    row("sun", "Sun disk label", 508, b"\xDA\xBE", sun),
    row("sgi", "SGI disk label", 0, b"\x0B\xE5\xA9\x41", unsaid),
    row("aix", "AIX disk label", 0, b"\xC9\xC2\xD4\xC1", unsaid),
    row("mac", "Apple partition map", 512, b"PM\0\0\0\0", unsaid),
    row("bsd", "BSD disk label", 512, b"\x57\x45\x56\x82", unsaid),
    row("ldm", "Windows dynamic disk", 3072, b"PRIVHEAD", unsaid),
];

/// Those further on than what is read of a device's beginning.
const FURTHER: [Row; 6] = [
    row(
        "vmfs-member",
        "VMFS volume member",
        1 << 20,
        b"\x0D\xD0\x01\xC0",
        unsaid,
    ),
    row(
        "vmfs",
        "VMFS file system",
        2 << 20,
        b"\x5E\xF1\xAB\x2F",
        unsaid,
    ),
    row(
        "ufs",
        "UFS file system",
        (256 << 10) + 1372,
        b"\x54\x19\x01\0",
        unsaid,
    ),
    row(
        "ufs",
        "UFS file system",
        (256 << 10) + 1372,
        b"\0\x01\x19\x54",
        unsaid,
    ),
    row(
        "ufs",
        "UFS file system",
        (256 << 10) + 1372,
        b"\x19\x01\x54\x19",
        unsaid,
    ),
    row(
        "ufs",
        "UFS file system",
        (256 << 10) + 1372,
        b"\x19\x54\x01\x19",
        unsaid,
    ),
];

/// Everybody that the device's first bytes are known by, and where each ends.
pub(super) fn at_the_start(bytes: &[u8]) -> impl Iterator<Item = (OccupantKind, End)> {
    START.iter().filter_map(|row| {
        let end = has(bytes, row.at, row.magic).then(|| (row.probe)(bytes));
        Some((OccupantKind::Known(row.known), end.flatten()?))
    })
}

/// Everybody that is known by what stands further on.
pub(super) fn further_on(device: Window<'_>) -> Result<Vec<OccupantKind>> {
    let mut found = Vec::new();
    let mut bytes = [0; 8];
    for row in &FURTHER {
        let at = u64::try_from(row.at).map(DevPos::new);
        let Some((at, bytes)) = at.ok().zip(bytes.get_mut(..row.magic.len())) else {
            continue;
        };
        let inside = at
            .checked_add(crate::units::Bytes::of_len(bytes.len()))
            .is_some_and(|end| end.from_start() <= device.size());
        if inside {
            device.read_exact_at(at, bytes)?;
            if *bytes == *row.magic {
                found.push(OccupantKind::Known(row.known));
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_signature_lies_in_what_is_looked_at() {
        let most = super::super::LOOKED_AT.to_usize().unwrap();
        for row in &START {
            let word = row.known.word;
            assert!(row.at + row.magic.len() <= most, "{word}");
            // Two bytes and less are no proof, and are looked at more closely.
            let is_short = row.magic.len() < 4;
            assert!(!is_short || (row.probe)(&vec![0; most]).is_none(), "{word}");
        }
    }

    #[test]
    fn a_kind_has_one_name() {
        for one in START.iter().chain(&FURTHER) {
            for other in START.iter().chain(&FURTHER) {
                let same = one.known.word == other.known.word;
                assert_eq!(same, one.known.name == other.known.name);
            }
        }
    }
}
