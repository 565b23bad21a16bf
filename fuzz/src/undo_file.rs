//! Any bytes as an undo file are refused, or change no byte outside the regions they name, and put back what they say.

use std::ops::{ControlFlow, Range};

use mdtool::error::Result;
use mdtool::image::{MemImage, ReadAt, WriteAt};
use mdtool::transaction::{UndoFile, Undone};
use mdtool::units::{Bytes, ImagePos};

use super::input::Input;
use super::reseal::resealed;

/// The property.
pub fn holds(data: &[u8]) {
    let mut input = Input(data);
    let how = input.u8();
    let bytes = if how & 1 == 0 {
        resealed(input.0.to_vec())
    } else {
        input.0.to_vec()
    };
    let file = MemImage::from_bytes(&bytes);
    let Ok(undo) = UndoFile::open(&file) else {
        return;
    };
    let [target] = &*undo.identity().targets else {
        return;
    };
    let mut disk = Recorded {
        image: MemImage::new(target.size.min(Bytes::new(16 << 20))),
        written: Vec::new(),
    };
    let mut changes = 0;
    undo.changes(&mut |change| {
        changes += 1;
        assert!(undo.regions().any(|region| contains(
            &region.range,
            change.at,
            change.after.len()
        )));
        // The target as the change left it, or half of it, or nothing of it.
        if how & 2 == 0 || changes % 2 == 0 {
            let _ = disk.image.write_at(change.at, change.after);
        }
        Ok(())
    })
    .expect("verified when it was opened");
    assert_eq!(changes, undo.records());
    let answer = undo.undo(&mut disk, how & 4 != 0);
    for (at, len) in &disk.written {
        assert!(
            undo.regions()
                .any(|region| contains(&region.range, *at, *len)),
            "{at}"
        );
    }
    match answer {
        Ok(Undone::Nothing) => assert!(disk.written.is_empty()),
        Ok(Undone::Restored { .. }) => undo
            .changes(&mut |change| {
                let mut now = vec![0; change.before.len()];
                disk.read_exact_at(change.at, &mut now)?;
                assert!(now == change.before, "{} is not restored", change.at);
                Ok(())
            })
            .expect("verified when it was opened"),
        Err(_) => assert!(disk.written.is_empty(), "memory does not fail half way"),
    }
}

fn contains(range: &Range<ImagePos>, at: ImagePos, len: usize) -> bool {
    let end = at.checked_add(Bytes::of_len(len));
    range.start <= at && end.is_some_and(|end| end <= range.end)
}

/// A disk that notes where it was written.
struct Recorded {
    image: MemImage,
    written: Vec<(ImagePos, usize)>,
}

impl ReadAt for Recorded {
    fn size(&self) -> Bytes {
        self.image.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        self.image.read_exact_at(at, buf)
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        self.image.next_data(from)
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        self.image.visit(range, visit)
    }
}

impl WriteAt for Recorded {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        self.written.push((at, bytes.len()));
        self.image.write_all_at(at, bytes)
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        self.image.resize(size)
    }

    fn sync(&mut self) -> Result<()> {
        self.image.sync()
    }
}
