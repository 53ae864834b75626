//! Latency of creates and lists at 1,000,000 products against 1,000, measured in turns on two installations.

use std::time::{Duration, Instant};

use super::Bench;
use super::http::{self, Connection};
use super::souk::Souk;
use super::stats::{Samples, grouped};
use super::table::Row;

/// Connections that fill an installation.
const FILLERS: usize = 128;
/// Requests of one kind in one turn; short, so that both installations see the same moments.
const TURN: usize = 50;
/// Few sellers, categories and stocks, so that every list fills its page at 1,000 products too: pages of
/// different lengths would not compare.
const SELLERS: usize = 10;
const CATEGORIES: usize = 5;
const STOCKS: usize = 50;
/// How long filling may take.
const FILL_LIMIT: Duration = Duration::from_secs(600);

/// A kind of request.
struct Kind {
    name: &'static str,
    request: fn(usize) -> Vec<u8>,
}

const KINDS: &[Kind] = &[
    Kind { name: "create", request: create },
    Kind { name: "list, newest first", request: |_| get("/products?limit=50") },
    Kind {
        name: "list of a seller",
        request: |n| get(&format!("/products?sellerId=seller{}&limit=50", n % SELLERS)),
    },
    Kind { name: "list by name", request: |_| get("/products?sort=name&limit=50") },
    Kind {
        name: "list of a category by stock",
        request: |n| get(&format!("/products?category=c{}&sort=-stock&limit=50", n % CATEGORIES)),
    },
    Kind { name: "list of what is low", request: |_| get("/products?lowStock=true&limit=50") },
];

fn get(path: &str) -> Vec<u8> {
    http::request("GET", path, None)
}

/// A product unlike its neighbours: names, sellers, categories and stocks are spread.
fn create(number: usize) -> Vec<u8> {
    // Multiplying by an odd number mixes the order, so that index entries do not only ever come at the end.
    let mixed = number.wrapping_mul(2_654_435_761) & 0xffff_ffff;
    let body = format!(
        r#"{{"name":"Product {mixed:08x}","price":99.99,"stock":{},"sellerId":"seller{}","category":"c{}"}}"#,
        mixed / 11 % STOCKS,
        mixed % SELLERS,
        mixed / 7 % CATEGORIES
    );
    http::request("POST", "/products", Some(&body))
}

/// Fills both and measures.
pub fn products(bench: &Bench) -> anyhow::Result<Vec<Row>> {
    let (few, many) = (1_000, if bench.quick { 100_000 } else { 1_000_000 });
    let turns = if bench.quick { 4 } else { 20 };
    let small = Souk::start(bench, "scale-small")?;
    let mut large = Souk::start(bench, "scale-large")?;
    fill(&small, few)?;
    let began = Instant::now();
    fill(&large, many)?;
    eprintln!("  {many} products created in {:.0} s", began.elapsed().as_secs_f64());
    let measured = http::block_on(measure(&small, &large, many, turns))?;
    large.check()?;
    let mut rows = Vec::new();
    for (kind, (mut at_few, mut at_many)) in KINDS.iter().zip(measured) {
        let (ours, base) = (at_many.percentile_ms(50.0), at_few.percentile_ms(50.0));
        let p99 = (at_many.percentile_ms(99.0), at_few.percentile_ms(99.0));
        eprintln!("  {}: {ours:.3} ms against {base:.3}, p99 {:.3} against {:.3}", kind.name, p99.0, p99.1);
        #[expect(clippy::cast_precision_loss, reason = "a count of products")]
        let what = format!("{} at {} products, p50", kind.name, grouped(many as f64));
        rows.push(
            Row::new(what, format!("{ours:.3} ms"))
                .against(format!("{base:.3} ms at 1,000"))
                .at_most(ours / base, 1.2),
        );
    }
    Ok(rows)
}

/// Creates so many products, with names, sellers, categories and stocks spread.
pub fn fill(souk: &Souk, count: usize) -> anyhow::Result<()> {
    let port = souk.api;
    http::block_on(async move {
        let next = std::rc::Rc::new(std::cell::Cell::new(0));
        let fillers: Vec<_> = (0..FILLERS.min(count))
            .map(|_| {
                let next = next.clone();
                tokio::task::spawn_local(async move {
                    let mut connection = Connection::open(port).await?;
                    while next.get() < count {
                        let number = next.replace(next.get() + 1);
                        connection.succeed(&create(number)).await?;
                    }
                    Ok::<_, anyhow::Error>(())
                })
            })
            .collect();
        let all = async {
            for filler in fillers {
                filler.await??;
            }
            Ok(())
        };
        tokio::time::timeout(FILL_LIMIT, all).await?
    })
}

/// Returns for each kind the latencies of the small installation and of the large one.
async fn measure(
    small: &Souk,
    large: &Souk,
    many: usize,
    turns: usize,
) -> anyhow::Result<Vec<(Samples, Samples)>> {
    let mut small = Connection::open(small.api).await?;
    let mut large = Connection::open(large.api).await?;
    let mut measured: Vec<(Samples, Samples)> = KINDS.iter().map(|_| Default::default()).collect();
    // The first turn warms both up.
    for turn in 0..=turns {
        for (kind, samples) in KINDS.iter().zip(&mut measured) {
            for (connection, samples) in [(&mut small, &mut samples.0), (&mut large, &mut samples.1)] {
                for number in 0..TURN {
                    let request = (kind.request)(many + turn * TURN + number);
                    let began = Instant::now();
                    connection.succeed(&request).await?;
                    if turn > 0 {
                        samples.push(began.elapsed());
                    }
                }
            }
        }
    }
    Ok(measured)
}
