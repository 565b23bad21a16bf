//! The log of DRBD 0.7 to 8.3.

use super::{FREE, active, put};

/// Slots of context in one transaction.
const CONTEXT: usize = 61;
/// Bytes in a sector of the log.
const SECTOR: usize = 512;
/// Bytes of the area: 64 sectors.
const AREA: usize = 32768;

/// A log of DRBD 0.7 to 8.3 and the table it describes.
#[derive(Clone, Debug)]
pub struct SectorLog {
    table: Vec<u32>,
    number: u32,
    position: usize,
    cycle: usize,
    area: Vec<u8>,
}

impl SectorLog {
    /// A log over an area of zeros, or whatever is in `area`, and a kernel that starts at `number`.
    #[must_use]
    pub fn new(table_size: u16, number: u32, area: Option<Vec<u8>>) -> Self {
        Self {
            table: vec![FREE; usize::from(table_size)],
            number,
            position: 0,
            cycle: 0,
            area: area.unwrap_or_else(|| vec![0; AREA]),
        }
    }

    /// Puts an extent into a slot by one transaction.
    pub fn activate(&mut self, slot: u16, extent: u32) {
        let block = self.transaction(slot, extent);
        put(&mut self.area, self.position.saturating_mul(SECTOR), &block);
        if let Some(entry) = self.table.get_mut(usize::from(slot)) {
            *entry = extent;
        }
        self.number = self.number.wrapping_add(1);
        self.cycle = self.cycle.saturating_add(CONTEXT);
        if self.cycle >= self.table.len() {
            self.cycle = 0;
        }
        self.position = self.position.wrapping_add(1);
        if self.position > self.table.len().div_ceil(CONTEXT) {
            self.position = 0;
        }
    }

    /// As a kernel does when it has written the whole bitmap: an empty table, and nothing in the log.
    pub fn empty_table(&mut self) {
        self.table.fill(FREE);
    }

    /// The sector the next transaction goes to.
    #[must_use]
    pub fn next_sector(&self) -> usize {
        self.position
    }

    /// The bytes of sector `sector`, to damage them; nothing beyond the area.
    pub fn sector_mut(&mut self, sector: usize) -> &mut [u8] {
        let mut sectors = self.area.chunks_exact_mut(SECTOR);
        sectors.nth(sector).unwrap_or_default()
    }

    /// The log area.
    #[must_use]
    pub fn area(&self) -> &[u8] {
        &self.area
    }

    /// The extents in the table, sorted, each once.
    #[must_use]
    pub fn active(&self) -> Vec<u32> {
        active(&self.table)
    }

    /// The next transaction's sector: the context is the table before the change.
    fn transaction(&self, slot: u16, extent: u32) -> [u8; SECTOR] {
        let mut words = vec![0x8374_0267, self.number, u32::from(slot), extent];
        let mut xor = extent;
        for i in 0..CONTEXT {
            let index = self.cycle.wrapping_add(i);
            let (index, held) = match self.table.get(index) {
                Some(held) => (u32::try_from(index).unwrap_or(FREE), *held),
                None => (FREE, FREE),
            };
            words.extend([index, held]);
            xor ^= held;
        }
        words.extend([xor, 0]);
        let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
        let mut sector = [0; SECTOR];
        put(&mut sector, 0, &bytes);
        sector
    }
}
