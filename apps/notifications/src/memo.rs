//! Chunks that were gathered for one reader and serve others with the same filter at the same place.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::filter::Filter;
use crate::ring::Chunk;

/// Readers with one filter move together, so that a few places per filter are enough; bounds the memory at 64
/// chunks.
const PLACES: usize = 64;

/// The chunks.
#[derive(Debug)]
pub(crate) struct Memo {
    places: [Mutex<Option<Entry>>; PLACES],
}

#[derive(Debug)]
struct Entry {
    // Keeps the filter alive, so that no other one gets its address.
    filter: Arc<Filter>,
    seq: u64,
    chunk: Chunk,
}

impl Default for Memo {
    fn default() -> Self {
        Self { places: std::array::from_fn(|_| Mutex::default()) }
    }
}

impl Memo {
    /// Returns what a reader with this very filter found at `seq`.
    pub(crate) fn get(&self, filter: &Arc<Filter>, seq: u64) -> Option<Chunk> {
        let place = self.place(filter, seq).lock();
        let entry = place.as_ref()?;
        (entry.seq == seq && Arc::ptr_eq(&entry.filter, filter)).then(|| entry.chunk.clone())
    }

    /// Notes what a reader found.
    pub(crate) fn put(&self, filter: &Arc<Filter>, seq: u64, chunk: &Chunk) {
        let entry = Entry { filter: filter.clone(), seq, chunk: chunk.clone() };
        *self.place(filter, seq).lock() = Some(entry);
    }

    fn place(&self, filter: &Arc<Filter>, seq: u64) -> &Mutex<Option<Entry>> {
        // Adjacent places of one filter never share, and filters are far apart in memory.
        let mixed = (Arc::as_ptr(filter) as u64 >> 4).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        &self.places[((mixed + seq) % PLACES as u64) as usize]
    }
}
