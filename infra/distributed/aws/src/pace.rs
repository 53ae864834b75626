//! How many requests to a table may be under way at once: fewer while it answers slowly, more again when it does not.
//!
//! A server that is too slow for what it is asked goes on working at requests whose client has given up, and is asked
//! for them again: with as many under way as before, none is ever answered in time, however long one waits. So each
//! slow answer halves what is under way, once for the requests that were sent before it was known, and a round of
//! prompt ones adds one: additive increase, multiplicative decrease, as TCP does it.

use std::future::Future;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use souk_ports::fault;
use tokio::sync::{Semaphore, SemaphorePermit};

/// An answer that took longer has waited behind others; a healthy one takes milliseconds, a batch tens of them.
const SLOW: Duration = Duration::from_secs(1);

/// The requests of one kind to one table.
#[derive(Debug)]
pub(crate) struct Pace {
    /// One permit for each request that may be under way; what is to be fewer is taken out as permits come back.
    room: Semaphore,
    most: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    allowed: usize,
    /// Permits that are to be taken out.
    surplus: usize,
    /// Prompt answers since `allowed` last changed.
    prompt: usize,
    /// When `allowed` last shrank: what was sent before says nothing about how it is with fewer.
    shrunk: Option<Instant>,
}

impl Pace {
    /// Allows so many at first, and never more.
    pub fn new(most: usize) -> Self {
        let state = State { allowed: most, surplus: 0, prompt: 0, shrunk: None };
        Self { room: Semaphore::new(most), most, state: Mutex::new(state) }
    }

    /// Sends a request when there is room for it.
    pub async fn send<T>(&self, request: impl Future<Output = T>) -> T {
        let permit = self.room.acquire().await.expect("it is never closed");
        let mut turn = Turn { pace: self, permit: Some(permit), began: Instant::now() };
        let answer = request.await;
        turn.ended(true);
        answer
    }

    /// Takes a request as sent at `began` and over `now`: with its answer, or given up by whoever waited for it.
    fn ended(&self, permit: SemaphorePermit<'_>, began: Instant, now: Instant, answered: bool) {
        let mut state = self.state.lock();
        if now.duration_since(began) > SLOW && !fault::planted("unpaced") {
            if state.shrunk.is_none_or(|shrunk| shrunk <= began) {
                let fewer = (state.allowed / 2).max(1);
                state.surplus += state.allowed - fewer;
                (state.allowed, state.prompt, state.shrunk) = (fewer, 0, Some(now));
            }
        } else if answered && state.allowed < self.most {
            state.prompt += 1;
            if state.prompt >= state.allowed {
                (state.allowed, state.prompt) = (state.allowed + 1, 0);
                match state.surplus.checked_sub(1) {
                    Some(fewer) => state.surplus = fewer,
                    None => self.room.add_permits(1),
                }
            }
        }
        if let Some(fewer) = state.surplus.checked_sub(1) {
            state.surplus = fewer;
            permit.forget();
        }
    }
}

/// A request under way.
struct Turn<'a> {
    pace: &'a Pace,
    permit: Option<SemaphorePermit<'a>>,
    began: Instant,
}

impl Turn<'_> {
    fn ended(&mut self, answered: bool) {
        if let Some(permit) = self.permit.take() {
            self.pace.ended(permit, self.began, Instant::now(), answered);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.ended(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers `count` requests, all sent at `began`, each after `took`.
    fn answers(pace: &Pace, count: usize, began: Instant, took: Duration) {
        let permits: Vec<_> = (0..count).map_while(|_| pace.room.try_acquire().ok()).collect();
        assert_eq!(permits.len(), count, "there was room for all of them");
        for permit in permits {
            pace.ended(permit, began, began + took, true);
        }
    }

    fn allowed(pace: &Pace) -> usize {
        let permits: Vec<_> = std::iter::from_fn(|| pace.room.try_acquire().ok()).collect();
        permits.len()
    }

    #[test]
    fn slow_answers_halve_it_once_for_all_that_were_sent_before() {
        let (pace, began) = (Pace::new(24), Instant::now());
        answers(&pace, 24, began, SLOW * 2);
        assert_eq!(allowed(&pace), 12);
        answers(&pace, 12, began + SLOW, SLOW * 2);
        assert_eq!(allowed(&pace), 12, "sent before it was known");
        for (n, expected) in [6, 3, 1, 1, 1].into_iter().enumerate() {
            let began = began + SLOW * 4 * u32::try_from(n + 1).unwrap();
            answers(&pace, allowed(&pace), began, SLOW * 2);
            assert_eq!(allowed(&pace), expected, "one goes on whatever happens");
        }
    }

    #[test]
    fn a_round_of_prompt_answers_adds_one_up_to_the_most() {
        let (pace, began) = (Pace::new(4), Instant::now());
        answers(&pace, 4, began, SLOW * 2);
        answers(&pace, 2, began + SLOW * 3, SLOW * 2);
        assert_eq!(allowed(&pace), 1);
        for expected in [2, 3, 4, 4, 4] {
            answers(&pace, allowed(&pace), began + SLOW * 9, SLOW / 100);
            assert_eq!(allowed(&pace), expected);
        }
    }

    #[test]
    fn fewer_counts_from_the_next_answer_on_also_while_all_are_under_way() {
        let (pace, began) = (Pace::new(8), Instant::now());
        let permits: Vec<_> = (0..8).map(|_| pace.room.try_acquire().unwrap()).collect();
        let mut came = 0;
        for permit in permits {
            pace.ended(permit, began, began + SLOW * 2, true);
            came += 1;
            assert_eq!(pace.room.available_permits(), came.max(4) - 4, "after {came}");
        }
    }

    #[tokio::test]
    async fn a_request_that_is_given_up_makes_room() {
        let pace = Pace::new(1);
        let never = pace.send(std::future::pending::<()>());
        assert!(tokio::time::timeout(Duration::from_millis(1), never).await.is_err());
        assert_eq!(pace.send(std::future::ready(7)).await, 7);
    }
}
