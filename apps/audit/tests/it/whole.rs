//! Installations where nothing is wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use souk_audit::{Check, Progress, audit};
use souk_conformance::Dice;

use crate::installation::{Running, Standing, config, trade};

#[tokio::test]
async fn a_whole_installation_has_no_difference() {
    let standing = Standing::new();
    let report = standing.audit().await;
    assert!(report.ok, "{report}");
    assert_eq!(report.events, u64::try_from(standing.number("SELECT count(*) FROM events")).unwrap());
    assert_eq!(report.logged_events, report.events);
    assert_eq!(report.products, u64::try_from(standing.number("SELECT count(*) FROM products")).unwrap());
    assert_eq!(
        report.deleted_products,
        u64::try_from(standing.number("SELECT count(*) FROM tombstones")).unwrap()
    );
    assert_eq!(report.objects as usize, standing.objects().len());
    assert!(report.archived_events > 100 && report.items > 50);
    for result in &report.checks {
        assert!(result.compared > 0, "{:?} compared nothing", result.check);
    }
    assert!(report.to_string().ends_with("no difference: catalog, log, aggregates and archive are equal\n"));
}

#[tokio::test]
async fn an_empty_installation_has_no_difference() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(folder.path());
    let report = audit(&running.deps(), &config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!((report.events, report.products, report.objects, report.items), (0, 0, 0, 0));
    running.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_installation_has_no_difference() {
    const AUDITS: usize = 15;
    /// Between two trades of a trader: an audit takes as long as there are events, and on a quick disk there would be more and more.
    const PACE: Duration = Duration::from_millis(50);
    let folder = tempfile::tempdir().unwrap();
    let running = Running::open(folder.path());
    let stop = Arc::new(AtomicBool::new(false));
    let mut traders = Vec::new();
    for seed in 0..4 {
        let (catalog, stopped) = (running.store.catalog(), stop.clone());
        traders.push(tokio::spawn(async move {
            let (mut dice, mut ids) = (Dice::new(seed), Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                trade(&*catalog, &mut dice, &mut ids, 20).await;
                tokio::time::sleep(PACE).await;
            }
        }));
    }
    let mut last = 0;
    for round in 0..AUDITS {
        if round % 3 == 2 {
            running.flush().await;
        }
        let report = audit(&running.deps(), &config(), |_| {}).await.unwrap();
        assert!(report.ok, "audit {round}: {report}");
        assert!(report.events >= last);
        last = report.events;
    }
    stop.store(true, Ordering::Relaxed);
    for trader in traders {
        trader.await.unwrap();
    }
    running.flush().await;
    running.counted().await;
    let report = audit(&running.deps(), &config(), |_| {}).await.unwrap();
    assert!(report.ok, "{report}");
    assert_eq!(report.archived_events, report.events);
    running.close().await;
}

/// Retention takes events from the log that the archive holds; both together are still the whole history.
#[tokio::test]
async fn a_trimmed_log_has_no_difference() {
    let standing = Standing::new();
    let events = standing.audit().await.events;
    standing.sql(&format!("DELETE FROM events WHERE \"offset\" < {}", standing.archive_end() - 20));
    let report = standing.audit().await;
    assert!(report.ok, "{report}");
    assert_eq!(report.events, events);
    assert!(report.logged_events < events);
}

#[tokio::test]
async fn progress_grows_to_its_total() {
    let standing = Standing::new();
    let running = Running::open(standing.folder.path());
    let mut told: Vec<Progress> = Vec::new();
    let report = audit(&running.deps(), &config(), |progress| told.push(progress)).await.unwrap();
    let last = told.last().expect("there is a last word");
    assert_eq!((last.events, last.total), (report.events, report.events));
    running.close().await;
}

#[tokio::test]
async fn a_report_is_plain_json() {
    let report = Standing::new().audit().await;
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["ok"], true);
    assert_eq!(json["differencesTotal"], 0);
    assert_eq!(json["checks"][0]["check"], "archive-objects");
    assert_eq!(json["checks"].as_array().unwrap().len(), Check::ALL.len());
    assert_eq!(json["archivedEvents"], report.archived_events);
}
