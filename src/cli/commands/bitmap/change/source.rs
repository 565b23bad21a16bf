//! What the handshake will do with bits, and making this replica the one that sends them.

use serde::Serialize;

use crate::cli::output::explain::shell_word;
use crate::cli::commands::bitmap::args::SourceArgs;
use crate::cli::commands::bitmap::node_of;
use crate::cli::outcome::Declined;
use crate::cli::session::source::{Meant, Source};
use crate::cli::write::Look;
use crate::error::Result;
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::Uuid;
use crate::image::random_u64;
use crate::surgery::edit::make_source;
use crate::units::{BitmapIndex, NodeId};
use crate::verdict::handshake::{Decision, FlagsTold, Log, Options, Pair, Replica, compare};

/// What was decided of the generations.
#[derive(Default)]
pub(crate) struct Toward {
    /// What the superblock says afterwards, where that is something else.
    pub(crate) header: Option<Header>,
    /// What the handshake will decide, where the peer is known.
    pub(crate) handshake: Option<Handshake>,
    /// The same in words, or what is known without the peer.
    pub(crate) words: Vec<String>,
}

/// What the handshake will decide, seen from this side.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Handshake {
    rule: Option<&'static str>,
    decision: &'static str,
}

impl Toward {
    /// Decides by what was asked for, and by the peer where it is there.
    pub(crate) fn decide(
        look: &Look,
        header: &Header,
        slots: &[BitmapIndex],
        args: &SourceArgs,
        peer: Meant,
        set: bool,
    ) -> anyhow::Result<Self> {
        let meeting = Meeting {
            look,
            header,
            slots,
        };
        match (&args.with, args.sync_source) {
            (Some(_), _) => meeting.with_peer(args, peer),
            (None, true) => meeting.without_peer(),
            (None, false) if set => Ok(Self {
                words: meeting.guesses(),
                ..Self::default()
            }),
            (None, false) => Ok(Self::default()),
        }
    }
}

struct Meeting<'a> {
    look: &'a Look,
    /// What the superblock says, the log applied.
    header: &'a Header,
    slots: &'a [BitmapIndex],
}

impl Meeting<'_> {
    /// The one slot, and whose it is.
    fn one(&self, option: &str) -> anyhow::Result<(BitmapIndex, Option<NodeId>)> {
        let [slot] = self.slots else {
            anyhow::bail!("{option} is about one peer, expected --slot or --peer");
        };
        let v09 = matches!(self.header.generation, Generation::V09(_));
        let node = node_of(*slot, self.header).and_then(|node| u8::try_from(node).ok());
        let node = node.map(NodeId::new);
        anyhow::ensure!(
            !v09 || node.is_some(),
            "{option}: slot {} belongs to no peer",
            slot.get()
        );
        Ok((*slot, node))
    }

    fn without_peer(&self) -> anyhow::Result<Toward> {
        let (slot, node) = self.one("--sync-source")?;
        let (current, since) = self.counts_from(node);
        if since != Uuid::NONE && !since.same_generation(current) {
            let why = format!(
                "{}: slot {} counts from the generation {since} already: a peer that has it gets these bits without --sync-source",
                self.look.name(),
                slot.get()
            );
            let hint = "--with PEER-SOURCE looks at the peer, and decides by what it has";
            return Err(Declined::new(why, &[hint]).into());
        }
        self.rotated(node)
    }

    /// This replica as the source toward a peer of the same generation.
    fn rotated(&self, node: Option<NodeId>) -> anyhow::Result<Toward> {
        let (current, _) = self.counts_from(node);
        let mut header = self.header.clone();
        let mut random = random_u64;
        let made: Result<()> = make_source(&mut header, node, &mut random);
        made.map_err(|error| anyhow::Error::from(error).context(self.look.name()))?;
        let new = current_of(&header);
        Ok(Toward {
            words: vec![format!(
                "{} counts from {current}, and the current UUID becomes {new}: a peer that has {current} gets exactly what is marked",
                of_peer(node)
            )],
            header: Some(header),
            handshake: None,
        })
    }

    fn with_peer(&self, args: &SourceArgs, peer: Meant) -> anyhow::Result<Toward> {
        let (slot, node) = self.one("--with")?;
        let Some(path) = &args.with else {
            return self.without_peer();
        };
        let peer = Source::open(path, peer)?;
        let theirs = peer.replica()?;
        if let (Some(node), Some(found)) = (node, theirs.header.node_id()) {
            anyhow::ensure!(
                found == node,
                "{}: is node {}, and slot {} is node {}'s",
                peer.name,
                found.get(),
                slot.get(),
                node.get()
            );
        }
        let before = self.meet(self.header, slot, &theirs);
        let same = current_of(self.header).same_generation(current_of(&theirs.header));
        if !args.sync_source || before.decision == Decision::SourceBitmap {
            let mut words = vec![format!("{}: {}", peer.name, words(&before))];
            if args.sync_source {
                words.push("this replica is the source already: --sync-source changes nothing".to_owned());
            }
            return Ok(Toward {
                header: None,
                handshake: Some(Handshake::of(&before)),
                words,
            });
        }
        let refuse = |pair: &Pair, when: &str| {
            let why = format!("{}{when}: {}", peer.name, words(pair));
            let hint = format!(
                "`mdtool compare {} {}` explains why; --sync-source helps where both have the same generation",
                shell_word(&self.look.path),
                shell_word(path)
            );
            anyhow::Error::from(Declined::new(why, &[&hint]))
        };
        if !same {
            return Err(refuse(&before, ""));
        }
        let mut toward = self.rotated(node)?;
        if let Some(header) = &toward.header {
            let after = self.meet(header, slot, &theirs);
            if after.decision != Decision::SourceBitmap || !after.mirrored {
                return Err(refuse(&after, ", with --sync-source"));
            }
            toward.words.push(format!("{}: {}", peer.name, words(&after)));
            toward.handshake = Some(Handshake::of(&after));
        }
        Ok(toward)
    }

    /// What connecting decides, some bits of the slot set.
    fn meet(&self, header: &Header, slot: BitmapIndex, theirs: &Replica) -> Pair {
        let level = self.look.chosen();
        let capacity = level.filter(|level| level.layout.index.is_internal());
        let mut slots = vec![0; usize::try_from(header.geometry.max_peers).unwrap_or(0)];
        if let Some(bits) = slots.get_mut(usize::from(slot.get())) {
            *bits = 1;
        }
        let ours = Replica {
            header: header.clone(),
            capacity: capacity.map(|level| level.layout.usable),
            slots,
            last_bits: 0,
            log: Log::Applied,
            refusals: Vec::new(),
            flags: FlagsTold::Known,
        };
        compare(&ours, theirs, &Options::default())
    }

    /// What is known without the peer, for each slot of one.
    fn guesses(&self) -> Vec<String> {
        let slots = self.slots.iter();
        let nodes = slots.filter_map(|slot| match self.header.generation {
            Generation::V09(_) => {
                let node = node_of(*slot, self.header)?;
                Some(Some(NodeId::new(u8::try_from(node).ok()?)))
            }
            _ => Some(None),
        });
        nodes.filter_map(|node| self.guess(node)).collect()
    }

    fn guess(&self, node: Option<NodeId>) -> Option<String> {
        let (current, since) = self.counts_from(node);
        if matches!(self.header.generation, Generation::V07(_)) {
            return None;
        }
        let whom = of_peer(node);
        Some(if since == Uuid::NONE || since.same_generation(current) {
            format!(
                "{whom}: no generation is counted from: of a peer that has {current} as well DRBD 9 clears these bits at connect, and 8.4 ignores them; --sync-source has them sent"
            )
        } else {
            format!("{whom} counts from {since}: a peer that has it gets these bits")
        })
    }

    /// The current generation, and the one that a peer's slot counts from.
    fn counts_from(&self, node: Option<NodeId>) -> (Uuid, Uuid) {
        let since = match &self.header.generation {
            Generation::V07(_) => Uuid::NONE,
            Generation::V08(generation) => generation.uuids[1],
            Generation::V09(generation) => node
                .and_then(|node| generation.peers.get(usize::from(node.get())))
                .map_or(Uuid::NONE, |peer| peer.bitmap_uuid),
        };
        (current_of(self.header), since)
    }
}

impl Handshake {
    const fn of(pair: &Pair) -> Self {
        Self {
            rule: pair.rule,
            decision: pair.decision.word(),
        }
    }
}

fn current_of(header: &Header) -> Uuid {
    match &header.generation {
        Generation::V07(_) => Uuid::NONE,
        Generation::V08(generation) => generation.uuids[0],
        Generation::V09(generation) => generation.current_uuid,
    }
}

fn of_peer(node: Option<NodeId>) -> String {
    node.map_or_else(
        || "the peer's slot".to_owned(),
        |node| format!("node {}'s slot", node.get()),
    )
}

/// What a decision does with the bits.
fn words(pair: &Pair) -> String {
    let rule = pair.rule.map_or(String::new(), |rule| format!(" (rule {rule})"));
    let what = match pair.decision {
        Decision::NoSync => "they connect and nothing is sent: DRBD 9 clears these bits, 8.4 ignores them",
        Decision::SourceBitmap => "this replica sends what the bitmaps mark",
        Decision::TargetBitmap => "this replica is overwritten with what the bitmaps mark",
        Decision::SourceFull => "this replica sends everything",
        Decision::TargetFull => "this replica is overwritten with everything",
        Decision::SplitBrain => "split brain: they do not connect",
        Decision::Unrelated => "the data is unrelated: they do not connect",
        Decision::Refused => "they do not connect",
    };
    format!("the handshake decides {}{rule}: {what}", pair.decision)
}
