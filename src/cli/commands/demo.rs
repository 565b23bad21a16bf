//! `mdtool demo`.

use super::super::Streams;
use super::super::args::DemoArgs;
use super::super::outcome::Outcome;

pub(in super::super) fn run(_args: &DemoArgs, _out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    anyhow::bail!("not built yet")
}
