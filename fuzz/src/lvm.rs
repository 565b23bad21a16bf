//! Whatever a volume group says of itself, every byte of its disk has an answer.

use mdtool::image::{MemImage, ReadAt};
use mdtool::units::ImagePos;

use super::volume::{disk, judge};

/// The property: checksums are made anew, so that what they protect is looked at.
pub fn holds(data: &[u8]) {
    let mut image = disk(data);
    reseal(&mut image);
    judge(&image);
}

/// LVM's CRC, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0xF597_A6CF, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            if crc & 1 == 1 {
                (crc >> 1) ^ 0xEDB8_8320
            } else {
                crc >> 1
            }
        })
    })
}

fn reseal(image: &mut MemImage) {
    let mut label = [0; 512];
    let mut header = [0; 512];
    let _ = image.read_exact_at(ImagePos::new(512), &mut label);
    let _ = image.read_exact_at(ImagePos::new(4096), &mut header);
    let word = |at: usize| {
        header[at..at + 8]
            .iter()
            .rev()
            .fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte))
    };
    let (offset, len) = (
        word(40),
        usize::try_from(word(48)).unwrap_or(0).min(1 << 16),
    );
    let mut text = vec![0; len];
    if let Some(at) = offset.checked_add(4096)
        && image.read_exact_at(ImagePos::new(at), &mut text).is_ok()
    {
        header[56..60].copy_from_slice(&crc(&text).to_le_bytes());
    }
    let sum = crc(&header[4..]);
    header[..4].copy_from_slice(&sum.to_le_bytes());
    let sum = crc(&label[20..]);
    label[16..20].copy_from_slice(&sum.to_le_bytes());
    let _ = image.write_at(ImagePos::new(512), &label);
    let _ = image.write_at(ImagePos::new(4096), &header);
}
