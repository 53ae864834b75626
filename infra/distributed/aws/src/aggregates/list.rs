//! Reading aggregates, summed over partitions.

use std::collections::HashMap;
use std::sync::Arc;

use souk_domain::Timestamp;
use souk_events::LogId;
use souk_ports::{
    Aggregate, AggregateKey, AggregatePage, AggregateQuery, Dimension, Measures, Partition, PortError,
};

use super::{Aggregates, PLACE, SERIES, item, key, key_item};
use crate::batch::Item;
use crate::error::port_error;

/// Names read at once when there are fewer wanted: a page of names is small.
const FEWEST: usize = 100;

/// Places from one text to another, none of which is itself a place.
struct Range {
    low: String,
    high: String,
}

impl Aggregates {
    /// Reads a page, oldest bucket first, then by key.
    pub async fn page(&self, log: LogId, query: &AggregateQuery) -> Result<AggregatePage, PortError> {
        let mut page = Page { limit: query.limit, items: Vec::new() };
        match &query.key {
            Some(key) if query.by != Dimension::Total => {
                let series = key::key_series(log, query.window, query.by, key);
                let mut range = range(query, key::after_bucket, Some(key));
                while let Some(next) = self.key_page(&series, query, key, &range, &mut page).await? {
                    range.low = next;
                }
            }
            _ => {
                let series = key::names_series(log, query.window, query.by);
                let mut range = range(query, |bucket| key::after_key(bucket, after_of(query)), None);
                while let Some(next) = self.names_page(log, &series, query, &range, &mut page).await? {
                    range.low = next;
                }
            }
        }
        Ok(page.finish())
    }

    /// Takes in a read of one key's buckets; returns where the next one begins, unless that was all.
    async fn key_page(
        &self,
        series: &str,
        query: &AggregateQuery,
        key: &Arc<str>,
        range: &Range,
        page: &mut Page,
    ) -> Result<Option<String>, PortError> {
        let (items, last) = self.query(series, range, usize::MAX).await?;
        for found in items {
            let Some((bucket, _)) = key::parse_place(query.window, item::text(&found, PLACE)?) else {
                continue;
            };
            if item::counted(&found)?.is_none() {
                continue;
            }
            let key = AggregateKey { window: query.window, by: query.by, bucket, key: key.clone() };
            page.take(key, &item::measures(&found)?);
            if page.is_full() {
                return Ok(None);
            }
        }
        Ok(last)
    }

    /// Takes in a read of names, with the figures that belong to them; returns where the next one begins.
    async fn names_page(
        &self,
        log: LogId,
        series: &str,
        query: &AggregateQuery,
        range: &Range,
        page: &mut Page,
    ) -> Result<Option<String>, PortError> {
        let wanted = (query.limit + 1).saturating_sub(page.items.len()).max(FEWEST);
        let (names, last) = self.query(series, range, wanted).await?;
        let mut keys: Vec<(AggregateKey, Partition)> = Vec::with_capacity(names.len());
        for name in &names {
            let place = item::text(name, PLACE)?;
            let Some((key, partition)) = key::parse_named(query.window, query.by, place) else { continue };
            // Only totals are looked for by key this way.
            if query.key.as_ref().is_none_or(|wanted| *wanted == key.key) {
                keys.push((key, partition));
            }
        }
        let figures = if query.by == Dimension::Total {
            names
        } else {
            let wanted = keys.iter().map(|(key, partition)| {
                let (series, place) = key::item(log, key, *partition);
                key_item(series, place)
            });
            self.table().read(wanted.collect()).await?
        };
        let mut by_key: HashMap<(&str, &str), Measures> = HashMap::with_capacity(figures.len());
        for found in &figures {
            if item::counted(found)?.is_some() {
                let place = (item::text(found, SERIES)?, item::text(found, PLACE)?);
                by_key.insert(place, item::measures(found)?);
            }
        }
        for (key, partition) in keys {
            let (series, place) = key::item(log, &key, partition);
            if let Some(measures) = by_key.get(&(series.as_str(), place.as_str())) {
                page.take(key, measures);
                if page.is_full() {
                    return Ok(None);
                }
            }
        }
        Ok(last)
    }

    /// Reads items of a series in a range; returns them with the last one's place, if there are more.
    async fn query(
        &self,
        series: &str,
        range: &Range,
        limit: usize,
    ) -> Result<(Vec<Item>, Option<String>), PortError> {
        if range.low >= range.high {
            return Ok((Vec::new(), None));
        }
        let text = |text: &str| aws_sdk_dynamodb::types::AttributeValue::S(text.to_owned());
        let request = self
            .client
            .query()
            .table_name(&self.name)
            .consistent_read(true)
            .key_condition_expression("#series = :series AND #place BETWEEN :low AND :high")
            .expression_attribute_names("#series", SERIES)
            .expression_attribute_names("#place", PLACE)
            .expression_attribute_values(":series", text(series))
            .expression_attribute_values(":low", text(&range.low))
            .expression_attribute_values(":high", text(&range.high))
            .set_limit((limit != usize::MAX).then(|| i32::try_from(limit).unwrap_or(i32::MAX)));
        let output = request.send().await.map_err(|e| port_error(&self.name, e))?;
        let last =
            output.last_evaluated_key().map(|key| item::text(key, PLACE).map(str::to_owned)).transpose()?;
        let mut items = output.items.unwrap_or_default();
        // The place where the read before ended belongs to that one.
        if items.first().is_some_and(|first| item::text(first, PLACE).is_ok_and(|place| place == range.low)) {
            items.remove(0);
        }
        Ok((items, last))
    }
}

fn after_of(query: &AggregateQuery) -> &str {
    query.after.as_ref().map_or("", |(_, key)| key)
}

/// Returns the places that a query reads; `past` tells what is after the bucket where the page before ended, as far
/// as it was given.
fn range(
    query: &AggregateQuery,
    past: impl Fn(Option<Timestamp>) -> String,
    key: Option<&Arc<str>>,
) -> Range {
    let from = query.from.map_or_else(|| key::LOWEST.to_owned(), |from| key::from_bucket(Some(from)));
    let high = query.to.map_or_else(|| key::HIGHEST.to_owned(), |to| key::from_bucket(Some(to)));
    let low = match &query.after {
        None => from,
        Some((bucket, after)) => {
            // Of the bucket where the page before ended, this key is still to come if it is after the last one.
            let begins = match key {
                Some(key) if **key > **after => key::from_bucket(*bucket),
                _ => past(*bucket),
            };
            // A cursor from before `from` cannot widen the range.
            begins.max(from)
        }
    };
    Range { low, high }
}

/// A page as it fills up, with one item more than wanted to tell whether there are more.
struct Page {
    limit: usize,
    items: Vec<Aggregate>,
}

impl Page {
    fn is_full(&self) -> bool {
        self.items.len() > self.limit
    }

    /// Takes an item of one partition; those of one key and bucket follow each other.
    fn take(&mut self, key: AggregateKey, measures: &Measures) {
        match self.items.last_mut() {
            Some(last) if last.key == key => last.measures.merge(measures),
            _ => self.items.push(Aggregate { key, measures: *measures }),
        }
    }

    fn finish(mut self) -> AggregatePage {
        let more = self.is_full();
        self.items.truncate(self.limit);
        AggregatePage { items: self.items, more }
    }
}
