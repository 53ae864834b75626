//! The plan: reads every row, and tells what would become of it. Changes neither source nor target.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use souk_domain::{Phase, Timestamp};
use souk_ports::{Source, SourceQuery};

use crate::columns::FirstTable;
use crate::judge::{Judge, Verdict};
use crate::policy::{Fault, FaultKind, Policy};
use crate::record::Folder;
use crate::rows::SourceRows;
use crate::{Mapping, MigrateError, Progress};

/// Examples of each kind that are shown; the folder's report has them all.
const EXAMPLES: usize = 3;
/// How often a copy reads everything beside the pass that writes: its comparison reads the source, and souk as fast at least.
const READ_AGAIN: f64 = 2.0;
/// The most codes that several rows have which are kept in memory.
const MOST_SHARED: usize = 100_000;
/// The report of rows with faults, a JSON object on each line.
pub(crate) const REPORT: &str = "rows-with-faults.jsonl";
/// Lines of it that are gathered before they are written.
const REPORT_BYTES: usize = 1 << 20;

/// What a copy would do.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Where the source is.
    pub source: String,
    /// What is read.
    pub from: String,
    /// Other tables that the mapping reads.
    pub others: Vec<String>,
    /// Whether keys are kept as ids.
    pub keys_are_uuids: bool,
    /// Rows there.
    pub rows: u64,
    /// Rows that would be taken over, those with a fix included.
    pub take: u64,
    /// Rows that would be left out.
    pub skip: u64,
    /// Rows about which somebody has to decide.
    pub stop: u64,
    /// How often each kind of fault was found.
    pub faults: BTreeMap<&'static str, KindCount>,
    /// Seconds that a copy takes, about.
    pub estimated_seconds: f64,
    /// Rows that this plan has read and judged in a second.
    pub read_per_second: f64,
    /// Rows that souk is supposed to write in a second.
    pub written_per_second: f64,
    /// Whether a copy could begin: nothing is to be decided.
    pub ok: bool,
}

/// A kind of fault, as it was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KindCount {
    /// Rows that have it.
    pub rows: u64,
    /// What is done about it.
    pub policy: Policy,
    /// What `fix` would do; absent when it cannot be fixed.
    pub fix: Option<&'static str>,
    /// Some of them: key and value.
    pub examples: Vec<(String, Option<String>)>,
}

/// Makes what judges the rows of a source as it is now.
pub(crate) async fn judge(
    source: &Arc<dyn Source>,
    mapping: &Mapping,
) -> Result<(Judge, SourceQuery), MigrateError> {
    let mut query = mapping.query();
    let key = source.check(&query).await?;
    query.key_type.clone_from(&key.name);
    let shared = source.shared_skus(&query, MOST_SHARED).await?;
    if shared.count > MOST_SHARED as u64 {
        return Err(MigrateError::Found(format!(
            "{} skus are each on several products of a seller: take another column for sku, or none",
            shared.count
        )));
    }
    let mut judge = mapping.judge(&key).with_shared(shared.examples);
    if let Some(table) = FirstTable::of(&mapping.from).filter(|_| !judge.keeps_ids()) {
        judge.give(source.given_keys(&table.name).await?);
    }
    Ok((judge, query))
}

/// Judges every row, and writes a report of those with faults into the folder. How long a copy takes is told from how long
/// that took, and from the rows that souk is supposed to write in a second.
///
/// # Errors
/// `Found` when the source does not understand the mapping, `Unreachable` when it cannot be read.
pub async fn plan(
    source: &Arc<dyn Source>,
    mapping: &Mapping,
    folder: &Folder,
    written_per_second: f64,
    mut progress: impl FnMut(Progress),
) -> Result<Plan, MigrateError> {
    let identity = source.identity().await?;
    let (judge, query) = self::judge(source, mapping).await?;
    let count = source.count(&query).await?;
    let tables: Vec<String> = source.tables_of(&query).await?.iter().map(ToString::to_string).collect();
    let mut plan = Plan {
        others: if tables.len() > 1 { tables } else { Vec::new() },
        source: identity.place,
        from: mapping.from.clone(),
        keys_are_uuids: query.key_type == "uuid",
        ..Plan::default()
    };
    let (began, mut report) = (Instant::now(), Report::begin(folder)?);
    let mut rows = SourceRows::begin(source, &query, None);
    while let Some(page) = rows.page().await? {
        for row in &page {
            plan.rows += 1;
            let faults = match judge.judge(row, Phase::Copy) {
                Verdict::Take(_, faults) => {
                    plan.take += 1;
                    faults
                }
                Verdict::Skip(faults) => {
                    plan.skip += 1;
                    faults
                }
                Verdict::Stop(faults) => {
                    plan.stop += 1;
                    faults
                }
            };
            if !faults.is_empty() {
                report.add(&row.key, &faults)?;
                faults.into_iter().for_each(|fault| plan.note(mapping, &row.key, fault));
            }
        }
        progress(Progress { doing: "rows", done: plan.rows, total: Some(count.rows) });
    }
    plan.estimate(began.elapsed(), written_per_second);
    if count.without_key > 0 {
        plan.rows += count.without_key;
        plan.note(mapping, "", Fault { kind: FaultKind::KeyMissing, value: None });
        let missing = plan.faults.get_mut(FaultKind::KeyMissing.name()).expect("just noted");
        missing.rows = count.without_key;
        if missing.policy == Policy::Skip {
            plan.skip += count.without_key;
        } else {
            plan.stop += count.without_key;
        }
    }
    report.end()?;
    plan.ok = plan.stop == 0;
    Ok(plan)
}

/// Notes a plan in the folder's record, unless that is of another source: a plan changes nothing.
///
/// # Errors
/// `Unreachable` when the source or the record cannot be reached.
pub async fn note_plan(
    source: &Arc<dyn Source>,
    folder: &Folder,
    plan: &Plan,
    began: Timestamp,
    ended: Timestamp,
) -> Result<(), MigrateError> {
    let (identity, mut record) = (source.identity().await?, folder.record()?);
    if record.source.as_ref().is_some_and(|known| *known != identity.id) {
        return Ok(());
    }
    record.of_source(&identity.id, &identity.place);
    record.begin("plan", began);
    let told = format!(
        "{} rows, {} to take over, {} to skip, {} to decide",
        plan.rows, plan.take, plan.skip, plan.stop
    );
    record.end("plan", ended, told);
    folder.keep(&record)
}

impl Plan {
    /// Estimates a copy, which reads while it writes and compares afterwards.
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    fn estimate(&mut self, reading: Duration, written_per_second: f64) {
        let (reading, writing) = (reading.as_secs_f64(), self.take as f64 / written_per_second);
        self.estimated_seconds = reading.max(writing) + READ_AGAIN * reading;
        self.read_per_second = if reading > 0.0 { self.rows as f64 / reading } else { 0.0 };
        self.written_per_second = written_per_second;
    }

    fn note(&mut self, mapping: &Mapping, key: &str, fault: Fault) {
        let kind = self.faults.entry(fault.kind.name()).or_insert_with(|| KindCount {
            policy: mapping.policies.get(&fault.kind).copied().unwrap_or_default(),
            fix: fault.kind.fix(),
            ..KindCount::default()
        });
        kind.rows += 1;
        if kind.examples.len() < EXAMPLES {
            kind.examples.push((key.to_owned(), fault.value));
        }
    }
}

/// The report of rows with faults, written as it is made.
struct Report {
    file: std::fs::File,
    path: std::path::PathBuf,
    text: String,
}

impl Report {
    fn begin(folder: &Folder) -> Result<Self, MigrateError> {
        let path = folder.file(REPORT);
        let file = std::fs::File::create(&path).map_err(|error| unwritable(&path, &error))?;
        Ok(Self { file, path, text: String::new() })
    }

    fn add(&mut self, key: &str, faults: &[Fault]) -> Result<(), MigrateError> {
        let line = serde_json::json!({"key": key, "faults": faults});
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, "{line}");
        if self.text.len() > REPORT_BYTES { self.end() } else { Ok(()) }
    }

    fn end(&mut self) -> Result<(), MigrateError> {
        use std::io::Write as _;
        let text = std::mem::take(&mut self.text);
        self.file.write_all(text.as_bytes()).map_err(|error| unwritable(&self.path, &error))
    }
}

fn unwritable(path: &std::path::Path, error: &std::io::Error) -> MigrateError {
    MigrateError::Unreachable(format!("{} cannot be written: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_takes_as_long_as_the_slower_side_and_the_comparison() {
        let estimated = |rows, reading| {
            let mut plan = Plan { rows, take: rows, ..Plan::default() };
            plan.estimate(Duration::from_secs(reading), 20_000.0);
            (plan.estimated_seconds, plan.read_per_second)
        };
        assert_eq!(estimated(1_000_000, 5), (60.0, 200_000.0), "souk is the slower one");
        assert_eq!(estimated(1_000_000, 200), (600.0, 5_000.0), "the source is");
        assert_eq!(estimated(0, 0), (0.0, 0.0));
    }
}
