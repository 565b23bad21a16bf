use proptest::prelude::*;

use super::*;

/// Every 16-bit word of the bytes holds its own offset, so that a field says where it was read.
fn half_words_of_offsets<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    for (i, half) in bytes.chunks_exact_mut(2).enumerate() {
        half.copy_from_slice(&u16::try_from(i * 2).unwrap().to_be_bytes());
    }
    bytes
}

/// What a 32-bit field at `offset` reads there.
fn wide(offset: u32) -> u32 {
    (offset << 16) | (offset + 2)
}

#[test]
fn field_offsets_al_v84() {
    let tr = AlTransactionV84::from_bytes(&half_words_of_offsets());
    assert_eq!(
        (tr.magic, tr.tr_number, tr.crc32c),
        (wide(0), wide(4), wide(8))
    );
    assert_eq!((tr.transaction_type, tr.n_updates), (12, 14));
    assert_eq!((tr.context_size, tr.context_start_slot_nr), (16, 18));
    assert_eq!(tr.reserved, [20, 24, 28, 32].map(wide));
    assert_eq!((tr.update_slot_nr[0], tr.update_slot_nr[63]), (36, 162));
    assert_eq!(
        (tr.update_extent_nr[0], tr.update_extent_nr[63]),
        (wide(164), wide(416))
    );
    assert_eq!((tr.context[0], tr.context[918]), (wide(420), wide(4092)));
}

#[test]
fn field_offsets_al_v07() {
    let sector = AlSectorV07::from_bytes(&half_words_of_offsets());
    assert_eq!((sector.magic, sector.tr_number), (wide(0), wide(4)));
    let ends = [sector.updates[0], sector.updates[61]];
    assert_eq!(ends.map(|update| update.pos), [8, 496].map(wide));
    assert_eq!(ends.map(|update| update.extent), [12, 500].map(wide));
    assert_eq!((sector.xor_sum, sector.pad), (wide(504), wide(508)));
}

#[test]
fn field_offsets_al_pmem() {
    let block = AlPmemBlock::from_bytes(&half_words_of_offsets());
    assert_eq!(
        (block.words[0], block.words[1], block.words[1023]),
        (wide(0), wide(4), wide(4092))
    );
}

proptest! {
    #[test]
    fn any_bytes_round_trip(bytes in proptest::collection::vec(any::<u8>(), 4096)) {
        let bytes: [u8; 4096] = bytes.try_into().unwrap();
        prop_assert_eq!(AlTransactionV84::from_bytes(&bytes).to_bytes(), bytes);
        prop_assert_eq!(AlPmemBlock::from_bytes(&bytes).to_bytes(), bytes);
        for sector in bytes.as_chunks::<512>().0 {
            prop_assert_eq!(AlSectorV07::from_bytes(sector).to_bytes(), *sector);
        }
    }
}
