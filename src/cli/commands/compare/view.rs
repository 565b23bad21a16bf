//! What compare prints: one view, as text for people and as JSON for programs.

mod choices;
mod histories;
mod matrix;
mod text;
mod words;

use std::io::{self, Write};

use serde::Serialize;

use crate::cli::commands::compare::args::PairArgs;
use crate::cli::commands::show::args::Rate;
use crate::cli::output::document;
use crate::cli::session::source::Source;
use crate::format::bitmap::out_of_sync;
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::Uuid;
use crate::units::{Bytes, Sectors};
use crate::verdict::handshake::{Decision, Disk, Family, Log, Pair, Replica};
use words::Sentence;

/// What keeps a pair from connecting, in words.
pub(crate) fn obstacles(pair: &Pair) -> Vec<String> {
    let names = words::Names { a: 0, b: 1 };
    let refused = pair.refused_by.iter();
    refused
        .map(|obstacle| words::obstacle(obstacle, names).text)
        .collect()
}

/// A pair, and what was counted for it.
pub(crate) struct Facts {
    pub(crate) a: usize,
    pub(crate) b: usize,
    pub(crate) pair: Pair,
    pub(crate) bits: Option<u64>,
}

/// All of them.
#[derive(Serialize)]
pub(crate) struct Comparison {
    /// What `--kernel` said.
    kernel: Option<&'static str>,
    replicas: Vec<ReplicaView>,
    pairs: Vec<PairView>,
    /// Who has the newest data, where it can be told.
    newest: Vec<usize>,
    /// Those of which none can have the newest data: Inconsistent ones.
    #[serde(skip)]
    unusable: Vec<usize>,
    /// Two that cannot be held against each other, so that nobody can be named.
    #[serde(skip)]
    unknown: Option<[usize; 2]>,
    #[serde(skip)]
    rate: Rate,
}

/// A replica.
#[derive(Serialize)]
struct ReplicaView {
    source: String,
    level: Option<usize>,
    format: String,
    node_id: Option<i32>,
    disk_state: String,
    state: String,
    log: &'static str,
    current_uuid: Option<String>,
    la_size_sect: u64,
    usable_sect: Option<u64>,
    bytes_per_bit: u32,
    slot_bits: Vec<u64>,
    #[serde(skip)]
    header: Header,
}

/// What one pair decides, from the first one's side.
#[derive(Serialize)]
struct PairView {
    a: usize,
    b: usize,
    family: String,
    rule: Option<&'static str>,
    rule_b: Option<&'static str>,
    decision: &'static str,
    mirrored: bool,
    arbitrary: bool,
    sync_bits: Option<u64>,
    sync_bits_at_least: bool,
    sync_bytes: Option<u64>,
    agreed_sect: Option<u64>,
    refused_by: Vec<Sentence>,
    lost: Vec<Sentence>,
    notes: Vec<Sentence>,
    /// The coarser side's.
    #[serde(skip)]
    bytes_per_bit: u64,
    #[serde(skip)]
    pair: Pair,
}

impl Comparison {
    pub(crate) fn of(known: &[(Source, Replica)], facts: Vec<Facts>, args: &PairArgs) -> Self {
        let family = |header: &Header| match args.kernel {
            Some(kernel) if kernel.is_9() => Family::V9,
            Some(_) => Family::V8,
            None => Family::of(header.format()),
        };
        let replicas = known.iter().map(|one| ReplicaView::of(one, family(&one.1.header))).collect();
        let unusable = unusable(known.len(), &facts);
        let usable: Vec<usize> = (0..known.len()).filter(|one| !unusable.contains(one)).collect();
        let (newest, unknown) = newest(&usable, &facts);
        Self {
            kernel: args.kernel.map(crate::verdict::check::Kernel::name),
            replicas,
            pairs: facts.into_iter().map(|facts| PairView::of(facts, known)).collect(),
            newest,
            unusable,
            unknown,
            rate: args.rate,
        }
    }

    /// Whether all of them connect, and nobody loses anything.
    pub(crate) fn is_fine(&self) -> bool {
        self.pairs.iter().all(|pair| pair.pair.is_fine())
    }

    /// Prints one document.
    pub(crate) fn json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        Ok(document::print(out, serde_json::to_value(self)?)?)
    }

    /// Prints text.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        text::print(self, out)
    }
}

impl ReplicaView {
    fn of((source, replica): &(Source, Replica), family: Family) -> Self {
        let header = &replica.header;
        let (node_id, current) = match &header.generation {
            Generation::V07(_) => (None, None),
            Generation::V08(generation) => (None, Some(generation.uuids[0])),
            Generation::V09(generation) => (Some(generation.node_id), Some(generation.current_uuid)),
        };
        Self {
            source: source.name.clone(),
            level: source.level(),
            format: header.format().to_string(),
            node_id,
            disk_state: Disk::at_attach(header, family).to_string(),
            state: header.al_state.to_string(),
            log: match replica.log {
                Log::Applied => "applied",
                Log::Counted => "counted",
                Log::Missing => "missing",
            },
            current_uuid: current.as_ref().map(Uuid::to_string),
            la_size_sect: header.la_size.get(),
            usable_sect: replica.capacity.map(Sectors::get),
            bytes_per_bit: header.geometry.bytes_per_bit,
            slot_bits: replica.slots.clone(),
            header: header.clone(),
        }
    }
}

impl PairView {
    fn of(facts: Facts, known: &[(Source, Replica)]) -> Self {
        let Facts { a, b, pair, bits } = facts;
        let names = words::Names { a, b };
        let agreed = pair.sizes.as_ref().and_then(|sizes| sizes.agreed);
        let per_bit = |place: usize| known.get(place).map_or(0, |(_, replica)| replica.header.geometry.bytes_per_bit);
        let coarser = pair.marks.as_ref().map(|marks| marks.bytes_per_bit);
        let bytes = bits.zip(coarser).and_then(|(bits, per_bit)| {
            let most = agreed.unwrap_or(Sectors::new(u64::MAX));
            out_of_sync(bits, per_bit, most).to_bytes()
        });
        Self {
            a,
            b,
            family: pair.family.to_string(),
            rule: pair.rule,
            rule_b: pair.sides[1].rule,
            decision: pair.decision.word(),
            mirrored: pair.mirrored,
            arbitrary: pair.arbitrary,
            sync_bits: bits,
            sync_bits_at_least: pair.marks.as_ref().is_some_and(|marks| marks.at_least),
            sync_bytes: bytes.map(Bytes::get),
            agreed_sect: agreed.map(Sectors::get),
            refused_by: pair.refused_by.iter().map(|why| words::obstacle(why, names)).collect(),
            lost: pair.lost.iter().map(|loss| words::loss(loss, names)).collect(),
            notes: words::steps(&pair, names)
                .into_iter()
                .chain(pair.notes.iter().map(|note| words::note(note, names)))
                .collect(),
            bytes_per_bit: u64::from(per_bit(a).max(per_bit(b))),
            pair,
        }
    }
}

/// Those that are Inconsistent, whatever their generations say: nobody can use what they have.
fn unusable(count: usize, facts: &[Facts]) -> Vec<usize> {
    let is = |one: &usize| {
        let sides = facts.iter().flat_map(|facts| [facts.a, facts.b].into_iter().zip(&facts.pair.sides));
        sides.filter(|(place, _)| place == one).any(|(_, side)| side.disk == Disk::Inconsistent)
    };
    (0..count).filter(is).collect()
}

/// Who of them is nobody's target; nobody where two of them wrote apart, or cannot be held against each other, which are named.
fn newest(usable: &[usize], facts: &[Facts]) -> (Vec<usize>, Option<[usize; 2]>) {
    let facts = || facts.iter().filter(|facts| usable.contains(&facts.a) && usable.contains(&facts.b));
    let behind = |one: usize| {
        facts().filter(|facts| !facts.pair.arbitrary).any(|facts| {
            let decision = if facts.a == one {
                facts.pair.decision
            } else if facts.b == one {
                facts.pair.decision.mirrored()
            } else {
                return false;
            };
            decision.is_target()
        })
    };
    let ahead: Vec<usize> = usable.iter().copied().filter(|one| !behind(*one)).collect();
    let both = |facts: &&Facts| ahead.contains(&facts.a) && ahead.contains(&facts.b);
    let unclear = |facts: &Facts| facts.pair.arbitrary || facts.pair.decision == Decision::Refused;
    let mut meeting = facts().filter(both);
    if let Some(facts) = meeting.clone().find(|facts| unclear(facts)) {
        return (Vec::new(), Some([facts.a, facts.b]));
    }
    let apart = meeting.any(|facts| !facts.pair.decision.connects());
    (if apart { Vec::new() } else { ahead }, None)
}
