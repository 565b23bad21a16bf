//! The table of what real kernels decided, and properties of any pair.

mod any_pair;
mod recorded;
