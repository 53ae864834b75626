//! A writer: makes up requests, sends them one after the other, and writes down what it hears.

use super::ledger::Ledger;
use super::operation::{Dice, Fate, Operation, Wish};
use crate::support::{Client, Reply, eventually};

/// Products that all writers sell from.
#[derive(Debug, Clone)]
pub struct Shelf {
    pub products: Vec<String>,
}

/// Pieces of each product on the shelf at first: it never sells out.
pub const SHELF_STOCK: i64 = 1_000_000;

/// Products that a writer keeps at most.
const OWN_PRODUCTS: usize = 8;

impl Shelf {
    /// Creates the shared products.
    pub fn stock(api: &mut Client) -> Self {
        let products = (0..4).map(|n| {
            let body =
                format!(r#"{{"name":"shelf-{n}","price":1.25,"stock":{SHELF_STOCK},"sellerId":"shelf"}}"#);
            let reply = api.post("/products", &body);
            assert_eq!(reply.status, 201, "{}", reply.text());
            reply.json()["id"].as_str().expect("a product has an id").to_owned()
        });
        Self { products: products.collect() }
    }
}

/// One of several who write at once.
#[derive(Debug)]
pub struct Writer {
    name: u64,
    dice: Dice,
    shelf: Shelf,
    ledger: Ledger,
}

impl Writer {
    pub fn new(name: u64, shelf: Shelf) -> Self {
        Self { name, dice: Dice::new(name), shelf, ledger: Ledger::default() }
    }

    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// Works until the connection breaks.
    pub fn work(&mut self, port: u16) {
        let mut api = Client::new(port);
        while self.step(&mut api) {}
    }

    /// Asks for one more thing, what is unknown from the last time first; tells whether all was answered.
    pub fn step(&mut self, api: &mut Client) -> bool {
        if !self.ask_again(api) || self.dice.roll(20) == 0 && !self.repeat(api) {
            return false;
        }
        let wish = self.wish();
        let tag = format!("w{}-{}", self.name, self.ledger.operations.len());
        self.ledger.operations.push(Operation::new(tag, wish));
        self.send(api, self.ledger.operations.len() - 1)
    }

    /// Asks again for what was not answered, until it is.
    pub fn settle(&mut self, port: u16) {
        let mut api = Client::new(port);
        eventually("everything is answered", || self.ask_again(&mut api).then_some(()));
    }

    /// Makes up what to ask for next.
    fn wish(&mut self) -> Wish {
        let dice = &mut self.dice;
        let own = dice.pick(&self.ledger.alive).cloned();
        let pieces = i64::try_from(dice.roll(9)).expect("below 9") + 1;
        match (dice.roll(16), own) {
            (0, Some(product)) => Wish::Delete { product },
            (1 | 2, Some(product)) => Wish::Rename { product },
            (3..=6, Some(product)) => Wish::Move { lines: vec![(product, -pieces)] },
            (7 | 8, own) => {
                // An order of several lines, over products that others sell from too.
                let mut lines: Vec<_> = self
                    .shelf
                    .products
                    .iter()
                    .map(|id| (id.clone(), -pieces))
                    .chain(own.map(|id| (id, pieces)))
                    .collect();
                for n in (1..lines.len()).rev() {
                    lines.swap(n, usize::try_from(dice.roll(n as u64 + 1)).expect("an index"));
                }
                // Now and then one line too much, so that nothing of it may be done.
                if dice.roll(4) == 0 {
                    lines.last_mut().expect("the shelf is not empty").1 = -900_000_000;
                }
                Wish::Move { lines }
            }
            (9..=11, _) => {
                let product = dice.pick(&self.shelf.products).expect("the shelf is not empty").clone();
                Wish::Move { lines: vec![(product, -pieces)] }
            }
            (_, own) if self.ledger.alive.len() >= OWN_PRODUCTS => {
                let product = own.expect("there are several");
                Wish::Move { lines: vec![(product, pieces)] }
            }
            _ => Wish::Create { stock: pieces * 10 },
        }
    }

    /// Sends the operation at `index`; tells whether there was an answer.
    fn send(&mut self, api: &mut Client, index: usize) -> bool {
        let operation = &mut self.ledger.operations[index];
        match call(api, operation) {
            Ok(reply) => {
                self.ledger.answered(index, &reply);
                true
            }
            Err(_) => {
                operation.unheard = true;
                // Some never ask again: what they asked for has to be there whole or not at all.
                let gives_up = matches!(operation.wish, Wish::Create { .. } | Wish::Move { .. });
                if gives_up && self.dice.roll(4) == 0 {
                    operation.fate = Fate::Abandoned;
                }
                false
            }
        }
    }

    /// Asks again for what was not answered; tells whether everything is known now.
    fn ask_again(&mut self, api: &mut Client) -> bool {
        // Only the latest can be unknown: a writer sends one at a time.
        let from = self.ledger.operations.len().saturating_sub(4);
        for index in from..self.ledger.operations.len() {
            if self.ledger.operations[index].fate != Fate::Unknown {
                continue;
            }
            let Ok(reply) = call(api, &self.ledger.operations[index]) else {
                self.ledger.operations[index].unheard = true;
                return false;
            };
            if !self.ledger.answered(index, &reply) {
                return false;
            }
        }
        true
    }

    /// Repeats something that was answered, under its key; tells whether there was an answer.
    fn repeat(&mut self, api: &mut Client) -> bool {
        let index = self.dice.roll(self.ledger.operations.len().max(1) as u64);
        let index = usize::try_from(index).expect("an index");
        let Some(operation) = self.ledger.operations.get(index) else { return true };
        if !matches!(operation.wish, Wish::Create { .. } | Wish::Move { .. })
            || !matches!(operation.fate, Fate::Done(_))
        {
            return true;
        }
        let Ok(reply) = call(api, operation) else { return false };
        self.ledger.answered_again(index, &reply);
        true
    }
}

fn call(api: &mut Client, operation: &Operation) -> std::io::Result<Reply> {
    let mut headers = vec![("Content-Type", "application/json")];
    if operation.method() == "POST" {
        headers.push(("Idempotency-Key", operation.tag.as_str()));
    }
    api.try_call(operation.method(), &operation.path(), &headers, operation.body().as_deref())
}
