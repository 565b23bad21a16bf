use std::io;

use super::super::examples::{V07, V08, slot_words, syntax, v09, with, words};
use super::*;
use crate::error::Found;

/// A v08 dump with this body.
fn v08_body(body: &str) -> String {
    let (head, _) = V08.split_once("bm {").unwrap();
    format!("{head}bm {{{body}}}\n")
}

fn runs(text: &str) -> Vec<(u64, Option<u32>)> {
    let mut reader = DumpReader::new(text.as_bytes()).unwrap();
    let mut words = reader.slot(BitmapIndex::new(0)).unwrap();
    let mut runs = Vec::new();
    while let Some(run) = words.next_run().unwrap() {
        runs.push(match run {
            Run::Words(words) => (u64::try_from(words.len()).unwrap(), None),
            Run::Repeat { count, word } => (count, Some(word)),
        });
    }
    runs
}

#[test]
fn words_come_lowest_first() {
    assert_eq!(words(V07.as_bytes()).unwrap(), [[1, 2]]);
    let v08 = words(V08.as_bytes()).unwrap().remove(0);
    assert_eq!(v08[..64], [u32::MAX; 64]);
    assert_eq!(v08[64..], [1, 2, 3, 4]);
    assert_eq!(
        words(v09().as_bytes()).unwrap(),
        [vec![1, 0], vec![], vec![3, 0]]
    );
}

#[test]
fn a_value_repeated_is_one_run_where_its_halves_are_equal() {
    let body = "2 times 0x0000000700000007; 0x0000000000000001; 3 times 0x0000000000000000;";
    assert_eq!(
        runs(&v08_body(body)),
        [(4, Some(7)), (2, None), (6, Some(0))]
    );
    assert_eq!(runs(&v08_body("")), []);
    assert_eq!(runs(&v08_body("0 times 0x0000000000000000;")), []);
    // The largest there is, without a loop.
    let all = "4294967296 times 0x0000000000000000;";
    assert_eq!(runs(&v08_body(all)), [(1 << 33, Some(0))]);
}

#[test]
fn a_value_of_unequal_halves_is_repeated_in_pieces() {
    let text = v08_body("100000 times 0x0000000200000001; 0x0000000000000003;");
    let pieces = runs(&text);
    assert!(pieces.len() > 3 && pieces.iter().all(|(count, _)| *count <= 1 << 16));
    let words = words(text.as_bytes()).unwrap().remove(0);
    assert_eq!(words.len(), 200_002);
    assert!(
        words[..200_000]
            .as_chunks()
            .0
            .iter()
            .all(|pair| *pair == [1, 2])
    );
    assert_eq!(words[200_000..], [3, 0]);
}

#[test]
fn a_bitmap_has_no_more_words_than_the_largest_device() {
    let most = "4294967295 times 0x0000000200000001;\n0x0000000000000000;";
    let full = v08_body(most);
    DumpReader::new(full.as_bytes()).unwrap().finish().unwrap();
    for (more, column) in [
        ("0x0000000000000000;", 20),
        ("1 times 0x0000000000000000;", 20),
    ] {
        let text = v08_body(&format!("{most}{more}"));
        let Err(Error::Syntax(error)) = DumpReader::new(text.as_bytes()).unwrap().finish() else {
            panic!("{more}");
        };
        assert_eq!((error.line, error.column), (16, column));
        assert_eq!(error.expected, Wanted::ValuesAtMost(0));
    }
    for count in ["4294967297", "9223372036854775808", "9999999999999999999"] {
        let error = syntax(&v08_body(&format!("{count} times 0x0000000000000000;")));
        assert_eq!(error.found, Found::Token(count.to_owned()));
        assert_eq!((error.line, error.column), (15, 5));
        assert_eq!(error.expected, Wanted::ValuesAtMost(1 << 32));
    }
    let text = v08_body("0x0000000000000000; 4294967296 times 0x0000000000000000;");
    let error = syntax(&text);
    assert_eq!(
        (error.column, error.expected),
        (25, Wanted::ValuesAtMost(u32::MAX.into()))
    );
    // A coarser granularity needs less: here 65536 bytes per bit, and three slots that share pages.
    let v09 = with(&v09(), "1 times", "268435457 times");
    assert!(words(v09.replace("268435457", "1").as_bytes()).is_ok());
    let error = syntax(&with(&v09, "268435457", "268436000"));
    assert!(
        matches!(
            error.expected,
            Wanted::ValuesAtMost(268_435_456..268_436_000)
        ),
        "{error}"
    );
}

#[test]
fn full_lines_of_many_windows_lose_nothing() {
    let line = |number: u64| {
        let value = |place: u64| format!(" 0x{:016X};", number << 8 | place);
        format!("\n   {}{}{}{}", value(0), value(1), value(2), value(3))
    };
    let lines = 50_000;
    let body: String = (0..lines).map(line).collect();
    let good = v08_body(&body);
    let expected: Vec<u32> = (0..lines)
        .flat_map(|number| (0..4).map(move |place| number << 8 | place))
        .flat_map(|value| [u32::try_from(value).unwrap(), 0])
        .collect();
    let commented = good.replace(
        "\n    0x00000000000003",
        "\n   # at 8192kB\n    0x00000000000003",
    );
    assert!(commented.len() > good.len());
    for text in [
        &good,
        &commented,
        &good.replace('\n', "\r\n"),
        &good.replace("; 0x", ";0x"),
    ] {
        assert!(words(text.as_bytes()).unwrap()[0] == expected);
    }
    // One wrong digit, wherever it is, is found there.
    for number in [0, 1, 12_483, 12_484, 33_333, 49_999] {
        let bad = format!(" 0x{:016X};", number << 8 | 2);
        let error = syntax(&with(&good, &bad, &bad.replace("0x0", "0xO")));
        assert_eq!((error.line, error.column), (16 + number, 45), "{error}");
        assert_eq!(error.mark, 44);
    }
}

#[test]
fn a_slot_left_half_read_is_read_on() {
    let text = with(
        &v09(),
        "1 times 0x0000000000000001",
        "70000 times 0x0000000100000002",
    );
    let mut reader = DumpReader::new(text.as_bytes()).unwrap();
    let mut first = reader.slot(BitmapIndex::new(0)).unwrap();
    assert!(matches!(first.next_run().unwrap(), Some(Run::Words(_))));
    drop(first);
    assert_eq!(slot_words(&mut reader, 2).unwrap(), [3, 0]);
    reader.finish().unwrap();

    // Damage in what nobody asked for is damage.
    let text = with(&text, "bitmap[1] {", "bitmap[1] {;");
    for asked in [None, Some(0)] {
        let mut reader = DumpReader::new(text.as_bytes()).unwrap();
        if let Some(slot) = asked {
            reader.slot(BitmapIndex::new(slot)).unwrap();
        }
        let error = reader.finish().unwrap_err();
        assert!(
            matches!(&error, Error::Syntax(syntax) if syntax.column == 12),
            "{error}"
        );
    }
}

#[test]
fn slots_come_in_order() {
    let text = v09();
    let mut reader = DumpReader::new(text.as_bytes()).unwrap();
    slot_words(&mut reader, 1).unwrap();
    for asked in [0, 1, 3, 255] {
        let error = slot_words(&mut reader, asked).unwrap_err();
        let expected = format!(
            "bitmap[{asked}] is not ahead in the dump, expected bitmap[2] or a later one of 3"
        );
        assert_eq!(error.to_string(), expected);
    }
    slot_words(&mut reader, 2).unwrap();
    reader.finish().unwrap();
}

#[test]
fn what_did_not_parse_does_not_parse_later() {
    let text = v08_body("0x0000000000000001 0x0000000000000002;");
    let mut reader = DumpReader::new(text.as_bytes()).unwrap();
    let mut words = reader.slot(BitmapIndex::new(0)).unwrap();
    let first = words.next_run().unwrap_err().to_string();
    let second = words.next_run().unwrap_err().to_string();
    drop(words);
    let last = reader.finish().unwrap_err().to_string();
    assert_eq!(
        first,
        "line 15, column 24: found \"0x0000000000000002\", expected \";\""
    );
    assert_eq!([&second, &last], [&first, &first]);
}

#[test]
fn nothing_but_comments_may_follow_the_last_bitmap() {
    for text in [V07.to_owned(), V08.to_owned(), v09()] {
        assert!(words(format!("{text} \r\n#").as_bytes()).is_ok());
        let lines = u64::try_from(text.lines().count()).unwrap();
        for extra in ["0", "}", "bm", "bitmap[3]", "\0"] {
            let error = syntax(&format!("{text}{extra}"));
            assert_eq!(
                (error.line, error.column, error.expected),
                (lines + 1, 1, Wanted::End)
            );
        }
    }
}

#[test]
fn a_body_has_values_counts_and_an_end() {
    let item = "0x and 16 hex digits, a count or \"}\"";
    for (body, expected) in [
        (";", format!("15:5: \";\", {item}")),
        ("0x00000001;", format!("15:5: \"0x00000001\", {item}")),
        (
            "-1 times 0x0000000000000000;",
            format!("15:5: \"-1\", {item}"),
        ),
        (
            "5 0x0000000000000000;",
            "15:7: \"0x0000000000000000\", \"times\"".to_owned(),
        ),
        (
            "5times 0x0000000000000000;",
            format!("15:5: \"5times\", {item}"),
        ),
        (
            "5 times 5;",
            "15:13: \"5\", 0x and 16 hex digits".to_owned(),
        ),
        (
            "5 times 0x0000000000000000}",
            "15:31: \"}\", \";\"".to_owned(),
        ),
        ("{", format!("15:5: \"{{\", {item}")),
        (
            "00000000000000000001 times",
            format!("15:5: \"00000000000000000001\", {item}"),
        ),
    ] {
        let error = syntax(&v08_body(body));
        let said = format!(
            "{}:{}: {}, {}",
            error.line, error.column, error.found, error.expected
        );
        assert_eq!(said, expected);
    }
}

#[test]
fn thousands_of_bitmaps_are_too_many() {
    let more = (3..5000).fold(String::new(), |more, slot| {
        format!("{more}bitmap[{slot}] {{}}")
    });
    let text = v09() + &more;
    assert_eq!(syntax(&text).expected, Wanted::End);
    let few = syntax(&with(&v09(), "max-peers 3", "max-peers 31"));
    assert_eq!(
        (few.found, few.expected),
        (Found::End, Wanted::Literal("bitmap"))
    );
}

#[test]
fn a_read_error_within_a_bitmap_is_told() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from(io::ErrorKind::BrokenPipe))
        }
    }
    let (begin, _) = V08.split_at(V08.len() - 30);
    let reader = DumpReader::new(begin.as_bytes().chain(Broken));
    // The window is filled before the header ends.
    assert!(matches!(reader.map(drop), Err(Error::Io(_))));
    let long = v08_body(&" 0x0000000000000000;".repeat(100_000));
    let mut reader = DumpReader::new(long.as_bytes().take(1_900_000).chain(Broken)).unwrap();
    assert!(matches!(slot_words(&mut reader, 0), Err(Error::Io(_))));
}
