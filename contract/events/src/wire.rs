//! Events as CloudEvents 1.0.2 in structured JSON, compact, fields in a fixed order.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use souk_domain::{
    Cause, Changes, Crossing, Event, EventKind, EventType, Migration, Origin, Price, Product, ProductId,
    Reason, Reference, SellerId, Stock, Timestamp, Version,
};
use uuid::Uuid;

use crate::{DATA_CONTENT_TYPE, SOURCE, SPEC_VERSION};

/// A payload that is not an event of ours.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// Not JSON, or not of an event's shape.
    #[error("not an event: {0}")]
    Json(#[from] serde_json::Error),
    /// A part is missing or contradicts another.
    #[error("not an event: {0} is missing or contradicts the rest")]
    Invalid(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Wire<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    id: Uuid,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(rename = "type")]
    event_type: EventType,
    subject: ProductId,
    time: Timestamp,
    #[serde(borrow)]
    datacontenttype: Cow<'a, str>,
    sellerid: SellerId,
    data: Data,
}

/// One shape for all types; which fields are there follows from the type.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    version: Version,
    product: Arc<Product>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    changes: Option<Box<Changes>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Reason>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unit_price: Option<Price>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    occurred_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    migration: Option<Migration>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    stock: Option<Stock>,
    /// The inner option is JSON's null, on a create.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "present")]
    previous_stock: Option<Option<Stock>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    threshold: Option<Stock>,
}

/// Tells null (`Some(None)`) from absent (`None`).
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Stock>>, D::Error> {
    Option::<Stock>::deserialize(deserializer).map(Some)
}

/// Appends `event` to `out` as compact JSON.
pub fn encode(event: &Event, out: &mut Vec<u8>) {
    let mut data = Data {
        version: event.version,
        product: event.product.clone(),
        changes: None,
        reason: None,
        reference: None,
        unit_price: None,
        occurred_at: None,
        migration: None,
        stock: None,
        previous_stock: None,
        threshold: None,
    };
    match &event.kind {
        EventKind::Created | EventKind::Deleted => {}
        EventKind::Updated { changes, cause } => {
            data.changes = Some(changes.clone());
            if let Some(cause) = cause {
                data.reason = Some(cause.reason);
                data.reference = cause.reference.clone();
                data.unit_price = cause.unit_price;
                data.occurred_at = cause.occurred_at;
            }
        }
        EventKind::LowStockWarning(crossing) | EventKind::StockReplenished(crossing) => {
            data.stock = Some(event.product.stock);
            data.previous_stock = Some(crossing.previous_stock);
            data.threshold = Some(crossing.threshold);
        }
    }
    if let Some(origin) = &event.origin {
        data.migration = Some(origin.migration.clone());
        data.occurred_at = origin.occurred_at;
    }
    let wire = Wire {
        specversion: Cow::Borrowed(SPEC_VERSION),
        id: event.id,
        source: Cow::Borrowed(SOURCE),
        event_type: event.event_type(),
        subject: event.product.id,
        time: event.time,
        datacontenttype: Cow::Borrowed(DATA_CONTENT_TYPE),
        sellerid: event.product.seller_id.clone(),
        data,
    };
    serde_json::to_writer(out, &wire)
        .expect("events have string keys and memory does not fail to be written");
}

/// Reads an event back.
///
/// # Errors
/// [`DecodeError`] when `payload` is not an event of ours.
pub fn decode(payload: &[u8]) -> Result<Event, DecodeError> {
    let Wire { id, event_type, subject, time, sellerid, data, .. } = serde_json::from_slice(payload)?;
    if data.product.id != subject {
        return Err(DecodeError::Invalid("subject"));
    }
    if data.product.seller_id != sellerid {
        return Err(DecodeError::Invalid("sellerid"));
    }
    let crossing = || {
        Ok::<_, DecodeError>(Crossing {
            previous_stock: data.previous_stock.ok_or(DecodeError::Invalid("previousStock"))?,
            threshold: data.threshold.ok_or(DecodeError::Invalid("threshold"))?,
        })
    };
    // When it happened is told once: by what it was taken over from, else by the cause.
    let (origin, occurred_at) = match data.migration {
        Some(migration) => (Some(Box::new(Origin { migration, occurred_at: data.occurred_at })), None),
        None => (None, data.occurred_at),
    };
    let kind = match event_type {
        EventType::ProductCreated => EventKind::Created,
        EventType::ProductDeleted => EventKind::Deleted,
        EventType::LowStockWarning => EventKind::LowStockWarning(crossing()?),
        EventType::StockReplenished => EventKind::StockReplenished(crossing()?),
        EventType::ProductUpdated => EventKind::Updated {
            changes: data.changes.ok_or(DecodeError::Invalid("changes"))?,
            cause: data.reason.map(|reason| {
                let (reference, unit_price) = (data.reference, data.unit_price);
                Box::new(Cause { reason, reference, unit_price, occurred_at })
            }),
        },
    };
    Ok(Event { id, time, version: data.version, product: data.product, kind, origin })
}

#[cfg(test)]
mod tests;
