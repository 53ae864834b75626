//! What a run found.

use std::fmt;

use serde::Serialize;

use crate::histogram::Histogram;

/// The outcome of a run: its figures, and the faults that the proof found. As JSON, fields are in camelCase.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The run's id, part of its idempotency keys.
    pub run: String,
    /// Whether products of an earlier run were there and the shop went on.
    pub continued: bool,
    /// Products of the shop.
    pub products: usize,
    /// Those created now.
    pub products_created: usize,
    /// Those found from an earlier run.
    pub products_found: usize,
    /// Those that got new stock so that every line passes.
    pub products_restocked: usize,
    /// Lines that moved stock.
    pub lines: usize,
    /// Lines left out: quantity 0.
    pub lines_skipped_zero_quantity: usize,
    /// Lines left out: no stock code.
    pub lines_skipped_without_code: usize,
    /// Requests that carried the lines.
    pub requests: usize,
    /// Adjustments acknowledged.
    pub adjustments: usize,
    /// How long creating and restocking took.
    pub opening_seconds: f64,
    /// Products created per second.
    pub creates_per_second: f64,
    /// How long the lines took.
    pub replay_seconds: f64,
    /// Adjustments acknowledged per second.
    pub adjustments_per_second: f64,
    /// Latency of the requests that carried the lines.
    pub latency: Latency,
    /// Requests sent again after a lost connection or an answer that asked for it.
    pub retries: u64,
    /// What the event stream did.
    pub stream: StreamFigures,
    /// What was compared.
    pub proof: ProofFigures,
    /// How long the proof took after the last acknowledgement.
    pub proof_seconds: f64,
    /// How long everything took.
    pub total_seconds: f64,
    /// What is wrong; empty when nothing is.
    pub faults: Vec<Fault>,
}

/// Latency percentiles in milliseconds.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Latency {
    /// Whether measured from the time a request was due (a fixed rate), so that waiting counts too.
    pub from_due_time: bool,
    /// Half of the requests took at most this long.
    pub p50_ms: f64,
    /// 90 % did.
    pub p90_ms: f64,
    /// 99 % did.
    pub p99_ms: f64,
    /// 99.9 % did.
    pub p999_ms: f64,
    /// The longest.
    pub max_ms: f64,
}

impl Latency {
    pub(crate) fn of(histogram: &Histogram, from_due_time: bool) -> Self {
        let at = |quantile| histogram.quantile(quantile).as_secs_f64() * 1e3;
        Self {
            from_due_time,
            p50_ms: at(0.5),
            p90_ms: at(0.9),
            p99_ms: at(0.99),
            p999_ms: at(0.999),
            max_ms: histogram.max().as_secs_f64() * 1e3,
        }
    }
}

/// What the event stream did during the run.
#[derive(Debug, Clone, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamFigures {
    /// Events received, those of others included.
    pub events: u64,
    /// How often it was cut and resumed with `Last-Event-ID`.
    pub resumed: u64,
    /// How long after the last acknowledgement everything had arrived.
    pub caught_up_seconds: f64,
}

/// What the proof compared.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProofFigures {
    /// Writes that were acknowledged, each an event.
    pub writes_acknowledged: usize,
    /// Crossings of a threshold that those writes made, each an event too.
    pub crossings_expected: usize,
    /// How many of these events are in the recent events.
    pub recent_events: usize,
    /// Whether recent events go back to the beginning of the run.
    pub recent_covers_all: bool,
    /// How many analytics had not come to yet when the run ended: that they are there is the archive's to prove.
    pub recent_behind: usize,
    /// Rows in the archived objects that the run made.
    pub archived_rows: u64,
    /// Those objects.
    pub archived_objects: usize,
    /// Whether the rows were compared with the stream's events; its ids may not tell where each of them is.
    pub archive_compared: bool,
}

impl ProofFigures {
    /// Says what the recent events do not tell.
    fn about_recent(&self) -> String {
        match (self.recent_behind, self.recent_covers_all) {
            (0, true) => String::new(),
            (0, false) => " (which do not go back to the beginning)".to_owned(),
            (behind, _) if self.archive_compared => {
                format!(" ({behind} more are on their way, and archived)")
            }
            (behind, _) => format!(" ({behind} more are on their way)"),
        }
    }
}

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// A write was refused that the shop's rules allow.
    Refused,
    /// An answer does not say what was asked for.
    AnswerDiffers,
    /// Acknowledged, but not in the stream.
    LostInStream,
    /// In the stream more than once.
    DoubledInStream,
    /// An event of another type than the write.
    WrongType,
    /// An event of the shop's products that nobody acknowledged.
    NeverAcknowledged,
    /// The stream said that it lost something.
    StreamGap,
    /// A frame that is not an event.
    UnreadableFrame,
    /// Acknowledged, but neither in the recent events nor before their beginning.
    LostInRecent,
    /// In the recent events more than once.
    DoubledInRecent,
    /// Not in the recent events, and there was nothing to compare the archive with.
    NotProven,
    /// The archived objects do not follow each other.
    ArchiveChain,
    /// The archive holds more or fewer events than the log.
    ArchiveCount,
    /// The final stock is not what the lines make it.
    StockDiffers,
    /// The final version is not the last acknowledged one.
    VersionDiffers,
}

impl fmt::Display for FaultKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = serde_json::to_value(self).map_err(|_| fmt::Error)?;
        f.write_str(name.as_str().unwrap_or("fault"))
    }
}

/// Faults of one kind.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Fault {
    /// The kind.
    pub kind: FaultKind,
    /// How many there are.
    pub count: u64,
    /// The first few, in words.
    pub examples: Vec<String>,
}

impl Verdict {
    /// Tells whether the proof found no fault.
    pub fn holds(&self) -> bool {
        self.faults.is_empty()
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.continued {
            writeln!(
                f,
                "continues the shop: {} products were there, {} restocked, {} created",
                self.products_found, self.products_restocked, self.products_created
            )?;
        } else {
            writeln!(
                f,
                "products     {} created in {:.1} s ({:.0}/s)",
                self.products_created, self.opening_seconds, self.creates_per_second
            )?;
        }
        writeln!(
            f,
            "lines        {} in {} requests, {:.1} s ({:.0}/s)",
            self.adjustments, self.requests, self.replay_seconds, self.adjustments_per_second
        )?;
        let skipped = self.lines_skipped_zero_quantity + self.lines_skipped_without_code;
        if skipped > 0 {
            writeln!(
                f,
                "skipped      {skipped}: {} without a quantity, {} without a code",
                self.lines_skipped_zero_quantity, self.lines_skipped_without_code
            )?;
        }
        writeln!(
            f,
            "latency      p50 {:.2} ms, p90 {:.2}, p99 {:.2}, p99.9 {:.2}, max {:.2} ({})",
            self.latency.p50_ms,
            self.latency.p90_ms,
            self.latency.p99_ms,
            self.latency.p999_ms,
            self.latency.max_ms,
            if self.latency.from_due_time { "from when each was due" } else { "from sending" }
        )?;
        if self.retries > 0 {
            writeln!(f, "retries      {}", self.retries)?;
        }
        writeln!(
            f,
            "stream       {} events, caught up {:.2} s after the last write, resumed {} times",
            self.stream.events, self.stream.caught_up_seconds, self.stream.resumed
        )?;
        writeln!(
            f,
            "compared     {} writes and {} crossings: {} in recent events{}, {} rows in {} archived objects{}",
            self.proof.writes_acknowledged,
            self.proof.crossings_expected,
            self.proof.recent_events,
            self.proof.about_recent(),
            self.proof.archived_rows,
            self.proof.archived_objects,
            if self.proof.archive_compared { "" } else { " (not compared: the stream's ids did not tell)" }
        )?;
        if self.holds() {
            write!(f, "verdict      nothing lost, nothing doubled, stock right to the unit")
        } else {
            write!(f, "verdict      FAULTS FOUND")?;
            for fault in &self.faults {
                write!(f, "\n  {} × {}", fault.count, fault.kind)?;
                for example in &fault.examples {
                    write!(f, "\n    {example}")?;
                }
            }
            Ok(())
        }
    }
}
