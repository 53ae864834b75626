//! Over how many shards a name of an index is spread.
//!
//! A partition of DynamoDB takes 1,000 write units a second; a name that gets more events than that needs several.
//! The number of shards is an item of the table itself (`productId` = `#shards`, `at` = the name); without one it
//! is 1, as for nearly all sellers. A writer that sees more events of a name than its shards take doubles it, before
//! it uses the new shards; it never shrinks. So a reader that asks for the number first finds every event that was
//! put before, and a writer with an old number does no harm.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use parking_lot::Mutex;
use souk_ports::PortError;

use super::{AT, PRODUCT};
use crate::batch::{Item, Table};
use crate::error::port_error;

/// Most shards of a name: sixteen thousand writes a second, sixteen reads for a page.
pub(super) const MOST: u32 = 16;
/// Rates are taken over at least so long.
const PERIOD: Duration = Duration::from_secs(1);
/// Where numbers are kept: no product's id.
const KEPT_UNDER: &str = "#shards";
const NUMBER: &str = "number";

/// What a writer knows about names.
pub(super) struct Shards {
    events_per_shard: u32,
    inner: Mutex<Inner>,
}

struct Inner {
    /// Names of more than one shard.
    numbers: HashMap<String, u32>,
    counts: HashMap<String, u32>,
    since: Instant,
}

impl Shards {
    pub fn new(events_per_shard: u32) -> Self {
        let inner = Inner { numbers: HashMap::new(), counts: HashMap::new(), since: Instant::now() };
        Self { events_per_shard: events_per_shard.max(1), inner: Mutex::new(inner) }
    }

    /// Returns the shard of `name` for something that is spread by `number`.
    pub fn shard(&self, name: &str, number: u128) -> u32 {
        let shards = self.inner.lock().numbers.get(name).copied().unwrap_or(1);
        u32::try_from(number % u128::from(shards)).unwrap_or_default()
    }

    /// Takes note of events, and gives names that have become hot more shards.
    pub async fn observe(
        &self,
        table: Table<'_>,
        names: impl Iterator<Item = String> + Send,
    ) -> Result<(), PortError> {
        for (name, wanted) in self.hot(names) {
            let number = raise(table, &name, wanted).await?;
            tracing::info!("spreads recent events of {name} over {number} shards");
            self.inner.lock().numbers.insert(name, number);
        }
        Ok(())
    }

    /// Counts; at the end of a period returns names that want more shards, with how many.
    fn hot(&self, names: impl Iterator<Item = String>) -> Vec<(String, u32)> {
        let mut inner = self.inner.lock();
        for name in names {
            *inner.counts.entry(name).or_default() += 1;
        }
        let passed = inner.since.elapsed();
        if passed < PERIOD {
            return Vec::new();
        }
        inner.since = Instant::now();
        let takes = f64::from(self.events_per_shard) * passed.as_secs_f64();
        let counts = std::mem::take(&mut inner.counts);
        let wants = |name: &String, count: u32| {
            let have = inner.numbers.get(name).copied().unwrap_or(1);
            let mut wanted = have;
            while wanted < MOST && f64::from(count) > takes * f64::from(wanted) {
                wanted *= 2;
            }
            (wanted > have).then_some(wanted)
        };
        counts.into_iter().filter_map(|(name, count)| wants(&name, count).map(|n| (name, n))).collect()
    }
}

fn key(name: &str) -> Item {
    HashMap::from([
        (PRODUCT.to_owned(), AttributeValue::S(KEPT_UNDER.to_owned())),
        (AT.to_owned(), AttributeValue::S(name.to_owned())),
    ])
}

fn number_of(item: &Item) -> Option<u32> {
    item.get(NUMBER)?.as_n().ok()?.parse().ok()
}

/// Returns over how many shards `name` is spread.
pub(super) async fn stored(table: Table<'_>, name: &str) -> Result<u32, PortError> {
    let request =
        table.client.get_item().table_name(table.name).set_key(Some(key(name))).consistent_read(true);
    let output = request.send().await.map_err(|e| port_error(table.name, e))?;
    Ok(output.item.as_ref().and_then(number_of).unwrap_or(1).clamp(1, MOST))
}

/// Stores `wanted` unless there are more already; returns what is stored then.
async fn raise(table: Table<'_>, name: &str, wanted: u32) -> Result<u32, PortError> {
    let result = table
        .client
        .update_item()
        .table_name(table.name)
        .set_key(Some(key(name)))
        .update_expression("SET #n = :n")
        .condition_expression("attribute_not_exists(#n) OR #n < :n")
        .expression_attribute_names("#n", NUMBER)
        .expression_attribute_values(":n", AttributeValue::N(wanted.to_string()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
        .send()
        .await;
    match result {
        Ok(_) => Ok(wanted),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refused)) => {
                match refused.item().and_then(number_of) {
                    Some(number) => Ok(number.clamp(1, MOST)),
                    None => stored(table, name).await,
                }
            }
            _ => Err(port_error(table.name, error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_gets_the_shards_that_its_rate_needs() {
        let shards = Shards::new(10);
        let names = |n: usize| std::iter::repeat_n("seller#hot".to_owned(), n);
        let quiet = std::iter::once("seller#quiet".to_owned());
        shards.inner.lock().since = Instant::now().checked_sub(PERIOD).unwrap();
        assert_eq!(shards.hot(names(35).chain(quiet)), [("seller#hot".to_owned(), 4)]);
        assert_eq!(shards.hot(names(10_000)), [], "the period has just begun");
        shards.inner.lock().since = Instant::now().checked_sub(PERIOD).unwrap();
        assert_eq!(shards.hot(names(0)), [("seller#hot".to_owned(), MOST)]);
        assert_eq!(shards.shard("seller#hot", 7), 0, "before it is stored nothing is spread");
        shards.inner.lock().numbers.insert("seller#hot".to_owned(), 4);
        assert_eq!(shards.shard("seller#hot", 7), 3);
    }
}
