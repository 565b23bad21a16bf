//! The dump parser held against drbdmeta: the dumps it printed, and what its `verify-dump` says of damaged ones.

/// Small ways to damage a text.
mod damage;
/// Where the two are known to differ, and who is right.
mod differences;

use std::path::Path;

use mdtool::dump::{Compat, DumpReader, Note, Preamble, print};
use mdtool::error::{Error, Refused};
use mdtool::format::bitmap::slot_len;
use mdtool::format::layout::{MdIndex, MdLayout};
use mdtool::format::metadata::{Bitmap, Generation, Run};
use mdtool::format::superblock::Format;
use mdtool::units::{BitmapIndex, Bytes};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use self::damage::{damage, damages};
use self::differences::{DIFFERENCES, known};
use crate::support::{Drbdmeta, scratch, sparse, testdata};

/// What drbdmeta said of a dump.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Theirs {
    Accepted,
    /// With the line that it named, if it did.
    Refused(Option<u64>),
    /// It was killed by a signal.
    Crashed,
}

/// What we say of it.
#[derive(Debug)]
struct Ours {
    /// What the head said, if it parsed.
    head: Option<(Format, Vec<Note>)>,
    end: Result<(), Error>,
}

fn ours(text: &[u8]) -> Ours {
    match DumpReader::new(text) {
        Ok(reader) => Ours {
            head: Some((reader.header().format(), reader.notes().to_vec())),
            end: reader.finish(),
        },
        Err(error) => Ours {
            head: None,
            end: Err(error),
        },
    }
}

/// drbdmeta, and a place for its files.
struct Verifier {
    drbdmeta: Drbdmeta,
    dir: tempfile::TempDir,
}

impl Verifier {
    fn new() -> Option<Self> {
        let drbdmeta = Drbdmeta::new()?;
        let dir = scratch();
        sparse(&dir.path().join("image"), 256 << 20);
        Some(Self { drbdmeta, dir })
    }

    fn theirs(&self, format: &str, text: &[u8]) -> Theirs {
        let dump = self.dir.path().join("dump");
        write(&dump, text);
        let words = ["verify-dump", dump.to_str().unwrap()];
        let run = self
            .drbdmeta
            .run(format, &self.dir.path().join("image"), "internal", &words);
        match run.status {
            0 => Theirs::Accepted,
            -1 => Theirs::Crashed,
            _ => {
                let line = run.stderr.split("Parse error in line ").nth(1);
                let line = line.and_then(|line| line.split(':').next());
                Theirs::Refused(line.and_then(|line| line.parse().ok()))
            }
        }
    }

    /// Whether this drbdmeta is new enough to know `members`.
    fn knows_members(&self) -> bool {
        self.theirs("v09", v09().as_bytes()) == Theirs::Accepted
    }
}

/// What the known differences are called.
pub(crate) fn difference_names() -> impl Iterator<Item = &'static str> {
    DIFFERENCES.iter().map(|difference| difference.name)
}

#[expect(clippy::disallowed_methods, reason = "tests make dumps by hand")]
fn write(path: &Path, text: &[u8]) {
    std::fs::write(path, text).unwrap();
}

fn dump(name: &str) -> String {
    std::fs::read_to_string(testdata("dumps").join(name)).unwrap()
}

fn v07() -> String {
    "version \"v07\";\n# comment\ngc {\n    -1; 2; 3; 4; 5;\n}\nla-size-sect 2048;\nbm {\n   # at 0kB\n    \
     24 times 0xFFFFFFFFFFFFFFFF;\n    0x0000000000000001; 0x00000000000000FF;\n}\n# bits-set 1;\n"
        .to_owned()
}

fn v08() -> String {
    dump("v08-pair-a-crashed.applied.md")
}

fn v09() -> String {
    dump("v09-pair-b-crashed.applied.md")
}

/// The same without the lines that begin thus.
fn without_lines(text: &str, start: &str) -> String {
    text.split_inclusive('\n')
        .filter(|line| !line.starts_with(start))
        .collect()
}

/// Whether the two agree on a text; else who said what.
fn compare(verifier: &Verifier, format: &str, text: &[u8]) -> Result<(), String> {
    let (ours, theirs) = (ours(text), verifier.theirs(format, text));
    let agree = match (&ours.end, &theirs) {
        (Err(Error::Syntax(ours)), Theirs::Refused(Some(line))) => ours.line == *line,
        (Ok(()), Theirs::Accepted) | (Err(_), Theirs::Refused(_)) => true,
        _ => false,
    };
    if agree || known(&ours, &theirs).is_some_and(|known| known.by_damage) {
        return Ok(());
    }
    Err(format!(
        "{format}: we: {ours:?}\nthey: {theirs:?}\n{}",
        String::from_utf8_lossy(text)
    ))
}

#[test]
fn damaged_dumps_are_accepted_and_refused_as_drbdmeta_does() {
    let Some(verifier) = Verifier::new() else {
        return;
    };
    let v09 = if verifier.knows_members() {
        v09()
    } else {
        without_lines(&v09(), "members")
    };
    let bases = [
        ("v07", v07()),
        ("v08", v08()),
        ("v08", v08().replace('\n', "\r\n")),
        ("v09", v09),
    ];
    for (format, text) in &bases {
        assert_eq!(verifier.theirs(format, text.as_bytes()), Theirs::Accepted);
        assert!(ours(text.as_bytes()).end.is_ok(), "{text}");
    }
    let config = Config {
        cases: crate::test_cases::cases(500),
        failure_persistence: None,
        ..Config::default()
    };
    // The same cases every time: what is new is found by changing them, not by chance in somebody's build.
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (accepted, refused) = (std::cell::Cell::new(0), std::cell::Cell::new(0));
    let result = TestRunner::new_with_rng(config, rng).run(
        &(proptest::sample::select(bases.to_vec()), damages()),
        |((format, text), damages)| {
            let text = damage(&text, &damages);
            let count = if ours(&text).end.is_ok() {
                &accepted
            } else {
                &refused
            };
            count.set(count.get() + 1);
            compare(&verifier, format, &text).map_err(proptest::test_runner::TestCaseError::fail)
        },
    );
    if let Err(TestError::Fail(reason, ((_, _), damages))) = result {
        panic!("{damages:?}: {reason}");
    }
    // Neither all of them whole nor all of them broken.
    assert!(
        accepted.get() > 50 && refused.get() > 100,
        "{accepted:?} {refused:?}"
    );
}

#[test]
fn every_known_difference_is_one() {
    let Some(verifier) = Verifier::new() else {
        return;
    };
    for difference in DIFFERENCES {
        for (format, text) in (difference.examples)() {
            let (ours, theirs) = (
                ours(text.as_bytes()),
                verifier.theirs(format, text.as_bytes()),
            );
            assert_eq!(
                known(&ours, &theirs).map(|known| known.name),
                Some(difference.name),
                "{}\nwe: {ours:?}\nthey: {theirs:?}",
                difference.why
            );
        }
    }
}

/// All words of one slot.
fn slot_words(bitmap: &mut dyn Bitmap, slot: u8) -> Vec<u32> {
    let mut all = Vec::new();
    let mut words = bitmap.slot(BitmapIndex::new(slot)).unwrap();
    while let Some(run) = words.next_run().unwrap() {
        match run {
            Run::Words(words) => all.extend_from_slice(words),
            Run::Repeat { count, word } => {
                all.extend(std::iter::repeat_n(word, usize::try_from(count).unwrap()));
            }
        }
    }
    all
}

/// The names of drbdmeta's dumps of this kind: `applied` or `forced`.
fn dumps(kind: &str) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(testdata("dumps"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(&format!(".{kind}.md")))
        .collect();
    names.sort();
    assert_eq!(names.len(), 16);
    names
}

#[test]
fn drbdmetas_dumps_of_clean_metadata_are_read() {
    for name in dumps("applied") {
        let text = dump(&name);
        let comment = |start: &str| -> u64 {
            let (_, behind) = text.split_once(start).unwrap();
            behind.split(';').next().unwrap().parse().unwrap()
        };
        let mut reader = DumpReader::new(text.as_bytes()).unwrap();
        assert_eq!(reader.notes(), [], "{name}");
        let slots = u8::try_from(reader.header().geometry.max_peers).unwrap();
        let mut set = 0;
        for slot in 0..slots {
            let words = slot_words(&mut reader, slot);
            set = words.iter().map(|word| u64::from(word.count_ones())).sum();
            // All of its words but a last one without a partner.
            let expected = slot_len(comment("# bm-bytes ") / 4, slot.into(), slots.into());
            assert_eq!(words.len() as u64, expected / 2 * 2, "{name}");
        }
        assert_eq!(set, comment("# bits-set "), "{name}");
        reader.finish().unwrap();
    }
}

#[test]
fn drbdmetas_dumps_of_unclean_metadata_are_refused_as_such() {
    for name in dumps("forced") {
        let text = dump(&name);
        let error = DumpReader::new(text.as_bytes()).map(drop).unwrap_err();
        assert!(
            matches!(error, Error::Refused(Refused::UncleanDump { line: 8 })),
            "{name}: {error}"
        );
    }
}

#[test]
fn drbdmetas_dumps_are_printed_again_but_for_where_they_lay() {
    let preamble = Preamble {
        time: "TIME".to_owned(),
        origin: "HOST> COMMAND".to_owned(),
    };
    let places = ["# al-extents", "# al_offset", "# bm_offset", "# md_"];
    let without_places = |text: &str| {
        places
            .iter()
            .fold(text.to_owned(), |text, place| without_lines(&text, place))
    };
    for name in dumps("applied") {
        let text = dump(&name);
        let mut reader = DumpReader::new(text.as_bytes()).unwrap();
        let header = reader.header().clone();
        assert!(!matches!(header.generation, Generation::V07(_)));
        let device = Bytes::new(1 << 30);
        let layout = MdLayout::planned(MdIndex::FlexExternal, header.geometry, device).unwrap();
        let mut out = Vec::new();
        print(
            &mut out,
            &header,
            &layout,
            &mut reader,
            &preamble,
            Compat::NEWEST,
        )
        .unwrap();
        reader.finish().unwrap();
        let again = String::from_utf8(out).unwrap();
        assert_eq!(without_places(&again), without_places(&text), "{name}");
    }
}
