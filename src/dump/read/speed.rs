//! How fast a dump is read: `cargo test --release --lib dump::read::speed -- --ignored --nocapture`.

use std::time::Instant;

use super::super::examples::V08;
use super::*;

/// About how much text.
const TEXT: usize = 200 << 20;

/// A body of `piece` again and again.
fn dump_of(piece: &str) -> String {
    let (head, _) = V08.split_once("bm {").unwrap();
    format!("{head}bm {{{}\n}}\n", piece.repeat(TEXT / piece.len()))
}

/// Reads a text and returns how many words it has, and what they add up to.
fn read(text: &[u8]) -> (u64, u64) {
    let mut reader = DumpReader::new(text).unwrap();
    let mut words = reader.slot(BitmapIndex::new(0)).unwrap();
    let (mut count, mut sum) = (0, 0);
    while let Some(run) = words.next_run().unwrap() {
        match run {
            Run::Words(words) => {
                count += u64::try_from(words.len()).unwrap();
                sum += words.iter().map(|word| u64::from(*word)).sum::<u64>();
            }
            Run::Repeat { count: n, word } => {
                count += n;
                sum += n * u64::from(word);
            }
        }
    }
    drop(words);
    reader.finish().unwrap();
    (count, sum)
}

#[test]
#[ignore = "takes a while, and means something in release builds only"]
#[expect(clippy::print_stderr, reason = "it measures")]
fn a_body_is_read_at_gigabytes_a_second() {
    let line =
        "\n    0x0000000000000001; 0x0000000200000000; 0xFFFFFFFFFFFFFFFF; 0x0000000000000003;";
    let commented = format!("\n   # at 123456789kB{}", line.repeat(8));
    let repeated = "\n    16 times 0x0000000000000000;".to_owned();
    for (name, piece, words) in [
        ("full lines", line.to_owned(), 8),
        ("with comments", commented.clone(), 64),
        ("CRLF", commented.replace('\n', "\r\n"), 64),
        ("repeated", repeated, 32),
    ] {
        let text = dump_of(&piece);
        let pieces = u64::try_from(TEXT / piece.len()).unwrap();
        let fastest = (0..3)
            .map(|_| {
                let start = Instant::now();
                assert_eq!(read(text.as_bytes()).0, pieces * words);
                start.elapsed()
            })
            .min()
            .unwrap();
        let speed = u128::try_from(text.len()).unwrap() / fastest.as_micros().max(1);
        eprintln!("{name}: {speed} MB/s");
        // Far below what it does: no promise, but a sign that something became quadratic.
        assert!(cfg!(debug_assertions) || speed >= 50, "{name}");
    }
}
