//! A filter gets exactly its events, live and on resume, and nobody is woken for others' events.

use proptest::prelude::*;

use crate::testing::{FakeLog, Instance, Place, assert_exactly, product_of};

const KINDS: [&str; 5] =
    ["ProductCreated", "ProductUpdated", "ProductDeleted", "LowStockWarning", "StockReplenished"];

fn matches(query: &str, place: Place, seller: &str, kind: &str) -> bool {
    query.split('&').filter(|part| !part.is_empty()).all(|part| {
        let (name, values) = part.split_once('=').unwrap();
        let product = product_of(place.1).to_string();
        values.split(',').any(|value| match name {
            "sellerId" => value == seller,
            "types" => value == kind,
            "productId" => value == product,
            _ => true,
        })
    })
}

fn query() -> impl Strategy<Value = String> {
    let some =
        |values: Vec<String>| proptest::option::weighted(0.4, proptest::sample::subsequence(values, 1..=3));
    let sellers = some((0..6).map(|n| format!("s{n}")).collect());
    let kinds = some(KINDS.map(str::to_owned).to_vec());
    let products = some((0..7).map(|n| product_of(n).to_string()).collect());
    (sellers, kinds, products, any::<bool>()).prop_map(|(sellers, kinds, products, named)| {
        let lists = [("sellerId", sellers), ("types", kinds), ("productId", products)];
        let mut parts: Vec<String> = lists
            .into_iter()
            .filter_map(|(name, list)| Some(format!("{name}={}", list?.join(","))))
            .collect();
        if named {
            parts.push("named=1".into());
        }
        parts.join("&")
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn each_reader_gets_exactly_what_it_asked_for(
        queries in proptest::collection::vec(query(), 1..8),
        rounds in proptest::collection::vec(proptest::collection::vec((0_u32..2, 0..6_u8, 0..5_usize), 0..40), 1..6),
        ring in prop_oneof![Just(3_000_usize), Just(20_000), Just(1 << 20)],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let log = FakeLog::new(1, 2);
            let instance = Instance::with_ring(&log, ring).await;
            let mut clients = Vec::new();
            for query in &queries {
                clients.push((query, true, instance.open(query, None).await));
                clients.push((query, false, instance.open(query, None).await));
            }
            let mut all = Vec::new();
            for round in rounds {
                for (partition, seller, kind) in round {
                    let seller = format!("s{seller}");
                    let place = log.append(partition, &seller, KINDS[kind]);
                    all.push((place, seller, KINDS[kind]));
                }
                instance.caught_up().await;
                for (_, eager, client) in &mut clients {
                    if *eager {
                        client.now();
                    }
                }
            }
            for (query, _, client) in &mut clients {
                let expected: Vec<Place> = all.iter()
                    .filter(|(place, seller, kind)| matches(query, *place, seller, kind))
                    .map(|(place, ..)| *place).collect();
                while !client.now() || client.reader.is_behind() {
                    tokio::task::yield_now().await;
                }
                assert_eq!(client.gaps(), []);
                assert_exactly(&client.places(), &expected);
            }
        });
    }
}

#[tokio::test]
async fn only_readers_with_a_match_are_woken() {
    let log = FakeLog::new(1, 1);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let product = format!("productId={}", product_of(3));
    let queries = [
        "",
        "sellerId=a",
        "sellerId=b",
        "types=ProductDeleted",
        &product,
        "named=1",
        "sellerId=a&types=ProductDeleted",
    ];
    let mut clients = Vec::new();
    for query in queries {
        let mut client = instance.open(query, None).await;
        assert!(client.now());
        clients.push(client);
    }
    log.append(0, "a", "ProductUpdated");
    instance.caught_up().await;
    let wakes: Vec<usize> = clients.iter().map(|client| client.wakes()).collect();
    assert_eq!(wakes, [1, 1, 0, 0, 0, 1, 0]);
    // A second event wakes nobody anew who has not looked yet.
    log.append(0, "b", "ProductDeleted");
    instance.caught_up().await;
    let wakes: Vec<usize> = clients.iter().map(|client| client.wakes()).collect();
    assert_eq!(wakes, [1, 1, 1, 1, 0, 1, 0]);
    for (client, count) in clients.iter_mut().zip([2, 1, 1, 1, 0, 2, 0]) {
        client.now();
        assert_eq!(client.places().len(), count);
    }
}

#[tokio::test]
async fn named_frames_carry_their_type() {
    let log = FakeLog::new(1, 1);
    let before = log.append(0, "a", "ProductCreated");
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut named = instance.open("named=1&lastEventId=earliest", None).await;
    let mut plain = instance.open("lastEventId=earliest", None).await;
    let live = log.append(0, "a", "LowStockWarning");
    for (client, names) in [
        (&mut named, ["ready", "ProductCreated", "LowStockWarning"]),
        (&mut plain, ["ready", "message", "message"]),
    ] {
        client.events(2).await;
        assert_eq!(client.places(), [before, live]);
        assert_eq!(client.got.iter().map(|got| got.name.as_str()).collect::<Vec<_>>(), names);
    }
    let ids =
        |client: &crate::testing::Client| client.got.iter().map(|got| got.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&named), ids(&plain), "an id is the same text for every reader");
}

#[tokio::test]
async fn ready_tells_the_filters_and_the_position() {
    let log = FakeLog::new(1, 1);
    let instance = Instance::with_ring(&log, 1 << 20).await;
    let mut client = instance.open("sellerId=b,a&types=ProductDeleted&named=1", None).await;
    client.now();
    let head = instance.head();
    assert_eq!(client.got[0].name, "ready");
    assert_eq!(client.got[0].id, head);
    let expected = format!(
        r#"{{"position":"{head}","filters":{{"sellerId":["a","b"],"types":["ProductDeleted"]}},"named":true}}"#
    );
    assert_eq!(client.got[0].data, expected);
    assert_eq!(client.parser.retry(), Some(2000));
}
