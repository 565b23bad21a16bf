//! Each way with its arithmetic and its commands.

use serde_json::json;

use super::super::story::shell_word;
use super::{Plan, Way, size};
use crate::adopt::{Obstacle, Truncation, traps};
use crate::locate::IndexChoice;
use crate::metadata::Header;
use crate::superblock::{AlState, Format};
use crate::units::{Bytes, DevPos, range_len};

impl Way {
    fn new(key: &'static str, title: &'static str) -> Self {
        Self {
            key,
            title,
            why_not: None,
            notes: Vec::new(),
            commands: Vec::new(),
            warnings: Vec::new(),
            facts: json!({}),
        }
    }

    fn not(self, why: Obstacle) -> Self {
        Self {
            why_not: Some(why),
            ..self
        }
    }
}

impl Plan<'_> {
    pub(super) fn relocate(&self) -> Way {
        let mut way = Way::new("relocate", "relocate: new metadata at the end of the disk");
        let relocation = match &self.ways.relocate {
            Err(why) => return way.not(*why),
            Ok(relocation) => relocation,
        };
        let layout = &relocation.layout;
        let at = |at: DevPos| at.get();
        way.notes = vec![
            format!(
                "data ends at byte {}; the new metadata takes {} and begins at byte {}: {} between them",
                relocation.data.get(),
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
        way.commands = vec![self.adopt("")];
        way.facts = json!({
            "md_offset": at(layout.md),
            "al_offset": at(layout.al.start),
            "bm_offset": at(layout.bm.start),
            "data_bytes": relocation.data.get(),
            "metadata_bytes": range_len(&layout.whole).get(),
            "slack_bytes": relocation.slack.get(),
            "overlaps": relocation.overlaps,
        });
        way
    }

    pub(super) fn truncate(&self) -> Way {
        let mut way = Way::new(
            "truncate",
            "truncate: the disk cut to what the metadata was laid out for",
        );
        let truncation = match &self.ways.truncate {
            Err(why) => return way.not(*why),
            Ok(truncation) => truncation,
        };
        way.notes = vec![format!(
            "{} - {} = {}: the last {} are cut off, the outer metadata among them",
            self.site.size.get(),
            truncation.cut.get(),
            size(truncation.size),
            size(truncation.cut),
        )];
        match truncation.extents {
            None => way.commands = vec![self.adopt(" --strategy truncate")],
            Some(extents) => {
                let (extent, beyond) = (extents.extent, extents.beyond);
                let end = truncation.end;
                if beyond == Bytes::ZERO {
                    way.notes.push(format!(
                        "the metadata ends at {end}, with an extent of {extent}: the volume can be cut there"
                    ));
                    way.commands = vec![format!(
                        "lvreduce -L {}b {}",
                        truncation.size.get(),
                        self.device()
                    )];
                } else {
                    way.notes.push(format!(
                        "the metadata ends at {end}, {beyond} off an extent boundary of {extent}: no size of the volume fits, what follows does"
                    ));
                    way.commands = self.windows(truncation);
                }
            }
        }
        if self.level.superblock.format() == Format::V09 {
            way.notes.push("the node id must be exchanged all the same: mdtool adopt does both in a file, mdtool import on a device".to_owned());
        }
        way.facts = json!({
            "size_bytes": truncation.size.get(),
            "cut_bytes": truncation.cut.get(),
            "beyond_extent_bytes": truncation.extents.map(|extents| extents.beyond.get()),
        });
        way
    }

    /// A device of the right size in front of one that is too large.
    fn windows(&self, truncation: &Truncation) -> Vec<String> {
        let sectors = |bytes: Bytes| bytes.to_sectors_floor().get();
        let start = self.opened.image_pos(DevPos::START).from_start();
        let (length, device) = (truncation.size, self.device());
        let offset = match start {
            Bytes::ZERO => String::new(),
            start => format!("--offset {} ", start.get()),
        };
        vec![
            format!(
                "dmsetup create {} --table '0 {} linear {device} {}'",
                self.names.resource.unwrap_or("NAME"),
                sectors(length),
                sectors(start),
            ),
            format!(
                "losetup --find --show {offset}--sizelimit {} {device}",
                length.get()
            ),
        ]
    }

    pub(super) fn external(&self) -> Way {
        let mut way = Way::new(
            "external",
            "external: metadata in a file or on a device of its own",
        );
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
        way.commands = vec![self.adopt(" --strategy external --meta META")];
        way.facts = json!({
            "least_bytes": external.least.get(),
            "whole_bytes": external.whole.get(),
        });
        way
    }

    pub(super) fn restore(&self) -> Way {
        let mut way = Way::new("restore_md", "export, and drbdmeta restore-md");
        let relocation = match &self.ways.relocate {
            Err(why) => return way.not(*why),
            Ok(relocation) => relocation,
        };
        let header = Header::of(&self.level.superblock);
        let found = traps(&header, &relocation.layout, self.utils);
        way.warnings = found.iter().map(ToString::to_string).collect();
        way.notes = vec![match self.utils {
            Some(version) => format!("drbd-utils {version}; --compat tells another version"),
            None => "drbd-utils of unknown version; --compat tells it".to_owned(),
        }];
        let compat = match self.utils {
            Some(version) => format!(" --compat {version}"),
            None => String::new(),
        };
        let apply = if self.is_unclean() { " --apply-al" } else { "" };
        let format = header.format();
        way.commands = vec![format!(
            "mdtool export {} -o dump.md{apply}{compat}",
            self.image_words()
        )];
        if format == Format::V09 {
            way.commands.push(self.sed());
            way.notes.push("the two node ids of source (FROM) and target (TO) are exchanged in the dump; flag 0x10 (seen) is to be set for the source by hand".to_owned());
        }
        way.commands.push(format!(
            "drbdmeta {} {format} {} internal restore-md dump.md",
            self.minor(),
            self.device()
        ));
        way.facts = json!({ "traps": found.len() });
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

    pub(super) fn check_resize(&self) -> Way {
        let mut way = Way::new(
            "check_resize",
            "drbdmeta check-resize, by a record of the old size",
        );
        let resize = match &self.ways.check_resize {
            Err(why) => return way.not(*why),
            Ok(resize) => resize,
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
        way.notes = vec![format!(
            "{path} with exactly this, a tab between the words:"
        )];
        way.commands = vec![
            format!(
                "printf '{}' > {path}",
                content.replace('\t', "\\t").replace('\n', "\\n")
            ),
            format!(
                "drbdmeta {} {} {} internal check-resize",
                self.minor(),
                self.level.superblock.format(),
                self.device()
            ),
        ];
        if resize.shifts {
            way.warnings.push("drbd-utils up to 9.34.0 shift the bitmap on this way, because its size changes: use another way with them".to_owned());
        }
        way.facts = json!({ "path": path, "content": content, "shifts_bitmap": resize.shifts });
        way
    }

    fn is_unclean(&self) -> bool {
        let format = self.level.superblock.format();
        self.level.superblock.al_state() == AlState::Unclean && format != Format::V07
    }

    /// `mdtool adopt` with what this level needs.
    fn adopt(&self, strategy: &str) -> String {
        let apply = if self.is_unclean() { " --apply-al" } else { "" };
        let node = match self.level.superblock.format() {
            Format::V09 => " --node-id N",
            Format::V07 | Format::V08 => "",
        };
        format!(
            "mdtool adopt {}{strategy}{node}{apply} --undo adopt.undo",
            self.image_words()
        )
    }

    /// The image, and which part and level of it.
    fn image_words(&self) -> String {
        let mut words = vec![shell_word(&self.image.image)];
        for (option, value) in [
            ("--offset", self.image.offset),
            ("--size", self.image.size),
            ("--at", self.image.at),
        ] {
            words.extend(value.map(|size| format!("{option} {}", size.0.get())));
        }
        if self.image.index != IndexChoice::Auto {
            words.push(format!("--index {}", self.level.layout.index));
        }
        if self.image.stacked {
            words.push("--stacked".to_owned());
        } else if self.number() > 0 {
            words.push(format!("--level {}", self.number()));
        }
        words.join(" ")
    }

    fn device(&self) -> String {
        let device = self.names.device.map(shell_word);
        device.unwrap_or_else(|| "DEVICE".to_owned())
    }

    fn minor(&self) -> String {
        let minor = self.names.minor.map(|minor| minor.to_string());
        minor.unwrap_or_else(|| "MINOR".to_owned())
    }
}
