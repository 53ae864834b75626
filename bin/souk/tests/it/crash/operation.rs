//! What a writer asks for, told from everything else by a tag that ends up in its events.

use serde_json::{Value, json};

use crate::support::Reply;

/// A random number generator that repeats itself (SplitMix64, Steele et al. 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
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

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        (!from.is_empty()).then(|| &from[usize::try_from(self.roll(from.len() as u64)).expect("an index")])
    }
}

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Wish {
    /// A product; its name is the tag.
    Create { stock: i64 },
    /// One line or an order of several, as (product, pieces); the tag is each line's reference.
    Move { lines: Vec<(String, i64)> },
    /// Another name for a product: the tag.
    Rename { product: String },
    /// The end of a product.
    Delete { product: String },
}

/// A request and what became of it.
#[derive(Debug, Clone)]
pub struct Operation {
    pub tag: String,
    pub wish: Wish,
    pub fate: Fate,
    /// Whether an answer to it was once not heard.
    pub unheard: bool,
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fate {
    /// Nobody knows: the connection broke before the answer.
    Unknown,
    /// Nobody knows, and nobody will ask again.
    Abandoned,
    /// Done, and answered with the products as (id, version).
    Done(Vec<(String, u64)>),
    /// Refused, and nothing of it may be there.
    Refused,
}

impl Operation {
    pub fn new(tag: String, wish: Wish) -> Self {
        Self { tag, wish, fate: Fate::Unknown, unheard: false }
    }

    pub fn method(&self) -> &'static str {
        match self.wish {
            Wish::Create { .. } | Wish::Move { .. } => "POST",
            Wish::Rename { .. } => "PATCH",
            Wish::Delete { .. } => "DELETE",
        }
    }

    pub fn path(&self) -> String {
        match &self.wish {
            Wish::Create { .. } => "/products".to_owned(),
            Wish::Move { lines } if lines.len() == 1 => format!("/products/{}/stock-adjustments", lines[0].0),
            Wish::Move { .. } => "/stock-adjustments".to_owned(),
            Wish::Rename { product } | Wish::Delete { product } => format!("/products/{product}"),
        }
    }

    pub fn body(&self) -> Option<String> {
        let line = |pieces: i64| {
            let reason = if pieces < 0 { "sale" } else { "restock" };
            json!({ "delta": pieces, "reason": reason, "reference": self.tag, "unitPrice": 2.5 })
        };
        let body = match &self.wish {
            Wish::Create { stock } => {
                json!({ "name": self.tag, "price": 9.99, "stock": stock, "sellerId": "crash", "sku": self.tag })
            }
            Wish::Move { lines } if lines.len() == 1 => line(lines[0].1),
            Wish::Move { lines } => {
                let items = lines.iter().map(|(product, pieces)| {
                    let mut line = line(*pieces);
                    line["productId"] = Value::from(product.as_str());
                    line
                });
                json!({ "items": items.collect::<Vec<_>>() })
            }
            Wish::Rename { .. } => json!({ "name": self.tag }),
            Wish::Delete { .. } => return None,
        };
        Some(body.to_string())
    }

    /// Takes an answer in; tells whether it settles the matter.
    ///
    /// # Errors
    /// When the answer is none that the API promises here.
    pub fn answered(&mut self, reply: &Reply) -> Result<bool, String> {
        let touched = |product: &Value| {
            let id = product["id"].as_str().expect("a product has an id").to_owned();
            (id, product["version"].as_u64().expect("a product has a version"))
        };
        self.fate = match (reply.status, &self.wish) {
            (201, Wish::Create { .. }) | (200, Wish::Rename { .. }) => {
                Fate::Done(vec![touched(&reply.json())])
            }
            (200, Wish::Move { lines }) if lines.len() == 1 => {
                Fate::Done(vec![touched(&reply.json()["product"])])
            }
            (200, Wish::Move { .. }) => {
                let reply = reply.json();
                let items = reply["items"].as_array().expect("an order's answer has items");
                Fate::Done(items.iter().map(|item| touched(&item["product"])).collect())
            }
            (204, Wish::Delete { product }) => Fate::Done(vec![(product.clone(), 0)]),
            // Asked again, since the answer was not heard: it had been done.
            (404, Wish::Delete { product }) if self.unheard => Fate::Done(vec![(product.clone(), 0)]),
            (409, Wish::Move { .. }) => Fate::Refused,
            // Nothing was written, or nobody knows; either way the same may be asked again.
            (503, _) => return Ok(false),
            (500, _) if reply.json()["code"] == "outcome-unknown" => {
                self.unheard = true;
                return Ok(false);
            }
            (status, _) => {
                let (method, path) = (self.method(), self.path());
                self.fate = Fate::Refused;
                return Err(format!("{method} {path} was answered {status}: {}", reply.text()));
            }
        };
        Ok(true)
    }
}
