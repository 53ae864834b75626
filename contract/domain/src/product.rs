//! The product.

use serde::{Deserialize, Deserializer, Serialize};

use crate::{Category, Description, Name, Price, ProductId, SellerId, Sku, Timestamp, Version};

/// Pieces at hand: 0 to 1,000,000,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
#[serde(transparent)]
pub struct Stock(u32);

impl Stock {
    /// The most that a product can have.
    pub const MAX: Stock = Stock(1_000_000_000);

    /// Makes a stock of `pieces`; `None` when out of range.
    pub fn new(pieces: i64) -> Option<Self> {
        u32::try_from(pieces).ok().map(Self).filter(|stock| *stock <= Self::MAX)
    }

    /// Returns the number of pieces.
    pub fn get(self) -> i64 {
        i64::from(self.0)
    }
}

impl<'de> Deserialize<'de> for Stock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(i64::deserialize(deserializer)?)
            .ok_or_else(|| serde::de::Error::custom("stock out of range"))
    }
}

/// A product as it stands: every field valid, `low_stock` as it was at the last change.
///
/// The JSON form is the one of the HTTP interface and of events, fields in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Product {
    /// The id; never changes.
    pub id: ProductId,
    /// The seller; never changes.
    pub seller_id: SellerId,
    /// The seller's own code, unique per seller.
    pub sku: Option<Sku>,
    /// The name.
    pub name: Name,
    /// The description.
    pub description: Option<Description>,
    /// The category.
    pub category: Category,
    /// The price of one piece.
    pub price: Price,
    /// Pieces at hand.
    pub stock: Stock,
    /// Below this stock the product is low; `None`: the installation's default.
    pub low_stock_threshold: Option<Stock>,
    /// Whether the stock was below the effective threshold after the last change.
    pub low_stock: bool,
    /// Dense, from 1.
    pub version: Version,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Product {
    /// Returns the threshold that applies: its own, else `default`.
    pub fn effective_threshold(&self, default: Stock) -> Stock {
        self.low_stock_threshold.unwrap_or(default)
    }
}
