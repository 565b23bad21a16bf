//! Reading a dump, one pass, its bitmaps as streams.

use std::fmt;
use std::io::Read;

use super::lex::{Kind, Lexer};
use super::parse::{Unclean, header};
use super::places::Places;
use super::scan::scan;
use super::text::Text;
use crate::error::{Error, Result, Syntax, Unsupported, Wanted};
use crate::format::bitmap::slot_len;
use crate::format::layout::{MAX_DEVICE, MdGeometry};
use crate::format::metadata::{Bitmap, Generation, Header, Run, SlotWords};
use crate::units::{BitmapIndex, Bytes, at_most};

/// Words gathered before they are given.
const BATCH: usize = 64 << 10;
/// Words of a 64-bit value.
const VALUE_WORDS: u64 = 2;
/// Bytes of a word.
const WORD: Bytes = Bytes::new(4);

/// What is worth knowing of a dump that parses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Note {
    /// v08 flags are 0, which may be a lie of whoever printed them: restored, the resource would be Inconsistent.
    FlagsZero,
    /// The size was clipped when the dump was made: the disk said a larger one.
    Clipped {
        /// What the disk said, in sectors.
        said: u64,
    },
    /// No line `la-peer-max-bio-size`; 0 is assumed.
    NoBioSize,
    /// No lines `al-stripes` and `al-stripe-size-4k`; one stripe of 32 KiB is assumed.
    NoStriping,
    /// No line `members`; 0 is assumed.
    NoMembers,
}

impl Note {
    /// Whether it should be looked into before the dump is used.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(self, Self::FlagsZero | Self::Clipped { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clipped { said } => {
                return write!(
                    f,
                    "la-size-sect was clipped when the dump was made: the disk said {said} sectors, and what lies behind the clipped size is not tracked in this dump"
                );
            }
            Self::FlagsZero => {
                "flags are 0x00000000, as drbd-utils from 2012 to 9.32 printed them whatever the disk said"
            }
            Self::NoBioSize => {
                "no la-peer-max-bio-size, as before DRBD 8.4.0; taken to be 0"
            }
            Self::NoStriping => {
                "no al-stripes and al-stripe-size-4k, as before DRBD 8.4.3; taken to be 1 and 8"
            }
            Self::NoMembers => "no members, as before drbd-utils 9.27; taken to be 0",
        })
    }
}

/// A dump as it is read: its header at once, its bitmaps one after the other.
///
/// Of the text a window of about 1 MiB is held, and of a bitmap 256 KiB, however long they are. [`DumpReader::finish`] returns whether the
/// rest of the text is a dump's, too.
pub struct DumpReader<'a> {
    lexer: Lexer<'a>,
    header: Header,
    notes: Vec<Note>,
    /// The slot whose bitmap is read next.
    next_slot: u32,
    body: Body,
    /// What did not parse; from there on nothing does.
    broken: Option<Box<Syntax>>,
}

/// The bitmap being read.
#[derive(Default)]
struct Body {
    open: bool,
    /// Values that it may still have.
    values_left: u64,
    words: Vec<u32>,
    /// A repeated value that was read and not given.
    repeat: Option<Repeat>,
}

/// A value, `count` times; `count` is not 0.
#[derive(Clone, Copy)]
struct Repeat {
    count: u64,
    high: u32,
    low: u32,
}

/// The first line of a dump whose size was clipped.
const CLIPPED: &[u8] = b"# la-size-sect was too big (";

/// What a dump's first line says of its size.
fn clipped(text: &mut Text<'_>) -> Result<Option<Note>> {
    text.ensure(CLIPPED.len().saturating_add(20))?;
    let Some(rest) = text.unread().strip_prefix(CLIPPED) else {
        return Ok(None);
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let said = rest
        .get(..digits)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok());
    Ok(said.map(|said| Note::Clipped { said }))
}

impl<'a> DumpReader<'a> {
    /// Reads a dump up to its first bitmap.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] where it does not parse, [`crate::error::Refused::UncleanDump`], or read errors.
    pub fn new(read: impl Read + 'a) -> Result<Self> {
        Self::of(read, Unclean::Refused)
    }

    /// Reads a dump up to its first bitmap, an unclean one too: for looking, not for restoring.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] where it does not parse, or read errors.
    pub fn looking(read: impl Read + 'a) -> Result<Self> {
        Self::of(read, Unclean::Accepted)
    }

    fn of(read: impl Read + 'a, unclean: Unclean) -> Result<Self> {
        let mut text = Text::new(read);
        let clipped = clipped(&mut text)?;
        let mut lexer = Lexer::new(text);
        let (header, mut notes) = header(&mut lexer, unclean)?;
        notes.extend(clipped);
        Ok(Self {
            lexer,
            header,
            notes,
            next_slot: 0,
            body: Body::default(),
            broken: None,
        })
    }

    /// What the comments before the bitmaps say about the disk.
    #[must_use]
    pub const fn places(&self) -> Places {
        self.lexer.places()
    }

    /// What the dump says of the resource. Its log is clean, unless the reader was made for looking.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// What is worth knowing of it, in the order of its lines.
    #[must_use]
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// Reads and checks what was not asked for yet, up to the end of the text.
    ///
    /// # Errors
    ///
    /// [`Error::Syntax`] where it does not parse or something follows the last bitmap, or read errors.
    pub fn finish(mut self) -> Result<()> {
        self.go_to(self.header.geometry.max_peers)?;
        let token = self.lexer.peek()?;
        if token.kind == Kind::End {
            Ok(())
        } else {
            Err(self.lexer.unexpected(token, Wanted::End))
        }
    }

    /// Reads and checks everything before the bitmap of `slot`.
    fn go_to(&mut self, slot: u32) -> Result<()> {
        self.unless_broken(|reader| {
            loop {
                while reader.body.open {
                    reader.body.repeat = None;
                    reader.gather()?;
                }
                if reader.next_slot >= slot {
                    return Ok(());
                }
                reader.open()?;
            }
        })
    }

    /// Does something that may not parse, and remembers where it did not.
    fn unless_broken<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        if let Some(syntax) = &self.broken {
            return Err(Error::Syntax(syntax.clone()));
        }
        work(self).inspect_err(|error| {
            if let Error::Syntax(syntax) = error {
                self.broken = Some(syntax.clone());
            }
        })
    }

    /// Reads `bm {` or `bitmap[N] {` of the next slot.
    fn open(&mut self) -> Result<()> {
        if matches!(self.header.generation, Generation::V09(_)) {
            self.lexer.literal("bitmap")?;
            self.lexer.literal("[")?;
            let slot = i128::from(self.next_slot);
            let _: u32 = self.lexer.decimal((slot, slot))?;
            self.lexer.literal("]")?;
        } else {
            self.lexer.literal("bm")?;
        }
        self.lexer.literal("{")?;
        self.body.open = true;
        self.body.values_left = values_at_most(self.header.geometry, self.next_slot);
        self.next_slot = self.next_slot.saturating_add(1);
        Ok(())
    }

    /// Gathers words until there are enough, or a value is repeated, or the bitmap ends.
    fn gather(&mut self) -> Result<()> {
        self.body.words.clear();
        while self.body.open && self.body.repeat.is_none() && self.body.words.len() < BATCH {
            self.items();
            if self.body.repeat.is_none() {
                self.item()?;
            }
        }
        Ok(())
    }

    /// Reads what is in memory and looks just as drbdmeta prints it.
    fn items(&mut self) {
        let body = &mut self.body;
        let room = BATCH.saturating_sub(body.words.len()) / 2;
        let room = u64::try_from(room).unwrap_or(0);
        let text = self.lexer.text();
        let scan = scan(text.unread(), room, body.values_left, &mut body.words);
        text.consume(scan.length, scan.newlines);
        body.values_left = body.values_left.saturating_sub(scan.values);
        body.repeat = scan
            .repeat
            .map(|(count, [high, low])| Repeat { count, high, low });
    }

    /// Reads one value, one repeated value or the closing brace.
    fn item(&mut self) -> Result<()> {
        const ITEM: Wanted = Wanted::OneOf(&[Wanted::Hex64, Wanted::Count, Wanted::Literal("}")]);
        let left = self.body.values_left;
        let token = self.lexer.peek()?;
        let too_many = |count: u64| count > left;
        match token.kind {
            Kind::Hex64(_) if too_many(1) => {
                Err(self.lexer.unexpected(token, Wanted::ValuesAtMost(left)))
            }
            Kind::Hex64([high, low]) => {
                self.lexer.take(token);
                self.lexer.literal(";")?;
                self.body.words.extend([low, high]);
                self.body.values_left = left.saturating_sub(1);
                Ok(())
            }
            Kind::Decimal(count) => {
                let Ok(count) = u64::try_from(count) else {
                    return Err(self.lexer.unexpected(token, ITEM));
                };
                if too_many(count) {
                    return Err(self.lexer.unexpected(token, Wanted::ValuesAtMost(left)));
                }
                self.lexer.take(token);
                self.lexer.literal("times")?;
                let [high, low] = self.lexer.hex64()?;
                self.lexer.literal(";")?;
                self.body.repeat = (count > 0).then_some(Repeat { count, high, low });
                self.body.values_left = left.saturating_sub(count);
                Ok(())
            }
            Kind::Sign(b'}') => {
                self.lexer.take(token);
                self.body.open = false;
                Ok(())
            }
            _ => Err(self.lexer.unexpected(token, ITEM)),
        }
    }
}

impl Body {
    /// The next run of what was read.
    fn next_run(&mut self, repeat: Repeat) -> Run<'_> {
        let Repeat { count, high, low } = repeat;
        if high == low {
            return Run::Repeat {
                count: count.saturating_mul(VALUE_WORDS),
                word: low,
            };
        }
        let most = BATCH / 2;
        let now = at_most(count, most);
        self.words.clear();
        self.words
            .extend(std::iter::repeat_n([low, high], now).flatten());
        let left = count.saturating_sub(u64::try_from(now).unwrap_or(u64::MAX));
        if left > 0 {
            self.repeat = Some(Repeat {
                count: left,
                high,
                low,
            });
        }
        Run::Words(&self.words)
    }
}

/// How many values a slot's bitmap has on the largest device there is.
///
/// la-size does not bound it: a dump may have been edited to shrink the device, and its bitmap left as it was.
fn values_at_most(geometry: MdGeometry, slot: u32) -> u64 {
    let words = geometry
        .bitmap_size(MAX_DEVICE)
        .unwrap_or(Bytes::ZERO)
        .whole_units(WORD);
    slot_len(words, u64::from(slot), u64::from(geometry.max_peers)).div_ceil(VALUE_WORDS)
}

impl Bitmap for DumpReader<'_> {
    /// Slots can be left out, but not asked for again: [`Unsupported::SlotOrder`].
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        let asked = u32::from(slot.get());
        let slots = self.header.geometry.max_peers;
        if asked < self.next_slot || asked >= slots {
            return Err(Unsupported::SlotOrder {
                asked: slot,
                next: self.next_slot,
                slots,
            }
            .into());
        }
        self.go_to(asked)?;
        self.unless_broken(Self::open)?;
        Ok(Box::new(DumpSlot(self)))
    }
}

/// One slot's bitmap as it is read; what is not asked for is checked all the same, later.
struct DumpSlot<'r, 'a>(&'r mut DumpReader<'a>);

impl SlotWords for DumpSlot<'_, '_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let reader = &mut *self.0;
        if reader.body.repeat.is_none() {
            reader.unless_broken(DumpReader::gather)?;
            if !reader.body.words.is_empty() {
                return Ok(Some(Run::Words(&reader.body.words)));
            }
        }
        let repeat = reader.body.repeat.take();
        Ok(repeat.map(|repeat| reader.body.next_run(repeat)))
    }
}

#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;
