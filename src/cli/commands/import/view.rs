//! What `import` changes, as text.

use std::io::{self, Write};

use crate::cli::output::change::{ChangeView, MetadataView};
use crate::cli::output::style;
use crate::cli::output::view::Shown;
use crate::format::superblock::Format;
use crate::units::Bytes;

/// Prints the regions and the new superblock.
pub(crate) fn print(
    out: &mut dyn Write,
    target: &str,
    change: &ChangeView,
    metadata: &MetadataView,
) -> io::Result<()> {
    let MetadataView {
        format,
        index,
        state,
        flags,
        la_size_sect,
        usable_sect,
        ..
    } = metadata;
    let size = Bytes::new(change.target_bytes);
    writeln!(out, "{target}  {size}: {format} metadata, {index}\n")?;
    change.table(out)?;
    writeln!(out, "\nla-size-sect {la_size_sect}, of {usable_sect} that fit")?;
    if let Some(Shown(uuid)) = metadata.current_uuid {
        writeln!(out, "current UUID {uuid}")?;
    }
    writeln!(out, "flags {flags}, {state}")?;
    if style::internals() {
        writeln!(
            out,
            "md_size_sect {}, al_offset {}, bm_offset {}",
            metadata.md_size_sect, metadata.al_offset_sect, metadata.bm_offset_sect
        )?;
    }
    if let Some(node) = metadata.node_id.filter(|_| *format == Format::V09) {
        writeln!(out, "node-id {node}, max-peers {}", metadata.max_peers)?;
    }
    Ok(())
}
