//! What a comparison of answers found.

use std::fmt;

use serde::Serialize;

use super::Speed;
use super::values::shortened;

/// Examples that are kept.
const EXAMPLES: usize = 100;
/// Examples that are shown to people.
const SHOWN: usize = 10;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shadow {
    /// Whether both say the same.
    pub ok: bool,
    /// Pairs of requests.
    pub requests: u64,
    /// Those whose answers say the same.
    pub equal: u64,
    /// Those whose answers differ, and did so at the last look.
    pub different: u64,
    /// Those that differed at first: a change was on its way.
    pub late: u64,
    /// Those that differ in what a policy of the mapping has made acceptable.
    pub mended: u64,
    /// Products that a policy of the mapping leaves out.
    pub skipped: u64,
    /// Of the equal ones those whose `updatedAt` differs: a touch that changes nothing is no change in souk.
    pub touched: u64,
    /// Products that souk alone has.
    pub missing_in_old: u64,
    /// Products that the old API alone has.
    pub missing_in_new: u64,
    /// Answers that are none: other status codes, no JSON.
    pub strange: u64,
    /// Some of what was found.
    pub examples: Vec<Example>,
    /// How fast the old API is.
    pub old: Speed,
    /// How fast souk is.
    pub new: Speed,
    /// souk's times to the old API's, at the 50th and the 95th percentile.
    pub ratio: (f64, f64),
}

/// Something that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Example {
    /// The key in the source.
    pub key: String,
    /// The field, by souk's name; empty where the whole is meant.
    pub field: String,
    /// In the old API.
    pub old: String,
    /// In souk.
    pub new: String,
}

impl Example {
    pub(super) fn missing(key: &str, side: &str) -> Self {
        let word = |mine: &str| if side == mine { "missing" } else { "there" }.to_owned();
        Self { key: key.to_owned(), field: String::new(), old: word("old"), new: word("new") }
    }

    pub(super) fn strange(key: &str, side: &str, what: &str) -> Self {
        let word = |mine: &str| if side == mine { what.to_owned() } else { "–".to_owned() };
        Self { key: key.to_owned(), field: String::new(), old: word("old"), new: word("new") }
    }
}

impl Shadow {
    pub(super) fn show(&mut self, examples: impl IntoIterator<Item = Example>) {
        let room = EXAMPLES.saturating_sub(self.examples.len());
        self.examples.extend(examples.into_iter().take(room));
    }

    /// Says whether it is well.
    pub(super) fn judge(&mut self) {
        let ratio = |new: f64, old: f64| if old > 0.0 { (new / old * 100.0).round() / 100.0 } else { 0.0 };
        self.ratio = (ratio(self.new.p50_ms, self.old.p50_ms), ratio(self.new.p95_ms, self.old.p95_ms));
        let wrong = self.different + self.missing_in_old + self.missing_in_new + self.strange;
        self.ok = self.requests > 0 && wrong == 0;
    }
}

impl fmt::Display for Shadow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} requests to both: {} equal, {} different, {} missing in the old API, {} missing in souk, {} no answers",
            self.requests, self.equal, self.different, self.missing_in_old, self.missing_in_new, self.strange
        )?;
        let apart = [
            (self.late, "equal at another look: a change was on its way"),
            (self.mended, "different in what a policy of the mapping has mended"),
            (self.skipped, "left out by a policy of the mapping"),
            (self.touched, "equal but for updatedAt: a touch that changes nothing is no change in souk"),
        ];
        for (count, what) in apart.iter().filter(|(count, _)| *count > 0) {
            writeln!(f, "  {count} {what}")?;
        }
        for Example { key, field, old, new } in self.examples.iter().take(SHOWN) {
            let field = if field.is_empty() { String::new() } else { format!(" {field}") };
            writeln!(f, "  {key}:{field} old {}, new {}", shortened(old), shortened(new))?;
        }
        if self.examples.len() > SHOWN {
            writeln!(f, "  and more: --json has up to {EXAMPLES}")?;
        }
        for (side, speed) in [("old", self.old), ("new", self.new)] {
            writeln!(
                f,
                "{side}: p50 {:.1} ms, p95 {:.1} ms of {} answers",
                speed.p50_ms, speed.p95_ms, speed.answers
            )?;
        }
        let (p50, p95) = self.ratio;
        write!(f, "new to old: p50 {p50:.2}, p95 {p95:.2}")
    }
}
