//! `plan --departure` with DRBD 9: peers that stay, and who is who.

use mdtool::builder::Level;
use serde_json::Value;

use super::departed::{commands, in_order, planned};
use super::{ok, refused, stack, text};
use crate::adopt::MIB;
use crate::support::{kernel_image, put, scratch};

/// v09 metadata of node 0 with peers 1 and 2.
fn three_nodes() -> (tempfile::TempDir, String) {
    let dir = scratch();
    let image = dir.path().join("a.img");
    std::fs::copy(kernel_image("v09-pair-a-synced"), &image).unwrap();
    let image = text(&image).to_owned();
    ok(&["edit", &image, "--assign", "2", "--yes"]);
    (dir, image)
}

const THREE: &[u8] = br#"
resource r0 {
    volume 0 { device minor 0; disk /dev/vg/lv; meta-disk internal; }
    on alice { node-id 0; address 10.0.0.1:7000; }
    on "bob" { node-id 1; address 10.0.0.2:7000; }
    on carol { node-id 2; volume 0 { disk "/dev/vg/new disk"; } address 10.0.0.3:7000; }
}
"#;

/// What comes in order; C and W stand for connecting a peer and waiting for it.
const LIVE: &str = "umount|secondary|disconnect|--clear-bitmap|C|W|primary|mount|mdtool copy|sum --check|--ranges|sum --check|\
    umount|secondary|disconnect|new-current-uuid|C|primary|mount|adopt|up|adjust";
const SNAPSHOT: &str = "umount|secondary|disconnect|--clear-bitmap|C|W|disconnect|detach|lvcreate|attach|new-current-uuid|C|\
    primary|mount|mdtool copy|sum --check|--ranges|sum --check|lvremove|adopt|up|adjust";
const SECOND: &str = "secondary|disconnect|detach|attach|--clear-bitmap|C|primary|mount";

#[test]
fn peers_that_stay_follow_before_the_next_generation() {
    let (dir, image) = three_nodes();
    let config = dir.path().join("r0.res");
    put(&config, THREE);
    let by_name = [&image, "--config", text(&config), "--to-host", "carol"];
    let by_number = [&image, "--node-id", "2"];
    let names = ["drbdadm connect r0:bob", "drbdadm wait-sync r0:bob"];
    let numbers = [
        "drbdsetup connect RESOURCE 1",
        "drbdsetup wait-sync-connection RESOURCE 1",
    ];
    for (words, [connect, wait]) in [(&by_name[..], names), (&by_number, numbers)] {
        let has = |steps: &Value, order: &str| {
            let words = order.split('|').map(|word| match word {
                "C" => connect,
                "W" => wait,
                word => word,
            });
            in_order(&commands(steps), &words.collect::<Vec<_>>());
        };
        let live = planned(words);
        has(&live["steps"], LIVE);
        let downtime = live["downtime"].as_str().unwrap();
        assert!(downtime.starts_with("twice"), "{downtime}");
        let snapshot = planned(&[words, &["--lv", "vg/lv"]].concat());
        has(&snapshot["steps"], SNAPSHOT);
        for plan in [live, snapshot] {
            has(&plan["second_truck"], SECOND);
        }
    }
}

#[test]
fn the_target_s_node_is_as_said_or_as_the_configuration_has_it() {
    let (dir, image) = three_nodes();
    let config = dir.path().join("r0.res");
    put(&config, THREE);
    let carol = [&image, "--config", text(&config), "--to-host", "carol"];
    let plan = planned(&[&carol[..], &["--target-size", "300MiB"]].concat());
    in_order(
        &commands(&plan["steps"]),
        &[
            // The other host's shell takes the name apart, too.
            r"| ssh carol 'mdtool copy - '\''/dev/vg/new disk'\'' --yes'",
            "mdtool adopt '/dev/vg/new disk' --node-id 2 --apply-al --yes",
        ],
    );
    in_order(&commands(&plan["second_truck"]), &["--changed --peer 2"]);
    // Where nobody said which of them is the target, one stands for those that stay.
    let plan = planned(&[&image]);
    in_order(
        &commands(&plan["steps"]),
        &["--clear-bitmap", "drbdsetup connect RESOURCE NODE"],
    );
    let own = ["plan", &image, "--departure", "--node-id", "0"];
    refused(&own, 2, "this node's own");
    let words = [&["plan", "--departure"], &carol[..], &["--node-id", "1"]].concat();
    refused(&words, 2, "the target has node-id 2, expected 1");
}

#[test]
fn a_configuration_says_where_the_target_s_metadata_is() {
    let stack = stack(&[Level::v08()], 40 * MIB);
    let config = stack.file("r0.res");
    let plan = |meta: &str| {
        let volumes = format!("volume 0 {{ device minor 4; disk /dev/sdb; meta-disk {meta}; }}");
        let resource = format!(
            "resource r0 {{ on b {{ {volumes} }} on a {{ device minor 4; disk /dev/sda; }} }}"
        );
        put(&config, resource.as_bytes());
        [
            "plan",
            stack.source(),
            "--departure",
            "--config",
            text(&config),
            "--to-host",
            "b",
        ]
    };
    let steps = ok(&plan("/dev/md1")).stdout;
    let steps: Vec<String> = steps.lines().map(str::to_owned).collect();
    in_order(
        &steps,
        &[
            "mdtool copy /dev/sda - ",
            "mdtool adopt /dev/sdb --strategy external --meta /dev/md1 --apply-al --yes",
        ],
    );
    refused(
        &plan("/dev/md1 [3]"),
        2,
        "meta-disk is one of several on /dev/md1",
    );
    put(
        &config,
        b"resource r0 { on a { volume 0 { disk /dev/x; } volume 1 { disk /dev/y; } } on b { } }",
    );
    let words = [
        "plan",
        stack.source(),
        "--departure",
        "--config",
        text(&config),
        "--to-host",
        "b",
    ];
    refused(
        &words,
        2,
        "has 2 volumes, expected --minor N or --device PATH",
    );
    let words = [&words[..], &["--device", "/dev/y"]].concat();
    assert!(ok(&words).stdout.contains("mdtool copy /dev/y - "));
}
