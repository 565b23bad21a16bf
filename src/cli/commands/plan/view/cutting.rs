//! Making a disk as small as the metadata was laid out for, by what it is.

use crate::cli::output::explain::shell_word;
use crate::cli::commands::plan::view::Plan;
use crate::cli::commands::plan::view::way::StrategyView;
use crate::surgery::adopt::{Extents, Truncation};
use crate::units::{Bytes, DevPos};

impl Plan<'_> {
    /// The commands for a disk that is not known to be a logical volume. Answers the disk that has the right size then, where that is another than
    /// what `mdtool adopt` puts right itself.
    pub(crate) fn cut_off(&self, truncation: &Truncation, way: &mut StrategyView) -> Option<String> {
        if self.is_a_file() {
            let end = self.opened.image_pos(DevPos::at(self.site.size));
            let behind = self.opened.image_size().saturating_sub(end.from_start());
            if behind == Bytes::ZERO || !self.is_here() {
                way.commands = vec![self.adopt(" --strategy truncate")];
                return None;
            }
            way.notes.push(format!(
                "{behind} of the file lie behind what was looked at: it is not to be cut off, and shown as long as fits"
            ));
            way.commands = vec![self.loop_device(truncation, &shell_word(&self.image.image))];
            return Some("LOOP".to_owned());
        }
        way.notes.push(
            "mdtool cuts off no device: shown as long as fits; where it is a logical volume, --lv-extent shows whether that can be made smaller"
                .to_owned(),
        );
        Some(self.show_less(truncation, way))
    }

    /// The same for a logical volume: the disk that has the right size then.
    pub(crate) fn cut_volume(
        &self,
        truncation: &Truncation,
        extents: Extents,
        way: &mut StrategyView,
    ) -> String {
        let Extents { extent, beyond } = extents;
        let end = truncation.end;
        if beyond > Bytes::ZERO {
            way.notes.push(format!(
                "the metadata ends at {end}, {beyond} off an extent boundary of {extent}: no size of the volume fits, what follows does"
            ));
            return self.show_less(truncation, way);
        }
        way.notes.push(format!(
            "the metadata ends at {end}, with an extent of {extent}: the volume can be cut there"
        ));
        let device = self.device();
        way.commands = vec![format!("lvreduce -L {}b {device}", truncation.size.get())];
        device
    }

    /// A device of the right size in front of one that is too large, in two ways.
    fn show_less(&self, truncation: &Truncation, way: &mut StrategyView) -> String {
        let sectors = |bytes: Bytes| bytes.to_sectors_floor().get();
        // Of a whole disk that has what was looked at in the middle, its name and where that begins are known here.
        let disk = if self.block_device && self.is_here() {
            shell_word(&self.image.image)
        } else {
            self.device()
        };
        let name = self.names.resource.unwrap_or("NAME");
        way.commands = vec![
            format!(
                "dmsetup create {name} --table '0 {} linear {disk} {}'",
                sectors(truncation.size),
                sectors(self.start()),
            ),
            self.loop_device(truncation, &disk),
        ];
        format!("/dev/mapper/{name}")
    }

    fn loop_device(&self, truncation: &Truncation, disk: &str) -> String {
        let offset = match self.start() {
            Bytes::ZERO => String::new(),
            start => format!("--offset {} ", start.get()),
        };
        let length = truncation.size.get();
        format!("losetup --find --show {offset}--sizelimit {length} {disk}")
    }

    /// Where on the disk of the commands begins what was looked at.
    fn start(&self) -> Bytes {
        if self.is_here() {
            self.opened.image_pos(DevPos::START).from_start()
        } else {
            Bytes::ZERO
        }
    }

    /// Whether what is to be cut off is a regular file, as far as that is known here.
    fn is_a_file(&self) -> bool {
        match self.names.device {
            Some(device) => device.is_file(),
            None => !self.block_device,
        }
    }
}
