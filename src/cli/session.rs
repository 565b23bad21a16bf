//! A command's view of its image: opened, looked at, and the resource that is meant.
//!
//! Belongs here: what every command does before its own work. Does not: searching itself (`survey`), and writing (`write`).

pub(crate) mod open;
pub(crate) mod select;
pub(crate) mod slots;
pub(crate) mod source;
