//! Taking the metadata out and putting it in elsewhere: where a cut destroys it, and where it is on a meta device.

use serde_json::json;

use crate::cli::commands::plan::view::{Plan, Way};

impl Plan<'_> {
    /// Where cutting the disk destroys the metadata: taken out before, and put back after.
    pub(super) fn before_the_cut(&self) -> Way {
        let mut way = Way::new("restore_md", "export before the cut, and import after it");
        way.notes = vec![
            format!(
                "the metadata ends at byte {}, behind the disk's new end: export it first, it is gone once the disk is cut",
                self.level.layout.whole.end.get()
            ),
            "then cut the disk, and put the metadata at its new end".to_owned(),
        ];
        way.commands = vec![self.export(), self.import(" ")];
        way.facts = json!({ "utils_bugs": 0, "traps": 0 });
        way
    }

    /// What is on a meta device goes to another, or to the end of the disk that has the data.
    pub(super) fn to_another_meta_device(&self) -> Way {
        let mut way = Way::new("restore_md", "export, and import elsewhere");
        let size = self.level.superblock.la_size();
        let needed = self.level.layout.geometry.internal_size(size);
        way.notes = vec![match needed {
            Some(needed) => format!(
                "to a larger meta device, of at least {} for a DRBD device of {size}; or to the end of the disk that has the data, where that has so much room behind it",
                crate::cli::commands::plan::view::size(needed)
            ),
            None => "to a larger meta device, or to the end of the disk that has the data".to_owned(),
        }];
        way.commands = vec![
            self.export(),
            format!(
                "mdtool import NEWMETA dump.md --index flex-external{}",
                self.node()
            ),
            format!("mdtool import DISK dump.md --index internal{}", self.node()),
        ];
        way.facts = json!({ "utils_bugs": 0, "traps": 0 });
        way
    }

    /// The command that takes the metadata out.
    fn export(&self) -> String {
        let apply = if self.is_unclean() { " --apply-al" } else { "" };
        format!("mdtool export {} -o dump.md{apply}", self.image_words())
    }

    /// The command that puts it in where it is to be.
    fn import(&self, between: &str) -> String {
        format!("mdtool import {}{between}dump.md{}", self.device(), self.node())
    }

    fn node(&self) -> &'static str {
        if self.has_node_ids() {
            " --node-id N"
        } else {
            ""
        }
    }
}
