//! Whose a range is, held against what the file systems' own tools say.

/// ext2, ext3 and ext4, held against `debugfs` and `dumpe2fs`.
pub(crate) mod ext;
/// LVM2, described by hand and by its own tools.
mod lvm;
/// The command.
mod run;
/// XFS, held against `xfs_db` and the kernel's FIEMAP.
mod xfs;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use mdtool::image::{ImageFile, Window};
use mdtool::survey::filesystems::{Class, Finder, Stretch};
use mdtool::units::{DevPos, range_len};

use crate::support::{patch, sparse, tool};

/// Who has each block of an image, by what was answered of the whole.
pub(super) struct Answers {
    pub(super) stretches: Vec<Stretch>,
    pub(super) notes: Vec<String>,
    block: u64,
}

impl Answers {
    /// Everything of an image, in blocks of so many bytes.
    pub(super) fn of(image: &Path, block: u64) -> Self {
        let image = ImageFile::open(image).unwrap();
        let device = Window::whole(&image);
        let mut stretches = Vec::new();
        let whole = DevPos::START..DevPos::at(device.size());
        let mut finder = Finder::new(device);
        finder
            .find(&[whole], &mut |stretch| {
                stretches.push(stretch);
                Ok(())
            })
            .unwrap();
        Self {
            stretches,
            notes: finder.notes().to_vec(),
            block,
        }
    }

    /// The numbers of the blocks of a stretch.
    pub(super) fn blocks(&self, stretch: &Stretch) -> std::ops::Range<u64> {
        let start = stretch.range.start.get();
        start / self.block..(start + range_len(&stretch.range).get()).div_ceil(self.block)
    }

    /// The inodes of each block that has some.
    pub(super) fn owners(&self) -> BTreeMap<u64, BTreeSet<u64>> {
        let mut owners: BTreeMap<u64, BTreeSet<u64>> = BTreeMap::new();
        for stretch in self
            .stretches
            .iter()
            .filter(|stretch| !stretch.owners.is_empty())
        {
            for block in self.blocks(stretch) {
                let inodes = stretch.owners.iter().map(|owner| owner.inode);
                owners.entry(block).or_default().extend(inodes);
            }
        }
        owners
    }

    /// The blocks of a class.
    pub(super) fn of_class(&self, class: Class) -> BTreeSet<u64> {
        let stretches = self
            .stretches
            .iter()
            .filter(|stretch| stretch.class == class);
        stretches.flat_map(|stretch| self.blocks(stretch)).collect()
    }

    /// The paths of each inode.
    pub(super) fn paths(&self) -> BTreeMap<u64, BTreeSet<String>> {
        let owners = self.stretches.iter().flat_map(|stretch| &stretch.owners);
        let path = |path: &Vec<u8>| String::from_utf8(path.clone()).unwrap();
        owners
            .map(|owner| (owner.inode, owner.paths.iter().map(path).collect()))
            .collect()
    }

    /// Nothing is left out, and nothing is answered twice but where several share it.
    pub(super) fn assert_whole(&self, size: u64) {
        let mut at = 0;
        for stretch in &self.stretches {
            assert_eq!(stretch.range.start.get(), at, "{stretch:?}");
            at = stretch.range.end.get();
        }
        assert_eq!(at, size);
    }
}

/// Bytes none of which is zero.
fn content(len: u64, seed: u64) -> Vec<u8> {
    (0..len)
        .map(|i| (i.wrapping_mul(31) ^ seed) as u8 | 1)
        .collect()
}

/// Writes into a file, which is made where it is not there.
fn put(path: &Path, at: u64, bytes: &[u8]) {
    if !path.exists() {
        sparse(path, 0);
    }
    patch(path, at, bytes);
}

/// Files that have many extents.
fn fragmented(root: &Path, block: u64) {
    let path = |name: &str| root.join(name);
    let file = |name: &str, at: u64, bytes: &[u8]| put(&path(name), at, bytes);
    // Two files that grow in turns, and one with a hole behind each block.
    for i in 0..120 {
        file("fragmented 1", i * block, &content(block, 1));
        file("fragmented 2", i * block, &content(block, 2));
        tool(
            "sync",
            &[
                "-d",
                path("fragmented 1").to_str().unwrap(),
                path("fragmented 2").to_str().unwrap(),
            ],
        );
    }
    for i in 0..700 {
        file("holes", 2 * i * block, &content(block, 3));
    }
    for far in [0, 11, 12, 300, 70_000] {
        file("far", far * block, &content(block, far));
    }
}

/// Files of every shape in a mounted file system whose blocks have so many bytes.
pub(super) fn populate(root: &Path, block: u64) {
    let path = |name: &str| root.join(name);
    let file = |name: &str, at: u64, bytes: &[u8]| put(&path(name), at, bytes);
    std::fs::create_dir_all(path("deep/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p")).unwrap();
    std::fs::create_dir(path("many")).unwrap();
    std::fs::create_dir(path("large directory")).unwrap();
    for i in 0..300 {
        file(
            &format!("many/file {i}"),
            0,
            &content(i * 97 % (block * 5), i),
        );
    }
    for i in 0..1500 {
        let name = format!(
            "large directory/an entry with a name that is rather long, so that many blocks are needed: {i}"
        );
        if i < 200 {
            std::fs::hard_link(path("many/file 7"), path(&name)).unwrap();
        } else {
            file(&name, 0, b"");
        }
    }
    file(
        "deep/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/bottom",
        0,
        &content(block * 3, 5),
    );
    fragmented(root, block);
    std::fs::hard_link(path("holes"), path("deep/a/holes again")).unwrap();
    std::os::unix::fs::symlink("x".repeat(200), path("long link")).unwrap();
    std::os::unix::fs::symlink("many", path("short link")).unwrap();
    for i in (0..300).step_by(3) {
        std::fs::remove_file(path(&format!("many/file {i}"))).unwrap();
    }
}

/// The blocks of each file as the kernel has them: first block, count, and first block in the file.
pub(super) fn fiemap(root: &Path, block: u64) -> BTreeMap<String, Vec<(u64, u64, u64)>> {
    let root = root.to_str().unwrap();
    let listing = tool(
        "find",
        &[
            root,
            "-xdev",
            "-type",
            "f",
            "-size",
            "+0",
            "-exec",
            "filefrag",
            "-v",
            &format!("-b{block}"),
            "{}",
            "+",
        ],
    );
    let mut found = BTreeMap::new();
    let mut extents = Vec::new();
    for line in listing.lines() {
        let words: Vec<&str> = line
            .split([' ', ':', '.'])
            .filter(|word| !word.is_empty())
            .collect();
        if line.contains("inline") {
            continue;
        }
        if line.starts_with("File size of ") {
            extents.clear();
        } else if let [number, first, _, physical, _, count, ..] = words.as_slice()
            && number.parse::<u64>().is_ok()
        {
            let number = |text: &str| text.parse::<u64>().unwrap();
            extents.push((number(physical), number(count), number(first)));
        } else if let Some((name, _)) = line.rsplit_once(": ")
            && line.ends_with("found")
        {
            let name = name.strip_prefix(root).unwrap().to_owned();
            found.insert(name, std::mem::take(&mut extents));
        }
    }
    assert!(found.len() > 100, "{listing}");
    found
}

/// What was answered of files is what the kernel has.
pub(super) fn assert_kernel_agrees(
    answers: &Answers,
    kernel: &BTreeMap<String, Vec<(u64, u64, u64)>>,
    block: u64,
) {
    let mut ours: BTreeMap<(String, u64), u64> = BTreeMap::new();
    for stretch in &answers.stretches {
        for owner in stretch
            .owners
            .iter()
            .filter(|_| stretch.class == Class::File)
        {
            let Some(at) = owner.at else { continue };
            for path in &owner.paths {
                let path = String::from_utf8(path.clone()).unwrap();
                let blocks = answers.blocks(stretch);
                for (step, physical) in blocks.enumerate() {
                    ours.insert((path.clone(), at.get() / block + step as u64), physical);
                }
            }
        }
    }
    for (name, extents) in kernel {
        for (physical, count, first) in extents {
            for step in 0..*count {
                let key = (name.clone(), first + step);
                assert_eq!(ours.remove(&key), Some(physical + step), "{key:?}");
            }
        }
    }
    let extra: Vec<_> = ours
        .keys()
        .filter(|(name, _)| !name.ends_with(" link"))
        .collect();
    assert!(extra.is_empty(), "{extra:?}");
}
