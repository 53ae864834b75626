//! Which offsets of the log the stream delivered: a bit for each, so that a second delivery shows and a range can
//! be counted.
//!
//! An event's id tells where the log as a whole is after it. Where it moved one partition, that is the event's own.
//! Where it moved several, since some went past offsets that hold no event, the event's own is that of its product,
//! which never changes: other events of the product tell it, those that come later included.

use std::collections::{BTreeMap, HashMap};

use uuid::Uuid;

/// A partition, and an offset of it.
type Place = (usize, u64);

/// The delivered offsets of every partition.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    partitions: BTreeMap<usize, Bits>,
    /// The partition of every product that an id has told.
    homes: HashMap<Uuid, usize>,
    /// Events of products whose partition is not known: the product, and where the event may be.
    unplaced: Vec<(Uuid, Vec<Place>)>,
}

#[derive(Debug)]
struct Bits {
    /// The offset of the first bit, a multiple of 64.
    base: u64,
    words: Vec<u64>,
}

impl Offsets {
    /// Marks an event of `product` whose id moved partitions to just behind the offsets `moved`; tells whether it is the
    /// first time, as far as is known.
    pub fn take(&mut self, product: Uuid, mut moved: impl Iterator<Item = Place>) -> bool {
        match (moved.next(), moved.next()) {
            (None, _) => false,
            (Some((partition, offset)), None) => {
                self.homes.insert(product, partition);
                self.mark(partition, offset)
            }
            (Some(one), Some(other)) => {
                self.take_one_of(product, [one, other].into_iter().chain(moved).collect())
            }
        }
    }

    fn take_one_of(&mut self, product: Uuid, places: Vec<Place>) -> bool {
        let home = self.homes.get(&product);
        let place = places.iter().find(|(partition, _)| home == Some(partition));
        if let Some((partition, offset)) = place.copied() {
            return self.mark(partition, offset);
        }
        self.unplaced.push((product, places));
        true
    }

    /// Marks the events whose place later ones have told.
    pub fn place(&mut self) {
        for (product, places) in std::mem::take(&mut self.unplaced) {
            self.take_one_of(product, places);
        }
    }

    /// Counts the events that may be in `from..to` of a partition, or in another one.
    pub fn unplaced(&self, partition: usize, from: u64, to: u64) -> u64 {
        let may_be = |(_, places): &&(Uuid, Vec<Place>)| {
            places.iter().any(|(of, offset)| *of == partition && (from..to).contains(offset))
        };
        self.unplaced.iter().filter(may_be).count() as u64
    }

    /// Marks an offset; tells whether it is the first time.
    fn mark(&mut self, partition: usize, offset: u64) -> bool {
        let base = offset / 64 * 64;
        let bits = self.partitions.entry(partition).or_insert_with(|| Bits { base, words: Vec::new() });
        let words = |distance: u64| usize::try_from(distance / 64).expect("a run's events fit into memory");
        // An event that was placed late may lie before all others.
        if let Some(before) = bits.base.checked_sub(base).filter(|before| *before > 0) {
            bits.words.splice(..0, std::iter::repeat_n(0, words(before)));
            bits.base = base;
        }
        let distance = offset - bits.base;
        let word = words(distance);
        if bits.words.len() <= word {
            bits.words.resize(word + 1, 0);
        }
        let bit = 1 << (distance % 64);
        let first = bits.words[word] & bit == 0;
        bits.words[word] |= bit;
        first
    }

    /// Counts the marked offsets of a partition in `from..to`.
    pub fn count(&self, partition: usize, from: u64, to: u64) -> u64 {
        let Some(bits) = self.partitions.get(&partition) else { return 0 };
        let mut count = 0;
        for (word, start) in bits.words.iter().zip((bits.base..).step_by(64)) {
            if start >= to || start + 64 <= from {
                continue;
            }
            let above = u64::MAX << from.saturating_sub(start);
            let below = if to - start >= 64 { u64::MAX } else { (1 << (to - start)) - 1 };
            count += u64::from((word & above & below).count_ones());
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn agrees_with_a_set(start in 0_u64..1000, steps in proptest::collection::vec(0_u64..300, 1..80),
                             from in 0_u64..1500, length in 0_u64..1500) {
            let (mut offsets, mut set) = (Offsets::default(), BTreeSet::new());
            for step in steps {
                prop_assert_eq!(offsets.mark(0, start + step), set.insert(start + step));
            }
            let expected = set.range(from..from + length).count() as u64;
            prop_assert_eq!(offsets.count(0, from, from + length), expected);
        }
    }

    const PRODUCT: Uuid = Uuid::from_u128(7);

    #[test]
    fn an_event_whose_id_moved_several_partitions_is_where_its_product_is() {
        let mut offsets = Offsets::default();
        assert!(offsets.take(PRODUCT, [(1, 400)].into_iter()));
        assert!(offsets.take(PRODUCT, [(0, 700), (1, 402)].into_iter()));
        assert!(!offsets.take(PRODUCT, [(0, 701), (1, 402)].into_iter()), "it is there already");
        assert_eq!((offsets.count(0, 0, 1_000), offsets.count(1, 0, 1_000)), (0, 2));
        assert_eq!(offsets.unplaced(0, 0, 1_000), 0);
    }

    #[test]
    fn an_event_is_placed_once_a_later_one_tells() {
        let mut offsets = Offsets::default();
        assert!(offsets.take(PRODUCT, [(0, 700), (1, 2)].into_iter()));
        offsets.place();
        assert_eq!(
            [offsets.unplaced(0, 0, 700), offsets.unplaced(0, 0, 701), offsets.unplaced(1, 2, 3)],
            [0, 1, 1]
        );
        assert!(offsets.take(PRODUCT, [(1, 400)].into_iter()));
        offsets.place();
        assert_eq!(
            (offsets.count(1, 0, 3), offsets.count(1, 0, 1_000), offsets.count(0, 0, 1_000)),
            (1, 2, 0)
        );
        assert_eq!(offsets.unplaced(0, 0, 1_000), 0);
    }

    #[test]
    fn an_unknown_partition_has_none() {
        assert_eq!(Offsets::default().count(3, 0, 100), 0);
    }
}
