//! Products as rows.

use std::sync::Arc;

use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use souk_domain::{
    Category, Description, Name, Price, Product, ProductId, SellerId, Sku, Stock, Timestamp, Version,
};
use uuid::Uuid;

/// The columns that [`product`] reads, in its order.
pub(crate) const COLUMNS: &str = "seq, id, seller_id, sku, name, description, category, price, stock, \
     low_stock_threshold, low_stock, version, created_at, updated_at";

/// A stored product with its row id.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub seq: i64,
    pub product: Arc<Product>,
}

/// Reads a row of [`COLUMNS`].
pub(crate) fn product(row: &Row<'_>) -> rusqlite::Result<(i64, Product)> {
    let stock = |column| -> rusqlite::Result<Stock> { checked(column, Stock::new(row.get(column)?)) };
    let time = |column| -> rusqlite::Result<Timestamp> { Ok(Timestamp::from_millis(row.get(column)?)) };
    let text =
        |column: usize| -> rusqlite::Result<Arc<str>> { Ok(Arc::from(row.get_ref(column)?.as_str()?)) };
    let optional = |column: usize| -> rusqlite::Result<Option<Arc<str>>> {
        Ok(row.get_ref(column)?.as_str_or_null()?.map(Arc::from))
    };
    let product = Product {
        id: ProductId(id(row, 1)?),
        seller_id: checked(2, SellerId::new(text(2)?).ok())?,
        sku: optional(3)?.map(|sku| checked(3, Sku::new(sku).ok())).transpose()?,
        name: checked(4, Name::new(text(4)?).ok())?,
        description: optional(5)?.map(|text| checked(5, Description::new(text).ok())).transpose()?,
        category: checked(6, Category::new(text(6)?).ok())?,
        price: checked(7, Price::from_units(row.get(7)?).ok())?,
        stock: stock(8)?,
        low_stock_threshold: match row.get::<_, Option<i64>>(9)? {
            Some(threshold) => Some(checked(9, Stock::new(threshold))?),
            None => None,
        },
        low_stock: row.get(10)?,
        version: version(row, 11)?,
        created_at: time(12)?,
        updated_at: time(13)?,
    };
    Ok((row.get(0)?, product))
}

/// Reads a UUID.
pub(crate) fn id(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    Uuid::from_slice(row.get_ref(column)?.as_blob()?)
        .map_err(|e| rusqlite::Error::FromSqlConversionFailure(column, Type::Blob, Box::new(e)))
}

/// Reads a version.
pub(crate) fn version(row: &Row<'_>, column: usize) -> rusqlite::Result<Version> {
    checked(column, u64::try_from(row.get::<_, i64>(column)?).ok().map(Version))
}

fn checked<T>(column: usize, value: Option<T>) -> rusqlite::Result<T> {
    let error = || {
        let message = "a stored value breaks a rule of the catalog".into();
        rusqlite::Error::FromSqlConversionFailure(column, Type::Null, message)
    };
    value.ok_or_else(error)
}

/// Loads a product by id.
pub(crate) fn load(connection: &Connection, id: ProductId) -> rusqlite::Result<Option<Stored>> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, id, seller_id, sku, name, description, category, price, stock, low_stock_threshold, \
         low_stock, version, created_at, updated_at FROM products WHERE id = ?1",
    )?;
    let found = statement.query_row([id.0.as_bytes()], product).optional()?;
    Ok(found.map(|(seq, product)| Stored { seq, product: Arc::new(product) }))
}

/// Loads the last version of a deleted product.
pub(crate) fn load_tombstone(connection: &Connection, id: ProductId) -> rusqlite::Result<Option<Version>> {
    let mut statement = connection.prepare_cached("SELECT version FROM tombstones WHERE id = ?1")?;
    statement.query_row([id.0.as_bytes()], |row| version(row, 0)).optional()
}

/// Finds which product has a seller's sku.
pub(crate) fn find_sku(
    connection: &Connection,
    seller: &SellerId,
    sku: &Sku,
) -> rusqlite::Result<Option<ProductId>> {
    let mut statement =
        connection.prepare_cached("SELECT id FROM products WHERE sku = ?1 AND seller_id = ?2")?;
    statement.query_row([sku.as_str(), seller.as_str()], |row| id(row, 0).map(ProductId)).optional()
}

pub(crate) fn insert(connection: &Connection, seq: i64, product: &Product) -> rusqlite::Result<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO products (seq, id, seller_id, sku, name, description, category, price, stock, \
         low_stock_threshold, low_stock, version, created_at, updated_at) \
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    )?;
    statement.execute(params![
        seq,
        product.id.0.as_bytes(),
        product.seller_id.as_str(),
        product.sku.as_ref().map(Sku::as_str),
        product.name.as_str(),
        product.description.as_ref().map(Description::as_str),
        product.category.as_str(),
        product.price.units(),
        product.stock.get(),
        product.low_stock_threshold.map(Stock::get),
        product.low_stock,
        signed(product.version),
        product.created_at.millis(),
        product.updated_at.millis(),
    ])?;
    Ok(())
}

/// Writes what differs: a move of stock leaves most indexes alone.
pub(crate) fn update(
    connection: &Connection,
    seq: i64,
    before: &Product,
    after: &Product,
) -> rusqlite::Result<()> {
    let only_stock = before.sku == after.sku
        && before.name == after.name
        && before.description == after.description
        && before.category == after.category
        && before.price == after.price
        && before.low_stock_threshold == after.low_stock_threshold
        && before.created_at == after.created_at;
    if only_stock {
        let mut statement = connection.prepare_cached(
            "UPDATE products SET stock = ?2, low_stock = ?3, version = ?4, updated_at = ?5 WHERE seq = ?1",
        )?;
        statement.execute(params![
            seq,
            after.stock.get(),
            after.low_stock,
            signed(after.version),
            after.updated_at.millis()
        ])?;
        return Ok(());
    }
    let mut statement = connection.prepare_cached(
        "UPDATE products SET sku = ?2, name = ?3, description = ?4, category = ?5, price = ?6, stock = ?7, \
         low_stock_threshold = ?8, low_stock = ?9, version = ?10, updated_at = ?11, created_at = ?12 WHERE seq = ?1",
    )?;
    statement.execute(params![
        seq,
        after.sku.as_ref().map(Sku::as_str),
        after.name.as_str(),
        after.description.as_ref().map(Description::as_str),
        after.category.as_str(),
        after.price.units(),
        after.stock.get(),
        after.low_stock_threshold.map(Stock::get),
        after.low_stock,
        signed(after.version),
        after.updated_at.millis(),
        after.created_at.millis(),
    ])?;
    Ok(())
}

/// Takes a product's sku away for the rest of the transaction, so that another one can have it.
pub(crate) fn release_sku(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("UPDATE products SET sku = NULL WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

pub(crate) fn delete(connection: &Connection, seq: i64) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM products WHERE seq = ?1")?.execute([seq])?;
    Ok(())
}

pub(crate) fn bury(connection: &Connection, id: ProductId, version: Version) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO tombstones (id, version) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET version = excluded.version",
        )?
        .execute(params![id.0.as_bytes(), signed(version)])?;
    Ok(())
}

pub(crate) fn unbury(connection: &Connection, id: ProductId) -> rusqlite::Result<()> {
    connection.prepare_cached("DELETE FROM tombstones WHERE id = ?1")?.execute([id.0.as_bytes()])?;
    Ok(())
}

fn signed(version: Version) -> i64 {
    i64::try_from(version.0).expect("a product does not change 2^63 times")
}
