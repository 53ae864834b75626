//! Adding to items, each under the guard of the last offset that it counts.
//!
//! An update that took effect and whose reply was lost is sent again, by the SDK or by the caller, and meets its own
//! guard: then the item says that it has counted all of it, which is an answer like any other.

use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use futures_util::StreamExt as _;
use souk_events::LogId;
use souk_ports::{ItemDelta, Offset, Partition, PortError, RefusedItem, fault};

use super::{Aggregates, item, key, key_item};
use crate::error::port_error;

/// Updates under way at once while the table answers promptly: a few thousand a second at a round trip of some
/// milliseconds.
pub(super) const CONCURRENT: usize = 24;

impl Aggregates {
    /// Adds each delta to its item unless the item has counted some of its offsets; returns those.
    ///
    /// When it fails, some deltas may be in: adding all of them again refuses these and adds the rest.
    pub async fn add(
        &self,
        log: LogId,
        partition: Partition,
        deltas: &[ItemDelta],
    ) -> Result<Vec<RefusedItem>, PortError> {
        self.name_all(log, deltas.iter().map(|delta| (&delta.key, partition))).await?;
        // One by one: an update takes kilobytes from when it is made, though nothing has been sent.
        let mut updates = futures_util::stream::iter(0..deltas.len())
            .map(|index| async move { (index, self.add_one(log, partition, &deltas[index]).await) })
            .buffer_unordered(CONCURRENT);
        let (mut refused, mut done) = (Vec::new(), 0);
        while let Some((index, result)) = updates.next().await {
            if let Some(counted) = result? {
                refused.push(RefusedItem { index, counted });
            }
            done += 1;
            if done == deltas.len().div_ceil(2) {
                fault::crash_point("aggregates.half-stored");
            }
        }
        Ok(refused)
    }

    /// Adds one delta; returns the last offset counted when that is not before it.
    async fn add_one(
        &self,
        log: LogId,
        partition: Partition,
        delta: &ItemDelta,
    ) -> Result<Option<Offset>, PortError> {
        let (series, place) = key::item(log, &delta.key, partition);
        let number = |figure: String| AttributeValue::N(figure);
        let mut request = self
            .client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key_item(series.clone(), place.clone())))
            .expression_attribute_names("#last", item::LAST_OFFSET)
            .expression_attribute_values(":last", number(delta.last.to_string()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        let mut expression = "SET #last = :last".to_owned();
        for (index, (name, figure)) in item::figures(&delta.measures).enumerate() {
            expression.push_str(if index == 0 { " ADD " } else { ", " });
            expression.push_str(&format!("{name} :f{index}"));
            request = request.expression_attribute_values(format!(":f{index}"), number(figure.to_string()));
        }
        if !fault::planted("count-without-guard") {
            request = request
                .condition_expression("attribute_not_exists(#last) OR #last < :first")
                .expression_attribute_values(":first", number(delta.first.to_string()));
        }
        match self.updates.send(request.update_expression(expression).send()).await {
            Ok(_) => Ok(None),
            Err(error) => match error.as_service_error() {
                Some(UpdateItemError::ConditionalCheckFailedException(failure)) => {
                    match failure.item().map(item::counted).transpose()?.flatten() {
                        Some(counted) => Ok(Some(counted)),
                        // A server that does not say what was in the way is asked.
                        None => self.counted(series, place).await,
                    }
                }
                _ => Err(port_error(&self.name, error)),
            },
        }
    }

    async fn counted(&self, series: String, place: String) -> Result<Option<Offset>, PortError> {
        let found = self.table().read(vec![key_item(series, place)]).await?;
        found.first().map(item::counted).transpose().map(Option::flatten)
    }
}
