//! `souk load` finds the installation that it is told of.

use serde_json::json;

use crate::support::{Start, run_souk};

/// A shop of two products, one of which comes back.
const LINES: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,Country
536365,85123A,LANTERN,6,2010-12-01T08:26:00,2.55,United Kingdom
536365,71053,LAMP,2,2010-12-01T08:26:00,3.39,United Kingdom
C536379,85123A,LANTERN,-1,2010-12-01T09:41:00,2.55,United Kingdom
536381,71053,LAMP,4,2010-12-01T09:45:00,3.39,United Kingdom
";

#[test]
fn a_monolith_is_found_by_its_api_alone() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    std::fs::write(folder.path().join("lines.csv"), LINES).expect("room for four lines");
    let souk = Start::new(folder.path()).monolith().start();
    let api = format!("http://127.0.0.1:{}", souk.ports.api);
    let loaded = run_souk(folder.path(), &["load", "--api", &api, "--data", "lines.csv", "--json"], &[]);
    assert_eq!(loaded.code, Some(0), "{}{}", loaded.stdout, loaded.stderr);
    let verdict = loaded.json();
    assert_eq!(verdict["faults"], json!([]));
    assert_eq!((&verdict["products"], &verdict["lines"]), (&json!(2), &json!(4)), "{verdict:#}");
    assert_eq!(
        verdict["proof"]["writesAcknowledged"], 6,
        "its own stream and events were compared: {verdict:#}"
    );

    // Where the setting of the port alone says where it is, too.
    let port = souk.ports.api.to_string();
    let again = run_souk(folder.path(), &["load", "--data", "lines.csv", "--json"], &[("API_PORT", &port)]);
    assert_eq!(again.code, Some(0), "{}{}", again.stdout, again.stderr);
    assert_eq!(again.json()["continued"], true);
}
