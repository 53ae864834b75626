//! What an audit found: figures, checks and every difference by name.

use std::fmt;

use serde::Serialize;

/// Differences listed for each check; all are counted. More than anybody reads, few enough to keep.
const LISTED: u64 = 100;

/// What was compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Check {
    /// Archived objects are readable and hold what their footers say.
    ArchiveObjects,
    /// Each archived object begins where the one before it ends, and the log follows the last.
    ArchiveChain,
    /// Where archive and log overlap, they hold the same bytes.
    ArchiveLog,
    /// Every payload is an event.
    Events,
    /// No two events share an id.
    EventIds,
    /// Each product's versions are 1, 2, 3 … without holes.
    Versions,
    /// Each event follows from the state before it.
    Changes,
    /// Each crossing of a threshold is told once.
    Crossings,
    /// Each row of the catalog is the event of its version, and no product is missing.
    Catalog,
    /// Each aggregate is a recount of its events.
    Aggregates,
}

impl Check {
    /// All checks, in the order of a report.
    pub const ALL: [Check; 10] = [
        Self::ArchiveObjects,
        Self::ArchiveChain,
        Self::ArchiveLog,
        Self::Events,
        Self::EventIds,
        Self::Versions,
        Self::Changes,
        Self::Crossings,
        Self::Catalog,
        Self::Aggregates,
    ];

    fn about(self) -> &'static str {
        match self {
            Self::ArchiveObjects => "objects hold what their footers say",
            Self::ArchiveChain => "objects follow each other, and the log follows them",
            Self::ArchiveLog => "records are the same in archive and log",
            Self::Events => "payloads are events",
            Self::EventIds => "event ids are unique",
            Self::Versions => "versions are dense",
            Self::Changes => "events follow from the state before them",
            Self::Crossings => "crossings are told once",
            Self::Catalog => "rows are the events of their versions",
            Self::Aggregates => "aggregates are a recount of their events",
        }
    }
}

/// Two stores that do not agree, or one that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// The check that found it.
    pub check: Check,
    /// What it is about: a product, an object, a record, an aggregate.
    pub key: String,
    /// What should be there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// A check's result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckResult {
    /// The check.
    pub check: Check,
    /// How much was compared.
    pub compared: u64,
    /// How many differences were found.
    pub differences: u64,
}

/// The result of an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Whether everything agrees.
    pub ok: bool,
    /// The log's identity.
    pub log: String,
    /// Events read, from the archive and from the log, each counted once.
    pub events: u64,
    /// Events that the archive holds.
    pub archived_events: u64,
    /// Events that the log holds.
    pub logged_events: u64,
    /// Products of the catalog.
    pub products: u64,
    /// Tombstones of the catalog.
    pub deleted_products: u64,
    /// Archived objects.
    pub objects: u64,
    /// Aggregate items.
    pub items: u64,
    /// Each check with its counts.
    pub checks: Vec<CheckResult>,
    /// The first differences of each check.
    pub differences: Vec<Difference>,
    /// How many differences there are in all.
    pub differences_total: u64,
}

impl Report {
    /// Makes a report with nothing in it.
    pub(crate) fn new(log: String) -> Self {
        let checks = Check::ALL.map(|check| CheckResult { check, compared: 0, differences: 0 });
        Self {
            ok: true,
            log,
            events: 0,
            archived_events: 0,
            logged_events: 0,
            products: 0,
            deleted_products: 0,
            objects: 0,
            items: 0,
            checks: checks.to_vec(),
            differences: Vec::new(),
            differences_total: 0,
        }
    }

    fn result(&mut self, check: Check) -> &mut CheckResult {
        let index = Check::ALL.iter().position(|other| *other == check).expect("every check is in ALL");
        &mut self.checks[index]
    }

    /// Notes that `check` compared something.
    pub(crate) fn compared(&mut self, check: Check, count: u64) {
        self.result(check).compared += count;
    }

    /// Notes a difference.
    pub(crate) fn differs(
        &mut self,
        check: Check,
        key: impl Into<String>,
        expected: impl Into<String>,
        found: impl Into<String>,
    ) {
        self.ok = false;
        self.differences_total += 1;
        let result = self.result(check);
        result.differences += 1;
        if result.differences <= LISTED {
            let (key, expected, found) = (key.into(), expected.into(), found.into());
            self.differences.push(Difference { check, key, expected, found });
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.key)?;
        writeln!(f, "    expected {}", self.expected)?;
        writeln!(f, "    found    {}", self.found)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{} products ({} deleted), {} events ({} archived in {} objects, {} in the log), {} aggregate items",
            self.products,
            self.deleted_products,
            self.events,
            self.archived_events,
            self.objects,
            self.logged_events,
            self.items
        )?;
        for result in &self.checks {
            let verdict = match result.differences {
                0 => "ok".to_owned(),
                1 => "1 difference".to_owned(),
                n => format!("{n} differences"),
            };
            writeln!(f, "{:>12} {:<52} {verdict}", result.compared, result.check.about())?;
        }
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
        if self.ok {
            writeln!(f, "no difference: catalog, log, aggregates and archive are equal")
        } else {
            writeln!(f, "\n{} differences", self.differences_total)
        }
    }
}
