//! What happened to a product.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Category, Description, Migration, Name, Price, Product, Reason, Reference, Sku, Stock, Timestamp, Version,
};

/// The five types of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventType {
    /// A product was created.
    ProductCreated,
    /// Something of a product changed.
    ProductUpdated,
    /// A product was deleted.
    ProductDeleted,
    /// Stock went from at or above the threshold to below it.
    LowStockWarning,
    /// Stock came back to or above the threshold.
    StockReplenished,
}

impl EventType {
    /// All types, in the order of their index.
    pub const ALL: [EventType; 5] = [
        Self::ProductCreated,
        Self::ProductUpdated,
        Self::ProductDeleted,
        Self::LowStockWarning,
        Self::StockReplenished,
    ];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ProductCreated => "ProductCreated",
            Self::ProductUpdated => "ProductUpdated",
            Self::ProductDeleted => "ProductDeleted",
            Self::LowStockWarning => "LowStockWarning",
            Self::StockReplenished => "StockReplenished",
        }
    }

    /// Returns the type of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Returns the position in [`EventType::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Tells whether events of this type take a version of their own; the others share their cause's.
    pub fn takes_version(self) -> bool {
        matches!(self, Self::ProductCreated | Self::ProductUpdated | Self::ProductDeleted)
    }
}

/// An event: something that happened to a product, with the product as it then was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Unique.
    pub id: Uuid,
    /// When it was decided.
    pub time: Timestamp,
    /// The product's version that the event made or, for warnings, shares.
    pub version: Version,
    /// The product after the event; for a delete, as it was last.
    pub product: Arc<Product>,
    /// What happened.
    pub kind: EventKind,
    /// The other system that it was taken over from; `None`: it was decided here.
    pub origin: Option<Box<Origin>>,
}

/// Where and when something happened that was taken over from another system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The source.
    pub migration: Migration,
    /// When it happened there, where that is known.
    pub occurred_at: Option<Timestamp>,
}

impl Event {
    /// Returns the event's type.
    pub fn event_type(&self) -> EventType {
        match self.kind {
            EventKind::Created => EventType::ProductCreated,
            EventKind::Updated { .. } => EventType::ProductUpdated,
            EventKind::Deleted => EventType::ProductDeleted,
            EventKind::LowStockWarning(_) => EventType::LowStockWarning,
            EventKind::StockReplenished(_) => EventType::StockReplenished,
        }
    }
}

/// What happened, beyond the product itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The product was created.
    Created,
    /// Fields changed.
    Updated {
        /// From what to what.
        changes: Box<Changes>,
        /// Why, when the stock moved.
        cause: Option<Box<Cause>>,
    },
    /// The product was deleted.
    Deleted,
    /// The stock went below the threshold.
    LowStockWarning(Crossing),
    /// The stock came back up.
    StockReplenished(Crossing),
}

/// A crossing of the threshold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    /// The stock before; `None` on a create.
    pub previous_stock: Option<Stock>,
    /// The threshold that applied.
    pub threshold: Stock,
}

/// Why stock moved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The reason.
    pub reason: Reason,
    /// What it refers to.
    pub reference: Option<Reference>,
    /// The price of one piece in this sale or return.
    pub unit_price: Option<Price>,
    /// When it happened, where that was not when it was decided.
    pub occurred_at: Option<Timestamp>,
}

/// A field's value before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change<T> {
    /// Before.
    pub from: T,
    /// After.
    pub to: T,
}

/// The fields that changed, named as in the product's JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Changes {
    /// `sku`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Change<Option<Sku>>>,
    /// `name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Change<Name>>,
    /// `description`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Change<Option<Description>>>,
    /// `category`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub category: Option<Change<Category>>,
    /// `price`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Change<Price>>,
    /// `stock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stock: Option<Change<Stock>>,
    /// `lowStockThreshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_stock_threshold: Option<Change<Option<Stock>>>,
    /// `lowStock`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low_stock: Option<Change<bool>>,
}

impl Changes {
    /// Compares two states of a product; `None` when they are equal in everything that can change.
    pub fn between(before: &Product, after: &Product) -> Option<Self> {
        fn change<T: Clone + PartialEq>(from: &T, to: &T) -> Option<Change<T>> {
            (from != to).then(|| Change { from: from.clone(), to: to.clone() })
        }
        let changes = Self {
            sku: change(&before.sku, &after.sku),
            name: change(&before.name, &after.name),
            description: change(&before.description, &after.description),
            category: change(&before.category, &after.category),
            price: change(&before.price, &after.price),
            stock: change(&before.stock, &after.stock),
            low_stock_threshold: change(&before.low_stock_threshold, &after.low_stock_threshold),
            low_stock: change(&before.low_stock, &after.low_stock),
        };
        (changes != Self::default()).then_some(changes)
    }
}
