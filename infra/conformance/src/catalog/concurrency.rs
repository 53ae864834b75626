//! Many writers at once.

use std::collections::HashMap;
use std::sync::Arc;

use souk_domain::{
    Asserted, Command, Context, Description, EventKind, Patch, Precondition, ProductId, Rejection,
    Replacement, Version, decide,
};
use souk_ports::{Catalog, ExecuteError, Outcome};
use uuid::Uuid;

use crate::{Dice, Fixture, Logged, Shop, fold_log, make, within};

/// However many write at once, each change of a product takes the next version.
pub async fn versions_are_dense_under_concurrent_writers<F: Fixture>() {
    const WRITERS: usize = 16;
    const WRITES: usize = 25;
    let shop = Shop::<F>::open().await;
    let mut ids = Vec::new();
    for n in 0..4 {
        ids.push(shop.product(&format!("product {n}"), 1_000_000).await);
    }
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (catalog, ids) = (shop.catalog.clone(), ids.clone());
        writers.push(tokio::spawn(async move {
            let mut dice = Dice::new(writer as u64);
            let mut seen = Vec::new();
            for _ in 0..WRITES {
                let unit = make::unit([make::adjust(ids[dice.index(ids.len())], -1)]);
                let Ok(Outcome::Applied(applied)) = catalog.execute(unit).await else {
                    panic!("there is enough for all")
                };
                seen.push((applied[0].product.id, applied[0].product.version.0));
            }
            seen
        }));
    }
    let mut versions: HashMap<ProductId, Vec<u64>> = HashMap::new();
    for writer in writers {
        for (id, version) in within("a writer", writer).await.unwrap() {
            versions.entry(id).or_default().push(version);
        }
    }
    let folds = fold_log(&shop.settled_log().await);
    for (id, mut versions) in versions {
        versions.sort_unstable();
        assert_eq!(
            versions,
            (2..2 + versions.len() as u64).collect::<Vec<_>>(),
            "each version was given once"
        );
        let product = shop.get(id).await;
        assert_eq!(product.version.0, 1 + versions.len() as u64);
        assert_eq!(folds[&id].product.as_ref(), Some(&product));
    }
}

/// Two hundred buyers and one piece: one of them gets it, and the stock stays at 0.
pub async fn the_last_piece_is_sold_once<F: Fixture>() {
    const BUYERS: usize = 200;
    let shop = Shop::<F>::open().await;
    let id = shop.product("last one", 1).await;
    let gate = Arc::new(tokio::sync::Barrier::new(BUYERS));
    let mut buyers = Vec::new();
    for _ in 0..BUYERS {
        let (catalog, gate) = (shop.catalog.clone(), gate.clone());
        buyers.push(tokio::spawn(async move {
            gate.wait().await;
            catalog.execute(make::unit([make::adjust(id, -1)])).await
        }));
    }
    let mut sold = 0;
    for buyer in buyers {
        match within("a buyer's answer", buyer).await.unwrap() {
            Ok(Outcome::Applied(applied)) => {
                assert_eq!(applied[0].product.stock.get(), 0);
                sold += 1;
            }
            Err(ExecuteError::Rejected(refusals)) => {
                assert_eq!(refusals[0].rejection, make::insufficient(id, 0, 0));
            }
            other => panic!("expected a sale or a refusal, got {other:?}"),
        }
    }
    assert_eq!(sold, 1);
    let product = shop.get(id).await;
    assert_eq!((product.stock.get(), product.version), (0, Version(2)));
    assert_eq!(fold_log(&shop.settled_log().await)[&id].product, Some(product));
}

/// Orders that name the same products in any order all get through.
pub async fn orders_over_the_same_products_never_deadlock<F: Fixture>() {
    const BUYERS: u64 = 12;
    const ORDERS: u64 = 12;
    let shop = Shop::<F>::open().await;
    let mut ids = Vec::new();
    for n in 0..8 {
        ids.push(shop.product(&format!("product {n}"), 100_000).await);
    }
    let mut buyers = Vec::new();
    for buyer in 0..BUYERS {
        let (catalog, ids) = (shop.catalog.clone(), ids.clone());
        buyers.push(tokio::spawn(async move {
            let mut dice = Dice::new(buyer);
            for _ in 0..ORDERS {
                let mut order = ids.clone();
                for n in (1..order.len()).rev() {
                    order.swap(n, dice.index(n + 1));
                }
                let lines: Vec<_> = order.into_iter().map(|id| make::adjust(id, -1)).collect();
                let outcome = catalog.execute(make::unit(lines)).await;
                assert!(matches!(outcome, Ok(Outcome::Applied(_))), "{outcome:?}");
            }
        }));
    }
    for buyer in buyers {
        within("a buyer", buyer).await.unwrap();
    }
    for id in ids {
        assert_eq!(shop.get(id).await.stock.get(), 100_000 - i64::try_from(BUYERS * ORDERS).unwrap());
    }
}

/// Of writers who all saw the same version, one gets through, and the others learn the version that is there.
pub async fn preconditions_let_one_writer_through<F: Fixture>() {
    let shop = Shop::<F>::open().await;
    let id = shop.product("contested", 10).await;
    let mut writers = Vec::new();
    for n in 0..30 {
        let catalog = shop.catalog.clone();
        let unit = make::unit([make::rename_at(id, Version(1), &format!("writer {n}"))]);
        writers.push(tokio::spawn(async move { catalog.execute(unit).await }));
    }
    let mut through = 0;
    for writer in writers {
        match within("a writer's answer", writer).await.unwrap() {
            Ok(_) => through += 1,
            Err(ExecuteError::Rejected(refusals)) => assert_eq!(
                refusals[0].rejection,
                Rejection::PreconditionFailed { product_id: id, version: Version(2) }
            ),
            other => panic!("expected a change or a refusal, got {other:?}"),
        }
    }
    assert_eq!(through, 1);
    assert_eq!(shop.get(id).await.version, Version(2));
}

/// A random history carried out by many writers at once leaves a log that `decide`, given the same commands in the
/// log's order, would have written to the letter, and rows that equal its fold.
pub async fn concurrent_histories_equal_decide_over_the_log<F: Fixture>() {
    const WRITERS: usize = 8;
    const UNITS: usize = 60;
    let shop = Shop::<F>::open().await;
    let ids: Vec<ProductId> = (0..6).map(|_| shop.new_id()).collect();
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        let (catalog, ids, clock) = (shop.catalog.clone(), ids.clone(), shop.clock.clone());
        writers.push(tokio::spawn(async move {
            let mut dice = Dice::new(1_000 + writer as u64);
            let mut told = Vec::new();
            for n in 0..UNITS {
                let commands: Vec<_> = (0..=dice.roll(3))
                    .map(|line| {
                        let tag = format!("w{writer}-u{n}-l{line}");
                        let command = random_command(&mut dice, &ids, &tag);
                        (tag, command)
                    })
                    .collect();
                clock.advance(std::time::Duration::from_millis(1));
                told.push((commands.clone(), took_effect(&*catalog, commands).await));
            }
            told
        }));
    }
    let mut by_tag = HashMap::new();
    for writer in writers {
        for (commands, effect) in within("a writer", writer).await.unwrap() {
            for (tag, command) in commands {
                by_tag.insert(tag, (command, effect));
            }
        }
    }
    let logged = shop.settled_log().await;
    let folds = fold_log(&logged);
    for row in shop.scan().await {
        if let Some(fold) = folds.get(&row.id) {
            assert_eq!((row.version.0, &row.product), (fold.version, &fold.product), "a row is its fold");
        }
    }
    replay(&logged, &by_tag);
}

/// Makes a command that can be told from all others by the text that it leaves in its event.
fn random_command(dice: &mut Dice, ids: &[ProductId], tag: &str) -> Command {
    let id = ids[dice.index(ids.len())];
    let description = Some(Description::new(tag).unwrap());
    let pieces = i64::try_from(dice.roll(12)).unwrap();
    let fields = Replacement { description: description.clone(), ..make::fields("any", pieces) };
    match dice.roll(10) {
        0 | 1 => make::create_for("seller1", id, fields),
        2 => make::delete(id),
        3 => Command::Replace {
            id,
            precondition: Precondition::None,
            replacement: fields,
            asserted: Asserted::default(),
        },
        4 | 5 => {
            let threshold = Some((pieces > 6).then(|| make::stock(pieces)));
            make::patch(
                id,
                Patch { description: Some(description), low_stock_threshold: threshold, ..Patch::default() },
            )
        }
        6 => make::patch(id, Patch::default()),
        n => make::adjust_for(id, if n % 2 == 0 { pieces + 1 } else { -pieces - 1 }, Some(tag)),
    }
}

async fn took_effect(catalog: &dyn Catalog, commands: Vec<(String, Command)>) -> bool {
    let commands: Vec<Command> = commands.into_iter().map(|(_, command)| command).collect();
    match catalog.execute(make::unit(commands)).await {
        Ok(_) => true,
        Err(ExecuteError::Rejected(_)) => false,
        Err(other) => panic!("expected an effect or a refusal, got {other:?}"),
    }
}

/// Decides anew what each version's event says was asked, and compares.
fn replay(logged: &[Logged], by_tag: &HashMap<String, (Command, bool)>) {
    let mut products = HashMap::new();
    let mut tombstones = HashMap::new();
    let mut found = HashMap::new();
    // Product by product, each in its own order: what lies between a product's events in the log is nobody's promise.
    let mut events: Vec<_> = logged.iter().map(|logged| &logged.event).collect();
    events.sort_by_key(|event| event.product.id);
    let mut events = events.into_iter().peekable();
    while let Some(event) = events.next() {
        let id = event.product.id;
        let tag = match &event.kind {
            EventKind::Deleted => None,
            EventKind::Updated { cause: Some(cause), .. } if cause.reference.is_some() => {
                cause.reference.as_ref().map(|reference| reference.as_str())
            }
            _ => event.product.description.as_ref().map(Description::as_str),
        };
        let command = match tag {
            None => make::delete(id),
            Some(tag) => {
                let (command, effect) =
                    by_tag.get(tag).unwrap_or_else(|| panic!("nobody asked for {tag}, which is in the log"));
                assert!(*effect, "{tag} was refused and is in the log");
                assert_eq!(found.insert(tag, ()), None, "{tag} took effect twice");
                command.clone()
            }
        };
        let crossing = events.next_if(|next| next.product.id == id && !next.event_type().takes_version());
        let context = Context {
            now: event.time,
            event_ids: [event.id, crossing.map_or(Uuid::nil(), |crossing| crossing.id)],
            default_threshold: make::stock(5),
            tombstone: tombstones.get(&id).copied(),
        };
        let decision = decide(products.get(&id), &command, &context).expect("what was done can be done");
        let written: Vec<_> = std::iter::once(event).chain(crossing).cloned().collect();
        assert_eq!(decision.events, written);
        match decision.write {
            souk_domain::Write::Put(product) => drop(products.insert(id, (*product).clone())),
            souk_domain::Write::Delete { version, .. } => {
                products.remove(&id);
                tombstones.insert(id, version);
            }
            souk_domain::Write::Nothing(_) => panic!("a command that changes nothing made an event"),
        }
    }
    for (tag, (command, effect)) in by_tag {
        let tagless = matches!(command, Command::Delete { .. })
            || matches!(command, Command::Patch { patch, .. } if *patch == Patch::default());
        assert!(
            tagless || !effect || found.contains_key(tag.as_str()),
            "{tag} took effect and left no event"
        );
    }
}
