//! The directories, for the names of inodes.

use super::Ext;
use super::directory;
use super::inode::{Inode, Kind};
use super::superblock::ROOT;
use super::table;
use crate::error::Result;
use crate::survey::filesystems::names::Directories;

impl Directories for Ext<'_> {
    fn root(&self) -> u64 {
        ROOT.into()
    }

    fn all(&self, visit: &mut dyn FnMut(u64, u64, &[u8])) -> Result<()> {
        table::each_inode(self, &mut |number, inode| {
            if inode.kind() != Kind::Directory || inode.is_unused() {
                return Ok(());
            }
            directory::each(self, inode, &mut |child, name| {
                visit(number.into(), child.into(), name);
            })
        })
    }

    fn one(&self, directory: u64, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let Ok(number) = u32::try_from(directory) else {
            return Ok(());
        };
        let Some(bytes) = table::one(self, number)? else {
            return Ok(());
        };
        let inode = Inode::new(&bytes);
        if inode.kind() != Kind::Directory {
            return Ok(());
        }
        directory::each(self, &inode, &mut |child, name| visit(child.into(), name))
    }
}
