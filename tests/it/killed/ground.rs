//! What the commands that are killed begin with.

use std::path::PathBuf;

use mdtool::builder::{LaSize, Level, Peer, build};
use mdtool::image::{MemImage, ReadAt, WritableFile};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId, Sectors};
use tempfile::TempDir;

use super::Files;
use crate::apply_al::{PRIMARY, one_extent};
use crate::support::{lengthen, mdtool, patch, peek, put, scratch};

const MIB: u64 = 1 << 20;
/// Small: it is compared again and again.
const SIZE: u64 = 2 * MIB;

/// A directory with a disk, and whatever else a command needs.
pub(super) struct Ground {
    pub(super) dir: TempDir,
    pub(super) format: &'static str,
    /// How much of the disk's beginning no command may change.
    pub(super) data: usize,
}

/// A level of this format.
fn level(format: &str) -> Level {
    if format == "v08" {
        return Level::v08();
    }
    let peer = Peer {
        bitmap_uuid: 0x1234_5678_9ABC_DEF0,
        flags: 0x1_0000,
        ..Peer::in_slot(BitmapIndex::new(0))
    };
    Level::v09(2).peer(NodeId::new(1), peer)
}

fn inner(format: &str) -> Level {
    let level = level(format).current_uuid(0x1122_3344_5566_7788);
    level.dirty(BitmapIndex::new(0), DevPos::new(0)..DevPos::new(MIB / 2))
}

/// As a crashed Primary left it.
fn crashed(format: &str) -> Level {
    let log = one_extent(0);
    inner(format)
        .unclean()
        .flags(PRIMARY)
        .al_nr_extents(67)
        .activity_log(log.area())
}

impl Ground {
    fn of(format: &'static str, levels: &[Level]) -> Self {
        let mut ground = Self {
            dir: scratch(),
            format,
            data: SIZE as usize,
        };
        ground.disk(levels);
        ground
    }

    /// Makes the disk: something in its data everywhere, and these levels.
    fn disk(&mut self, levels: &[Level]) {
        let path = self.path("disk");
        std::fs::remove_file(&path).unwrap_or(());
        let mut file = WritableFile::create_new(&path, Bytes::new(SIZE)).unwrap();
        if !levels.is_empty() {
            let built = build(&mut file, ImagePos::START, Bytes::new(SIZE), levels).unwrap();
            let end = built.last().unwrap().device().get();
            drop(file);
            self.data = self.data.min(end as usize);
            for at in (0..end.min(SIZE / 2)).step_by(100_000) {
                patch(&path, at, b"a file of somebody's");
            }
        }
    }

    pub(super) fn stack(format: &'static str) -> Self {
        Self::of(format, &[level(format), inner(format)])
    }

    pub(super) fn one(format: &'static str) -> Self {
        Self::of(format, &[inner(format)])
    }

    pub(super) fn unclean(format: &'static str) -> Self {
        Self::of(format, &[crashed(format)])
    }

    /// As a crashed Primary left it, with a log that says nothing.
    pub(super) fn unusable(format: &'static str) -> Self {
        let ground = Self::unclean(format);
        patch(
            &ground.path("disk"),
            SIZE - 4096 - 32_768,
            &vec![0x5A; 32_768],
        );
        ground
    }

    /// With room for a longer log.
    pub(super) fn roomy(format: &'static str) -> Self {
        let size = LaSize::Exactly(Sectors::new(3000));
        Self::of(format, &[inner(format).la_size(size)])
    }

    /// With the superblock of when the disk was smaller, which an online move left.
    pub(super) fn stale(format: &'static str) -> Self {
        let ground = Self::roomy(format);
        let older = Bytes::new(SIZE - 128 * 1024);
        let mut image = MemImage::new(older);
        let size = LaSize::Exactly(Sectors::new(3000));
        let level = inner(format).la_size(size);
        build(&mut image, ImagePos::START, older, &[level]).unwrap();
        let at = older.get() - 4096;
        let mut block = [0; 4096];
        image.read_exact_at(ImagePos::new(at), &mut block).unwrap();
        patch(&ground.path("disk"), at, &block);
        ground
    }

    pub(super) fn grown(format: &'static str) -> Self {
        let ground = Self::roomy(format);
        // By less than its metadata is long.
        lengthen(&ground.path("disk"), &[0; 16_384]);
        ground
    }

    /// By more than that: the old superblock stays where it was.
    pub(super) fn grown_far(format: &'static str) -> Self {
        let ground = Self::roomy(format);
        lengthen(&ground.path("disk"), &vec![0; 262_144]);
        ground
    }

    pub(super) fn unclean_grown(format: &'static str) -> Self {
        let ground = Self::unclean(format);
        lengthen(&ground.path("disk"), &vec![0; 65_536]);
        ground
    }

    pub(super) fn used_meta(format: &'static str) -> Self {
        let ground = Self::stack(format);
        put(&ground.path("meta"), &vec![0x5A; 1 << 20]);
        ground
    }

    /// A dump of other metadata than is on the disk.
    pub(super) fn dumped(format: &'static str) -> Self {
        let mut ground = Self::one(format);
        ground.run("export DISK -o DUMP");
        let outer = level(format).current_uuid(0x9999_0000_9999_0000);
        ground.disk(&[outer]);
        ground
    }

    pub(super) fn dumped_for_blank(format: &'static str) -> Self {
        let mut ground = Self::one(format);
        ground.run("export DISK -o DUMP");
        ground.disk(&[]);
        ground
    }

    pub(super) fn dumped_for_meta(format: &'static str) -> Self {
        let ground = Self::dumped_for_blank(format);
        put(&ground.path("meta"), &vec![0x5A; 1 << 20]);
        ground
    }

    /// The stack, and `more` done to it.
    fn done(self, more: &str) -> Self {
        let node = if self.format == "v09" {
            " --node-id 1"
        } else {
            ""
        };
        self.run(&format!(
            "adopt DISK --stacked --yes --undo UNDO{node}{more}"
        ));
        self
    }

    pub(super) fn adopted(format: &'static str) -> Self {
        Self::stack(format).done("")
    }

    /// Somebody wrote to the superblock since.
    pub(super) fn adopted_and_changed(format: &'static str) -> Self {
        let ground = Self::adopted(format);
        patch(&ground.path("disk"), SIZE - 4096 + 8, &[0x77; 8]);
        ground
    }

    pub(super) fn truncated(format: &'static str) -> Self {
        Self::stack(format).done(" --strategy truncate")
    }

    /// Somebody wrote to the superblock since.
    pub(super) fn truncated_and_changed(format: &'static str) -> Self {
        let ground = Self::truncated(format);
        let disk = ground.path("disk");
        let end = std::fs::metadata(&disk).unwrap().len();
        patch(&disk, end - 4096 + 8, &[0x77; 8]);
        ground
    }

    pub(super) fn moved_to_meta(format: &'static str) -> Self {
        let ground = Self::used_meta(format);
        let meta = ground.text("meta");
        ground.done(&format!(" --strategy external --meta {meta}"))
    }

    fn run(&self, words: &str) {
        let words = self.words(words);
        let run = mdtool(&words);
        assert_eq!(run.status, 0, "{words:?}: {run:?}");
    }

    /// The words of a command line, with paths for names in capitals.
    pub(super) fn words(&self, words: &str) -> Vec<String> {
        let path = |word: &str| match word {
            "DISK" => self.text("disk"),
            "META" => self.text("meta"),
            "DUMP" => self.text("dump"),
            "UNDO" => self.text("earlier"),
            other => other.to_owned(),
        };
        words.split_whitespace().map(path).collect()
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn text(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// All that is in the directory.
    pub(super) fn files(&self) -> Files {
        let entries = std::fs::read_dir(self.dir.path()).unwrap();
        let file = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let len = entry.metadata().unwrap().len() as usize;
            (name, peek(&entry.path(), 0, len))
        };
        entries.map(file).collect()
    }

    /// Makes the directory hold this and nothing else.
    pub(super) fn restore(&self, files: &Files) {
        let now = self.files();
        for (name, bytes) in files {
            if now.get(name) != Some(bytes) {
                put(&self.path(name), bytes);
            }
        }
        for name in now.keys().filter(|name| !files.contains_key(*name)) {
            std::fs::remove_file(self.path(name)).unwrap();
        }
    }
}
