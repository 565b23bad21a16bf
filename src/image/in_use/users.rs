//! Who uses an image, in words.

use std::fmt::{self, Write};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::Refusal;

/// As many users are named; more are counted.
const NAMED: usize = 4;

/// Somebody else uses the image.
#[derive(Debug)]
pub struct InUse {
    users: Vec<User>,
    source: Option<io::Error>,
}

impl InUse {
    pub(super) const fn new(users: Vec<User>, source: Option<io::Error>) -> Self {
        Self { users, source }
    }

    /// Who does, at least one.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }
}

impl fmt::Display for InUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("is in use")?;
        if self.users.first().is_some_and(|user| user.by.is_none()) {
            f.write_char(',')?;
        }
        write!(f, " {}", listed(&self.users))
    }
}

impl std::error::Error for InUse {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        let source = self.source.as_ref()?;
        Some(source)
    }
}

impl Refusal for InUse {}

/// One user of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct User {
    /// The other name that it is used by: a device over it, a partition of it, the file behind it.
    pub by: Option<PathBuf>,
    /// What for.
    pub how: Use,
}

impl User {
    pub(super) fn new(by: Option<&Path>, how: Use) -> Self {
        Self {
            by: by.map(Path::to_owned),
            how,
        }
    }
}

/// What an image is used for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Use {
    /// A loop device is set up over it.
    LoopDevice,
    /// Something is built on it: device mapper, MD, DRBD, bcache.
    Holder,
    /// It is mounted there.
    Mounted(PathBuf),
    /// The system swaps to it.
    Swap,
    /// A process has it open, and keeps others out.
    Open(Option<Process>),
    /// It is claimed, and nothing says by whom.
    Claimed,
}

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Process {
    /// Its number.
    pub id: u32,
    /// Its program's name, of which the system keeps 15 bytes.
    pub name: String,
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(by) = &self.by {
            write!(f, "as {}", printable(&by.to_string_lossy()))?;
            if !matches!(self.how, Use::LoopDevice | Use::Holder) {
                f.write_str(", ")?;
            }
        }
        match &self.how {
            Use::LoopDevice | Use::Holder => Ok(()),
            Use::Mounted(on) => write!(f, "mounted on {}", printable(&on.to_string_lossy())),
            Use::Swap => f.write_str("used as swap space"),
            Use::Open(Some(Process { id, name })) => {
                write!(f, "opened by {} (process {id})", printable(name))
            }
            Use::Open(None) => f.write_str("opened by another process"),
            Use::Claimed => f.write_str("claimed by another process or by the kernel"),
        }
    }
}

/// The users, one after the other.
pub(super) fn listed(users: &[User]) -> String {
    let (named, more) = users.split_at(users.len().min(NAMED));
    let mut words: Vec<String> = named.iter().map(User::to_string).collect();
    if !more.is_empty() {
        words.push(format!("and {} more", more.len()));
    }
    words.join("; ")
}

/// A name that others chose, without what a terminal would act on.
fn printable(name: &str) -> String {
    name.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_user_has_words() {
        let process = Process {
            id: 77,
            name: "qemu\u{1b}[2J".to_owned(),
        };
        let by = |name: &'static str| Some(Path::new(name));
        let mut users = vec![User::new(None, Use::Mounted("/mnt".into()))];
        let words = |users: &[User]| InUse::new(users.to_vec(), None).to_string();
        assert_eq!(words(&users), "is in use, mounted on /mnt");
        users.insert(0, User::new(by("/dev/loop3"), Use::LoopDevice));
        assert_eq!(words(&users), "is in use as /dev/loop3; mounted on /mnt");
        users = vec![
            User::new(by("/dev/mapper/vg-lv"), Use::Swap),
            User::new(None, Use::Open(Some(process))),
            User::new(None, Use::Open(None)),
            User::new(by("/dev/sda1"), Use::Claimed),
            User::new(by("/dev/md0"), Use::Holder),
            User::new(by("/dev/md1"), Use::Holder),
        ];
        assert_eq!(
            words(&users),
            "is in use as /dev/mapper/vg-lv, used as swap space; opened by qemu?[2J (process 77); \
             opened by another process; as /dev/sda1, claimed by another process or by the kernel; and 2 more"
        );
    }
}
