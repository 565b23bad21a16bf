//! The grammar of a dump, up to its bitmaps.

use super::lex::{Kind, Lexer, inner};
use super::read::Note;
use crate::error::{Refused, Result, Wanted};
use crate::format::layout::{AlStriping, BYTES_PER_BIT, MAX_PEERS, MdGeometry};
use crate::format::metadata::{
    CountersV07, Generation, GenerationV08, GenerationV09, HISTORY_UUIDS, Header, NODE_IDS, PeerV09,
};
use crate::format::superblock::{AlState, DeviceFlags, Format, PeerFlags, Uuid};
use crate::units::Sectors;

/// What an unclean dump says of itself, which is no token of the format: nothing can restore it by mistake.
const UNCLEAN: &[u8] = b"This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.";
/// What drbdmeta gives every superblock that it restores.
const AL_NR_EXTENTS: u32 = 257;

/// A number of 32 bits.
const U32: (i128, i128) = (0, 0xFFFF_FFFF);
/// A number of 32 bits that some print signed and some do not.
const ANY_32: (i128, i128) = (-0x8000_0000, 0xFFFF_FFFF);
/// A signed number of 32 bits.
const I32: (i128, i128) = (-0x8000_0000, 0x7FFF_FFFF);
/// A number of 64 bits.
const U64: (i128, i128) = (0, 0xFFFF_FFFF_FFFF_FFFF);
/// A node id, or −1 for none.
const NODE_ID: (i128, i128) = (-1, 31);
/// How many bitmap slots there may be.
const SLOTS: (i128, i128) = (1, 31);

const _: () = assert!(MAX_PEERS == 31 && NODE_IDS == 32);

/// The words of the grammar.
impl Lexer<'_> {
    /// Whether this keyword or sign comes next.
    pub(super) fn is_next(&mut self, literal: &'static str) -> Result<bool> {
        let token = self.peek()?;
        Ok(self.bytes(token) == literal.as_bytes())
    }

    /// Which of two keywords comes next.
    fn is_first_of(
        &mut self,
        first: &'static str,
        second: &'static str,
        either: Wanted,
    ) -> Result<bool> {
        if self.is_next(first)? {
            return Ok(true);
        }
        if self.is_next(second)? {
            return Ok(false);
        }
        let token = self.peek()?;
        Err(self.unexpected(token, either))
    }

    /// Goes past this keyword or sign.
    pub(super) fn literal(&mut self, literal: &'static str) -> Result<()> {
        if self.take_if(literal)? {
            return Ok(());
        }
        let token = self.peek()?;
        Err(self.unexpected(token, Wanted::Literal(literal)))
    }

    /// A decimal number that `accept` makes something of.
    fn number<T>(&mut self, wanted: Wanted, accept: impl FnOnce(i128) -> Option<T>) -> Result<T> {
        let token = self.peek()?;
        let value = match token.kind {
            Kind::Decimal(value) => accept(value),
            _ => None,
        };
        let Some(value) = value else {
            return Err(self.unexpected(token, wanted));
        };
        self.take(token);
        Ok(value)
    }

    /// A decimal number, both ends of the range included.
    pub(super) fn decimal<T: TryFrom<i128>>(&mut self, (least, most): (i128, i128)) -> Result<T> {
        self.number(Wanted::Decimal(least, most), |value| {
            (least..=most)
                .contains(&value)
                .then(|| T::try_from(value).ok())
                .flatten()
        })
    }

    /// A decimal number of 32 bits, printed with a sign or without.
    fn any_32(&mut self) -> Result<u32> {
        let (least, most) = ANY_32;
        self.number(Wanted::Decimal(least, most), |value| {
            let signed = i32::try_from(value).map(i32::cast_unsigned);
            u32::try_from(value).or(signed).ok()
        })
    }

    /// A granularity.
    fn bytes_per_bit(&mut self) -> Result<u32> {
        let (least, most) = (BYTES_PER_BIT.start, BYTES_PER_BIT.end.saturating_sub(1));
        self.number(Wanted::PowerOfTwo(least, most), |value| {
            u32::try_from(value)
                .ok()
                .filter(|value| value.is_power_of_two() && BYTES_PER_BIT.contains(value))
        })
    }

    fn hex32(&mut self) -> Result<u32> {
        let token = self.peek()?;
        let Kind::Hex32(value) = token.kind else {
            return Err(self.unexpected(token, Wanted::Hex32));
        };
        self.take(token);
        Ok(value)
    }

    /// A number of 64 bits: its high and its low half.
    pub(super) fn hex64(&mut self) -> Result<[u32; 2]> {
        let token = self.peek()?;
        let Kind::Hex64(halves) = token.kind else {
            return Err(self.unexpected(token, Wanted::Hex64));
        };
        self.take(token);
        Ok(halves)
    }

    fn u64(&mut self) -> Result<u64> {
        let [high, low] = self.hex64()?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn uuid(&mut self) -> Result<Uuid> {
        self.u64().map(Uuid)
    }

    /// `KEYWORD VALUE ;`.
    fn field<T>(
        &mut self,
        keyword: &'static str,
        value: impl FnOnce(&mut Self) -> Result<T>,
    ) -> Result<T> {
        self.literal(keyword)?;
        self.value(value)
    }

    /// `VALUE ;`.
    fn value<T>(&mut self, value: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let value = value(self)?;
        self.literal(";")?;
        Ok(value)
    }
}

/// Everything before the bitmaps; what an unclean dump says of itself only where it is accepted.
pub(super) fn header(lexer: &mut Lexer<'_>, unclean: Unclean) -> Result<(Header, Vec<Note>)> {
    let format = lexer.field("version", version)?;
    let al_state = match unclean {
        Unclean::Refused => refuse_unclean(lexer)?,
        Unclean::Accepted => skip_unclean(lexer)?,
    };
    let mut notes = Vec::new();
    let header = match format {
        Format::V07 => header_v07(lexer)?,
        Format::V08 => header_v08(lexer, &mut notes)?,
        Format::V09 => header_v09(lexer, &mut notes)?,
    };
    Ok((Header { al_state, ..header }, notes))
}

/// What becomes of a dump that says that it is unclean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unclean {
    /// It is refused: its bitmap is not complete.
    Refused,
    /// It is read for what it is.
    Accepted,
}

/// Goes past what an unclean dump says of itself.
fn skip_unclean(lexer: &mut Lexer<'_>) -> Result<AlState> {
    lexer.peek()?;
    if !lexer.text().unread().starts_with(UNCLEAN) {
        return Ok(AlState::Clean);
    }
    lexer.text().consume(UNCLEAN.len(), 0);
    Ok(AlState::Unclean)
}

fn version(lexer: &mut Lexer<'_>) -> Result<Format> {
    let token = lexer.peek()?;
    let format = match (token.kind, inner(lexer.bytes(token))) {
        (Kind::Quoted, b"v07") => Format::V07,
        (Kind::Quoted, b"v08") => Format::V08,
        (Kind::Quoted, b"v09") => Format::V09,
        _ => return Err(lexer.unexpected(token, Wanted::Version)),
    };
    lexer.take(token);
    Ok(format)
}

/// Gives an unclean dump the answer that its line deserves, rather than one about its apostrophe.
fn refuse_unclean(lexer: &mut Lexer<'_>) -> Result<AlState> {
    let token = lexer.peek()?;
    if lexer.text().unread().starts_with(UNCLEAN) {
        let line = lexer.line_of(token);
        return Err(Refused::UncleanDump { line }.into());
    }
    Ok(AlState::Clean)
}

fn header_v07(lexer: &mut Lexer<'_>) -> Result<Header> {
    lexer.literal("gc")?;
    lexer.literal("{")?;
    let mut counters = [0; 5];
    for counter in &mut counters {
        *counter = lexer.value(Lexer::any_32)?;
    }
    lexer.literal("}")?;
    Ok(Header {
        geometry: MdGeometry::DEFAULT,
        la_size: la_size(lexer)?,
        al_nr_extents: AL_NR_EXTENTS,
        al_state: AlState::Clean,
        generation: Generation::V07(CountersV07(counters)),
    })
}

fn header_v08(lexer: &mut Lexer<'_>, notes: &mut Vec<Note>) -> Result<Header> {
    lexer.literal("uuid")?;
    lexer.literal("{")?;
    let mut uuids = [Uuid::NONE; 4];
    for uuid in &mut uuids {
        *uuid = lexer.value(Lexer::uuid)?;
    }
    let flags = lexer.field("flags", Lexer::hex32)?;
    lexer.literal("}")?;
    if flags == 0 {
        notes.push(Note::FlagsZero);
    }
    let la_size = la_size(lexer)?;
    let fixed = since_v08(lexer, Some(notes))?;
    Ok(Header {
        geometry: MdGeometry {
            max_peers: 1,
            bytes_per_bit: fixed.bytes_per_bit,
            al: fixed.al,
        },
        la_size,
        al_nr_extents: AL_NR_EXTENTS,
        al_state: AlState::Clean,
        generation: Generation::V08(GenerationV08 {
            uuids,
            flags: DeviceFlags(flags),
            device_uuid: fixed.device_uuid,
            la_peer_max_bio_size: fixed.la_peer_max_bio_size,
        }),
    })
}

fn header_v09(lexer: &mut Lexer<'_>, notes: &mut Vec<Note>) -> Result<Header> {
    let max_peers = lexer.field("max-peers", |lexer| lexer.decimal(SLOTS))?;
    let node_id = lexer.field("node-id", |lexer| lexer.decimal(NODE_ID))?;
    let current_uuid = lexer.field("current-uuid", Lexer::uuid)?;
    let flags = lexer.field("flags", Lexer::hex32)?;
    let members = members(lexer, notes)?;
    let peers = peers(lexer)?;
    lexer.literal("history-uuids")?;
    lexer.literal("{")?;
    let mut history_uuids = [Uuid::NONE; HISTORY_UUIDS];
    for uuid in &mut history_uuids {
        *uuid = lexer.value(Lexer::uuid)?;
    }
    lexer.literal("}")?;
    let la_size = la_size(lexer)?;
    let fixed = since_v08(lexer, None)?;
    Ok(Header {
        geometry: MdGeometry {
            max_peers,
            bytes_per_bit: fixed.bytes_per_bit,
            al: fixed.al,
        },
        la_size,
        al_nr_extents: AL_NR_EXTENTS,
        al_state: AlState::Clean,
        generation: Generation::V09(Box::new(GenerationV09 {
            node_id,
            current_uuid,
            flags: DeviceFlags(flags),
            members,
            peers,
            history_uuids,
            device_uuid: fixed.device_uuid,
            la_peer_max_bio_size: fixed.la_peer_max_bio_size,
        })),
    })
}

fn la_size(lexer: &mut Lexer<'_>) -> Result<Sectors> {
    lexer
        .field("la-size-sect", |lexer| lexer.decimal(U64))
        .map(Sectors::new)
}

/// `members`, which drbd-utils before 9.27 neither wrote nor read.
fn members(lexer: &mut Lexer<'_>, notes: &mut Vec<Note>) -> Result<u64> {
    let either = Wanted::OneOf(&[Wanted::Literal("members"), Wanted::Literal("peer")]);
    if lexer.is_first_of("members", "peer", either)? {
        return lexer.field("members", Lexer::u64);
    }
    notes.push(Note::NoMembers);
    Ok(0)
}

/// The table of peers: every node id once, in any order.
fn peers(lexer: &mut Lexer<'_>) -> Result<[PeerV09; NODE_IDS]> {
    let mut peers = [None; NODE_IDS];
    for _ in 0..NODE_IDS {
        lexer.literal("peer")?;
        lexer.literal("[")?;
        let entry = lexer.number(Wanted::UnusedNodeId, |value| {
            peers
                .get_mut(usize::try_from(value).ok()?)
                .filter(|entry| entry.is_none())
        })?;
        lexer.literal("]")?;
        *entry = Some(peer(lexer)?);
    }
    // OK to expect: 32 entries were filled, none twice.
    Ok(peers.map(|peer| peer.expect("every node id has its entry")))
}

fn peer(lexer: &mut Lexer<'_>) -> Result<PeerV09> {
    lexer.literal("{")?;
    let peer = PeerV09 {
        bitmap_index: lexer.field("bitmap-index", |lexer| lexer.decimal(I32))?,
        bitmap_uuid: lexer.field("bitmap-uuid", Lexer::uuid)?,
        bitmap_dagtag: lexer.field("bitmap-dagtag", Lexer::u64)?,
        flags: PeerFlags(lexer.field("flags", Lexer::hex32)?),
    };
    lexer.literal("}")?;
    Ok(peer)
}

/// The fields that v08 and v09 have and v07 has not.
struct SinceV08 {
    bytes_per_bit: u32,
    device_uuid: Uuid,
    la_peer_max_bio_size: u32,
    al: AlStriping,
}

/// Reads those; in v08 the lines that came with DRBD 8.4.0 and 8.4.3 may be missing, and make notes.
fn since_v08(lexer: &mut Lexer<'_>, v08: Option<&mut Vec<Note>>) -> Result<SinceV08> {
    let mut fixed = SinceV08 {
        bytes_per_bit: lexer.field("bm-byte-per-bit", Lexer::bytes_per_bit)?,
        device_uuid: lexer.field("device-uuid", Lexer::uuid)?,
        la_peer_max_bio_size: 0,
        al: AlStriping::DEFAULT,
    };
    if let Some(notes) = v08 {
        let either = Wanted::OneOf(&[
            Wanted::Literal("la-peer-max-bio-size"),
            Wanted::Literal("bm"),
        ]);
        if !lexer.is_first_of("la-peer-max-bio-size", "bm", either)? {
            notes.extend([Note::NoBioSize, Note::NoStriping]);
            return Ok(fixed);
        }
        fixed.la_peer_max_bio_size = lexer.field("la-peer-max-bio-size", Lexer::any_32)?;
        let either = Wanted::OneOf(&[Wanted::Literal("al-stripes"), Wanted::Literal("bm")]);
        if !lexer.is_first_of("al-stripes", "bm", either)? {
            notes.push(Note::NoStriping);
            return Ok(fixed);
        }
    } else {
        fixed.la_peer_max_bio_size = lexer.field("la-peer-max-bio-size", Lexer::any_32)?;
    }
    let stripes = lexer.field("al-stripes", |lexer| lexer.decimal(U32))?;
    let stripe_size_4k = lexer.field("al-stripe-size-4k", |lexer| lexer.decimal(U32))?;
    fixed.al = AlStriping::on_disk(stripes, stripe_size_4k);
    Ok(fixed)
}

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;
