//! Who waits for what: readers by filter, so that publishing wakes only those that have something to read.
//!
//! Readers with equal filters are one group, listed under one dimension of the filter. A reader that has looked at
//! everything up to the head waits in its group's list; a match takes the whole list at once and notes for each
//! where it begins. A reader that was not woken has therefore missed nothing, and its place is the head.

use std::collections::HashMap;
use std::sync::Arc;
use std::task::Waker;

use souk_domain::{ProductId, SellerId};

use crate::filter::Filter;
use crate::ring::Place;
use crate::segment::Frame;

/// A reader's place in the table of readers.
pub(crate) type SlotId = u32;

const NOWHERE: u32 = u32::MAX;

/// All readers.
#[derive(Debug)]
pub(crate) struct Interests {
    head: Place,
    slots: Vec<Slot>,
    free: Vec<SlotId>,
    groups: Vec<GroupState>,
    free_groups: Vec<u32>,
    by_filter: HashMap<Arc<Filter>, u32>,
    by_product: HashMap<ProductId, Vec<u32>>,
    by_seller: HashMap<SellerId, Vec<u32>>,
    by_type: [Vec<u32>; 5],
    everything: Vec<u32>,
}

/// A reader, as far as waking it goes.
#[derive(Debug)]
struct Slot {
    group: u32,
    /// Its index in its group's list of waiting readers, or [`NOWHERE`].
    listed: u32,
    /// When it last wrote a comment, by the hub's clock.
    commented: u64,
    waker: Option<Waker>,
    /// Where it goes on, when it was woken.
    place: Option<Place>,
}

#[derive(Debug)]
struct GroupState {
    filter: Arc<Filter>,
    readers: u32,
    waiting: Vec<SlotId>,
}

impl Interests {
    pub(crate) fn new(head: Place) -> Self {
        Self {
            head,
            slots: Vec::new(),
            free: Vec::new(),
            groups: Vec::new(),
            free_groups: Vec::new(),
            by_filter: HashMap::new(),
            by_product: HashMap::new(),
            by_seller: HashMap::new(),
            by_type: Default::default(),
            everything: Vec::new(),
        }
    }

    /// Adds a reader; the returned filter is the group's own.
    pub(crate) fn add(&mut self, filter: Filter) -> (SlotId, Arc<Filter>) {
        let group = match self.by_filter.get(&filter) {
            Some(group) => *group,
            None => self.add_group(Arc::new(filter)),
        };
        let state = &mut self.groups[group as usize];
        state.readers += 1;
        let filter = state.filter.clone();
        let slot = Slot { group, listed: NOWHERE, commented: 0, waker: None, place: None };
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[id as usize] = slot;
                id
            }
            None => {
                self.slots.push(slot);
                u32::try_from(self.slots.len() - 1).expect("readers are far fewer than 2^32")
            }
        };
        (id, filter)
    }

    /// Removes a reader.
    pub(crate) fn remove(&mut self, id: SlotId) {
        self.unlist(id);
        let slot = &mut self.slots[id as usize];
        (slot.waker, slot.place) = (None, None);
        let group = slot.group;
        self.free.push(id);
        let state = &mut self.groups[group as usize];
        state.readers -= 1;
        if state.readers == 0 {
            let filter = state.filter.clone();
            state.waiting = Vec::new();
            self.remove_group(group, &filter);
        }
    }

    /// Returns the number that the next frame gets.
    pub(crate) fn head(&self) -> u64 {
        self.head.seq
    }

    /// Notes that a reader has looked at everything before `seq` and waits for more; `false` when there is more
    /// already.
    pub(crate) fn wait(&mut self, id: SlotId, seq: u64, commented: u64, waker: &Waker) -> bool {
        if self.head.seq != seq {
            return false;
        }
        self.unlist(id);
        let slot = &mut self.slots[id as usize];
        let waiting = &mut self.groups[slot.group as usize].waiting;
        slot.listed = u32::try_from(waiting.len()).expect("readers are far fewer than 2^32");
        waiting.push(id);
        slot.commented = commented;
        slot.waker = Some(waker.clone());
        true
    }

    /// Notes that a reader waits for something else than frames, and for its next comment.
    pub(crate) fn wait_aside(&mut self, id: SlotId, commented: u64, waker: &Waker) {
        let slot = &mut self.slots[id as usize];
        slot.commented = commented;
        slot.waker = Some(waker.clone());
    }

    /// Ends a reader's wait and returns where it goes on; `None` when it did not wait for frames.
    pub(crate) fn resume(&mut self, id: SlotId) -> Option<Place> {
        if self.slots[id as usize].listed != NOWHERE {
            self.unlist(id);
            self.slots[id as usize].waker = None;
            return Some(self.head.clone());
        }
        self.slots[id as usize].place.take()
    }

    /// Wakes the groups that have a match among `frames`, which begin at the head; then moves the head.
    pub(crate) fn publish<'a>(
        &mut self,
        frames: impl Iterator<Item = &'a Frame>,
        head: Place,
        wakers: &mut Vec<Waker>,
    ) {
        let Self { slots, groups, by_product, by_seller, by_type, everything, .. } = self;
        let mut wake = |listed: &[u32], frame: &Frame, seq: u64| {
            for group in listed {
                let group = &mut groups[*group as usize];
                if group.waiting.is_empty() || !group.filter.takes(frame) {
                    continue;
                }
                let place = Place { seq, position: self.head.position.clone() };
                wake_all(&mut group.waiting, slots, &place, wakers);
            }
        };
        for (seq, frame) in (self.head.seq..).zip(frames) {
            if seq == self.head.seq {
                wake(everything, frame, seq);
            }
            wake(&by_type[frame.kind.index()], frame, seq);
            if !by_seller.is_empty()
                && let Some(listed) = by_seller.get(&frame.seller)
            {
                wake(listed, frame, seq);
            }
            if !by_product.is_empty()
                && let Some(listed) = by_product.get(&frame.product)
            {
                wake(listed, frame, seq);
            }
        }
        self.head = head;
    }

    /// Moves the head; nobody waits.
    pub(crate) fn skip_to(&mut self, head: Place) {
        self.head = head;
    }

    /// Collects the wakers of readers that wait and wrote their last comment at or before `due`.
    pub(crate) fn wake_due(&mut self, due: u64, wakers: &mut Vec<Waker>) {
        for id in 0..self.slots.len() {
            let slot = &mut self.slots[id];
            if slot.commented > due {
                continue;
            }
            if let Some(waker) = slot.waker.take() {
                wakers.push(waker);
                if slot.listed != NOWHERE {
                    slot.place = Some(self.head.clone());
                    self.unlist(u32::try_from(id).expect("readers are far fewer than 2^32"));
                }
            }
        }
    }

    /// Collects the wakers of all readers that wait.
    pub(crate) fn wake_everyone(&mut self, wakers: &mut Vec<Waker>) {
        self.wake_due(u64::MAX, wakers);
    }

    /// Returns how many readers there are.
    pub(crate) fn readers(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    fn unlist(&mut self, id: SlotId) {
        let slot = &mut self.slots[id as usize];
        let index = std::mem::replace(&mut slot.listed, NOWHERE);
        if index == NOWHERE {
            return;
        }
        let waiting = &mut self.groups[slot.group as usize].waiting;
        waiting.swap_remove(index as usize);
        if let Some(moved) = waiting.get(index as usize) {
            self.slots[*moved as usize].listed = index;
        }
    }

    fn add_group(&mut self, filter: Arc<Filter>) -> u32 {
        let state = GroupState { filter: filter.clone(), readers: 0, waiting: Vec::new() };
        let group = match self.free_groups.pop() {
            Some(group) => {
                self.groups[group as usize] = state;
                group
            }
            None => {
                self.groups.push(state);
                u32::try_from(self.groups.len() - 1).expect("readers are far fewer than 2^32")
            }
        };
        if !filter.products.is_empty() {
            for product in &filter.products {
                self.by_product.entry(*product).or_default().push(group);
            }
        } else if !filter.sellers.is_empty() {
            for seller in &filter.sellers {
                self.by_seller.entry(seller.clone()).or_default().push(group);
            }
        } else if filter.types != 0 {
            for kind in filter.types() {
                self.by_type[kind.index()].push(group);
            }
        } else {
            self.everything.push(group);
        }
        self.by_filter.insert(filter, group);
        group
    }

    fn remove_group(&mut self, group: u32, filter: &Filter) {
        fn remove<K: std::hash::Hash + Eq>(map: &mut HashMap<K, Vec<u32>>, key: &K, group: u32) {
            if let Some(listed) = map.get_mut(key) {
                listed.retain(|other| *other != group);
                if listed.is_empty() {
                    map.remove(key);
                }
            }
        }
        for product in &filter.products {
            remove(&mut self.by_product, product, group);
        }
        for seller in &filter.sellers {
            remove(&mut self.by_seller, seller, group);
        }
        for listed in self.by_type.iter_mut().chain([&mut self.everything]) {
            listed.retain(|other| *other != group);
        }
        self.by_filter.remove(filter);
        self.free_groups.push(group);
    }
}

fn wake_all(waiting: &mut Vec<SlotId>, slots: &mut [Slot], place: &Place, wakers: &mut Vec<Waker>) {
    for id in waiting.drain(..) {
        let slot = &mut slots[id as usize];
        slot.listed = NOWHERE;
        slot.place = Some(place.clone());
        wakers.extend(slot.waker.take());
    }
}
