//! Stacks that this machine need not have: a made-up `/sys` and `/proc`.

use std::os::unix::fs::symlink;
use std::path::Path;

use rustix::fs::makedev;

use super::*;

/// A system of files.
struct Fake {
    dir: tempfile::TempDir,
}

impl Fake {
    fn new() -> Self {
        let fake = Self {
            dir: tempfile::tempdir().unwrap(),
        };
        for name in ["sys/block", "sys/dev/block", "proc/self", "dev"] {
            std::fs::create_dir_all(fake.path(name)).unwrap();
        }
        fake
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn system(&self) -> System {
        System {
            sys: self.path("sys"),
            proc: self.path("proc"),
            dev: self.path("dev"),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "small files of a made-up system")]
    fn write(&self, name: &str, content: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// A device with these files, below `sys/block`.
    fn device(&self, place: &str, minor: u32, files: &[(&str, &str)]) -> Object {
        let base = format!("sys/block/{place}");
        let name = Path::new(place).file_name().unwrap().to_str().unwrap();
        self.write(&format!("{base}/dev"), &format!("259:{minor}\n"));
        self.write(&format!("{base}/uevent"), &format!("DEVNAME={name}\n"));
        for (file, content) in files {
            self.write(&format!("{base}/{file}"), content);
        }
        let link = self.path(&format!("sys/dev/block/259:{minor}"));
        symlink(self.path(&base), link).unwrap();
        Object::Device(makedev(259, minor))
    }

    /// `upper` is built on `lower`.
    fn built(&self, upper: &str, lower: &str) {
        for (at, kind, to) in [(lower, "holders", upper), (upper, "slaves", lower)] {
            let directory = self.path(&format!("sys/block/{at}/{kind}"));
            std::fs::create_dir_all(&directory).unwrap();
            let name = Path::new(to).file_name().unwrap();
            symlink(self.path(&format!("sys/block/{to}")), directory.join(name)).unwrap();
        }
    }

    fn mounted(&self, minor: u32) {
        let line = format!("36 35 259:{minor} / /mnt/it rw - xfs /dev/none rw\n");
        self.write("proc/self/mountinfo", &line);
    }

    fn users(&self, object: Object) -> Vec<String> {
        let users = Search::of(&self.system(), object);
        users.iter().map(User::to_string).collect()
    }
}

fn part<'a>(start: &'a str, size: &'a str) -> [(&'a str, &'a str); 3] {
    [("partition", "1\n"), ("start", start), ("size", size)]
}

#[test]
fn nobody_uses_what_stands_alone() {
    let fake = Fake::new();
    let disk = fake.device("sda", 0, &[]);
    let one = fake.device("sda/sda1", 1, &part("2048\n", "2048\n"));
    assert!(fake.users(disk).is_empty());
    assert!(fake.users(one).is_empty());
}

#[test]
fn a_disk_is_used_through_what_is_built_on_its_partition() {
    let fake = Fake::new();
    let disk = fake.device("sda", 0, &[]);
    let one = fake.device("sda/sda1", 1, &part("2048\n", "2048\n"));
    let two = fake.device("sda/sda2", 2, &part("4096\n", "2048\n"));
    let array = fake.device("md0", 3, &[]);
    let volume = fake.device("dm-0", 4, &[("dm/name", "vg-lv\n")]);
    fake.built("md0", "sda/sda1");
    assert_eq!(fake.users(disk), ["as /dev/md0"]);
    fake.built("dm-0", "md0");
    assert_eq!(fake.users(disk), ["as /dev/mapper/vg-lv"]);
    fake.mounted(4);
    let mounted = ["as /dev/mapper/vg-lv, mounted on /mnt/it"];
    for lower in [disk, one, array] {
        assert_eq!(fake.users(lower), mounted);
    }
    assert_eq!(fake.users(volume), ["mounted on /mnt/it"]);
    assert!(fake.users(two).is_empty());
}

#[test]
fn what_a_loop_device_is_over_is_asked_as_well_where_the_bytes_are_the_same() {
    let fake = Fake::new();
    fake.write("image", "");
    let image = fake.path("image");
    let backing = image.to_str().unwrap().to_owned() + "\n";
    let over = |offset, limit| {
        [
            ("loop/backing_file", backing.as_str()),
            ("loop/offset", offset),
            ("loop/sizelimit", limit),
        ]
    };
    let first = fake.device("loop0", 10, &over("0\n", "1048576\n"));
    let second = fake.device("loop1", 11, &over("1048576\n", "0\n"));
    assert!(fake.users(first).is_empty());
    assert!(fake.users(second).is_empty());
    let third = fake.device("loop2", 12, &over("1044480\n", "0\n"));
    assert_eq!(fake.users(first), ["as /dev/loop2"]);
    assert_eq!(fake.users(second), ["as /dev/loop2"]);
    fake.mounted(11);
    assert_eq!(
        fake.users(third),
        ["as /dev/loop0", "as /dev/loop1, mounted on /mnt/it"]
    );
    let file = Object::at(&image).unwrap();
    assert_eq!(
        fake.users(file),
        [
            "as /dev/loop0",
            "as /dev/loop1, mounted on /mnt/it",
            "as /dev/loop2"
        ]
    );
}

#[test]
fn what_lies_on_the_same_bytes_overlaps_and_neighbours_do_not() {
    let fake = Fake::new();
    let disk = fake.device("sda", 0, &[]);
    let one = fake.device("sda/sda1", 1, &part("2048\n", "2048\n"));
    let two = fake.device("sda/sda2", 2, &part("4096\n", "2048\n"));
    let (first, second) = (fake.device("dm-0", 4, &[]), fake.device("dm-1", 5, &[]));
    let array = fake.device("md0", 6, &[]);
    fake.built("dm-0", "sda/sda2");
    fake.built("dm-1", "sda/sda2");
    fake.built("md0", "dm-1");
    fake.write("image", "");
    let image = fake.path("image");
    let backing = image.to_str().unwrap().to_owned();
    let over = |offset, limit| {
        [
            ("loop/backing_file", backing.as_str()),
            ("loop/offset", offset),
            ("loop/sizelimit", limit),
        ]
    };
    let low = fake.device("loop0", 10, &over("0\n", "1048576\n"));
    let high = fake.device("loop1", 11, &over("1048576\n", "0\n"));
    let file = Object::at(&image).unwrap();
    let system = fake.system();
    let pairs = [
        (disk, disk, true),
        (disk, one, true),
        (one, two, false),
        (disk, first, true),
        (disk, array, true),
        (two, first, true),
        (two, array, true),
        (one, first, false),
        (first, second, false),
        (second, array, true),
        (first, array, false),
        (file, low, true),
        (file, high, true),
        (low, high, false),
        (file, disk, false),
    ];
    for (number, (one, other, expected)) in pairs.into_iter().enumerate() {
        for (one, other) in [(one, other), (other, one)] {
            let found = same::overlap(&system, one, other);
            assert_eq!(found, expected, "{number}");
        }
    }
}

#[test]
fn swap_and_partitions_of_what_is_below_are_users() {
    let fake = Fake::new();
    fake.write("a swap", "");
    let swap = fake.path("a swap");
    let line = format!(
        "Filename\tType\tSize\tUsed\tPriority\n{}\tfile\t4\t0\t-2\n",
        swap.to_str().unwrap().replace(' ', r"\040")
    );
    fake.write("proc/swaps", &line);
    let file = Object::at(&swap).unwrap();
    assert_eq!(fake.users(file), ["used as swap space"]);
    let backing = [
        ("loop/backing_file", swap.to_str().unwrap()),
        ("loop/offset", "0"),
        ("loop/sizelimit", "0"),
    ];
    let device = fake.device("loop0", 10, &backing);
    let one = fake.device("loop0/loop0p1", 11, &part("8", "8"));
    let found = format!("as {}, used as swap space", swap.display());
    for upper in [device, one] {
        assert_eq!(fake.users(upper), [found.as_str()]);
    }
}

#[test]
fn circles_end() {
    let fake = Fake::new();
    let one = fake.device("dm-1", 1, &[]);
    let two = fake.device("dm-2", 2, &[]);
    fake.built("dm-1", "dm-2");
    fake.built("dm-2", "dm-1");
    assert_eq!(fake.users(one), ["as /dev/dm-2"]);
    assert_eq!(fake.users(two), ["as /dev/dm-1"]);
}
