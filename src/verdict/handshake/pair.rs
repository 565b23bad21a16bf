//! Two replicas, asked from both sides.

mod losses;
mod marks;
mod remark;
mod remarks;
mod who;

use super::decision::{Decision, Strategy};
use super::disk::Disk;
use super::node::Node;
use super::options::{Options, SideOptions};
use super::replica::Replica;
use super::settle::{Settled, Side, Step, settle_8, settle_9};
use super::sizes::Sizes;
use super::{Family, rules_8, rules_9};
use crate::format::metadata::Generation;
use crate::verdict::check::Kernel;
use losses::Outcomes;
pub use marks::{Mark, Marks};
pub use remark::{Counted, Loss, Note, Obstacle, WhyFull};

/// What connecting two replicas decides.
#[derive(Clone, Debug)]
#[non_exhaustive]
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
    /// What comes of it where the other side's connection wins; nothing where that makes no difference.
    pub otherwise: Option<Decision>,
    /// What a resync begins with; nothing where none begins.
    pub marks: Option<Marks>,
    /// Sizes, where both attach.
    pub sizes: Option<Sizes>,
    /// Each side after attach.
    pub sides: [SideView; 2],
    /// What had a say besides the generations, on either side.
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
#[non_exhaustive]
pub struct SideView {
    /// Its node id: its own, or where it has none what the other has an entry for.
    pub id: usize,
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
    pub bits: Counted,
    /// The kernels that attached it.
    pub family: Family,
    /// Promoting it began a generation that its metadata does not have yet (8.4).
    pub promoted_anew: bool,
}

pub(super) fn compare(replicas: [&Replica; 2], options: &Options) -> Pair {
    let families = who::families(replicas, options);
    let family = who::newer(families);
    let obstacles = remarks::formats(replicas, options);
    if !obstacles.is_empty() {
        return Pair::refused(replicas, family, obstacles);
    }
    if let Some(obstacle) = remarks::settings(options) {
        return Pair::refused(replicas, family, vec![obstacle]);
    }
    let ids = match who::node_ids(replicas) {
        Ok(ids) => ids,
        Err(obstacle) => return Pair::refused(replicas, family, vec![obstacle]),
    };
    let [a, b] = replicas;
    let [own, peers] = &options.sides;
    let mut nodes = [
        Node::attached(a, ids[0], ids[1], options, families[0], own.primary),
        Node::attached(b, ids[1], ids[0], options, families[1], peers.primary),
    ];
    let refused =
        |(node, side): (&Node<'_>, &SideOptions)| node.primary && side.net.discard_my_data;
    if let Some(side) = nodes.iter().zip(&options.sides).position(refused) {
        return Pair::refused(replicas, family, vec![Obstacle::DiscardAsPrimary { side }]);
    }
    for (node, fresh) in nodes.iter_mut().zip(who::unused(replicas)) {
        node.promoted_8(fresh);
    }
    Meeting {
        nodes,
        options,
        family,
    }
    .pair()
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
        // Between the formats 8.4's protocol is spoken.
        let old = self.is_mixed();
        let told = old.then(|| peer.as_8_is_told());
        let peer = told.as_ref().unwrap_or(peer);
        let (rule, strategy) = match me.family {
            Family::V8 => rules_8::compare(&rules_8::View { me, peer, wins }),
            Family::V9 => rules_9::compare(&rules_9::View {
                me,
                peer,
                wins,
                protocol: self.options.protocol,
                old,
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
            old,
            rule,
        };
        let quorum_policy =
            self.options.quorum == Some(true) || me.quorum.is_some() || peer.quorum.is_some();
        let mut settled = match me.family {
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

    /// Whether one is v08 and the other v09.
    fn is_mixed(&self) -> bool {
        let [a, b] = self
            .nodes
            .each_ref()
            .map(|node| node.replica.header.format());
        a != b
    }

    /// Whose connection is taken to win where that decides: the same whichever is named first.
    ///
    /// Any rule would do. This one is the order that the recorded kernels connected in, where the metadata shows it.
    fn first_wins(&self) -> bool {
        let key = |node: &Node<'_>| {
            let seen = (node.current, node.bitmap, node.history.clone(), node.bits);
            // v08 has no node ids: what the kernel does not look at tells the two apart then.
            let rest = match &node.replica.header.generation {
                Generation::V08(generation) => {
                    Some((generation.uuids.map(|uuid| uuid.0), generation.flags.0))
                }
                _ => None,
            };
            let id = rest.is_none().then_some(node.id);
            (id, seen, rest, node.replica.header.la_size)
        };
        let [a, b] = self.nodes.each_ref().map(key);
        match self.family {
            Family::V8 => a <= b,
            Family::V9 => a > b,
        }
    }

    fn pair(&self) -> Pair {
        let agreed = Sizes::of([&self.nodes[0], &self.nodes[1]], self.options);
        let first = self.first_wins();
        let answers = self.answers(first);
        let decision = self.decision(&answers[0], &answers[1], &agreed);
        let other = self.answers(!first);
        let arbitrary = self.decisions(&answers, &agreed) != self.decisions(&other, &agreed);
        let mirrored = self.mirrored(&answers, &agreed);
        let [small, peer_small] = agreed.too_small.map(|small| small.is_some());
        let rules = [
            rule(&self.nodes[0], &answers[0], small),
            rule(&self.nodes[1], &answers[1], peer_small),
        ];
        let tentative = self.options.sides.iter().any(|side| side.net.tentative);
        let begins = decision.connects() && mirrored && !tentative;
        let marks = begins.then(|| self.marks(&answers, &agreed));
        let outcomes = Outcomes {
            answers: &answers,
            otherwise: arbitrary.then_some(&other),
        };
        let remarks = remarks::of(self, outcomes, &agreed, decision, marks.as_ref());
        let otherwise = arbitrary.then(|| self.decision(&other[0], &other[1], &agreed));
        let [a, b] = answers;
        let sides = [
            (&self.nodes[0], &a, rules[0]),
            (&self.nodes[1], &b, rules[1]),
        ];
        let sides = sides.map(|(node, answer, rule)| SideView {
            id: node.id,
            disk: node.disk,
            primary: node.primary,
            crashed: node.crashed,
            rule,
            decision: answer.settled.decision,
            bits: losses::counted(node),
            family: node.family,
            promoted_anew: remarks::promoted_anew(node),
        });
        Pair {
            family: self.family,
            rule: rules[0],
            decision,
            mirrored,
            arbitrary,
            otherwise,
            marks,
            sizes: Some(agreed),
            sides,
            steps: joined(a.settled.steps, b.settled.steps),
            refused_by: remarks.refused_by,
            lost: remarks.lost,
            notes: remarks.notes,
        }
    }

    /// What comes of it, seen from each side.
    fn decisions(&self, [a, b]: &[Answer; 2], sizes: &Sizes) -> [Decision; 2] {
        [self.decision(a, b, sizes), self.decision(b, a, sizes)]
    }

    fn decision(&self, a: &Answer, b: &Answer, sizes: &Sizes) -> Decision {
        let small = sizes.too_small.iter().any(Option::is_some);
        let slotless = self.nodes.iter().any(|node| node.slot.is_none());
        if slotless || self.drops_for_size(sizes) {
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

    /// 8.4 drops the connection before it compares anything, where it would have to shrink.
    fn drops_for_size(&self, sizes: &Sizes) -> bool {
        let mut each = self.nodes.iter().zip(sizes.too_small);
        each.any(|(node, small)| node.family == Family::V8 && small.is_some())
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
        // 8.4's side that would have to shrink drops the connection: nothing is left for the other to settle.
        if self.drops_for_size(sizes) {
            return true;
        }
        let (own, peers) = (a.settled.decision, b.settled.decision);
        let alike = own.connects() == peers.connects();
        a.asked.mirrored() == b.asked && (!alike || own.mirrored() == peers)
    }
}

/// What either side went through, once.
fn joined(mut own: Vec<Step>, peers: Vec<Step>) -> Vec<Step> {
    for step in peers {
        if !own.contains(&step) {
            own.push(step);
        }
    }
    own
}

/// 8.4 looks at the sizes first, and drops the connection before it compares anything.
fn rule(node: &Node<'_>, answer: &Answer, too_small: bool) -> Option<&'static str> {
    let compared = node.family == Family::V9 || !too_small;
    compared.then_some(answer.rule)
}

impl Pair {
    /// A pair that does not come as far as comparing anything.
    fn refused(replicas: [&Replica; 2], family: Family, refused_by: Vec<Obstacle>) -> Self {
        let sides = replicas.map(|replica| SideView {
            id: 0,
            disk: Disk::at_attach(&replica.header, family),
            family,
            promoted_anew: false,
            primary: false,
            crashed: false,
            rule: None,
            decision: Decision::Refused,
            bits: Counted {
                bits: 0,
                at_least: false,
            },
        });
        Self {
            family,
            rule: None,
            decision: Decision::Refused,
            mirrored: true,
            arbitrary: false,
            otherwise: None,
            marks: None,
            sizes: None,
            sides,
            steps: Vec::new(),
            refused_by,
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
