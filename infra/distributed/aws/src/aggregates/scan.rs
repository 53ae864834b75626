//! Reading all items of a log, for audits, in the order in which DynamoDB keeps them.

use aws_sdk_dynamodb::types::AttributeValue;
use souk_events::LogId;
use souk_ports::{ItemRow, PortError};

use super::{Aggregates, SERIES, item, key, key_item};
use crate::error::port_error;

impl Aggregates {
    /// Reads items after `after`; fewer than `limit` only at the end.
    pub async fn scan(
        &self,
        log: LogId,
        after: Option<&ItemRow>,
        limit: usize,
    ) -> Result<Vec<ItemRow>, PortError> {
        let mut found = Vec::new();
        let mut start = after.map(|row| {
            let (series, place) = key::item(log, &row.key, row.partition);
            key_item(series, place)
        });
        while found.len() < limit {
            let request = self
                .client
                .scan()
                .table_name(&self.name)
                .consistent_read(true)
                .set_exclusive_start_key(start)
                .filter_expression("begins_with(#series, :log) AND attribute_exists(#last)")
                .expression_attribute_names("#series", SERIES)
                .expression_attribute_names("#last", item::LAST_OFFSET)
                .expression_attribute_values(":log", AttributeValue::S(format!("{log}#")));
            let output = request.send().await.map_err(|e| port_error(&self.name, e))?;
            for item in output.items() {
                if let Some(row) = item::row(log, item)? {
                    found.push(row);
                    if found.len() == limit {
                        return Ok(found);
                    }
                }
            }
            start = output.last_evaluated_key;
            if start.is_none() {
                break;
            }
        }
        Ok(found)
    }
}
