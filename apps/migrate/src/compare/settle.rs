//! Looks again at what seemed to differ: the source may have been in the middle of something.

use std::collections::{HashMap, HashSet};

use souk_domain::{Phase, ProductId};
use souk_ports::SourceQuery;

use super::{Difference, DifferenceKind, of_import, of_product};
use crate::copy::undecided;
use crate::digest::Compared;
use crate::judge::{Judge, Verdict};
use crate::{Deps, MigrateError};

/// Rows asked for at once.
const BATCH: usize = 500;

/// A product that seemed to differ, with its key where the source had it.
pub(crate) type Suspect = (ProductId, Option<String>);

/// Returns what still differs of `suspects`, each with its key where the source had it.
pub(crate) async fn settle(
    deps: &Deps,
    judge: &Judge,
    query: &SourceQuery,
    suspects: &[Suspect],
) -> Result<Vec<Difference>, MigrateError> {
    let mut differences = Vec::new();
    for suspects in suspects.chunks(BATCH) {
        // A row that was not there may have come back, or have been added meanwhile.
        let key = |(id, key): &(ProductId, Option<String>)| key.clone().or_else(|| judge.key(*id));
        let keys: Vec<String> = suspects.iter().filter_map(key).collect();
        let mut there: HashMap<ProductId, (String, Compared)> = HashMap::new();
        let mut unjudged: HashSet<ProductId> = HashSet::new();
        for row in deps.source.rows(query, &keys).await? {
            match judge.judge(&row, Phase::Copy) {
                Verdict::Take(import, _) => {
                    let (id, compared) = of_import(*import);
                    there.insert(id, (row.key, compared));
                }
                Verdict::Skip(_) => {}
                Verdict::Stop(_) if judge.is_lenient() => unjudged.extend(judge.id(&row.key)),
                Verdict::Stop(faults) => return Err(undecided(&row.key, &faults)),
            }
        }
        for (id, _) in suspects.iter().filter(|(id, _)| !unjudged.contains(id)) {
            let product = deps.catalog.product(*id).await?;
            let here = product.map(|product| of_product(&product, judge, query));
            let (key, kind, fields) = match (there.remove(id), here) {
                (None, None) => continue,
                (Some((key, _)), None) => (Some(key), DifferenceKind::OnlyInSource, Vec::new()),
                (None, Some(_)) => (None, DifferenceKind::OnlyInSouk, Vec::new()),
                (Some((key, there)), Some(here)) => {
                    let fields = there.differing(&here);
                    if fields.is_empty() {
                        continue;
                    }
                    (Some(key), DifferenceKind::Differs, fields)
                }
            };
            differences.push(Difference { id: *id, key, kind, fields });
        }
    }
    Ok(differences)
}
