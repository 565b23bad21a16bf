//! Printing a dump.

use std::io::{self, Write};

use super::bitmap_body::BodyPrinter;
use super::compat::Compat;
use crate::error::{Error, IoError, IoOp, Result};
use crate::format::layout::MdLayout;
use crate::format::metadata::{
    Bitmap, CountersV07, Generation, GenerationV08, GenerationV09, Header,
};
use crate::format::superblock::{AlState, Uuid};
use crate::units::{BitmapIndex, Bytes, Sectors};

/// The two header lines that say where a dump came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Preamble {
    /// When: `%Y-%m-%d %H:%M:%S %z [unix time]`.
    pub time: String,
    /// Host and command line: `HOST> mdtool export x.raw`.
    pub origin: String,
}

/// Prints one resource's metadata as drbdmeta does.
///
/// `layout` says where it lies on its device, for the comment lines and to clip la-size. An unclean resource gets drbdmeta's line that
/// restore-md stumbles over, on purpose: whether to print one at all is the caller's decision.
///
/// # Errors
///
/// [`crate::error::Unsupported`] where `compat` cannot express the metadata; errors of reading the bitmap or writing to `out`.
pub fn print(
    out: &mut dyn Write,
    header: &Header,
    layout: &MdLayout,
    bitmap: &mut dyn Bitmap,
    preamble: &Preamble,
    compat: Compat,
) -> Result<()> {
    compat.check(header)?;
    let mut printer = Printer {
        out,
        header,
        layout,
        compat,
    };
    printer.head(preamble).map_err(cannot_write)?;
    printer.fixed_fields().map_err(cannot_write)?;
    printer.bitmaps(bitmap)
}

/// What a failed write to the output is called.
pub(super) fn cannot_write(source: io::Error) -> Error {
    IoError::whole(IoOp::WriteOutput, source).into()
}

/// What the printing functions share.
struct Printer<'a> {
    out: &'a mut dyn Write,
    header: &'a Header,
    layout: &'a MdLayout,
    compat: Compat,
}

impl Printer<'_> {
    /// la-size, clipped to what the layout can hold.
    fn la_size(&self) -> Sectors {
        self.header.la_size.min(self.layout.usable)
    }

    /// Everything before the generation.
    fn head(&mut self, preamble: &Preamble) -> io::Result<()> {
        let (said, clipped) = (self.header.la_size.get(), self.la_size().get());
        if said != clipped {
            writeln!(
                self.out,
                "# la-size-sect was too big ({said}), truncated ({clipped})!"
            )?;
        }
        writeln!(
            self.out,
            "# DRBD meta data dump\n# {}\n# {}\n#\n",
            preamble.time, preamble.origin
        )?;
        writeln!(self.out, "version \"{}\";\n", self.header.format())?;
        if self.header.al_state == AlState::Unclean {
            writeln!(
                self.out,
                "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap."
            )?;
            writeln!(
                self.out,
                "# You should \"apply-al\" first, if you plan to restore this.\n"
            )?;
        }
        if matches!(self.header.generation, Generation::V09(_)) {
            writeln!(self.out, "max-peers {};", self.header.geometry.max_peers)?;
        }
        let layout = self.layout;
        writeln!(self.out, "# md_size_sect {}", layout.md_size.get())?;
        writeln!(self.out, "# md_offset {}", layout.md.get())?;
        writeln!(self.out, "# al_offset {}", layout.al.start.get())?;
        writeln!(self.out, "# bm_offset {}\n", layout.bm.start.get())
    }

    /// The generation, and the fixed fields after it.
    fn fixed_fields(&mut self) -> io::Result<()> {
        match &self.header.generation {
            Generation::V07(counters) => self.generation_v07(*counters)?,
            Generation::V08(generation) => self.generation_v08(generation)?,
            Generation::V09(generation) => self.generation_v09(generation)?,
        }
        writeln!(self.out, "# al-extents {};", self.header.al_nr_extents)?;
        writeln!(self.out, "la-size-sect {};", self.la_size().get())?;
        match &self.header.generation {
            Generation::V07(_) => Ok(()),
            Generation::V08(generation) => {
                self.since_v08(generation.device_uuid, generation.la_peer_max_bio_size)
            }
            Generation::V09(generation) => {
                self.since_v08(generation.device_uuid, generation.la_peer_max_bio_size)
            }
        }
    }

    fn generation_v07(&mut self, counters: CountersV07) -> io::Result<()> {
        let [flags, human, timeout, connected, arbitrary] = counters.0.map(u32::cast_signed);
        writeln!(
            self.out,
            "gc {{\n    {flags}; {human}; {timeout}; {connected}; {arbitrary};\n}}"
        )
    }

    fn generation_v08(&mut self, generation: &GenerationV08) -> io::Result<()> {
        let [current, bitmap, history0, history1] = generation.uuids;
        writeln!(
            self.out,
            "uuid {{\n    {current}; {bitmap}; {history0}; {history1};"
        )?;
        writeln!(self.out, "    flags {};\n}}", generation.flags)
    }

    fn generation_v09(&mut self, generation: &GenerationV09) -> io::Result<()> {
        writeln!(self.out, "node-id {};", generation.node_id)?;
        writeln!(self.out, "current-uuid {};", generation.current_uuid)?;
        writeln!(self.out, "flags {};", generation.flags)?;
        if self.compat.members() {
            writeln!(self.out, "members 0x{:016X};", generation.members)?;
        }
        for (node_id, peer) in generation.peers.iter().enumerate() {
            writeln!(
                self.out,
                "peer[{node_id}] {{\n    bitmap-index {};",
                peer.bitmap_index
            )?;
            writeln!(self.out, "    bitmap-uuid {};", peer.bitmap_uuid)?;
            writeln!(self.out, "    bitmap-dagtag 0x{:016X};", peer.bitmap_dagtag)?;
            let names = peer.flags.names();
            let comment = if names.is_empty() {
                String::new()
            } else {
                format!(" # {names}")
            };
            writeln!(self.out, "    flags 0x{:08X};{comment}\n}}", peer.flags.0)?;
        }
        writeln!(self.out, "history-uuids {{")?;
        for row in generation.history_uuids.chunks(4) {
            let row: Vec<String> = row.iter().map(|uuid| format!("{uuid};")).collect();
            writeln!(self.out, "        {}", row.join(" "))?;
        }
        writeln!(self.out, "}}")
    }

    /// The fields that v08 and v09 have and v07 has not.
    fn since_v08(&mut self, device_uuid: Uuid, la_peer_max_bio_size: u32) -> io::Result<()> {
        writeln!(
            self.out,
            "bm-byte-per-bit {};",
            self.header.geometry.bytes_per_bit
        )?;
        writeln!(self.out, "device-uuid {device_uuid};")?;
        if self.compat.bio_size() {
            writeln!(
                self.out,
                "la-peer-max-bio-size {};",
                la_peer_max_bio_size.cast_signed()
            )?;
        }
        if self.compat.striping() {
            writeln!(self.out, "al-stripes {};", self.header.geometry.al.stripes)?;
            writeln!(
                self.out,
                "al-stripe-size-4k {};",
                self.header.geometry.al.stripe_size_4k
            )?;
        }
        Ok(())
    }

    /// The bitmaps, and the count of bits in the last of them.
    fn bitmaps(&mut self, bitmap: &mut dyn Bitmap) -> Result<()> {
        let max_peers = self.header.geometry.max_peers;
        let size = self
            .header
            .geometry
            .bitmap_size(self.la_size())
            .unwrap_or(Bytes::ZERO);
        writeln!(self.out, "# bm-bytes {};", size.get()).map_err(cannot_write)?;
        let mut set = 0;
        for slot in (0..max_peers).filter_map(|slot| u8::try_from(slot).ok()) {
            let name = match self.header.generation {
                Generation::V09(_) => format!("bitmap[{slot}]"),
                Generation::V07(_) | Generation::V08(_) => "bm".to_owned(),
            };
            write!(self.out, "{name} {{").map_err(cannot_write)?;
            let mut body = BodyPrinter::new(&mut *self.out, u64::from(max_peers));
            body.print(&mut *bitmap.slot(BitmapIndex::new(slot))?)?;
            set = body.finish().map_err(cannot_write)?;
        }
        writeln!(self.out, "# bits-set {set};").map_err(cannot_write)
    }
}
