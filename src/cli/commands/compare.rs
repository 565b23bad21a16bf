//! `mdtool compare`.

pub(crate) mod args;
pub(crate) mod view;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::compare::args::{CompareArgs, OnOff, PairArgs};
use crate::cli::commands::compare::view::{Comparison, Facts};
use crate::cli::outcome::Outcome;
use crate::cli::session::source::{Meant, ReadBy, Source};
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::{Bitmap, Generation, SlotWords};
use crate::format::superblock::Uuid;
use crate::image::random_u64;
use crate::surgery::described::judged;
use crate::surgery::edit::begin_generation;
use crate::units::{Bytes, NodeId, Sectors};
use crate::verdict::handshake::{
    Family, Log, Mark, Marks, Options, Pair, Replica, RrConflict, SideOptions, compare,
};

/// What `compare --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 they will connect, and nobody loses anything; 1 something stands in the way or is lost, or there is no metadata; 2 could not look.";

pub(crate) fn run(args: &CompareArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    only_one_stdin(&args.sources)?;
    let meant = Meant {
        level: args.level,
        stacked: args.stacked,
    };
    let mut known = Vec::new();
    for path in &args.sources {
        let read = || {
            let source = Source::open(path, meant)?;
            let (warnings, replica) = (source.warnings()?, source.replica()?);
            anyhow::Ok((warnings, (source, replica)))
        };
        let mended = |error| ReadBy::note(error, path);
        let (warnings, one) = read().map_err(mended)?;
        for warning in warnings {
            out.tell(format_args!("mdtool: warning: {}: {warning}", one.0.name));
        }
        known.push(one);
    }
    let comparison = all_pairs(&known, &args.pair)?;
    if args.json {
        comparison.json(out.stdout)?;
    } else {
        comparison.print(out.stdout)?;
    }
    Ok(if comparison.is_fine() {
        Outcome::Done
    } else {
        Outcome::No
    })
}

/// Standard input is there once.
fn only_one_stdin(sources: &[PathBuf]) -> anyhow::Result<()> {
    let given = sources.iter().filter(|path| path.as_path() == Path::new("-"));
    anyhow::ensure!(given.count() < 2, "-: standard input can be one source only");
    Ok(())
}

/// Compares each with each.
pub(crate) fn all_pairs(known: &[(Source, Replica)], args: &PairArgs) -> anyhow::Result<Comparison> {
    for letter in args.primary.iter().chain(args.net.iter().filter_map(|net| net.side.as_ref())) {
        anyhow::ensure!(letter.0 < known.len(), "there are {} sources, and an option names one more", known.len());
    }
    let mut facts = Vec::new();
    for (a, first) in known.iter().enumerate() {
        for (b, second) in known.iter().enumerate().skip(a.saturating_add(1)) {
            facts.push(pair_of((a, first), (b, second), args)?);
        }
    }
    Ok(Comparison::of(known, facts, args))
}

fn pair_of(
    (a, (first, replica)): (usize, &(Source, Replica)),
    (b, (second, other)): (usize, &(Source, Replica)),
    args: &PairArgs,
) -> anyhow::Result<Facts> {
    let options = options([a, b], args)?;
    let pair = compare(replica, other, &options);
    known_to(pair.family, &options)?;
    let bits = match &pair.marks {
        Some(marks) => {
            let names = || format!("{} and {}", first.name, second.name);
            Some(count(marks, first, second).with_context(names)?)
        }
        None => None,
    };
    Ok(Facts { a, b, pair, bits })
}

/// The configured size: 0 is DRBD's default, and means that none is configured.
fn configured(args: &PairArgs) -> anyhow::Result<Option<Sectors>> {
    let Some(size) = args.size.filter(|size| size.0 > Bytes::ZERO) else {
        return Ok(None);
    };
    let sectors = size.0.to_sectors_floor();
    anyhow::ensure!(
        sectors.to_bytes() == Some(size.0),
        "--size: {} is no whole number of sectors of 512 bytes",
        size.0
    );
    Ok(Some(sectors))
}

/// What 8.4 has no such value for.
fn known_to(family: Family, options: &Options) -> anyhow::Result<()> {
    let new = |side: &SideOptions| matches!(side.net.rr_conflict, RrConflict::RetryConnect | RrConflict::AutoDiscard);
    anyhow::ensure!(
        family == Family::V9 || !options.sides.iter().any(new),
        "--net: DRBD 8.4 knows no rr-conflict but disconnect, call-pri-lost and violently"
    );
    Ok(())
}

/// What holds between two of them.
fn options(sides: [usize; 2], args: &PairArgs) -> anyhow::Result<Options> {
    let side = |place: usize| {
        let mut side = SideOptions {
            primary: args.primary.iter().any(|letter| letter.0 == place),
            ..SideOptions::default()
        };
        for setting in &args.net {
            if setting.side.is_none_or(|letter| letter.0 == place) {
                setting.apply(&mut side.net).map_err(anyhow::Error::msg)?;
            }
        }
        anyhow::Ok(side)
    };
    let [a, b] = sides;
    Ok(Options {
        kernel: args.kernel,
        protocol: args.protocol,
        size: configured(args)?,
        quorum: args.quorum.map(|quorum| quorum == OnOff::On),
        sides: [side(a)?, side(b)?],
    })
}

/// Counts what a resync begins with.
fn count(marks: &Marks, a: &Source, b: &Source) -> anyhow::Result<u64> {
    let (mut first, mut second) = (a.bitmap()?, b.bitmap()?);
    let words = [
        words(&mut *first, marks.sides[0])?,
        words(&mut *second, marks.sides[1])?,
    ];
    Ok(marks.count(words)?)
}

fn words<'b>(bitmap: &'b mut (dyn Bitmap + '_), mark: Mark) -> crate::error::Result<Option<Box<dyn SlotWords + 'b>>> {
    match mark {
        Mark::Slot(slot) => bitmap.slot(slot).map(Some),
        Mark::Nothing | Mark::All => Ok(None),
    }
}

/// What connecting a copy, adopted on a disk of that size, to a peer will decide: its log applied, and where it has the peer's node id,
/// another one.
pub(crate) fn after_adoption(copy: Source, disk: Bytes, peer: &Path) -> anyhow::Result<Comparison> {
    let copy = copy.adopted();
    let mut replica = copy.replica()?;
    replica.header = replica.header.with_log_applied();
    let read = || {
        let peer = Source::open(peer, Meant::default())?;
        let other = peer.replica()?;
        anyhow::Ok((peer, other))
    };
    let mended = |error| ReadBy::note(error, peer);
    let (peer, other) = read().map_err(mended)?;
    let ids = [replica.header.node_id(), other.header.node_id()];
    if let [Some(own), Some(source)] = ids
        && own == source
        && let Some(target) = tracked(&other)
    {
        replica.header.move_to_node(target)?;
        replica.header.note_disk_seen(source);
    }
    move_to_disk(&mut replica, disk);
    all_pairs(&[(copy, replica), (peer, other)], &PairArgs::default())
}

/// Internal metadata lies at the end of the disk that it is adopted on, whatever disk it comes from.
fn move_to_disk(replica: &mut Replica, disk: Bytes) {
    let planned = MdLayout::planned(MdIndex::FlexInternal, replica.header.geometry, disk);
    let Some(layout) = planned.ok().filter(|_| replica.capacity.is_some()) else {
        return;
    };
    replica.capacity = Some(layout.usable);
    replica.refusals = judged(&replica.header, &layout, disk);
}

/// What the handshake decides when a copy, made between the two `new-current-uuid` of a departure and adopted as `node`, meets its source.
pub(crate) fn after_departure(source: &Source, node: Option<NodeId>) -> anyhow::Result<Pair> {
    let mut here = source.replica()?;
    here.header = here.header.with_log_applied();
    here.log = Log::Applied;
    begin_generation(&mut here.header, Uuid(random_u64()?), Uuid(random_u64()?));
    here.slots.fill(0);
    here.last_bits = 0;
    let mut there = here.clone();
    begin_generation(&mut here.header, Uuid(random_u64()?), Uuid(random_u64()?));
    if let Some(own) = here.header.node_id()
        && let Some(target) = node.or_else(|| tracked(&here))
        && target != own
    {
        there.header.move_to_node(target)?;
        there.header.note_disk_seen(own);
    }
    let options = Options {
        sides: [
            SideOptions {
                primary: true,
                ..SideOptions::default()
            },
            SideOptions::default(),
        ],
        ..Options::default()
    };
    Ok(compare(&here, &there, &options))
}

/// The first node that has a slot.
fn tracked(replica: &Replica) -> Option<NodeId> {
    let Generation::V09(generation) = &replica.header.generation else {
        return None;
    };
    let mut peers = generation.peers.iter().zip(0..);
    let found = peers.find(|(entry, _)| entry.bitmap_index >= 0);
    found.map(|(_, node)| NodeId::new(node))
}
