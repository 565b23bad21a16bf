//! Warning of what DRBD 8.4.11 forgets of metadata that was written.

use std::path::Path;

use crate::cli::Streams;
use crate::cli::write::judge::Drafted;
use crate::cli::write::look::Look;
use crate::cli::write::plan::{Part, Placed};
use crate::error::Result;
use crate::format::superblock::Superblock;
use crate::image::{ImageFile, ReadAt, Window};
use crate::verdict::kernel_bugs::{LastBits, last_words_of};

/// Warns of bits that are set among the last 64 of what now stands on disk, for each superblock that was written.
pub(crate) fn warn(
    drafted: &[Drafted],
    placed: &[Placed<'_>],
    look: &Look,
    meta: Option<&Path>,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    for one in drafted {
        let home = placed.iter().find(|place| {
            place.part == one.part
                && place.base.checked_add(place.layout.md.from_start()) == Some(one.at)
        });
        let Some((superblock, home)) = Superblock::decode(&one.block).zip(home) else {
            continue;
        };
        let lost = match (one.part, meta) {
            (Part::Target, _) => lost(&superblock, home, look.opened.image())?,
            (Part::Meta { .. }, Some(path)) => lost(&superblock, home, &ImageFile::open(path)?)?,
            (Part::Meta { .. }, None) => None,
        };
        if let Some(lost) = lost {
            tell(&lost, out);
        }
    }
    Ok(())
}

fn lost(
    superblock: &Superblock,
    home: &Placed<'_>,
    image: &dyn ReadAt,
) -> Result<Option<LastBits>> {
    match Window::of(image, home.base, home.device) {
        Some(device) => last_words_of(superblock, home.layout, device),
        None => Ok(None),
    }
}

fn tell(lost: &LastBits, out: &mut Streams<'_>) {
    out.tell(format_args!(
        "mdtool: warning: {} of the bitmap's last 64 bits are set, and DRBD 8.4.11 drops them when it attaches: bytes {} to {} of the DRBD device are not synced",
        lost.set,
        lost.data.start.get(),
        lost.data.end.get()
    ));
    out.tell("hint: copy these bytes by hand, or let `drbdadm verify` find and mark them once the peers are connected");
}
