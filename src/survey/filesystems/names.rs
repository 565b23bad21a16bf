//! The paths of inodes, out of the entries of directories.

use std::collections::{HashMap, HashSet};

use crate::error::Result;

/// The paths of each inode, from the root of its file system.
pub(super) type Names = HashMap<u64, Vec<Vec<u8>>>;

/// How many names of one inode are kept.
const MOST_NAMES: usize = 256;
/// A path has at most so many steps: more go round.
const MOST_STEPS: usize = 4096;

/// The directories of a file system.
pub(super) trait Directories {
    /// The number of the root directory.
    fn root(&self) -> u64;

    /// Shows every entry of every directory to `visit`: the directory, the entry's inode and its name there.
    fn all(&self, visit: &mut dyn FnMut(u64, u64, &[u8])) -> Result<()>;

    /// Shows every entry of one directory, `..` among them; none where that number is no directory's.
    fn one(&self, directory: u64, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()>;
}

/// The paths of these inodes: one pass over all directories, then up from each to the root.
pub(super) fn find(directories: &impl Directories, inodes: &[u64]) -> Result<Names> {
    if inodes.is_empty() {
        return Ok(Names::new());
    }
    let wanted: HashSet<u64> = inodes.iter().copied().collect();
    let mut tree = NameTree::new(directories.root());
    directories.all(&mut |directory, child, name| {
        if is_name(name) && wanted.contains(&child) {
            tree.add(child, directory, name);
        }
    })?;
    loop {
        let unnamed = tree.unnamed_directories();
        if unnamed.is_empty() {
            return Ok(tree.paths(inodes));
        }
        climb(directories, &unnamed, &mut tree)?;
    }
}

/// Finds the names of directories in their parents, each of which is read once.
fn climb(directories: &impl Directories, unnamed: &[u64], tree: &mut NameTree) -> Result<()> {
    let mut by_parent: HashMap<u64, HashSet<u64>> = HashMap::new();
    for number in unnamed {
        let mut parent = None;
        directories.one(*number, &mut |child, name| {
            if name == b".." {
                parent = Some(child);
            }
        })?;
        match parent {
            Some(parent) => {
                by_parent.entry(parent).or_default().insert(*number);
            }
            None => tree.lose(*number),
        }
    }
    for (parent, mut left) in by_parent {
        directories.one(parent, &mut |child, name| {
            if is_name(name) && left.remove(&child) {
                tree.name_directory(child, Link::new(parent, name));
            }
        })?;
        for child in left {
            tree.lose(child);
        }
    }
    Ok(())
}

/// Whether a name is one that a person gave.
fn is_name(name: &[u8]) -> bool {
    name != b"." && name != b".."
}

/// A name in a directory.
struct Link {
    directory: u64,
    name: Box<[u8]>,
}

impl Link {
    fn new(directory: u64, name: &[u8]) -> Self {
        Self {
            directory,
            name: name.into(),
        }
    }
}

/// The names of wanted inodes, and of the directories above them.
struct NameTree {
    root: u64,
    links: HashMap<u64, Vec<Link>>,
    /// Each directory's name in its parent; `None` where it has none.
    directories: HashMap<u64, Option<Link>>,
    /// Directories that were or are to be asked for.
    seen: HashSet<u64>,
    unnamed: Vec<u64>,
}

impl NameTree {
    /// Nothing known but the root directory's number.
    fn new(root: u64) -> Self {
        Self {
            root,
            links: HashMap::new(),
            directories: HashMap::new(),
            seen: HashSet::from([root]),
            unnamed: Vec::new(),
        }
    }

    /// A wanted inode has a name in a directory.
    fn add(&mut self, inode: u64, directory: u64, name: &[u8]) {
        let links = self.links.entry(inode).or_default();
        if links.len() < MOST_NAMES {
            links.push(Link::new(directory, name));
            self.need(directory);
        }
    }

    /// A directory's name in its parent.
    fn name_directory(&mut self, directory: u64, link: Link) {
        self.need(link.directory);
        self.directories.insert(directory, Some(link));
    }

    /// A directory's name cannot be found.
    fn lose(&mut self, directory: u64) {
        self.directories.insert(directory, None);
    }

    fn need(&mut self, directory: u64) {
        if self.seen.insert(directory) {
            self.unnamed.push(directory);
        }
    }

    /// The directories whose names are needed now, each once in the life of this tree.
    fn unnamed_directories(&mut self) -> Vec<u64> {
        std::mem::take(&mut self.unnamed)
    }

    /// The paths of these inodes.
    fn paths(&self, inodes: &[u64]) -> Names {
        let paths = |inode: u64| -> Vec<Vec<u8>> {
            if inode == self.root {
                return vec![b"/".to_vec()];
            }
            let links = self
                .links
                .get(&inode)
                .map(Vec::as_slice)
                .unwrap_or_default();
            let mut paths: Vec<_> = links.iter().map(|link| self.path(link)).collect();
            paths.sort();
            paths
        };
        inodes.iter().map(|inode| (*inode, paths(*inode))).collect()
    }

    /// A path; what hangs below a directory without a name begins with that directory's number.
    fn path(&self, link: &Link) -> Vec<u8> {
        let mut names = vec![&*link.name];
        let mut directory = link.directory;
        while directory != self.root {
            match self.directories.get(&directory) {
                Some(Some(link)) if names.len() < MOST_STEPS => {
                    names.push(&*link.name);
                    directory = link.directory;
                }
                _ => {
                    let lost = format!("<inode {directory}>");
                    return joined(lost.into_bytes(), &names);
                }
            }
        }
        joined(Vec::new(), &names)
    }
}

fn joined(mut path: Vec<u8>, names: &[&[u8]]) -> Vec<u8> {
    for name in names.iter().rev() {
        path.push(b'/');
        path.extend_from_slice(name);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_up_to_the_root_and_loops_end() {
        let mut tree = NameTree::new(2);
        tree.add(100, 10, b"file");
        tree.add(100, 2, b"other");
        tree.add(101, 20, b"lost");
        tree.add(102, 30, b"round");
        assert_eq!(tree.unnamed_directories(), [10, 20, 30]);
        tree.name_directory(10, Link::new(11, b"b"));
        tree.lose(20);
        tree.name_directory(30, Link::new(31, b"x"));
        assert_eq!(tree.unnamed_directories(), [11, 31]);
        tree.name_directory(11, Link::new(2, b"a"));
        tree.name_directory(31, Link::new(30, b"y"));
        assert!(tree.unnamed_directories().is_empty());
        let paths = tree.paths(&[2, 100, 101, 102, 103]);
        assert_eq!(paths[&2], [b"/".to_vec()]);
        assert_eq!(paths[&100], [b"/a/b/file".to_vec(), b"/other".to_vec()]);
        assert_eq!(paths[&101], [b"<inode 20>/lost".to_vec()]);
        assert!(paths[&102][0].starts_with(b"<inode 3"));
        assert!(paths[&103].is_empty());
    }
}
