//! `cargo xtask migration-drill`: a shop moves from an old system to souk and back and over again, under load, and every
//! row is accounted for.
//!
//! | module | is |
//! |---|---|
//! | `keys` | what a row of the old table is called there, and in souk |
//! | `old` | the old system: a Postgres with the table that most shops come with, filled from real transactions |
//! | `book` | who wrote what on which side, kept by the writers themselves, and held against both sides |
//! | `steps` | `souk migrate …` as an operator takes it, timed, with the memory that it took |
//! | `report` | the table at the end |

mod book;
mod keys;
mod old;
mod report;
mod steps;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use serde_json::Value;
use souk_servers::{Kind, Options, Scratch, Servers};

use crate::bench::{cleanup, souk};
use book::Book;
use keys::Keys;
use old::OldShop;
use report::Report;
use steps::Operator;

/// Moves a shop from an old system to souk, back and over again, under load, and proves that nothing is lost.
#[derive(clap::Args)]
#[command(
    after_help = "Examples:\n  cargo xtask migration-drill\n  cargo xtask migration-drill --rows 1000000\n  \
                        cargo xtask migration-drill --keys integer\n  \
                        cargo xtask migration-drill --on distributed --data online-retail.csv.gz"
)]
pub struct Args {
    /// Rows of the old table: the real products, each as often as it takes.
    #[arg(long, value_name = "NUMBER", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(100..))]
    rows: u32,
    /// What the old table has for keys.
    #[arg(long, value_enum, default_value_t = Keys::Uuid)]
    keys: Keys,
    /// Where souk keeps the shop.
    #[arg(long, value_enum, default_value_t = Engines::Embedded)]
    on: Engines,
    /// Writes per second of the old system, all the while that it may write.
    #[arg(long, value_name = "NUMBER", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    writes: u32,
    /// The transactions that the products come from, .csv or .csv.gz [default: the sample in the repository]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Drills this binary in place of building one.
    #[arg(long, value_name = "FILE")]
    souk: Option<PathBuf>,
    /// Prints the table as JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Engines {
    /// In a folder: SQLite and files.
    Embedded,
    /// On servers: Postgres, Kafka, DynamoDB Local, MinIO.
    Distributed,
}

/// How long what has to come is waited for before the drill has failed.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often the way from one side to the other is timed.
const LOOKS: usize = 9;
/// How long the old system is left at work before it is timed and turned.
const BUSY: Duration = Duration::from_secs(5);
/// Sales through souk's own api while it keeps the products.
const SALES: usize = 500;

/// Drills; returns whether both sides agreed at each stop and with what the writers know.
///
/// # Errors
/// When a step cannot be taken, or what it found stops the drill; names what it said.
pub fn run(args: &Args) -> anyhow::Result<bool> {
    cleanup::on_signals()?;
    let binary = match &args.souk {
        Some(path) => path.canonicalize().with_context(|| format!("cannot find {}", path.display()))?,
        None => souk::build()?,
    };
    let scratch = Scratch::on_disk("drill")?;
    let kinds = match args.on {
        Engines::Embedded => &Kind::ALL[..1],
        Engines::Distributed => &Kind::ALL[..],
    };
    eprintln!("starting {}", kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "));
    let servers = Servers::start(&scratch.folder("servers"), kinds, |kind| Options {
        optimised: true,
        in_memory: kind == Kind::Dynamo,
        ..Options::default()
    })?;
    let old = OldShop::new(&servers, args.keys)?;
    let products = old.fill(args.rows, args.data.as_deref())?;
    eprintln!("{} rows of {products} real products in the old table", args.rows);

    let settings = match args.on {
        Engines::Embedded => Vec::new(),
        Engines::Distributed => servers.env(),
    };
    let souk = souk::Souk::start_with(&binary, &folder(&scratch, "souk")?, &settings)?;
    let operator = Operator::new(&binary, folder(&scratch, "operator")?, &old, &souk, settings)?;
    let book = Book::begin(&old, &souk, args.writes)?;
    let mut drill = Drill { operator, book, souk, report: Report::default() };
    drill.through()?;
    let report = drill.end()?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{report}");
    }
    Ok(report.ok() && report.is_quick())
}

fn folder(scratch: &Scratch, name: &str) -> anyhow::Result<PathBuf> {
    let folder = scratch.folder(name);
    std::fs::create_dir(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

struct Drill {
    operator: Operator,
    book: Book,
    souk: souk::Souk,
    report: Report,
}

impl Drill {
    /// Plan, backup, copy, over, back, over, and the end.
    fn through(&mut self) -> anyhow::Result<()> {
        let (plan, decided) = self.operator.plan()?;
        self.report.step("plan", &plan, format!("kinds of faults decided: {decided}"));
        let backup = self.operator.step("backup", &["--into", "backup"])?;
        self.report.step(
            "backup",
            &backup,
            "the old database, the settings, and souk's own state".to_owned(),
        );
        let restore = self.operator.step("restore", &["--from", "backup"])?;
        self.report.step("restore", &restore, "into a scratch database: the same rows".to_owned());
        let copy = self.operator.step("copy", &[])?;
        self.report.step("copy", &copy, format!("{} products changed", copy.json["changed"]));

        let follow = self.operator.follow()?;
        std::thread::sleep(BUSY);
        let lag = self.book.old_to_souk(LOOKS)?;
        self.report.note("follow", lag, "from a write in the old table to souk, median".to_owned());
        self.turn("cutover", follow)?;

        let load = self.operator.load(&self.souk)?;
        let said = format!("{} transactions through souk, nothing lost", load.json["lines"]);
        self.report.step("load on souk", &load, said);
        let follow = self.operator.follow()?;
        let sold = self.book.sell_on_souk(SALES)?;
        let lag = self.book.souk_to_old(LOOKS)?;
        let what = format!("from a write in souk to the old table, median; {sold} sales");
        self.report.note("follow, back", lag, what);
        self.turn("rollback", follow)?;

        let follow = self.operator.follow()?;
        std::thread::sleep(BUSY);
        let lag = self.book.old_to_souk(LOOKS)?;
        self.report.note("follow", lag, "again".to_owned());
        self.turn("cutover", follow)?;
        let sold = self.book.sell_on_souk(SALES)?;
        // What was written since the cut-over goes back before the last comparison.
        let follow = self.operator.follow()?;
        self.book.souk_to_old(1)?;
        let check = self.operator.check(&self.souk)?;
        let criteria = check.json["criteria"].as_array().map_or(0, Vec::len);
        self.report.step("check", &check, format!("{criteria} criteria looked at, none that does not hold"));
        follow.end()?;
        let finish = self.operator.step("finish", &[])?;
        self.report.step("finish", &finish, format!("{sold} more sales; the old table is left as it is"));
        Ok(())
    }

    /// Turns the direction under load, and holds the book against both sides.
    fn turn(&mut self, step: &str, follow: steps::Following) -> anyhow::Result<()> {
        follow.end()?;
        let turned = self.operator.step(step, &["--within", "120s"])?;
        if step == "cutover" {
            self.book.wait_until_shut_out()?;
        }
        let entries = self.book.is_true_on_both_sides()?;
        self.report.step(
            step,
            &turned,
            format!("{entries} rows of the writers' book are right on both sides"),
        );
        if step == "rollback" {
            self.book.work();
        }
        Ok(())
    }

    /// Stops souk, audits it, and sums up.
    fn end(self) -> anyhow::Result<Report> {
        let Self { operator, book, souk, mut report } = self;
        let (old, new, refused) = book.end()?;
        drop(souk);
        let began = Instant::now();
        let audit = operator.audit()?;
        let events = audit["events"].as_u64().unwrap_or_default();
        report.audit(&audit, began.elapsed(), events);
        report.sums(old, new, refused);
        Ok(report)
    }
}

/// Waits for something that has to come, looking often.
fn wait_for<T>(
    what: &str,
    mut look: impl FnMut() -> anyhow::Result<Option<T>>,
) -> anyhow::Result<(T, Duration)> {
    let began = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok((found, began.elapsed()));
        }
        if began.elapsed() > PATIENCE {
            bail!("{what} did not come within {} s", PATIENCE.as_secs());
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

/// Reads the JSON that a command printed.
fn read_json(what: &str, bytes: &[u8]) -> anyhow::Result<Value> {
    serde_json::from_slice(bytes)
        .with_context(|| format!("{what} printed no JSON: {}", String::from_utf8_lossy(bytes).trim()))
}

/// Where the repository has its sample.
fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../apps/load/sample/online-retail.csv.gz")
}
