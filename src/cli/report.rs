//! What commands print: the same facts as text for people and as JSON for programs.

pub(super) mod adopt;
pub(super) mod change;
pub(super) mod check;
pub(super) mod json;
mod picture;
pub(super) mod plan;
pub(super) mod probe;
pub(super) mod show;
mod story;
pub(super) mod text;
pub(super) mod ways;
