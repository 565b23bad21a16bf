//! Whether a text is a dump, by how it begins.

/// What a dump begins with, whatever stands before it: a byte order mark, a shell's prompt.
const BEGINS: [&[u8]; 3] = [
    b"# DRBD meta data dump",
    b"# la-size-sect was too big",
    b"version \"v0",
];

/// Whether a line is one that a dump begins with.
pub(super) fn begins(line: &[u8]) -> bool {
    BEGINS.iter().any(|begins| line.starts_with(begins))
}

/// Whether a text that begins so has a dump in it: what reads dumps reports what is wrong with it where it is UTF-16, or not the first in its
/// file.
#[must_use]
pub fn is_dump(beginning: &[u8]) -> bool {
    // Of UTF-16, in either byte order, every other byte of such a text is zero.
    let wide = beginning.starts_with(&[0xFF, 0xFE]) || beginning.starts_with(&[0xFE, 0xFF]);
    let half = |odd: bool| {
        let bytes = beginning.iter().skip(usize::from(odd)).step_by(2);
        bytes.copied().collect::<Vec<u8>>()
    };
    let zeros = |half: &[u8]| half.len() > 8 && half.iter().skip(1).all(|byte| *byte == 0);
    let (even, odd) = (half(false), half(true));
    let text = match (zeros(&even), zeros(&odd)) {
        (true, false) => odd,
        (false, true) => even,
        _ if wide => return false,
        _ => beginning.to_vec(),
    };
    // What is cut off here may be padded with zeros.
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let is_text = |byte: &u8| *byte >= 0x20 || b"\t\n\r\x1B\x07\x08".contains(byte);
    let somewhere = |begins: &&[u8]| text.windows(begins.len()).any(|piece| piece == *begins);
    text.iter().all(is_text) && (BEGINS.iter().any(somewhere) || parses(text))
}

/// Whether a text begins as a dump does for whoever parses it: after comments and blanks, `version`, and the name of a format.
fn parses(text: &[u8]) -> bool {
    let Some(rest) = after_comments(text).strip_prefix(b"version") else {
        return false;
    };
    let name = after_comments(rest);
    name.len() < rest.len() && name.starts_with(b"\"v0")
}

/// What follows comments and blanks.
fn after_comments(text: &[u8]) -> &[u8] {
    let mut rest = text.trim_ascii_start();
    while rest.first() == Some(&b'#') {
        let end = rest.iter().position(|byte| *byte == b'\n');
        rest = end.and_then(|end| rest.get(end..)).unwrap_or_default();
        rest = rest.trim_ascii_start();
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_is_known_by_how_it_begins() {
        for text in [
            "# DRBD meta data dump\n",
            "\n# pasted\r\n version \"v08\";",
            "# pasted\nversion # of the format\n\t\"v08\";",
            "version \"v09\";",
            "# DRBD meta data dump",
            "\u{FEFF}# DRBD meta data dump",
            "[root@host ~]# drbdadm dump-md r0\nversion \"v08\";",
        ] {
            assert!(is_dump(text.as_bytes()), "{text}");
        }
        for text in [
            "",
            "#!/bin/sh\nexit",
            "# a long comment",
            "\0\0\0\0",
            "version\"v08\";",
            "version 2",
            "version",
        ] {
            assert!(!is_dump(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn a_dump_in_utf_16_is_one() {
        for order in [u16::to_le_bytes, u16::to_be_bytes] {
            for mark in ["\u{FEFF}", ""] {
                let text = format!("{mark}version \"v08\";\n");
                let bytes: Vec<u8> = text.encode_utf16().flat_map(order).collect();
                assert!(is_dump(&bytes), "{bytes:02X?}");
            }
        }
    }
}
