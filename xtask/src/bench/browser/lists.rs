//! A large shop: from a filter, a search or a turn of the wheel to what it shows, painted.

use super::{Page, durations};
use crate::bench::Bench;
use crate::bench::scale;
use crate::bench::souk::Souk;
use crate::bench::table::Row;

/// Rounds of each.
const ROUNDS: usize = 15;

/// `timed(act, shown)` acts, waits until `shown` returns true, and returns the milliseconds to the end of that frame.
const TIMED: &str = "
    globalThis.timed = (act, shown) => new Promise((resolve) => {
      const began = performance.now();
      const painted = () => requestAnimationFrame(() => { const channel = new MessageChannel();
        channel.port1.onmessage = () => resolve(performance.now() - began); channel.port2.postMessage(null); });
      const observer = new MutationObserver(() => {
        if (!shown()) return;
        observer.disconnect();
        painted();
      });
      observer.observe(document.body, { childList: true, subtree: true, characterData: true, attributes: true });
      act();
    });
    globalThis.rest = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    globalThis.rows = () => [...document.querySelectorAll('tbody tr.product')];
    globalThis.change = (element, value, type) => {
      element.value = value;
      element.dispatchEvent(new Event(type, { bubbles: true }));
    };";

/// Chooses one category after the other; each row then is of it.
const FILTER: &str = "
    const select = document.querySelector('select[aria-label=Category]');
    const of = (c) => rows().length > 0 && rows().every((row) => row.querySelector('.category').textContent === c);
    (async () => {
      const times = [];
      for (let n = 0; n < ROUNDS; n += 1) {
        const category = `c${n % 5}`;
        times.push(await timed(() => change(select, category, 'change'), () => of(category)));
        await rest(150);
      }
      change(select, '', 'change');
      await rest(300);
      done(times);
    })();";

/// Searches for beginnings of names, each with Enter; typing pauses are the reader's.
const SEARCH: &str = "
    const input = document.querySelector('[data-search]');
    const fits = (word) => rows().length > 0 && rows().every((row) => row.querySelector('th').textContent.includes(` ${word}`));
    (async () => {
      const times = [];
      for (let n = 0; n < ROUNDS; n += 1) {
        const word = (n + 16).toString(16);
        times.push(await timed(() => {
          change(input, word, 'input');
          input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
        }, () => fits(word)));
        await rest(150);
      }
      change(input, '', 'input');
      input.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', bubbles: true }));
      await rest(300);
      done(times);
    })();";

/// Scrolls on by several screens; the row in the middle of the window then is a real one.
const PAGE: &str = "
    const filled = () => Boolean(document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('tr.product'));
    (async () => {
      const times = [];
      for (let n = 0; n < ROUNDS; n += 1) {
        times.push(await timed(() => scrollBy(0, innerHeight * 3), filled));
        await rest(150);
      }
      done(times);
    })();";

/// Measures all three.
pub fn of_a_large_shop(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let products = if bench.quick { 20_000 } else { 100_000 };
    let mut souk = Souk::start(bench, "browser-lists")?;
    scale::fill(&souk, products)?;
    let page = Page::open(&souk)?;
    page.live()?;
    page.until(
        "the categories are known",
        "return document.querySelectorAll('select[aria-label=Category] option').length > 5",
    )?;
    page.script(TIMED)?;
    let mut rows = Vec::new();
    for (what, body) in [("filter", FILTER), ("search, from Enter", SEARCH), ("page on", PAGE)] {
        let found = page.later(&body.replace("ROUNDS", &ROUNDS.to_string()))?;
        let mut samples = durations(&found)?;
        let (p50, most) = (samples.percentile_ms(50.0), samples.percentile_ms(100.0));
        eprintln!("  {what}: {p50:.0} ms, at most {most:.0} ms");
        rows.push(
            Row::new(format!("{products} products: {what}, to painted, p50"), format!("{p50:.0} ms"))
                .against(format!("the slowest of {ROUNDS}: {most:.0} ms"))
                .target("≤ 100 ms", p50 <= 100.0),
        );
    }
    souk.check()?;
    Ok(rows)
}
