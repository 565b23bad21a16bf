//! Adopts the inner resource of a stack that is built in memory, and takes it back: `cargo run --example adopt`.

#![expect(clippy::print_stdout, reason = "an example prints what it found")]

use mdtool::builder::{Level, build};
use mdtool::error::Result;
use mdtool::image::{MemImage, Window};
use mdtool::surgery::adopt::{AdoptOptions, Adoption, relocate};
use mdtool::survey::locate::{LocateOptions, locate};
use mdtool::transaction::{self, Identity};
use mdtool::units::{Bytes, ImagePos};

fn main() -> Result<()> {
    let size = Bytes::new(64 << 20);
    let mut disk = MemImage::new(size);
    build(
        &mut disk,
        ImagePos::START,
        size,
        &[Level::v08(), Level::v08()],
    )?;

    let stacked = LocateOptions {
        stacked: true,
        ..LocateOptions::default()
    };
    let looked = disk.clone();
    let window = Window::whole(&looked);
    let found = locate(window, &stacked)?;
    let Some(inner) = found.levels.last() else {
        return Ok(());
    };
    let Ok(place) = relocate(inner, size) else {
        return Ok(());
    };
    let mut adoption = Adoption::new(window, &found, inner, AdoptOptions::default())?;

    let of = Identity::of_file("disk", size, "example");
    // Instead of a vector: the file that is to be the undo file.
    let prepared = transaction::prepare(&disk, &of, Vec::new(), |draft| {
        adoption.draft_here(draft, &place.layout)
    })?;
    println!("{} will be written", prepared.summary().written());
    let undo = prepared.apply(&mut disk)?;
    println!(
        "levels now: {}",
        locate(Window::whole(&disk), &stacked)?.levels.len()
    );
    if let Some(undo) = undo {
        undo.undo(&mut disk, false)?;
    }
    println!(
        "levels after undo: {}",
        locate(Window::whole(&disk), &stacked)?.levels.len()
    );
    Ok(())
}
