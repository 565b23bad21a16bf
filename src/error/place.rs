//! Why metadata is not placed on a target.

use super::{Error, Misfit};
use crate::units::Sectors;

/// Metadata that cannot be placed there, or that would destroy something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceRefusal {
    /// Numbers that the target or the format has no room for.
    #[error("metadata to be placed: {0}")]
    Layout(Misfit),
    /// A device larger than what is left of the target.
    #[error("la-size-sect is {la_size}, expected at most {usable}: no more fit here")]
    LaSize {
        /// The size that the metadata is of.
        la_size: Sectors,
        /// What fits.
        usable: Sectors,
    },
    /// A layout for something else than the header.
    #[error("metadata to be placed: geometry is another than the layout's, expected the same")]
    Geometry,
}

impl From<PlaceRefusal> for Error {
    fn from(refusal: PlaceRefusal) -> Self {
        super::Refused::Place(refusal).into()
    }
}
