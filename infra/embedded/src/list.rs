//! Lists of products: one index for each filter and order, a page at a time.
//!
//! A page starts where the one before ended (keyset), so every page costs the same however far down it is. The
//! index is named in the query, so that the planner never picks a scan; only while a shop is filled there is none
//! (`filling`), and each page is sorted anew.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use souk_domain::{Product, Stock};
use souk_ports::{ErrorKind, PortError, ProductPage, ProductQuery, ProductSort};

use crate::readers::ReadError;
use crate::rows;
use crate::search;

/// Returns a page of products.
pub(crate) fn page(connection: &Connection, query: &ProductQuery) -> Result<ProductPage, ReadError> {
    match read(connection, query, true) {
        // Put off while a shop is filled: filling.rs.
        Err(ReadError::Sqlite(error)) if error.to_string().contains("no such index") => {
            read(connection, query, false)
        }
        read => read,
    }
}

/// Reads a page, by its index or, when there is none, by sorting.
fn read(connection: &Connection, query: &ProductQuery, indexed: bool) -> Result<ProductPage, ReadError> {
    let column = match query.sort {
        ProductSort::CreatedAt => "created_at",
        ProductSort::Name => "name",
        ProductSort::Stock => "stock",
    };
    let mut clauses = Clauses::default();
    if let Some(seller) = &query.seller_id {
        clauses.add("p.seller_id = ?", seller.as_str().to_owned());
    }
    if let Some(category) = &query.category {
        clauses.add("p.category = ?", category.as_str().to_owned());
    }
    if let Some(sku) = &query.sku {
        clauses.add("p.sku = ?", sku.as_str().to_owned());
    }
    match query.low_stock {
        Some(true) => clauses.add_fixed("p.low_stock = 1"),
        Some(false) => clauses.add_fixed("p.low_stock = 0"),
        None => {}
    }
    let products = if indexed {
        format!("products p INDEXED BY {}", index(query, column))
    } else {
        "products p".to_owned()
    };
    let from = match search::plan(connection, &query.words)? {
        search::Plan::None => products,
        search::Plan::Rare { upper } => {
            let word = query.words[upper.word].clone();
            clauses.values.insert(0, Value::Text(upper.bound));
            clauses.values.insert(0, Value::Text(word));
            search::require_words(&mut clauses, &query.words);
            "(SELECT DISTINCT product FROM search.terms WHERE token >= ? AND token < ?) t \
             CROSS JOIN products p ON p.id = t.product CROSS JOIN search.documents d ON d.product = p.id"
                .to_owned()
        }
        search::Plan::Common => {
            search::require_words(&mut clauses, &query.words);
            format!("{products} CROSS JOIN search.documents d ON d.product = p.id")
        }
    };
    if let Some(cursor) = &query.cursor {
        let (value, seq) = decode_cursor(cursor, query)?;
        let comparison = if query.descending { "<" } else { ">" };
        clauses.add(&format!("(p.{column}, p.seq) {comparison} (?"), value);
        clauses.text.push_str(", ?)");
        clauses.values.push(Value::Integer(seq));
    }
    let direction = if query.descending { "DESC" } else { "ASC" };
    let columns =
        rows::COLUMNS.split(", ").map(|name| format!("p.{}", name.trim())).collect::<Vec<_>>().join(", ");
    let sql = format!(
        "SELECT {columns} FROM {from} {} ORDER BY p.{column} {direction}, p.seq {direction} LIMIT {}",
        clauses.text,
        query.limit + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let found = statement
        .query_map(params_from_iter(clauses.values), rows::product)?
        .collect::<rusqlite::Result<Vec<(i64, Product)>>>()?;
    let more = found.len() > query.limit;
    let mut items = found;
    items.truncate(query.limit);
    let next =
        if more { items.last().map(|(seq, product)| encode_cursor(query, product, *seq)) } else { None };
    Ok(ProductPage { items: items.into_iter().map(|(_, product)| product).collect(), next })
}

/// Chooses the index whose order is the wanted one and whose prefix is the most selective filter.
fn index(query: &ProductQuery, column: &str) -> String {
    let low = query.low_stock == Some(true);
    match (&query.sku, &query.seller_id, &query.category) {
        // A sku has at most one product for each seller: sorted afterwards.
        (Some(_), _, _) => "products_sku".to_owned(),
        (None, Some(_), _) if low => format!("products_seller_low_{column}"),
        (None, Some(_), _) => format!("products_seller_{column}"),
        (None, None, _) if low => format!("products_low_{column}"),
        (None, None, Some(_)) => format!("products_category_{column}"),
        (None, None, None) => format!("products_{column}"),
    }
}

/// Conditions joined by AND, with their values.
#[derive(Default)]
pub(crate) struct Clauses {
    text: String,
    values: Vec<Value>,
}

impl Clauses {
    pub fn add(&mut self, condition: &str, value: impl Into<Value>) {
        self.add_fixed(condition);
        self.values.push(value.into());
    }

    fn add_fixed(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { "WHERE " } else { " AND " });
        self.text.push_str(condition);
    }
}

/// A cursor: the order it belongs to, the row id and the sort value of the last product.
fn encode_cursor(query: &ProductQuery, product: &Product, seq: i64) -> String {
    let mut bytes = vec![order(query)];
    bytes.extend_from_slice(&seq.to_be_bytes());
    match query.sort {
        ProductSort::CreatedAt => bytes.extend_from_slice(&product.created_at.millis().to_be_bytes()),
        ProductSort::Name => bytes.extend_from_slice(product.name.as_str().as_bytes()),
        ProductSort::Stock => bytes.extend_from_slice(&product.stock.get().to_be_bytes()),
    }
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode_cursor(cursor: &str, query: &ProductQuery) -> Result<(Value, i64), PortError> {
    let invalid = || PortError::new(ErrorKind::InvalidData, "cursor is not one that this list gave out");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    let (head, value) = bytes.split_at_checked(9).ok_or_else(invalid)?;
    if head[0] != order(query) {
        return Err(PortError::new(ErrorKind::InvalidData, "cursor belongs to another sort order"));
    }
    let seq = i64::from_be_bytes(head[1..].try_into().expect("eight bytes"));
    let integer = |value: &[u8]| value.try_into().map(i64::from_be_bytes).map_err(|_| invalid());
    let value = match query.sort {
        ProductSort::CreatedAt => Value::Integer(integer(value)?),
        ProductSort::Stock => {
            let stock = integer(value)?;
            Value::Integer(Stock::new(stock).ok_or_else(invalid)?.get())
        }
        ProductSort::Name => Value::Text(String::from_utf8(value.to_vec()).map_err(|_| invalid())?),
    };
    Ok((value, seq))
}

fn order(query: &ProductQuery) -> u8 {
    let sort = match query.sort {
        ProductSort::CreatedAt => b'c',
        ProductSort::Name => b'n',
        ProductSort::Stock => b's',
    };
    if query.descending { sort.to_ascii_uppercase() } else { sort }
}
