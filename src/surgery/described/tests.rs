use std::path::PathBuf;

use super::*;
use crate::dump::{Compat, Preamble, print};
use crate::image::{Window, open_source};
use crate::survey::locate::{LocateOptions, locate};

fn dumps() -> Vec<PathBuf> {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata/dumps");
    let entries = std::fs::read_dir(dir).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let mut dumps: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    dumps.sort();
    dumps
}

fn described(text: &[u8]) -> Described {
    Described::of(DumpReader::looking(text).unwrap()).unwrap()
}

/// A dump from its format on, without how many extents may be active, which is in a comment only.
fn body(text: &str) -> String {
    let (_, body) = text.split_once("\nversion").unwrap();
    let lines = body
        .lines()
        .filter(|line| !line.starts_with("# al-extents"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Printed again, without the lines with time and command.
fn printed(image: &Described) -> String {
    let window = Window::whole(image);
    let located = locate(window, &LocateOptions::default()).unwrap();
    let [level] = located.levels.as_slice() else {
        panic!("{} levels", located.levels.len());
    };
    assert_eq!(level.layout, image.layout);
    let preamble = Preamble {
        time: String::new(),
        origin: String::new(),
    };
    let header = Header::of(&level.superblock);
    let mut text = Vec::new();
    let mut bitmap = level.bitmap(window);
    let layout = &level.layout;
    print(
        &mut text,
        &header,
        layout,
        &mut bitmap,
        &preamble,
        Compat::NEWEST,
    )
    .unwrap();
    body(&String::from_utf8(text).unwrap())
}

#[test]
fn what_a_dump_describes_is_dumped_as_it_was() {
    let dumps = dumps();
    assert!(dumps.len() >= 20);
    for path in dumps {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut open_source(&path).unwrap(), &mut text).unwrap();
        let image = described(text.as_bytes());
        assert!(image.is_told(), "{}", path.display());
        assert_eq!(printed(&image), body(&text), "{}", path.display());
    }
}

/// v08, with bits at both ends of a bitmap that is mostly clear, and nothing said of places.
const V08: &str = "version \"v08\"; uuid { 0x1BF00582A40145C1; 0x8B3B982CB5836E65; 0; 0; flags 0x00000091; }
la-size-sect 2147418040; bm-byte-per-bit 4096; device-uuid 0x00000000000000FE; la-peer-max-bio-size 0;
al-stripes 1; al-stripe-size-4k 8;
bm { 0x0000000000000001; 4000000 times 0x0000000000000000; 0x0000000500000000; }";

#[test]
fn where_nothing_is_said_of_places_the_smallest_disk_is_taken() {
    let text = V08.replace(
        "0; 0; flags",
        "0x0000000000000000; 0x0000000000000000; flags",
    );
    let image = described(text.as_bytes());
    assert!(!image.is_told());
    assert_eq!(image.layout.usable, Sectors::new(2_147_418_040));
    assert_eq!(image.size(), Bytes::new(1 << 40));
    let bm = ImagePos::at(image.layout.bm.start.from_start());
    let at = |bytes: u64| bm.checked_add(Bytes::new(bytes)).unwrap();
    let mut bytes = [0xFF; 16];
    image.read_exact_at(at(8 * 4_000_001), &mut bytes).unwrap();
    assert_eq!(bytes, [0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    image.read_exact_at(at(0), &mut bytes).unwrap();
    assert_eq!(bytes, [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    let mut odd = [0xFF; 3];
    image
        .read_exact_at(at(8 * 4_000_001 + 3), &mut odd)
        .unwrap();
    assert_eq!(odd, [0, 5, 0]);
    assert_eq!(
        image.next_data(ImagePos::START).unwrap().unwrap().start,
        at(0)
    );
    let next = image.next_data(at(16)).unwrap().unwrap();
    assert_eq!(next.start, at(8 * 4_000_001));
    image
        .read_exact_at(ImagePos::at(image.size()), &mut odd)
        .unwrap_err();
}

#[test]
fn a_size_that_no_disk_has_is_refused() {
    let text = V08
        .replace(
            "0; 0; flags",
            "0x0000000000000000; 0x0000000000000000; flags",
        )
        .replace("2147418040", "9223372036854775807");
    let dump = DumpReader::looking(text.as_bytes()).unwrap();
    let error = Described::of(dump).err().unwrap();
    assert!(error.refusal::<PlaceRefusal>().is_some(), "{error}");
}
