//! Configurations as people write them, and as `drbdadm dump` prints them.

use super::*;

const STACKED: &str = r#"
    # resource no { device /dev/drbd99; }
    common { net { protocol C; } disk { resync-rate 10M; } }
    resource "r0" {
        device minor 0;
        disk /dev/vg/lv; # the backing device
        meta-disk internal;
        on alice { address 10.0.0.1:7788; node-id 0; }
        on bob { address 10.0.0.2:7788; node-id 1; disk /dev/vg/other; }
    }
    resource r0-U {
        net { protocol A; }
        stacked-on-top-of r0 {
            device /dev/drbd10 minor 10;
            address 192.168.42.1:7789;
        }
        on "carol" "dave" { device /dev/drbd11 minor 11; disk "/dev/sd b"; flexible-meta-disk /dev/md1; }
    }
    resource"#;

/// As `drbdadm dump` prints one with two volumes.
const DUMPED: &str = r"
# /etc/drbd.conf
resource two {
    on alice {
        node-id 0;
        volume 0 {
            device       minor 1;
            disk         /dev/vg/a;
            meta-disk    internal;
        }
        volume 1 { device minor 2; disk /dev/vg/b; meta-disk /dev/meta [1]; }
        address          ipv4 10.0.0.1:7000;
    }
    on bob {
        node-id 5;
        volume 0 { device minor 1; disk none; meta-disk /dev/meta[0]; }
        address          ipv4 10.0.0.2:7000;
    }
    connection { host alice port 7000; host bob port 7000; }
}
";

fn is(found: Option<&String>, expected: &str) {
    assert_eq!(found.map(String::as_str), Some(expected));
}

#[test]
fn hosts_have_what_their_resource_says_unless_they_say_otherwise() {
    let resources = parse(STACKED);
    let [r0, upper] = &resources[..] else {
        panic!("{resources:?}")
    };
    assert_eq!((r0.name.as_str(), r0.is_stacked()), ("r0", false));
    let [alice, bob] = &r0.hosts[..] else {
        panic!("{r0:?}")
    };
    assert_eq!((alice.node_id, bob.node_id), (Some(0), Some(1)));
    let volume = r0.volume(alice, 0);
    is(volume.device.as_ref(), "/dev/drbd0");
    is(volume.disk.as_ref(), "/dev/vg/lv");
    assert_eq!(volume.meta_disk, Some(MetaDisk::Internal));
    is(r0.volume(bob, 0).disk.as_ref(), "/dev/vg/other");

    assert!(upper.is_stacked());
    let [here, there] = &upper.hosts[..] else {
        panic!("{upper:?}")
    };
    is(here.lower.as_ref(), "r0");
    is(upper.volume(here, 0).device.as_ref(), "/dev/drbd10");
    assert_eq!(there.names, ["carol", "dave"]);
    let volume = upper.volume(there, 0);
    is(volume.disk.as_ref(), "/dev/sd b");
    let meta = MetaDisk::Flexible("/dev/md1".to_owned());
    assert_eq!(volume.meta_disk, Some(meta));
}

#[test]
fn volumes_are_told_apart() {
    let resources = parse(DUMPED);
    let [two] = &resources[..] else {
        panic!("{resources:?}")
    };
    assert_eq!(two.volumes(), [0, 1]);
    let [alice, bob] = &two.hosts[..] else {
        panic!("{two:?}")
    };
    is(two.volume(alice, 0).disk.as_ref(), "/dev/vg/a");
    is(two.volume(alice, 1).device.as_ref(), "/dev/drbd2");
    let indexed = Some(MetaDisk::Indexed("/dev/meta".to_owned()));
    assert_eq!(two.volume(alice, 1).meta_disk, indexed);
    let volume = two.volume(bob, 0);
    assert_eq!((volume.disk, volume.meta_disk), (None, indexed));
    assert_eq!(bob.node_id, Some(5));
}

#[test]
fn a_text_cut_off_anywhere_is_passed_by() {
    for text in [STACKED, DUMPED] {
        for cut in 0..text.len() {
            parse(&text[..cut]);
        }
    }
}
