//! One module a command: open, call the library, print.

pub(super) mod adopt;
pub(super) mod al;
pub(super) mod apply_al;
pub(super) mod check;
pub(super) mod demo;
pub(super) mod export;
pub(super) mod import;
pub(super) mod locate;
pub(super) mod pages;
pub(super) mod plan;
pub(super) mod probe;
pub(super) mod show;
pub(super) mod undo;
