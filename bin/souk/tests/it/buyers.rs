//! One unit and many who want it, each on a connection of its own.

use std::sync::Barrier;

use serde_json::Value;

use crate::support::{Client, Souk};

const BUYERS: usize = 200;

#[test]
fn of_200_buyers_exactly_one_gets_the_last_unit() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let souk = Souk::start(folder.path());
    let mut stream = souk.stream("");
    let product = r#"{"name":"The last one","price":5,"stock":1,"sellerId":"seller1","lowStockThreshold":0}"#;
    let created = souk.api().post("/products", product).json();
    let id = created["id"].as_str().expect("an id").to_owned();
    let path = format!("/products/{id}/stock-adjustments");
    let start = Barrier::new(BUYERS);
    let answers: Vec<(u16, Value)> = std::thread::scope(|scope| {
        let buy = |_| {
            scope.spawn(|| {
                let mut client = Client::new(souk.ports.api);
                // The connection is open before anybody buys.
                assert_eq!(client.get("/livez").status, 200);
                start.wait();
                let reply = client.post(&path, r#"{"delta":-1,"reason":"sale"}"#);
                (reply.status, reply.json())
            })
        };
        let buyers: Vec<_> = (0..BUYERS).map(buy).collect();
        buyers.into_iter().map(|buyer| buyer.join().expect("a buyer is answered")).collect()
    });
    let (won, lost): (Vec<_>, Vec<_>) = answers.into_iter().partition(|(status, _)| *status == 200);
    assert_eq!(won.len(), 1);
    assert_eq!((&won[0].1["previousStock"], &won[0].1["product"]["stock"]), (&1.into(), &0.into()));
    for (status, problem) in lost {
        assert_eq!((status, &problem["code"]), (409, &"insufficient-stock".into()), "{problem}");
        assert_eq!((&problem["stock"], &problem["productId"]), (&0.into(), &id.as_str().into()), "{problem}");
    }
    let left = souk.api().get(&format!("/products/{id}")).json();
    assert_eq!((&left["stock"], &left["version"]), (&0.into(), &2.into()));
    // The log says the same: one sale, and what comes after it is the next write.
    souk.api().call("DELETE", &format!("/products/{id}"), &[], None);
    let types: Vec<Value> = (0..3).map(|_| stream.next_event().json()["type"].clone()).collect();
    assert_eq!(types, ["ProductCreated", "ProductUpdated", "ProductDeleted"]);
}
