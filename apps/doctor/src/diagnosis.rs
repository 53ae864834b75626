//! All findings, for people and for scripts.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use souk_ports::{Finding, Level};

/// How good or bad a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and somebody should know.
    Warn,
    /// It does not work.
    Fail,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

/// One line of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it is.
    pub status: Status,
    /// What was found.
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Figures by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<&'static str, i64>,
}

/// The result of an examination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// Whether nothing failed.
    pub ok: bool,
    /// Every check, in order.
    pub checks: Vec<Check>,
    /// Whether nothing at all could be reached.
    #[serde(skip)]
    pub nothing_reachable: bool,
}

impl Diagnosis {
    /// Collects findings.
    pub(crate) fn of(findings: impl Iterator<Item = Finding>) -> Self {
        let (mut reached, mut missed, mut checks) = (false, false, Vec::new());
        for Finding { name, level, detail, remedy, figures, unreachable } in findings {
            missed |= unreachable;
            // That settings are right says nothing about what they name, nor does a service that is not running.
            reached |= !unreachable && !name.starts_with("settings") && !name.starts_with("service.");
            let status = match level {
                Level::Ok => Status::Ok,
                Level::Warn => Status::Warn,
                Level::Fail => Status::Fail,
            };
            checks.push(Check { name, status, detail, remedy, figures: figures.into_iter().collect() });
        }
        let ok = checks.iter().all(|check| check.status != Status::Fail);
        Self { ok, checks, nothing_reachable: missed && !reached }
    }

    fn count(&self, status: Status) -> usize {
        self.checks.iter().filter(|check| check.status == status).count()
    }
}

impl fmt::Display for Diagnosis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.checks.iter().map(|check| check.name.chars().count()).max().unwrap_or(0);
        for Check { name, status, detail, remedy, .. } in &self.checks {
            writeln!(f, "{:<4}  {name:<width$}  {detail}", status.as_str())?;
            if let Some(remedy) = remedy {
                writeln!(f, "      {:<width$}  -> {remedy}", "")?;
            }
        }
        match (self.count(Status::Fail), self.count(Status::Warn)) {
            (0, 0) => writeln!(f, "\nall is well"),
            (0, warnings) => writeln!(f, "\nnothing is broken, {warnings} to look at"),
            (failures, warnings) => writeln!(f, "\n{failures} broken, {warnings} to look at"),
        }
    }
}
