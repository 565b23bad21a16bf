//! `plan --departure`: the commands for this disk, and what DRBD decides when the copy meets its source.

use mdtool::builder::Level;
use serde_json::Value;

use super::{ok, refused, stack, text};
use crate::adopt::MIB;
use crate::support::{kernel_image, put};

const CONFIG: &[u8] = br"
    # drbdadm dump
    resource r0 {
        device minor 0; disk /dev/vg/lv; meta-disk internal;
        on alice { address 10.0.0.1:7788; }
    }
    resource r10 {
        net { protocol A; }
        stacked-on-top-of r0 { device /dev/drbd10 minor 10; address 192.168.0.1:7789; }
        on carol { device minor 10; disk /dev/new; meta-disk internal; address 192.168.0.2:7789; }
    }
    resource other { device minor 3; disk /dev/vg/other; }
";

pub(super) fn planned(words: &[&str]) -> Value {
    let all = [&["plan", "--departure", "--json"], words].concat();
    serde_json::from_str(&ok(&all).stdout).unwrap()
}

pub(super) fn commands(steps: &Value) -> Vec<String> {
    let steps = steps.as_array().unwrap().iter();
    let of = |step: &Value| {
        assert!(!step["why"].as_str().unwrap().is_empty(), "{step}");
        step["command"].as_str().unwrap().to_owned()
    };
    steps.map(of).collect()
}

#[test]
fn a_stacked_resource_on_lvm_has_the_names_of_its_configuration() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let config = stack.file("drbd.conf");
    put(&config, CONFIG);
    let plan = planned(&[
        stack.source(),
        "--stacked",
        "--config",
        text(&config),
        "--lv",
        "vg/lv",
        "--to-host",
        "carol",
        "--to-disk",
        "/dev/new",
        "--rate",
        "1MiB",
    ]);
    assert_eq!(plan["resource"], "r10");
    assert_eq!(plan["bytes"], stack.inner);
    assert_eq!(plan["seconds"], stack.inner / MIB);
    let resend = "mdtool copy /dev/vg/lv-truck - --stacked --ranges r10.bad | ssh carol mdtool copy - /dev/new --yes";
    assert_eq!(
        commands(&plan["steps"]),
        [
            "drbdadm --stacked disconnect r10",
            "drbdadm --stacked new-current-uuid --clear-bitmap r10",
            "umount /dev/drbd10",
            "drbdadm --stacked secondary r10",
            "drbdadm --stacked detach r10",
            "lvcreate --snapshot --extents 10%ORIGIN --name lv-truck vg/lv",
            "drbdadm --stacked attach r10",
            "drbdadm --stacked new-current-uuid r10",
            "drbdadm --stacked primary r10",
            "mount /dev/drbd10 MOUNTPOINT",
            "mdtool copy /dev/vg/lv-truck - --stacked --sums r10.sums | ssh carol mdtool copy - /dev/new --yes",
            "scp r10.sums carol:",
            "ssh carol mdtool sum --check r10.sums /dev/new > r10.bad",
            resend,
            "ssh carol mdtool sum --check r10.sums /dev/new > r10.bad",
            "lvremove --yes vg/lv-truck",
            "mdtool adopt /dev/new --stacked --apply-al --yes",
            "mdtool apply-al /dev/new --yes",
            "drbdadm up r10",
            "drbdadm --stacked connect r10",
        ]
    );
    assert_eq!(plan["decision_code"], "source-bitmap");
    assert_eq!(plan["rules"], serde_json::json!(["70", "50"]));
    the_second_truck(&plan, resend);
}

fn the_second_truck(plan: &Value, resend: &str) {
    assert_eq!(
        commands(&plan["second_truck"]),
        [
            "umount /dev/drbd10",
            "drbdadm --stacked secondary r10",
            "drbdadm --stacked disconnect r10",
            "drbdadm --stacked detach r10",
            "lvcreate --snapshot --extents 10%ORIGIN --name lv-truck vg/lv",
            // Nothing is written between the snapshot and the cleared bits.
            "drbdadm --stacked attach r10",
            "drbdadm --stacked new-current-uuid --clear-bitmap r10",
            "drbdadm --stacked primary r10",
            "mount /dev/drbd10 MOUNTPOINT",
            "mdtool copy /dev/vg/lv-truck - --stacked --changed | ssh carol mdtool copy - /dev/new --yes",
            "mdtool sum /dev/vg/lv-truck --stacked --data-only -o r10-2.sums",
            "scp r10-2.sums carol:",
            "ssh carol mdtool sum --check r10-2.sums /dev/new > r10-2.bad",
            &resend.replace("r10.bad", "r10-2.bad"),
            "ssh carol mdtool sum --check r10-2.sums /dev/new > r10-2.bad",
            "lvremove --yes vg/lv-truck",
            "mdtool adopt /dev/new --stacked --apply-al --yes",
            "mdtool apply-al /dev/new --yes",
            "drbdadm up r10",
            "drbdadm --stacked connect r10",
        ]
    );
}

#[test]
fn without_a_snapshot_the_disk_stays_in_use_and_names_that_nobody_gave_are_in_capitals() {
    let stack = stack(&[Level::v08()], 40 * MIB);
    let plan = planned(&[stack.source()]);
    let source = stack.source();
    let check = "ssh HOST mdtool sum --check RESOURCE.sums DISK > RESOURCE.bad";
    assert_eq!(
        commands(&plan["steps"]),
        [
            "drbdadm disconnect RESOURCE",
            "drbdadm new-current-uuid --clear-bitmap RESOURCE",
            &format!(
                "mdtool copy {source} - --sums RESOURCE.sums | ssh HOST mdtool copy - DISK --yes"
            ),
            "scp RESOURCE.sums HOST:",
            check,
            &format!(
                "mdtool copy {source} - --ranges RESOURCE.bad | ssh HOST mdtool copy - DISK --yes"
            ),
            check,
            // Only then: what is sent again must be of the same generation.
            "drbdadm new-current-uuid RESOURCE",
            "mdtool adopt DISK --apply-al --yes",
            "mdtool apply-al DISK --yes",
            "drbdadm up RESOURCE",
            "drbdadm connect RESOURCE",
        ]
    );
    assert_eq!(
        (&plan["downtime"], &plan["seconds"]),
        (&"none".into(), &Value::Null)
    );
    assert_eq!(
        plan["second_downtime"],
        "from umount to mount: as long as the second copy takes"
    );
    // A disk that nothing is attached to can be read.
    let second = commands(&plan["second_truck"]);
    let copy = format!("mdtool copy {source} - --changed | ssh HOST mdtool copy - DISK --yes");
    in_order(
        &second,
        &[
            "detach",
            &copy,
            "attach",
            "--clear-bitmap",
            "primary",
            "mount",
            "adopt",
            "up",
            "connect",
        ],
    );
    let text = ok(&["plan", stack.source(), "--departure", "--rate", "1MiB"]).stdout;
    assert!(text.contains("at that rate: 40 s at most"), "{text}");
    assert!(text.ends_with("Nothing of this was executed.\n"), "{text}");
}

/// Each of the words is in a command behind the one before.
#[track_caller]
pub(super) fn in_order(commands: &[String], words: &[&str]) {
    let mut rest = commands.iter();
    for word in words {
        assert!(
            rest.any(|command| command.contains(word)),
            "{word}: {commands:#?}"
        );
    }
}

#[test]
fn a_stacked_resource_without_a_snapshot_is_read_from_the_outer_device_the_second_time() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let config = stack.file("drbd.conf");
    put(&config, CONFIG);
    let plan = planned(&[stack.source(), "--stacked", "--config", text(&config)]);
    // The names are those of the configuration.
    in_order(
        &commands(&plan["steps"]),
        &[
            "mdtool copy /dev/vg/lv - --stacked --sums r10.sums | ssh carol mdtool copy - /dev/new --yes",
        ],
    );
    // The disk below is in use even while the stacked resource is detached.
    in_order(
        &commands(&plan["second_truck"]),
        &[
            "drbdadm --stacked detach r10",
            "mdtool copy /dev/drbd0 - --changed | ssh carol mdtool copy - /dev/new --yes",
            "drbdadm --stacked attach r10",
        ],
    );
    let plan = planned(&[stack.source(), "--stacked"]);
    in_order(
        &commands(&plan["second_truck"]),
        &["mdtool copy OUTER-DEVICE - --changed"],
    );
}

#[test]
fn the_snapshot_of_a_thin_volume_has_no_size_and_is_activated() {
    let stack = stack(&[Level::v08()], 40 * MIB);
    let plan = planned(&[stack.source(), "--lv", "vg/lv", "--thin"]);
    let steps = commands(&plan["steps"]);
    let taken = "lvcreate --snapshot --setactivationskip n --name lv-truck vg/lv";
    in_order(
        &steps,
        &[
            taken,
            "mdtool copy /dev/vg/lv-truck",
            "lvremove --yes vg/lv-truck",
        ],
    );
    refused(
        &["plan", stack.source(), "--departure", "--thin"],
        2,
        "--lv",
    );
}

#[test]
fn disks_of_real_kernels_depart_for_a_resync_by_bitmap() {
    for (name, rules) in [
        ("v08-stack-down", ["70", "50"]),
        ("v08-stack-live-copy", ["70", "50"]),
        ("v09-stack-down", ["bitmap-self", "bitmap-peer"]),
        ("v09-stack-live-copy", ["bitmap-self", "bitmap-peer"]),
    ] {
        let image = kernel_image(name);
        let image = text(&image);
        let plan = planned(&[image, "--stacked", "--zvol", "tank/disk"]);
        assert_eq!(plan["decision_code"], "source-bitmap", "{name}: {plan}");
        assert_eq!(plan["rules"], serde_json::json!(rules), "{name}");
        let steps = commands(&plan["steps"]);
        let has = |word: &str| steps.iter().any(|command| command.contains(word));
        assert!(has("zfs snapshot tank/disk@truck") && has("/dev/zvol/tank/disk@truck"));
        let v09 = name.starts_with("v09");
        // The only peer with a slot is taken for the target.
        assert_eq!(has(" --node-id 1"), v09, "{name}");
        let notes = plan["notes"].to_string();
        assert_eq!(
            notes.contains("is taken to be node 1"),
            v09,
            "{name}: {notes}"
        );
    }
}

#[test]
fn what_cannot_depart_is_refused() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let config = stack.file("drbd.conf");
    put(&config, CONFIG);
    let plan = |more: &[&str], says: &str| {
        let words = [&["plan", stack.source(), "--departure"], more].concat();
        refused(&words, 2, says);
    };
    plan(&[], "is a stack of 2 resources, expected --stacked");
    plan(&["--stacked", "--lv", "vg"], "--lv: vg, expected VG/LV");
    let config = text(&config);
    plan(
        &["--level", "0", "--config", config],
        "several unstacked resources",
    );
    plan(
        &["--stacked", "--config", config, "--resource", "r7"],
        "there is no resource r7",
    );
    plan(&["--stacked", "--config", "/nosuch"], "cannot open");
    refused(&["plan", stack.source(), "--lv", "vg/lv"], 2, "--departure");
}
