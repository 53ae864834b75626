//! Where a migration stands, for whoever looks at its folder.

use std::fmt;

use serde::Serialize;
use souk_domain::Timestamp;

use crate::MigrateError;
use crate::record::{AtWork, Folder, Record, StepRecord};
use crate::way::{Direction, Following, Pace};

/// What is recorded, and whether somebody is at work on it now.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// What was done.
    #[serde(flatten)]
    pub record: Record,
    /// The step that is at work.
    pub at_work: Option<AtWork>,
    /// What it waits for.
    pub waits: Option<String>,
    /// When this was looked at.
    pub at: Timestamp,
}

impl Standing {
    /// Looks at a folder, beside any step.
    ///
    /// # Errors
    /// `Unreachable` when the record cannot be read.
    pub fn of(folder: &Folder, now: Timestamp) -> Result<Self, MigrateError> {
        let at_work = folder.at_work();
        let waits = at_work.as_ref().and_then(|_| folder.waiting().why());
        Ok(Self { record: folder.record()?, at_work, waits, at: now })
    }

    fn is_at_work(&self, step: &str) -> bool {
        self.at_work.as_ref().is_some_and(|at_work| at_work.step == step)
    }

    /// How long ago something was.
    fn ago(&self, at: Timestamp) -> String {
        let seconds = (self.at.millis() - at.millis()).max(0) / 1_000;
        match seconds {
            ..120 => format!("{seconds} s ago"),
            120..7_200 => format!("{} min ago", seconds / 60),
            _ => format!("{} h ago", seconds / 3_600),
        }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.record;
        if record.place.is_none() && record.steps.is_empty() {
            write!(f, "nothing was done yet; begin with: souk migrate plan")?;
        } else {
            write!(f, "source: {}", record.place.as_deref().unwrap_or("not known yet"))?;
        }
        let mut steps: Vec<(&String, &StepRecord)> = record.steps.iter().collect();
        steps.sort_by_key(|(_, step)| step.began);
        for (name, step) in steps {
            self.step(f, name, step)?;
        }
        // What is at work without having begun.
        if let Some(at_work) = self.at_work.as_ref().filter(|it| !record.steps.contains_key(&it.step)) {
            write!(f, "\nat work: {at_work}")?;
        }
        self.way(f)?;
        if let (Some(proven), Direction::OneWay | Direction::Finished) = (&record.proven, record.direction) {
            write!(f, "\nproven the same: {proven}")?;
        }
        if let Some(shut) = &record.shut {
            write!(f, "\n{shut}")?;
        }
        if let Some(copy) = record.copy.as_ref().filter(|_| record.follow.is_none()) {
            match (&copy.after, copy.complete) {
                (Some(after), _) => {
                    write!(f, "\nthe copy goes on after key {after}, {} rows are done", copy.rows)?
                }
                (None, true) => write!(f, "\nthe copy is complete; another run brings it up to date")?,
                (None, false) => write!(f, "\nthe copy has not begun")?,
            }
        }
        Ok(())
    }
}

impl Standing {
    fn step(&self, f: &mut fmt::Formatter<'_>, name: &str, step: &StepRecord) -> fmt::Result {
        match (step.ended, &self.at_work) {
            (_, Some(at_work)) if at_work.step == name => {
                write!(f, "\n{name}: at work (process {}, since {})", at_work.process, at_work.since)?
            }
            (Some(ended), _) => write!(f, "\n{name}: {} ({ended})", step.outcome)?,
            (None, _) => write!(
                f,
                "\n{name}: broken off, begun {}; souk migrate {name} given again goes on",
                self.ago(step.began)
            )?,
        }
        match &self.waits {
            Some(why) if self.is_at_work(name) => write!(f, "; waits: {why}"),
            _ => Ok(()),
        }
    }

    /// Tells who keeps the products, and how following goes.
    fn way(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let record = &self.record;
        let pace = match record.direction {
            Direction::Forward => record.follow.as_ref().map(|follow| &follow.pace),
            Direction::Back => record.back.as_ref().map(|back| &back.pace),
            Direction::OneWay | Direction::Finished => None,
        };
        match record.direction {
            Direction::Forward if record.follow.is_some() => write!(f, "\nthe source keeps the products")?,
            Direction::Forward => {}
            Direction::Back => write!(f, "\nsouk keeps the products, and writes them back")?,
            Direction::OneWay => write!(f, "\nsouk keeps the products; there is no way back")?,
            Direction::Finished => write!(f, "\nsouk keeps the products; the migration is finished")?,
        }
        if let Some(pace) = pace {
            self.pace(f, pace)?;
        } else if record.direction == Direction::Back && !self.is_at_work("follow") {
            write!(f, "\nnobody follows: souk migrate follow keeps the old table up to date")?;
        }
        Ok(())
    }

    fn pace(&self, f: &mut fmt::Formatter<'_>, pace: &Pace) -> fmt::Result {
        let differences = self.record.differences.clone().unwrap_or_default();
        let following = Following {
            direction: self.record.direction,
            pace: pace.clone(),
            differences: differences.clone(),
        };
        write!(f, "\n{following}")?;
        if let Some(at) = pace.at {
            write!(f, " (as of {at}, {})", self.ago(at))?;
        }
        for example in &differences.examples {
            write!(f, "\n  {example}")?;
        }
        if !self.is_at_work("follow") {
            write!(f, "\nnobody follows now: souk migrate follow goes on")?;
        }
        Ok(())
    }
}
