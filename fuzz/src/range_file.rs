//! Whatever is in a file of ranges, reading it ends, and how it comes in pieces changes nothing.

use std::io::Read;
use std::ops::Range;

use mdtool::survey::range_file::{Form, RangeFile};
use mdtool::units::DevPos;

/// `START END` a line.
fn of_line(line: &str) -> Result<Range<DevPos>, String> {
    let mut numbers = line.split(' ').map(str::parse);
    match (numbers.next(), numbers.next(), numbers.next()) {
        (Some(Ok(start)), Some(Ok(end)), None) => Ok(DevPos::new(start)..DevPos::new(end)),
        _ => Err("expected START END".to_owned()),
    }
}

/// A byte at a time.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(1);
        self.0.read(&mut buffer[..most])
    }
}

/// All ranges, and what is wrong where they end.
fn read(text: impl Read) -> (Form, Vec<Range<DevPos>>, Option<String>) {
    let mut file = RangeFile::new(text, of_line).expect("memory can be read");
    let mut ranges = Vec::new();
    loop {
        match file.next_range() {
            Ok(Some(range)) => ranges.push(range),
            Ok(None) => return (file.form(), ranges, None),
            Err(error) => return (file.form(), ranges, Some(error.to_string())),
        }
    }
}

/// The property.
pub fn holds(data: &[u8]) {
    let whole = read(data);
    assert_eq!(whole, read(Trickle(data)));
    let (form, ranges, _) = whole;
    // Each takes a few bytes of text, at least.
    assert!(ranges.len() <= data.len());
    if form != Form::Lines {
        assert!(ranges.iter().all(|range| range.start < range.end));
    }
}
