//! Lists of products, a page at a time.
//!
//! A page starts where the one before ended (keyset), so every page costs the same however far down it is. There is an
//! index for each order and for each filter, and none for each pair, since every one costs every write. Where a list
//! wants a filter and an order that no index has together, what the filter leaves is counted first, no further than
//! [`RARE`]: few products are fetched and sorted; of many, one is never far, so the order is walked and filtered. Either
//! way a page reads a bounded number of rows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use souk_domain::{Product, Stock};
use souk_ports::{ErrorKind, PortError, ProductPage, ProductQuery, ProductSort};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::readers::Readers;
use crate::rows;
use crate::search;

/// A filter that leaves fewer products than this is fetched and sorted; of more, the list is walked in its order. Both
/// ends cost about as much: ten milliseconds over a million products.
pub(crate) const RARE: i64 = 4096;

/// A value of a statement.
pub(crate) type Value = Box<dyn ToSql + Sync + Send>;

/// Conditions joined by AND, with the values of the whole statement.
#[derive(Default)]
pub(crate) struct Clauses {
    text: String,
    pub values: Vec<Value>,
}

impl Clauses {
    /// Adds a value and returns its placeholder.
    pub fn value(&mut self, value: impl ToSql + Sync + Send + 'static) -> String {
        self.values.push(Box::new(value));
        format!("${}", self.values.len())
    }

    pub fn add(&mut self, condition: &str) {
        self.text.push_str(if self.text.is_empty() { "WHERE " } else { " AND " });
        self.text.push_str(condition);
    }

    /// The filters of a query by columns of the product `p`.
    fn filters(query: &ProductQuery) -> Self {
        let mut clauses = Self::default();
        let texts = [
            ("seller_id", query.seller_id.as_ref().map(|seller| seller.as_str())),
            ("category", query.category.as_ref().map(|category| category.as_str())),
            ("sku", query.sku.as_ref().map(|sku| sku.as_str())),
        ];
        for (column, text) in texts {
            if let Some(text) = text {
                let place = clauses.value(text.to_owned());
                clauses.add(&format!("p.{column} = {place}"));
            }
        }
        match query.low_stock {
            Some(true) => clauses.add("p.low_stock"),
            Some(false) => clauses.add("NOT p.low_stock"),
            None => {}
        }
        clauses
    }

    pub fn parameters(&self) -> Vec<&(dyn ToSql + Sync)> {
        self.values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
    }
}

/// Returns a page of products.
pub(crate) async fn page(readers: &Readers, query: &ProductQuery) -> Result<ProductPage, PortError> {
    let after = query.cursor.as_deref().map(|cursor| decode_cursor(cursor, query)).transpose()?;
    let rarest = search::rarest(readers, &query.words).await?;
    let mut clauses = Clauses::filters(query);
    let (source, sorted) = if let Some(word) = rarest {
        let words = search::word_condition(&mut clauses, query, "d.tokens");
        clauses.add(&words);
        (search::source(&mut clauses, &word), false)
    } else {
        if !query.words.is_empty() {
            let all = search::word_condition(&mut clauses, query, "d.tokens");
            clauses.add(&format!(
                "coalesce((SELECT {all} FROM souk.search_documents d WHERE d.product = p.id), false)"
            ));
        }
        ("souk.products p".to_owned(), !is_rare(readers, query).await?)
    };
    let columns = |table: &str| {
        rows::COLUMNS
            .split(", ")
            .map(|name| format!("{table}.{}", name.trim()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let (column, kind) = match query.sort {
        ProductSort::CreatedAt => ("created_at", "bigint"),
        ProductSort::Name => ("name", "text"),
        ProductSort::Stock => ("stock", "int"),
    };
    // What is few is put aside first, so that nothing tempts the planner to walk.
    let (head, table, mut conditions) = if sorted {
        (String::new(), "p", std::mem::take(&mut clauses.text))
    } else {
        let found =
            format!("WITH found AS MATERIALIZED (SELECT {} FROM {source} {}) ", columns("p"), clauses.text);
        (found, "found", String::new())
    };
    if let Some((value, id)) = after {
        clauses.values.push(value);
        let value = clauses.values.len();
        let comparison = if query.descending { "<" } else { ">" };
        conditions.push_str(if conditions.is_empty() { "WHERE " } else { " AND " });
        conditions.push_str(&format!(
            "({table}.{column}, {table}.id) {comparison} (${value}::{kind}, ${}::uuid)",
            value + 1
        ));
        clauses.values.push(Box::new(id));
    }
    let direction = if query.descending { "DESC" } else { "ASC" };
    let limit = clauses.value(i64::try_from(query.limit).unwrap_or(i64::MAX - 1) + 1);
    let from = if sorted { source } else { table.to_owned() };
    let sql = format!(
        "{head}SELECT {} FROM {from} {conditions} ORDER BY {table}.{column} {direction}, {table}.id {direction} \
         LIMIT {limit}",
        columns(table)
    );
    let found = readers.query(&sql, &clauses.parameters()).await?;
    let more = found.len() > query.limit;
    let items: Vec<Product> = found.iter().take(query.limit).map(rows::product).collect::<Result<_, _>>()?;
    let next = if more { items.last().map(|product| encode_cursor(query, product)) } else { None };
    Ok(ProductPage { items, next })
}

/// Tells whether the filters leave so few products that these are better sorted than looked for in order.
async fn is_rare(readers: &Readers, query: &ProductQuery) -> Result<bool, PortError> {
    if query.sku.is_some() {
        // A sku has at most one product for each seller.
        return Ok(true);
    }
    if query.sort == ProductSort::CreatedAt {
        // Every filter's index has this order.
        return Ok(false);
    }
    let low = query.low_stock == Some(true);
    let seller = query.seller_id.is_some() || (low && query.category.is_none());
    let by_seller = ProductQuery {
        seller_id: query.seller_id.clone(),
        low_stock: query.low_stock.filter(|low| *low),
        ..ProductQuery::default()
    };
    let by_category = ProductQuery { category: query.category.clone(), ..ProductQuery::default() };
    for (wanted, narrow) in [(seller, by_seller), (query.category.is_some(), by_category)] {
        if !wanted {
            continue;
        }
        let clauses = Clauses::filters(&narrow);
        let sql = format!(
            "SELECT count(*) FROM (SELECT FROM souk.products p {} LIMIT {RARE}) AS few",
            clauses.text
        );
        let rows = readers.query(&sql, &clauses.parameters()).await?;
        if rows.first().is_some_and(|row| row.get::<_, i64>(0) < RARE) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A cursor: the order it belongs to, the length of the sort value (a text that is cut off is then noticed), the id and
/// the sort value of the last product.
fn encode_cursor(query: &ProductQuery, product: &Product) -> String {
    let value: Vec<u8> = match query.sort {
        ProductSort::CreatedAt => product.created_at.millis().to_be_bytes().to_vec(),
        ProductSort::Name => product.name.as_str().as_bytes().to_vec(),
        ProductSort::Stock => product.stock.get().to_be_bytes().to_vec(),
    };
    let length = u16::try_from(value.len()).expect("names have at most 200 characters");
    let mut bytes = vec![order(query)];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(product.id.0.as_bytes());
    bytes.extend_from_slice(&value);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn decode_cursor(cursor: &str, query: &ProductQuery) -> Result<(Value, Uuid), PortError> {
    let invalid = || PortError::new(ErrorKind::InvalidData, "cursor is not one that this list gave out");
    let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| invalid())?;
    let (head, value) = bytes.split_at_checked(19).ok_or_else(invalid)?;
    if head[0] != order(query) {
        return Err(PortError::new(ErrorKind::InvalidData, "cursor belongs to another sort order"));
    }
    if usize::from(u16::from_be_bytes([head[1], head[2]])) != value.len() {
        return Err(invalid());
    }
    let id = Uuid::from_slice(&head[3..]).expect("sixteen bytes");
    let integer = || value.try_into().map(i64::from_be_bytes).map_err(|_| invalid());
    let value: Value = match query.sort {
        ProductSort::CreatedAt => Box::new(integer()?),
        ProductSort::Stock => {
            let stock = Stock::new(integer()?).ok_or_else(invalid)?;
            Box::new(i32::try_from(stock.get()).map_err(|_| invalid())?)
        }
        ProductSort::Name => {
            let name = String::from_utf8(value.to_vec()).map_err(|_| invalid())?;
            if name.contains('\0') {
                return Err(invalid());
            }
            Box::new(name)
        }
    };
    Ok((value, id))
}

fn order(query: &ProductQuery) -> u8 {
    let sort = match query.sort {
        ProductSort::CreatedAt => b'c',
        ProductSort::Name => b'n',
        ProductSort::Stock => b's',
    };
    if query.descending { sort.to_ascii_uppercase() } else { sort }
}
