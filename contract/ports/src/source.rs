//! The table of another system that products are taken over from.

use std::fmt;

use async_trait::async_trait;
use souk_domain::Timestamp;

use crate::{GivenKey, PortError};

/// A database of another system.
///
/// Promises: it is only read; a row is given as one statement sees it; pages of a query follow the key's order and hold
/// every row once that is there from the first page to the last.
#[async_trait]
pub trait Source: Send + Sync {
    /// Tells what the database is, so that another one is recognised, and where; never with a password.
    async fn identity(&self) -> Result<SourceIdentity, PortError>;

    /// Returns the tables that can be read.
    async fn tables(&self) -> Result<Vec<SourceTable>, PortError>;

    /// Checks a query without reading rows, and tells the type of its key.
    ///
    /// # Errors
    /// `InvalidData` with the database's own words when it does not understand the query.
    async fn check(&self, query: &SourceQuery) -> Result<KeyType, PortError>;

    /// Counts the rows.
    async fn count(&self, query: &SourceQuery) -> Result<RowCount, PortError>;

    /// Returns rows whose key is after `after`, in the key's order; fewer than `limit` only at the end. Rows without a key
    /// have no place in it and are left out.
    async fn page(
        &self,
        query: &SourceQuery,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceRow>, PortError>;

    /// Returns the rows that have one of `keys`, in no order; a key that no row has is absent.
    async fn rows(&self, query: &SourceQuery, keys: &[String]) -> Result<Vec<SourceRow>, PortError>;

    /// Returns codes that several rows of sellers have who are alike, at most `limit`, and how many there are. Alike are those
    /// that may become the same once they are mended: at least those that differ in nothing but letters that no id has.
    async fn shared_skus(&self, query: &SourceQuery, limit: usize) -> Result<SharedSkus, PortError>;

    /// Returns the rows that have one of the codes, of sellers who are alike; in no order.
    async fn rows_with_skus(
        &self,
        query: &SourceQuery,
        codes: &[SellersSku],
    ) -> Result<Vec<SourceRow>, PortError>;

    /// Returns the tables that a query reads, those behind views and partitions included.
    async fn tables_of(&self, query: &SourceQuery) -> Result<Vec<TableName>, PortError>;

    /// Returns the keys of rows of `table` that [`crate::WayBack::write`] added without one, and whose they are; none where it
    /// never did.
    async fn given_keys(&self, table: &str) -> Result<Vec<GivenKey>, PortError>;

    /// Takes the lock of operators for as long as this source is open; `false` when another one has it.
    async fn lock(&self) -> Result<bool, PortError>;

    /// Tells who has it; `None` when nobody has, or it cannot be seen.
    async fn lock_holder(&self) -> Result<Option<LockHolder>, PortError>;
}

/// Who works with a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// What it calls itself.
    pub name: String,
    /// Since when, where that may be seen.
    pub since: Option<Timestamp>,
}

/// What a database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceIdentity {
    /// The same for the same database, whatever the way to it.
    pub id: String,
    /// Where it is, for people.
    pub place: String,
    /// The database's name.
    pub database: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceTable {
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// The columns, in their order.
    pub columns: Vec<SourceColumn>,
    /// The columns of the primary key; empty when there is none.
    pub key: Vec<String>,
}

/// A column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceColumn {
    /// The name as the database has it.
    pub name: String,
    /// The type, such as `numeric(10,2)`.
    pub data_type: String,
    /// The table (schema and name) and its column that it refers to, when it is a foreign key of its own.
    pub refers_to: Option<(String, String, String)>,
}

/// What is read: an SQL expression for each field, over a `FROM`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SourceQuery {
    /// What follows `FROM`: a table, or tables joined.
    pub from: String,
    /// The key.
    pub key: String,
    /// The type that [`Source::check`] told; empty before.
    pub key_type: String,
    /// Of the texts and numbers, in the order of [`SourceRow::FIELDS`]; `None`: the source has none.
    pub fields: [Option<String>; SourceRow::FIELDS.len()],
    /// When the row was created.
    pub created_at: Option<String>,
    /// When it last changed.
    pub updated_at: Option<String>,
}

/// How many rows there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCount {
    /// All.
    pub rows: u64,
    /// Those whose key is null.
    pub without_key: u64,
}

/// The type of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyType {
    /// As the database calls it.
    pub name: String,
    /// Whether its values are UUIDs.
    pub is_uuid: bool,
}

/// A row as the query's expressions give it: texts that nobody has judged yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SourceRow {
    /// The key.
    pub key: String,
    /// The values of [`SourceRow::FIELDS`].
    pub fields: [Option<String>; SourceRow::FIELDS.len()],
    /// When the row was created.
    pub created_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

impl SourceRow {
    /// The names of the fields, as in a product's JSON.
    pub const FIELDS: [&'static str; 8] =
        ["sellerId", "name", "price", "stock", "sku", "description", "category", "lowStockThreshold"];

    /// Returns the row's code, when it has one.
    pub fn code(&self) -> Option<SellersSku> {
        let sku = self.fields[4].clone().filter(|sku| !sku.is_empty())?;
        Some(SellersSku { seller: self.fields[0].clone(), sku })
    }
}

/// Codes that several rows of sellers have who are alike.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SharedSkus {
    /// How many there are: each seller's own counts.
    pub count: u64,
    /// Some of them, each with the number of rows.
    pub examples: Vec<(SellersSku, u64)>,
}

/// A seller's code, as a row has both.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SellersSku {
    /// The seller, who may be missing.
    pub seller: Option<String>,
    /// The code.
    pub sku: String,
}

/// The name of a table, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TableName {
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}
