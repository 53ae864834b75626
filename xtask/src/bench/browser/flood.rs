//! 2,000 events a second for minutes: how long the page is deaf at most, and whether it grows.

use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::Page;
use crate::bench::Bench;
use crate::bench::http::{self, Connection};
use crate::bench::souk::Souk;
use crate::bench::table::Row;

/// Events of an order, and the time from one to the next.
const LINES: usize = 100;
const PERIOD: Duration = Duration::from_millis(50);
/// Products that are sold.
const PRODUCTS: usize = 200;
/// Until the page has everything that it keeps.
const WARM: Duration = Duration::from_secs(20);

/// Longest task that nobody notices as a stop.
const LONG_MS: f64 = 200.0;

const WATCH: &str = "
    globalThis.longest = 0;
    globalThis.tasks = 0;
    new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) {
        tasks += 1;
        longest = Math.max(longest, duration);
      }
    }).observe({ entryTypes: ['longtask'] });";

/// Measures both on one page.
pub fn for_minutes(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let lasts = Duration::from_secs(if bench.quick { 30 } else { 600 });
    let mut souk = Souk::start(bench, "browser-flood")?;
    let ids = products(souk.api)?;
    let page = Page::open(&souk)?;
    page.live()?;
    page.script(WATCH)?;
    let api = souk.api;
    let seller = std::thread::spawn(move || sell(api, &ids, WARM + lasts));
    std::thread::sleep(WARM);
    let before = page.heap()?;
    // The collection itself is a long task, and nobody else's.
    page.script("longest = 0; tasks = 0;")?;
    let rate = seller.join().ok().context("the seller panicked")??;
    let found = page.script("return [longest, tasks, document.querySelectorAll('*').length]")?;
    let after = page.heap()?;
    souk.check()?;
    let longest = found[0].as_f64().context("the page tells no figures")?;
    let grown = (after / before - 1.0) * 100.0;
    eprintln!(
        "  {rate:.0} events/s for {} s: longest task {longest:.0} ms, {} over 50 ms, {} elements, heap {:.1} to {:.1} MB",
        lasts.as_secs(),
        found[1],
        found[2],
        before / 1e6,
        after / 1e6
    );
    let what = format!("{rate:.0} events/s for {} s", lasts.as_secs());
    Ok(vec![
        Row::new(format!("{what}: longest task of the page"), format!("{longest:.0} ms"))
            .target(format!("≤ {LONG_MS} ms"), longest <= LONG_MS),
        Row::new(format!("{what}: growth of its heap"), format!("{grown:.1} %"))
            .against(format!("{:.1} MB after {} s", before / 1e6, WARM.as_secs()))
            .target("≤ 10 %", grown <= 10.0),
    ])
}

fn products(api: u16) -> anyhow::Result<Vec<String>> {
    http::block_on(async move {
        let mut connection = Connection::open(api).await?;
        let mut ids = Vec::new();
        for number in 0..PRODUCTS {
            let body = format!(
                r#"{{"name":"Lantern {number:03}","price":1,"stock":1000000000,"sellerId":"seller{}"}}"#,
                number % 5
            );
            let created = connection.succeed(&http::request("POST", "/products", Some(&body))).await?;
            let created: serde_json::Value = serde_json::from_slice(created)?;
            ids.push(created["id"].as_str().context("a product has an id")?.to_owned());
        }
        Ok(ids)
    })
}

/// Sells one piece with each line for as long as told; returns how many events a second that were.
fn sell(api: u16, ids: &[String], lasts: Duration) -> anyhow::Result<f64> {
    http::block_on(async move {
        let mut connection = Connection::open(api).await?;
        let (began, mut orders) = (Instant::now(), 0_u32);
        while began.elapsed() < lasts {
            tokio::time::sleep_until((began + PERIOD * orders).into()).await;
            let lines: Vec<String> = (0..LINES)
                .map(|line| {
                    let id = &ids[(orders as usize * 37 + line) % ids.len()];
                    format!(r#"{{"productId":"{id}","delta":-1,"reason":"sale"}}"#)
                })
                .collect();
            let body = format!(r#"{{"items":[{}]}}"#, lines.join(","));
            connection.succeed(&http::request("POST", "/stock-adjustments", Some(&body))).await?;
            orders += 1;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of lines")]
        let lines = LINES as f64;
        Ok(f64::from(orders) * lines / began.elapsed().as_secs_f64())
    })
}
