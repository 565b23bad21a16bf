//! ext2, ext3 and ext4.
//!
//! ```text
//! | boot | superblock | descriptors | block bitmap | inode bitmap | inode table | data …  |  group 0
//! | copy of both, in some groups    | the same, or in another group of a flex_bg | data … |  group 1
//! ```

mod directory;
mod extents;
mod groups;
mod inode;
mod names;
mod superblock;
mod table;

use super::answer::Class;
use super::blocks::Blocks;
use super::findings::{Findings, What};
use super::layers::Answered;
use super::names::{self as paths, Names};
use crate::error::Result;
use crate::image::Window;
use inode::{Inode, Kind};
use superblock::Superblock;

/// What is known of a file system of this family.
pub(super) struct Ext<'a> {
    superblock: Superblock,
    blocks: Blocks<'a>,
}

/// Finds whose the wanted parts are; the error in words where the file system cannot be read.
pub(super) fn answer(device: Window<'_>, findings: Findings) -> Result<Result<Answered, String>> {
    let mut bytes = [0; superblock::LEN];
    if device.size() < superblock::END {
        return Ok(Err("the device ends within the superblock".to_owned()));
    }
    device.read_exact_at(superblock::AT, &mut bytes)?;
    let superblock = match Superblock::decode(&bytes, device.size()) {
        Ok(superblock) => superblock,
        Err(why) => return Ok(Err(why)),
    };
    let blocks = Blocks::new(device, superblock.block_size);
    Ext { superblock, blocks }.find(findings).map(Ok)
}

impl Ext<'_> {
    fn find(&self, mut findings: Findings) -> Result<Answered> {
        let mut notes = self.superblock.notes();
        if self.superblock.is_journal() {
            self.note(
                &mut findings,
                0,
                self.superblock.blocks,
                What::of(Class::Journal, "external journal"),
            );
            return Ok(Answered::without_names(
                self.superblock.name(),
                findings,
                notes,
            ));
        }
        groups::note_metadata(self, &mut findings)?;
        let mut damaged = 0_u64;
        table::each_inode(self, &mut |number, inode| {
            if findings.is_full() {
                return Ok(());
            }
            let whole = self.note_inode(number, inode, &mut findings)?;
            damaged = damaged.saturating_add(u64::from(!whole));
            Ok(())
        })?;
        if damaged > 0 {
            notes.push(format!(
                "{damaged} inodes have damaged block maps: what they own may be missing"
            ));
        }
        let gaps = findings.gaps();
        groups::note_free(self, &gaps, &mut findings)?;
        let names = if findings.is_full() {
            Names::new()
        } else {
            paths::find(self, &findings.inodes())?
        };
        Ok(Answered {
            file_system: self.superblock.name(),
            findings,
            names,
            notes,
        })
    }

    /// Notes what an inode has; `false` where its map is damaged.
    fn note_inode(&self, number: u32, inode: &Inode<'_>, findings: &mut Findings) -> Result<bool> {
        let sb = &self.superblock;
        if inode.is_unused() {
            return Ok(true);
        }
        let owned = Some(u64::from(number));
        let special = sb.special(number);
        let (class, detail) = special.unwrap_or(match inode.kind() {
            Kind::Directory => (Class::Directory, ""),
            _ if inode.is_value() => (Class::Metadata, "extended attributes"),
            _ if inode.links() == 0 => {
                (Class::File, "deleted, and still open when it was last used")
            }
            _ => (Class::File, ""),
        });
        if inode.xattr_block() > 0 {
            let what = What {
                inode: owned,
                ..What::of(Class::Metadata, "extended attributes")
            };
            self.note(findings, inode.xattr_block(), 1, what);
        }
        let size = sb.block_size;
        extents::each(self, inode, &mut |extent| {
            let what = match extent {
                extents::Piece::Data {
                    logical, unwritten, ..
                } => What {
                    class,
                    detail: if unwritten && special.is_none() {
                        "allocated, never written"
                    } else {
                        detail
                    },
                    inode: owned.filter(|_| special.is_none()),
                    at: size.checked_mul(logical).filter(|_| special.is_none()),
                },
                extents::Piece::Tree { .. } => match special {
                    Some((class, detail)) => What::of(class, detail),
                    None => What {
                        inode: owned,
                        ..What::of(Class::Metadata, "map of a file's blocks")
                    },
                },
            };
            let (first, count) = extent.physical();
            self.note(findings, first, count, what);
        })
    }

    /// Notes blocks.
    fn note(&self, findings: &mut Findings, first: u64, count: u64, what: What) {
        if let Some(range) = self.blocks.range(first, count) {
            findings.note(&range, what);
        }
    }
}
