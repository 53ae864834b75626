//! Waiting on conditions.

use std::future::Future;
use std::time::Duration;

/// How long anything may take before it counts as never: far beyond what a loaded machine needs.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(5);

/// Looks until `look` gives something, and returns it.
///
/// # Panics
/// When [`DEADLINE`] has passed; `what` says what was waited for.
pub async fn eventually<T, L: Future<Output = Option<T>>>(what: &str, mut look: impl FnMut() -> L) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    within(what, looking).await
}

/// Waits for `future`.
///
/// # Panics
/// When [`DEADLINE`] has passed; `what` says what was waited for.
pub async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(done) => done,
        Err(_) => panic!("waited {DEADLINE:?} in vain for {what}"),
    }
}
