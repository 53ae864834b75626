//! What can be asked of a product.

use serde::{Deserialize, Serialize};

use crate::{
    Category, Description, Import, Migration, Name, Price, Product, ProductId, Reference, SellerId, Sku,
    Stock, Timestamp, Version,
};

/// One change wanted, already checked for everything that does not depend on the stored state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Creates a product.
    Create(NewProduct),
    /// Replaces everything that can change.
    Replace {
        /// The product.
        id: ProductId,
        /// What `If-Match` asks for.
        precondition: Precondition,
        /// The new values.
        replacement: Replacement,
        /// Read-only fields that must equal what is there.
        asserted: Asserted,
    },
    /// Changes the named fields.
    Patch {
        /// The product.
        id: ProductId,
        /// What `If-Match` asks for.
        precondition: Precondition,
        /// The fields to change.
        patch: Patch,
        /// Read-only fields that must equal what is there.
        asserted: Asserted,
    },
    /// Deletes a product.
    Delete {
        /// The product.
        id: ProductId,
        /// What `If-Match` asks for.
        precondition: Precondition,
    },
    /// Moves the stock up or down.
    AdjustStock {
        /// The product.
        id: ProductId,
        /// What `If-Match` asks for.
        precondition: Precondition,
        /// By how much and why.
        adjustment: Adjustment,
    },
    /// Takes a product over from another system as it stands there, whether it was here or not.
    Import(Import),
    /// Takes a delete over from another system.
    ImportDelete {
        /// The product.
        id: ProductId,
        /// Where it comes from.
        migration: Migration,
        /// When it was noted there, where that is known.
        noted_at: Option<Timestamp>,
    },
}

impl Command {
    /// Returns the product that the command is about.
    pub fn product_id(&self) -> ProductId {
        match self {
            Self::Create(new) => new.id,
            Self::Import(import) => import.id,
            Self::Replace { id, .. }
            | Self::Patch { id, .. }
            | Self::Delete { id, .. }
            | Self::AdjustStock { id, .. }
            | Self::ImportDelete { id, .. } => *id,
        }
    }
}

/// A product to create; the id is made by the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewProduct {
    /// The id that it will have.
    pub id: ProductId,
    /// The seller.
    pub seller_id: SellerId,
    /// Everything else.
    pub fields: Replacement,
}

/// Everything of a product that can change, whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replacement {
    /// The seller's own code.
    pub sku: Option<Sku>,
    /// The name.
    pub name: Name,
    /// The description.
    pub description: Option<Description>,
    /// The category.
    pub category: Category,
    /// The price.
    pub price: Price,
    /// The stock.
    pub stock: Stock,
    /// The product's own threshold.
    pub low_stock_threshold: Option<Stock>,
}

/// The fields of a merge patch (RFC 7396): `None` leaves a field alone, `Some(None)` clears it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// The seller's own code.
    pub sku: Option<Option<Sku>>,
    /// The name.
    pub name: Option<Name>,
    /// The description.
    pub description: Option<Option<Description>>,
    /// The category; clearing it means `general`.
    pub category: Option<Category>,
    /// The price.
    pub price: Option<Price>,
    /// The stock.
    pub stock: Option<Stock>,
    /// The product's own threshold.
    pub low_stock_threshold: Option<Option<Stock>>,
}

/// Read-only fields that a body repeated; each has to equal what is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asserted {
    /// `id`.
    pub id: Option<ProductId>,
    /// `sellerId`.
    pub seller_id: Option<SellerId>,
    /// `lowStock`.
    pub low_stock: Option<bool>,
    /// `version`.
    pub version: Option<Version>,
    /// `createdAt`.
    pub created_at: Option<Timestamp>,
    /// `updatedAt`.
    pub updated_at: Option<Timestamp>,
}

impl Asserted {
    /// Returns the fields that do not equal what is there.
    pub fn differing(&self, product: &Product) -> Vec<Field> {
        fn differs<T: PartialEq>(asserted: Option<&T>, actual: &T) -> bool {
            asserted.is_some_and(|value| value != actual)
        }
        [
            (Field::Id, differs(self.id.as_ref(), &product.id)),
            (Field::SellerId, differs(self.seller_id.as_ref(), &product.seller_id)),
            (Field::LowStock, differs(self.low_stock.as_ref(), &product.low_stock)),
            (Field::Version, differs(self.version.as_ref(), &product.version)),
            (Field::CreatedAt, differs(self.created_at.as_ref(), &product.created_at)),
            (Field::UpdatedAt, differs(self.updated_at.as_ref(), &product.updated_at)),
        ]
        .into_iter()
        .filter_map(|(field, differs)| differs.then_some(field))
        .collect()
    }
}

/// A read-only field, by its name in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// `id`.
    Id,
    /// `sellerId`.
    SellerId,
    /// `lowStock`.
    LowStock,
    /// `version`.
    Version,
    /// `createdAt`.
    CreatedAt,
    /// `updatedAt`.
    UpdatedAt,
}

impl Field {
    /// Returns the field's name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::SellerId => "sellerId",
            Self::LowStock => "lowStock",
            Self::Version => "version",
            Self::CreatedAt => "createdAt",
            Self::UpdatedAt => "updatedAt",
        }
    }
}

/// What `If-Match` asks of the current version (RFC 9110, section 13.1.1).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Precondition {
    /// No condition, or `*`: the product only has to exist.
    #[default]
    None,
    /// One of these versions. Empty when only tags were given that no version has.
    OneOf(Vec<Version>),
}

impl Precondition {
    /// Tells whether `version` satisfies the condition.
    pub fn holds(&self, version: Version) -> bool {
        match self {
            Self::None => true,
            Self::OneOf(versions) => versions.contains(&version),
        }
    }
}

/// Why the stock moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Reason {
    /// Sold: stock goes down, counts as revenue.
    Sale,
    /// Came back from a buyer: stock goes up, counts against revenue.
    Return,
    /// New goods: stock goes up.
    Restock,
    /// Counted anew; either way.
    Correction,
    /// Anything else; either way.
    Other,
}

impl Reason {
    /// All reasons.
    pub const ALL: [Reason; 5] = [Self::Sale, Self::Return, Self::Restock, Self::Correction, Self::Other];

    /// Returns the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sale => "sale",
            Self::Return => "return",
            Self::Restock => "restock",
            Self::Correction => "correction",
            Self::Other => "other",
        }
    }

    /// Returns the reason of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == name)
    }

    /// Returns which way stock has to move for this reason; `None` where it may be either.
    pub fn direction(self) -> Option<Direction> {
        match self {
            Self::Sale => Some(Direction::Down),
            Self::Return | Self::Restock => Some(Direction::Up),
            Self::Correction | Self::Other => None,
        }
    }
}

/// Which way stock moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// It falls: a delta below 0.
    Down,
    /// It rises: a delta above 0.
    Up,
}

/// By how much stock moves: not 0, at most 1,000,000,000 either way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delta(i64);

impl Delta {
    /// Makes a delta; `None` when it is 0 or out of range.
    pub fn new(pieces: i64) -> Option<Self> {
        (pieces != 0 && pieces.abs() <= Stock::MAX.get()).then_some(Self(pieces))
    }

    /// Returns the number of pieces, signed.
    pub fn get(self) -> i64 {
        self.0
    }
}

/// A move of stock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adjustment {
    delta: Delta,
    reason: Reason,
    /// What it refers to, such as an invoice.
    pub reference: Option<Reference>,
    /// The price of one piece in this sale or return, where it differs from the product's.
    pub unit_price: Option<Price>,
    /// When it happened, where that is not now.
    pub occurred_at: Option<Timestamp>,
    /// The stock that the caller believes to be there.
    pub change_from: Option<Stock>,
}

/// The sign of a delta contradicts its reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be {} for this reason", if *negative { "below 0" } else { "above 0" })]
pub struct AdjustmentError {
    /// Whether the reason wants a negative delta.
    pub negative: bool,
}

impl Adjustment {
    /// Makes an adjustment without its optional parts.
    ///
    /// # Errors
    /// [`AdjustmentError`] when the sign of `delta` contradicts `reason`.
    pub fn new(delta: Delta, reason: Reason) -> Result<Self, AdjustmentError> {
        let negative = delta.get() < 0;
        match reason.direction() {
            Some(Direction::Down) if !negative => Err(AdjustmentError { negative: true }),
            Some(Direction::Up) if negative => Err(AdjustmentError { negative: false }),
            _ => Ok(Self {
                delta,
                reason,
                reference: None,
                unit_price: None,
                occurred_at: None,
                change_from: None,
            }),
        }
    }

    /// Returns by how much the stock moves.
    pub fn delta(&self) -> Delta {
        self.delta
    }

    /// Returns why it moves.
    pub fn reason(&self) -> Reason {
        self.reason
    }
}
