//! Putting items right, for `souk audit --repair`.

use aws_sdk_dynamodb::types::{DeleteRequest, WriteRequest};
use souk_events::LogId;
use souk_ports::{ItemRow, PortError};

use super::{Aggregates, item, key, key_item, put};

impl Aggregates {
    /// Puts items as they are given, names first.
    pub async fn replace(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        self.name_all(log, items.iter().map(|row| (&row.key, row.partition))).await?;
        self.table().write(items.iter().map(|row| put(item::item_of(log, row))).collect()).await
    }

    /// Removes items, names last.
    pub async fn remove(&self, log: LogId, items: &[ItemRow]) -> Result<(), PortError> {
        let figures = items.iter().map(|row| key::item(log, &row.key, row.partition));
        self.table().write(figures.map(delete).collect()).await?;
        // Whoever counts next has to put the name again.
        *self.named.lock() = super::Named::default();
        let names = items.iter().filter_map(|row| key::name(log, &row.key, row.partition));
        self.table().write(names.map(delete).collect()).await
    }
}

fn delete((series, place): (String, String)) -> WriteRequest {
    let delete =
        DeleteRequest::builder().set_key(Some(key_item(series, place))).build().expect("the key is set");
    WriteRequest::builder().delete_request(delete).build()
}
