//! What the handshake does with bits, and making this replica the source.

use std::path::{Path, PathBuf};

use mdtool::builder::{Level, Peer};
use mdtool::units::{BitmapIndex, NodeId};
use serde_json::Value;
use tempfile::TempDir;

use super::{CURRENT, SIZE, change, image_of, two_peers};
use crate::import::text;
use crate::support::{mdtool, peek};

/// The bitmap and current UUIDs of v09, toward one peer.
fn uuids(image: &Path, node: u64) -> (String, String) {
    let run = mdtool(["show", text(image), "--json"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let level = &document["levels"][0];
    let peers = level["peers"].as_array().unwrap();
    let peer = peers.iter().find(|peer| peer["node_id"] == node).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&level["current_uuid"]), text(&peer["bitmap_uuid"]))
}

/// The peer of [`two_peers`] that is node 4, of this generation.
fn node_4(current: u64) -> (TempDir, PathBuf) {
    let slot = Peer::in_slot(BitmapIndex::new(0));
    let level = Level::v09(3).current_uuid(current).node_id(NodeId::new(4));
    image_of(level.peer(NodeId::new(0), slot))
}

#[test]
fn what_the_handshake_does_with_the_bits_is_said_and_can_be_changed() {
    let (_dir, image) = image_of(two_peers());
    let (_peer_dir, peer) = node_4(CURRENT);
    let before = mdtool(["compare", text(&image), text(&peer), "--json"]);
    assert!(before.stdout.contains("\"no-sync\""), "{}", before.stdout);
    let alone = change(
        "set",
        &image,
        &["0..65536", "--peer", "4", "--with", text(&peer)],
    );
    assert!(
        alone.stderr.contains("DRBD 9 clears these bits"),
        "{}",
        alone.stderr
    );
    let guess = change("set", &image, &["65536..131072", "--peer", "4"]);
    assert!(
        guess.stderr.contains("--sync-source has them sent"),
        "{}",
        guess.stderr
    );
    let more = [
        "131072+1",
        "--peer",
        "4",
        "--sync-source",
        "--json",
        "--with",
        text(&peer),
    ];
    let source = change("set", &image, &more);
    assert_eq!(source.status, 0, "{}", source.stderr);
    let document: Value = serde_json::from_str(&source.stdout).unwrap();
    assert_eq!(document["handshake"]["decision"], "source-bitmap");
    let (current, bitmap) = uuids(&image, 4);
    assert_eq!(bitmap, format!("0x{CURRENT:016X}"));
    assert_ne!(current, bitmap);
    let after = mdtool(["compare", text(&image), text(&peer), "--json"]);
    let document: Value = serde_json::from_str(&after.stdout).unwrap();
    let pair = &document["pairs"][0];
    assert_eq!(
        (&pair["decision"], &pair["mirrored"]),
        (&"source-bitmap".into(), &true.into())
    );
    assert!(
        after.stdout.contains("135168"),
        "33 bits are sent: {}",
        after.stdout
    );
    // The other peer, which had nothing to get, still has nothing to get.
    assert_eq!(uuids(&image, 1).1, format!("0x{CURRENT:016X}"));
}

#[test]
fn a_source_stays_the_one_that_it_is() {
    let (_dir, image) = image_of(two_peers());
    let (_peer_dir, peer) = node_4(CURRENT);
    let more = [
        "131072+1",
        "--peer",
        "4",
        "--sync-source",
        "--with",
        text(&peer),
    ];
    assert_eq!(change("set", &image, &more).status, 0);
    let (current, _) = uuids(&image, 4);
    // It is the source already.
    let again = change("set", &image, &more);
    assert!(
        again.stderr.contains("is the source already"),
        "{}",
        again.stderr
    );
    assert_eq!(uuids(&image, 4).0, current);
    let blind = change("set", &image, &["0..1", "--peer", "4", "--sync-source"]);
    assert!(
        blind.stderr.contains("counts from the generation"),
        "{}",
        blind.stderr
    );
    assert_eq!(blind.status, 2);
}

#[test]
fn sync_source_is_refused_where_it_does_not_make_one() {
    let (_dir, image) = image_of(two_peers());
    let before = peek(&image, 0, SIZE as usize);
    let (_other_dir, other) = node_4(0x1234_5678_9ABC_DEF0);
    let wrong = [
        "0..1",
        "--peer",
        "1",
        "--sync-source",
        "--with",
        text(&other),
    ];
    let unrelated = [
        "0..1",
        "--peer",
        "4",
        "--sync-source",
        "--with",
        text(&other),
    ];
    let two = ["0..1", "--all-slots", "--sync-source"];
    for (words, said) in [
        (&wrong[..], "is node 4"),
        (&unrelated, "do not connect"),
        (&two, "one peer"),
    ] {
        let run = change("set", &image, words);
        assert_eq!(run.status, 2, "{words:?}");
        assert!(run.stderr.contains(said), "{words:?}: {}", run.stderr);
    }
    assert!(peek(&image, 0, SIZE as usize) == before);
    let (_dir, image) = image_of(two_peers().flags(0x80));
    let run = change("set", &image, &["0..1", "--peer", "4", "--sync-source"]);
    assert!(run.stderr.contains("Inconsistent"), "{}", run.stderr);
    // v08 has one peer; nobody has to be named.
    let (_dir, image) = image_of(Level::v08().current_uuid(CURRENT));
    assert_eq!(change("set", &image, &["0..1", "--sync-source"]).status, 0);
    let run = mdtool(["show", text(&image), "--json"]);
    assert!(
        run.stdout
            .contains(&format!("\"bitmap_uuid\": \"0x{CURRENT:016X}\"")),
        "{}",
        run.stdout
    );
}
