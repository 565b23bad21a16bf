//! Taking the metadata out and putting it in elsewhere: where a cut destroys it, and where it is on a meta device.

use crate::cli::commands::plan::view::way::{Facts, StrategyView};
use crate::cli::commands::plan::view::Plan;
use crate::units::Sectors;

impl Plan<'_> {
    /// Whether nothing says that this is a copy from elsewhere: no resource is around it, as on a disk that was made larger on its own node.
    pub(super) fn is_its_own(&self) -> bool {
        self.number() == 0 && !self.image.stacked && self.level.layout.index.is_internal()
    }

    /// Whether it can be put in place before the disk is cut to the size that was given.
    pub(super) fn may_be_cut(&self) -> bool {
        self.is_its_own() && self.level.superblock.la_size() > Sectors::ZERO
    }

    /// The commands that put it where DRBD looks, and which of them is for whom.
    pub(super) fn same_node_or_copy(&self, way: &mut StrategyView) {
        if !self.is_its_own() {
            way.notes.push("it lies inside another resource, as in a copy that arrived from another node: `mdtool adopt` makes it this node's".to_owned());
            way.commands = vec![self.adopt("")];
            return;
        }
        way.notes.push("no other resource is around it, as on a disk that was made larger on its own node: `mdtool relocate` keeps node id, flags and log as they are; only a copy that arrived from another node is adopted".to_owned());
        way.first_does_it = true;
        way.commands = vec![
            format!("mdtool relocate {}", self.target()),
            self.adopt(""),
        ];
    }

    /// Where cutting the disk destroys the metadata: taken out before, and put back after.
    pub(super) fn before_the_cut(&self) -> StrategyView {
        let mut way = StrategyView::new("export before the cut, and import after it");
        way.notes = vec![
            format!(
                "the metadata ends at byte {}, behind the disk's new end: export it first, it is gone once the disk is cut",
                self.level.layout.whole.end.get()
            ),
            "then cut the disk, and put the metadata at its new end".to_owned(),
        ];
        way.commands = vec![self.export(), self.import(" ")];
        if self.may_be_cut() {
            way.notes.push("a disk that never left its node: in one go instead, before it is cut, by `mdtool relocate --for-size`".to_owned());
            way.first_does_it = true;
            way.commands.insert(
                0,
                format!(
                    "mdtool relocate {} --for-size {}",
                    self.image_words(),
                    self.site.size.get()
                ),
            );
        }
        way.facts = Facts::Restore { utils_bugs: 0, traps: 0 };
        way
    }

    /// What is on a meta device goes to another, or to the end of the disk that has the data.
    pub(super) fn to_another_meta_device(&self) -> StrategyView {
        let mut way = StrategyView::new("export, and import elsewhere");
        let size = self.level.superblock.la_size();
        let known = (size > Sectors::ZERO).then_some(size);
        let needed = known.and_then(|size| self.level.layout.geometry.internal_size(size));
        way.notes = vec![match needed {
            Some(needed) => format!(
                "to a larger meta device, of at least {} for a DRBD device of {size}; or to the end of the disk that has the data, if it has that much room behind the data",
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
        way.facts = Facts::Restore { utils_bugs: 0, traps: 0 };
        way
    }

    /// The command that takes the metadata out.
    pub(super) fn export(&self) -> String {
        let apply = match (self.is_unclean(), self.typing.mark_all) {
            (true, true) => " --apply-al --mark-all",
            (true, false) => " --apply-al",
            (false, _) => "",
        };
        format!("mdtool export {} -o dump.md{apply}", self.image_words())
    }

    /// The command that puts it in where it is to be.
    pub(super) fn import(&self, between: &str) -> String {
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
