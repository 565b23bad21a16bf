//! Memory that begins with a page.

use std::fmt;
use std::ops::{Deref, DerefMut};

use super::to_len;
use crate::units::MD_BLOCK;

/// Bytes in memory that begins with a page, to be read into again and again.
///
/// The system copies from pages of its own. On some processors (AMD Zen) that takes four times as long where the target begins a few bytes
/// further into a page than the source, and large allocations begin 16 bytes into theirs.
#[derive(Clone, Default)]
pub struct PageBuffer {
    memory: Vec<u8>,
    skip: usize,
    len: usize,
}

impl PageBuffer {
    /// Makes it this long; what it then holds is to be overwritten.
    pub fn resize(&mut self, len: usize) {
        let page = to_len(MD_BLOCK);
        let least = len.saturating_add(page);
        if self.memory.len() < least {
            self.memory = vec![0; least];
            self.skip = self.memory.as_ptr().align_offset(page).min(page);
        }
        self.len = len;
    }

    /// Makes it empty; the memory stays.
    pub const fn clear(&mut self) {
        self.len = 0;
    }

    const fn end(&self) -> usize {
        self.skip.saturating_add(self.len)
    }
}

impl Deref for PageBuffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.memory.get(self.skip..self.end()).unwrap_or_default()
    }
}

impl DerefMut for PageBuffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let range = self.skip..self.end();
        self.memory.get_mut(range).unwrap_or_default()
    }
}

impl From<&[u8]> for PageBuffer {
    fn from(bytes: &[u8]) -> Self {
        let mut buffer = Self::default();
        buffer.resize(bytes.len());
        buffer.copy_from_slice(bytes);
        buffer
    }
}

impl PartialEq for PageBuffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for PageBuffer {}

impl fmt::Debug for PageBuffer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_begins_with_a_page_and_is_as_long_as_asked() {
        let mut buffer = PageBuffer::default();
        assert!(buffer.is_empty());
        for len in [1, 4096, 1 << 20, 5, 0, 70_000] {
            buffer.resize(len);
            assert_eq!(buffer.len(), len);
            assert!(len == 0 || buffer.as_ptr().align_offset(4096) == 0);
            buffer.fill(7);
        }
        buffer.clear();
        assert!(buffer.is_empty());
        let buffer = PageBuffer::from(&b"some bytes"[..]);
        assert_eq!(&*buffer, b"some bytes");
        assert_eq!(buffer, buffer.clone());
    }
}
