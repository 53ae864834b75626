//! A report for people.

use std::fmt;

use crate::report::{Difference, Repair, Report};

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.key)?;
        writeln!(f, "    expected {}", self.expected)?;
        writeln!(f, "    found    {}", self.found)
    }
}

impl fmt::Display for Repair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.differences_before == 0 {
            return writeln!(f, "nothing to repair:");
        }
        writeln!(
            f,
            "repaired, of {} differences: {} aggregate items counted anew, {} removed, {} recent events put back",
            self.differences_before, self.items_replaced, self.items_removed, self.recent_events_put
        )?;
        for left in &self.left {
            writeln!(f, "  left as it is: {left}")?;
        }
        writeln!(f, "audited again:")
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(repair) = &self.repair {
            repair.fmt(f)?;
        }
        writeln!(
            f,
            "{} products ({} deleted), {} events ({} archived in {} objects, {} in the log), {} aggregate items, \
             {} recent events",
            self.products,
            self.deleted_products,
            self.events,
            self.archived_events,
            self.objects,
            self.logged_events,
            self.items,
            self.recent_events
        )?;
        for result in &self.checks {
            let verdict = match result.differences {
                0 => "ok".to_owned(),
                1 => "1 difference".to_owned(),
                n => format!("{n} differences"),
            };
            writeln!(f, "{:>12} {:<52} {verdict}", result.compared, result.check.about())?;
        }
        self.asides(f)?;
        for result in self.checks.iter().filter(|result| result.differences > 0) {
            writeln!(f, "\n{}: not so", result.check.about())?;
            let mut listed = 0;
            for difference in self.differences.iter().filter(|found| found.check == result.check) {
                difference.fmt(f)?;
                listed += 1;
            }
            if listed < result.differences {
                writeln!(f, "  and {} more", result.differences - listed)?;
            }
        }
        match (self.ok, &self.since) {
            (true, None) => writeln!(f, "no difference: catalog, log, aggregates and archive are equal"),
            (true, Some(since)) => writeln!(f, "no difference in what was looked at, since {}", since.time),
            (false, _) => writeln!(f, "\n{} differences", self.differences_total),
        }
    }
}

impl Report {
    /// Writes what is no difference and yet worth a line.
    fn asides(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(since) = &self.since {
            writeln!(f, "since {}: {}", since.time, since.unchecked)?;
        }
        if self.dead_letters > 0 {
            writeln!(f, "{} records are no events and were set aside:", self.dead_letters)?;
            for letter in &self.set_aside {
                writeln!(f, "  offset {}/{}: {}", letter.partition, letter.offset, letter.reason)?;
            }
        }
        if self.foreign_recent_events > 0 {
            writeln!(
                f,
                "{} recent events are older than this log: they are another log's, and not looked at",
                self.foreign_recent_events
            )?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        Ok(())
    }
}
