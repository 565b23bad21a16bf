//! What each version of drbd-utils can read.

use crate::error::{Field, Result, Unsupported, UtilsVersion};
use crate::format::layout::{AlStriping, MdGeometry};
use crate::format::metadata::Header;
use crate::format::superblock::Format;

/// A version in the tables below.
const fn version(major: u16, minor: u16, patch: u16) -> UtilsVersion {
    UtilsVersion {
        major,
        minor,
        patch,
    }
}

/// First to read and write `la-peer-max-bio-size`.
const BIO_SIZE_SINCE: UtilsVersion = version(8, 4, 0);
/// First to read and write `al-stripes` and `al-stripe-size-4k`.
const STRIPING_SINCE: UtilsVersion = version(8, 4, 3);
/// First to index a v09 dump's peers by node id.
const V09_SINCE: UtilsVersion = version(8, 9, 2);
/// First to read v08; before, there was only 0.7.
const V08_SINCE: UtilsVersion = version(8, 0, 0);
/// First to read and write `members`.
const MEMBERS_SINCE: UtilsVersion = version(9, 27, 0);
/// First to know other granularities than 4096 bytes per bit.
const BYTES_PER_BIT_SINCE: UtilsVersion = version(9, 33, 0);

/// Which lines a dump may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compat {
    version: Option<UtilsVersion>,
}

impl Compat {
    /// What the newest drbd-utils print.
    pub const NEWEST: Self = Self { version: None };

    /// What one version can read.
    #[must_use]
    pub const fn version(version: UtilsVersion) -> Self {
        Self {
            version: Some(version),
        }
    }

    fn since(self, first: UtilsVersion) -> bool {
        self.version.is_none_or(|version| version >= first)
    }

    /// Whether a v09 dump has the line `members`.
    #[must_use]
    pub fn members(self) -> bool {
        self.since(MEMBERS_SINCE)
    }

    /// Whether a dump has the line `la-peer-max-bio-size`.
    #[must_use]
    pub fn bio_size(self) -> bool {
        self.since(BIO_SIZE_SINCE)
    }

    /// Whether a dump has the lines `al-stripes` and `al-stripe-size-4k`.
    #[must_use]
    pub fn striping(self) -> bool {
        self.since(STRIPING_SINCE)
    }

    /// Whether this version's `restore-md` writes outside the metadata: internal, another granularity than 4096 (9.33 and newer).
    #[must_use]
    pub fn restore_damages_data(self, header: &Header) -> bool {
        header.geometry.bytes_per_bit != MdGeometry::DEFAULT.bytes_per_bit
            && self.since(BYTES_PER_BIT_SINCE)
    }

    /// Whether this version can express a resource's metadata at all.
    ///
    /// # Errors
    ///
    /// [`Unsupported`], with the first version that can.
    pub fn check(self, header: &Header) -> Result<()> {
        let Some(version) = self.version else {
            return Ok(());
        };
        let format = header.format();
        let since = match format {
            Format::V07 => return Ok(()),
            Format::V08 => V08_SINCE,
            Format::V09 => V09_SINCE,
        };
        if !self.since(since) {
            return Err(Unsupported::CompatFormat {
                version,
                format,
                since,
            }
            .into());
        }
        let (found, only) = (header.geometry, MdGeometry::DEFAULT);
        let AlStriping {
            stripes,
            stripe_size_4k,
        } = found.al;
        let fields = [
            (
                BYTES_PER_BIT_SINCE,
                Field::BmBytesPerBit,
                found.bytes_per_bit,
                only.bytes_per_bit,
            ),
            (STRIPING_SINCE, Field::AlStripes, stripes, only.al.stripes),
            (
                STRIPING_SINCE,
                Field::AlStripeSize4k,
                stripe_size_4k,
                only.al.stripe_size_4k,
            ),
        ];
        match fields
            .into_iter()
            .find(|(since, _, found, only)| found != only && !self.since(*since))
        {
            Some((since, field, found, expected)) => Err(Unsupported::CompatField {
                version,
                field,
                found,
                expected,
                since,
            }
            .into()),
            None => Ok(()),
        }
    }
}
