//! What the steps found, for people.

use std::fmt;

use crate::compare::{Comparison, Difference, DifferenceKind};
use crate::copy::Copied;
use crate::plan::{Plan, REPORT};
use crate::policy::Policy;

/// Differences that are shown to people; JSON has more.
const SHOWN: usize = 10;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ids = if self.keys_are_uuids { "kept as ids" } else { "made into ids of version 5" };
        writeln!(f, "{} rows of {} in {}, keys {ids}", self.rows, self.from, self.source)?;
        if !self.others.is_empty() {
            writeln!(
                f,
                "{} are read: while both systems run, a change in the first table of the mapping comes at once, one in the \
                 others by a comparison that it sets off; a cut-over shuts the writers of all of them out",
                self.others.join(", ")
            )?;
        }
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
