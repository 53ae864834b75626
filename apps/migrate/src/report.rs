//! What the steps found, for people.

use std::fmt;

use crate::compare::{Comparison, Difference, DifferenceKind};
use crate::copy::Copied;
use crate::plan::{Plan, REPORT};
use crate::policy::Policy;
use crate::record::Record;
use crate::way::{Direction, Following};

/// Differences that are shown to people; JSON has more.
const SHOWN: usize = 10;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = if self.keys_are_uuids { "kept as ids" } else { "made into ids of version 5" };
        writeln!(f, "{} rows of {} in {}, keys {ids}", self.rows, self.from, self.source)?;
        writeln!(f, "{} to take over, {} to skip, {} to decide", self.take, self.skip, self.stop)?;
        for (kind, found) in &self.faults {
            let policy = match found.policy {
                Policy::Fix => "fix",
                Policy::Skip => "skip",
                Policy::Stop => "stop",
            };
            let fix = found.fix.unwrap_or("cannot be fixed");
            writeln!(f, "  {kind}: {} rows, policy {policy} (fix: {fix})", found.rows)?;
            for (key, value) in &found.examples {
                match value {
                    Some(value) => writeln!(f, "    key {key}: {value:?}")?,
                    None => writeln!(f, "    key {key}: nothing there")?,
                }
            }
        }
        if !self.faults.is_empty() {
            writeln!(f, "every row with a fault is in {REPORT} of the folder")?;
        }
        if self.ok {
            writeln!(
                f,
                "a copy takes about {:.0} s: this plan has read {:.0} rows a second, and souk is supposed to write {:.0}",
                self.estimated_seconds.ceil(),
                self.read_per_second,
                self.written_per_second
            )?;
            write!(f, "next: souk migrate copy")
        } else {
            write!(
                f,
                "decide in [policies] of the mapping what to do with {} rows, and plan again",
                self.stop
            )
        }
    }
}

impl fmt::Display for Copied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(key) = &self.resumed_after {
            writeln!(f, "went on after key {key}")?;
        }
        writeln!(
            f,
            "{} rows: {} products changed, {} the same, {} deleted, {} rows skipped",
            self.rows, self.changed, self.same, self.deleted, self.skipped
        )?;
        if self.meanwhile > 0 {
            writeln!(
                f,
                "{} rows changed during the comparison and were taken once more; `souk migrate follow` takes what comes",
                self.meanwhile
            )?;
        }
        self.comparison.fmt(f)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows ({} skipped), {} products: {} differences",
            self.rows, self.skipped, self.products, self.differences
        )?;
        for difference in self.named.iter().take(SHOWN) {
            write!(f, "\n  {difference}")?;
        }
        let more = self.differences.saturating_sub(SHOWN as u64);
        if more > 0 {
            write!(f, "\n  and {more} more")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.id.to_string();
        let other = self.key.as_ref().filter(|key| **key != id);
        let key = other.map(|key| format!(" (key {key})")).unwrap_or_default();
        match self.kind {
            DifferenceKind::OnlyInSource => write!(f, "{}{key}: only in the source", self.id),
            DifferenceKind::OnlyInSouk => write!(f, "{}: only in souk", self.id),
            DifferenceKind::Differs => {
                write!(f, "{}{key}:", self.id)?;
                for (n, (field, there, here)) in self.fields.iter().enumerate() {
                    let comma = if n == 0 { "" } else { "," };
                    write!(f, "{comma} {field} is {there} in the source, {here} in souk")?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(place) = &self.place else {
            return write!(f, "nothing was done yet; begin with: souk migrate plan");
        };
        write!(f, "source: {place}")?;
        for (step, record) in &self.steps {
            write!(f, "\n{step}: {}", record.outcome)?;
            match record.ended {
                Some(ended) => write!(f, " ({ended})")?,
                None => write!(f, " since {}", record.began)?,
            }
        }
        self.way(f)?;
        if let Some(copy) = self.copy.as_ref().filter(|_| self.follow.is_none()) {
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

impl Record {
    /// Tells who keeps the products, and how following goes.
    fn way(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pace = match self.direction {
            Direction::Forward => self.follow.as_ref().map(|follow| &follow.pace),
            Direction::Back => self.back.as_ref().map(|back| &back.pace),
            Direction::OneWay | Direction::Finished => None,
        };
        match self.direction {
            Direction::Forward if self.follow.is_some() => write!(f, "\nthe source keeps the products")?,
            Direction::Forward => {}
            Direction::Back => write!(f, "\nsouk keeps the products, and writes them back")?,
            Direction::OneWay => write!(f, "\nsouk keeps the products; there is no way back")?,
            Direction::Finished => write!(f, "\nsouk keeps the products; the migration is finished")?,
        }
        let Some(pace) = pace else { return Ok(()) };
        let (pace, differences) = (pace.clone(), self.differences.clone().unwrap_or_default());
        let at = pace.at.map(|at| format!(" (as of {at})")).unwrap_or_default();
        write!(
            f,
            "\n{}{at}",
            Following { direction: self.direction, pace, differences: differences.clone() }
        )?;
        for example in &differences.examples {
            write!(f, "\n  {example}")?;
        }
        Ok(())
    }
}
