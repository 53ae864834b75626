//! What an audit found: figures, checks and every difference by name.

use serde::Serialize;
use souk_domain::Timestamp;

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
    /// Events of the last days are among the recent events.
    RecentEvents,
}

impl Check {
    /// All checks, in the order of a report.
    pub const ALL: [Check; 11] = [
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
        Self::RecentEvents,
    ];

    pub(crate) fn about(self) -> &'static str {
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
            Self::RecentEvents => "events of the last days are among the recent ones",
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

/// A record that is no event, which whoever met it has set aside with the reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The partition.
    pub partition: u32,
    /// The offset there.
    pub offset: u64,
    /// Why it cannot be read.
    pub reason: String,
}

/// What an audit from a certain time on does not look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Since {
    /// The time.
    pub time: Timestamp,
    /// What is not looked at, in words.
    pub unchecked: String,
}

/// What was put right.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Repair {
    /// Differences before.
    pub differences_before: u64,
    /// Aggregate items that were counted anew.
    pub items_replaced: u64,
    /// Aggregate items that counted nothing there is.
    pub items_removed: u64,
    /// Recent events that were put back.
    pub recent_events_put: u64,
    /// What was left as it is, and why.
    pub left: Vec<String>,
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
    /// Recent events.
    pub recent_events: u64,
    /// Recent events from before this log, which nothing here can prove.
    pub foreign_recent_events: u64,
    /// Products without an event in the time looked at.
    pub unchecked_products: u64,
    /// Aggregate items that began before the time looked at.
    pub unchecked_items: u64,
    /// Records that are no events and were set aside.
    pub dead_letters: u64,
    /// The first of them.
    pub set_aside: Vec<SetAside>,
    /// What is good to know and no difference.
    pub notes: Vec<String>,
    /// Set when only events from a certain time on were looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Since>,
    /// Set after a repair: this report is of the audit that followed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repair: Option<Repair>,
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
            recent_events: 0,
            foreign_recent_events: 0,
            unchecked_products: 0,
            unchecked_items: 0,
            dead_letters: 0,
            set_aside: Vec::new(),
            notes: Vec::new(),
            since: None,
            repair: None,
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

    /// Returns how many differences `check` found.
    pub fn differences_of(&self, check: Check) -> u64 {
        self.checks.iter().filter(|result| result.check == check).map(|result| result.differences).sum()
    }

    /// Notes what is good to know.
    pub(crate) fn note(&mut self, text: String) {
        self.notes.push(text);
    }

    /// Notes a record that was set aside.
    pub(crate) fn set_aside(&mut self, letter: SetAside) {
        self.dead_letters += 1;
        if self.dead_letters <= LISTED {
            self.set_aside.push(letter);
        }
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
