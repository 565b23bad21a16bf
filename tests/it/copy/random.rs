//! Random stacks, cut and padded images: what is copied is the level, byte for byte.

use mdtool::builder::Level;
use proptest::prelude::*;

use super::{content, ok, stack, text};
use crate::adopt::MIB;
use crate::support::{cut, lengthen, peek};

/// What became of the image before it was copied.
#[derive(Clone, Copy, Debug)]
enum Tail {
    AsItWas,
    /// The outer metadata lost so many of its last sectors.
    Cut(u64),
    /// So many bytes came behind it.
    Padded(u64, u8),
}

fn level() -> impl Strategy<Value = Level> {
    prop_oneof![Just(Level::v08()), (1..=4_u8).prop_map(Level::v09),]
}

fn tail() -> impl Strategy<Value = Tail> {
    prop_oneof![
        Just(Tail::AsItWas),
        (1..=64_u64).prop_map(Tail::Cut),
        (1..=3 * MIB, any::<u8>()).prop_map(|(len, byte)| Tail::Padded(len, byte)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn a_copy_of_any_stack_is_its_innermost_level(
        levels in prop::collection::vec(level(), 2..=3),
        sectors in 40_000..130_000_u64,
        tail in tail(),
    ) {
        let size = sectors * 512;
        let stack = stack(&levels, size);
        let expected = stack.expected();
        match tail {
            Tail::AsItWas => {}
            Tail::Cut(lost) => cut(&stack.image, size - lost * 512),
            Tail::Padded(len, byte) => lengthen(&stack.image, &vec![byte; usize::try_from(len).unwrap()]),
        }
        let before = peek(&stack.image, 0, usize::try_from(stack.inner).unwrap());
        prop_assert!(before == expected);
        let copy = stack.file("copy");
        ok(&["copy", stack.source(), text(&copy), "--stacked"]);
        let found = content(&copy);
        // A level ends with its metadata; fewer than 8 sectors behind it are no one's.
        let len = u64::try_from(found.len()).unwrap();
        prop_assert!((stack.inner - 4095..=stack.inner).contains(&len), "{len} of {}", stack.inner);
        prop_assert!(found == expected[..found.len()]);
    }
}
