//! What souk has in another system's database while a shop moves: a capture of changes, a fence, and a way to write.

use std::time::Duration;

use async_trait::async_trait;
use souk_domain::{Product, ProductId, Timestamp};

use crate::{PortError, TableName};

/// Triggers on a table of another system and on those that are read beside it, and what they have written down.
///
/// Promises: from [`Capture::install`]'s return on, the key of every row that a committed transaction inserts, updates or
/// deletes is told by [`Capture::changes`] of a position before it, however late that transaction commits, and so is that it
/// wrote a table beside it; a transaction with the origin mark is not told.
#[async_trait]
pub trait Capture: Send + Sync {
    /// Finds the table as the database has its name.
    ///
    /// # Errors
    /// `InvalidData` when there is none of that name.
    async fn find(&self, table: &str, key: &str) -> Result<OldTable, PortError>;

    /// Puts it on a table and on those `beside` it that it has the right for; one that is there, whole, is left as it is.
    ///
    /// # Errors
    /// `InvalidData` naming the right that is missing on the table itself.
    async fn install(&self, table: &OldTable, beside: &[TableName]) -> Result<(), PortError>;

    /// Tells whether it is there, whole.
    async fn is_installed(&self, table: &OldTable, beside: &[TableName]) -> Result<bool, PortError>;

    /// Returns the position of now.
    async fn position(&self) -> Result<String, PortError>;

    /// Returns what was committed after `after`, and the position up to there; at most `limit` keys, else none and
    /// [`Changes::too_many`].
    ///
    /// # Errors
    /// `InvalidData` when `after` is a position that this database has not reached, since it was restored, or when the
    /// capture is gone.
    async fn changes(&self, after: &str, limit: usize) -> Result<Changes, PortError>;

    /// Forgets what was committed up to `position`.
    async fn forget(&self, position: &str) -> Result<(), PortError>;
}

/// A fence around another system's table, and souk's writes into it.
///
/// Promises: once [`WayBack::fence`] has returned, every transaction that wrote the tables before is ended, and none without
/// the origin mark writes one of them until [`WayBack::lift`]; rows and the position that they stand for are written together, with
/// the mark.
#[async_trait]
pub trait WayBack: Send + Sync {
    /// Puts the fence up around tables; one that is up around all of them stays.
    ///
    /// # Errors
    /// `Timeout` when a transaction held a table for longer than `within`: then there is no fence.
    async fn fence(&self, tables: &[TableName], within: Duration) -> Result<(), PortError>;

    /// Tells whether it is up.
    async fn is_fenced(&self, table: &TableName) -> Result<bool, PortError>;

    /// Takes it down; none being there is no fault.
    async fn lift(&self) -> Result<(), PortError>;

    /// Names what speaks against a fence around tables: rights that are missing.
    async fn unfenceable(&self, tables: &[TableName]) -> Result<Vec<String>, PortError>;

    /// Names what speaks against writing the table: rights that are missing, columns that want a value and get none.
    async fn obstacles(&self, table: &OldTable, columns: &[BackColumn]) -> Result<Vec<String>, PortError>;

    /// Tells what the key's column is; `None` when the table has none of that name.
    async fn key_column(&self, table: &OldTable) -> Result<Option<KeyColumn>, PortError>;

    /// Returns the position that was written last; `None` when nothing was.
    async fn back_position(&self) -> Result<Option<String>, PortError>;

    /// Writes rows, and the position that they stand for. Returns the keys of rows that were added without one: each is
    /// remembered in the same transaction, for [`crate::Source::given_keys`]. A product that has such a key already is not
    /// added again, whoever knows of it: its row is changed, and the key told once more.
    ///
    /// # Errors
    /// `InvalidData` with the database's own words when it does not take a row.
    async fn write(&self, writing: &BackWriting<'_>, position: &str) -> Result<Vec<GivenKey>, PortError>;

    /// Removes everything that souk has there, capture, fence and given keys included; nothing there is no fault.
    async fn remove(&self) -> Result<(), PortError>;
}

/// A table of the other system and its key's column, as the database has their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldTable {
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// The column.
    pub key: String,
}

impl OldTable {
    /// Returns its name alone.
    pub fn table(&self) -> TableName {
        TableName { schema: self.schema.clone(), name: self.name.clone() }
    }
}

/// What was changed between two positions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// The keys, each once, with the time at which the last change of each was written.
    pub keys: Vec<(String, Timestamp)>,
    /// The table was emptied as a whole.
    pub truncated: bool,
    /// A table that is read beside it was written: which keys that concerns is not told.
    pub beside: bool,
    /// There are more keys than were asked for.
    pub too_many: bool,
    /// The position that everything told is up to.
    pub position: String,
    /// How long ago the first of them was written, in milliseconds.
    pub oldest_ms: Option<i64>,
}

/// A column that souk writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackColumn {
    /// Its name.
    pub name: String,
    /// An SQL expression over a product `p`, whose columns are called as its fields.
    pub value: String,
    /// Bits of the fields in [`BackRow::changed`] that it is made of.
    pub of: u32,
}

/// What the key's column of a table is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyColumn {
    /// Its type's name, as [`crate::KeyType::name`] has it; of a domain, the type that it is over.
    pub type_name: String,
    /// The type in SQL, without a length.
    pub data_type: String,
    /// Whether the table gives a key to a row that comes without: by a default or an identity.
    pub gives: bool,
}

/// What keys of the table are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BackKeys {
    /// The products' ids.
    Ids,
    /// Values of the table's own.
    Own {
        /// Their type in SQL, without a length.
        data_type: String,
        /// Of a row that is added, an SQL expression over the product `p`; `None`: the table gives it.
        new: Option<String>,
    },
}

/// The key of a row that was added for a product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenKey {
    /// The product.
    pub id: ProductId,
    /// The key.
    pub key: String,
}

/// Rows to write.
#[derive(Debug)]
pub struct BackWriting<'a> {
    /// The table.
    pub table: &'a OldTable,
    /// What its keys are.
    pub keys: &'a BackKeys,
    /// Its columns, without the key.
    pub columns: &'a [BackColumn],
    /// Rows that come or change.
    pub put: &'a [BackRow],
    /// Keys of the rows that go.
    pub delete: &'a [String],
}

/// A row as it is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackRow {
    /// Its key, where keys are the table's own; `None`: it is to be added, and gets one.
    pub key: Option<String>,
    /// The product.
    pub product: Product,
    /// The fields that differ from the row that is there; other columns of such a row stay as they are.
    pub changed: u32,
}
