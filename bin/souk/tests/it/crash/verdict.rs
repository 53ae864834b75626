//! Holds the ledgers against what the installation says.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use super::ledger::Ledger;
use super::operation::{Fate, Operation, Wish};
use super::writer::{SHELF_STOCK, Shelf};
use crate::support::Client;

/// Events by the tag of the operation that they came from: product and version of each.
pub type Told = HashMap<String, Vec<(String, u64)>>;

/// Reads all events and sorts them by tag; findings are events that nobody asked for.
fn told(analytics: &mut Client, findings: &mut Vec<String>) -> Told {
    let mut told = Told::new();
    let mut path = "/events?limit=500".to_owned();
    loop {
        let page = analytics.get(&path);
        assert_eq!(page.status, 200, "{}", page.text());
        let page = page.json();
        for event in page["items"].as_array().expect("a page has items") {
            findings.extend(tell(&mut told, event));
        }
        match page["nextCursor"].as_str() {
            Some(cursor) => path = format!("/events?limit=500&cursor={cursor}"),
            None => return told,
        }
    }
}

/// Adds an event; returns what is to be said against it, when nobody asked for it.
pub fn tell(told: &mut Told, event: &Value) -> Option<String> {
    if let Some(tag) = tag(event) {
        let id = event["subject"].as_str().expect("an event has a subject").to_owned();
        let version = event["data"]["version"].as_u64().expect("an event has a version");
        told.entry(tag).or_default().push((id, version));
        return None;
    }
    (event["data"]["stock"].is_null() && event["sellerid"] != "shelf")
        .then(|| format!("an event that nobody asked for: {event}"))
}

/// Returns the tag of an event that took a version; warnings have none.
fn tag(event: &Value) -> Option<String> {
    let data = &event["data"];
    let text = match event["type"].as_str()? {
        "ProductUpdated" if data["reference"].is_string() => data["reference"].as_str()?.to_owned(),
        "ProductUpdated" => data["changes"]["name"]["to"].as_str()?.to_owned(),
        "ProductCreated" if event["sellerid"] == "crash" => data["product"]["name"].as_str()?.to_owned(),
        "ProductDeleted" => format!("delete {}", event["subject"].as_str()?),
        _ => return None,
    };
    Some(text)
}

/// Returns an operation's tag as its events have it, and how many events it makes.
pub fn expected(operation: &Operation) -> (String, usize) {
    match &operation.wish {
        Wish::Delete { product } => (format!("delete {product}"), 1),
        Wish::Move { lines } => (operation.tag.clone(), lines.len()),
        Wish::Create { .. } | Wish::Rename { .. } => (operation.tag.clone(), 1),
    }
}

/// Every acknowledged operation is in the events once, with the versions that were answered; none that was refused
/// is, and one that nobody heard of again is there whole or not at all. Stock is right to the piece, and what was
/// deleted is gone.
pub fn against_ledgers(
    analytics: &mut Client,
    api: &mut Client,
    ledgers: &[&Ledger],
    shelf: &Shelf,
) -> Vec<String> {
    let mut findings = Vec::new();
    let told = told(analytics, &mut findings);
    findings.extend(against(told, api, ledgers, shelf));
    findings
}

/// The same, with the events as somebody else heard them.
pub fn against(told: Told, api: &mut Client, ledgers: &[&Ledger], shelf: &Shelf) -> Vec<String> {
    let mut findings = Vec::new();
    let took_effect: HashSet<String> = told.keys().cloned().collect();
    against_events(told, ledgers, &mut findings);
    against_products(api, ledgers, shelf, &took_effect, &mut findings);
    findings
}

fn against_events(mut told: Told, ledgers: &[&Ledger], findings: &mut Vec<String>) {
    for operation in ledgers.iter().flat_map(|ledger| &ledger.operations) {
        let (tag, whole) = expected(operation);
        let mut events = told.remove(&tag).unwrap_or_default();
        let fits = match &operation.fate {
            Fate::Unknown => panic!("{operation:?} was not settled"),
            Fate::Refused => events.is_empty(),
            Fate::Abandoned => events.is_empty() || events.len() == whole,
            Fate::Done(_) if matches!(operation.wish, Wish::Delete { .. }) => events.len() == 1,
            Fate::Done(touched) => {
                let mut touched = touched.clone();
                touched.sort();
                events.sort();
                events == touched || came_late(operation, &touched, &events, ledgers)
            }
        };
        if !fits {
            findings.push(format!("{operation:?} is in the events as {events:?}"));
        }
    }
    findings.extend(told.into_iter().map(|(tag, events)| format!("nobody asked for {tag}: {events:?}")));
}

/// Tells whether a rename was carried out once more after its answer. It has no key: what nobody waited for any more may
/// be read by a process that slept, after the one that was asked for again. Whoever minds says `If-Match`. It changes
/// something only where the product has had another name meanwhile.
fn came_late(
    operation: &Operation,
    touched: &[(String, u64)],
    events: &[(String, u64)],
    ledgers: &[&Ledger],
) -> bool {
    let ([first], [answered, late]) = (touched, events) else { return false };
    let renamed_between = |other: &Operation| match (&other.wish, &other.fate) {
        (Wish::Rename { .. }, Fate::Done(touched)) => touched
            .iter()
            .any(|(product, version)| *product == first.0 && first.1 < *version && *version < late.1),
        _ => false,
    };
    operation.unheard
        && matches!(operation.wish, Wish::Rename { .. })
        && answered == first
        && late.0 == first.0
        && ledgers.iter().flat_map(|ledger| &ledger.operations).any(renamed_between)
}

fn against_products(
    api: &mut Client,
    ledgers: &[&Ledger],
    shelf: &Shelf,
    took_effect: &HashSet<String>,
    findings: &mut Vec<String>,
) {
    let mut stock: HashMap<&str, i64> = HashMap::new();
    for id in &shelf.products {
        stock.insert(id, SHELF_STOCK);
    }
    for operation in ledgers.iter().flat_map(|ledger| &ledger.operations) {
        let done = match &operation.fate {
            Fate::Done(_) => true,
            Fate::Abandoned => took_effect.contains(&operation.tag),
            Fate::Unknown | Fate::Refused => false,
        };
        match (&operation.fate, &operation.wish) {
            (Fate::Done(touched), Wish::Create { stock: pieces }) => {
                *stock.entry(&touched[0].0).or_default() += pieces;
            }
            (_, Wish::Move { lines }) if done => {
                for (id, pieces) in lines {
                    *stock.entry(id).or_default() += pieces;
                }
            }
            _ => {}
        }
    }
    for id in ledgers.iter().flat_map(|ledger| &ledger.alive).chain(&shelf.products) {
        let reply = api.get(&format!("/products/{id}"));
        let expected = stock.remove(id.as_str());
        if reply.status != 200 {
            findings.push(format!("product {id} is gone: {} {}", reply.status, reply.text()));
        } else if reply.json()["stock"].as_i64() != expected {
            findings.push(format!("product {id} should have {expected:?} in stock: {}", reply.text()));
        }
    }
    for id in stock.keys() {
        let reply = api.get(&format!("/products/{id}"));
        if reply.status != 404 {
            findings.push(format!(
                "product {id} was deleted and is answered {}: {}",
                reply.status,
                reply.text()
            ));
        }
    }
}
