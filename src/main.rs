//! The program: everything is in [`mdtool::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    mdtool::cli::main()
}
