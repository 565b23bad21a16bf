//! How much a change reads, and in how many pieces it asks for room: what it costs is counted, not timed.

use std::cell::OnceCell;
use std::io::{self, Write};
use std::ops::Range;

use super::scenario::{pos, snapshot, superblock};
use crate::error::Result;
use crate::image::{Counted, MemImage, ReadAt, WriteAt, reads_as};
use crate::transaction::{Identity, Store, TargetIdentity, UndoFile, prepare};
use crate::units::{Bytes, ImagePos};

const BODY: usize = 8 << 20;
const SUPERBLOCK: usize = 4096;

/// An undo file in memory that counts what is read of it once it is one.
struct Kept<'a> {
    bytes: Vec<u8>,
    sealed: &'a OnceCell<Counted<MemImage>>,
}

impl Write for Kept<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> Store for Kept<'a> {
    type Sealed = &'a Counted<MemImage>;

    fn seal(self) -> Result<Self::Sealed> {
        let image = MemImage::from_bytes(&self.bytes);
        Ok(self.sealed.get_or_init(|| Counted::new(image)))
    }
}

/// A target that notes what it was asked to have room for.
struct Roomy {
    image: MemImage,
    asked: Vec<Range<ImagePos>>,
}

reads_as!([] Roomy, this => this.image);

impl WriteAt for Roomy {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        self.image.write_all_at(at, bytes)
    }

    fn reserve(&mut self, range: Range<ImagePos>) -> Result<()> {
        self.asked.push(range);
        Ok(())
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        WriteAt::resize(&mut self.image, size)
    }

    fn sync(&mut self) -> Result<()> {
        self.image.sync()
    }
}

#[test]
fn an_undo_file_is_read_three_times_and_room_is_asked_for_at_once() {
    let size = Bytes::of_len(BODY + SUPERBLOCK);
    let mut target = Roomy {
        image: MemImage::new(size),
        asked: Vec::new(),
    };
    let of = TargetIdentity {
        path: "disk".into(),
        block_device: false,
        size,
    };
    // Nothing that repeats, so that all of it is in the undo file.
    let mut word: u32 = 1;
    let bytes = std::iter::repeat_with(|| {
        word = word.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        word.to_be_bytes()[0] | 1
    });
    let body: Vec<u8> = bytes.take(BODY).collect();
    let block = superblock(0x8374_026B, 7);
    let sealed = OnceCell::new();
    let store = Kept {
        bytes: Vec::new(),
        sealed: &sealed,
    };
    let identity = Identity::one(of, "example");
    let prepared = prepare(&target, &identity, store, |draft| {
        draft.body("bitmap", pos(0)..pos(BODY))?.put(&body)?;
        draft.commit("superblock", pos(BODY), block.first_chunk().unwrap())
    });
    prepared.unwrap().apply(&mut target).unwrap();
    assert!(snapshot(&target)[..BODY] == body && snapshot(&target)[BODY..] == block);

    // Verified and compared with the target; written; read back. And where each record lies, twice, for the room that it needs.
    let undo = sealed.get().unwrap();
    assert!(undo.size() > Bytes::of_len(BODY));
    let three = Bytes::new(undo.size().get() * 3 + (2 << 20));
    assert!(
        undo.bytes() <= three,
        "{:?} of {:?}",
        undo.bytes(),
        undo.size()
    );
    assert_eq!(
        target.asked,
        [pos(0)..pos(BODY), pos(BODY)..ImagePos::at(size)]
    );

    // Compared with the target; put back; read back: what has data has room, whatever it is to hold.
    let before = undo.bytes();
    target.asked.clear();
    let opened = UndoFile::open(undo).unwrap();
    let opening = undo.bytes().saturating_sub(before);
    opened.undo(&mut target, false).unwrap();
    assert!(snapshot(&target).iter().all(|byte| *byte == 0));
    let undoing = undo.bytes().saturating_sub(before).saturating_sub(opening);
    let three = Bytes::new(undo.size().get() * 3 + (2 << 20));
    assert!(undoing <= three, "{undoing:?} of {:?}", undo.size());
    assert_eq!(target.asked, []);
}
