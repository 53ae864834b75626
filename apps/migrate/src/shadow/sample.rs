//! Keys from all over the source.

use std::sync::Arc;

use souk_ports::{Source, SourceQuery};

use crate::rows::{SourceRows, keys_alone};
use crate::{MigrateError, Progress};

/// Keys that are kept; more would tell no more.
const MOST: u64 = 10_000;

/// Returns at most `wanted` keys, at equal distances in the key's order, and then in none.
pub async fn keys(
    source: &Arc<dyn Source>,
    query: &SourceQuery,
    wanted: u64,
    progress: &mut impl FnMut(Progress),
) -> Result<Vec<String>, MigrateError> {
    let query = keys_alone(query);
    let count = source.count(&query).await?;
    let total = count.rows.saturating_sub(count.without_key);
    let step = total.div_ceil(wanted.clamp(1, MOST)).max(1);
    let (mut keys, mut at) = (Vec::new(), 0);
    let mut rows = SourceRows::begin(source, &query, None);
    while let Some(page) = rows.page().await? {
        for row in page {
            // From the middle of each stretch, so that neither end is preferred.
            if at % step == step / 2 {
                keys.push(row.key);
            }
            at += 1;
        }
        progress(Progress { doing: "keys read:", done: at, total: Some(total) });
    }
    Ok(scattered(keys))
}

/// Puts neighbours apart, the same on every run: indexes and caches must not be helped.
fn scattered(keys: Vec<String>) -> Vec<String> {
    let count = keys.len();
    let stride = (count / 2 + 1..count.max(2)).find(|stride| gcd(*stride, count) == 1).unwrap_or(1);
    (0..count).map(|n| keys[n * stride % count].clone()).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_stay_and_neighbours_part() {
        for count in [0, 1, 2, 3, 10, 97, 1_000] {
            let keys: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let mut mixed = scattered(keys.clone());
            mixed.sort_by_key(|key| key.parse::<usize>().unwrap());
            assert_eq!(mixed, keys);
        }
    }
}
