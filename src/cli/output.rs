//! What commands print: the same facts as text for people and as JSON for programs, and how far long work is.
//!
//! Belongs here: what several commands print alike. Does not: a command's own report, which stands beside it as `view`.

pub(crate) mod amounts;
pub(crate) mod change;
pub(crate) mod document;
pub(crate) mod explain;
pub(crate) mod fold;
pub(crate) mod picture;
pub(crate) mod progress;
pub(crate) mod style;
pub(crate) mod text;
pub(crate) mod traces;
pub(crate) mod view;
