//! Small good dumps, to be damaged.

use std::fmt::Write;

use super::read::DumpReader;
use crate::error::{Error, Syntax};
use crate::format::metadata::{Bitmap, Run};
use crate::units::BitmapIndex;

/// v07, compact.
pub(super) const V07: &str = "version \"v07\";
gc {
    -1; 2; 3; 4294967295; 5;
}
la-size-sect 2048;
bm {
    0x0000000200000001;
}
";

/// v08.
pub(super) const V08: &str = "version \"v08\";

uuid {
    0x1BF00582A40145C1; 0x8B3B982CB5836E65; 0xB71373454BF635A3; 0x0000000000000004;
    flags 0x00000093;
}
# al-extents 1237;
la-size-sect 268200;
bm-byte-per-bit 4096;
device-uuid 0x00000000000000FE;
la-peer-max-bio-size -4096;
al-stripes 2;
al-stripe-size-4k 16;
# bm-bytes 8192;
bm {
   # at 0kB
    32 times 0xFFFFFFFFFFFFFFFF;
    0x0000000200000001; 0x0000000400000003;
}
# bits-set 7168;
";

/// v09 with three slots; the peers as given, by node id.
pub(super) fn v09_with_peers(node_ids: impl IntoIterator<Item = u8>) -> String {
    let mut text =
        "version \"v09\";\n\nmax-peers 3;\nnode-id 7;\ncurrent-uuid 0x1111111111111112;\n\
        flags 0x00000491;\nmembers 0x0000000000000081;\n"
            .to_owned();
    for node_id in node_ids {
        let bitmap_index = i32::from(node_id) - 1;
        write!(
            text,
            "peer[{node_id}] {{\n    bitmap-index {bitmap_index};\n    bitmap-uuid 0x{node_id:016X};\n    \
             bitmap-dagtag 0x{node_id:015X}A;\n    flags 0x{node_id:08X};\n}}\n"
        )
        .unwrap();
    }
    text.push_str("history-uuids {\n");
    for number in 0..32 {
        writeln!(text, "        0x{number:016X};").unwrap();
    }
    text.push_str(
        "}\nla-size-sect 524080;\nbm-byte-per-bit 65536;\ndevice-uuid 0x00000000000000FE;\nla-peer-max-bio-size 1048576;\n\
         al-stripes 1;\nal-stripe-size-4k 8;\nbitmap[0] {\n    1 times 0x0000000000000001;\n}\nbitmap[1] {\n}\nbitmap[2] {\n    \
         0x0000000000000003;\n}\n",
    );
    text
}

/// v09 with three slots.
pub(super) fn v09() -> String {
    v09_with_peers(0..32)
}

/// All words of all slots, and the check of the end.
pub(super) fn words(text: &[u8]) -> Result<Vec<Vec<u32>>, Error> {
    let mut reader = DumpReader::new(text)?;
    let slots = u8::try_from(reader.header().geometry.max_peers).unwrap();
    let words = (0..slots)
        .map(|slot| slot_words(&mut reader, slot))
        .collect::<Result<_, _>>()?;
    reader.finish()?;
    Ok(words)
}

/// All words of one slot.
pub(super) fn slot_words(bitmap: &mut dyn Bitmap, slot: u8) -> Result<Vec<u32>, Error> {
    let mut all = Vec::new();
    let mut words = bitmap.slot(BitmapIndex::new(slot))?;
    while let Some(run) = words.next_run()? {
        match run {
            Run::Words(words) => all.extend_from_slice(words),
            Run::Repeat { count, word } => {
                assert_ne!(count, 0);
                all.extend(std::iter::repeat_n(word, usize::try_from(count).unwrap()));
            }
        }
    }
    Ok(all)
}

/// What does not parse in a text.
pub(super) fn syntax(text: &str) -> Syntax {
    match words(text.as_bytes()) {
        Err(Error::Syntax(syntax)) => *syntax,
        other => panic!("{other:?}\n{text}"),
    }
}

/// A text with its first `from` replaced, which must be there.
pub(super) fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no {from} in:\n{text}");
    text.replacen(from, to, 1)
}

/// Where a damaged text does not parse, as `LINE:COLUMN FOUND, EXPECTED`.
pub(super) fn complaint(text: &str) -> String {
    let Syntax {
        line,
        column,
        at,
        found,
        expected,
        ..
    } = syntax(text);
    // The position, the line and the column say the same.
    let before = &text.as_bytes()[..usize::try_from(at.get()).unwrap()];
    let lines: Vec<&[u8]> = before.split(|byte| *byte == b'\n').collect();
    assert_eq!(u64::try_from(lines.len()).unwrap(), line);
    assert_eq!(
        u64::try_from(lines.last().unwrap().len()).unwrap() + 1,
        column
    );
    format!("{line}:{column} {found}, {expected}")
}
