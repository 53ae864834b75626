//! The one function that turns commands into events.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    Adjustment, Asserted, Cause, Changes, Command, Crossing, Event, EventKind, NewProduct, Patch,
    Precondition, Product, ProductId, Reason, Rejection, Replacement, Stock, Timestamp, Version,
};

/// What a decision needs to know besides the product.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    /// The time of the decision.
    pub now: Timestamp,
    /// Ids for the events; a command makes at most two.
    pub event_ids: [Uuid; 2],
    /// The threshold of products that have none of their own.
    pub default_threshold: Stock,
    /// The last version of a product of this id that was deleted earlier.
    pub tombstone: Option<Version>,
}

/// What follows from a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What to store.
    pub write: Write,
    /// The events, in order; empty when nothing changes.
    pub events: Vec<Event>,
    /// The stock before; `None` on a create.
    pub previous_stock: Option<Stock>,
}

/// What to do to the stored row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Nothing: the command changes nothing. Holds the product as it is.
    Nothing(Arc<Product>),
    /// Store this product.
    Put(Arc<Product>),
    /// Remove the row and keep a tombstone.
    Delete {
        /// The product as it was last.
        last: Arc<Product>,
        /// The version that the delete takes, to be kept in the tombstone.
        version: Version,
    },
}

impl Write {
    /// Returns the product after the command.
    pub fn product(&self) -> &Arc<Product> {
        match self {
            Self::Nothing(product) | Self::Put(product) | Self::Delete { last: product, .. } => product,
        }
    }
}

/// Decides what `command` does to `current`, the product that it names as it stands.
///
/// Versions are dense: each decision that writes takes the next one, and a product that comes back after its
/// delete goes on from its tombstone. Each crossing of the threshold is reported once: `low_stock` is part of
/// the product, and a crossing is a change of it. Skus are not checked here, since that takes other products.
///
/// # Errors
/// [`Rejection`] when the current state does not allow the command.
pub fn decide(
    current: Option<&Product>,
    command: &Command,
    context: &Context,
) -> Result<Decision, Rejection> {
    match command {
        Command::Create(new) => create(current, new, context),
        Command::Replace { id, precondition, replacement, asserted } => {
            let before = existing(current, *id, precondition)?;
            check_asserted(before, asserted)?;
            update(before, |after| replace(after, replacement), None, context)
        }
        Command::Patch { id, precondition, patch, asserted } => {
            let before = existing(current, *id, precondition)?;
            check_asserted(before, asserted)?;
            update(before, |after| apply_patch(after, patch), None, context)
        }
        Command::Delete { id, precondition } => {
            let before = existing(current, *id, precondition)?;
            Ok(delete(before, context))
        }
        Command::AdjustStock { id, precondition, adjustment } => {
            let before = existing(current, *id, precondition)?;
            let stock = adjusted_stock(before, adjustment)?;
            let cause = Cause {
                reason: adjustment.reason(),
                reference: adjustment.reference.clone(),
                unit_price: adjustment.unit_price,
                occurred_at: adjustment.occurred_at,
            };
            update(before, |after| after.stock = stock, Some(cause), context)
        }
        Command::Import(import) => import::import(current, import, context),
        Command::ImportDelete { id, migration, noted_at } => {
            let before = existing(current, *id, &Precondition::None)?;
            Ok(import::delete(before, migration, *noted_at, context))
        }
    }
}

fn existing<'a>(
    current: Option<&'a Product>,
    product_id: ProductId,
    precondition: &Precondition,
) -> Result<&'a Product, Rejection> {
    let product = current.ok_or(Rejection::NotFound { product_id })?;
    if precondition.holds(product.version) {
        Ok(product)
    } else {
        Err(Rejection::PreconditionFailed { product_id, version: product.version })
    }
}

fn create(current: Option<&Product>, new: &NewProduct, context: &Context) -> Result<Decision, Rejection> {
    if current.is_some() {
        return Err(Rejection::AlreadyExists { product_id: new.id });
    }
    let Replacement { sku, name, description, category, price, stock, low_stock_threshold } =
        new.fields.clone();
    let mut product = Product {
        id: new.id,
        seller_id: new.seller_id.clone(),
        sku,
        name,
        description,
        category,
        price,
        stock,
        low_stock_threshold,
        low_stock: false,
        version: context.tombstone.map_or(Version(1), Version::next),
        created_at: context.now,
        updated_at: context.now,
    };
    product.low_stock = product.stock < product.effective_threshold(context.default_threshold);
    let product = Arc::new(product);
    let created = Event {
        id: context.event_ids[0],
        time: context.now,
        version: product.version,
        product: product.clone(),
        kind: EventKind::Created,
        origin: None,
    };
    let crossing = crossing(false, None, &product, context);
    Ok(Decision {
        write: Write::Put(product),
        events: std::iter::once(created).chain(crossing).collect(),
        previous_stock: None,
    })
}

fn delete(before: &Product, context: &Context) -> Decision {
    let (last, version) = (Arc::new(before.clone()), before.version.next());
    let deleted = Event {
        id: context.event_ids[0],
        time: context.now,
        version,
        product: last.clone(),
        kind: EventKind::Deleted,
        origin: None,
    };
    Decision {
        write: Write::Delete { last, version },
        events: vec![deleted],
        previous_stock: Some(before.stock),
    }
}

/// Applies `change`, then settles `low_stock`, version and time, and derives the events.
fn update(
    before: &Product,
    change: impl FnOnce(&mut Product),
    cause: Option<Cause>,
    context: &Context,
) -> Result<Decision, Rejection> {
    let mut after = before.clone();
    change(&mut after);
    let previous_stock = Some(before.stock);
    if Changes::between(before, &after).is_none() {
        // The default threshold may differ from the one at the last change; that alone is no change.
        return Ok(Decision { write: Write::Nothing(Arc::new(after)), events: Vec::new(), previous_stock });
    }
    after.low_stock = after.stock < after.effective_threshold(context.default_threshold);
    after.version = before.version.next();
    after.updated_at = context.now;
    let changes = Changes::between(before, &after).expect("a change was found above");
    let cause = cause.or_else(|| {
        // A stock that was typed in rather than moved is a correction.
        changes.stock.as_ref().map(|_| Cause {
            reason: Reason::Correction,
            reference: None,
            unit_price: None,
            occurred_at: None,
        })
    });
    let after = Arc::new(after);
    let updated = Event {
        id: context.event_ids[0],
        time: context.now,
        version: after.version,
        product: after.clone(),
        kind: EventKind::Updated { changes: Box::new(changes), cause: cause.map(Box::new) },
        origin: None,
    };
    let crossing = crossing(before.low_stock, previous_stock, &after, context);
    Ok(Decision {
        write: Write::Put(after),
        events: std::iter::once(updated).chain(crossing).collect(),
        previous_stock,
    })
}

/// Returns the event of a crossing, when `low_stock` changed.
fn crossing(
    was_low: bool,
    previous_stock: Option<Stock>,
    after: &Arc<Product>,
    context: &Context,
) -> Option<Event> {
    let crossing =
        Crossing { previous_stock, threshold: after.effective_threshold(context.default_threshold) };
    let kind = match (was_low, after.low_stock) {
        (false, true) => EventKind::LowStockWarning(crossing),
        (true, false) => EventKind::StockReplenished(crossing),
        _ => return None,
    };
    Some(Event {
        id: context.event_ids[1],
        time: context.now,
        version: after.version,
        product: after.clone(),
        kind,
        origin: None,
    })
}

fn adjusted_stock(before: &Product, adjustment: &Adjustment) -> Result<Stock, Rejection> {
    let (product_id, stock) = (before.id, before.stock);
    if adjustment.change_from.is_some_and(|expected| expected != stock) {
        return Err(Rejection::StockChanged { product_id, stock, left: stock });
    }
    let wanted = stock.get() + adjustment.delta().get();
    Stock::new(wanted).ok_or(if wanted < 0 {
        Rejection::InsufficientStock { product_id, stock, left: stock }
    } else {
        Rejection::TooMuchStock { product_id, stock, left: stock }
    })
}

fn replace(product: &mut Product, replacement: &Replacement) {
    let Replacement { sku, name, description, category, price, stock, low_stock_threshold } =
        replacement.clone();
    *product = Product {
        sku,
        name,
        description,
        category,
        price,
        stock,
        low_stock_threshold,
        id: product.id,
        seller_id: product.seller_id.clone(),
        low_stock: product.low_stock,
        version: product.version,
        created_at: product.created_at,
        updated_at: product.updated_at,
    };
}

fn apply_patch(product: &mut Product, patch: &Patch) {
    fn set<T: Clone>(field: &mut T, value: &Option<T>) {
        if let Some(value) = value {
            *field = value.clone();
        }
    }
    set(&mut product.sku, &patch.sku);
    set(&mut product.name, &patch.name);
    set(&mut product.description, &patch.description);
    set(&mut product.category, &patch.category);
    set(&mut product.price, &patch.price);
    set(&mut product.stock, &patch.stock);
    set(&mut product.low_stock_threshold, &patch.low_stock_threshold);
}

fn check_asserted(product: &Product, asserted: &Asserted) -> Result<(), Rejection> {
    let fields = asserted.differing(product);
    if fields.is_empty() { Ok(()) } else { Err(Rejection::ReadOnly { product_id: product.id, fields }) }
}

mod import;
#[cfg(test)]
mod tests;
