//! Which offsets of the log the stream delivered: a bit for each, so that a second delivery shows and a range can
//! be counted.

use std::collections::BTreeMap;

/// The delivered offsets of every partition.
#[derive(Debug, Default)]
pub(crate) struct Offsets {
    partitions: BTreeMap<usize, Bits>,
}

#[derive(Debug)]
struct Bits {
    /// The offset of the first bit, a multiple of 64.
    base: u64,
    words: Vec<u64>,
}

impl Offsets {
    /// Marks an offset; tells whether it is the first time. Offsets below the first one marked, rounded down to
    /// 64, belong to a time before the reader began and are not told apart.
    pub fn mark(&mut self, partition: usize, offset: u64) -> bool {
        let bits = self
            .partitions
            .entry(partition)
            .or_insert_with(|| Bits { base: offset / 64 * 64, words: Vec::new() });
        let Some(distance) = offset.checked_sub(bits.base) else { return true };
        let word = usize::try_from(distance / 64).expect("a run's events fit into memory");
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
                prop_assert_eq!(offsets.mark(0, start + step + 64), set.insert(start + step + 64)
                    || offsets.partitions[&0].base > start + step + 64);
            }
            let base = offsets.partitions[&0].base;
            let expected = set.range(from.max(base)..(from + length).max(from.max(base))).count() as u64;
            prop_assert_eq!(offsets.count(0, from, from + length), expected);
        }
    }

    #[test]
    fn an_unknown_partition_has_none() {
        assert_eq!(Offsets::default().count(3, 0, 100), 0);
    }
}
