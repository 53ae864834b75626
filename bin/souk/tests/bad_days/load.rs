//! Writers that write through whatever happens.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::book::writer::{Shelf, Writer};
use crate::support::Client;

/// Writers at once: enough that batches hold several units, of which some have been answered and others not.
const WRITERS: u64 = 6;
/// Between two requests of a writer: DynamoDB Local takes some hundred items per second, several for each event, and
/// what it has not taken has to be waited for at the end.
const PACE: Duration = Duration::from_millis(100);
/// Between two attempts at an api that is not there.
const RETRY: Duration = Duration::from_millis(50);

/// Where the apis are; changes while writers write.
pub type Ports = Arc<Mutex<Vec<u16>>>;

/// Writers at work.
#[derive(Debug)]
pub struct Load {
    writers: Vec<JoinHandle<Writer>>,
    over: Arc<AtomicBool>,
}

/// Returns writers who have not begun.
pub fn writers(seed: u64, shelf: &Shelf) -> Vec<Writer> {
    (0..WRITERS).map(|n| Writer::new(seed * WRITERS + n, shelf.clone())).collect()
}

impl Load {
    /// Sets writers to work; each keeps to an api until its connection breaks, then takes the next one.
    pub fn begin(writers: Vec<Writer>, ports: &Ports) -> Self {
        let over = Arc::<AtomicBool>::default();
        let begin = |(number, mut writer): (usize, Writer)| {
            let (over, ports) = (Arc::clone(&over), Arc::clone(ports));
            std::thread::spawn(move || {
                let mut turn = number;
                while !over.load(Ordering::Acquire) {
                    let port = {
                        let ports = ports.lock().expect("nobody panics holding ports");
                        (!ports.is_empty()).then(|| ports[turn % ports.len()])
                    };
                    if let Some(port) = port {
                        let mut api = Client::new(port);
                        while !over.load(Ordering::Acquire) && writer.step(&mut api) {
                            std::thread::sleep(PACE);
                        }
                    }
                    turn += 1;
                    std::thread::sleep(RETRY);
                }
                writer
            })
        };
        let writers = writers.into_iter().enumerate().map(begin).collect();
        Self { writers, over }
    }

    /// Has them stop once the request that each is at is answered or broken.
    pub fn end(self) -> Vec<Writer> {
        self.over.store(true, Ordering::Release);
        self.writers.into_iter().map(|writer| writer.join().expect("a writer panicked")).collect()
    }
}
