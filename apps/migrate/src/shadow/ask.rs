//! One side of a comparison of answers: asks, and keeps how long each answer took.

use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;
use souk_client::{Client, Target, get, problem};

use crate::MigrateError;

/// Answers whose times are kept: percentiles of more are no better.
const MOST_TIMES: usize = 1_000_000;
/// Tries of a request whose connection was lost: a server may close one that was idle.
const TRIES: usize = 3;

/// What an answer is.
pub(crate) enum Asked {
    /// A document.
    Found(Value),
    /// It is not there.
    Missing,
    /// Anything else.
    Strange(String),
}

/// How long answers took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Speed {
    /// How many.
    pub answers: u64,
    /// Half of them took no longer, in milliseconds.
    pub p50_ms: f64,
    /// 95 of 100 took no longer.
    pub p95_ms: f64,
}

/// One side.
pub(crate) struct Reader {
    client: Client,
    target: Target,
    request: Vec<u8>,
    micros: Vec<u32>,
}

impl Reader {
    pub fn new(target: Target) -> Self {
        let client = Client::new(target.clone(), Duration::ZERO);
        Self { client, target, request: Vec::new(), micros: Vec::new() }
    }

    /// Asks for `path`, and keeps how long it took.
    pub async fn ask(&mut self, path: &str) -> Result<Asked, MigrateError> {
        let (asked, took) = self.timed(path).await?;
        if self.micros.len() < MOST_TIMES {
            self.micros.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
        }
        Ok(asked)
    }

    /// Asks for `path`.
    pub async fn ask_untimed(&mut self, path: &str) -> Result<Asked, MigrateError> {
        Ok(self.timed(path).await?.0)
    }

    async fn timed(&mut self, path: &str) -> Result<(Asked, Duration), MigrateError> {
        get(&mut self.request, &self.target, path);
        let mut tries = 0;
        let (reply, took) = loop {
            tries += 1;
            let began = Instant::now();
            match self.client.try_once(&self.request).await {
                Ok(reply) => break (reply, began.elapsed()),
                Err(error) if tries == TRIES => {
                    return Err(MigrateError::Unreachable(format!(
                        "{} at {} does not answer GET {path}: {error}",
                        self.target.service,
                        self.target.url()
                    )));
                }
                Err(_) => {}
            }
        };
        let body = self.client.body();
        let asked = match reply.status {
            200 => match serde_json::from_slice(body) {
                Ok(document) => Asked::Found(document),
                Err(_) => Asked::Strange(format!("GET {path}: no JSON: {}", problem(body))),
            },
            404 | 410 => Asked::Missing,
            status => Asked::Strange(format!("GET {path}: {status} {}", problem(body))),
        };
        Ok((asked, took))
    }

    /// Tells how long answers took.
    pub fn speed(&self) -> Speed {
        let mut micros = self.micros.clone();
        micros.sort_unstable();
        let at = |share: usize| {
            let at = (micros.len() * share).div_ceil(100).max(1) - 1;
            f64::from(micros.get(at).copied().unwrap_or(0)) / 1_000.0
        };
        Speed { answers: micros.len() as u64, p50_ms: at(50), p95_ms: at(95) }
    }
}

/// Writes a key as a part of a path.
pub(crate) fn encoded(key: &str) -> String {
    let mut text = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_those_of_the_answers() {
        let mut reader = Reader::new(Target::parse("api", "http://localhost:1").unwrap());
        assert_eq!(reader.speed(), Speed::default());
        reader.micros = (1..=100).rev().map(|ms| ms * 1_000).collect();
        assert_eq!(reader.speed(), Speed { answers: 100, p50_ms: 50.0, p95_ms: 95.0 });
        assert_eq!(encoded("a/ü b"), "a%2F%C3%BC%20b");
    }
}
