//! XFS, versions 4 and 5.
//!
//! ```text
//! | superblock | AGF | AGI | AGFL | trees of free space, inodes, owners, references … inodes … data … |  allocation group 0
//! | copy       | AGF | AGI | AGFL | …                                        (one group: the log)   |  allocation group 1
//! ```
//!
//! Free space is what the tree of free space lists; inodes are found by the tree of inodes, in the order of the disk.

mod btree;
mod chunks;
mod directory;
mod fork;
mod groups;
mod inode;
mod log;
mod superblock;

use super::answer::Class;
use super::blocks::Blocks;
use super::findings::{Findings, What};
use super::layers::Answered;
use super::names::{self, Names};
use crate::error::Result;
use crate::image::Window;
use inode::{Inode, Kind};
use superblock::Superblock;

/// What is known of an XFS.
pub(super) struct Xfs<'a> {
    superblock: Superblock,
    blocks: Blocks<'a>,
}

/// Finds whose the wanted parts are; the error in words where the file system cannot be read.
pub(super) fn answer(device: Window<'_>, findings: Findings) -> Result<Result<Answered, String>> {
    let mut bytes = [0; superblock::LEN];
    if device.size() < crate::units::Bytes::of_len(superblock::LEN) {
        return Ok(Err("the device ends within the superblock".to_owned()));
    }
    device.read_exact_at(crate::units::DevPos::START, &mut bytes)?;
    let superblock = match Superblock::decode(&bytes) {
        Ok(superblock) => superblock,
        Err(why) => return Ok(Err(why)),
    };
    let blocks = Blocks::new(device, superblock.block_size);
    Xfs { superblock, blocks }.find(findings).map(Ok)
}

impl Xfs<'_> {
    fn find(&self, mut findings: Findings) -> Result<Answered> {
        let sb = &self.superblock;
        let mut notes = Vec::new();
        if !log::is_unmounted(self)? {
            notes.push(
                "it was not unmounted, and its log is not replayed: what is said of it is as old as its last checkpoint"
                    .to_owned(),
            );
        }
        if let Some((first, count)) = sb.log() {
            self.note(&mut findings, first, count, What::of(Class::Journal, ""));
        }
        let mut damaged = 0_u64;
        for number in 0..sb.groups() {
            let group = groups::note(self, number, &mut findings)?;
            damaged = damaged.saturating_add(u64::from(!group.whole));
            let whole = chunks::each(
                self,
                &group,
                &mut findings,
                &mut |number, inode, findings| self.note_inode(number, inode, findings),
            )?;
            damaged = damaged.saturating_add(u64::from(!whole));
            if findings.is_full() {
                break;
            }
        }
        if damaged > 0 {
            notes.push(format!(
                "{damaged} of its groups have damaged structures: what they own may be missing"
            ));
        }
        let names = if findings.is_full() {
            Names::new()
        } else {
            names::find(self, &findings.inodes())?
        };
        Ok(Answered {
            file_system: "xfs",
            findings,
            names,
            notes,
        })
    }

    /// Notes what an inode has; `false` where its map is damaged.
    fn note_inode(&self, number: u64, inode: &Inode<'_>, findings: &mut Findings) -> Result<bool> {
        let sb = &self.superblock;
        let special = sb.special(number);
        let owned = Some(number).filter(|_| special.is_none());
        let (class, detail) = special.unwrap_or(match inode.kind() {
            Kind::Directory => (Class::Directory, ""),
            _ if inode.links() == 0 => {
                (Class::File, "deleted, and still open when it was last used")
            }
            Kind::Other => (Class::File, ""),
        });
        let size = sb.block_size;
        let of = |class, detail| What {
            inode: owned,
            ..What::of(class, detail)
        };
        let mut whole = true;
        if let Some(fork) = inode.data() {
            whole &= fork::each(self, &fork, &mut |piece| match piece {
                fork::Piece::Data(extent) => {
                    let what = What {
                        at: size.checked_mul(extent.logical).filter(|_| owned.is_some()),
                        ..of(
                            class,
                            if extent.unwritten && class == Class::File {
                                "allocated, never written"
                            } else {
                                detail
                            },
                        )
                    };
                    self.note(findings, extent.first, extent.count, what);
                }
                fork::Piece::Tree(block) => {
                    self.note(
                        findings,
                        block,
                        1,
                        of(Class::Metadata, "map of a file's blocks"),
                    );
                }
            })?;
        }
        if let Some(fork) = inode.attributes() {
            whole &= fork::each(self, &fork, &mut |piece| {
                let (first, count) = match piece {
                    fork::Piece::Data(extent) => (extent.first, extent.count),
                    fork::Piece::Tree(block) => (block, 1),
                };
                self.note(
                    findings,
                    first,
                    count,
                    of(Class::Metadata, "extended attributes"),
                );
            })?;
        }
        Ok(whole)
    }

    /// Notes blocks, by the number of the first among all of the file system.
    fn note(&self, findings: &mut Findings, first: u64, count: u64, what: What) {
        if let Some(range) = self.blocks.range(first, count) {
            findings.note(&range, what);
        }
    }
}
