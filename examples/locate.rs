//! Prints every level of a stack in an image: `cargo run --example locate -- IMAGE`.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example prints what it found"
)]

use std::process::ExitCode;

use mdtool::error::Result;
use mdtool::image::{ImageFile, Window};
use mdtool::survey::locate::{LocateOptions, locate};

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: locate IMAGE");
        return ExitCode::from(2);
    };
    match levels(path.as_ref()) {
        Ok(lines) if lines.is_empty() => ExitCode::from(1),
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}

fn levels(path: &std::path::Path) -> Result<Vec<String>> {
    let image = ImageFile::open(path)?;
    let found = locate(Window::whole(&image), &LocateOptions::default())?;
    let line = |level: &mdtool::survey::locate::Level| {
        format!(
            "{} {} superblock at {}, device of {}",
            level.role,
            level.superblock.format(),
            level.layout.md,
            level.drbd_device()
        )
    };
    Ok(found.levels.iter().map(line).collect())
}
