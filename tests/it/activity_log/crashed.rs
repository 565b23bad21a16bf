use std::path::{Path, PathBuf};

use mdtool::format::activity_log::{AlArea, Replay, initialised_block, replay};
use mdtool::format::layout::AlStriping;
use mdtool::format::superblock::Format;

use crate::support::{Drbdmeta, patch, peek, sparse};

/// Bytes of the images: 2048 extents.
const SIZE: u64 = 8 << 30;
/// Extents of the device in them, the rest is metadata.
const EXTENTS: u64 = 2047;

/// An image with metadata that `create-md` made, to be made unclean again and again.
pub(super) struct Image {
    pub(super) path: PathBuf,
    pub(super) format: &'static str,
    pub(super) peers: usize,
    pub(super) striping: AlStriping,
    pub(super) superblock: Vec<u8>,
}

impl Image {
    pub(super) fn create(
        drbdmeta: &Drbdmeta,
        dir: &Path,
        (format, peers): (&'static str, usize),
        (stripes, stripe_size_4k): (u32, u32),
    ) -> Self {
        let path = dir.join(format!("{format}-{peers}-{stripes}-{stripe_size_4k}"));
        sparse(&path, SIZE);
        let (stripes_word, size_word) = (stripes.to_string(), (stripe_size_4k * 4).to_string());
        let peers_word = peers.to_string();
        let mut words = vec!["create-md", "--al-stripes", &stripes_word];
        words.extend(["--al-stripe-size-kB", &size_word]);
        if format == "v09" {
            words.push(&peers_word);
        }
        drbdmeta.ok(format, &path, "internal", &words);
        let mut superblock = peek(&path, SIZE - 4096, 4096);
        // The size of the device, and a primary that crashed.
        superblock[..8].copy_from_slice(&(EXTENTS * 8192).to_be_bytes());
        superblock[59] = superblock[59] & !0x80 | 0x02;
        if format == "v08" {
            superblock[63] = 0x6c;
        }
        let striping = AlStriping::on_disk(stripes, stripe_size_4k);
        Self {
            path,
            format,
            peers,
            striping,
            superblock,
        }
    }

    /// What the superblock says of the log.
    pub(super) fn area(&self) -> AlArea {
        let al_nr_extents = self.superblock[72..76].try_into().unwrap();
        AlArea {
            format: if self.format == "v08" {
                Format::V08
            } else {
                Format::V09
            },
            unclean_84: self.superblock[63] == 0x6c,
            striping: self.striping,
            al_nr_extents: u32::from_be_bytes(al_nr_extents),
        }
    }

    /// Where an area begins whose distance from the superblock is at byte `at` of it.
    pub(super) fn start(&self, at: usize) -> u64 {
        let sectors = i32::from_be_bytes(self.superblock[at..at + 4].try_into().unwrap());
        (SIZE - 4096)
            .checked_add_signed(i64::from(sectors) * 512)
            .unwrap()
    }

    pub(super) fn bitmap_len(&self) -> usize {
        let bytes = usize::try_from(EXTENTS).unwrap() * 128 * self.peers;
        bytes.next_multiple_of(4096)
    }

    /// Makes the metadata unclean, with `log` for its log and an empty bitmap.
    pub(super) fn crash(&self, log: &[u8]) {
        patch(&self.path, SIZE - 4096, &self.superblock);
        patch(&self.path, self.start(68), log);
        patch(&self.path, self.start(76), &vec![0; self.bitmap_len()]);
    }

    pub(super) fn log(&self) -> Vec<u8> {
        let blocks = usize::try_from(self.striping.blocks().unwrap()).unwrap();
        peek(&self.path, self.start(68), blocks * 4096)
    }

    /// What a bitmap looks like where just these extents are out of sync, for every peer.
    pub(super) fn bitmap_of(&self, replay: &Replay) -> Vec<u8> {
        let mut bitmap = vec![0; self.bitmap_len()];
        for extent in &replay.active {
            let start = usize::try_from(extent.get()).unwrap() * 128 * self.peers;
            let bytes = bitmap.iter_mut().skip(start).take(128 * self.peers);
            bytes.for_each(|byte| *byte = 0xff);
        }
        bitmap
    }

    /// Replays a log, lets drbdmeta apply it, and holds what it did against what we would do; returns its exit status.
    pub(super) fn compare(&self, drbdmeta: &Drbdmeta, log: &[u8]) -> (Replay, i32) {
        self.crash(log);
        let ours = replayed(&self.area(), log);
        let run = drbdmeta.run(self.format, &self.path, "internal", &["apply-al"]);
        if run.status != 0 {
            assert_eq!(self.log(), log, "drbdmeta touched what it refused");
            return (ours, run.status);
        }
        let bitmap = peek(&self.path, self.start(76), self.bitmap_len());
        let expected = self.bitmap_of(&ours);
        let first = (0..bitmap.len()).find(|i| bitmap[*i] != expected[*i]);
        assert_eq!(first, None, "{:?} {}", ours.verdict, run.stderr);
        if ours.transactions > 0 {
            assert!(self.log() == initialised_block().repeat(log.len() / 4096));
        }
        let flags = peek(&self.path, SIZE - 4096 + 59, 5);
        assert_eq!(flags[0], self.superblock[59] | 0x80);
        assert_eq!(flags[4], if self.format == "v08" { 0x6b } else { 0x6d });
        (ours, 0)
    }
}

pub(super) fn replayed(area: &AlArea, log: &[u8]) -> Replay {
    let mut read_block = |block: u64, to: &mut [u8; 4096]| {
        *to = log.as_chunks().0[usize::try_from(block).unwrap()];
        Ok(())
    };
    replay(area, &mut read_block, &mut |_| {}).unwrap()
}
