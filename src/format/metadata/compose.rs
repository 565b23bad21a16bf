//! A superblock anew, from what it says of the resource and where things will lie: what drbdmeta's restore-md writes.

use super::{CountersV07, Generation, GenerationV08, GenerationV09, Header};
use crate::error::{Expected, Field, Misfit};
use crate::format::layout::MdLayout;
use crate::format::ondisk::{PeerV09, SuperblockV07, SuperblockV08, SuperblockV09};
use crate::format::superblock::{
    AlState, MAGIC_84_UNCLEAN, MAGIC_V07, MAGIC_V08, MAGIC_V09, Superblock, Uuid,
};
use crate::units::{DevPos, Sectors};

/// Sectors in a KiB, v07's unit of size.
const SECTORS_PER_KIB: u64 = 2;

/// The numbers that every format's superblock has, in the widths it has them.
struct Places {
    md_size: Sectors,
    al_offset: i32,
    bm_offset: i32,
}

impl Header {
    /// A superblock that says this of a resource whose metadata has that layout; everything that neither holds is zero.
    ///
    /// It is clean where [`Header::al_state`] is, and its flags name the log applied (`MDF_AL_CLEAN`).
    ///
    /// # Errors
    ///
    /// The first field that a superblock has no room for, as `md_size_sect` on a meta device of 2 TiB.
    pub fn compose(&self, layout: &MdLayout) -> Result<Superblock, Misfit> {
        let places = Places {
            md_size: layout.md_size,
            al_offset: offset(Field::AlOffset, layout.al.start, layout.md)?,
            bm_offset: offset(Field::BmOffset, layout.bm.start, layout.md)?,
        };
        Ok(match &self.generation {
            Generation::V07(counters) => {
                Superblock::V07(Box::new(self.compose_v07(*counters, &places)?))
            }
            Generation::V08(generation) => {
                Superblock::V08(Box::new(self.compose_v08(generation, &places)?))
            }
            Generation::V09(generation) => {
                Superblock::V09(Box::new(self.compose_v09(generation, &places)?))
            }
        })
    }

    fn compose_v07(&self, counters: CountersV07, places: &Places) -> Result<SuperblockV07, Misfit> {
        let kib = Sectors::new(places.md_size.get().div_euclid(SECTORS_PER_KIB));
        Ok(SuperblockV07 {
            la_kb: self.la_size.get().div_euclid(SECTORS_PER_KIB),
            gc: counters.0,
            magic: MAGIC_V07,
            md_size_kb: md_size(kib)?,
            al_offset: places.al_offset,
            al_nr_extents: self.al_nr_extents,
            bm_offset: places.bm_offset,
            tail: [0; 4048],
        })
    }

    fn compose_v08(
        &self,
        generation: &GenerationV08,
        places: &Places,
    ) -> Result<SuperblockV08, Misfit> {
        Ok(SuperblockV08 {
            la_size_sect: self.la_size.get(),
            uuid: generation.uuids.map(|Uuid(uuid)| uuid),
            device_uuid: generation.device_uuid.0,
            reserved_u64_1: 0,
            flags: generation.flags.0,
            magic: match self.al_state {
                AlState::Clean => MAGIC_V08,
                AlState::Unclean => MAGIC_84_UNCLEAN,
            },
            md_size_sect: md_size(places.md_size)?,
            al_offset: places.al_offset,
            al_nr_extents: self.al_nr_extents,
            bm_offset: places.bm_offset,
            bm_bytes_per_bit: self.geometry.bytes_per_bit,
            la_peer_max_bio_size: generation.la_peer_max_bio_size,
            al_stripes: self.geometry.al.stripes,
            al_stripe_size_4k: self.geometry.al.stripe_size_4k,
            tail: [0; 4000],
        })
    }

    fn compose_v09(
        &self,
        generation: &GenerationV09,
        places: &Places,
    ) -> Result<SuperblockV09, Misfit> {
        Ok(SuperblockV09 {
            effective_size: self.la_size.get(),
            current_uuid: generation.current_uuid.0,
            members: generation.members,
            reserved_u64_1: [0; 3],
            device_uuid: generation.device_uuid.0,
            flags: generation.flags.0,
            magic: MAGIC_V09,
            md_size_sect: md_size(places.md_size)?,
            al_offset: places.al_offset,
            al_nr_extents: self.al_nr_extents,
            bm_offset: places.bm_offset,
            bm_bytes_per_bit: self.geometry.bytes_per_bit,
            la_peer_max_bio_size: generation.la_peer_max_bio_size,
            bm_max_peers: self.geometry.max_peers,
            node_id: generation.node_id,
            al_stripes: self.geometry.al.stripes,
            al_stripe_size_4k: self.geometry.al.stripe_size_4k,
            reserved_u32_1: [0; 2],
            peers: generation.peers.map(|peer| PeerV09 {
                bitmap_uuid: peer.bitmap_uuid.0,
                bitmap_dagtag: peer.bitmap_dagtag,
                flags: peer.flags.0,
                bitmap_index: peer.bitmap_index,
                reserved_u32: [0; 2],
            }),
            history_uuids: generation.history_uuids.map(|Uuid(uuid)| uuid),
            tail: [0; 2704],
        })
    }
}

/// The distance from the superblock to `to` as a superblock holds it.
fn offset(field: Field, to: DevPos, superblock: DevPos) -> Result<i32, Misfit> {
    let delta = to.delta_since(superblock).get();
    i32::try_from(delta).map_err(|_| Misfit {
        field,
        found: i128::from(delta),
        expected: Expected::Between(i128::from(i32::MIN), i128::from(i32::MAX)),
    })
}

/// The size of all metadata as a superblock holds it, in whichever unit.
fn md_size(size: Sectors) -> Result<u32, Misfit> {
    u32::try_from(size.get()).map_err(|_| Misfit {
        field: Field::MdSizeSect,
        found: i128::from(size.get()),
        expected: Expected::AtMost(i128::from(u32::MAX)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::layout::{AlStriping, MdGeometry, MdIndex};
    use crate::format::metadata::{HISTORY_UUIDS, NODE_IDS};
    use crate::format::superblock::{DeviceFlags, PeerFlags};
    use crate::units::Bytes;

    fn headers(max_peers: u32) -> [Header; 3] {
        let number = |at: usize| Bytes::of_len(at).get();
        let peer = |node: usize| super::super::PeerV09 {
            bitmap_index: i32::try_from(node).unwrap() - 1,
            bitmap_uuid: Uuid(number(node) + 100),
            bitmap_dagtag: number(node) + 200,
            flags: PeerFlags(u32::try_from(node).unwrap() << 16),
        };
        let header = |generation, max_peers| Header {
            geometry: MdGeometry {
                max_peers,
                al: AlStriping::DEFAULT,
                bytes_per_bit: 4096,
            },
            la_size: Sectors::new(2000),
            al_nr_extents: 257,
            al_state: AlState::Clean,
            generation,
        };
        let v08 = GenerationV08 {
            uuids: [Uuid(1), Uuid(2), Uuid(3), Uuid(4)],
            flags: DeviceFlags(0x8000_0081),
            device_uuid: Uuid(5),
            la_peer_max_bio_size: 6,
        };
        let v09 = GenerationV09 {
            node_id: -1,
            current_uuid: Uuid(7),
            flags: DeviceFlags(0x81),
            members: 8,
            peers: std::array::from_fn::<_, NODE_IDS, _>(peer),
            history_uuids: std::array::from_fn::<_, HISTORY_UUIDS, _>(|i| Uuid(number(i) + 300)),
            device_uuid: Uuid(9),
            la_peer_max_bio_size: 10,
        };
        [
            header(Generation::V07(CountersV07([1, 2, 3, 4, 5])), 1),
            header(Generation::V08(v08), 1),
            header(Generation::V09(Box::new(v09)), max_peers),
        ]
    }

    #[test]
    fn a_composed_superblock_says_what_it_was_composed_of() {
        let device = Bytes::new(300 << 20);
        let indices = [
            MdIndex::FlexInternal,
            MdIndex::FlexExternal,
            MdIndex::Indexed(1),
        ];
        for index in indices {
            for header in headers(5) {
                let layout = MdLayout::planned(index, header.geometry, device).unwrap();
                let superblock = header.compose(&layout).unwrap();
                let decoded = Superblock::decode(&superblock.to_bytes()).unwrap();
                let mut expected = header.clone();
                if matches!(header.generation, Generation::V07(_)) {
                    // It has no place to say that its log is applied.
                    expected.al_state = AlState::Unclean;
                }
                assert_eq!(Header::of(&decoded), expected, "{index}");
                assert_eq!(MdLayout::of(&decoded, index, device), Ok(layout));
            }
        }
    }

    #[test]
    fn an_unclean_one_is_unattachable_until_its_log_is_applied() {
        let [_, header, _] = headers(1);
        let unclean = Header {
            al_state: AlState::Unclean,
            ..header
        };
        let device = Bytes::new(300 << 20);
        let layout = MdLayout::planned(MdIndex::FlexInternal, unclean.geometry, device).unwrap();
        let superblock = unclean.compose(&layout).unwrap();
        assert_eq!(superblock.al_state(), AlState::Unclean);
    }

    #[test]
    fn a_meta_device_too_large_for_a_superblock_is_told() {
        let [_, header, _] = headers(1);
        let device = Bytes::new(2 << 40);
        let layout = MdLayout::planned(MdIndex::FlexExternal, header.geometry, device).unwrap();
        let misfit = header.compose(&layout).unwrap_err();
        assert_eq!(misfit.field, Field::MdSizeSect);
        assert_eq!(misfit.found, 1 << 32);
    }
}
