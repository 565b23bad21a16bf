//! Arguments of `demo`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct DemoArgs {
    /// Build the image here and keep it [default: a temporary directory]
    pub(crate) dir: Option<PathBuf>,
}
