//! `mdtool adopt`.

pub(crate) mod args;
pub(crate) mod view;

pub(crate) mod external;
mod strategy;

use anyhow::Context;

use strategy::CheckedStrategy;

use crate::cli::output::explain::conf_word;
use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::commands::adopt::args::AdoptArgs;
use crate::cli::commands::adopt::args::Strategy;
use crate::cli::commands::adopt::view as report;
use crate::cli::commands::apply_al::{Gain, warn_of_log};
use crate::cli::next;
use crate::cli::outcome::{Declined, Outcome};
use crate::cli::output::change::{self, ChangeView, Metadata};
use crate::cli::session::select::Trust;
use crate::cli::write::{
    self, Aim, Change, Job, Look, Part, Placed, Plan, Question, Request, bring_up, show,
};
use crate::error::{Error, Refused, Result};
use crate::format::layout::MdLayout;
use crate::surgery::adopt::{
    AdoptOptions, AdoptRefusal, Adoption, Obstacle,
};
use crate::surgery::apply_al::Gained;
use crate::surgery::risks::AtRisk;
use crate::survey::locate::{Level, Role};
use crate::survey::log::cannot_be_applied;
use crate::transaction::Draft;
use crate::units::{DevPos, ImagePos, NodeId, Sectors};

/// What `adopt --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done; 1 there is no metadata, or no such level; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &AdoptArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let external = args.strategy == Strategy::External;
    anyhow::ensure!(
        external || args.meta.is_none(),
        "--meta says where --strategy external puts the metadata, expected that strategy"
    );
    let request = Request {
        aim: Aim::Resource {
            image: &args.image,
            level: args.level,
            trust: Trust::Found,
        },
        meta: args.meta.as_deref(),
        writing: &args.writing,
        command_line,
        dump: None,
    };
    write::run(&mut Adopting { args }, &request, out)
}

/// The command.
struct Adopting<'a> {
    args: &'a AdoptArgs,
}

impl Job for Adopting<'_> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let args = self.args;
        let level = look.level()?;
        look.refuse_to_guess(args.image.stacked || args.level.is_some())?;
        let options = AdoptOptions {
            node_id: node_id(args, level),
            apply_al: args.apply_al,
            same_node: false,
        };
        let window = look.opened.window();
        if args.apply_al && cannot_be_applied(window, level).with_context(|| look.name())? {
            return Err(cannot_apply(args, look, level).into());
        }
        let adoption = Adoption::new(window, &look.located, level, options);
        let adoption = adoption.with_context(|| look.name())?;
        let mut gained = Gained::new();
        if args.apply_al {
            warn_of_log(level, &look.name(), look.meant(), out);
            gained = adoption.gained().with_context(|| look.name())?;
        }
        let strategy = CheckedStrategy::of(args, look, level, &adoption)?;
        let at_risk = strategy.at_risk(look).with_context(|| look.name())?;
        if args.writing.yes {
            for threat in &at_risk {
                out.tell(format_args!("mdtool: warning: {}: {threat}", look.name()));
            }
            if let CheckedStrategy::External(meta) = &strategy {
                meta.warn(out);
            }
        }
        Ok(Box::new(Adopted {
            args,
            look,
            level,
            adoption,
            strategy,
            at_risk,
            gained,
        }))
    }
}

/// The refusal where `--apply-al` would stop at the activity log.
fn cannot_apply(args: &AdoptArgs, look: &Look, level: &Level) -> Declined {
    let at = look.opened.image_pos(level.layout.md);
    let why = Error::from(Refused::LogIncomplete { at });
    let number = look.number().unwrap_or(0);
    let words = next::to_write(&args.image, look.located.levels.len(), number, level);
    let hint = format!(
        "`{}` marks everything out of sync where the metadata is now, and a full sync follows; then the same without --apply-al",
        next::apply_al(&words, true)
    );
    Declined::new(format!("{}: {why}", look.name()), &[&hint])
}

/// The node that the disk belongs to from now on: the one that was named. Of a resource that lies in no other its own will do: that is what a disk
/// that was made larger on its node looks like, and a node of another id does not attach it.
fn node_id(args: &AdoptArgs, level: &Level) -> Option<NodeId> {
    let own = || {
        let own = level.superblock.node_id().filter(|_| level.role == Role::Single && !args.image.stacked);
        own.and_then(|own| u8::try_from(own).ok()).map(NodeId::new)
    };
    args.node_id.map(NodeId::new).or_else(own)
}

/// One adoption.
struct Adopted<'l> {
    args: &'l AdoptArgs,
    look: &'l Look,
    level: &'l Level,
    adoption: Adoption<'l>,
    strategy: CheckedStrategy,
    /// Who may lose something in the image.
    at_risk: Vec<AtRisk>,
    /// How many bits each slot gains from the log; of none where that is not applied.
    gained: Gained,
}

impl Adopted<'_> {
    /// Where the new metadata lies.
    const fn layout(&self) -> &MdLayout {
        match &self.strategy {
            CheckedStrategy::Relocate(layout) => layout,
            CheckedStrategy::Truncate(_) => &self.level.layout,
            CheckedStrategy::External(device) => &device.layout,
        }
    }

    /// Where in its file the device begins that has the new metadata.
    fn base(&self) -> ImagePos {
        match &self.strategy {
            CheckedStrategy::External(_) => ImagePos::START,
            CheckedStrategy::Relocate(_) | CheckedStrategy::Truncate(_) => self.look.opened.image_pos(DevPos::START),
        }
    }
}

impl Plan for Adopted<'_> {
    fn parts(&self) -> Vec<Part> {
        match &self.strategy {
            CheckedStrategy::External(device) => vec![Part::Target, device.part()],
            CheckedStrategy::Relocate(_) | CheckedStrategy::Truncate(_) => vec![Part::Target],
        }
    }

    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        match &self.strategy {
            CheckedStrategy::Relocate(layout) => self.adoption.draft_here(draft, layout),
            CheckedStrategy::Truncate(truncation) => self.adoption.draft_cut(draft, truncation.size),
            // By the numbers of `parts`.
            CheckedStrategy::External(_) => self.adoption.draft_external(draft, 0, 1),
        }
    }

    fn words(&self) -> Vec<String> {
        let mut words = show::resource(self.look, self.level);
        let name = self.look.name();
        words.push(match &self.strategy {
            CheckedStrategy::Relocate(layout) => format!(
                "strategy relocate: its metadata is written from byte {} to byte {} of {name}, where DRBD looks",
                self.look.opened.image_pos(layout.whole.start).get(),
                self.look.opened.image_pos(layout.whole.end).get()
            ),
            CheckedStrategy::Truncate(truncation) => format!(
                "strategy truncate: the last {} of {name} are cut off, so that its metadata is where DRBD looks",
                truncation.cut
            ),
            CheckedStrategy::External(device) => format!(
                "strategy external: its metadata is written to {}, and {name} keeps none",
                device.path.display()
            ),
        });
        if self.args.apply_al {
            words.push(
                "what the activity log names is marked out of sync in the bitmap".to_owned(),
            );
        }
        words.extend(Gain::of(&self.gained, self.level).iter().map(|gain| gain.line("gains")));
        words.extend(self.growth());
        words
    }

    fn question(&self) -> Question {
        let name = self.look.name();
        let at_risk: Vec<String> = self.at_risk.iter().map(ToString::to_string).collect();
        let and = at_risk.iter().map(|threat| format!(", {threat}"));
        let and: String = and.collect();
        let (what, at_risk) = match &self.strategy {
            CheckedStrategy::Relocate(layout) => {
                let from = self.look.opened.image_pos(layout.whole.start);
                (format!("{name}: what lies from {from} on{and}"), at_risk)
            }
            CheckedStrategy::Truncate(truncation) => {
                (format!("{name}: the last {}{and}", truncation.cut), at_risk)
            }
            CheckedStrategy::External(device) => device.question(&name),
        };
        Question {
            what,
            always: true,
            at_risk,
        }
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        let (part, device) = match &self.strategy {
            CheckedStrategy::Relocate(_) => (Part::Target, self.look.opened.window().size()),
            CheckedStrategy::Truncate(truncation) => (Part::Target, truncation.size),
            CheckedStrategy::External(device) => (device.part(), device.size),
        };
        vec![Placed {
            part,
            base: self.base(),
            layout: self.layout(),
            device,
        }]
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        self.tell(out);
        if self.args.writing.json {
            let header = self.adoption.header();
            let superblock = header.compose(self.layout());
            let superblock = superblock
                .map_err(|misfit| Error::from(AdoptRefusal::Obstacle(Obstacle::Layout(misfit))))?;
            let metadata = Metadata {
                image: self.file(),
                base: self.base(),
                superblock: &superblock,
                layout: self.layout(),
            };
            change::print(out.stdout, changes, &metadata, ())?;
        } else {
            for change in changes {
                ChangeView::of(change).named(out.stdout)?;
            }
            if !self.args.writing.dry_run {
                self.print_place(changes, out)?;
            }
        }
        Ok(())
    }

    fn next(&self) -> Vec<String> {
        let file = shell_word(self.file());
        vec![match &self.strategy {
            CheckedStrategy::External(_) => {
                let beside = format!(
                    "; `meta-disk {};` beside `disk {};` in the resource",
                    conf_word(self.file()),
                    conf_word(&self.look.path)
                );
                bring_up(file, &beside)
            }
            CheckedStrategy::Relocate(_) | CheckedStrategy::Truncate(_) => bring_up(self.look.typed(), ""),
        }]
    }
}

impl Adopted<'_> {
    /// The file that has the metadata.
    fn file(&self) -> &std::path::Path {
        match &self.strategy {
            CheckedStrategy::External(device) => &device.path,
            CheckedStrategy::Relocate(_) | CheckedStrategy::Truncate(_) => &self.look.path,
        }
    }

    /// How large DRBD makes the device, where no size was ever agreed on.
    fn growth(&self) -> Option<String> {
        let unknown = self.adoption.header().la_size == Sectors::ZERO;
        let usable = match &self.strategy {
            CheckedStrategy::External(_) => self.look.opened.window().size().to_sectors_floor(),
            CheckedStrategy::Relocate(_) | CheckedStrategy::Truncate(_) => self.layout().usable,
        };
        let usable = usable.to_bytes().filter(|_| unknown)?;
        Some(format!(
            "la-size is 0: no size was ever agreed on, and DRBD makes the device as large as fits, {usable}"
        ))
    }

    /// Says where DRBD finds the metadata from now on.
    fn print_place(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let (path, first) = (self.file(), changes.first());
        match (self.args.strategy, first) {
            (Strategy::Truncate, Some(cut)) => {
                report::cut(out.stdout, path, cut.size, cut.size_after())?;
            }
            (Strategy::External, Some(meta)) => report::meta(out.stdout, path, meta.size)?,
            _ => {
                let at = self.look.opened.image_pos(self.layout().md);
                report::place(out.stdout, path, "superblock", at)?;
            }
        }
        Ok(())
    }

    /// Says what became of node ids and of the size.
    fn tell(&self, out: &mut Streams<'_>) {
        if let (Some(from), Some(to)) = (self.adoption.source(), self.args.node_id) {
            out.tell(format_args!(
                "mdtool: note: node {} becomes node {to}, and their peer entries are exchanged",
                from.get()
            ));
        }
        if self.args.node_id.is_none()
            && let Some(own) = node_id(self.args, self.level)
        {
            out.tell(format_args!(
                "mdtool: note: node id {} is kept, for a disk that never left its node, as `mdtool relocate` does; a copy that arrived at another node needs --node-id",
                own.get()
            ));
        }
        if let Some(seen) = self.adoption.seen() {
            out.tell(format_args!(
                "mdtool: note: peers[{}]: MDF_PEER_DEVICE_SEEN is set, so that DRBD keeps the device as large as it was",
                seen.get()
            ));
        }
        if let Some(growth) = self.growth() {
            out.tell(format_args!("mdtool: warning: {}: {growth}", self.look.name()));
        }
    }
}
