//! Products and their events, written together.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use souk_domain::{Category, Command, Product, ProductId, Rejection, SellerId, Sku, Stock, Version};

use crate::{PortError, StoreHealth};

/// Products, and the only place where events come into being.
///
/// Promises: a unit of work is all or nothing, and a rejected one spoils no neighbour; state and events are
/// durable together before `execute` returns; versions are dense under any concurrency; an idempotency key has
/// one effect and one answer; reads see every unit that was answered before them and never wait for a write.
#[async_trait]
pub trait Catalog: Send + Sync {
    /// Carries out a unit of work: applies `souk_domain::decide` to each command in order, each seeing those
    /// before it, and stores rows, events and the idempotency key's answer in one transaction. Returns after the
    /// commit is durable.
    ///
    /// # Errors
    /// [`ExecuteError`]; only `OutcomeUnknown` may have had an effect.
    async fn execute(&self, unit: UnitOfWork) -> Result<Outcome, ExecuteError>;

    /// Returns the product, `None` when there is none.
    async fn product(&self, id: ProductId) -> Result<Option<Product>, PortError>;

    /// Returns a page of products.
    ///
    /// # Errors
    /// `InvalidData` when the cursor is not one that this query's sort gave out.
    async fn products(&self, query: &ProductQuery) -> Result<ProductPage, PortError>;

    /// Returns rows in id order after `after`, tombstones included; empty at the end. For audits.
    async fn scan(&self, after: Option<ProductId>, limit: usize) -> Result<Vec<CatalogRow>, PortError>;

    /// Tells how the store is doing.
    ///
    /// # Errors
    /// When the store cannot be used at all.
    async fn health(&self) -> Result<StoreHealth, PortError>;
}

/// Commands that take effect together or not at all.
#[derive(Debug, Clone)]
pub struct UnitOfWork {
    /// The commands, in order.
    pub commands: Vec<Command>,
    /// The key that makes a repeat harmless, with the means to answer it.
    pub idempotency: Option<Idempotency>,
}

/// A request's idempotency key.
#[derive(Debug, Clone)]
pub struct Idempotency {
    /// The key as the client gave it; installation-wide.
    pub key: Arc<str>,
    /// Tells one request from another: a digest of method, path, headers that matter, and body.
    pub fingerprint: [u8; 32],
    /// Makes the answer that is stored with the write.
    pub answer: fn(&[Applied]) -> Answer,
}

/// An answer as it is stored and replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// `ETag`, quotes included.
    pub etag: Option<String>,
    /// `Location`.
    pub location: Option<String>,
    /// Body.
    pub body: Bytes,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The product after the command; for a delete, as it was last.
    pub product: Arc<Product>,
    /// The stock before; `None` on a create.
    pub previous_stock: Option<Stock>,
    /// Whether anything was written: a command that changes nothing writes nothing.
    pub changed: bool,
}

/// What a unit of work led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It took effect; one entry for each command.
    Applied(Vec<Applied>),
    /// Its key was used before by the same request: the answer of that time.
    Replayed(Answer),
}

/// Why a command of a unit was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The command's position in the unit.
    pub index: usize,
    /// Why.
    pub rejection: Rejection,
}

/// Why a unit of work did not take effect.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// The state does not allow it: every command that failed, in order, never empty. Each command is judged as if
    /// the failed ones before it were not there.
    #[error("refused: {}", .0.first().map(|r| r.rejection.to_string()).unwrap_or_default())]
    Rejected(Vec<Refusal>),
    /// The idempotency key was used by another request.
    #[error("the idempotency key was used by another request")]
    KeyReused,
    /// The store cannot take it now: queue full, disk full, unreachable. The text names the cause and the remedy.
    #[error("{0}")]
    Overloaded(String),
    /// The store went away during the commit; it may have taken effect.
    #[error("the outcome is unknown: {0}")]
    OutcomeUnknown(String),
    /// Anything else.
    #[error(transparent)]
    Failed(#[from] PortError),
}

/// Which products, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductQuery {
    /// Of this seller.
    pub seller_id: Option<SellerId>,
    /// In this category.
    pub category: Option<Category>,
    /// With this sku.
    pub sku: Option<Sku>,
    /// With all of these words as prefixes of words in name or sku (`souk_domain::query_tokens`); the index
    /// trails writes by at most a second.
    pub words: Vec<String>,
    /// With `low_stock` like this.
    pub low_stock: Option<bool>,
    /// The order; ties are broken in a fixed way.
    pub sort: ProductSort,
    /// Whether the order is reversed.
    pub descending: bool,
    /// Most products returned.
    pub limit: usize,
    /// Where the page before ended, as it said.
    pub cursor: Option<String>,
}

/// What products are ordered by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum ProductSort {
    /// By creation.
    #[default]
    CreatedAt,
    /// By name, byte by byte.
    Name,
    /// By stock.
    Stock,
}

/// A page of products.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProductPage {
    /// The products.
    pub items: Vec<Product>,
    /// Where the next page begins; `None` at the end. Made of `A-Za-z0-9._-`.
    pub next: Option<String>,
}

/// A row of the catalog as an audit sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogRow {
    /// The id.
    pub id: ProductId,
    /// The last version; of a deleted product, the one that its delete took.
    pub version: Version,
    /// The product; `None` when deleted.
    pub product: Option<Product>,
}
