//! What comes from another system.

use serde::{Deserialize, Serialize};

use crate::{Product, ProductId, Reference, Replacement, SellerId, Timestamp};

/// A product as it stands in another system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Import {
    /// The id that it has, or gets, here.
    pub id: ProductId,
    /// The seller.
    pub seller_id: SellerId,
    /// Everything else.
    pub fields: Replacement,
    /// The fields that the other system does not have: what is here stays, and a product that is new gets what
    /// `fields` says.
    pub unmapped: Vec<OptionalField>,
    /// When it was created there, where that is known.
    pub created_at: Option<Timestamp>,
    /// When it last changed there, where that is known.
    pub updated_at: Option<Timestamp>,
    /// When the change was noted there that this import is of: not every system moves `updated_at` with each change.
    pub noted_at: Option<Timestamp>,
    /// Where it comes from.
    pub migration: Migration,
}

/// A field that not every system has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OptionalField {
    /// The seller's own code.
    Sku,
    /// The description.
    Description,
    /// The category.
    Category,
    /// The product's own threshold.
    LowStockThreshold,
}

impl Import {
    /// Returns what a product that is here already is to become.
    pub fn over(&self, here: &Product) -> Replacement {
        let mut wanted = self.fields.clone();
        for field in &self.unmapped {
            match field {
                OptionalField::Sku => wanted.sku.clone_from(&here.sku),
                OptionalField::Description => wanted.description.clone_from(&here.description),
                OptionalField::Category => wanted.category.clone_from(&here.category),
                OptionalField::LowStockThreshold => wanted.low_stock_threshold = here.low_stock_threshold,
            }
        }
        wanted
    }
}

/// Marks what was not decided here but taken over from another system.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Migration {
    /// The name of the source, such as `app.products`.
    pub source: Reference,
    /// In which step it came.
    pub phase: Phase,
}

/// The step of a migration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// What was there: nobody is told of stock that was low before.
    Copy,
    /// A change in the source while both systems run: crossings are told as ever.
    Follow,
}

impl Phase {
    /// All steps.
    pub const ALL: [Phase; 2] = [Self::Copy, Self::Follow];
}
