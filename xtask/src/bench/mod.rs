//! `cargo xtask bench`: measures souk against its peers and its limits, and prints a table.
//!
//! Every ratio is of one run: souk and its peer are measured in turns on this machine, with the load generator
//! beside them. Servers listen on loopback, in folders of their own that are removed at the end, after Ctrl-C too.
//!
//! To add a measurement: a function that takes [`Bench`] and returns [`Row`]s, and an entry in [`MEASUREMENTS`].

mod archive;
mod browser;
pub mod cleanup;
mod distributed;
mod fanout;
pub mod http;
mod http_load;
mod latency;
mod load;
mod memory;
mod migrate;
mod nchan;
pub mod peers;
mod pocketbase;
mod postgres;
mod readers;
mod scale;
pub mod souk;
mod start;
pub mod stats;
mod table;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};

use table::Row;

/// Measures souk against its peers and its limits.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask bench\n  cargo xtask bench --distributed\n  cargo xtask bench --browser\n  cargo xtask bench --quick --only creates fanout\n  \
                        cargo xtask bench --only load --data online-retail.csv.gz"
)]
pub struct Args {
    /// Measures the distributed engines: Postgres, Kafka, DynamoDB Local and MinIO, which it starts itself.
    #[arg(long)]
    distributed: bool,
    /// Measures the dashboard in a real browser.
    #[arg(long, conflicts_with = "distributed")]
    browser: bool,
    /// Only these measurements.
    #[arg(long, value_name = "NAME", num_args = 1.., value_delimiter = ',')]
    only: Vec<String>,
    /// Short rounds: to see that everything runs, not to quote.
    #[arg(long)]
    quick: bool,
    /// Prints the table as JSON.
    #[arg(long)]
    json: bool,
    /// The transactions for `load`, .csv or .csv.gz; without it the sample inside the binary.
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Where the servers' folders are made; put it on the disk that is meant.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Measures this binary in place of building one.
    #[arg(long, value_name = "FILE")]
    souk: Option<PathBuf>,
}

/// What every measurement needs.
pub struct Bench {
    /// The binary to measure.
    souk: PathBuf,
    quick: bool,
    data: Option<PathBuf>,
    scratch: cleanup::Scratch,
    /// The distributed engines' servers, once one is needed.
    bed: std::cell::OnceCell<distributed::Bed>,
}

impl Bench {
    /// Returns how long one round of load lasts.
    fn round(&self) -> Duration {
        Duration::from_secs(if self.quick { 3 } else { 10 })
    }

    /// Returns how often souk and a peer take turns.
    fn rounds(&self) -> usize {
        if self.quick { 1 } else { 3 }
    }
}

type Measurement = fn(&Bench) -> anyhow::Result<Vec<Row>>;

/// Every measurement, in the order of the table.
const MEASUREMENTS: &[(&str, Measurement)] = &[
    ("creates", http_load::creates),
    ("pocketbase", pocketbase::creates),
    ("load", load::replay),
    ("fanout", fanout::saturated),
    ("latency", latency::post_to_frame),
    ("readers", memory::idle_readers),
    ("scale", scale::products),
    ("start", start::start),
    ("archive", archive::encode),
    ("migrate", migrate::copy),
];

/// Every measurement of the distributed engines, in the order of the table.
const DISTRIBUTED: &[(&str, Measurement)] = &[
    ("creates", distributed::creates::against_pgbench),
    ("relay", distributed::relay::against_a_producer),
    ("latency", distributed::latency::post_to_frame),
    ("archive", distributed::archive::against_counting),
    ("backlog", distributed::relay::with_a_backlog),
    ("memory", distributed::memory::each_service),
];

/// Every measurement of the dashboard, in the order of the table.
const BROWSER: &[(&str, Measurement)] = &[
    ("load", browser::load::first_visit),
    ("row", browser::row::post_to_row),
    ("lists", browser::lists::of_a_large_shop),
    ("flood", browser::flood::for_minutes),
];

/// Measures and prints.
///
/// # Errors
/// When a measurement cannot be made; goals that are not reached are rows of the table, not errors.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    let measurements = match (args.distributed, args.browser) {
        (true, _) => DISTRIBUTED,
        (_, true) => BROWSER,
        _ => MEASUREMENTS,
    };
    let known: Vec<&str> = measurements.iter().map(|(name, _)| *name).collect();
    if let Some(wrong) = args.only.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no measurement {wrong:?}; there are {}", known.join(", "));
    }
    if cfg!(debug_assertions) {
        return run_optimised();
    }
    cleanup::on_signals()?;
    let souk = match &args.souk {
        Some(path) => path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?,
        None => souk::build()?,
    };
    let data = match &args.data {
        Some(path) => Some(path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?),
        None => None,
    };
    let scratch = cleanup::Scratch::new(args.dir.as_deref())?;
    let bench = Bench { souk, quick: args.quick, data, scratch, bed: std::cell::OnceCell::new() };
    let (mut rows, mut whole) = (Vec::new(), true);
    for (name, measure) in measurements {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == name) {
            continue;
        }
        eprintln!("{name}:");
        match measure(&bench) {
            Ok(measured) => rows.extend(measured),
            Err(error) => {
                eprintln!("  {name} could not be measured: {error:#}");
                rows.push(Row::missing(*name, &format!("{error:#}")));
                whole = false;
            }
        }
    }
    if args.json {
        println!("{}", serde_json::to_string_pretty(&rows)?);
    } else {
        print!("{}", table::render(&rows));
    }
    Ok(whole)
}

/// Runs the same command in a release build: a slow client would measure itself.
fn run_optimised() -> anyhow::Result<bool> {
    let status = crate::cargo::command()
        .args(["run", "--release", "--quiet", "--package", "xtask", "--"])
        .args(std::env::args_os().skip(1))
        .status()
        .context("could not run cargo")?;
    Ok(status.success())
}
