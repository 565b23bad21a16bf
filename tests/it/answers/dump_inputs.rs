//! What people give instead of a dump.

use std::path::PathBuf;

use crate::support::{mdtool, put, require_tool, scratch, sparse};

const DUMP: &str = r#"# DRBD meta data dump
version "v08";
uuid {
    0xDDB03F0DAF07DEDC; 0x0000000000000000; 0xE4689A94FBB0E78B; 0xE4679A94FBB0E78B;
    flags 0x00000091;
}
la-size-sect 130992;
bm-byte-per-bit 4096;
device-uuid 0x625F486D2CB120D1;
la-peer-max-bio-size 1048576;
al-stripes 1;
al-stripe-size-4k 8;
bm {
    256 times 0x0000000000000000;
}
"#;

fn utf16(text: &str, swap: bool) -> Vec<u8> {
    let units = std::iter::once(0xFEFF).chain(text.encode_utf16());
    let bytes = |unit: u16| {
        if swap {
            unit.to_be_bytes()
        } else {
            unit.to_le_bytes()
        }
    };
    units.flat_map(bytes).collect()
}

#[test]
fn a_text_that_is_no_dump_says_what_it_is_and_how_a_dump_is_made_of_it() {
    let dir = scratch();
    let target = dir.path().join("target.raw");
    sparse(&target, 64 << 20);
    let gzip = b"\x1F\x8B\x08\0\0\0\0\0\0\x03".to_vec();
    let cases: [(Vec<u8>, &str, &str); 10] = [
        (utf16(DUMP, false), "the text is UTF-16", "iconv -f UTF-16"),
        (utf16(DUMP, true), "the text is UTF-16", "iconv -f UTF-16"),
        (
            [b"\xEF\xBB\xBF", DUMP.as_bytes()].concat(),
            "byte order mark",
            "tail -c +4",
        ),
        (gzip, "compressed", "zcat /"),
        (b"\xFD7zXZ\0\0\x04".to_vec(), "compressed", "xzcat /"),
        (b"BZh91AY&SY".to_vec(), "compressed", "bzcat /"),
        (
            format!("{DUMP}{DUMP}").into_bytes(),
            "another dump begins here",
            "sed '17,$d'",
        ),
        (
            format!("{DUMP}\n\n{DUMP}").into_bytes(),
            "another dump begins here",
            "sed '19,$d'",
        ),
        (
            format!("[root@host ~]# drbdadm dump-md r0\n{DUMP}").into_bytes(),
            "something else stands before the dump",
            "sed -n '/^version/,$p'",
        ),
        (
            format!("$ drbdadm dump-md r0\n{DUMP}").into_bytes(),
            "something else stands before the dump",
            "sed -n '/^version/,$p'",
        ),
    ];
    let dump: PathBuf = dir.path().join("dump.md");
    for (content, says, hint) in cases {
        put(&dump, &content);
        let words = ["import", target.to_str().unwrap(), dump.to_str().unwrap()];
        let run = mdtool(words.iter().chain(&["--dry-run"]));
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains(says), "{says:?} in {run:?}");
        assert!(run.stderr.contains(hint), "{hint:?} in {run:?}");
    }
}

#[test]
fn what_the_hints_say_makes_dumps() {
    if !require_tool("iconv") || !require_tool("sed") || !require_tool("tail") {
        return;
    }
    let dir = scratch();
    let target = dir.path().join("target.raw");
    sparse(&target, 64 << 20);
    for (content, pipe) in [
        (utf16(DUMP, false), "iconv -f UTF-16 -t UTF-8 DUMP"),
        (
            [b"\xEF\xBB\xBF", DUMP.as_bytes()].concat(),
            "tail -c +4 DUMP",
        ),
        (format!("{DUMP}{DUMP}").into_bytes(), "sed '17,$d' DUMP"),
        (format!("{DUMP}{DUMP}").into_bytes(), "sed -n '17,$p' DUMP"),
        (
            format!("# x\n$ y\n{DUMP}").into_bytes(),
            "sed -n '/^version/,$p' DUMP",
        ),
    ] {
        put(&dir.path().join("DUMP"), &content);
        let mdtool = env!("CARGO_BIN_EXE_mdtool");
        let line = format!("{pipe} | {mdtool} import target.raw - --dry-run");
        let output = std::process::Command::new("sh")
            .args(["-c", &line])
            .current_dir(dir.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{pipe}: {output:?}");
    }
}

#[test]
fn flags_of_zero_name_the_value_for_a_disk_that_was_good() {
    let dir = scratch();
    let target = dir.path().join("target.raw");
    sparse(&target, 64 << 20);
    let dump = dir.path().join("dump.md");
    put(&dump, DUMP.replace("0x00000091", "0x00000000").as_bytes());
    let words = ["import", target.to_str().unwrap(), dump.to_str().unwrap()];
    let run = mdtool(words.iter().chain(&["--dry-run"]));
    assert!(run.stderr.contains("--flags 0x91"), "{run:?}");
}
