//! What is advised, and what must not be.

use serde_json::Value;

use super::json;
use crate::support::{mdtool, scratch};

/// v09 of a node among three, by hand: its current generation, and the one that each slot counts from.
fn v09(node: u32, [current, since]: [u64; 2], flags: u32) -> String {
    let mut text = format!(
        "version \"v09\";\nmax-peers 2;\n# md_size_sect 80\n# md_offset 16773120\n# al_offset 16740352\n# bm_offset 16736256\n\
         node-id {node};\ncurrent-uuid 0x{current:016X};\nflags 0x{flags:08X};\nmembers 0x0000000000000000;\n"
    );
    let mut slot = 0;
    for peer in 0..32 {
        let known = peer < 3 && peer != node;
        let index = if known { slot } else { -1 };
        let (since, flags) = if known { (since, 0x10010) } else { (0, 0) };
        slot += i32::from(known);
        text += &format!(
            "peer[{peer}] {{ bitmap-index {index}; bitmap-uuid 0x{since:016X}; bitmap-dagtag 0x0000000000000000; flags 0x{flags:08X}; }}\n"
        );
    }
    text += &format!(
        "history-uuids {{ {} }}\nla-size-sect 32688;\nbm-byte-per-bit 4096;\ndevice-uuid 0x0000000000000000;\n\
         la-peer-max-bio-size 1048576;\nal-stripes 1;\nal-stripe-size-4k 8;\n",
        "0x0000000000000000; ".repeat(32)
    );
    for slot in 0..2 {
        text += &format!("bitmap[{slot}] {{ 64 times 0x0000000000000000; }}\n");
    }
    text
}

/// A file with a dump in it.
fn written(dir: &tempfile::TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    #[expect(clippy::disallowed_methods, reason = "tests make dumps by hand")]
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

const OLD: u64 = 0x1111_1111_1111_1110;
const NEW: u64 = 0x2222_2222_2222_2220;

/// Connecting the others to it makes them Inconsistent as well.
#[test]
fn what_is_inconsistent_is_never_the_newest() {
    let dir = scratch();
    let a = written(&dir, "a.md", &v09(0, [NEW, OLD], 0x80));
    let [b, c] = [(1, "b.md"), (2, "c.md")]
        .map(|(node, name)| written(&dir, name, &v09(node, [OLD, 0], 0x491)));
    let files = ["compare", &a, &b, &c];
    let found = json(&mdtool([&files[..], &["--json"]].concat()));
    assert_eq!(found["replicas"][0]["disk_state"], "Inconsistent");
    assert_eq!(found["newest"], Value::from(vec![1, 2]));
    let text = mdtool(files).stdout;
    assert!(!text.contains("a has the newest"), "{text}");
    assert!(text.contains("\nb and c have the newest data"), "{text}");
    assert!(text.contains("\na is Inconsistent"), "{text}");
    let remedy = "`drbdadm connect --discard-my-data RESOURCE` on a";
    assert!(text.contains(remedy), "{text}");
    // What is advised is what the handshake makes of it.
    let turned = ["compare", &a, &b, "--net=a:discard-my-data=yes", "--json"];
    let pair = &json(&mdtool(turned))["pairs"][0];
    assert_eq!(pair["decision"], "target-bitmap");
}

#[test]
fn of_inconsistent_ones_none_is_the_newest() {
    let dir = scratch();
    let [a, b, c] = [(0, NEW), (1, OLD), (2, OLD)].map(|(node, current)| {
        let since = if current == NEW { OLD } else { 0 };
        written(
            &dir,
            &format!("{node}.md"),
            &v09(node, [current, since], 0x80),
        )
    });
    let text = mdtool(["compare", &a, &b, &c]).stdout;
    assert!(text.contains("\nall are Inconsistent"), "{text}");
    assert!(!text.contains("discard-my-data"), "{text}");
}
