//! Lines no wider than the terminal: the one place through which text passes on its way there.

use std::io::{self, Write};
use std::os::fd::AsFd;

/// Narrower than this no text is worth folding.
const NARROWEST: usize = 40;
/// What a line to be typed begins with.
const COMMANDS: [&str; 14] = [
    "mdtool",
    "drbdadm",
    "drbdmeta",
    "drbdsetup",
    "losetup",
    "dmsetup",
    "lvextend",
    "lvreduce",
    "truncate",
    "dd",
    "ssh",
    "scp",
    "printf",
    "sed",
];

/// How many columns a terminal has; `None` where this is none, or does not say.
pub(crate) fn columns(stream: impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns >= NARROWEST)
}

/// The same of stdout, for what is drawn to fit.
pub(crate) fn stdout_columns() -> Option<usize> {
    columns(io::stdout())
}

/// Whether a line is only advice or remark, which `--quiet` leaves out.
fn is_remark(line: &str) -> bool {
    [
        "hint: ",
        "note: ",
        "next: ",
        "then: ",
        "mdtool: note: ",
        "mdtool: warning: ",
    ]
    .iter()
    .any(|start| line.starts_with(start))
}

/// Whether a terminal would take a character for a command: names of files and labels may have any.
fn is_command(c: char) -> bool {
    c.is_control() && !matches!(c, '\n' | '\t')
}

/// A text whose control characters are shown.
fn without_commands(text: &str) -> String {
    let shown = |c: char| match c {
        c if is_command(c) => c.escape_default().to_string(),
        c => c.to_string(),
    };
    text.chars().map(shown).collect()
}

/// A stream whose lines are folded to a width, and whose remarks may be left out.
pub(crate) struct Folding<'a> {
    out: &'a mut dyn Write,
    width: Option<usize>,
    quiet: bool,
    /// For people, whatever it leads to.
    printable: bool,
    /// A line that has not ended yet.
    pending: Vec<u8>,
}

impl<'a> Folding<'a> {
    /// Folds to `width` where one is given.
    pub(crate) fn new(out: &'a mut dyn Write, width: Option<usize>) -> Self {
        Self {
            out,
            width,
            quiet: false,
            printable: width.is_some(),
            pending: Vec::new(),
        }
    }

    /// Lets everything through but remarks, where `quiet`.
    pub(crate) fn without_remarks(mut self, quiet: bool) -> Self {
        self.quiet = quiet;
        self
    }

    /// Shows control characters instead of sending them, also where it is no terminal by itself.
    pub(crate) const fn for_people(mut self) -> Self {
        self.printable = true;
        self
    }

    /// Writes what is pending, whether it is a line or the beginning of one.
    fn settle(&mut self) -> io::Result<()> {
        let line = std::mem::take(&mut self.pending);
        let text = String::from_utf8_lossy(&line);
        if self.quiet && is_remark(&text) {
            return Ok(());
        }
        if self.printable && text.chars().any(is_command) {
            let text = without_commands(&text);
            return match self.width {
                Some(width) => self.out.write_all(folded(&text, width).as_bytes()),
                None => self.out.write_all(text.as_bytes()),
            };
        }
        match self.width {
            Some(width) if text.chars().count() > width => {
                self.out.write_all(folded(&text, width).as_bytes())
            }
            _ => self.out.write_all(&line),
        }
    }
}

impl Write for Folding<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.printable && !self.quiet {
            // A dump of gigabytes goes through in the pieces that it comes in.
            return self.out.write(bytes);
        }
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.pending.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                self.settle()?;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.settle()?;
        self.out.flush()
    }
}

impl Drop for Folding<'_> {
    fn drop(&mut self) {
        // Whoever wanted to know whether it arrives has flushed.
        let _ = self.settle();
    }
}

/// A word with the spaces before it.
struct Word<'t> {
    gap: usize,
    text: &'t str,
}

impl Word<'_> {
    /// What it takes on a line.
    fn columns(&self) -> usize {
        self.gap.saturating_add(self.text.chars().count())
    }
}

/// The words of a line; what stands in backticks is one, where it is no longer than `most`.
fn words(line: &str, most: usize) -> Vec<Word<'_>> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        let gap = rest.len().saturating_sub(trimmed.len());
        if trimmed.is_empty() {
            return words;
        }
        let end = trimmed.find(' ').unwrap_or(trimmed.len());
        let end = quoted_end(trimmed, end)
            .filter(|end| *end <= most)
            .unwrap_or(end);
        let (text, behind) = trimmed.split_at_checked(end).unwrap_or((trimmed, ""));
        words.push(Word { gap, text });
        rest = behind;
    }
}

/// Where a word ends whose backticks close only behind a space.
fn quoted_end(text: &str, end: usize) -> Option<usize> {
    let (word, behind) = text.split_at_checked(end)?;
    if word.matches('`').count() % 2 == 0 {
        return None;
    }
    let close = behind.find('`')?;
    let tail = behind.get(close..)?;
    let more = tail.find(' ').unwrap_or(tail.len());
    end.checked_add(close)?.checked_add(more)
}

/// Where the lines behind the first begin: below the second column where there is one, else at the indentation.
fn hang(words: &[Word<'_>], width: usize) -> usize {
    let indent = words.first().map_or(0, |word| word.gap);
    let mut at = 0_usize;
    let mut column = None;
    for (number, word) in words.iter().enumerate() {
        at = at.saturating_add(word.gap);
        if number > 0 && word.gap > 1 && at <= width / 2 {
            column = Some(at);
        }
        at = at.saturating_add(word.text.chars().count());
    }
    let labelled = words
        .first()
        .is_some_and(|word| word.text.ends_with(':') && word.text.len() < 10);
    column.unwrap_or(if labelled {
        indent.saturating_add(2)
    } else {
        indent
    })
}

/// The same of what is to be typed: what stands between single quotes is one, however long, since no backslash continues it.
fn typed_words(line: &str) -> Option<Vec<Word<'_>>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        let gap = rest.len().saturating_sub(trimmed.len());
        if trimmed.is_empty() {
            return is_typed(&words).then_some(words);
        }
        let mut open = false;
        let end = trimmed.find(|c: char| {
            open ^= c == '\'' && trimmed.starts_with(c);
            c == ' ' && !open
        });
        let end = end.or_else(|| trimmed.find(' ').filter(|_| open));
        let end = end.unwrap_or(trimmed.len());
        let (text, behind) = trimmed.split_at_checked(end).unwrap_or((trimmed, ""));
        words.push(Word { gap, text });
        rest = behind;
    }
}

/// A line, with its end if it has one, as lines that are no wider; only a word that is wider by itself is. What is to be typed is continued
/// by a backslash.
fn folded(line: &str, width: usize) -> String {
    let (body, end) = match line.strip_suffix('\n') {
        Some(body) => (body, "\n"),
        None => (line, ""),
    };
    let (words, mut typed) = match typed_words(body) {
        Some(words) => (words, true),
        None => (words(body, width / 2), false),
    };
    let comment = words.first().is_some_and(|word| word.text == "#");
    let hang = hang(&words, width);
    let mut text = String::new();
    let mut at = 0_usize;
    for (number, word) in words.iter().enumerate() {
        // A gap ends what is to be typed.
        let remark = typed && number > 1 && word.gap > 1;
        typed &= !remark;
        let following = words.get(number.saturating_add(1));
        let goes_on = typed && following.is_some_and(|next| next.gap == 1);
        let len = word.text.chars().count();
        let needed = len.saturating_add(if goes_on { 2 } else { 0 });
        let beside = if remark {
            // What is said of it stands whole, or on lines of its own.
            at.saturating_add(words.iter().skip(number).map(Word::columns).sum())
        } else {
            at.saturating_add(word.gap).saturating_add(needed)
        };
        if number > 0 && beside > width {
            text.push_str(if typed { " \\\n" } else { "\n" });
            let start = hang.min(width.saturating_sub(needed));
            text.push_str(&" ".repeat(start));
            at = start.saturating_add(len);
            if comment {
                // Pasted, each line of it is one.
                text.push_str("# ");
                at = at.saturating_add(2);
            }
        } else {
            text.push_str(&" ".repeat(word.gap));
            at = at.saturating_add(word.gap).saturating_add(len);
        }
        text.push_str(word.text);
    }
    if body.ends_with(' ') {
        // A question, behind which the answer is typed.
        text.push(' ');
    }
    text + end
}

/// Whether a line is to be typed, behind a label or a prompt.
fn is_typed(words: &[Word<'_>]) -> bool {
    let label = |word: &&Word<'_>| ["$", "next:"].contains(&word.text);
    let at = words.iter().take_while(label).count();
    let mut words = words.iter().skip(at).map(|word| word.text);
    let first = words.next().filter(|word| COMMANDS.contains(word));
    // What drbdmeta does is told, too: as a command it has options or a minor behind it.
    let argument =
        |word: &str| word == "MINOR" || word.starts_with(|c: char| c == '-' || c.is_ascii_digit());
    at < 2 && first.is_some_and(|first| first != "drbdmeta" || words.next().is_some_and(argument))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_to_be_typed_can_be_typed() {
        let line = "next: mdtool plan image.raw --stacked --target-size 9TB  (every way to adopt it here)\n";
        assert_eq!(
            folded(line, 40),
            "next: mdtool plan image.raw --stacked \\\n  --target-size 9TB\n  (every way to adopt it here)\n"
        );
    }

    #[test]
    fn comments_stay_comments_and_quotes_whole() {
        assert_eq!(
            folded("    # Settles the metadata: `a b` would connect it.\n", 40),
            "    # Settles the metadata: `a b` would\n    # connect it.\n"
        );
        assert_eq!(
            folded("    drbdmeta finds the superblock, and never looks", 40),
            "    drbdmeta finds the superblock, and\n    never looks"
        );
        assert_eq!(
            folded("    printf '1 /dev/a 2 3 4 5 6 7 8 9 10' > /var/x", 40),
            "    printf \\\n    '1 /dev/a 2 3 4 5 6 7 8 9 10' > \\\n    /var/x"
        );
    }

    #[test]
    fn prose_stands_below_its_column() {
        let line = "  compare  Tell what connecting replicas will decide\n";
        assert_eq!(
            folded(line, 40),
            "  compare  Tell what connecting replicas\n           will decide\n"
        );
        assert_eq!(
            folded("hint: use `a b` now or never", 12),
            "hint: use\n  `a b` now\n  or never"
        );
    }

    #[test]
    fn a_question_is_written_when_flushed_and_remarks_can_be_left_out() {
        let mut out = Vec::new();
        let mut stream = Folding::new(&mut out, None).without_remarks(true);
        stream.write_all(b"hint: a").unwrap();
        stream.write_all(b" b\nmdtool: wrong\nSure? ").unwrap();
        stream.flush().unwrap();
        drop(stream);
        assert_eq!(out, b"mdtool: wrong\nSure? ");
    }

    proptest! {
        /// Nothing is lost, and only what cannot be folded is wider.
        #[test]
        fn no_line_is_wider_but_for_a_word(line in "( {1,3}[a-z:`|é]{1,12}){0,30}", width in 40_usize..100) {
            let text = folded(&line, width);
            let plain = |text: &str| text.replace(" \\\n", " ").split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assert_eq!(plain(&text), plain(&line));
            for line in text.lines() {
                prop_assert!(line.chars().count() <= width, "{}", line);
            }
        }
    }
}
