//! The copy: every row in the key's order, through the catalog's own write path, while the source stays in use.
//!
//! After each page the record says up to which key the target has everything. A copy that was broken off goes on from there;
//! rows that were changed before that key meanwhile are found by the comparison that ends every copy, which also deletes
//! what the source has no more.

use std::collections::HashSet;

use serde::Serialize;
use souk_domain::{Import, Phase, ProductId};
use souk_ports::{SourceQuery, SourceRow, fault};
use tokio::task::JoinHandle;

use crate::compare::{Difference, DifferenceKind, compare_with, of_import, of_product};
use crate::digest::ProductDigest;
use crate::judge::{Judge, Verdict};
use crate::plan::judge;
use crate::policy::{Fault, FaultKind, Policy};
use crate::record::{CopyRecord, Folder};
use crate::rows::SourceRows;
use crate::take::{Contest, Gone, Taken, delete, take};
use crate::{Comparison, Deps, Direction, Mapping, MigrateError, Progress};

/// What a copy did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Copied {
    /// Rows read in this run.
    pub rows: u64,
    /// Products that were created or changed.
    pub changed: u64,
    /// Products that were so already.
    pub same: u64,
    /// Rows that were left out.
    pub skipped: u64,
    /// Products deleted, since the source has them no more.
    pub deleted: u64,
    /// Rows that changed between the two comparisons at the end, and were taken once more as they stood then.
    pub meanwhile: u64,
    /// The key after which this run went on; absent when it began at the beginning.
    pub resumed_after: Option<String>,
    /// The comparison at the end.
    pub comparison: Comparison,
}

/// Copies, from the beginning or from where a run before was broken off.
///
/// # Errors
/// `Found` when a row breaks a rule for which there is no policy, or the catalog has products of its own; `Unreachable` when
/// source, target or record cannot be reached. What was copied until then is recorded.
pub async fn copy(
    deps: &Deps,
    mapping: &Mapping,
    folder: &Folder,
    mut progress: impl FnMut(Progress),
) -> Result<Copied, MigrateError> {
    let identity = deps.source.identity().await?;
    let (judge, query) = judge(&deps.source, mapping).await?;
    let mut record = folder.record()?;
    if record.direction != Direction::Forward {
        return Err(MigrateError::Usage(
            "souk keeps the products since the cut-over: a copy would take away what was sold since; `souk migrate rollback` \
             gives them back to the source"
                .to_owned(),
        ));
    }
    record.of_source(&identity.id, &identity.place);
    record.of_target(&deps.target);
    let known = record.copy.take();
    if known.is_none() {
        only_if_empty(deps).await?;
    }
    let digest = mapping.digest();
    // With another mapping everything may be another.
    let resumed = known.filter(|copy| copy.mapping == digest);
    let was_complete = resumed.as_ref().is_some_and(|copy| copy.complete);
    let mut state = CopyRecord { mapping: digest, complete: was_complete, ..resumed.unwrap_or_default() };
    let count = deps.source.count(&query).await?;
    if count.without_key > 0 && mapping.policies.get(&FaultKind::KeyMissing) != Some(&Policy::Skip) {
        let fault = Fault::new(FaultKind::KeyMissing, None);
        return Err(undecided(&format!("null, of which there are {},", count.without_key), &[fault]));
    }
    let mut copied = Copied { resumed_after: state.after.clone(), ..Copied::default() };
    record.begin("copy", deps.clock.now());
    record.copy = Some(state.clone());
    folder.keep(&record)?;

    let mut rows = SourceRows::begin(&deps.source, &query, state.after.as_deref());
    let mut under_way: Option<UnderWay> = None;
    loop {
        // Read and judged while the page before is written.
        let next = rows.page().await?.map(|page| Judged::new(&judge, page, &mut copied));
        if let Some(page) = under_way.take() {
            let taken = page.taken.await.map_err(MigrateError::cut_off)??;
            folder.keep(&record)?;
            fault::crash_point("migrate.recorded");
            copied.rows += page.rows;
            copied.changed += taken.changed;
            copied.same += taken.same;
            progress(Progress { doing: "rows", done: state.rows, total: Some(count.rows) });
        }
        // A row that stops everything stops it when all before it is recorded.
        let Some(page) = next.transpose()? else { break };
        state.after = Some(page.last);
        state.rows += page.rows;
        record.copy = Some(state.clone());
        if fault::planted("migrate-records-first") {
            folder.keep(&record)?;
        }
        fault::crash_point("migrate.taken");
        let deps = deps.clone();
        let taken = tokio::spawn(async move { take(&deps, page.imports, Contest::Win).await });
        under_way = Some(UnderWay { rows: page.rows, taken });
    }
    settle(deps, mapping, &mut copied, &mut progress).await?;
    // The next run begins at the beginning.
    record.copy = Some(CopyRecord { after: None, rows: 0, complete: true, ..state });
    let outcome = format!(
        "{} rows, {} products changed, {} deleted, {} rows skipped, {} differences",
        copied.rows, copied.changed, copied.deleted, copied.skipped, copied.comparison.differences
    );
    record.end("copy", deps.clock.now(), outcome);
    folder.keep(&record)?;
    Ok(copied)
}

/// A page that is ready to be taken.
struct Judged {
    /// The last key.
    last: String,
    rows: u64,
    imports: Vec<Import>,
}

impl Judged {
    fn new(judge: &Judge, page: Vec<SourceRow>, copied: &mut Copied) -> Result<Self, MigrateError> {
        let (last, rows) = (page.last().expect("a page has rows").key.clone(), page.len() as u64);
        Ok(Self { last, rows, imports: judged(judge, page, copied)? })
    }
}

/// A page that is being taken.
struct UnderWay {
    rows: u64,
    taken: JoinHandle<Result<Taken, MigrateError>>,
}

fn judged(judge: &Judge, page: Vec<SourceRow>, copied: &mut Copied) -> Result<Vec<Import>, MigrateError> {
    let mut imports = Vec::with_capacity(page.len());
    for row in page {
        match judge.judge(&row, Phase::Copy) {
            Verdict::Take(import, _) => imports.push(*import),
            Verdict::Skip(_) => copied.skipped += 1,
            Verdict::Stop(faults) => return Err(undecided(&row.key, &faults)),
        }
    }
    Ok(imports)
}

/// Says which row stops everything, and how to go on.
pub(crate) fn undecided(key: &str, faults: &[Fault]) -> MigrateError {
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    MigrateError::Found(format!(
        "the row with key {key} breaks a rule: {}; say in [policies] of the mapping what to do, or mend the row, and go on \
         with the same command",
        told.join(", ")
    ))
}

/// Deletes what the source has no more, takes what changed behind the copy's back, and compares.
async fn settle(
    deps: &Deps,
    mapping: &Mapping,
    copied: &mut Copied,
    progress: &mut impl FnMut(Progress),
) -> Result<(), MigrateError> {
    let (judge, query) = judge(&deps.source, mapping).await?;
    let migration = judge.migration(Phase::Copy);
    let (mut gone, mut stale): (Vec<Gone>, Vec<String>) = (Vec::new(), Vec::new());
    let mut comparison =
        compare_with(deps, &judge, &query, &mut *progress, |difference: &Difference| {
            match (difference.kind, &difference.key) {
                (DifferenceKind::OnlyInSouk, _) => gone.push((difference.id, None)),
                (_, Some(key)) => stale.push(key.clone()),
                (_, None) => {}
            }
        })
        .await?;
    copied.deleted = delete(deps, &gone, &migration).await?;
    for keys in stale.chunks(crate::rows::PAGE) {
        let rows = deps.source.rows(&query, keys).await?;
        let taken = take(deps, judged(&judge, rows, copied)?, Contest::Win).await?;
        copied.changed += taken.changed;
    }
    if !gone.is_empty() || !stale.is_empty() {
        // What was put right is compared again, the rest of both sides with it.
        let mut left = Vec::new();
        comparison = compare_with(deps, &judge, &query, &mut *progress, |difference: &Difference| {
            left.push(difference.clone());
        })
        .await?;
        let stays = since(deps, &judge, &query, &left, copied).await?;
        copied.meanwhile = comparison.differences - stays.len() as u64;
        comparison.differences = stays.len() as u64;
        comparison.named.retain(|difference| stays.contains(&difference.id));
        comparison.ok = stays.is_empty();
    }
    copied.comparison = comparison;
    Ok(())
}

/// Takes what changed since it was put right; a shop in use may never hold still. Returns what souk has not even then: a
/// product that is not as it was just taken has lost it to another one, and always will.
async fn since(
    deps: &Deps,
    judge: &Judge,
    query: &SourceQuery,
    left: &[Difference],
    copied: &mut Copied,
) -> Result<HashSet<ProductId>, MigrateError> {
    let mut gone: HashSet<ProductId> = left.iter().map(|difference| difference.id).collect();
    // What was gone may have come back, where ids tell keys.
    let keys: Vec<String> =
        left.iter().filter_map(|it| it.key.clone().or_else(|| judge.key(it.id))).collect();
    let mut wanted: Vec<(ProductId, ProductDigest)> = Vec::with_capacity(keys.len());
    for keys in keys.chunks(crate::rows::PAGE) {
        let imports = judged(judge, deps.source.rows(query, keys).await?, copied)?;
        wanted.extend(imports.iter().cloned().map(of_import).map(|(id, it)| (id, it.digest(id))));
        copied.changed += take(deps, imports, Contest::Win).await?.changed;
    }
    for (id, _) in &wanted {
        gone.remove(id);
    }
    let gone: Vec<Gone> = gone.into_iter().map(|id| (id, None)).collect();
    copied.deleted += delete(deps, &gone, &judge.migration(Phase::Copy)).await?;
    let mut stays = HashSet::new();
    // Once all are taken: what one takes from another shows in whichever order they came.
    for (id, wanted) in wanted {
        let product = deps.catalog.product(id).await?;
        if product.is_none_or(|product| of_product(&product, judge, query).digest(id) != wanted) {
            stays.insert(id);
        }
    }
    Ok(stays)
}

/// All that a catalog has is compared with the source: what it had before would be a difference.
pub(crate) async fn only_if_empty(deps: &Deps) -> Result<(), MigrateError> {
    let mut rows = crate::rows::CatalogRows::begin(deps);
    while let Some(page) = rows.page().await? {
        if let Some(row) = page.iter().find(|row| row.product.is_some()) {
            return Err(MigrateError::Found(format!(
                "the catalog has products already, such as {}: a copy begins with an empty one; name another target, or, \
                 when they are from a copy of this source, the folder with its record by --state",
                row.id
            )));
        }
    }
    Ok(())
}
