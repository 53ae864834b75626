//! Why a command is refused.

use std::fmt;

use crate::{Field, ProductId, Stock, Version};

/// A command that cannot be carried out in the current state. Nothing is written.
///
/// `stock` is what is at hand: that of the product before the unit of work. `left` is what the command found, after
/// those before it in its unit: the same, unless they are about the same product.
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
    #[error("product {product_id} has {}", AtHand(*stock, *left))]
    InsufficientStock {
        /// The product.
        product_id: ProductId,
        /// What is at hand.
        stock: Stock,
        /// What the commands before it leave.
        left: Stock,
    },
    /// The change would take the stock above its maximum.
    #[error("product {product_id} has {} and can have at most {}", AtHand(*stock, *left), Stock::MAX.get())]
    TooMuchStock {
        /// The product.
        product_id: ProductId,
        /// What is at hand.
        stock: Stock,
        /// What the commands before it leave.
        left: Stock,
    },
    /// `changeFrom` differs from the stock.
    #[error("product {product_id} has {}", AtHand(*stock, *left))]
    StockChanged {
        /// The product.
        product_id: ProductId,
        /// What is at hand.
        stock: Stock,
        /// What the commands before it leave.
        left: Stock,
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

impl Rejection {
    /// Says what is at hand, where the commands before it have moved the product's stock in their unit, which now has no
    /// effect; `before` returns the stock before the unit of a product that they changed.
    pub fn at_hand(mut self, before: impl FnOnce(ProductId) -> Option<Stock>) -> Self {
        if let Self::InsufficientStock { product_id, stock, .. }
        | Self::StockChanged { product_id, stock, .. }
        | Self::TooMuchStock { product_id, stock, .. } = &mut self
            && let Some(before) = before(*product_id)
        {
            *stock = before;
        }
        self
    }
}

/// What is at hand, and what is left of it.
struct AtHand(Stock, Stock);

impl fmt::Display for AtHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in stock", self.0.get())?;
        if self.0 != self.1 {
            write!(f, ", {} after the lines before this one", self.1.get())?;
        }
        Ok(())
    }
}
