//! What was found, for people and for scripts.

use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

use crate::finding::Trouble;

/// The steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepName {
    /// It is healthy and creates a product.
    Api,
    /// The event arrives live.
    Notifications,
    /// It is healthy, has figures, and counts the event.
    Analytics,
    /// The event is among the recent ones and in the archive.
    EndToEnd,
    /// What was created is removed.
    CleanUp,
}

impl StepName {
    /// Returns it as people and scripts read it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Notifications => "notifications",
            Self::Analytics => "analytics",
            Self::EndToEnd => "end-to-end",
            Self::CleanUp => "clean-up",
        }
    }
}

/// How a check or a step came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// Not as it should be, or not there.
    Failed,
    /// Not looked at, since something that it needs failed.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Check {
    /// What.
    pub check: &'static str,
    /// How it came out.
    pub status: Status,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// What was found.
    pub detail: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Whether it failed because nothing answered.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unreachable: bool,
}

impl Check {
    pub(crate) fn of(check: &'static str, took: Duration, finding: Result<String, Trouble>) -> Self {
        let (status, detail, remedy, unreachable) = match finding {
            Ok(detail) => (Status::Ok, detail, None, false),
            Err(Trouble::Fault { what, remedy }) => (Status::Failed, what, Some(remedy), false),
            Err(Trouble::Unreachable { what, remedy }) => (Status::Failed, what, Some(remedy), true),
            Err(Trouble::Skipped(why)) => (Status::Skipped, why, None, false),
        };
        Self { check, status, took, detail, remedy, unreachable }
    }
}

/// One of the steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// Which.
    pub step: StepName,
    /// The worst of its checks.
    pub status: Status,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// What was looked at, in order.
    pub checks: Vec<Check>,
}

impl Step {
    pub(crate) fn of(step: StepName, took: Duration, checks: Vec<Check>) -> Self {
        let any = |status| checks.iter().any(|check| check.status == status);
        let status = match () {
            () if any(Status::Failed) => Status::Failed,
            () if any(Status::Skipped) => Status::Skipped,
            () => Status::Ok,
        };
        Self { step, status, took, checks }
    }

    /// Renders it as a line, and one more for each remedy.
    pub fn render(&self, colours: bool) -> String {
        let (colour, word) = match self.status {
            Status::Ok => ("\x1b[32m", "ok"),
            Status::Failed => ("\x1b[1;31m", "FAIL"),
            Status::Skipped => ("\x1b[33m", "skip"),
        };
        let (colour, dim, reset) = if colours { (colour, "\x1b[2m", "\x1b[0m") } else { ("", "", "") };
        // Of a step that failed, what failed is what matters.
        let told = self.checks.iter().filter(|check| check.status == self.status);
        let mut details: Vec<&str> = told.map(|check| check.detail.as_str()).collect();
        details.dedup();
        let took = if self.status == Status::Skipped { "–".to_owned() } else { shown(self.took) };
        let mut text = format!(
            "{colour}{word:<4}{reset}  {:<13}  {dim}{:>8}{reset}  {}\n",
            self.step.as_str(),
            took,
            details.join("; ")
        );
        for remedy in self.checks.iter().filter_map(|check| check.remedy.as_deref()) {
            text.push_str(&format!("{:31}-> {remedy}\n", ""));
        }
        text
    }
}

/// All that was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether everything works and nothing is left behind.
    pub ok: bool,
    /// Whether it was broken off before all was looked at.
    pub interrupted: bool,
    /// How long it took.
    #[serde(rename = "seconds", serialize_with = "seconds")]
    pub took: Duration,
    /// Where the api is.
    pub api: String,
    /// Where the event stream is.
    pub stream: String,
    /// Where analytics is.
    pub analytics: String,
    /// `embedded` or `distributed`; `None`: the api did not say.
    pub backend: Option<String>,
    /// The seller that was made up for this run.
    pub seller_id: String,
    /// The product that was created.
    pub product_id: Option<String>,
    /// Each step, in order.
    pub steps: Vec<Step>,
}

impl Report {
    /// Tells whether everything that failed did so because nothing answered.
    pub fn is_unreachable(&self) -> bool {
        let failed = |check: &&Check| check.status == Status::Failed;
        let mut failed = self.steps.iter().flat_map(|step| &step.checks).filter(failed).peekable();
        failed.peek().is_some() && failed.all(|check| check.unreachable)
    }

    /// Renders what follows the steps.
    pub fn verdict(&self) -> String {
        let count = |status| self.steps.iter().filter(|step| step.status == status).count();
        let took = shown(self.took);
        match (count(Status::Failed), count(Status::Skipped)) {
            _ if self.interrupted => format!("broken off after {took}"),
            (0, _) if self.ok => format!("everything works; verified in {took}"),
            (failed, 0) => format!("{failed} of {} steps failed", self.steps.len()),
            (failed, skipped) => {
                format!("{failed} of {} steps failed, {skipped} could not be looked at", self.steps.len())
            }
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            f.write_str(&step.render(false))?;
        }
        writeln!(f, "\n{}", self.verdict())
    }
}

/// Shows a duration as people read it.
pub(crate) fn shown(took: Duration) -> String {
    let millis = took.as_secs_f64() * 1e3;
    if millis >= 1_000.0 {
        format!("{:.1} s", millis / 1e3)
    } else if millis >= 10.0 {
        format!("{millis:.0} ms")
    } else {
        format!("{millis:.1} ms")
    }
}

fn seconds<S: Serializer>(took: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    // Microseconds are as fine as anybody reads.
    serializer.serialize_f64((took.as_secs_f64() * 1e6).round() / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(findings: Vec<Result<String, Trouble>>) -> Step {
        let checks = findings.into_iter().map(|f| Check::of("x", Duration::from_millis(2), f)).collect();
        Step::of(StepName::EndToEnd, Duration::from_millis(1_240), checks)
    }

    #[test]
    fn a_step_is_a_line_and_its_remedies() {
        let skipped = || Err(Trouble::Skipped("it is not there".to_owned()));
        let away = step(vec![skipped(), skipped()]).render(false);
        assert_eq!(away, "skip  end-to-end            –  it is not there\n");
        let good = step(vec![Ok("in the recent events".to_owned()), Ok("archived".to_owned())]);
        assert_eq!(good.render(false), "ok    end-to-end        1.2 s  in the recent events; archived\n");
        let bad =
            step(vec![Ok("in the recent events".to_owned()), Err(Trouble::fault("no object", "do this"))]);
        assert_eq!(
            bad.render(false),
            "FAIL  end-to-end        1.2 s  no object\n                               -> do this\n"
        );
        assert!(good.render(true).starts_with("\x1b[32mok  \x1b[0m"));
    }

    #[test]
    fn a_fault_beside_a_service_that_is_away_is_a_fault() {
        let report = |findings| Report {
            ok: false,
            interrupted: false,
            took: Duration::ZERO,
            api: String::new(),
            stream: String::new(),
            analytics: String::new(),
            backend: None,
            seller_id: String::new(),
            product_id: None,
            steps: vec![step(findings)],
        };
        let (away, fault) = (Trouble::unreachable("gone", "start it"), Trouble::fault("wrong", "mend it"));
        assert!(report(vec![Err(away.clone()), Err(Trouble::Skipped("away".to_owned()))]).is_unreachable());
        assert!(!report(vec![Err(away), Err(fault)]).is_unreachable());
        assert!(!report(vec![Ok(String::new())]).is_unreachable());
    }

    #[test]
    fn durations_are_short() {
        for (micros, text) in [(1_840, "1.8 ms"), (96_200, "96 ms"), (3_200_000, "3.2 s")] {
            assert_eq!(shown(Duration::from_micros(micros)), text);
        }
    }
}
