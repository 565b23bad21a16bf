//! Tests of the whole program, against DRBD's own tools where they are there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a test may overflow: it fails then"
)]
#![expect(clippy::indexing_slicing, reason = "a test may miss: it fails then")]

/// The activity log's replay, held against `drbdmeta apply-al`.
mod activity_log;
/// Images of the builder's making, held against drbdmeta's own and given to it to read.
mod builder;
/// What the dump of every resource looks like, held against `drbdmeta dump-md`.
mod export_drbdmeta;
/// `locate` on every shape of stack.
mod locate;
/// How the program, drbdmeta and images are handled in tests.
mod support;
