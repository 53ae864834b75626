//! Why a command is refused.

use crate::{Field, ProductId, Stock, Version};

/// A command that cannot be carried out in the current state. Nothing is written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such product.
    #[error("product {product_id} does not exist")]
    NotFound {
        /// The id asked for.
        product_id: ProductId,
    },
    /// An id that is in use already.
    #[error("product {product_id} exists already")]
    AlreadyExists {
        /// The id.
        product_id: ProductId,
    },
    /// `If-Match` does not hold.
    #[error("product {product_id} is at version {version}")]
    PreconditionFailed {
        /// The product.
        product_id: ProductId,
        /// The version that is there.
        version: Version,
    },
    /// The change would take the stock below 0.
    #[error("product {product_id} has {} in stock", stock.get())]
    InsufficientStock {
        /// The product.
        product_id: ProductId,
        /// What is at hand.
        stock: Stock,
    },
    /// The change would take the stock above its maximum.
    #[error("product {product_id} has {} in stock and can have at most {}", stock.get(), Stock::MAX.get())]
    TooMuchStock {
        /// The product.
        product_id: ProductId,
        /// What is at hand.
        stock: Stock,
    },
    /// `changeFrom` differs from the stock.
    #[error("product {product_id} has {} in stock", stock.get())]
    StockChanged {
        /// The product.
        product_id: ProductId,
        /// What is at hand.
        stock: Stock,
    },
    /// The seller already has that sku.
    #[error("sku is taken by product {product_id}")]
    SkuTaken {
        /// The product that has it.
        product_id: ProductId,
    },
    /// Read-only fields that differ from what is there.
    #[error("read-only fields cannot be changed")]
    ReadOnly {
        /// The product.
        product_id: ProductId,
        /// The fields.
        fields: Vec<Field>,
    },
}
