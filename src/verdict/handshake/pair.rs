//! Two replicas, asked from both sides.

mod marks;
mod remark;
mod remarks;

use super::decision::{Decision, Strategy};
use super::disk::Disk;
use super::node::Node;
use super::options::{Options, SideOptions};
use super::replica::Replica;
use super::settle::{Settled, Side, Step, settle_8, settle_9};
use super::sizes::Sizes;
use super::{Family, rules_8, rules_9};
use crate::format::metadata::{Generation, NODE_IDS};
use crate::terms::Format;
use crate::verdict::check::Kernel;
pub use marks::{Mark, Marks};
pub use remark::{Loss, Note, Obstacle};

/// What connecting two replicas decides.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Whose rules were followed.
    pub family: Family,
    /// The first side's rule, by DRBD's name or number; nothing where the connection ends before.
    pub rule: Option<&'static str>,
    /// What comes of it, seen from the first side.
    pub decision: Decision,
    /// Whether the second side comes to the same.
    pub mirrored: bool,
    /// Whether the direction depends on which side's connection wins a race.
    pub arbitrary: bool,
    /// What a resync begins with; nothing where none begins.
    pub marks: Option<Marks>,
    /// Sizes, where both attach.
    pub sizes: Option<Sizes>,
    /// Each side after attach.
    pub sides: [SideView; 2],
    /// What had a say besides the generations, on the first side.
    pub steps: Vec<Step>,
    /// What keeps them from connecting.
    pub refused_by: Vec<Obstacle>,
    /// What is lost.
    pub lost: Vec<Loss>,
    /// What else is worth knowing.
    pub notes: Vec<Note>,
}

/// A side after attach.
#[derive(Clone, Debug)]
pub struct SideView {
    /// Its disk state.
    pub disk: Disk,
    /// Whether it is Primary at connect.
    pub primary: bool,
    /// Whether it crashed while it was Primary.
    pub crashed: bool,
    /// Its own rule.
    pub rule: Option<&'static str>,
    /// What it comes to by itself.
    pub decision: Decision,
    /// Bits toward the other that it counts at connect.
    pub bits: u64,
}

pub(super) fn compare(replicas: [&Replica; 2], options: &Options) -> Pair {
    let family = family(replicas, options);
    let obstacle = remarks::formats(replicas, options, family);
    if let Some(obstacle) = obstacle.or_else(|| remarks::settings(options)) {
        return Pair::refused(replicas, family, obstacle);
    }
    let ids = match node_ids(replicas) {
        Ok(ids) => ids,
        Err(obstacle) => return Pair::refused(replicas, family, obstacle),
    };
    let [a, b] = replicas;
    let [own, peers] = &options.sides;
    let mut nodes = [
        Node::attached(a, ids[0], ids[1], options, family, own.primary),
        Node::attached(b, ids[1], ids[0], options, family, peers.primary),
    ];
    let refused =
        |(node, side): (&Node<'_>, &SideOptions)| node.primary && side.net.discard_my_data;
    if let Some(side) = nodes.iter().zip(&options.sides).position(refused) {
        return Pair::refused(replicas, family, Obstacle::DiscardAsPrimary { side });
    }
    if family == Family::V8 {
        let fresh = unused(replicas);
        let [a, b] = &mut nodes;
        a.promoted_8(fresh[0]);
        b.promoted_8(fresh[1]);
    }
    Meeting {
        nodes,
        options,
        family,
    }
    .pair()
}

/// Whose rules hold.
fn family(replicas: [&Replica; 2], options: &Options) -> Family {
    let newest = |replica: &&Replica| replica.header.format() == Format::V09;
    match options.kernel {
        Some(kernel) if kernel.is_9() => Family::V9,
        None if replicas.iter().any(newest) => Family::V9,
        _ => Family::V8,
    }
}

/// Two generations that nobody has, for promotions that start one.
fn unused(replicas: [&Replica; 2]) -> [u64; 2] {
    let known: Vec<u64> = replicas
        .iter()
        .filter_map(|replica| match &replica.header.generation {
            Generation::V08(generation) => Some(generation.uuids),
            _ => None,
        })
        .flatten()
        .map(|uuid| uuid.0 | 1)
        .collect();
    let mut free = (8..u64::MAX)
        .step_by(2)
        .filter(|uuid| !known.contains(&(uuid | 1)));
    // OK to fall back: eight are known, and there are more.
    [
        free.next().unwrap_or_default(),
        free.next().unwrap_or_default(),
    ]
}

/// Both nodes' ids: what they say, or what the other has an entry for.
fn node_ids(replicas: [&Replica; 2]) -> std::result::Result<[usize; 2], Obstacle> {
    let own = |replica: &Replica| match &replica.header.generation {
        Generation::V09(generation) => usize::try_from(generation.node_id).ok(),
        _ => None,
    };
    let known = |replica: &Replica, but: usize| match &replica.header.generation {
        Generation::V09(generation) => {
            let mut peers = generation.peers.iter().enumerate();
            let assigned = peers.find(|(node, entry)| *node != but && entry.bitmap_index >= 0);
            assigned.map_or(usize::from(but == 0), |(node, _)| node)
        }
        _ => usize::from(but == 0),
    };
    match replicas.map(own) {
        [Some(a), Some(b)] if a == b => Err(Obstacle::SameNodeId { id: a }),
        [Some(a), Some(b)] if a.max(b) < NODE_IDS => Ok([a, b]),
        [Some(a), _] if a < NODE_IDS => Ok([a, known(replicas[0], a)]),
        [_, Some(b)] if b < NODE_IDS => Ok([known(replicas[1], b), b]),
        _ => Ok([0, 1]),
    }
}

/// Two attached nodes.
struct Meeting<'a> {
    nodes: [Node<'a>; 2],
    options: &'a Options,
    family: Family,
}

/// What one side comes to.
struct Answer {
    rule: &'static str,
    /// What its comparison asks for.
    asked: Decision,
    settled: Settled,
}

impl Meeting<'_> {
    /// Both sides' answers, where the first one's connection wins the race, or the second one's.
    fn answers(&self, first_wins: bool) -> [Answer; 2] {
        let [a, b] = &self.nodes;
        let [own, peers] = &self.options.sides;
        [
            self.answer([a, b], [own, peers], first_wins),
            self.answer([b, a], [peers, own], !first_wins),
        ]
    }

    fn answer(
        &self,
        [me, peer]: [&Node<'_>; 2],
        [own, peers]: [&SideOptions; 2],
        wins: bool,
    ) -> Answer {
        let (rule, strategy) = match self.family {
            Family::V8 => rules_8::compare(&rules_8::View { me, peer, wins }),
            Family::V9 => rules_9::compare(&rules_9::View {
                me,
                peer,
                wins,
                protocol: self.options.protocol,
                tidy: self
                    .options
                    .kernel
                    .is_none_or(|kernel| kernel == Kernel::V9_3),
            }),
        };
        let side = Side {
            me,
            peer,
            net: &own.net,
            peers_net: &peers.net,
            wins,
            rule,
        };
        let quorum_policy =
            self.options.quorum == Some(true) || me.quorum.is_some() || peer.quorum.is_some();
        let mut settled = match self.family {
            Family::V8 => settle_8(&side, strategy),
            Family::V9 => settle_9(&side, strategy, quorum_policy),
        };
        let no_slot = me.copied_slot(peer.current, peer.id).is_none();
        let in_full = |strategy: Strategy| {
            if strategy == Strategy::SourceCopy && no_slot {
                Decision::SourceFull
            } else {
                strategy.decision()
            }
        };
        if settled.decision.connects() {
            settled.decision = in_full(settled.strategy);
        }
        Answer {
            rule,
            asked: in_full(strategy),
            settled,
        }
    }

    /// Whose connection is taken to win where that decides: the same whichever is named first.
    ///
    /// Any rule would do. This one is the order that the recorded kernels connected in, where the metadata tells it.
    fn first_wins(&self) -> bool {
        let key = |node: &Node<'_>| {
            let id = (self.family == Family::V9).then_some(node.id);
            (
                id,
                node.current,
                node.bitmap,
                node.history.clone(),
                node.bits,
            )
        };
        let [a, b] = self.nodes.each_ref().map(key);
        match self.family {
            Family::V8 => a <= b,
            Family::V9 => a > b,
        }
    }

    fn pair(&self) -> Pair {
        let agreed = Sizes::of([&self.nodes[0], &self.nodes[1]], self.options, self.family);
        let first = self.first_wins();
        let answers = self.answers(first);
        let decision = self.decision(&answers[0], &answers[1], &agreed);
        let other = self.answers(!first);
        let arbitrary = self.decisions(&answers, &agreed) != self.decisions(&other, &agreed);
        let mirrored = self.mirrored(&answers, &agreed);
        let [small, peer_small] = agreed.too_small.map(|small| small.is_some());
        let rules = [
            self.rule(&answers[0], small),
            self.rule(&answers[1], peer_small),
        ];
        let tentative = self.options.sides.iter().any(|side| side.net.tentative);
        let begins = decision.connects() && mirrored && !tentative;
        let marks = begins.then(|| self.marks(&answers, &agreed));
        let remarks = remarks::of(self, &answers, &agreed, decision);
        let [a, b] = answers;
        let sides = [
            (&self.nodes[0], &a, rules[0]),
            (&self.nodes[1], &b, rules[1]),
        ];
        let sides = sides.map(|(node, answer, rule)| SideView {
            disk: node.disk,
            primary: node.primary,
            crashed: node.crashed,
            rule,
            decision: answer.settled.decision,
            bits: node.bits,
        });
        Pair {
            family: self.family,
            rule: rules[0],
            decision,
            mirrored,
            arbitrary,
            marks,
            sizes: Some(agreed),
            sides,
            steps: a.settled.steps,
            refused_by: remarks.refused_by,
            lost: remarks.lost,
            notes: remarks.notes,
        }
    }

    /// 8.4 looks at the sizes first, and drops the connection before it compares anything.
    fn rule(&self, answer: &Answer, too_small: bool) -> Option<&'static str> {
        let compared = self.family == Family::V9 || !too_small;
        compared.then_some(answer.rule)
    }

    /// What comes of it, seen from each side.
    fn decisions(&self, [a, b]: &[Answer; 2], sizes: &Sizes) -> [Decision; 2] {
        [self.decision(a, b, sizes), self.decision(b, a, sizes)]
    }

    fn decision(&self, a: &Answer, b: &Answer, sizes: &Sizes) -> Decision {
        let small = sizes.too_small.iter().any(Option::is_some);
        let slotless = self.nodes.iter().any(|node| node.slot.is_none());
        if slotless || small && self.family == Family::V8 {
            return Decision::Refused;
        }
        let (own, peers) = (a.settled.decision, b.settled.decision);
        let told = if own.connects() && !peers.connects() {
            peers
        } else {
            own
        };
        if told.connects() && (small || self.too_many_primaries()) {
            return Decision::Refused;
        }
        told
    }

    fn too_many_primaries(&self) -> bool {
        let allowed = self
            .options
            .sides
            .iter()
            .all(|side| side.net.allow_two_primaries);
        self.nodes.iter().all(|node| node.primary) && !allowed
    }

    fn mirrored(&self, [a, b]: &[Answer; 2], sizes: &Sizes) -> bool {
        if self.family == Family::V8 && sizes.too_small[0].is_some() != sizes.too_small[1].is_some()
        {
            return false;
        }
        let (own, peers) = (a.settled.decision, b.settled.decision);
        let alike = own.connects() == peers.connects();
        a.asked.mirrored() == b.asked && (!alike || own.mirrored() == peers)
    }
}

impl Pair {
    /// A pair that does not come as far as comparing anything.
    fn refused(replicas: [&Replica; 2], family: Family, obstacle: Obstacle) -> Self {
        let sides = replicas.map(|replica| SideView {
            disk: Disk::at_attach(&replica.header, family),
            primary: false,
            crashed: false,
            rule: None,
            decision: Decision::Refused,
            bits: 0,
        });
        Self {
            family,
            rule: None,
            decision: Decision::Refused,
            mirrored: true,
            arbitrary: false,
            marks: None,
            sizes: None,
            sides,
            steps: Vec::new(),
            refused_by: vec![obstacle],
            lost: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whether they connect, and nobody loses anything.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.decision.connects()
            && self.lost.is_empty()
            && self.refused_by.is_empty()
            && !self.notes.iter().any(Note::is_finding)
    }
}
