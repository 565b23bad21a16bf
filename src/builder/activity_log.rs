//! Activity logs as the kernels write them, simulated transaction by transaction.
//!
//! [`KernelLog`] is the 4 KiB format of 8.4 and 9, [`SectorLog`] the 512-byte one of 0.7 to 8.3. Both keep the table of active extents the
//! kernel would have, so that a replay can be compared with it. Every field is written at its byte offset.

mod sector_log;

use std::sync::LazyLock;

pub use sector_log::SectorLog;

/// A free slot of the table.
pub const FREE: u32 = u32::MAX;

/// Bytes in a block of the log.
const BLOCK: usize = 4096;
/// Most updates in one transaction; the kernel has no more in flight.
const UPDATES: usize = 64;
/// Slots of context in one transaction.
const CONTEXT: usize = 919;

/// What a write of a transaction leaves on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The whole block.
    Whole,
    /// Only so many of its 512-byte sectors, from the first: the power went. The kernel never knows of the transaction.
    Torn(usize),
}

/// A log of DRBD 8.4 or 9 and the table it describes.
#[derive(Clone, Debug)]
pub struct KernelLog {
    stripes: u32,
    stripe_blocks: u32,
    table: Vec<u32>,
    number: u32,
    cycle: usize,
    area: Vec<u8>,
}

impl KernelLog {
    /// A log as `create-md` leaves it, and a kernel that gives the next transaction `number`. No stripes or no blocks make an empty log.
    #[must_use]
    pub fn new(stripes: u32, stripe_blocks: u32, table_size: u16, number: u32) -> Self {
        let blocks = u64::from(stripes).saturating_mul(u64::from(stripe_blocks));
        let blocks = usize::try_from(blocks).unwrap_or(0);
        Self {
            stripes,
            stripe_blocks,
            table: vec![FREE; usize::from(table_size)],
            number,
            cycle: 0,
            area: initialised_block().repeat(blocks),
        }
    }

    /// Puts extents into slots by one transaction; changes after the 64th are not made.
    pub fn activate(&mut self, changes: &[(u16, u32)], write: Write) {
        let changes = changes.get(..UPDATES).unwrap_or(changes);
        let block = self.transaction(changes);
        let start = self.offset_of(self.number);
        let kept = match write {
            Write::Whole => BLOCK,
            Write::Torn(sectors) => sectors.saturating_mul(512).min(BLOCK),
        };
        let target = self.area.get_mut(start..).unwrap_or_default();
        for (to, from) in target.iter_mut().zip(block).take(kept) {
            *to = from;
        }
        if write != Write::Whole {
            return;
        }
        self.number = self.number.wrapping_add(1);
        self.cycle = self.cycle.saturating_add(CONTEXT);
        if self.cycle >= self.table.len() {
            self.cycle = 0;
        }
        for (slot, extent) in changes {
            if let Some(entry) = self.table.get_mut(usize::from(*slot)) {
                *entry = *extent;
            }
        }
    }

    /// As a kernel does when it moves the metadata: one transaction without updates for every block.
    pub fn write_context_everywhere(&mut self) {
        for _ in 0..self.area.len().wrapping_div(BLOCK) {
            self.activate(&[], Write::Whole);
        }
    }

    /// As a kernel does when `al-extents` changes: an empty table of another size, and nothing is written.
    pub fn resize_table(&mut self, table_size: u16) {
        self.table = vec![FREE; usize::from(table_size)];
    }

    /// As an attach after `drbdmeta apply-al`: blank blocks, an empty table, and numbers that go on.
    pub fn reattach(&mut self) {
        self.area = initialised_block().repeat(self.area.len().wrapping_div(BLOCK));
        self.table.fill(FREE);
    }

    /// As an attach in a new kernel without `apply-al`: the blocks stay, the table is empty, and numbers start over.
    pub fn attach_over_old_log(&mut self) {
        self.table.fill(FREE);
        self.number = 0;
        self.cycle = 0;
    }

    /// The block of the area that transaction `number` goes to.
    #[must_use]
    pub fn block_of(&self, number: u32) -> usize {
        let blocks = u32::try_from(self.area.len().wrapping_div(BLOCK)).unwrap_or(0);
        let position = number.checked_rem(blocks).unwrap_or(0);
        let stripe = position.checked_rem(self.stripes).unwrap_or(0);
        let row = position.checked_div(self.stripes).unwrap_or(0);
        let block = stripe
            .saturating_mul(self.stripe_blocks)
            .saturating_add(row);
        usize::try_from(block).unwrap_or(0)
    }

    /// The bytes of block `block`, to damage them; nothing beyond the area.
    pub fn block_mut(&mut self, block: usize) -> &mut [u8] {
        let mut blocks = self.area.chunks_exact_mut(BLOCK);
        blocks.nth(block).unwrap_or_default()
    }

    /// The log area.
    #[must_use]
    pub fn area(&self) -> &[u8] {
        &self.area
    }

    /// The number the next transaction gets.
    #[must_use]
    pub fn next_number(&self) -> u32 {
        self.number
    }

    /// The extents in the table, sorted, each once.
    #[must_use]
    pub fn active(&self) -> Vec<u32> {
        active(&self.table)
    }

    fn offset_of(&self, number: u32) -> usize {
        self.block_of(number).saturating_mul(BLOCK)
    }

    /// The next transaction's block: the context is the table before the changes.
    fn transaction(&self, changes: &[(u16, u32)]) -> [u8; BLOCK] {
        let mut block = [0; BLOCK];
        put(&mut block, 0, &0x69CB_65A2_u32.to_be_bytes());
        put(&mut block, 4, &self.number.to_be_bytes());
        put(&mut block, 14, &low_16(changes.len()).to_be_bytes());
        put(&mut block, 16, &low_16(self.table.len()).to_be_bytes());
        put(&mut block, 18, &low_16(self.cycle).to_be_bytes());
        for i in 0..UPDATES {
            let (slot, extent) = changes.get(i).copied().unwrap_or((u16::MAX, FREE));
            put(
                &mut block,
                i.wrapping_mul(2).wrapping_add(36),
                &slot.to_be_bytes(),
            );
            put(
                &mut block,
                i.wrapping_mul(4).wrapping_add(164),
                &extent.to_be_bytes(),
            );
        }
        for i in 0..CONTEXT {
            let slot = self.cycle.wrapping_add(i);
            let extent = self.table.get(slot).copied().unwrap_or(FREE);
            put(
                &mut block,
                i.wrapping_mul(4).wrapping_add(420),
                &extent.to_be_bytes(),
            );
        }
        seal(&mut block);
        block
    }
}

/// The remainders of all bytes by the Castagnoli polynomial, reflected.
static REMAINDERS: LazyLock<Vec<u32>> = LazyLock::new(|| {
    let halve = |rest: u32| (rest >> 1) ^ if rest & 1 == 0 { 0 } else { 0x82F6_3B78 };
    let remainder = |byte| (0..8).fold(byte, |rest, _| halve(rest));
    (0..256).map(remainder).collect()
});

/// Writes the checksum that makes a block valid, whatever else it holds.
pub fn seal(block: &mut [u8]) {
    put(block, 8, &[0; 4]);
    let crc = block.iter().fold(0_u32, |crc, byte| {
        let [low, ..] = crc.to_le_bytes();
        let remainder = REMAINDERS.get(usize::from(low ^ byte));
        (crc >> 8) ^ remainder.copied().unwrap_or(0)
    });
    put(block, 8, &crc.to_be_bytes());
}

/// A block that no transaction was written to yet, as `create-md` writes it.
#[must_use]
pub fn initialised_block() -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put(&mut block, 0, &0x69CB_65A2_u32.to_be_bytes());
    put(&mut block, 8, &0x709C_C651_u32.to_be_bytes());
    put(&mut block, 12, &[0xff, 0xff]);
    block
}

/// The extents in a table, sorted, each once.
fn active(table: &[u32]) -> Vec<u32> {
    let mut extents: Vec<u32> = table
        .iter()
        .copied()
        .filter(|extent| *extent != FREE)
        .collect();
    extents.sort_unstable();
    extents.dedup();
    extents
}

/// Writes `bytes` at `offset`; what would lie beyond the end is dropped.
fn put(target: &mut [u8], offset: usize, bytes: &[u8]) {
    let rest = target.get_mut(offset..).unwrap_or_default();
    for (to, from) in rest.iter_mut().zip(bytes) {
        *to = *from;
    }
}

/// A number that has 16 bits by construction.
fn low_16(number: usize) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The checksums of the blocks, in the order on disk.
    fn checksums(log: &KernelLog) -> Vec<u32> {
        log.area
            .chunks_exact(BLOCK)
            .map(|block| u32::from_be_bytes(block[8..12].try_into().unwrap()))
            .collect()
    }

    /// Five extents written to, as in the images below; the kernels hand out slots from the last one down.
    const WRITES: [(u16, u32); 7] = [
        (1236, 0),
        (1235, 1),
        (1234, 3),
        (1233, 9),
        (1232, 17),
        (1231, 21),
        (1230, 30),
    ];

    /// The checksums were read from an image of a primary that lost power, DRBD 9.3.3 on Linux 6.12.
    #[test]
    fn a_simulated_log_is_what_drbd_9_wrote() {
        let mut log = KernelLog::new(1, 8, 1237, 0);
        for change in WRITES {
            log.activate(&[change], Write::Whole);
        }
        let expected = [
            0x6bc1_e3dc,
            0xf59c_fb19,
            0x870c_1328,
            0xfc50_fcb4,
            0x947f_cd49,
            0x3c80_ff11,
            0xf96a_8b9b,
            0x709c_c651,
        ];
        assert_eq!(checksums(&log), expected);
    }

    /// The same from DRBD 8.4.11 on Linux 6.1, which had written every block when it sized the device.
    #[test]
    fn a_simulated_log_is_what_drbd_8_wrote() {
        let mut log = KernelLog::new(1, 8, 1237, 0);
        log.write_context_everywhere();
        for change in WRITES {
            log.activate(&[change], Write::Whole);
        }
        let expected = [
            0x571a_0d39,
            0xc947_15fc,
            0xbbd7_fdcd,
            0xc08b_1251,
            0xa8a4_23ac,
            0x005b_11f4,
            0xc5b1_657e,
            0x74cf_d744,
        ];
        assert_eq!(checksums(&log), expected);
    }

    #[test]
    fn sealing_the_initialised_block_changes_nothing() {
        let mut block = initialised_block();
        seal(&mut block);
        assert_eq!(block, initialised_block());
    }
}
