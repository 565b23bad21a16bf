//! What reading commands take: images, a level of them behind the path, and dumps as text.

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{kernel_image, mdtool, mdtool_command, put, scratch, testdata};

fn json(words: &[&str]) -> Value {
    let run = mdtool(words);
    assert!(run.status < 2, "{words:?}: {}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Of one level of a document of show, what metadata alone tells.
fn told(level: &Value) -> Vec<&Value> {
    let fields = [
        "format",
        "la_size_sect",
        "usable_sect",
        "md_size_sect",
        "md_offset",
        "al_offset",
        "bm_offset",
        "current_uuid",
        "device_uuid",
        "disk_state",
        "flags",
        "history_uuids",
        "peers",
        "slots",
        "state",
    ];
    fields.iter().map(|field| &level[field]).collect()
}

#[test]
fn show_tells_of_a_dump_what_it_tells_of_the_disk() {
    for name in [
        "v08-pair-a-synced",
        "v08-pair-a-crashed",
        "v09-pair-a-synced",
        "v09-pair-b-crashed",
    ] {
        let image = kernel_image(name);
        let dump = testdata(&format!("dumps/{name}.forced.md"));
        let of_image = json(&["show", image.to_str().unwrap(), "--json"]);
        let of_dump = json(&["show", dump.to_str().unwrap(), "--json"]);
        assert_eq!(
            told(&of_dump["levels"][0]),
            told(&of_image["levels"][0]),
            "{name}"
        );
        assert_eq!(of_dump["dump"], "told");
        assert_eq!(of_dump["image_bytes"], Value::Null);
        assert_eq!(of_image["dump"], Value::Null);
    }
}

#[test]
fn check_judges_a_dump_but_for_its_log() {
    for name in ["v08-pair-a-crashed", "v09-pair-a-crashed"] {
        let image = kernel_image(name);
        let dump = testdata(&format!("dumps/{name}.forced.md"));
        let ids = |path: &Path| {
            let found = json(&["check", path.to_str().unwrap(), "--json"]);
            let findings = found["findings"].as_array().unwrap().clone();
            let ids = findings
                .iter()
                .map(|one| one["id"].as_str().unwrap().to_owned());
            // What needs the log, and what needs the data.
            let on_disk = |id: &String| id.starts_with("al-") || id == "blank-up-to-date";
            let mut ids: Vec<String> = ids.filter(|id| !on_disk(id)).collect();
            ids.sort();
            (ids, found)
        };
        let (expected, _) = ids(&image);
        let (found, document) = ids(&dump);
        assert_eq!(found, expected, "{name}");
        assert!(found.contains(&"apply-al-needed".to_owned()));
        let not_looked = document["levels"][0]["not_looked_at"].to_string();
        assert!(not_looked.contains("activity log"), "{not_looked}");
        assert_eq!(document["dump"], "told");
    }
}

#[test]
fn an_exported_dump_is_exported_the_same_again() {
    let dump = testdata("dumps/v09-pair-a-synced.applied.md");
    let run = mdtool(["export", dump.to_str().unwrap()]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    // How many extents may be active is in a comment only.
    let body = |text: &str| {
        let (_, body) = text.split_once("\nversion").unwrap();
        let lines = body
            .lines()
            .filter(|line| !line.starts_with("# al-extents"));
        lines.collect::<Vec<_>>().join("\n")
    };
    let before = std::fs::read_to_string(&dump).unwrap();
    assert_eq!(body(&run.stdout), body(&before));
    let unclean = testdata("dumps/v09-pair-a-crashed.forced.md");
    let run = mdtool(["export", unclean.to_str().unwrap()]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
}

#[test]
fn an_edited_dump_is_printed_as_a_dump() {
    let dump = testdata("dumps/v08-pair-a-synced.applied.md");
    let run = mdtool([
        "edit",
        dump.to_str().unwrap(),
        "--new-generation",
        "-o",
        "-",
    ]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    // 0x1BF00582A40145C0 is its current UUID, and the bitmap UUID of the new generation.
    let (_, uuids) = run.stdout.split_once("uuid {").unwrap();
    let bitmap = uuids.split(';').nth(1).unwrap().trim();
    assert_eq!(bitmap, "0x1BF00582A40145C0");
}

#[test]
fn a_level_is_named_behind_the_path_in_every_reading_command() {
    let stack = kernel_image("v08-stack-down");
    let named = |level: &str| format!("{}@{level}", stack.display());
    let shown = json(&["show", &named("inner"), "--json"]);
    assert_eq!(shown["levels"][0]["level"], 1);
    assert_eq!(shown["levels"][1], Value::Null);
    let judged = json(&["check", &named("1"), "--json"]);
    assert_eq!(judged["levels"][0]["level"], 1);
    assert_eq!(judged["levels"][1], Value::Null);
    let slots = json(&["bitmap", "show", &named("1"), "--json"]);
    assert_eq!(slots["level"], 1);
    let exported = mdtool(["export", &named("inner"), "--force"]);
    let plain = mdtool(["export", stack.to_str().unwrap(), "--level=1", "--force"]);
    let uuids = |text: &str| text.split_once("uuid {").unwrap().1.to_owned();
    assert_eq!(uuids(&exported.stdout), uuids(&plain.stdout));
    assert_eq!(mdtool(["show", &named("7")]).status, 1);
}

#[test]
fn every_dialect_of_a_dump_is_looked_at() {
    let dir = scratch();
    let old = dir.path().join("old.md");
    // As DRBD 8.3 printed it: no comments on places, no line after the device's UUID.
    put(&old, b"# DRBD meta data dump\nversion \"v08\";\n\nuuid {\n    0xDDB03F0DAF07DEDC; 0x0000000000000000; 0xE4689A94FBB0E78B; 0xE4679A94FBB0E78B;\n    flags 0x00000091;\n}\nla-size-sect 2097016;\nbm-byte-per-bit 4096;\ndevice-uuid 0x625F486D2CB120D1;\nbm {\n    2 times 0x00000000000000FF;\n}\n");
    let v07 = dir.path().join("v07.md");
    put(&v07, b"version \"v07\";\ngc {\n    3; 2; 3; 4; 5;\n}\nla-size-sect 204800;\nbm {\n    0x0000000200000001;\n}\n");
    for (path, format, bits) in [(&old, "v08", 16), (&v07, "v07", 2)] {
        let path = path.to_str().unwrap();
        let shown = json(&["show", path, "--json"]);
        assert_eq!(shown["dump"], "assumed");
        assert_eq!(shown["levels"][0]["format"], format);
        assert_eq!(shown["levels"][0]["slots"][0]["bits_set"], bits, "{format}");
        assert!(mdtool(["check", path]).status < 2);
    }
    let mut child = mdtool_command(["show", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let text = std::fs::read_to_string(&old).unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn what_a_dump_is_in_is_said() {
    let dir = scratch();
    let dump = testdata("dumps/v08-pair-a-synced.applied.md");
    let text = std::fs::read_to_string(&dump).unwrap();
    let wide: Vec<u8> = format!("\u{FEFF}{text}")
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    let cases = [
        ("utf-16", wide, "UTF-16"),
        (
            "mark",
            format!("\u{FEFF}{text}").into_bytes(),
            "byte order mark",
        ),
        (
            "prompt",
            format!("[root@host ~]# drbdadm dump-md r0\n{text}").into_bytes(),
            "shell prompt",
        ),
        ("two", text.repeat(2).into_bytes(), "another dump"),
    ];
    for (name, bytes, words) in cases {
        let path = dir.path().join(name);
        put(&path, &bytes);
        let path = path.to_str().unwrap();
        let raw = dir.path().join("raw");
        // Room for what the dump is of.
        crate::support::sparse(&raw, 256 << 20);
        for command in [
            &["show", path][..],
            &["check", path],
            &["export", path],
            &["bitmap", "show", path],
            &["compare", path, path],
            &["import", raw.to_str().unwrap(), path, "--dry-run"],
        ] {
            let run = mdtool(command);
            assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{command:?}");
            assert!(run.stderr.contains(words), "{command:?}: {}", run.stderr);
        }
        // Where a dump is not taken, it is known as one all the same.
        for command in [&["locate", path][..], &["probe", path]] {
            let run = mdtool(command);
            let said = format!("{}{}", run.stdout, run.stderr);
            let known = said.contains("is a DRBD metadata dump");
            assert!(run.status == 2 && known, "{command:?}: {said}");
        }
    }
}

/// The copy's DRBD device is as large as the disk that it is adopted on leaves it, and what is guessed without the peer is not said beside
/// what is known with it.
#[test]
fn plan_asks_the_handshake_about_the_disk_that_is_planned_for() {
    let copy = kernel_image("v08-stack-live-copy");
    let peer = format!("{}@inner", kernel_image("v08-stack-down").display());
    let copy = copy.to_str().unwrap();
    let plan = |more: &[&str]| {
        let words = ["plan", copy, "--stacked", "--json", "--peer", &peer];
        json(&[&words[..], more].concat())
    };
    let fit = |disk: &str| json(&["fit", "--format", "v08", "--disk", disk, "--json"]);
    let found = plan(&["--target-size", "512MiB"]);
    let usable = &found["peer"]["replicas"][0]["usable_sect"];
    assert_eq!(*usable, fit("512MiB")["disks"][0]["usable_sect"]);
    // As large as the image where nothing is said.
    let size = std::fs::metadata(copy).unwrap().len().to_string();
    let usable = &plan(&[])["peer"]["replicas"][0]["usable_sect"];
    assert_eq!(*usable, fit(&size)["disks"][0]["usable_sect"]);
    let small = plan_of(copy, &peer);
    assert_eq!(small["peer"]["pairs"][0]["refused_by"][0]["code"], "attach");
    let kinds = |plan: &Value| -> Vec<String> {
        let all = plan["on_connect"].as_array().unwrap().iter();
        all.map(|one| one["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    let alone = json(&["plan", copy, "--stacked", "--json"]);
    assert_eq!(kinds(&alone), ["unclean", "out-of-sync"]);
    assert_eq!(kinds(&found), ["unclean"]);
    let text = mdtool(["plan", copy, "--stacked", "--peer", &peer]).stdout;
    assert!(!text.contains("are marked out of sync here"), "{text}");
}

/// The plan for a disk that is too small for what the copy has.
fn plan_of(copy: &str, peer: &str) -> Value {
    let run = mdtool([
        "plan",
        copy,
        "--stacked",
        "--json",
        "--peer",
        peer,
        "--target-size",
        "64MiB",
    ]);
    serde_json::from_str(&run.stdout).unwrap()
}

/// What connecting an adopted copy to its source will decide, as a user asks.
#[test]
fn plan_tells_what_connecting_to_a_peer_decides() {
    let copy = kernel_image("v08-stack-live-copy");
    let peer = format!("{}@inner", kernel_image("v08-stack-down").display());
    let copy = copy.to_str().unwrap();
    let plan = json(&["plan", copy, "--stacked", "--peer", &peer, "--json"]);
    let pair = &plan["peer"]["pairs"][0];
    assert_eq!(pair["rule"], "50");
    assert_eq!(pair["decision"], "target-bitmap");
    let direct = json(&["compare", &format!("{copy}@inner"), &peer, "--json"]);
    assert_eq!(pair["sync_bits"], direct["pairs"][0]["sync_bits"]);
    let run = mdtool(["plan", copy, "--stacked", "--peer", &peer]);
    assert!(
        run.stdout.contains("connected after adoption"),
        "{}",
        run.stdout
    );
    assert!(
        run.stdout.contains("b sends to a what the bitmaps mark"),
        "{}",
        run.stdout
    );
    assert_eq!(
        mdtool(["plan", copy, "--stacked", "--peer", "/nonexistent"]).status,
        2
    );
}
