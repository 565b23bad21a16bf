use super::*;
use crate::image::{MemImage, WriteAt};
use crate::units::ImagePos;

#[test]
fn files_that_are_no_raw_image_are_recognised() {
    assert_eq!(recognise(b"QFI\xFB\0\0\0\x03"), Some(FileForm::Qcow2));
    assert_eq!(
        recognise(b"# DRBD meta data dump\n# 2026"),
        Some(FileForm::Dump)
    );
    let mut vdi = [0; BEGINNING];
    vdi[64..68].copy_from_slice(b"\x7F\x10\xDA\xBE");
    assert_eq!(recognise(&vdi), Some(FileForm::Vdi));
    assert_eq!(recognise(&[0; BEGINNING]), None);
    assert_eq!(recognise(b"QFI"), None);
    assert_eq!(recognise(b""), None);
}

#[test]
fn a_dump_is_recognised_whatever_stands_before_it() {
    let text = "version \"v08\";\n\nuuid {\n    0xDDB03F0DAF07DEDC;";
    let wide = |order: fn(u16) -> [u8; 2], mark: bool| -> Vec<u8> {
        let mark = mark.then_some(0xFEFF_u16);
        mark.into_iter()
            .chain(text.encode_utf16())
            .flat_map(order)
            .collect()
    };
    for bytes in [
        wide(u16::to_le_bytes, true),
        wide(u16::to_be_bytes, true),
        wide(u16::to_le_bytes, false),
        wide(u16::to_be_bytes, false),
        [b"\xEF\xBB\xBF", text.as_bytes()].concat(),
        [b"[root@host ~]# drbdadm dump-md r0\n", text.as_bytes()].concat(),
        [b"\r\n\r\n", text.as_bytes()].concat(),
    ] {
        assert_eq!(recognise(&bytes), Some(FileForm::Dump), "{bytes:02X?}");
        let mut padded = bytes;
        padded.resize(BEGINNING, 0);
        assert_eq!(recognise(&padded), Some(FileForm::Dump));
    }
    let binary = [&[0x7F, 1, 2, 3], text.as_bytes()].concat();
    assert_eq!(recognise(&binary), None, "a program that has these words");
    assert_eq!(recognise(b"version 1.2 of something"), None);
}

/// A file of so many clusters of 64 KiB, with a qcow2's header and a count for each of the first ones.
fn qcow2(clusters: u64, used: u64) -> MemImage {
    let mut image = MemImage::new(Bytes::new(clusters << 16));
    let mut put = |at: u64, bytes: &[u8]| image.write_all_at(ImagePos::new(at), bytes).unwrap();
    put(0, b"QFI\xFB\0\0\0\x03");
    put(20, &16_u32.to_be_bytes());
    put(48, &0x1_0000_u64.to_be_bytes());
    put(56, &1_u32.to_be_bytes());
    put(96, &4_u32.to_be_bytes());
    put(0x1_0000, &0x2_0000_u64.to_be_bytes());
    for cluster in 0..used {
        put(0x2_0000 + 2 * cluster, &1_u16.to_be_bytes());
    }
    image
}

#[test]
fn a_qcow2_that_reaches_to_the_file_s_end_is_the_file() {
    let whole = |image: &MemImage| container(Window::whole(image)).unwrap();
    assert_eq!(whole(&qcow2(40, 40)), Some(FileForm::Qcow2));
    assert_eq!(whole(&qcow2(40, 39)), None, "what follows is another's");
    let mut damaged = qcow2(40, 40);
    for (at, bytes) in [(20, [0xFF; 4]), (48, [0xFF; 4]), (96, [0xFF; 4])] {
        damaged.write_all_at(ImagePos::new(at), &bytes).unwrap();
        assert_eq!(whole(&damaged), None, "at {at}");
    }
}

#[test]
fn a_vhd_is_told_from_a_disk_that_has_one_by_its_footer() {
    let footer = b"conectix\0\0\0\x02\0\x01\0\0";
    let size = 1 << 20;
    for (at, expected) in [(size - 512, Some(FileForm::Vhd)), (size - 8192, None)] {
        let mut image = MemImage::new(Bytes::new(size));
        // A dynamic one has a copy at its beginning.
        image.write_all_at(ImagePos::START, footer).unwrap();
        image.write_all_at(ImagePos::new(at), footer).unwrap();
        assert_eq!(container(Window::whole(&image)).unwrap(), expected);
    }
}

#[test]
fn no_file_is_too_short_to_be_looked_at() {
    for size in [0, 1, 511, 512, 513, 1024] {
        let image = MemImage::new(Bytes::new(size));
        assert_eq!(container(Window::whole(&image)).unwrap(), None);
        let noise = MemImage::from_bytes(&vec![0xFF; usize::try_from(size).unwrap()]);
        assert_eq!(container(Window::whole(&noise)).unwrap(), None);
    }
}
