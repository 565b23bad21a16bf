//! Superblocks, field by field at their byte offsets.

use super::level::{Level, Peer, Rules};
use super::plan::Plan;
use crate::error::{Expected, Field, Misfit};
use crate::units::{BitmapIndex, DevPos, NodeId};

/// The magic of 0.7.
pub const MAGIC_V07: u32 = 0x8374_026a;
/// The magic of 8.0 to 8.3, and of 8.4 once the activity log was applied.
pub const MAGIC_V08: u32 = 0x8374_026b;
/// The magic that an 8.4 kernel writes.
pub const MAGIC_84_UNCLEAN: u32 = 0x8374_026c;
/// The magic of 9.
pub const MAGIC_V09: u32 = 0x8374_026d;

/// Bytes in a superblock.
pub(super) const SIZE: usize = 4096;
/// Entries for peers in v09, one a node id.
const NODES: u8 = 32;

/// Where a format's superblock has its magic.
pub(super) const fn magic_offset(magic: u32) -> usize {
    if magic == MAGIC_V07 { 0x1c } else { 0x3c }
}

/// The superblock of a level that lies so.
pub(super) fn encode(level: &Level, plan: &Plan, number: u8) -> Result<[u8; SIZE], Misfit> {
    let mut block = Block([0; SIZE]);
    match level.rules {
        Rules::V07Fixed | Rules::V07Flex => v07(&mut block, level, plan)?,
        Rules::V08 => v08(&mut block, level, plan, number)?,
        Rules::V09 => v09(&mut block, level, plan, number)?,
    }
    Ok(block.0)
}

fn v07(block: &mut Block, level: &Level, plan: &Plan) -> Result<(), Misfit> {
    block.u64(0x00, plan.la_size.get() / 2);
    for (at, count) in (0x08..).step_by(4).zip(level.generation_counters) {
        block.u32(at, count);
    }
    block.u32(0x1c, level.magic);
    block.u32(0x20, md_size(plan)? / 2);
    block.i32(0x24, distance(plan, plan.al, Field::AlOffset)?);
    block.u32(0x28, level.al_nr_extents);
    block.i32(0x2c, distance(plan, plan.bm, Field::BmOffset)?);
    Ok(())
}

fn v08(block: &mut Block, level: &Level, plan: &Plan, number: u8) -> Result<(), Misfit> {
    block.u64(0x00, plan.la_size.get());
    block.u64(0x08, current(level, number));
    block.u64(0x10, level.bitmap_uuid);
    for (at, uuid) in [0x18, 0x20].into_iter().zip(history(level, number)) {
        block.u64(at, uuid);
    }
    block.u64(0x28, device(level, number));
    from_flags_on(block, level, plan)?;
    block.u32(0x58, level.al_stripes);
    block.u32(0x5c, level.al_stripe_size_4k);
    Ok(())
}

fn v09(block: &mut Block, level: &Level, plan: &Plan, number: u8) -> Result<(), Misfit> {
    block.u64(0x00, plan.la_size.get());
    block.u64(0x08, current(level, number));
    block.u64(0x10, level.members);
    block.u64(0x30, device(level, number));
    from_flags_on(block, level, plan)?;
    block.u32(0x58, level.max_peers.into());
    block.i32(0x5c, level.node_id.map_or(-1, |node| node.get().into()));
    block.u32(0x60, level.al_stripes);
    block.u32(0x64, level.al_stripe_size_4k);
    for (at, peer) in (0x70..).step_by(32).zip(peers(level)?) {
        block.peer(at, peer);
    }
    let history = history(level, number).into_iter().take(NODES.into());
    for (at, uuid) in (0x470..).step_by(8).zip(history) {
        block.u64(at, uuid);
    }
    Ok(())
}

/// What v08 and v09 have at the same places.
fn from_flags_on(block: &mut Block, level: &Level, plan: &Plan) -> Result<(), Misfit> {
    block.u32(0x38, level.flags);
    block.u32(0x3c, level.magic);
    block.u32(0x40, md_size(plan)?);
    block.i32(0x44, distance(plan, plan.al, Field::AlOffset)?);
    block.u32(0x48, level.al_nr_extents);
    block.i32(0x4c, distance(plan, plan.bm, Field::BmOffset)?);
    let bytes_per_bit = u32::try_from(level.bytes_per_bit.get()).unwrap_or(0);
    block.u32(0x50, bytes_per_bit);
    block.u32(0x54, level.la_peer_max_bio_size);
    Ok(())
}

/// The entries of all 32 nodes.
///
/// Where none was asked for, every other node from the lowest on has the next slot until there are no more slots.
fn peers(level: &Level) -> Result<Vec<Peer>, Misfit> {
    if let Some(given) = &level.peers {
        if let Some((node, _)) = given.range(NodeId::new(NODES)..).next() {
            return Err(Misfit {
                field: Field::NodeId,
                found: node.get().into(),
                expected: Expected::AtMost(31),
            });
        }
        let given = |node| given.get(&NodeId::new(node)).copied();
        return Ok((0..NODES)
            .map(|node| given(node).unwrap_or_default())
            .collect());
    }
    let mut slots = (0..level.max_peers).map(BitmapIndex::new);
    let entry = |node: u8| {
        if level.node_id == Some(NodeId::new(node)) {
            Peer::default()
        } else {
            slots.next().map(Peer::in_slot).unwrap_or_default()
        }
    };
    Ok((0..NODES).map(entry).collect())
}

fn current(level: &Level, number: u8) -> u64 {
    level.current_uuid.unwrap_or(made_up(0xc0, number))
}

fn device(level: &Level, number: u8) -> u64 {
    level.device_uuid.unwrap_or(made_up(0xde, number))
}

fn history(level: &Level, number: u8) -> Vec<u64> {
    let made_up = || vec![made_up(0xa1, number), made_up(0xa2, number)];
    level.history_uuids.clone().unwrap_or_else(made_up)
}

/// A UUID that no other kind and no other level has; as on a secondary its lowest bit is clear.
const fn made_up(kind: u8, number: u8) -> u64 {
    u64::from_be_bytes([kind, number, b'm', b'd', b't', b'o', b'o', b'l'])
}

fn md_size(plan: &Plan) -> Result<u32, Misfit> {
    let size = plan.md_size.get();
    u32::try_from(size).map_err(|_| Misfit {
        field: Field::MdSizeSect,
        found: size.into(),
        expected: Expected::AtMost(u32::MAX.into()),
    })
}

/// How many sectors `at` is after the superblock.
fn distance(plan: &Plan, at: DevPos, field: Field) -> Result<i32, Misfit> {
    let sectors = |at: DevPos| i128::from(at.get() / 512);
    let found = sectors(at).saturating_sub(sectors(plan.md));
    i32::try_from(found).map_err(|_| Misfit {
        field,
        found,
        expected: Expected::Between(i32::MIN.into(), i32::MAX.into()),
    })
}

/// A superblock being filled in.
struct Block([u8; SIZE]);

impl Block {
    fn put<const N: usize>(&mut self, at: usize, bytes: [u8; N]) {
        let field = self.0.get_mut(at..).and_then(<[u8]>::first_chunk_mut);
        // OK to expect: offsets are constants of this file, the largest that of the 32nd history UUID.
        *field.expect("every field lies in the block") = bytes;
    }

    fn u32(&mut self, at: usize, value: u32) {
        self.put(at, value.to_be_bytes());
    }

    fn i32(&mut self, at: usize, value: i32) {
        self.put(at, value.to_be_bytes());
    }

    fn u64(&mut self, at: usize, value: u64) {
        self.put(at, value.to_be_bytes());
    }

    fn peer(&mut self, at: usize, peer: Peer) {
        let mut entry = [0; 32];
        let mut fields = Vec::with_capacity(24);
        fields.extend(peer.bitmap_uuid.to_be_bytes());
        fields.extend(peer.bitmap_dagtag.to_be_bytes());
        fields.extend(peer.flags.to_be_bytes());
        fields.extend(peer.bitmap_index.to_be_bytes());
        entry.split_at_mut(fields.len()).0.copy_from_slice(&fields);
        self.put(at, entry);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{External, LaSize, build, build_external};
    use super::*;
    use crate::image::{MemImage, ReadAt};
    use crate::units::{Bytes, ImagePos, Sectors};

    /// The superblock of one level on a device of 1 GiB.
    fn block(level: &Level) -> Vec<u8> {
        let mut image = MemImage::new(Bytes::new(1 << 30));
        let size = image.size();
        let levels = std::slice::from_ref(level);
        let built = build(&mut image, ImagePos::START, size, levels).unwrap();
        read(&image, built[0].image_pos(built[0].md()).unwrap())
    }

    fn read(image: &MemImage, at: ImagePos) -> Vec<u8> {
        let mut block = vec![0; SIZE];
        image.read_exact_at(at, &mut block).unwrap();
        block
    }

    /// The block with those words, given as offset and hexadecimal digits, and zeros elsewhere.
    fn expected(fields: &[(usize, &str)]) -> Vec<u8> {
        let mut block = vec![0; SIZE];
        for (at, digits) in fields {
            let bytes = hex::decode(digits.replace(' ', "")).unwrap();
            block[*at..*at + bytes.len()].copy_from_slice(&bytes);
        }
        block
    }

    #[test]
    fn v08_fields_are_where_drbd_has_them() {
        let level = Level::v08()
            .current_uuid(0x1111_1111_1111_1111)
            .bitmap_uuid(0x2222_2222_2222_2222)
            .history_uuids(&[0x3333_3333_3333_3333, 0x4444_4444_4444_4444, 5])
            .device_uuid(0x6666_6666_6666_6666)
            .flags(0x7777_7777)
            .al_nr_extents(0x8888_8888)
            .la_peer_max_bio_size(0x9999_9999)
            .magic(MAGIC_84_UNCLEAN);
        let uuids = "1111111111111111 2222222222222222 3333333333333333 4444444444444444";
        let wanted = expected(&[
            (0x00, "00000000001fff78"),
            (0x08, uuids),
            (0x28, "6666666666666666"),
            (0x38, "77777777 8374026c"),
            (0x40, "00000088 ffffffc0 88888888 ffffff80"),
            (0x50, "00001000 99999999 00000001 00000008"),
        ]);
        assert!(block(&level) == wanted, "{:02x?}", &block(&level)[..96]);
    }

    #[test]
    fn v09_fields_are_where_drbd_has_them() {
        let peer = Peer {
            bitmap_uuid: 0xaaaa_aaaa_aaaa_aaaa,
            bitmap_dagtag: 0xbbbb_bbbb_bbbb_bbbb,
            flags: 0xcccc_cccc,
            bitmap_index: 77,
        };
        let level = Level::v09(2)
            .la_size(LaSize::Exactly(Sectors::new(0x12_3456)))
            .bytes_per_bit(Bytes::new(65_536))
            .striping(2, 16)
            .current_uuid(0x1111_1111_1111_1111)
            .members(0x2222_2222_2222_2222)
            .history_uuids(&[0xdddd_dddd_dddd_dddd; 40])
            .device_uuid(0x6666_6666_6666_6666)
            .flags(0x7777_7777)
            .al_nr_extents(0x8888_8888)
            .la_peer_max_bio_size(0x9999_9999)
            .node_id(NodeId::new(5))
            .peer(NodeId::new(31), peer);
        let none: Vec<_> = (0..31)
            .map(|node| (0x70 + 32 * node + 20, "ffffffff"))
            .collect();
        let history = "dd".repeat(32 * 8);
        let mut fields = vec![
            (0x00, "0000000000123456 1111111111111111 2222222222222222"),
            (0x30, "6666666666666666 77777777 8374026d"),
            (0x40, "00000110 ffffff00 88888888 fffffef8"),
            (0x50, "00010000 99999999 00000002 00000005"),
            (0x60, "00000002 00000010"),
            (0x450, "aaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb cccccccc 0000004d"),
            (0x470, &history),
        ];
        fields.extend(none);
        let wanted = expected(&fields);
        assert!(block(&level) == wanted, "{:02x?}", &block(&level)[..1400]);
    }

    #[test]
    fn v07_fields_are_where_drbd_has_them() {
        let level = Level::v07()
            .generation_counters([0x11, 0x22, 0x33, 0x44, 0x55])
            .al_nr_extents(0x66)
            .la_size(LaSize::Exactly(Sectors::new(0x1235)));
        let wanted = expected(&[
            (0x00, "000000000000091a"),
            (0x08, "00000011 00000022 00000033 00000044 00000055"),
            (0x1c, "8374026a 00020000 00000008 00000066 00000048"),
        ]);
        assert!(block(&level) == wanted, "{:02x?}", &block(&level)[..64]);
    }

    #[test]
    fn a_meta_device_begins_with_its_superblock() {
        let mut image = MemImage::new(Bytes::new((1 << 20) + 3 * 512));
        let (size, at) = (image.size(), ImagePos::START);
        let level = Level::v08().just_created();
        build_external(&mut image, at, size, External::Flex, size, &level).unwrap();
        let wanted = expected(&[
            (0x08, "0000000000000004"),
            (0x38, "00000080 8374026b"),
            (0x40, "00000803 00000008 00000101 00000048"),
            (0x50, "00001000 00000000 00000001 00000008"),
        ]);
        assert!(read(&image, at) == wanted);
    }

    #[test]
    fn unclean_is_a_magic_in_v08_and_a_flag_in_v09() {
        let (v08, v09) = (Level::v08().unclean(), Level::v09(1).unclean());
        assert_eq!(
            block(&v08)[0x38..0x40],
            [0, 0, 0, 0x11, 0x83, 0x74, 2, 0x6c]
        );
        assert_eq!(
            block(&v09)[0x38..0x40],
            [0, 0, 0, 0x11, 0x83, 0x74, 2, 0x6d]
        );
    }

    #[test]
    fn nodes_have_slots_from_the_lowest_on_but_for_the_own() {
        let found = block(&Level::v09(3).node_id(NodeId::new(1)));
        let slots: Vec<_> = (0..32).map(|node| found[0x70 + 32 * node + 23]).collect();
        assert_eq!(slots[..6], [0, 0xff, 1, 2, 0xff, 0xff]);
        let given = Level::v09(3).peer(NodeId::new(9), Peer::in_slot(BitmapIndex::new(2)));
        let found = block(&given);
        let slots: Vec<_> = (0..32).map(|node| found[0x70 + 32 * node + 23]).collect();
        assert_eq!(slots[..9], [0xff; 9]);
        assert_eq!(slots[9], 2);
    }
}
