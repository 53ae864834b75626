//! From the POST in one browser to the row on the screen of another, at a steady rate.

use super::{Page, durations};
use crate::bench::Bench;
use crate::bench::souk::Souk;
use crate::bench::table::Row;

/// Writes a second.
const RATE: u32 = 50;

/// Stands for a row that was never painted: others had pushed it below the screen before the next frame.
const NEVER_MS: u32 = 60_000;

/// Notes for each new row when it was painted: after the frame in which it came into the document. The page changes it
/// within a frame's own callbacks, which that frame paints; what is changed at another time, the next one does.
const WATCH: &str = "
    globalThis.painted = {};
    const seen = new Set();
    const afterwards = (what) => { const channel = new MessageChannel();
      channel.port1.onmessage = what;
      channel.port2.postMessage(null); };
    let framing = false;
    const next = requestAnimationFrame.bind(globalThis);
    globalThis.requestAnimationFrame = (what) => next((time) => {
      framing = true;
      afterwards(() => (framing = false));
      what(time);
    });
    new MutationObserver(() => {
      for (const { textContent: name } of document.querySelectorAll('tbody th')) {
        if (!name.startsWith('write ') || seen.has(name)) continue;
        seen.add(name);
        const note = () => afterwards(() => (painted[name] = performance.timeOrigin + performance.now()));
        if (framing) note(); else next(note);
      }
    }).observe(document.body, { childList: true, subtree: true, characterData: true });";

/// Measures it, with a browser for each side.
pub fn post_to_row(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let mut souk = Souk::start(bench, "browser-row")?;
    let writes = RATE * if bench.quick { 4 } else { 20 };
    let (writer, reader) = (Page::open(&souk)?, Page::open(&souk)?);
    reader.live()?;
    reader.script(WATCH)?;
    let sent = writer.later(&write(souk.api, writes))?;
    let sent_again = sent.to_string();
    // Rows of the very first writes warm everything up and are not counted.
    let warm = RATE;
    let last = writes - 1;
    reader.until("the last row is painted", &format!("return 'write {last}' in painted"))?;
    let found = reader.script(&format!(
        "const sent = {sent_again};
         const took = sent.map((at, n) => (painted[`write ${{n}}`] ?? Infinity) - at).slice({warm});
         return took.map((ms) => Math.min(ms, {NEVER_MS}))"
    ))?;
    souk.check()?;
    let mut samples = durations(&found)?;
    let (p50, p99) = (samples.percentile_ms(50.0), samples.percentile_ms(99.0));
    eprintln!("  {} rows: p50 {p50:.1} ms, p99 {p99:.1} ms", samples.len());
    let row = |what: &str, ours: f64, most: f64| {
        Row::new(
            format!("POST in one browser to the row in another, 50 writes/s, {what}"),
            format!("{ours:.0} ms"),
        )
        .target(format!("≤ {most} ms"), ours <= most)
    };
    Ok(vec![row("p50", p50, 50.0), row("p99", p99, 150.0)])
}

/// Returns the body that creates products at the rate, and hands over when each was asked for.
fn write(api: u16, writes: u32) -> String {
    format!(
        "const sent = [];
         const began = performance.now();
         const one = (n) => {{
           sent[n] = performance.timeOrigin + performance.now();
           return fetch('http://localhost:{api}/products', {{
             method: 'POST', headers: {{ 'Content-Type': 'application/json' }},
             body: JSON.stringify({{ name: `write ${{n}}`, price: 1, stock: 9, sellerId: 'writer' }}),
           }});
         }};
         (async () => {{
           const answers = [];
           for (let n = 0; n < {writes}; n += 1) {{
             const due = began + (n * 1000) / {RATE} - performance.now();
             if (due > 0) await new Promise((resolve) => setTimeout(resolve, due));
             answers.push(one(n));
           }}
           await Promise.all(answers);
           done(sent);
         }})();"
    )
}
