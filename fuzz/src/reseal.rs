//! Checksums of an undo file made to fit, so that what it says is judged and not only whether it is whole.
//!
//! After docs/undo-file.md. CRC-32 is reckoned here anew.

/// CRC-32 as zip has it, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
        })
    })
}

fn seal(bytes: &mut [u8], from: usize, to: usize) {
    if from <= to && to + 4 <= bytes.len() {
        let crc = crc32(&bytes[from..to]);
        bytes[to..to + 4].copy_from_slice(&crc.to_be_bytes());
    }
}

fn number<const N: usize>(bytes: &[u8], at: usize) -> usize {
    let bytes = bytes.get(at..at + N).unwrap_or(&[]);
    bytes
        .iter()
        .fold(0, |number, byte| number << 8 | usize::from(*byte))
}

/// A content's checksum, where it is kept as it is or as a word that repeats.
fn content(bytes: &mut [u8], at: usize, len: usize, repeats: bool, crc_at: usize) -> usize {
    let kept = if repeats { 8 } else { len };
    let Some(found) = bytes.get(at..at + kept) else {
        return at;
    };
    let whole = if repeats {
        found.repeat(len / 8)
    } else {
        found.to_vec()
    };
    let crc = crc32(&whole).to_be_bytes();
    bytes[crc_at..crc_at + 4].copy_from_slice(&crc);
    at + kept
}

/// How long the header is, without its checksum: version 1 has one target, later ones say how many.
fn header_len(bytes: &[u8]) -> usize {
    if number::<4>(bytes, 16) == 1 {
        return 40 + number::<2>(bytes, 32) + number::<2>(bytes, 34);
    }
    let mut len = 40;
    for _ in 0..number::<2>(bytes, 20).min(16) {
        len += 16 + number::<2>(bytes, len + 10);
    }
    len + number::<2>(bytes, 22)
}

/// The same bytes, each checksum where it should be.
pub fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = header_len(&bytes).min(bytes.len());
    seal(&mut bytes, 0, end);
    let mut at = end + 4;
    while at + 32 <= bytes.len() {
        match &bytes[at..at + 4] {
            b"REGN" => {
                let end = at + 24 + number::<2>(&bytes, at + 6);
                seal(&mut bytes, at, end);
                at = end + 4;
            }
            b"RECD" => {
                let len = number::<4>(&bytes, at + 12).min(1 << 20);
                let (before, after) = (bytes[at + 16] == 1, bytes[at + 17] == 1);
                let next = content(&mut bytes, at + 32, len, before, at + 20);
                let next = content(&mut bytes, next, len, after, at + 24);
                seal(&mut bytes, at, at + 28);
                at = next.max(at + 32);
            }
            b"END!" => {
                let total = crc32(&bytes[..at]).to_be_bytes();
                bytes[at + 24..at + 28].copy_from_slice(&total);
                seal(&mut bytes, at, at + 28);
                break;
            }
            _ => break,
        }
    }
    bytes
}
