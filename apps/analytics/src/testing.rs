//! A small shop that makes valid histories for tests.

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use souk_domain::{
    Adjustment, Asserted, Category, Command, Context, Delta, Name, NewProduct, Patch, Precondition, Price,
    Product, ProductId, Reason, Replacement, SellerId, Stock, Timestamp, Write, decide,
};
use souk_ports::{LogRecord, Offset};
use uuid::Uuid;

/// 2026-11-22T18:00:00Z.
pub const START: i64 = 1_795_370_400_000;

/// Something that may happen in the shop.
#[derive(Debug, Clone)]
pub enum Step {
    Create { seller: u8, stock: u8 },
    Move { pick: u8, delta: i8, reason: u8, price: Option<u16>, ago: Option<u32> },
    Reprice { pick: u8, price: u16 },
    Recategorise { pick: u8, category: u8 },
    Delete { pick: u8 },
    Wait { millis: u32 },
}

/// Any step.
pub fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0_u8..4, any::<u8>()).prop_map(|(seller, stock)| Step::Create { seller, stock }),
        6 => (any::<u8>(), any::<i8>(), 0_u8..5, any::<Option<u16>>(), any::<Option<u32>>())
            .prop_map(|(pick, delta, reason, price, ago)| Step::Move { pick, delta, reason, price, ago }),
        2 => (any::<u8>(), any::<u16>()).prop_map(|(pick, price)| Step::Reprice { pick, price }),
        1 => (any::<u8>(), 0_u8..3).prop_map(|(pick, category)| Step::Recategorise { pick, category }),
        1 => any::<u8>().prop_map(|pick| Step::Delete { pick }),
        2 => (0_u32..7_200_000).prop_map(|millis| Step::Wait { millis }),
    ]
}

/// Products and the log of what happened to them, in one partition.
pub struct Shop {
    pub products: Vec<Arc<Product>>,
    pub now: i64,
    next_id: u128,
    next_offset: Offset,
    pub records: Vec<LogRecord>,
}

impl Default for Shop {
    fn default() -> Self {
        Self { products: Vec::new(), now: START, next_id: 1, next_offset: 3, records: Vec::new() }
    }
}

impl Shop {
    /// Plays `steps` and returns the whole log.
    pub fn play(mut self, steps: &[Step]) -> Vec<LogRecord> {
        for step in steps {
            self.step(step);
        }
        self.records
    }

    /// Plays one step; what the rules refuse changes nothing.
    pub fn step(&mut self, step: &Step) {
        let pick = |pick: &u8| {
            (!self.products.is_empty()).then(|| self.products[usize::from(*pick) % self.products.len()].id)
        };
        let precondition = Precondition::None;
        let command = match step {
            Step::Wait { millis } => {
                self.now += i64::from(*millis);
                return;
            }
            Step::Create { seller, stock } => Some(Command::Create(NewProduct {
                id: ProductId(Uuid::from_u128(self.next_id << 64 | 0x42)),
                seller_id: SellerId::new(format!("seller{seller}")).expect("valid"),
                fields: Replacement {
                    sku: None,
                    name: Name::new(format!("thing \"{stock}\" é")).expect("valid"),
                    description: None,
                    category: Category::default(),
                    price: Price::from_units(i64::from(*stock) * 1234).expect("valid"),
                    stock: Stock::new(i64::from(*stock)).expect("valid"),
                    low_stock_threshold: None,
                },
            })),
            Step::Move { pick: which, delta, reason, price, ago } => pick(which).and_then(|id| {
                let reason =
                    [Reason::Sale, Reason::Return, Reason::Restock, Reason::Correction, Reason::Other]
                        [usize::from(*reason)];
                let mut adjustment = Adjustment::new(Delta::new(i64::from(*delta))?, reason).ok()?;
                adjustment.unit_price = price.map(|p| Price::from_units(i64::from(p)).expect("valid"));
                adjustment.occurred_at = ago.map(|ago| Timestamp::from_millis(self.now - i64::from(ago)));
                Some(Command::AdjustStock { id, precondition, adjustment })
            }),
            Step::Reprice { pick: which, price } => pick(which).map(|id| Command::Patch {
                id,
                precondition,
                patch: Patch { price: Price::from_units(i64::from(*price)).ok(), ..Patch::default() },
                asserted: Asserted::default(),
            }),
            Step::Recategorise { pick: which, category } => pick(which).map(|id| Command::Patch {
                id,
                precondition,
                patch: Patch { category: Category::new(format!("c\"{category}")).ok(), ..Patch::default() },
                asserted: Asserted::default(),
            }),
            Step::Delete { pick: which } => pick(which).map(|id| Command::Delete { id, precondition }),
        };
        if let Some(command) = command {
            self.apply(&command);
        }
    }

    fn apply(&mut self, command: &Command) {
        let at = self.products.iter().position(|product| product.id == command.product_id());
        let context = Context {
            now: Timestamp::from_millis(self.now),
            event_ids: [Uuid::from_u128(self.next_id << 8), Uuid::from_u128(self.next_id << 8 | 1)],
            default_threshold: Stock::new(5).expect("valid"),
            tombstone: None,
        };
        self.next_id += 1;
        let Ok(decision) = decide(at.map(|at| &*self.products[at]), command, &context) else { return };
        match (decision.write, at) {
            (Write::Put(product), Some(at)) => self.products[at] = product,
            (Write::Put(product), None) => self.products.push(product),
            (Write::Delete { .. }, Some(at)) => drop(self.products.remove(at)),
            _ => {}
        }
        for event in &decision.events {
            let mut payload = Vec::new();
            souk_events::encode(event, &mut payload);
            self.records.push(LogRecord {
                partition: 0,
                offset: self.next_offset,
                appended_at: context.now,
                payload: Bytes::from(payload),
            });
            // Logs have holes.
            self.next_offset += 1 + self.next_offset % 3 / 2;
        }
    }
}
