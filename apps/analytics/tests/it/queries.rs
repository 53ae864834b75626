//! The HTTP interface, on a small history.

use std::time::Duration;

use http::{Method, StatusCode};
use insta::assert_snapshot;
use serde_json::{Value, json};
use souk_conformance::{eventually, make};
use souk_domain::{Adjustment, Command, Delta, Precondition, ProductId, Reason, Timestamp};

use crate::bed::{Bed, Running};

fn trade(id: ProductId, delta: i64, reason: Reason, price: &str, at: &str) -> Command {
    let mut adjustment = Adjustment::new(Delta::new(delta).unwrap(), reason).unwrap();
    adjustment.unit_price = Some(price.parse().unwrap());
    adjustment.occurred_at = Some(at.parse().unwrap());
    Command::AdjustStock { id, precondition: Precondition::None, adjustment }
}

/// Two sellers, three products, sales of long ago, a return, a delete.
async fn history() -> (Bed, Running, Vec<ProductId>) {
    let bed = Bed::new();
    let running = bed.start();
    let mut ids = bed.create("ann", 2).await;
    ids.extend(bed.create("bob", 1).await);
    bed.clock.advance(Duration::from_secs(3600));
    bed.run([
        trade(ids[0], -7, Reason::Sale, "2.55", "2010-12-01T08:26:00Z"),
        trade(ids[2], -1, Reason::Sale, "0.0001", "2010-12-01T08:59:59.999Z"),
    ])
    .await;
    bed.run([trade(ids[0], 2, Reason::Return, "2.5", "2010-12-01T09:00:00Z")]).await;
    bed.run([make::delete(ids[1])]).await;
    running.settle().await;
    (bed, running, ids)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn summary_tells_how_things_stand() {
    let (bed, running, _) = history().await;
    let total = running.get("/summary").await;
    assert_eq!(total["products"], 2);
    assert_eq!(total["units"], 14);
    assert_eq!(total["stockValue"], make::fields("any", 1).price.times(14).to_string());
    assert_eq!(total["lowStockProducts"], 0);
    assert_eq!(total["events"], bed.records().await.len());
    assert_eq!(total["asOf"], "2026-11-22T19:00:00.000Z");
    let bob = running.get("/summary?sellerId=bob").await;
    assert_eq!(
        (bob["products"].clone(), bob["units"].clone(), bob["events"].clone()),
        (json!(1), json!(9), json!(2))
    );
    let nobody = running.get("/summary?sellerId=nobody").await;
    assert_snapshot!(nobody, @r#"{"asOf":"2026-11-22T19:00:00.000Z","events":0,"lowStockProducts":0,"products":0,"stockValue":"0","units":0}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn aggregates_are_by_when_it_happened() {
    let (_bed, running, ids) = history().await;
    let sold = running.get("/aggregates?window=hour&by=seller&to=2011-01-01T00:00:00Z").await;
    let items = sold["items"].as_array().unwrap();
    assert_snapshot!(format!("{:#}", items[0]), @r#"
    {
      "bucket": "2010-12-01T08:00:00.000Z",
      "events": {
        "LowStockWarning": 0,
        "ProductCreated": 0,
        "ProductDeleted": 0,
        "ProductUpdated": 1,
        "StockReplenished": 0
      },
      "key": "ann",
      "revenue": "17.85",
      "stockDelta": -7,
      "unitsReturned": 0,
      "unitsSold": 7,
      "window": "hour"
    }
    "#);
    assert_eq!((items[1]["key"].clone(), items[1]["revenue"].clone()), (json!("bob"), json!("0.0001")));
    assert_eq!((items[2]["unitsReturned"].clone(), items[2]["revenue"].clone()), (json!(2), json!("-5")));
    let hours = running.get("/aggregates?window=hour&from=2010-12-01T09:00:00Z").await;
    assert_eq!(hours["items"].as_array().unwrap().len(), 3);
    assert_eq!(hours["items"][0]["revenue"], "-5");
    let day = running.get(&format!("/aggregates?window=day&by=product&key={}", ids[0])).await;
    assert_eq!(day["items"][0]["bucket"], "2010-12-01T00:00:00.000Z");
    assert_eq!(day["items"][0]["revenue"], "12.85");
    let all = running.get("/aggregates?window=all&by=category").await;
    assert_eq!(all["items"][0]["bucket"], Value::Null);
    assert_eq!(all["items"][0]["stockDelta"], 14);
    assert_eq!(all["items"][0]["unitsSold"], 8);
    assert_eq!(all["items"][0]["unitsReturned"], 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rankings_tell_who_sold_most() {
    let (_bed, running, ids) = history().await;
    let sellers = running.get("/rankings").await;
    assert_eq!(
        sellers["items"],
        json!([
            {"key": "ann", "unitsSold": 7, "unitsReturned": 2, "revenue": "12.85"},
            {"key": "bob", "unitsSold": 1, "unitsReturned": 0, "revenue": "0.0001"},
        ])
    );
    assert_eq!(sellers["asOf"], "2026-11-22T19:00:00.000Z");
    // Who sold nothing is not there; of several the best.
    let products = running.get("/rankings?by=product").await;
    let keys: Vec<&Value> = products["items"].as_array().unwrap().iter().map(|item| &item["key"]).collect();
    assert_eq!(keys, [&json!(ids[0].to_string()), &json!(ids[2].to_string())]);
    assert_eq!(running.get("/rankings?by=product&limit=1").await["items"].as_array().unwrap().len(), 1);
    // The days that they fall into, added up.
    let day = running.get("/rankings?from=2010-12-01T20:00:00Z&to=2010-12-01T21:00:00Z").await;
    assert_eq!(day["items"], sellers["items"]);
    assert_eq!(running.get("/rankings?from=2010-12-02T00:00:00Z").await["items"], json!([]));
    assert_eq!(running.get("/rankings?to=2010-12-01T00:00:00Z").await["items"], json!([]));
}

/// More than a page, and more than the candidates that are held.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_of_thousands_are_found() {
    let bed = Bed::new();
    let running = bed.start();
    let mut ids = Vec::new();
    for _ in 0..24 {
        ids.extend(bed.create("ann", 250).await);
    }
    let sale = |(place, id): (usize, &ProductId)| {
        // The price scatters them: the best are neither first nor last.
        trade(*id, -1, Reason::Sale, &((place * 7_919) % 6_007).to_string(), "2010-12-01T08:26:00Z")
    };
    let sales: Vec<Command> = ids.iter().enumerate().map(sale).collect();
    for some in sales.chunks(50) {
        bed.run(some.to_vec()).await;
    }
    running.settle().await;
    let mut prices: Vec<usize> = (0..ids.len()).map(|place| (place * 7_919) % 6_007).collect();
    prices.sort_unstable_by(|one, other| other.cmp(one));
    for range in ["", "&from=2010-12-01T00:00:00Z"] {
        let ranking = running.get(&format!("/rankings?by=product&limit=100{range}")).await;
        let revenues =
            ranking["items"].as_array().unwrap().iter().map(|item| item["revenue"].as_str().unwrap());
        let revenues: Vec<usize> = revenues.map(|revenue| revenue.parse().unwrap()).collect();
        assert_eq!(revenues, prices[..100], "{range}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_follow_their_cursors_to_the_end() {
    let (_bed, running, _) = history().await;
    for path in ["/aggregates?window=minute&by=seller", "/aggregates?window=all&by=product", "/events?"] {
        let whole = running.get(&format!("{path}&limit=1000")).await;
        assert_eq!(whole["nextCursor"], Value::Null);
        let (mut pieces, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = running.get(&format!("{path}&limit=1{cursor}")).await;
            pieces.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["nextCursor"].as_str() else { break };
            assert!(next.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)), "{next}");
            cursor = format!("&cursor={next}");
        }
        assert!(pieces.len() > 2);
        assert_eq!(Value::Array(pieces), whole["items"], "{path}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_the_published_ones_newest_first() {
    let (bed, running, ids) = history().await;
    let mut published: Vec<Value> =
        bed.records().await.iter().map(|record| serde_json::from_slice(&record.payload).unwrap()).collect();
    published.reverse();
    assert_eq!(running.get("/events").await["items"], Value::Array(published.clone()));
    let of =
        |keep: &dyn Fn(&Value) -> bool| Value::Array(published.iter().filter(|e| keep(e)).cloned().collect());
    assert_eq!(running.get("/events?sellerId=bob").await["items"], of(&|e| e["sellerid"] == "bob"));
    let id = ids[0].to_string();
    assert_eq!(
        running.get(&format!("/events?productId={id}")).await["items"],
        of(&|e| e["subject"] == id.as_str())
    );
    let sold = running.get("/events?type=ProductUpdated&sellerId=ann&from=2026-11-22T20:00:00%2B01:00").await;
    assert_eq!(sold["items"], of(&|e| e["type"] == "ProductUpdated" && e["sellerid"] == "ann"));
    assert_eq!(running.get("/events?to=2026-11-22T18:00:00.000Z").await["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_tells_each_consumers_lag() {
    let (bed, running, _) = history().await;
    let records = bed.records().await;
    let (end, second_hour) = (records.last().unwrap().offset + 1, records[2].offset + 1);
    bed.clock.advance(Duration::from_secs(90));
    // The archive closes a file when the hour changes, and holds the rest back.
    let progress = eventually("the first hour to be archived", async || {
        let progress = running.get("/progress").await;
        (progress["consumers"][2]["partitions"][0]["position"] == second_hour).then_some(progress)
    })
    .await;
    let names: Vec<&str> =
        progress["consumers"].as_array().unwrap().iter().map(|c| c["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["recent", "aggregates", "archive"]);
    for (n, (position, seconds)) in [(end, 0.0), (end, 0.0), (second_hour, 90.0)].into_iter().enumerate() {
        let consumer = &progress["consumers"][n];
        assert_eq!(consumer["partitions"][0]["position"], position, "{consumer}");
        assert_eq!(consumer["partitions"][0]["end"], end);
        assert_eq!(consumer["lagSeconds"], seconds);
        assert_eq!(consumer["problem"], Value::Null);
    }
    assert_eq!(progress["consumers"][2]["group"], "analytics-service-archive");
    assert_eq!(progress["consumers"][2]["lagEvents"], end - second_hour);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_parameters_are_named() {
    let bed = Bed::new();
    let running = bed.start();
    for (path, part) in [
        ("/events?seler=x", "'seler' is unknown"),
        ("/events?type=Sold", "one of ProductCreated"),
        ("/events?productId=7", "productId"),
        ("/events?sellerId=a%20b", "sellerId"),
        ("/events?limit=0", "from 1 to"),
        ("/events?cursor=x", "cursor"),
        ("/events?from=yesterday", "RFC 3339"),
        ("/events?from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "must not be after"),
        ("/aggregates?window=week", "minute, hour, day, all"),
        ("/aggregates?by=price", "total, seller, category, product"),
        ("/aggregates?by=product&window=hour", "window=day and window=all"),
        ("/aggregates?window=all&from=2026-01-02T00:00:00Z", "window=all"),
        ("/aggregates?cursor=AAAA", "nextCursor"),
        ("/archive?cursor=AAAA", "nextCursor"),
        ("/rankings?by=total", "one of seller, category, product"),
        ("/rankings?limit=101", "from 1 to 100"),
        ("/summary?seller=x", "'seller' is unknown"),
        ("/progress?x=1", "'x' is unknown"),
    ] {
        let (status, body) = running.call(Method::GET, path).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{path}: {body}");
        assert_eq!(body["code"], "malformed-request", "{path}");
        assert!(body["detail"].as_str().unwrap().contains(part), "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cursor_of_another_query_is_refused() {
    let (_bed, running, _) = history().await;
    let page = running.get("/aggregates?window=hour&by=seller&limit=1").await;
    let cursor = page["nextCursor"].as_str().unwrap();
    let (status, _) =
        running.call(Method::GET, &format!("/aggregates?window=day&by=seller&cursor={cursor}")).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_empty_installation_answers_everything() {
    let bed = Bed::new();
    let running = bed.start();
    running.settle().await;
    for consumer in ["recent", "aggregates"] {
        running.health(consumer, "ok").await;
    }
    let health = running.health("archive", "ok").await;
    assert_eq!(health["status"], "ok", "{health}");
    assert_eq!(running.call(Method::GET, "/readyz").await.0, StatusCode::OK);
    assert_eq!(running.get("/summary").await["products"], 0);
    assert_eq!(running.get("/events").await, json!({"items": [], "nextCursor": null}));
    assert_eq!(running.get("/aggregates").await, json!({"items": [], "nextCursor": null}));
    assert_eq!(running.get("/archive").await, json!({"items": [], "nextCursor": null}));
    assert_eq!(running.flush().await, (StatusCode::OK, json!({"objects": []})));
    let (_, metrics) = running.call(Method::GET, "/metrics").await;
    for name in ["souk_build_info", "souk_consumer_events_total", "souk_archive_objects_total"] {
        assert!(metrics.as_str().unwrap().contains(name), "{name} in {metrics}");
    }
    assert_eq!(bed.records().await.first().map(|record| record.appended_at), None::<Timestamp>);
}
