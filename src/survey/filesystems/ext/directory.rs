//! `struct ext4_dir_entry_2`: the entries of a directory. An index among them looks like an entry that is not in use.

use super::Ext;
use super::extents::{self, Piece};
use super::inode::Inode;
use crate::error::Result;
use crate::survey::bytes::{array, le16, le32};

/// Shows every entry of a directory to `visit`, `..` among them: an inode's number and its name there.
pub(super) fn each(
    ext: &Ext<'_>,
    inode: &Inode<'_>,
    visit: &mut dyn FnMut(u32, &[u8]),
) -> Result<()> {
    if let Some((parent, first, second)) = inode.inline_entries() {
        visit(parent, b"..");
        entries(ext, first, visit);
        entries(ext, second, visit);
        return Ok(());
    }
    let mut runs = Vec::new();
    extents::each(ext, inode, &mut |piece| {
        if let Piece::Data {
            first,
            count,
            unwritten: false,
            ..
        } = piece
        {
            runs.push(first..first.saturating_add(count));
        }
    })?;
    for block in runs.into_iter().flatten() {
        match ext.blocks.read(block)? {
            Some(bytes) => entries(ext, &bytes, visit),
            None if ext.blocks.is_spent() => break,
            None => {}
        }
    }
    Ok(())
}

/// The entries of one block.
fn entries(ext: &Ext<'_>, bytes: &[u8], visit: &mut dyn FnMut(u32, &[u8])) {
    let mut at = 0_usize;
    while let Some(entry) = bytes.get(at..) {
        let fields = (le32(entry, 0), le16(entry, 4), array::<2>(entry, 6));
        let (Some(inode), Some(len), Some([name_len, high])) = fields else {
            return;
        };
        // Without types in entries, names may be said to be longer than they can be.
        let name_len = if ext.superblock.has_file_types() || high == 0 {
            usize::from(name_len)
        } else {
            return;
        };
        let len = entry_len(len, bytes.len());
        if len < 8 {
            return;
        }
        let name = entry.get(8..).and_then(|rest| rest.get(..name_len));
        if let Some(name) = name.filter(|name| inode != 0 && !name.is_empty()) {
            visit(inode, name);
        }
        at = at.saturating_add(len);
    }
}

/// `ext4_rec_len_from_disk()`: 16 bits do not reach over a block of 64 KiB.
fn entry_len(len: u16, block: usize) -> usize {
    let len = usize::from(len);
    if block < 65_536 {
        return len;
    }
    match len {
        0 | 65_535 => block,
        len => (len & 0xFFFC) | (len & 3) << 16,
    }
}
