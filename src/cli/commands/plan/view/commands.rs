//! Each way with its arithmetic and its commands.

use crate::cli::output::explain::shell_word;
use crate::cli::commands::plan::view::way::{Facts, StrategyView};
use crate::cli::commands::plan::view::{Plan, size};
use crate::error::UtilsVersion;
use crate::format::metadata::Header;
use crate::format::superblock::Format;
use crate::surgery::adopt::{Obstacle, record};
use crate::units::{DevPos, range_len};
use crate::verdict::utils_bugs::{UtilsBug, utils_bugs};

/// The last drbd-utils whose check-resize shifts a bitmap that changes its size.
const LAST_SHIFTING: UtilsVersion = UtilsVersion {
    major: 9,
    minor: 34,
    patch: 0,
};

impl Plan<'_> {
    pub(crate) fn relocate(&self) -> StrategyView {
        let mut way = StrategyView::new("relocate, new metadata at the end of the disk");
        let relocation = match &self.ways.relocate {
            Err(why) => return way.not(*why),
            Ok(relocation) => relocation,
        };
        let layout = &relocation.layout;
        let at = |at: DevPos| self.position(at);
        way.notes = vec![
            format!(
                "data ends at byte {}; the new metadata takes {} and begins at byte {}: {} between them",
                at(DevPos::at(relocation.data)),
                size(range_len(&layout.whole)),
                at(layout.whole.start),
                size(relocation.slack),
            ),
            format!(
                "bitmap at byte {}, activity log at byte {}, superblock at byte {} of the disk",
                at(layout.bm.start),
                at(layout.al.start),
                at(layout.md)
            ),
        ];
        if relocation.overlaps {
            way.notes.push(
                "it covers a part of where the metadata is now: done in one go by an undo file"
                    .to_owned(),
            );
        }
        self.same_node_or_copy(&mut way);
        way.facts = Facts::Relocate {
            same_node: self.is_its_own(),
            md_offset: at(layout.md),
            al_offset: at(layout.al.start),
            bm_offset: at(layout.bm.start),
            data_bytes: relocation.data.get(),
            metadata_bytes: range_len(&layout.whole).get(),
            slack_bytes: relocation.slack.get(),
            overlaps: relocation.overlaps,
        };
        way
    }

    pub(crate) fn truncate(&self) -> StrategyView {
        let mut way = StrategyView::new("truncate, the disk cut to what the metadata was laid out for");
        let truncation = match &self.ways.truncate {
            Err(why) => return way.not(*why),
            Ok(truncation) => truncation,
        };
        let outer = if self.number() > 0 {
            ", including the outer metadata"
        } else {
            ""
        };
        way.notes = vec![format!(
            "{} - {} = {}: the last {} are cut off{outer}",
            self.site.size.get(),
            truncation.cut.get(),
            size(truncation.size),
            size(truncation.cut),
        )];
        let after = match truncation.extents {
            None => self.cut_off(truncation, &mut way),
            Some(extents) => Some(self.cut_volume(truncation, extents, &mut way)),
        };
        if let Some(disk) = after {
            self.put_right(&disk, &mut way);
        }
        way.facts = Facts::Truncate {
            size_bytes: truncation.size.get(),
            cut_bytes: truncation.cut.get(),
            beyond_extent_bytes: truncation.extents.map(|extents| extents.beyond.get()),
        };
        way
    }

    pub(crate) fn external(&self) -> StrategyView {
        let mut way = StrategyView::new("external, metadata in a file or on a device of its own");
        let external = match &self.ways.external {
            Err(why) => return way.not(*why),
            Ok(external) => external,
        };
        way.notes = vec![format!(
            "flex-external {}: at least {} for this DRBD device, {} for the whole disk",
            self.level.superblock.format(),
            size(external.least),
            size(external.whole),
        )];
        way.notes.push(
            "DRBD takes block devices only: losetup makes one of a file; drbd.conf names it as meta-disk".to_owned(),
        );
        way.commands = vec![self.adopt(" --strategy external --meta META")];
        way.facts = Facts::External {
            least_bytes: external.least.get(),
            whole_bytes: external.whole.get(),
        };
        way
    }

    pub(crate) fn restore(&self) -> StrategyView {
        let mut way = StrategyView::new("export, and drbdmeta restore-md");
        let relocation = match &self.ways.import {
            Err(Obstacle::OtherDevice) => return self.to_another_meta_device(),
            Err(why) => return way.not(*why),
            Ok(relocation) => relocation,
        };
        if matches!(self.ways.relocate, Err(Obstacle::CutOff { .. })) {
            return self.before_the_cut();
        }
        let header = Header::of(&self.level.superblock);
        let mut found = utils_bugs(&header, &relocation.layout, self.utils);
        found.retain(|bug| bug.is_met_restoring(self.utils.is_some()));
        way.facts = Facts::Restore {
            utils_bugs: found.len(),
            traps: found.len(),
        };
        way.notes = vec![match self.utils {
            Some(version) => format!("drbd-utils {version}; --compat takes another version"),
            None => "drbd-utils of unknown version; --compat takes it".to_owned(),
        }];
        let (fatal, known): (Vec<_>, Vec<_>) = found.into_iter().partition(UtilsBug::forbids_restoring);
        if let Some(bug) = fatal.first() {
            way.notes.extend(["what writes all of it, and nothing else:".to_owned(), self.export(), self.import(" ")]);
            return way.never(bug.to_string());
        }
        way.warnings = known.iter().map(ToString::to_string).collect();
        let compat = match self.utils {
            Some(version) => format!(" --compat {version}"),
            None => String::new(),
        };
        way.commands = vec![format!("{}{compat}", self.export())];
        if self.has_node_ids() {
            way.commands.push(self.sed());
            way.notes.push("the two node ids of source (FROM) and target (TO) are exchanged in the dump; flag 0x10 (seen) is to be set for the source by hand".to_owned());
        }
        way.commands.push(format!(
            "drbdmeta {} {} {} internal restore-md dump.md",
            self.minor(),
            header.format(),
            self.device()
        ));
        way
    }

    /// UG9's script.
    fn sed(&self) -> String {
        let own = self.level.superblock.node_id().filter(|id| *id >= 0);
        let from = own.map_or_else(|| "FROM".to_owned(), |id| id.to_string());
        format!(
            "sed -i -e 's/node-id {from};/node-id TO;/' -e 's/^peer.{from}. /peer-NEW /' -e 's/^peer.TO. /peer[{from}] /' -e 's/^peer-NEW /peer[TO] /' dump.md"
        )
    }

    pub(crate) fn check_resize(&self) -> StrategyView {
        let mut way = StrategyView::new("drbdmeta check-resize, by a record of the old size");
        let resize = match (&self.ways.check_resize, &self.ways.relocate) {
            (Ok(resize), _) => resize.clone(),
            (Err(why @ Obstacle::Hidden { .. }), Ok(relocation)) => {
                way = way.not(*why);
                record(self.level, relocation)
            }
            (Err(why), _) => return way.not(*why),
        };
        let path = format!("/var/lib/drbd/drbd-minor-{}.lkbd", self.minor());
        let uuid = resize.device_uuid;
        let uuid = uuid.map(|uuid| format!("uuid:\t{:016X}\n", uuid.0));
        let content = format!(
            "{}\t{}\n{}",
            resize.old_size.get(),
            self.device(),
            uuid.unwrap_or_default()
        );
        let print = format!(
            "printf '{}' > {path}",
            content.replace('\t', "\\t").replace('\n', "\\n")
        );
        if resize.shifts && self.utils.is_none_or(|version| version <= LAST_SHIFTING) {
            way = if way.feasible { way.not(Obstacle::Shifts) } else { way };
        }
        if way.feasible {
            way.notes = vec![format!(
                "{path} with exactly this, a tab between the words:"
            )];
            way.commands = vec![
                print,
                format!(
                    "drbdmeta {} {} {} internal check-resize",
                    self.minor(),
                    self.level.superblock.format(),
                    self.device()
                ),
            ];
            self.put_right(&self.device(), &mut way);
        } else {
            way.notes = vec![
                "where nothing else is in its way, this would be the record:".to_owned(),
                print,
            ];
        }
        way.facts = Facts::CheckResize {
            path,
            content,
            shifts_bitmap: resize.shifts,
        };
        way
    }

    /// What is still to be done to metadata that is where DRBD looks on `disk`, but says what it said on the source.
    fn put_right(&self, disk: &str, way: &mut StrategyView) {
        let why = match (self.has_node_ids(), self.is_to_be_applied()) {
            (false, false) => return,
            (true, false) => "the node id is still the source's then",
            (false, true) => "the activity log is still to be applied then",
            (true, true) => {
                "the node id is still the source's then, and the activity log is to be applied"
            }
        };
        way.notes.push(format!("{why}: the last command does it"));
        way.commands
            .push(format!("mdtool adopt {disk}{}", self.options()));
    }

    /// `mdtool adopt` of this level where it is to be adopted.
    pub(crate) fn adopt(&self, strategy: &str) -> String {
        format!("mdtool adopt {}{strategy}{}", self.target(), self.options())
    }

    /// The options of `mdtool adopt` that this level needs.
    pub(crate) fn options(&self) -> String {
        let apply = if self.is_to_be_applied() { " --apply-al" } else { "" };
        let node = if self.has_node_ids() {
            " --node-id N"
        } else {
            ""
        };
        format!("{node}{apply} --undo adopt.undo")
    }

    pub(crate) fn has_node_ids(&self) -> bool {
        self.level.superblock.format() == Format::V09
    }

    /// Whether the image itself is the disk on which the resource is to be adopted.
    pub(crate) fn is_here(&self) -> bool {
        self.names.device.is_none() && self.site.size == self.opened.window().size()
    }

    /// The disk: what was given, or the image where that is a whole device.
    pub(crate) fn device(&self) -> String {
        let whole = self.opened.window().size() == self.opened.image_size();
        let image = self.image.image.as_path();
        let image = (self.block_device && self.is_here() && whole).then_some(image);
        let device = self.names.device.or(image).map(shell_word);
        device.unwrap_or_else(|| "DEVICE".to_owned())
    }

    /// A position as everything printed has it: from the image's start, where the image is the disk.
    fn position(&self, at: DevPos) -> u64 {
        if self.is_here() {
            self.opened.image_pos(at).get()
        } else {
            at.get()
        }
    }

    fn minor(&self) -> String {
        let minor = self.names.minor.map(|minor| minor.to_string());
        minor.unwrap_or_else(|| "MINOR".to_owned())
    }
}
