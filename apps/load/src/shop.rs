//! The shop: products, lines and orders, as the transactions say.
//!
//! A product per stock code, trimmed and in upper case; its opening stock is the smallest that lets every line
//! pass in file order. Consecutive lines of one invoice are one order. Lines with quantity 0 or without a code
//! are skipped and counted.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use souk_domain::{Delta, Name, Price, Reason, Reference, SellerId, Sku, Stock, Timestamp};

use crate::LoadError;

/// Every forty-sixth invoice of seven months of the data set, for runs without a file; its source and licence are beside it.
const SAMPLE: &[u8] = include_bytes!("../sample/online-retail.csv.gz");

/// What every gzip file begins with (RFC 1952, section 2.3.1).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// Products, lines and orders in file order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shop {
    /// The products, in the order of their first lines.
    pub products: Vec<ShopProduct>,
    /// The lines that move stock.
    pub lines: Vec<ShopLine>,
    /// The orders: adjacent ranges of `lines`.
    pub orders: Vec<ShopOrder>,
    /// Lines left out because their quantity is 0.
    pub skipped_zero_quantity: usize,
    /// Lines left out because they have no stock code.
    pub skipped_without_code: usize,
}

/// A product to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopProduct {
    /// The stock code, trimmed, in upper case.
    pub sku: Sku,
    /// Its first two characters.
    pub seller_id: SellerId,
    /// The first description that is not empty, else the sku.
    pub name: Name,
    /// The first unit price above 0, else 0.
    pub price: Price,
    /// The smallest stock that lets every line pass in file order.
    pub opening_stock: Stock,
}

/// A line that moves stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShopLine {
    /// The product's position in [`Shop::products`].
    pub product: u32,
    /// The change of stock: the quantity, negated.
    pub delta: Delta,
    /// The price of one piece; 0 where the file has less.
    pub unit_price: Price,
    /// When it happened.
    pub occurred_at: Timestamp,
}

impl ShopLine {
    /// Returns `sale`, or `return` when goods came back.
    pub fn reason(&self) -> Reason {
        if self.delta.get() < 0 { Reason::Sale } else { Reason::Return }
    }
}

/// Consecutive lines of one invoice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopOrder {
    /// The invoice; `None` when the file has none.
    pub invoice: Option<Reference>,
    /// The first of its lines.
    pub first: u32,
    /// One past its last line.
    pub end: u32,
}

impl ShopOrder {
    /// Returns the order's range in [`Shop::lines`].
    pub fn range(&self) -> std::ops::Range<usize> {
        self.first as usize..self.end as usize
    }
}

impl Shop {
    /// Reads `path`, gzip or not, or the sample; orders have at most `lines_per_request` lines.
    ///
    /// # Errors
    /// [`LoadError::Data`] naming the file and the line.
    pub fn read(path: Option<&Path>, lines_per_request: usize) -> Result<Self, LoadError> {
        let Some(path) = path else {
            return Self::parse(flate2::read::MultiGzDecoder::new(SAMPLE), lines_per_request)
                .map_err(|reason| LoadError::Data { name: "the sample".to_owned(), reason });
        };
        let read = || -> Result<Self, String> {
            let mut file = std::fs::File::open(path).map_err(|error| error.to_string())?;
            let mut magic = Vec::with_capacity(2);
            file.by_ref().take(2).read_to_end(&mut magic).map_err(|error| error.to_string())?;
            let gzip = magic == GZIP_MAGIC;
            let whole = std::io::Cursor::new(magic).chain(file);
            if gzip {
                Self::parse(flate2::read::MultiGzDecoder::new(whole), lines_per_request)
            } else {
                Self::parse(whole, lines_per_request)
            }
        };
        read().map_err(|reason| LoadError::Data { name: path.display().to_string(), reason })
    }

    fn parse(source: impl Read, lines_per_request: usize) -> Result<Self, String> {
        let mut reader = csv::ReaderBuilder::new().buffer_capacity(1 << 16).from_reader(source);
        let columns = Columns::find(reader.byte_headers().map_err(|error| error.to_string())?)?;
        let mut builder = Builder { lines_per_request, ..Builder::default() };
        let mut record = csv::ByteRecord::new();
        while reader.read_byte_record(&mut record).map_err(|error| error.to_string())? {
            let line = record.position().map_or(0, csv::Position::line);
            builder.take(&columns.read(&record)).map_err(|reason| format!("line {line}: {reason}"))?;
        }
        builder.finish()
    }
}

/// Where the columns are.
struct Columns([usize; 6]);

impl Columns {
    const NAMES: [&str; 6] =
        ["InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice"];

    fn find(header: &csv::ByteRecord) -> Result<Self, String> {
        let mut columns = [0; 6];
        for (column, name) in columns.iter_mut().zip(Self::NAMES) {
            // A byte order mark may precede the first name.
            let is_it =
                |field: &[u8]| field.strip_prefix(b"\xef\xbb\xbf").unwrap_or(field) == name.as_bytes();
            *column = header.iter().position(is_it).ok_or_else(|| {
                format!("there is no column {name}; the first line has to name {}", Self::NAMES.join(", "))
            })?;
        }
        Ok(Self(columns))
    }

    /// Returns the fields, trimmed; what is not UTF-8 is replaced, since old exports mix encodings.
    fn read<'a>(&self, record: &'a csv::ByteRecord) -> Fields<'a> {
        let field = |index: usize| record.get(self.0[index]).map_or("".into(), |bytes| trimmed_lossy(bytes));
        Fields {
            invoice: field(0),
            code: field(1),
            description: field(2),
            quantity: field(3),
            date: field(4),
            price: field(5),
        }
    }
}

fn trimmed_lossy(bytes: &[u8]) -> std::borrow::Cow<'_, str> {
    match String::from_utf8_lossy(bytes) {
        std::borrow::Cow::Borrowed(text) => text.trim().into(),
        std::borrow::Cow::Owned(text) => text.trim().to_owned().into(),
    }
}

struct Fields<'a> {
    invoice: std::borrow::Cow<'a, str>,
    code: std::borrow::Cow<'a, str>,
    description: std::borrow::Cow<'a, str>,
    quantity: std::borrow::Cow<'a, str>,
    date: std::borrow::Cow<'a, str>,
    price: std::borrow::Cow<'a, str>,
}

#[derive(Default)]
struct Builder {
    lines_per_request: usize,
    shop: Shop,
    by_code: HashMap<Box<str>, u32>,
    accounts: Vec<Account>,
}

/// What is gathered about a product while lines go by.
#[derive(Default)]
struct Account {
    name: Option<Name>,
    price: Price,
    /// The stock relative to the opening.
    balance: i64,
    /// The deepest that `balance` ever was.
    lowest: i64,
}

impl Builder {
    fn take(&mut self, fields: &Fields<'_>) -> Result<(), String> {
        if fields.code.is_empty() {
            self.shop.skipped_without_code += 1;
            return Ok(());
        }
        let quantity: i64 = fields
            .quantity
            .parse()
            .map_err(|_| format!("the quantity is {:?}; it has to be an integer", fields.quantity))?;
        if quantity == 0 {
            self.shop.skipped_zero_quantity += 1;
            return Ok(());
        }
        let delta = quantity
            .checked_neg()
            .and_then(Delta::new)
            .ok_or_else(|| format!("the quantity is {quantity}; it has to be within a billion"))?;
        let unit_price = unit_price(&fields.price)?;
        let product = self.product(&fields.code)?;
        let account = &mut self.accounts[product as usize];
        if account.name.is_none() && !fields.description.is_empty() {
            let short: String = fields.description.chars().take(Name::MAX).collect();
            account.name = Some(Name::new(short).map_err(|error| format!("the description {error}"))?);
        }
        if account.price == Price::ZERO {
            account.price = unit_price;
        }
        let occurred_at = format!("{}Z", fields.date)
            .parse()
            .map_err(|_| format!("the date is {:?}; it has to look like 2010-12-01T08:26:00", fields.date))?;
        account.balance += delta.get();
        account.lowest = account.lowest.min(account.balance);
        self.order(&fields.invoice)?;
        self.shop.lines.push(ShopLine { product, delta, unit_price, occurred_at });
        Ok(())
    }

    fn product(&mut self, code: &str) -> Result<u32, String> {
        let code = code.to_uppercase();
        if let Some(product) = self.by_code.get(code.as_str()) {
            return Ok(*product);
        }
        let sku = Sku::new(code.as_str()).map_err(|error| format!("the stock code {error}"))?;
        let seller: String = code.chars().take(2).map(seller_char).collect();
        let seller_id = SellerId::new(seller).expect("one or two characters of the sellers' alphabet");
        let product =
            u32::try_from(self.shop.products.len()).map_err(|_| "too many stock codes".to_owned())?;
        let name = Name::new(code.as_str()).expect("a sku is shorter than a name may be");
        self.shop.products.push(ShopProduct {
            sku,
            seller_id,
            name,
            price: Price::ZERO,
            opening_stock: Stock::default(),
        });
        self.accounts.push(Account::default());
        self.by_code.insert(code.into(), product);
        Ok(product)
    }

    /// Makes room for one more line in the order of this invoice, the last one or a new one.
    fn order(&mut self, invoice: &str) -> Result<(), String> {
        let line = u32::try_from(self.shop.lines.len()).map_err(|_| "too many lines".to_owned())?;
        if let Some(last) = self.shop.orders.last_mut()
            && last.invoice.as_ref().map_or("", Reference::as_str) == invoice
            && last.range().len() < self.lines_per_request
        {
            last.end += 1;
            return Ok(());
        }
        let invoice = match invoice {
            "" => None,
            invoice => Some(Reference::new(invoice).map_err(|error| format!("the invoice {error}"))?),
        };
        self.shop.orders.push(ShopOrder { invoice, first: line, end: line + 1 });
        Ok(())
    }

    fn finish(mut self) -> Result<Shop, String> {
        for (product, account) in self.shop.products.iter_mut().zip(self.accounts) {
            if let Some(name) = account.name {
                product.name = name;
            }
            product.price = account.price;
            product.opening_stock = Stock::new(-account.lowest).ok_or_else(|| {
                format!("stock code {} sells {} pieces, more than souk keeps", product.sku, -account.lowest)
            })?;
        }
        Ok(self.shop)
    }
}

/// Returns the price, held at 0 from below: corrections of bad debt have negative ones.
fn unit_price(text: &str) -> Result<Price, String> {
    let positive = text.strip_prefix('-').unwrap_or(text);
    let price: Price = positive.parse().map_err(|error| format!("the unit price {text:?} {error}"))?;
    Ok(if positive.len() == text.len() { price } else { Price::ZERO })
}

fn seller_char(c: char) -> char {
    if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' }
}

#[cfg(test)]
mod tests;
