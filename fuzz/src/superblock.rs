//! Any 4096 bytes decode in every format, and encode back to the same bytes.

use mdtool::format::metadata::Header;
use mdtool::format::ondisk::{SuperblockV07, SuperblockV08, SuperblockV09};
use mdtool::format::superblock::{
    AlState, Format, MAGIC_84_UNCLEAN, MAGIC_V07, MAGIC_V08, MAGIC_V09, Superblock, format_of,
};
use mdtool::transaction::{is_attachable, unattachable};

/// The property.
pub fn holds(data: &[u8]) {
    // What is short is repeated: zeros at the end would not be missed.
    let mut block = [0; 4096];
    block
        .iter_mut()
        .zip(data.iter().cycle())
        .for_each(|(to, from)| *to = *from);
    assert_eq!(SuperblockV07::from_bytes(&block).to_bytes(), block);
    assert_eq!(SuperblockV08::from_bytes(&block).to_bytes(), block);
    assert_eq!(SuperblockV09::from_bytes(&block).to_bytes(), block);
    meaning(&block, format_of(&block));
    // The last first: a newer magic counts before v07's.
    for (at, magic, format) in [
        (28, MAGIC_V07, None),
        (60, MAGIC_V08, Some(Format::V08)),
        (60, MAGIC_84_UNCLEAN, Some(Format::V08)),
        (60, MAGIC_V09, Some(Format::V09)),
        (60, 0, Some(Format::V07)),
    ] {
        block[at..at + 4].copy_from_slice(&magic.to_be_bytes());
        meaning(&block, format.or(format_of(&block)));
    }
    assert!(!is_attachable(&unattachable(&block)));
}

/// What a block means, where it carries a magic, is said without losing a byte of it.
fn meaning(block: &[u8; 4096], format: Option<Format>) {
    let superblock = Superblock::decode(block);
    assert_eq!(superblock.as_ref().map(Superblock::format), format);
    assert_eq!(is_attachable(block), format.is_some());
    let Some(superblock) = superblock else { return };
    assert_eq!(superblock.to_bytes(), *block);
    assert!(
        superblock
            .generations()
            .iter()
            .all(|uuid| uuid.names_a_generation())
    );
    let header = Header::of(&superblock);
    assert_eq!(header.format(), superblock.format());
    assert!(header.assigned_slots().len() <= 32);
    let applied = header.with_log_applied();
    assert_eq!(applied.al_state, AlState::Clean);
    let _ = superblock.flags().to_string();
    let _ = applied.geometry.check(superblock.format());
}
