use proptest::prelude::*;

use super::*;

/// `START END` a line.
fn of_line(line: &str) -> std::result::Result<Range<DevPos>, String> {
    let numbers: Vec<u64> = line
        .split(' ')
        .filter_map(|word| word.parse().ok())
        .collect();
    match numbers.as_slice() {
        [start, end] => Ok(DevPos::new(*start)..DevPos::new(*end)),
        _ => Err("expected START END".to_owned()),
    }
}

/// All ranges of a file, or what is wrong with it.
fn read(text: &str) -> std::result::Result<Vec<(u64, u64)>, String> {
    let mut file = RangeFile::new(text.as_bytes(), of_line).unwrap();
    let mut ranges = Vec::new();
    loop {
        match file.next_range() {
            Ok(None) => return Ok(ranges),
            Ok(Some(range)) => ranges.push((range.start.get(), range.end.get())),
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// As qemu-img 7.2 prints it.
const QEMU: &str = r#"[{ "start": 0, "length": 65536, "depth": 0, "present": true, "zero": false, "data": true, "offset": 0},
{ "start": 65536, "length": 983040, "depth": 0, "present": true, "zero": true, "data": false, "offset": 65536},
{ "start": 1048576, "length": 4096, "depth": 0, "present": true, "zero": false, "data": true, "filename": "a\"b", "offset": 1048576}]
"#;

/// As xfsprogs 6.1 prints it.
const XFS: &str = "/mnt/a file:\n EXT: FILE-OFFSET      BLOCK-RANGE      AG AG-OFFSET        TOTAL FLAGS\n   0: [0..7]:          96..103           0 (96..103)            8 000000\n   1: [8..2055]:       hole                                  2048\n   2: [2056..2063]:    200..207          0 (200..207)           8 010000\n FLAG Values:\n    0100000 Shared extent\n    0010000 Unwritten preallocated extent\n";

/// As e2fsprogs 1.47 prints it.
const FILEFRAG: &str = "Filesystem type is: ef53\nFile size of /mnt/a is 12288 (3 blocks of 4096 bytes)\n ext:     logical_offset:        physical_offset: length:   expected: flags:\n   0:        0..       1:      34304..     34305:      2:            \n   1:        2..       2:      34816..     34816:      1:      34306: last,eof\n/mnt/a: 2 extents found\n";

#[test]
fn every_form_is_read_as_its_tool_prints_it() {
    assert_eq!(read(QEMU), Ok(vec![(0, 65536), (1_048_576, 1_052_672)]));
    assert_eq!(read(XFS), Ok(vec![(49_152, 53_248), (102_400, 106_496)]));
    let blocks = |first: u64, count: u64| (first * 4096, (first + count) * 4096);
    assert_eq!(read(FILEFRAG), Ok(vec![blocks(34304, 2), blocks(34816, 1)]));
    assert_eq!(read("# ranges\n\n0 5\n 7 9 \n"), Ok(vec![(0, 5), (7, 9)]));
    assert_eq!(read(""), Ok(Vec::new()));
    assert_eq!(read("[ ]\n"), Ok(Vec::new()));
}

#[test]
fn what_is_no_range_is_refused_with_its_line() {
    let told = |text: &str| read(text).unwrap_err();
    assert_eq!(told("1 2\nx\n"), "line 2: expected START END");
    assert_eq!(
        told("[{\"start\": 0}\n]"),
        "line 1: expected start, length and data, as `qemu-img map --output=json` has them"
    );
    assert_eq!(
        told("[{\"start\": 0, \"length\": 1, \"data\": true}\n] 5"),
        "line 2: expected nothing behind the list"
    );
    assert!(told(&QEMU[..200]).contains("line 2"), "cut off");
    assert!(
        told(&XFS.replace("200..207", "delalloc"))
            .starts_with("line 5: an extent has no place yet")
    );
    assert!(told(&XFS.replace("200..207", "207..200")).contains("FIRST..LAST"));
    assert!(
        told(&FILEFRAG.replace("last,eof", "last,unknown_loc,delalloc,eof")).starts_with("line 5")
    );
    assert!(told(&FILEFRAG.replace("last,eof", "inline")).contains("inode"));
    assert!(told(&FILEFRAG.replace(" of 4096 bytes", "")).starts_with("line 2"));
    assert!(told(&format!("{FILEFRAG}nonsense\n")).starts_with("line 7"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(256)))]

    #[test]
    fn whatever_is_in_a_file_ends_in_an_answer(
        form in 0_usize..4, cut in 0_usize..900, noise in proptest::collection::vec(any::<u8>(), 0..40), at in 0_usize..900
    ) {
        let mut text = [QEMU, XFS, FILEFRAG, ""][form].as_bytes().to_vec();
        text.truncate(cut.max(10));
        let at = at.min(text.len());
        text.splice(at..at, noise);
        let mut file = RangeFile::new(text.as_slice(), of_line).unwrap();
        while let Ok(Some(range)) = file.next_range() {
            prop_assert!(range.start <= range.end || form == 3 || file.form() == Form::Lines);
        }
    }
}
