//! A disk out of sectors and patches, and what has to hold of whatever is found on it.

use mdtool::image::{MemImage, Window};
use mdtool::survey::filesystems::Finder;
use mdtool::units::{Bytes, DevPos, ImagePos, range_len};

use super::input::Input;

/// The largest disk that is made: an XFS has at least 300 MiB.
const SECTORS: u64 = 300 << 11;

/// Sectors as testdata/filesystems has them: a number, a length, so many bytes.
pub(crate) fn disk(data: &[u8]) -> MemImage {
    let mut input = Input(data);
    let mut sectors = Vec::new();
    while !input.is_empty() {
        let (number, len) = (u64::from(input.u32()) % SECTORS, usize::from(input.u16()));
        sectors.push((number, input.slice(len)));
    }
    let last = sectors
        .iter()
        .map(|(number, bytes)| number * 512 + Bytes::of_len(bytes.len()).get())
        .max();
    // A little more than what is there.
    let size = (last.unwrap_or(0).div_ceil(1 << 18) + 1) << 18;
    let mut image = MemImage::new(Bytes::new(size));
    for (number, bytes) in sectors {
        let _ = image.write_at(ImagePos::new(number * 512), bytes);
    }
    image
}

/// Every wanted byte has an answer, in order, and no answer is of anything else.
pub(crate) fn judge(image: &MemImage) {
    let device = Window::whole(image);
    let end = DevPos::at(device.size());
    let mut found = Vec::new();
    let mut finder = Finder::new(device);
    let whole = DevPos::START..end;
    finder
        .find(std::slice::from_ref(&whole), &mut |stretch| {
            found.push(stretch);
            Ok(())
        })
        .expect("memory can be read");
    let mut at = DevPos::START;
    for stretch in &found {
        assert!(
            stretch.range.start <= at && stretch.range.start < stretch.range.end,
            "{stretch:?} at {at}"
        );
        assert!(stretch.owners.len() <= 256);
        at = at.max(stretch.range.end);
    }
    assert_eq!(at, end);
    // A part has the same answers as in the whole.
    let Some(stretch) = found.get(found.len() / 2) else {
        return;
    };
    let part = stretch.range.start..stretch.range.end;
    let mut again = Bytes::ZERO;
    finder
        .find(std::slice::from_ref(&part), &mut |one| {
            if one.class == stretch.class
                && one.detail == stretch.detail
                && one.place == stretch.place
            {
                again = again.checked_add(range_len(&one.range)).expect("small");
            }
            Ok(())
        })
        .expect("memory can be read");
    assert!(again >= range_len(&part), "{stretch:?}");
}
