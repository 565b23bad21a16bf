use proptest::prelude::*;
use proptest::sample::{Index, select};

/// One small change of a text; where, it finds for itself.
#[derive(Clone, Debug)]
pub(super) enum Damage {
    DropToken(Index),
    DoubleToken(Index),
    /// Puts one token in another's place.
    CopyToken(Index, Index),
    DropLine(Index),
    DoubleLine(Index),
    SwapLines(Index, Index),
    /// Puts a byte in place of another, or before it.
    SetByte(Index, u8),
    InsertByte(Index, u8),
    DropByte(Index),
    /// Makes a number longer or shorter, or another one.
    Digits(Index, &'static str),
    Upper(Index),
    Lower(Index),
    Cut(Index),
}

/// One to three of them.
pub(super) fn damages() -> impl Strategy<Value = Vec<Damage>> {
    let index = any::<Index>;
    let byte = || select(b" \t\r\n\x0b\x0c\0#{}[];\"'-_.,0159aAfFgGxX:\x80\xff".to_vec());
    let digits = select(vec![
        "0",
        "1",
        "-1",
        "00",
        "31",
        "32",
        "99",
        "2147483648",
        "4294967295",
        "4294967296",
        "9223372036854775807",
        "9999999999999999999",
        "10000000000000000000",
        "0x0",
        "0x00000001",
        "0x0000000000000001",
        "0X00000001",
    ]);
    let one = prop_oneof![
        2 => index().prop_map(Damage::DropToken),
        1 => index().prop_map(Damage::DoubleToken),
        2 => (index(), index()).prop_map(|(from, to)| Damage::CopyToken(from, to)),
        1 => index().prop_map(Damage::DropLine),
        1 => index().prop_map(Damage::DoubleLine),
        2 => (index(), index()).prop_map(|(a, b)| Damage::SwapLines(a, b)),
        3 => (index(), byte()).prop_map(|(at, byte)| Damage::SetByte(at, byte)),
        2 => (index(), byte()).prop_map(|(at, byte)| Damage::InsertByte(at, byte)),
        1 => index().prop_map(Damage::DropByte),
        3 => (index(), digits).prop_map(|(at, digits)| Damage::Digits(at, digits)),
        1 => index().prop_map(Damage::Upper),
        2 => index().prop_map(Damage::Lower),
        1 => index().prop_map(Damage::Cut),
    ];
    proptest::collection::vec(one, 1..=3)
}

/// A damaged text.
pub(super) fn damage(text: &str, damages: &[Damage]) -> Vec<u8> {
    damages
        .iter()
        .fold(text.as_bytes().to_vec(), |text, damage| {
            apply(&text, damage)
        })
}

/// Where the tokens of a text are, comments left out; those of the bitmap and the head as often as all peers together.
fn tokens(text: &[u8]) -> Vec<(usize, usize)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(byte) = text.get(at).copied() {
        let length = match byte {
            b'#' => rest_until(text, at, |byte| byte == b'\n'),
            byte if is_word(byte) => rest_until(text, at, |byte| !is_word(byte)),
            _ => 1,
        };
        if byte != b'#' && !byte.is_ascii_whitespace() {
            tokens.push((at, length));
        }
        at += length;
    }
    // A v09 dump is mostly peers.
    let few: Vec<(usize, usize)> = if tokens.len() > 400 {
        [&tokens[..40], &tokens[tokens.len() - 140..]].concat()
    } else {
        Vec::new()
    };
    for _ in 0..4 {
        tokens.extend(&few);
    }
    tokens
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'"')
}

fn rest_until(text: &[u8], at: usize, end: impl Fn(u8) -> bool) -> usize {
    text[at..]
        .iter()
        .position(|byte| end(*byte))
        .unwrap_or(text.len() - at)
}

fn apply(text: &[u8], damage: &Damage) -> Vec<u8> {
    let tokens = tokens(text);
    let mut lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
    if tokens.is_empty() || lines.is_empty() {
        return text.to_vec();
    }
    let token = |index: &Index| tokens[index.index(tokens.len())];
    let bytes = |(at, length): (usize, usize)| &text[at..at + length];
    let replaced =
        |(at, length): (usize, usize), by: &[u8]| [&text[..at], by, &text[at + length..]].concat();
    match damage {
        Damage::DropToken(at) => replaced(token(at), b""),
        Damage::DoubleToken(at) => {
            let token = token(at);
            replaced(token, &[bytes(token), b" ", bytes(token)].concat())
        }
        Damage::CopyToken(from, to) => replaced(token(to), bytes(token(from))),
        Damage::DropLine(at) => {
            lines.remove(at.index(lines.len()));
            lines.concat()
        }
        Damage::DoubleLine(at) => {
            let at = at.index(lines.len());
            lines.insert(at, lines[at]);
            lines.concat()
        }
        Damage::SwapLines(a, b) => {
            let (a, b) = (a.index(lines.len()), b.index(lines.len()));
            lines.swap(a, b);
            lines.concat()
        }
        Damage::SetByte(at, byte) => replaced((at.index(text.len()), 1), &[*byte]),
        Damage::InsertByte(at, byte) => replaced((at.index(text.len()), 0), &[*byte]),
        Damage::DropByte(at) => replaced((at.index(text.len()), 1), b""),
        Damage::Digits(at, digits) => {
            let decimal = |token: &&(usize, usize)| bytes(**token).iter().all(u8::is_ascii_digit);
            let decimals: Vec<_> = tokens.iter().filter(decimal).collect();
            if decimals.is_empty() {
                return text.to_vec();
            }
            replaced(*decimals[at.index(decimals.len())], digits.as_bytes())
        }
        Damage::Upper(at) => replaced(token(at), &bytes(token(at)).to_ascii_uppercase()),
        Damage::Lower(at) => replaced(token(at), &bytes(token(at)).to_ascii_lowercase()),
        Damage::Cut(at) => text[..at.index(text.len())].to_vec(),
    }
}
