//! Where in the ring each seller, product and type occurs, so that a sparse filter jumps from match to match.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

use souk_domain::{ProductId, SellerId};

use crate::filter::Filter;
use crate::segment::Frame;

/// Sequence numbers in order.
type List = VecDeque<u64>;

/// The lists of everything in the ring.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    sellers: HashMap<SellerId, List>,
    products: HashMap<ProductId, List>,
    types: [List; 5],
}

impl Postings {
    /// Notes a frame that comes after all others.
    pub(crate) fn push(&mut self, seq: u64, frame: &Frame) {
        push(&mut self.sellers, &frame.seller, seq);
        push(&mut self.products, &frame.product, seq);
        self.types[frame.kind.index()].push_back(seq);
    }

    /// Forgets the oldest frame.
    pub(crate) fn pop(&mut self, seq: u64, frame: &Frame) {
        pop(&mut self.sellers, &frame.seller, seq);
        pop(&mut self.products, &frame.product, seq);
        let oldest = self.types[frame.kind.index()].pop_front();
        debug_assert_eq!(oldest, Some(seq), "frames leave in the order they came");
    }

    /// Returns the first sequence number at or after `seq` that may match; it does when the filter has only one
    /// dimension.
    pub(crate) fn next_candidate(&self, filter: &Filter, seq: u64) -> Option<u64> {
        if !filter.products.is_empty() {
            return first(filter.products.iter().filter_map(|product| self.products.get(product)), seq);
        }
        if !filter.sellers.is_empty() {
            return first(filter.sellers.iter().filter_map(|seller| self.sellers.get(seller)), seq);
        }
        first(filter.types().map(|kind| &self.types[kind.index()]), seq)
    }
}

fn first<'a>(lists: impl Iterator<Item = &'a List>, seq: u64) -> Option<u64> {
    lists.filter_map(|list| list.get(list.partition_point(|other| *other < seq)).copied()).min()
}

fn push<K: Clone + Eq + Hash>(lists: &mut HashMap<K, List>, key: &K, seq: u64) {
    match lists.get_mut(key) {
        Some(list) => list.push_back(seq),
        None => {
            lists.insert(key.clone(), List::from([seq]));
        }
    }
}

fn pop<K: Eq + Hash>(lists: &mut HashMap<K, List>, key: &K, seq: u64) {
    let Some(list) = lists.get_mut(key) else {
        debug_assert!(false, "every frame in the ring is listed");
        return;
    };
    let oldest = list.pop_front();
    debug_assert_eq!(oldest, Some(seq), "frames leave in the order they came");
    if list.is_empty() {
        lists.remove(key);
    }
}
