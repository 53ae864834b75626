//! Which order may be sent next: many in flight, the lines of one product in the file's order.
//!
//! An order waits for the last earlier order of each of its products. Those dependencies are known from the file,
//! so that the schedule is a countdown for each order and a heap of what is ready, earliest first. With a fixed
//! rate, the order's time is one more thing that it waits for.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Mutex;

use tokio::sync::Semaphore;

/// Hands out orders to any number of workers.
pub(crate) struct Schedule {
    /// For each order, where its successors begin in `successors`; one more entry for the end.
    starts: Vec<u32>,
    successors: Vec<u32>,
    state: Mutex<State>,
    /// A permit for each order in `State::ready`; closed when all are finished.
    ready: Semaphore,
}

struct State {
    /// What each order still waits for.
    waits: Vec<u32>,
    ready: BinaryHeap<Reverse<u32>>,
    unfinished: usize,
}

impl Schedule {
    /// Makes the schedule of orders, each given by its products (repeats allowed), numbered below
    /// `product_count`. When `paced`, each order also waits for a [`Schedule::release`].
    pub fn new<I>(orders: impl ExactSizeIterator<Item = I>, product_count: usize, paced: bool) -> Self
    where
        I: Iterator<Item = u32>,
    {
        const NONE: u32 = u32::MAX;
        let mut last = vec![NONE; product_count];
        let mut edges: Vec<(u32, u32)> = Vec::new();
        let mut waits = vec![u32::from(paced); orders.len()];
        for (order, products) in (0..).zip(orders) {
            for product in products {
                let previous = std::mem::replace(&mut last[product as usize], order);
                if previous != NONE && previous != order {
                    edges.push((previous, order));
                    waits[order as usize] += 1;
                }
            }
        }
        edges.sort_unstable();
        let mut starts = vec![0; waits.len() + 1];
        edges.iter().for_each(|(from, _)| starts[*from as usize + 1] += 1);
        for index in 1..starts.len() {
            starts[index] += starts[index - 1];
        }
        let ready: BinaryHeap<_> =
            (0..).zip(&waits).filter(|(_, n)| **n == 0).map(|(i, _)| Reverse(i)).collect();
        let schedule = Self {
            starts,
            successors: edges.into_iter().map(|(_, to)| to).collect(),
            ready: Semaphore::new(ready.len()),
            state: Mutex::new(State { unfinished: waits.len(), waits, ready }),
        };
        if schedule.lock().unfinished == 0 {
            schedule.ready.close();
        }
        schedule
    }

    /// Waits for an order that may be sent; `None` when all are finished or the run is given up.
    pub async fn next(&self) -> Option<u32> {
        self.ready.acquire().await.ok()?.forget();
        let Reverse(order) = self.lock().ready.pop().expect("there is a permit for each ready order");
        Some(order)
    }

    /// Says that an order was acknowledged, so that those behind it may go.
    pub fn finish(&self, order: u32) {
        let range = self.starts[order as usize] as usize..self.starts[order as usize + 1] as usize;
        let mut state = self.lock();
        let freed = self.successors[range].iter().filter(|next| state.count_down(**next)).count();
        state.unfinished -= 1;
        let done = state.unfinished == 0;
        drop(state);
        if done {
            self.ready.close();
        } else {
            self.ready.add_permits(freed);
        }
    }

    /// Says that a paced order's time has come.
    pub fn release(&self, order: u32) {
        if self.lock().count_down(order) {
            self.ready.add_permits(1);
        }
    }

    /// Ends the schedule early.
    pub fn give_up(&self) {
        self.ready.close();
    }

    /// Tells whether nothing is handed out any more.
    pub fn is_over(&self) -> bool {
        self.ready.is_closed()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().expect("no holder of the schedule panics")
    }
}

impl State {
    /// Takes one off what an order waits for; tells whether it became ready.
    fn count_down(&mut self, order: u32) -> bool {
        let waits = &mut self.waits[order as usize];
        *waits -= 1;
        if *waits == 0 {
            self.ready.push(Reverse(order));
        }
        *waits == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }

    fn schedule(orders: &[Vec<u32>], paced: bool) -> Schedule {
        Schedule::new(orders.iter().map(|order| order.iter().copied()), 6, paced)
    }

    /// Takes all that is ready at this moment.
    async fn drain(schedule: &Schedule, in_flight: &mut Vec<u32>) {
        while schedule.ready.available_permits() > 0 {
            in_flight.extend(schedule.next().await);
        }
    }

    proptest! {
        #[test]
        fn lines_of_one_product_keep_the_files_order(
            orders in proptest::collection::vec(proptest::collection::vec(0_u32..6, 1..5), 1..40),
            choices in proptest::collection::vec(any::<prop::sample::Index>(), 40),
            paced: bool,
        ) {
            runtime().block_on(async {
                let schedule = schedule(&orders, paced);
                let (mut in_flight, mut finished) = (Vec::new(), Vec::new());
                let mut unreleased = (0..u32::try_from(orders.len()).unwrap()).rev().collect::<Vec<_>>();
                for choice in choices.iter().cycle() {
                    if finished.len() == orders.len() {
                        break;
                    }
                    if paced && let Some(order) = unreleased.pop() {
                        schedule.release(order);
                    }
                    drain(&schedule, &mut in_flight).await;
                    for (position, a) in in_flight.iter().enumerate() {
                        for b in &in_flight[position + 1..] {
                            let shared = orders[*a as usize].iter().any(|p| orders[*b as usize].contains(p));
                            prop_assert!(!shared, "orders {a} and {b} share a product and are both in flight");
                        }
                    }
                    if !in_flight.is_empty() {
                        let order = in_flight.swap_remove(choice.index(in_flight.len()));
                        schedule.finish(order);
                        finished.push(order);
                    }
                }
                for product in 0..6 {
                    let of_product: Vec<_> =
                        finished.iter().filter(|order| orders[**order as usize].contains(&product)).collect();
                    prop_assert!(of_product.is_sorted(), "product {product} was sold in order {of_product:?}");
                }
                prop_assert_eq!(schedule.next().await, None);
                Ok(())
            })?;
        }
    }

    #[test]
    fn independent_orders_are_in_flight_together() {
        runtime().block_on(async {
            let schedule = schedule(&[vec![0], vec![1], vec![0, 1], vec![2]], false);
            let mut in_flight = Vec::new();
            drain(&schedule, &mut in_flight).await;
            assert_eq!(in_flight, [0, 1, 3]);
        });
    }

    #[test]
    fn no_orders_end_at_once() {
        runtime().block_on(async { assert_eq!(schedule(&[], false).next().await, None) });
    }

    #[test]
    fn giving_up_frees_the_waiting() {
        runtime().block_on(async {
            let schedule = schedule(&[vec![0], vec![0]], false);
            assert_eq!(schedule.next().await, Some(0));
            schedule.give_up();
            assert_eq!(schedule.next().await, None);
        });
    }
}
