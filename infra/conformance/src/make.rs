//! Commands and values for tests, each with what the test is about and defaults for the rest.

use std::sync::Arc;

use bytes::Bytes;
use souk_domain::{
    Adjustment, Asserted, Category, Command, Delta, Description, Import, Migration, Name, NewProduct, Patch,
    Phase, Precondition, Price, ProductId, Reason, Reference, Rejection, Replacement, SellerId, Sku, Stock,
    Timestamp, Version,
};
use souk_ports::{Answer, Applied, Idempotency, UnitOfWork};

/// A random number generator that repeats itself (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Makes one that always gives the same numbers for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Returns a number below `sides`.
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    /// Returns an index below `len`.
    pub fn index(&mut self, len: usize) -> usize {
        usize::try_from(self.roll(len as u64)).unwrap()
    }
}

/// Returns a seller.
pub fn seller(id: &str) -> SellerId {
    SellerId::new(id).unwrap()
}

/// Returns a stock.
pub fn stock(pieces: i64) -> Stock {
    Stock::new(pieces).unwrap()
}

/// Returns the refusal of a move that takes more than the `left` pieces which those before it in its unit leave of a
/// `stock` of so many.
pub fn insufficient(product_id: ProductId, pieces: i64, left: i64) -> Rejection {
    Rejection::InsufficientStock { product_id, stock: stock(pieces), left: stock(left) }
}

/// Returns a sku.
pub fn sku(text: &str) -> Sku {
    Sku::new(text).unwrap()
}

/// Returns a product's fields: 10.5 each, of the default category, without sku.
pub fn fields(name: &str, pieces: i64) -> Replacement {
    Replacement {
        sku: None,
        name: Name::new(name).unwrap(),
        description: None,
        category: Category::default(),
        price: Price::from_units(105_000).unwrap(),
        stock: stock(pieces),
        low_stock_threshold: None,
    }
}

/// Creates a product of `seller1`.
pub fn create(id: ProductId, name: &str, pieces: i64) -> Command {
    create_for("seller1", id, fields(name, pieces))
}

/// Creates a product.
pub fn create_for(seller_id: &str, id: ProductId, fields: Replacement) -> Command {
    Command::Create(NewProduct { id, seller_id: seller(seller_id), fields })
}

/// Creates a product of `seller_id` with a sku.
pub fn create_sku(seller_id: &str, id: ProductId, code: &str) -> Command {
    create_for(seller_id, id, Replacement { sku: Some(sku(code)), ..fields("with a sku", 10) })
}

/// A take-over of a product that was created elsewhere, in milliseconds since 1970, and changed a millisecond later.
pub fn import(id: ProductId, seller_id: &str, created_at: i64, fields: Replacement) -> Command {
    Command::Import(Import {
        id,
        seller_id: seller(seller_id),
        fields,
        unmapped: Vec::new(),
        created_at: Some(Timestamp::from_millis(created_at)),
        updated_at: Some(Timestamp::from_millis(created_at + 1)),
        noted_at: None,
        migration: migration(Phase::Copy),
    })
}

/// Where it comes from.
pub fn migration(phase: Phase) -> Migration {
    Migration { source: Reference::new("app.products").unwrap(), phase }
}

/// Moves stock: a sale below 0, a restock above.
pub fn adjust(id: ProductId, delta: i64) -> Command {
    adjust_for(id, delta, None)
}

/// Moves stock, with a reference.
pub fn adjust_for(id: ProductId, delta: i64, reference: Option<&str>) -> Command {
    let reason = if delta < 0 { Reason::Sale } else { Reason::Restock };
    let mut adjustment = Adjustment::new(Delta::new(delta).unwrap(), reason).unwrap();
    adjustment.reference = reference.map(|text| Reference::new(text).unwrap());
    Command::AdjustStock { id, precondition: Precondition::None, adjustment }
}

/// Changes fields.
pub fn patch(id: ProductId, patch: Patch) -> Command {
    Command::Patch { id, precondition: Precondition::None, patch, asserted: Asserted::default() }
}

/// Changes the name.
pub fn rename(id: ProductId, name: &str) -> Command {
    patch(id, Patch { name: Some(Name::new(name).unwrap()), ..Patch::default() })
}

/// Changes the sku, or clears it.
pub fn set_sku(id: ProductId, code: Option<&str>) -> Command {
    patch(id, Patch { sku: Some(code.map(sku)), ..Patch::default() })
}

/// Changes the description.
pub fn describe(id: ProductId, text: &str) -> Command {
    patch(id, Patch { description: Some(Some(Description::new(text).unwrap())), ..Patch::default() })
}

/// Deletes a product.
pub fn delete(id: ProductId) -> Command {
    Command::Delete { id, precondition: Precondition::None }
}

/// Renames a product if it is at `version`.
pub fn rename_at(id: ProductId, version: Version, name: &str) -> Command {
    Command::Patch {
        id,
        precondition: Precondition::OneOf(vec![version]),
        patch: Patch { name: Some(Name::new(name).unwrap()), ..Patch::default() },
        asserted: Asserted::default(),
    }
}

/// A unit without a key.
pub fn unit(commands: impl Into<Vec<Command>>) -> UnitOfWork {
    UnitOfWork { commands: commands.into(), idempotency: None }
}

/// A unit under a key, told apart from others by `request`.
pub fn keyed(commands: impl Into<Vec<Command>>, key: &str, request: u8) -> UnitOfWork {
    UnitOfWork {
        commands: commands.into(),
        idempotency: Some(Idempotency { key: Arc::from(key), fingerprint: [request; 32], answer }),
    }
}

/// Makes an answer that tells every effect from every other.
pub fn answer(applied: &[Applied]) -> Answer {
    let body: Vec<String> = applied
        .iter()
        .map(|done| {
            format!(
                "{}@{}:{} after {:?}",
                done.product.id,
                done.product.version,
                done.product.stock.get(),
                done.previous_stock
            )
        })
        .collect();
    Answer {
        status: 201,
        etag: applied.first().map(|done| format!("\"{}\"", done.product.version)),
        location: applied.first().map(|done| format!("/products/{}", done.product.id)),
        body: Bytes::from(body.join("\n")),
    }
}
