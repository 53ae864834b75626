//! Compares all rows of the source with all products: digests added up in buckets first, then what the buckets that differ
//! hold, and of that, field by field, what still differs when both sides are looked at again.
//!
//! Memory is flat: buckets are of a fixed number, and those that differ are gone through a bounded number of products at a
//! time. A source in use makes differences that are gone at the second look; those are not counted.

use std::collections::HashMap;

use serde::Serialize;
use souk_domain::{Phase, Product, ProductId};
use souk_ports::{SourceQuery, fault};

use crate::copy::undecided;
use crate::digest::{Compared, ProductDigest};
use crate::judge::{Judge, Verdict};
use crate::rows::{CatalogRows, SourceRows};
use crate::{Deps, Mapping, MigrateError, Progress};

mod buckets;
mod settle;

use buckets::{Buckets, Slices};
pub(crate) use settle::{Suspect, settle};

/// Differences that are named; more are counted.
pub(crate) const NAMED: usize = 100;

/// What a comparison found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// Rows of the source.
    pub rows: u64,
    /// Rows that the policies leave out.
    pub skipped: u64,
    /// Products in souk.
    pub products: u64,
    /// How many differ.
    pub differences: u64,
    /// Some of them.
    pub named: Vec<Difference>,
    /// Whether both are the same.
    pub ok: bool,
}

/// A product that is not the same on both sides.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Its id.
    pub id: ProductId,
    /// Its key in the source, where it is there.
    pub key: Option<String>,
    /// In what way.
    pub kind: DifferenceKind,
    /// The fields that differ: name, in the source, in souk.
    pub fields: Vec<(&'static str, String, String)>,
}

/// In what way a product differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum DifferenceKind {
    /// The source alone has it.
    OnlyInSource,
    /// souk alone has it.
    OnlyInSouk,
    /// Both have it, with other values.
    Differs,
}

/// Compares. Writes nothing, not even to the record, so that it may run beside any other step.
///
/// # Errors
/// `Found` when a row breaks a rule for which there is no policy, `Unreachable` when a side cannot be read.
pub async fn compare(
    deps: &Deps,
    mapping: &Mapping,
    mut progress: impl FnMut(Progress),
) -> Result<Comparison, MigrateError> {
    let (judge, query) = crate::plan::judge(&deps.source, mapping).await?;
    compare_with(deps, &judge, &query, &mut progress, |_: &Difference| {}).await
}

/// Compares, and hands on each difference.
pub(crate) async fn compare_with(
    deps: &Deps,
    judge: &Judge,
    query: &SourceQuery,
    progress: &mut impl FnMut(Progress),
    mut found: impl FnMut(&Difference),
) -> Result<Comparison, MigrateError> {
    let mut comparison = Comparison::default();
    let count = deps.source.count(query).await?;
    let total = count.rows;
    comparison.skipped = count.without_key;
    let mut buckets = Buckets::new();
    let mut source = Side::source(deps, judge, query);
    while let Some(page) = source.page(&mut comparison).await? {
        page.entries.iter().for_each(|(id, digest, _)| buckets.add_source(*id, *digest));
        page.unjudged.iter().for_each(|(id, _)| buckets.add_unjudged(*id));
        progress(Progress { doing: "rows compared", done: comparison.rows, total: Some(total) });
    }
    let mut souk = Side::souk(deps, judge, query);
    while let Some(page) = souk.page(&mut comparison).await? {
        page.entries.iter().for_each(|(id, digest, _)| buckets.add_souk(*id, *digest));
        progress(Progress { doing: "products compared", done: comparison.products, total: Some(total) });
    }
    for slice in Slices::of(&buckets) {
        let mut again = Comparison::default();
        let mut there: HashMap<ProductId, (ProductDigest, String)> = HashMap::new();
        let mut unjudged: HashMap<ProductId, String> = HashMap::new();
        let mut source = Side::source(deps, judge, query);
        while let Some(page) = source.page(&mut again).await? {
            let entries = page.entries.into_iter().filter(|(id, ..)| slice.has(*id));
            there.extend(entries.map(|(id, digest, key)| (id, (digest, key))));
            unjudged.extend(page.unjudged.into_iter().filter(|(id, _)| slice.has(*id)));
        }
        let mut suspects = Vec::new();
        let mut souk = Side::souk(deps, judge, query);
        while let Some(page) = souk.page(&mut again).await? {
            for (id, digest, _) in page.entries.into_iter().filter(|(id, ..)| slice.has(*id)) {
                match there.remove(&id) {
                    Some((same, _)) if same == digest => {}
                    Some((_, key)) => suspects.push((id, Some(key))),
                    // Not gone, though nobody may take it: only by its key is it found again.
                    None => suspects.push((id, unjudged.remove(&id))),
                }
            }
        }
        suspects.extend(there.into_iter().map(|(id, (_, key))| (id, Some(key))));
        suspects.sort_unstable();
        for difference in settle(deps, judge, query, &suspects).await? {
            found(&difference);
            comparison.differences += 1;
            if comparison.named.len() < NAMED {
                comparison.named.push(difference);
            }
        }
    }
    comparison.ok = comparison.differences == 0;
    Ok(comparison)
}

/// One side, page by page.
enum Side<'a> {
    Source { rows: Box<SourceRows>, judge: &'a Judge },
    Souk { rows: CatalogRows, judge: &'a Judge, query: &'a SourceQuery },
}

/// What a page has.
struct Page {
    /// Id, digest and, of the source, key.
    entries: Vec<(ProductId, ProductDigest, String)>,
    /// Rows about which somebody has to decide, where they are passed over: id and key.
    unjudged: Vec<(ProductId, String)>,
}

impl<'a> Side<'a> {
    fn source(deps: &Deps, judge: &'a Judge, query: &SourceQuery) -> Self {
        Self::Source { rows: Box::new(SourceRows::begin(&deps.source, query, None)), judge }
    }

    fn souk(deps: &Deps, judge: &'a Judge, query: &'a SourceQuery) -> Self {
        Self::Souk { rows: CatalogRows::begin(deps), judge, query }
    }

    async fn page(&mut self, comparison: &mut Comparison) -> Result<Option<Page>, MigrateError> {
        let (mut entries, mut unjudged) = (Vec::new(), Vec::new());
        match self {
            Self::Source { rows, judge } => {
                let Some(page) = rows.page().await? else { return Ok(None) };
                comparison.rows += page.len() as u64;
                for row in page {
                    match judge.judge(&row, Phase::Copy) {
                        Verdict::Take(import, _) => {
                            let (id, compared) = of_import(*import);
                            entries.push((id, compared.digest(id), row.key));
                        }
                        Verdict::Skip(_) => comparison.skipped += 1,
                        Verdict::Stop(_) if judge.is_lenient() => {
                            comparison.skipped += 1;
                            if !fault::planted("migrate-forgets-unjudged") {
                                unjudged.extend(judge.id(&row.key).map(|id| (id, row.key)));
                            }
                        }
                        Verdict::Stop(faults) => return Err(undecided(&row.key, &faults)),
                    }
                }
            }
            Self::Souk { rows, judge, query } => {
                let Some(page) = rows.page().await? else { return Ok(None) };
                for row in page {
                    if let Some(product) = &row.product {
                        comparison.products += 1;
                        let compared = of_product(product, judge, query);
                        entries.push((row.id, compared.digest(row.id), String::new()));
                    }
                }
            }
        }
        Ok(Some(Page { entries, unjudged }))
    }
}

/// What of a product is compared: after a cut-over not what the source has no column for.
pub(crate) fn of_product(product: &Product, judge: &Judge, query: &SourceQuery) -> Compared {
    let mut compared = Compared::of(product, query.created_at.is_some());
    compared.forget(&judge.unmapped(product.id));
    compared
}

pub(crate) fn of_import(import: souk_domain::Import) -> (ProductId, Compared) {
    let souk_domain::Import { id, seller_id, fields, unmapped, created_at, .. } = import;
    let mut compared = Compared { seller_id, fields, created_at };
    compared.forget(&unmapped);
    (id, compared)
}
