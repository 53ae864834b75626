//! Products as rows, and as columns of arrays.

use std::collections::HashMap;
use std::sync::Arc;

use souk_domain::{
    Category, Description, Name, Price, Product, ProductId, SellerId, Sku, Stock, Timestamp, Version,
};
use souk_ports::{ErrorKind, PortError};
use tokio_postgres::Row;
use uuid::Uuid;

/// The columns that [`product`] reads, in its order.
pub(crate) const COLUMNS: &str = "id, price, version, created_at, updated_at, stock, low_stock_threshold, low_stock, \
     seller_id, category, name, sku, description";

/// Reads a row of [`COLUMNS`].
pub(crate) fn product(row: &Row) -> Result<Product, PortError> {
    let text = |column: usize| -> Result<&str, PortError> { read(row, column) };
    let optional = |column: usize| -> Result<Option<&str>, PortError> { read(row, column) };
    let stock = |pieces: i32| checked(Stock::new(i64::from(pieces)));
    Ok(Product {
        id: ProductId(read(row, 0)?),
        price: checked(Price::from_units(read(row, 1)?).ok())?,
        version: version(row, 2)?,
        created_at: Timestamp::from_millis(read(row, 3)?),
        updated_at: Timestamp::from_millis(read(row, 4)?),
        stock: stock(read(row, 5)?)?,
        low_stock_threshold: read::<Option<i32>>(row, 6)?.map(stock).transpose()?,
        low_stock: read(row, 7)?,
        seller_id: checked(SellerId::new(text(8)?).ok())?,
        category: checked(Category::new(text(9)?).ok())?,
        name: checked(Name::new(text(10)?).ok())?,
        sku: optional(11)?.map(|sku| checked(Sku::new(sku).ok())).transpose()?,
        description: optional(12)?.map(|text| checked(Description::new(text).ok())).transpose()?,
    })
}

/// Reads a version.
pub(crate) fn version(row: &Row, column: usize) -> Result<Version, PortError> {
    checked(u64::try_from(read::<i64>(row, column)?).ok().map(Version))
}

/// Reads a column.
pub(crate) fn read<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a Row,
    column: usize,
) -> Result<T, PortError> {
    row.try_get(column).map_err(|error| broken().with_source(error))
}

fn checked<T>(value: Option<T>) -> Result<T, PortError> {
    value.ok_or_else(broken)
}

fn broken() -> PortError {
    PortError::new(ErrorKind::InvalidData, "a stored value breaks a rule of the catalog")
}

/// Reads rows of (id, version).
pub(crate) fn versions(rows: &[Row]) -> Result<HashMap<ProductId, Version>, PortError> {
    rows.iter().map(|row| Ok((ProductId(read(row, 0)?), version(row, 1)?))).collect()
}

/// A version as it is stored.
pub(crate) fn signed(version: Version) -> i64 {
    i64::try_from(version.0).expect("a product does not change 2^63 times")
}

fn pieces(stock: Stock) -> i32 {
    i32::try_from(stock.get()).expect("a stock is at most 10^9")
}

/// Products as one array for each column, in the order of [`COLUMNS`].
#[derive(Default)]
pub(crate) struct Columns<'a> {
    pub id: Vec<Uuid>,
    pub price: Vec<i64>,
    pub version: Vec<i64>,
    pub created_at: Vec<i64>,
    pub updated_at: Vec<i64>,
    pub stock: Vec<i32>,
    pub low_stock_threshold: Vec<Option<i32>>,
    pub low_stock: Vec<bool>,
    pub seller_id: Vec<&'a str>,
    pub category: Vec<&'a str>,
    pub name: Vec<&'a str>,
    pub sku: Vec<Option<&'a str>>,
    pub description: Vec<Option<&'a str>>,
}

impl<'a> Columns<'a> {
    /// Makes columns of `products`.
    pub fn of(products: &[&'a Arc<Product>]) -> Self {
        let mut columns = Self::default();
        for product in products {
            columns.id.push(product.id.0);
            columns.price.push(product.price.units());
            columns.version.push(signed(product.version));
            columns.created_at.push(product.created_at.millis());
            columns.updated_at.push(product.updated_at.millis());
            columns.stock.push(pieces(product.stock));
            columns.low_stock_threshold.push(product.low_stock_threshold.map(pieces));
            columns.low_stock.push(product.low_stock);
            columns.seller_id.push(product.seller_id.as_str());
            columns.category.push(product.category.as_str());
            columns.name.push(product.name.as_str());
            columns.sku.push(product.sku.as_ref().map(Sku::as_str));
            columns.description.push(product.description.as_ref().map(Description::as_str));
        }
        columns
    }
}

/// Those columns that a move of stock changes.
#[derive(Default)]
pub(crate) struct StockColumns {
    pub id: Vec<Uuid>,
    pub stock: Vec<i32>,
    pub low_stock: Vec<bool>,
    pub version: Vec<i64>,
    pub updated_at: Vec<i64>,
}

impl StockColumns {
    pub fn push(&mut self, product: &Product) {
        self.id.push(product.id.0);
        self.stock.push(pieces(product.stock));
        self.low_stock.push(product.low_stock);
        self.version.push(signed(product.version));
        self.updated_at.push(product.updated_at.millis());
    }
}
