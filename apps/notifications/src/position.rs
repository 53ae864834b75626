//! Positions in the merged log as vectors of next offsets, by partition number; a partition that is missing is
//! at 0, so that a log may gain partitions.

use std::sync::Arc;

use souk_ports::{Offset, Partition};

/// A position that many readers share.
pub(crate) type Position = Arc<[Offset]>;

/// Returns the next offset of `partition`.
pub(crate) fn next_of(position: &[Offset], partition: Partition) -> Offset {
    position.get(partition as usize).copied().unwrap_or(0)
}

/// Sets the next offset of `partition`, making room when it is new.
pub(crate) fn set_next(position: &mut Vec<Offset>, partition: Partition, next: Offset) {
    let index = partition as usize;
    if position.len() <= index {
        position.resize(index + 1, 0);
    }
    position[index] = next;
}

/// Raises each offset to at least that of `other`.
pub(crate) fn raise(position: &mut Vec<Offset>, other: &[Offset]) {
    if position.len() < other.len() {
        position.resize(other.len(), 0);
    }
    for (mine, theirs) in position.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// Tells whether `position` is at or past `other` in every partition.
pub(crate) fn covers(position: &[Offset], other: &[Offset]) -> bool {
    other.iter().enumerate().all(|(index, next)| position.get(index).copied().unwrap_or(0) >= *next)
}

/// Tells whether both are the same place.
pub(crate) fn same(one: &[Offset], other: &[Offset]) -> bool {
    covers(one, other) && covers(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_partitions_are_at_zero() {
        assert!(same(&[3, 0], &[3]));
        assert!(covers(&[3, 1], &[3]) && !covers(&[3], &[3, 1]));
        let mut position = vec![5];
        raise(&mut position, &[2, 7]);
        assert_eq!(position, [5, 7]);
        set_next(&mut position, 3, 9);
        assert_eq!((position.as_slice(), next_of(&position, 9)), (&[5, 7, 0, 9][..], 0));
    }
}
