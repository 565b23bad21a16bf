//! Every decision in testdata/handshake, predicted.

use serde_json::Value;

use crate::dump::DumpReader;
use crate::format::bitmap::count_set;
use crate::format::metadata::Bitmap;
use crate::units::{BitmapIndex, Sectors};
use crate::verdict::handshake::{Log, Mark, Options, Pair, Replica, compare};

/// A case: what it is called, what the kernels said, and both dumps.
struct Case {
    family: &'static str,
    name: String,
    result: Value,
    dumps: [String; 2],
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for family in ["84", "9"] {
        let path = format!(
            "{}/testdata/handshake/{family}.txt",
            env!("CARGO_MANIFEST_DIR")
        );
        let text = std::fs::read_to_string(path).unwrap();
        let mut parts = text
            .split("=== ")
            .skip(1)
            .map(|part| part.split_once('\n').unwrap());
        while let Some((title, json)) = parts.next() {
            let (name, _) = title.split_once(' ').unwrap();
            let mut dump = || parts.next().unwrap().1.to_owned();
            cases.push(Case {
                family,
                name: name.to_owned(),
                result: serde_json::from_str(json).unwrap(),
                dumps: [dump(), dump()],
            });
        }
    }
    cases
}

fn replica(dump: &str) -> Replica {
    let mut reader = DumpReader::looking(dump.as_bytes()).unwrap();
    let header = reader.header().clone();
    let bits = header.geometry.bits(header.la_size).unwrap();
    let mut slots = Vec::new();
    for slot in 0..header.geometry.max_peers {
        let slot = BitmapIndex::new(u8::try_from(slot).unwrap());
        slots.push(count_set(&mut *reader.slot(slot).unwrap(), bits).unwrap());
    }
    let capacity = reader.places().usable();
    reader.finish().unwrap();
    let kept = bits.saturating_sub(64);
    let mut reader = DumpReader::looking(dump.as_bytes()).unwrap();
    let kept = count_set(&mut *reader.slot(BitmapIndex::new(0)).unwrap(), kept).unwrap();
    Replica {
        log: Log::unseen(&header),
        last_bits: slots[0] - kept,
        header,
        capacity,
        slots,
        refusals: Vec::new(),
        flags: crate::verdict::handshake::FlagsTold::Known,
    }
}

/// The options that a case says in words.
fn options(result: &Value) -> Options {
    let mut options = Options::default();
    let text = |field: &str| result[field].as_str().unwrap_or_default().to_owned();
    options.protocol = text("protocol").parse().unwrap();
    let promoted = text("before_connect");
    options.sides[0].primary = ["a promoted", "both promoted"].contains(&promoted.as_str());
    options.sides[1].primary = ["b promoted", "both promoted"].contains(&promoted.as_str());
    for (side, field) in options.sides.iter_mut().zip(["net_a", "net_b"]) {
        for setting in text(field).split_whitespace() {
            let (name, value) = setting.trim_start_matches("--").split_once('=').unwrap();
            side.net.set(name, value).unwrap();
        }
    }
    for note in result["notes"].as_array().unwrap() {
        let note = note.as_str().unwrap();
        if note.contains("quorum=2 on both") {
            options.quorum = Some(true);
        }
        if note.contains("both had size 8 MiB") && !note.contains("no size configured now") {
            options.size = Some(Sectors::new(16384));
        }
    }
    options
}

fn bits(pair: &Pair, dumps: [&str; 2]) -> Option<u64> {
    let marks = pair.marks.as_ref()?;
    let mut readers = dumps.map(|dump| DumpReader::looking(dump.as_bytes()).unwrap());
    let [a, b] = &mut readers;
    let a = match marks.sides[0] {
        Mark::Slot(slot) => Some(a.slot(slot).unwrap()),
        _ => None,
    };
    let b = match marks.sides[1] {
        Mark::Slot(slot) => Some(b.slot(slot).unwrap()),
        _ => None,
    };
    Some(marks.count([a, b]).unwrap())
}

/// Whether both crashed, or wrote as much as the other, so that the direction depends on whose connection wins.
fn is_arbitrary(name: &str) -> bool {
    [
        "crash-both-primary",
        "e-crashed-both",
        "e-lostq-both-noquorum",
        "sb-histboth-always-asbp",
    ]
    .iter()
    .any(|one| name.starts_with(one))
}

#[test]
fn what_real_kernels_decided_is_predicted() {
    let mut wrong = Vec::new();
    let (mut count, mut without_log) = (0, 0);
    for case in cases() {
        count += 1;
        let [a, b] = case.dumps.each_ref().map(|dump| replica(dump));
        let pair = compare(&a, &b, &options(&case.result));
        let expected = (
            case.result["rule"].as_str(),
            case.result["decision"].as_str().unwrap(),
            // Where one side dropped the connection before it compared anything, nothing is recorded, and nothing is left to differ.
            case.result["mirrored"].as_bool().unwrap_or(true),
        );
        let mut found = (pair.rule, pair.decision.word(), pair.mirrored);
        if pair.arbitrary
            && is_arbitrary(&case.name)
            && pair.decision.mirrored().word() == expected.1
        {
            found.1 = expected.1;
        }
        if found != expected || pair.arbitrary != is_arbitrary(&case.name) {
            wrong.push(format!(
                "{} {}: {found:?}, the kernel: {expected:?} arbitrary {}",
                case.family, case.name, pair.arbitrary
            ));
            continue;
        }
        let sent = bits(&pair, [&case.dumps[0], &case.dumps[1]]);
        let theirs = case.result["sync_bits"].as_u64();
        let at_least = pair.marks.as_ref().is_some_and(|marks| marks.at_least);
        if sent != theirs {
            if at_least && sent < theirs {
                without_log += 1;
            } else {
                wrong.push(format!(
                    "{} {}: {sent:?} bits, the kernel: {theirs:?}",
                    case.family, case.name
                ));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
    assert_eq!((count, without_log), (215, 19));
}
