use mdtool::dump::Note;
use mdtool::error::{Error, Found, Syntax, Wanted};
use mdtool::format::superblock::Format;

use super::{Ours, Theirs, v07, v08, v09, without_lines};

/// One way in which the parser and drbdmeta's `verify-dump` differ, on purpose.
pub(super) struct Difference {
    pub(super) name: &'static str,
    /// Who is right, and why.
    pub(super) why: &'static str,
    /// Whether a damaged dump may show it, too.
    pub(super) by_damage: bool,
    is: fn(&Ours, &Theirs) -> bool,
    /// Dumps that show it, with their formats.
    pub(super) examples: fn() -> Vec<(&'static str, String)>,
}

/// All of them. Seen with drbd-utils 9.22.
pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        name: "number out of range",
        why: "We: drbdmeta cuts a number to the width of its field, so that 4294967297 stripes are one, and takes a negative size for a \
              huge one. It takes node ids that its other commands refuse, and 0 or 32 and more slots.",
        by_damage: true,
        is: |ours, theirs| {
            is_number_taken(ours, theirs, |wanted| {
                matches!(wanted, Wanted::Decimal(..) | Wanted::UnusedNodeId)
            })
        },
        examples: || {
            vec![
                ("v08", with(&v08(), "al-stripes 1", "al-stripes 4294967297")),
                ("v08", with(&v08(), "al-stripes 1", "al-stripes -1")),
                (
                    "v08",
                    with(&v08(), "la-size-sect 268200", "la-size-sect -5"),
                ),
                ("v08", with(&v08(), "size 1048576", "size 4294967296")),
                ("v09", with(&v09_any(), "node-id 1", "node-id 32")),
                ("v09", with(&v09_any(), "node-id 1", "node-id -2")),
                (
                    "v09",
                    with(&v09_any(), "bitmap-index -1", "bitmap-index 2147483648"),
                ),
                (
                    "v09",
                    without_bitmaps(&with(&v09_any(), "max-peers 3", "max-peers 0")),
                ),
                ("v09", with(&v09_any(), "peer[0]", "peer[4294967296]")),
                ("v07", with(&v07(), "-1", "4294967296")),
            ]
        },
    },
    Difference {
        name: "granularity out of range",
        why: "We: no DRBD has more than 1 MiB for a bit. drbdmeta takes 2 MiB, and dies of an assertion where only the upper 32 bits are set. It judges the granularity after \
              the fields that follow it.",
        by_damage: true,
        is: |ours, theirs| {
            is_number_taken(ours, theirs, |wanted| {
                matches!(wanted, Wanted::PowerOfTwo(..))
            })
        },
        examples: || {
            vec![
                ("v08", with(&v08(), "bit 4096", "bit 2097152")),
                ("v08", with(&v08(), "bit 4096", "bit 8589934592")),
                (
                    "v08",
                    with(&with(&v08(), "bit 4096", "bit 5000"), "bm {", "bmm {"),
                ),
            ]
        },
    },
    Difference {
        name: "negative count",
        why: "We: nothing is repeated a negative number of times. drbdmeta takes the count for a huge one.",
        by_damage: true,
        is: |ours, theirs| {
            is_number_taken(ours, theirs, |wanted| matches!(wanted, Wanted::OneOf(_)))
        },
        examples: || vec![("v08", with(&v08(), "528 times", "-528 times"))],
    },
    Difference {
        name: "more bits than a device can have",
        why: "We: beyond 1 PiB there are no sectors. verify-dump does not look, and dies of a count of 9999999999999999999.",
        by_damage: true,
        is: |ours, theirs| {
            is_number_taken(ours, theirs, |wanted| {
                matches!(wanted, Wanted::ValuesAtMost(_))
            })
        },
        examples: || {
            vec![
                (
                    "v08",
                    with(&v08(), "528 times", "9223372036854775807 times"),
                ),
                (
                    "v08",
                    with(&v08(), "528 times", "9999999999999999999 times"),
                ),
            ]
        },
    },
    Difference {
        name: "dump of an old DRBD",
        why: "We: DRBD before 8.4.3 printed no al-stripes, before 8.4.0 no la-peer-max-bio-size, and both meant what they did not say. \
              drbdmeta has forgotten its own old dumps.",
        by_damage: true,
        is: |ours, theirs| {
            let old = |(_, notes): &(Format, Vec<Note>)| notes.contains(&Note::NoStriping);
            ours.head.as_ref().is_some_and(old) && is_refused_before(ours, theirs)
        },
        examples: || {
            let before_8_4_3 = without_lines(&v08(), "al-strip");
            let before_8_4_0 = without_lines(&before_8_4_3, "la-peer");
            vec![("v08", before_8_4_3), ("v08", before_8_4_0)]
        },
    },
    Difference {
        name: "dump of a newer drbd-utils",
        why: "We: drbd-utils 9.27 and newer print members. An older drbdmeta does not know it.",
        by_damage: false,
        is: |ours, theirs| {
            let with_members = |(format, notes): &(Format, Vec<Note>)| {
                *format == Format::V09 && !notes.contains(&Note::NoMembers)
            };
            ours.head.as_ref().is_some_and(with_members) && is_refused_before(ours, theirs)
        },
        examples: || vec![("v09", v09())],
    },
];

/// The difference that explains what the two said, if there is one.
pub(super) fn known(ours: &Ours, theirs: &Theirs) -> Option<&'static Difference> {
    DIFFERENCES
        .iter()
        .find(|difference| (difference.is)(ours, theirs))
}

/// Whether we refuse a number where this is wanted, and drbdmeta takes it: it refuses nothing, or something further on.
fn is_number_taken(ours: &Ours, theirs: &Theirs, wanted: impl Fn(Wanted) -> bool) -> bool {
    let Err(Error::Syntax(syntax)) = &ours.end else {
        return false;
    };
    let Syntax {
        line,
        found: Found::Token(token),
        expected,
        ..
    } = &**syntax
    else {
        return false;
    };
    let digits = token.strip_prefix('-').unwrap_or(token);
    let decimal = digits.len() < 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = decimal || matches!(expected, Wanted::ValuesAtMost(_));
    let goes_on = !matches!(theirs, Theirs::Refused(Some(refused)) if refused <= line);
    number && wanted(*expected) && goes_on
}

/// Whether drbdmeta refuses something that we go past.
fn is_refused_before(ours: &Ours, theirs: &Theirs) -> bool {
    match (&ours.end, theirs) {
        (Ok(()), Theirs::Refused(_)) => true,
        (Err(Error::Syntax(syntax)), Theirs::Refused(Some(line))) => *line < syntax.line,
        _ => false,
    }
}

fn with(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

/// v09 that any drbdmeta reads.
fn v09_any() -> String {
    without_lines(&v09(), "members")
}

fn without_bitmaps(text: &str) -> String {
    let (head, _) = text.split_once("bitmap[0]").unwrap();
    head.to_owned()
}
