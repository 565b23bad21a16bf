use proptest::prelude::*;

use super::*;

/// Every 32-bit word of the block holds its own offset, so that a field says where it was read.
fn words_of_offsets() -> [u8; SUPERBLOCK_LEN] {
    let mut bytes = [0; SUPERBLOCK_LEN];
    for (i, word) in bytes.chunks_exact_mut(4).enumerate() {
        word.copy_from_slice(&u32::try_from(i * 4).unwrap().to_be_bytes());
    }
    bytes
}

/// What a 64-bit field at `offset` reads there.
fn wide(offset: u64) -> u64 {
    (offset << 32) | (offset + 4)
}

#[test]
fn field_offsets_v07() {
    let sb = SuperblockV07::from_bytes(&words_of_offsets());
    assert_eq!(sb.la_kb, wide(0));
    assert_eq!(sb.gc, [8, 12, 16, 20, 24]);
    assert_eq!(
        (
            sb.magic,
            sb.md_size_kb,
            sb.al_offset,
            sb.al_nr_extents,
            sb.bm_offset
        ),
        (28, 32, 36, 40, 44)
    );
    assert_eq!(sb.tail[..4], 48_u32.to_be_bytes());
}

#[test]
fn field_offsets_v08() {
    let sb = SuperblockV08::from_bytes(&words_of_offsets());
    assert_eq!(sb.la_size_sect, wide(0));
    assert_eq!(sb.uuid, [8, 16, 24, 32].map(wide));
    assert_eq!((sb.device_uuid, sb.reserved_u64_1), (wide(40), wide(48)));
    assert_eq!(
        (sb.flags, sb.magic, sb.md_size_sect, sb.al_offset),
        (56, 60, 64, 68)
    );
    assert_eq!(
        (sb.al_nr_extents, sb.bm_offset, sb.bm_bytes_per_bit),
        (72, 76, 80)
    );
    assert_eq!(
        (sb.la_peer_max_bio_size, sb.al_stripes, sb.al_stripe_size_4k),
        (84, 88, 92)
    );
    assert_eq!(sb.tail[..4], 96_u32.to_be_bytes());
}

#[test]
fn field_offsets_v09() {
    let sb = SuperblockV09::from_bytes(&words_of_offsets());
    assert_eq!(
        (sb.effective_size, sb.current_uuid, sb.members),
        (wide(0), wide(8), wide(16))
    );
    assert_eq!(
        (sb.reserved_u64_1, sb.device_uuid),
        ([24, 32, 40].map(wide), wide(48))
    );
    assert_eq!(
        (sb.flags, sb.magic, sb.md_size_sect, sb.al_offset),
        (56, 60, 64, 68)
    );
    assert_eq!(
        (sb.al_nr_extents, sb.bm_offset, sb.bm_bytes_per_bit),
        (72, 76, 80)
    );
    assert_eq!(
        (sb.la_peer_max_bio_size, sb.bm_max_peers, sb.node_id),
        (84, 88, 92)
    );
    assert_eq!(
        (sb.al_stripes, sb.al_stripe_size_4k, sb.reserved_u32_1),
        (96, 100, [104, 108])
    );
    let last = sb.peers[31];
    assert_eq!(
        (sb.peers[0].bitmap_uuid, last.bitmap_uuid),
        (wide(0x70), wide(0x70 + 31 * 32))
    );
    assert_eq!(
        (last.bitmap_dagtag, last.flags, last.bitmap_index),
        (wide(1112), 1120, 1124)
    );
    assert_eq!(last.reserved_u32, [1128, 1132]);
    assert_eq!(
        (sb.history_uuids[0], sb.history_uuids[31]),
        (wide(0x470), wide(0x470 + 31 * 8))
    );
    assert_eq!(sb.tail[..4], 1392_u32.to_be_bytes());
}

proptest! {
    #[test]
    fn any_bytes_round_trip(bytes in proptest::collection::vec(any::<u8>(), SUPERBLOCK_LEN)) {
        let bytes: [u8; SUPERBLOCK_LEN] = bytes.try_into().unwrap();
        prop_assert_eq!(SuperblockV07::from_bytes(&bytes).to_bytes(), bytes);
        prop_assert_eq!(SuperblockV08::from_bytes(&bytes).to_bytes(), bytes);
        prop_assert_eq!(SuperblockV09::from_bytes(&bytes).to_bytes(), bytes);
    }
}
