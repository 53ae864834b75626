//! Waits for a server, saying for what and why: in `/health` all the time, in the log whenever the reason changes.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use souk_http::Waits;

use crate::failure::Failure;

/// The first pause; servers that start beside us are often there within it.
const FIRST: Duration = Duration::from_millis(100);
/// The longest: a server that comes back is noticed within it, and a thousand instances do it no harm.
const LONGEST: Duration = Duration::from_secs(3);
/// An attempt that takes longer hangs; adapters give up long before.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why a server is not there.
#[derive(Debug)]
pub enum Obstacle {
    /// For now; trying again may help.
    Passing(String),
    /// Until somebody changes something; the text says what.
    Lasting(String),
}

impl From<Obstacle> for Failure {
    fn from(obstacle: Obstacle) -> Self {
        let (Obstacle::Passing(text) | Obstacle::Lasting(text)) = obstacle;
        Self::Unreachable(text)
    }
}

/// Returns what `connect` makes, however long that takes.
///
/// # Errors
/// The text of a lasting obstacle.
pub async fn until_there<T, E, F>(
    name: &'static str,
    waits: &Waits,
    mut connect: impl FnMut() -> F,
) -> Result<T, String>
where
    E: Into<Obstacle>,
    F: Future<Output = Result<T, E>>,
{
    let began = Instant::now();
    let mut pause = FIRST;
    waits.set(name, "the first answer is not there yet");
    let mut told = false;
    loop {
        let attempt = match tokio::time::timeout(PATIENCE, connect()).await {
            Ok(attempt) => attempt.map_err(Into::into),
            Err(_) => Err(Obstacle::Passing(format!("no answer within {} s", PATIENCE.as_secs()))),
        };
        match attempt {
            Ok(there) => {
                waits.clear(name);
                if told {
                    tracing::info!(waited_ms = millis(began.elapsed()), "{name} is there");
                }
                return Ok(there);
            }
            Err(Obstacle::Lasting(reason)) => return Err(reason),
            Err(Obstacle::Passing(reason)) => {
                if waits.set(name, &reason) {
                    tracing::warn!(reason, "waiting for {name}");
                    told = true;
                }
            }
        }
        tokio::time::sleep(pause.mul_f64(0.5 + random() / 2.0)).await;
        pause = (pause * 2).min(LONGEST);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// Returns a number from 0 to 1, 1 excluded, so that many who wait do not come at once.
fn random() -> f64 {
    // Each state has keys of its own; 53 bits are what an f64 holds.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are exact")]
    let share = (RandomState::new().hash_one(0) >> 11) as f64 / (1_u64 << 53) as f64;
    share
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use souk_http::HealthCheck as _;

    use super::*;

    #[tokio::test]
    async fn waits_out_what_passes_and_says_for_what() {
        let waits = Waits::default();
        let attempts = AtomicU32::new(0);
        let seen = until_there("kafka", &waits, || async {
            let attempt = attempts.fetch_add(1, Ordering::Relaxed);
            match attempt {
                0 => Err(Obstacle::Passing("localhost:9092: connection refused".to_owned())),
                1 => {
                    let health = waits.check().await;
                    Ok(health.checks[0].1.detail.clone())
                }
                more => panic!("attempt {more}"),
            }
        });
        assert_eq!(seen.await.as_deref(), Ok("waiting: localhost:9092: connection refused"));
        assert!(!waits.clear("kafka"), "it is there and still waited for");
    }

    #[tokio::test]
    async fn gives_up_on_what_lasts() {
        let waits = Waits::default();
        let refused = until_there("postgres", &waits, || async {
            Err::<(), _>(Obstacle::Lasting("password authentication failed".to_owned()))
        });
        assert_eq!(refused.await.err().as_deref(), Some("password authentication failed"));
    }
}
