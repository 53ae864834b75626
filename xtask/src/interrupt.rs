//! Ctrl-C and requests to terminate: noticed, so that a command cleans up before it ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

/// Whether this process was asked to end.
#[derive(Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over what Ctrl-C, a request to terminate and the end of the terminal do; `then` runs at each of them.
    ///
    /// # Errors
    /// When signals cannot be watched.
    pub fn watch(then: impl Fn() + Send + 'static) -> anyhow::Result<Self> {
        let interrupt = Self::default();
        let flag = interrupt.clone();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let signals = {
            let _context = runtime.enter();
            [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()].map(signal)
        };
        let [interrupts, terminates, hangups] = signals;
        let (mut interrupts, mut terminates, mut hangups) = (interrupts?, terminates?, hangups?);
        let watch = async move {
            loop {
                tokio::select! {
                    _ = interrupts.recv() => {}
                    _ = terminates.recv() => {}
                    _ = hangups.recv() => {}
                }
                flag.0.store(true, Ordering::SeqCst);
                then();
            }
        };
        std::thread::Builder::new()
            .name("signals".to_owned())
            .spawn(move || runtime.block_on(watch))
            .context("could not start a thread")?;
        Ok(interrupt)
    }

    /// Tells whether it came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}
