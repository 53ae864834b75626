//! The first visit: what is loaded until the products page can be used, and how long that takes.

use std::time::Duration;

use anyhow::Context as _;

use super::Page;
use crate::bench::Bench;
use crate::bench::http::{self, Connection};
use crate::bench::scale;
use crate::bench::souk::Souk;
use crate::bench::stats::median;
use crate::bench::table::Row;

/// Visits, each with a profile that has never been here.
const VISITS: usize = 5;
/// Products of the shop: more than a page.
const PRODUCTS: usize = 1_000;

/// How long a browser is left alone once it runs: a new one has pages of its own to put up, and whoever opens the dashboard
/// has waited for those before.
const SETTLES: Duration = Duration::from_secs(3);

/// What was loaded before the page could be used, as it came over the wire: the page, its files and its settings, and the
/// module of the SharedWorker that holds the stream, which no page has in its own list. Data is the shop's.
const LOADED: &str = r#"
    const ready = performance.getEntriesByName('souk-ready')[0].startTime;
    const [page] = performance.getEntriesByType('navigation');
    const ours = (r) => r.name.startsWith(location.origin + '/assets/') || r.name === location.origin + '/config.json';
    const loaded = performance.getEntriesByType('resource').filter((r) => ours(r) && r.responseEnd <= ready);
    const sizes = loaded.map((r) => r.encodedBodySize);
    const worker = document.querySelector('script[type=module]').src.replace(/main\.js$/, 'stream/worker.js');
    const read = async () => {
      await (await fetch(worker, {cache: 'reload'})).text();
      sizes.push(performance.getEntriesByName(worker).at(-1).encodedBodySize);
      return [ready, sizes.reduce((sum, size) => sum + size, page.encodedBodySize), sizes.length + 1];
    };
    return read();"#;

/// Measures both.
pub fn first_visit(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut souk = Souk::start(bench, "browser-load")?;
    scale::fill(&souk, PRODUCTS)?;
    let (mut times, mut bytes) = (Vec::new(), 0.0_f64);
    for visit in 0..VISITS {
        let page = Page::blank()?;
        std::thread::sleep(SETTLES);
        page.visit(&souk)?;
        let found = page.script(LOADED)?;
        let number = |at: usize| found[at].as_f64().context("the page tells no figures");
        times.push(number(0)?);
        bytes = bytes.max(number(1)?);
        eprintln!(
            "  visit {}: {:.0} ms, {:.1} kB in {} files",
            visit + 1,
            times[visit],
            bytes / 1e3,
            found[2]
        );
    }
    souk.check()?;
    let (time, kilobytes) = (median(&times), bytes / 1e3);
    // What a page costs that does nothing: the browser's own part.
    let empty = empty_round_trip(&souk)?;
    Ok(vec![
        Row::new("first load of the products page and its worker, compressed", format!("{kilobytes:.1} kB"))
            .target("≤ 80 kB", kilobytes <= 80.0),
        Row::new("page usable after navigation, new profile, median of 5", format!("{time:.0} ms"))
            .against(format!("a request of config.json {empty:.2} ms"))
            .target("≤ 300 ms", time <= 300.0),
    ])
}

fn empty_round_trip(souk: &Souk) -> anyhow::Result<f64> {
    let port = souk.web;
    http::block_on(async move {
        let mut connection = Connection::open(port).await?;
        let request = http::request("GET", "/config.json", None);
        let mut times = Vec::new();
        for _ in 0..20 {
            let began = std::time::Instant::now();
            connection.succeed(&request).await?;
            times.push(began.elapsed().as_secs_f64() * 1e3);
        }
        Ok(median(&times))
    })
}
