//! What is advised, and what must not be.

use serde_json::Value;

use super::json;
use super::untrue::v08;
use crate::support::{kernel_image, mdtool, patch, scratch};

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
        let line = format!(
            "peer[{peer}] {{ bitmap-index {index}; bitmap-uuid 0x{since:016X}; bitmap-dagtag 0x0000000000000000; flags 0x{flags:08X}; }}\n"
        );
        text.push_str(&line);
    }
    let rest = format!(
        "history-uuids {{ {} }}\nla-size-sect 32688;\nbm-byte-per-bit 4096;\ndevice-uuid 0x0000000000000000;\n\
         la-peer-max-bio-size 1048576;\nal-stripes 1;\nal-stripe-size-4k 8;\n",
        "0x0000000000000000; ".repeat(32)
    );
    text.push_str(&rest);
    for slot in 0..2 {
        let bitmap = format!("bitmap[{slot}] {{ 64 times 0x0000000000000000; }}\n");
        text.push_str(&bitmap);
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

/// What check finds that attach refuses, compare does not connect.
fn refused(files: [&str; 2], rule: &str, code: &str) {
    for files in [files, [files[1], files[0]]] {
        let run = mdtool(["compare", files[0], files[1], "--json"]);
        let pair = &json(&run)["pairs"][0];
        assert_eq!(
            (run.status, &pair["decision"]),
            (1, &Value::from("refused"))
        );
        assert_eq!(pair["refused_by"][0]["code"], "attach", "{pair}");
        let text = pair["refused_by"][0]["text"].as_str().unwrap();
        assert!(text.contains(rule) && text.contains(code), "{text}");
    }
}

#[test]
fn what_attach_refuses_does_not_connect() {
    let dir = scratch();
    let good = v09(1, [OLD, 0], 0x491);
    let peer = written(&dir, "peer.md", &v09(0, [OLD, 0], 0x491));
    let changed = |name: &str, from: &str, to: &str| {
        assert!(good.contains(from));
        written(&dir, name, &good.replacen(from, to, 1))
    };
    let own = changed(
        "own.md",
        "peer[1] { bitmap-index -1",
        "peer[1] { bitmap-index 1",
    );
    refused([&own, &peer], "own-bitmap-slot", "119");
    let range = changed(
        "range.md",
        "peer[0] { bitmap-index 0",
        "peer[0] { bitmap-index 9",
    );
    refused([&range, &peer], "bitmap-slot-range", "119");
    let large = changed("large.md", "la-size-sect 32688", "la-size-sect 32720");
    refused([&large, &peer], "implicit-shrink", "170");
    // Nothing says how large its disk is.
    let text = good.replace("la-size-sect 32688", "la-size-sect 32720");
    let text = text.lines().filter(|line| !line.starts_with('#'));
    let nowhere = text.collect::<Vec<_>>().join("\n");
    let nowhere = written(&dir, "nowhere.md", &nowhere);
    let pair = json(&mdtool(["compare", &nowhere, &peer, "--json"]))["pairs"][0].clone();
    assert_ne!(pair["refused_by"][0]["code"], "attach", "{pair}");
}

#[test]
fn an_image_is_asked_what_check_asks_it() {
    let dir = scratch();
    let path = dir.path().join("a.img");
    std::fs::copy(kernel_image("v09-pair-a-crashed"), &path).unwrap();
    let peer = kernel_image("v09-pair-b-crashed");
    let size = std::fs::metadata(&path).unwrap().len();
    // A sector too many: la-size is the first field.
    let level = json(&mdtool(["show", path.to_str().unwrap(), "--json"]));
    let usable = level["levels"][0]["usable_sect"].as_u64().unwrap();
    patch(&path, size - 4096, &(usable + 1).to_be_bytes());
    let check = mdtool(["check", path.to_str().unwrap()]);
    assert!(check.stdout.contains("implicit-shrink"), "{}", check.stdout);
    refused(
        [path.to_str().unwrap(), peer.to_str().unwrap()],
        "implicit-shrink",
        "170",
    );
}

/// drbd-utils from 2012 to 9.32 print flags 0 of every v08 disk.
#[test]
fn flags_that_are_not_in_the_dump_are_not_taken_for_an_inconsistent_disk() {
    let dir = scratch();
    let said = |flags: &str, current: u64, since: u64, name: &str| {
        let name = v08(&dir, name, [current, since, 0, 0]);
        let text = std::fs::read_to_string(dir.path().join(&name)).unwrap();
        written(&dir, &name, &text.replace("flags 0x00000091", flags))
    };
    let pair = |flags: &str| {
        let a = said(flags, NEW, OLD, "a.md");
        let b = said(flags, OLD, 0, "b.md");
        json(&mdtool(["compare", &a, &b, "--json"]))
    };
    let (truth, old) = (pair("flags 0x00000091"), pair("flags 0x00000000"));
    for field in ["rule", "rule_b", "decision", "sync_bits", "mirrored"] {
        assert_eq!(truth["pairs"][0][field], old["pairs"][0][field], "{field}");
    }
    assert_eq!(old["newest"], truth["newest"]);
    assert_eq!(old["replicas"][0]["disk_state"], "UpToDate");
    for (place, side) in ["a", "b"].into_iter().enumerate() {
        let note = &old["pairs"][0]["notes"][place];
        assert_eq!(note["code"], "flags-not-in-dump");
        assert!(note["text"].as_str().unwrap().contains(side));
    }
    assert_eq!(truth["pairs"][0]["notes"], Value::Array(Vec::new()));
}

/// 8.4's larger side drops the connection, and nothing else decides.
#[test]
fn a_size_that_8_4_refuses_is_all_that_is_said() {
    let dir = scratch();
    assert!(!super::cases("84", &dir).is_empty());
    let [a, b] = ["a", "b"].map(|side| dir.path().join(format!("84-grown-a-{side}.md")));
    let run = mdtool([
        "compare",
        a.to_str().unwrap(),
        b.to_str().unwrap(),
        "--json",
        "--size=8MiB",
    ]);
    let pair = &json(&run)["pairs"][0];
    assert_eq!(
        (&pair["decision"], &pair["mirrored"]),
        (&"refused".into(), &true.into())
    );
    assert_eq!(
        (&pair["rule"], &pair["rule_b"]),
        (&Value::Null, &"50".into())
    );
    assert_eq!(pair["refused_by"][0]["code"], "sizes");
    let text = pair["notes"].to_string();
    assert!(!text.contains("not-mirrored"), "{text}");
}

#[test]
fn a_dump_that_does_not_parse_is_mended_for_the_command_that_reads_it() {
    let dir = scratch();
    let good = v09(1, [OLD, 0], 0x491);
    let bad = written(&dir, "bad.md", &format!("\u{feff}{good}"));
    let good = written(&dir, "good.md", &good);
    let run = mdtool(["compare", &bad, &good]);
    assert_eq!(run.status, 2);
    let hint = format!("hint: `tail -c +4 {bad} | mdtool compare - {good}`");
    assert!(run.stderr.contains(&hint), "{}", run.stderr);
    assert!(run.stderr.starts_with(&format!("mdtool: {bad}: line 1")));
    let copy = kernel_image("v09-pair-a-crashed");
    let copy = copy.to_str().unwrap();
    let run = mdtool(["plan", copy, "--peer", &bad]);
    let hint = format!("| mdtool plan {copy} --peer -`");
    assert!(run.stderr.contains(&hint), "{}", run.stderr);
}

#[test]
fn a_dump_has_no_levels() {
    let dir = scratch();
    let dump = written(&dir, "a.md", &v09(1, [OLD, 0], 0x491));
    let peer = written(&dir, "b.md", &v09(0, [OLD, 0], 0x491));
    let run = mdtool(["compare", &format!("{dump}@1"), &peer]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("holds one resource"), "{}", run.stderr);
    assert_eq!(mdtool(["compare", &format!("{dump}@0"), &peer]).status, 0);
}
