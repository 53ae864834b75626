//! The part of an event that filters, archives and indexes need, read without the rest.

use serde::Deserialize;
use souk_domain::{EventType, ProductId, SellerId, Timestamp, Version};
use uuid::Uuid;

use crate::DecodeError;

/// An event's attributes and version; the product and what changed stay unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Unique id.
    pub id: Uuid,
    /// Type.
    pub event_type: EventType,
    /// The product.
    pub subject: ProductId,
    /// When it was decided.
    pub time: Timestamp,
    /// The seller.
    pub seller_id: SellerId,
    /// The product's version.
    pub version: Version,
}

impl Envelope {
    /// Reads the envelope of an event in structured JSON.
    ///
    /// # Errors
    /// [`DecodeError`] when `payload` is not an event of ours.
    pub fn read(payload: &[u8]) -> Result<Self, DecodeError> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            id: Uuid,
            #[serde(rename = "type")]
            event_type: EventType,
            subject: ProductId,
            time: Timestamp,
            sellerid: &'a str,
            data: Data,
        }
        #[derive(Deserialize)]
        struct Data {
            version: Version,
        }
        let wire: Wire<'_> = serde_json::from_slice(payload)?;
        Ok(Self {
            id: wire.id,
            event_type: wire.event_type,
            subject: wire.subject,
            time: wire.time,
            seller_id: SellerId::new(wire.sellerid).map_err(|_| DecodeError::Invalid("sellerid"))?,
            version: wire.data.version,
        })
    }
}
