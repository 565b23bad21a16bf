//! The kernels whose answer to an attach is told, and their answers.

use std::fmt;

use crate::format::superblock::Format;

/// A generation of DRBD's kernel module.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kernel {
    /// 8.4, as of the 8.4.11 in Linux 6.1.
    V8_4,
    /// 9.0 and 9.1.
    V9_0,
    /// 9.2, as of 9.2.15; older ones are 9.0's like.
    V9_2,
    /// 9.3.
    V9_3,
}

impl Kernel {
    /// Every generation, the oldest first.
    pub const ALL: [Self; 4] = [Self::V8_4, Self::V9_0, Self::V9_2, Self::V9_3];

    /// Its version number.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::V8_4 => "8.4",
            Self::V9_0 => "9.0",
            Self::V9_2 => "9.2",
            Self::V9_3 => "9.3",
        }
    }

    /// Whether it reads such metadata at all: 9.3 reads v08 for resources in its 8.4 compatibility mode only.
    #[must_use]
    pub const fn knows(self, format: Format) -> bool {
        match format {
            Format::V07 => false,
            Format::V08 => matches!(self, Self::V8_4 | Self::V9_3),
            Format::V09 => !matches!(self, Self::V8_4),
        }
    }

    /// Whether it is of the 9 series.
    #[must_use]
    pub const fn is_9(self) -> bool {
        !matches!(self, Self::V8_4)
    }
}

/// A kernel's reason to refuse: `enum drbd_ret_code` (`drbd.h`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// 111.
    DiskTooSmall,
    /// 112.
    MdDiskTooSmall,
    /// 119.
    MdInvalid,
    /// 122.
    NoMem,
    /// 140.
    NoMemBitmap,
    /// 165.
    MdUnclean,
    /// 170.
    ImplicitShrink,
}

impl Code {
    /// The number that `drbdsetup` prints.
    #[must_use]
    pub const fn number(self) -> u16 {
        match self {
            Self::DiskTooSmall => 111,
            Self::MdDiskTooSmall => 112,
            Self::MdInvalid => 119,
            Self::NoMem => 122,
            Self::NoMemBitmap => 140,
            Self::MdUnclean => 165,
            Self::ImplicitShrink => 170,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self {
            Self::DiskTooSmall => "ERR_DISK_TOO_SMALL",
            Self::MdDiskTooSmall => "ERR_MD_DISK_TOO_SMALL",
            Self::MdInvalid => "ERR_MD_INVALID",
            Self::NoMem => "ERR_NOMEM",
            Self::NoMemBitmap => "ERR_NOMEM_BITMAP",
            Self::MdUnclean => "ERR_MD_UNCLEAN",
            Self::ImplicitShrink => "ERR_IMPLICIT_SHRINK",
        };
        write!(f, "{} {name}", self.number())
    }
}

/// What each kernel would answer: a reason to refuse, or none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attach([Option<Code>; Kernel::ALL.len()]);

impl Attach {
    /// All of them refuse.
    #[must_use]
    pub const fn all(code: Code) -> Self {
        Self([Some(code); Kernel::ALL.len()])
    }

    /// Those of a function.
    #[must_use]
    pub fn each(answer: impl FnMut(Kernel) -> Option<Code>) -> Self {
        Self(Kernel::ALL.map(answer))
    }

    /// One kernel's answer.
    #[must_use]
    pub fn of(&self, kernel: Kernel) -> Option<Code> {
        let answers = Kernel::ALL.into_iter().zip(self.0);
        answers
            .filter(|(of, _)| *of == kernel)
            .find_map(|(_, code)| code)
    }

    /// Whether any refuses.
    #[must_use]
    pub fn refuses(&self) -> bool {
        self.0.iter().any(Option::is_some)
    }

    /// Which kernels refuse with what, and which of those that read `format` do not.
    #[must_use]
    pub fn words(&self, format: Format) -> String {
        let mut parts: Vec<String> = Vec::new();
        let mut told: Vec<Code> = Vec::new();
        for code in self.0.into_iter().flatten() {
            if !told.contains(&code) {
                told.push(code);
                let names = self.names(|_, answer| answer == Some(code));
                parts.push(format!("drbd {names} would refuse: {code}"));
            }
        }
        let accept = self.names(|kernel, answer| answer.is_none() && kernel.knows(format));
        if !accept.is_empty() {
            parts.push(format!("drbd {accept} would not refuse for this"));
        }
        parts.join("; ")
    }

    fn names(self, wanted: impl Fn(Kernel, Option<Code>) -> bool) -> String {
        let names: Vec<&str> = Kernel::ALL
            .into_iter()
            .filter(|kernel| wanted(*kernel, self.of(*kernel)))
            .map(Kernel::name)
            .collect();
        match names.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => names.concat(),
        }
    }
}
