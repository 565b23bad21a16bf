//! Where the metadata lay that a dump was made of, as its comments say.
//!
//! Nothing that restores a dump looks at them. They are evidence of the disk, no more: whoever edits a dump leaves them as they were.

use crate::units::{Bytes, DevPos, Sectors};

/// What the comments `# md_offset`, `# bm_offset` and `# md_size_sect` say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Places {
    /// The superblock.
    pub md: Option<DevPos>,
    /// The bitmap.
    pub bm: Option<DevPos>,
    /// All metadata.
    pub md_size: Option<Sectors>,
}

impl Places {
    /// Nothing is told.
    pub(super) const NONE: Self = Self {
        md: None,
        bm: None,
        md_size: None,
    };

    /// Takes what a comment says, the first time that it says it.
    pub(super) fn note(&mut self, comment: &[u8]) {
        let value = |name: &str| {
            let rest = comment.strip_prefix(name.as_bytes())?;
            let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
            let text = rest.get(..digits.count())?;
            std::str::from_utf8(text).ok()?.parse::<u64>().ok()
        };
        self.md = self.md.or_else(|| value("# md_offset ").map(DevPos::new));
        self.bm = self.bm.or_else(|| value("# bm_offset ").map(DevPos::new));
        self.md_size = self
            .md_size
            .or_else(|| value("# md_size_sect ").map(Sectors::new));
    }

    /// The largest device that internal metadata in these places leaves; nothing where it is external or nothing is told.
    #[must_use]
    pub fn usable(&self) -> Option<Sectors> {
        let (md, bm) = (self.md?, self.bm?);
        (bm < md).then(|| bm.from_start().to_sectors_floor())
    }

    /// The size of the disk that internal metadata in these places ends, its last few sectors aside.
    #[must_use]
    pub fn disk(&self) -> Option<Bytes> {
        self.usable()?;
        self.md?.from_start().checked_add(crate::units::MD_BLOCK)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_tell_where_internal_metadata_lay() {
        let mut places = Places::NONE;
        for comment in [
            "# md_size_sect 80\n",
            "# md_offset 16773120\n",
            "# bm_offset 16736256",
            "# bm_offset 7",
            "#md_offset 9",
        ] {
            places.note(comment.as_bytes());
        }
        assert_eq!(places.usable(), Some(Sectors::new(32688)));
        assert_eq!(places.disk(), Some(Bytes::new(16 << 20)));
        assert_eq!(places.md_size, Some(Sectors::new(80)));
    }

    #[test]
    fn external_metadata_tells_nothing_of_the_disk() {
        let mut places = Places::NONE;
        places.note(b"# md_offset 0");
        places.note(b"# bm_offset 36864");
        assert_eq!(places.usable(), None);
        places.note(b"# md_offset 99999999999999999999");
        assert_eq!(places.md, Some(DevPos::START));
    }
}
