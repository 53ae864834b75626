//! The table at the end.

use std::fmt;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::steps::Step;
use crate::bench::stats::grouped;

/// What was done, in order.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    steps: Vec<Line>,
    /// Writes that the old system's database took.
    old_writes: u64,
    /// Sales through souk's api, those of `souk load` not among them.
    souk_writes: u64,
    /// Writes of the old system that were refused while souk kept the products.
    refused_writes: u64,
    /// Events in souk's log and archive at the end.
    events: u64,
    /// Whether the audit found souk's stores to agree.
    audit_ok: bool,
}

/// One step.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    step: String,
    seconds: f64,
    /// Rows of the old table.
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    differences: Option<u64>,
    /// For how long nobody could write.
    #[serde(skip_serializing_if = "Option::is_none")]
    downtime_seconds: Option<f64>,
    /// The most memory that the step's process held.
    #[serde(skip_serializing_if = "Option::is_none")]
    memory_bytes: Option<f64>,
    said: String,
}

impl Report {
    /// Adds a step that was taken.
    pub fn step(&mut self, name: &str, step: &Step, said: String) {
        let json = &step.json;
        // A comparison is what some print, and a part of what others do.
        let comparison = if json["comparison"].is_object() { &json["comparison"] } else { json };
        self.steps.push(Line {
            step: name.to_owned(),
            seconds: step.took.as_secs_f64(),
            rows: comparison["rows"].as_u64(),
            differences: comparison["differences"].as_u64(),
            downtime_seconds: json["downtimeSeconds"].as_f64(),
            memory_bytes: (step.memory > 0.0).then_some(step.memory),
            said,
        });
    }

    /// Adds what was seen beside the steps.
    pub fn note(&mut self, name: &str, took: Duration, said: String) {
        self.steps.push(Line {
            step: name.to_owned(),
            seconds: took.as_secs_f64(),
            rows: None,
            differences: None,
            downtime_seconds: None,
            memory_bytes: None,
            said,
        });
    }

    /// Adds the audit.
    pub fn audit(&mut self, audit: &Value, took: Duration, events: u64) {
        self.audit_ok = audit["ok"] == true;
        self.events = events;
        let said = if self.audit_ok { "every store of souk agrees" } else { "souk's stores do not agree" };
        self.note("audit", took, said.to_owned());
        if let Some(line) = self.steps.last_mut() {
            let checks = audit["checks"].as_array().into_iter().flatten();
            line.differences = Some(checks.filter_map(|check| check["differences"].as_u64()).sum());
        }
    }

    /// Adds the sums.
    pub fn sums(&mut self, old_writes: u64, souk_writes: u64, refused_writes: u64) {
        (self.old_writes, self.souk_writes, self.refused_writes) = (old_writes, souk_writes, refused_writes);
    }

    /// Whether nothing differed anywhere.
    pub fn ok(&self) -> bool {
        self.audit_ok && self.steps.iter().all(|line| line.differences.unwrap_or(0) == 0)
    }

    /// Whether changes came through within a second, in the median.
    pub fn is_quick(&self) -> bool {
        self.steps.iter().filter(|line| line.step.starts_with("follow")).all(|line| line.seconds <= 1.0)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "\n{:<14} {:>10} {:>10} {:>12} {:>14} {:>8}",
            "step", "seconds", "rows", "differences", "no writes, s", "MB"
        )?;
        for line in &self.steps {
            #[expect(clippy::cast_precision_loss, reason = "for people")]
            let count = |number: Option<u64>| number.map_or_else(String::new, |n| grouped(n as f64));
            let downtime = line.downtime_seconds.map_or_else(String::new, |seconds| format!("{seconds:.2}"));
            let memory = line.memory_bytes.map_or_else(String::new, |bytes| format!("{:.0}", bytes / 1e6));
            writeln!(
                f,
                "{:<14} {:>10.2} {:>10} {:>12} {:>14} {:>8}  {}",
                line.step,
                line.seconds,
                count(line.rows),
                count(line.differences),
                downtime,
                memory,
                line.said
            )?;
        }
        writeln!(
            f,
            "\n{} writes of the old system, {} refused while souk kept the products, {} sales through souk, {} events",
            self.old_writes, self.refused_writes, self.souk_writes, self.events
        )?;
        let verdict =
            if self.ok() { "nothing was lost in either direction" } else { "there are differences" };
        let slow = if self.is_quick() { "" } else { "; changes took longer than a second" };
        writeln!(f, "{verdict}{slow}")
    }
}
