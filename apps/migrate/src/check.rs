//! The criteria of a migration that went well, as a list: what was measured, and the command that checks it by hand.
//!
//! Who looks at an installation brings what was found; here is what the criteria are, and those that only a client can
//! judge: products that come and go, and how fast they are read.

use std::fmt;

use serde::Serialize;

use crate::shadow::Speed;

mod crud;
mod reads;

pub use crud::{Crud, crud};
pub use reads::reads;

/// A tenth is nothing that anybody feels.
const AS_FAST: f64 = 1.1;
/// Nor are two milliseconds: below them the network and the scheduler decide.
const AS_FAST_MS: f64 = 2.0;

/// How a criterion came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Met {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It cannot be told yet, or any more; that is no fault.
    NotNow,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Criterion {
    /// What has to hold.
    pub criterion: &'static str,
    /// Whether it does.
    pub met: Met,
    /// What was measured.
    pub measured: String,
    /// The command that checks it by hand.
    pub by_hand: String,
}

impl Criterion {
    /// Makes a line of what was found: well, or not, each in words.
    pub fn of(criterion: &'static str, found: Result<String, String>, by_hand: impl Into<String>) -> Self {
        let (met, measured) = match found {
            Ok(measured) => (Met::Yes, measured),
            Err(measured) => (Met::No, measured),
        };
        Self { criterion, met, measured, by_hand: by_hand.into() }
    }

    /// Makes a line of what cannot be told now.
    pub fn not_now(criterion: &'static str, why: &str, by_hand: impl Into<String>) -> Self {
        Self { criterion, met: Met::NotNow, measured: why.to_owned(), by_hand: by_hand.into() }
    }
}

/// The list.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checklist {
    /// Whether everything that can be told holds.
    pub ok: bool,
    /// Each criterion.
    pub criteria: Vec<Criterion>,
}

impl Checklist {
    /// Puts lines together.
    pub fn of(criteria: Vec<Criterion>) -> Self {
        Self { ok: criteria.iter().all(|criterion| criterion.met != Met::No), criteria }
    }
}

impl fmt::Display for Checklist {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Criterion { criterion, met, measured, by_hand } in &self.criteria {
            let mark = match met {
                Met::Yes => "✓",
                Met::No => "✗",
                Met::NotNow => "–",
            };
            writeln!(f, "{mark} {criterion}: {measured}\n    by hand: {by_hand}")?;
        }
        let count = |wanted: Met| self.criteria.iter().filter(|criterion| criterion.met == wanted).count();
        let open = match count(Met::NotNow) {
            0 => String::new(),
            open => format!(", {open} cannot be told now"),
        };
        match count(Met::No) {
            0 => write!(f, "{} of {} criteria hold{open}", count(Met::Yes), self.criteria.len()),
            failed => write!(f, "{failed} of {} criteria do not hold{open}", self.criteria.len()),
        }
    }
}

/// Judges how fast reads are: beside the old API where there is one, else by a limit in milliseconds.
pub fn as_fast(new: Speed, old: Option<Speed>, limit_ms: f64) -> Result<String, String> {
    let measured = format!("p50 {:.1} ms, p95 {:.1} ms of {} reads", new.p50_ms, new.p95_ms, new.answers);
    let fits = |new: f64, old: f64| new <= (old * AS_FAST).max(old + AS_FAST_MS);
    let (told, ok) = match old {
        Some(old) => (
            format!("{measured}; the old API p50 {:.1} ms, p95 {:.1} ms", old.p50_ms, old.p95_ms),
            fits(new.p50_ms, old.p50_ms) && fits(new.p95_ms, old.p95_ms),
        ),
        None => (format!("{measured}; the limit of p95 is {limit_ms:.0} ms"), new.p95_ms <= limit_ms),
    };
    if ok && new.answers > 0 { Ok(told) } else { Err(told) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speed(p50_ms: f64, p95_ms: f64) -> Speed {
        Speed { answers: 100, p50_ms, p95_ms }
    }

    #[test]
    fn as_fast_is_by_the_old_one_or_by_the_limit() {
        assert!(as_fast(speed(10.9, 20.0), Some(speed(10.0, 20.0)), 1.0).is_ok());
        assert!(as_fast(speed(1.5, 3.0), Some(speed(0.5, 1.5)), 1.0).is_ok(), "below what can be told apart");
        assert!(as_fast(speed(10.0, 30.0), Some(speed(10.0, 20.0)), 100.0).is_err());
        assert!(
            as_fast(speed(1.0, 50.0), None, 50.0).is_ok() && as_fast(speed(1.0, 51.0), None, 50.0).is_err()
        );
        assert!(as_fast(Speed::default(), None, 50.0).is_err(), "nothing was read");
    }

    #[test]
    fn what_cannot_be_told_is_no_fault() {
        let good = Criterion::of("a", Ok("1".into()), "x");
        let open = Criterion::not_now("b", "not yet", "y");
        let list = Checklist::of(vec![good.clone(), open]);
        assert!(list.ok);
        assert_eq!(
            list.to_string(),
            "✓ a: 1\n    by hand: x\n– b: not yet\n    by hand: y\n1 of 2 criteria hold, 1 cannot be told now"
        );
        assert!(!Checklist::of(vec![good, Criterion::of("c", Err("2".into()), "z")]).ok);
    }
}
