//! `souk load`: replays the transactions of a real shop through the public API while it listens to the event
//! stream, and then proves that nothing was lost or doubled and that stock is right to the unit.
//!
//! [`run`] takes a [`LoadConfig`] and returns a [`Verdict`]. A fault that the proof finds is part of the verdict;
//! a [`LoadError`] means that no verdict could be reached.
//!
//! - `shop` maps the transactions to products, lines and orders.
//! - `schedule` lets many orders be in flight while the lines of one product keep their order.
//! - `requests` writes what is sent, over `souk-client`.
//! - `targets` finds the services; `opening` and `replay` write; `stream` listens; `ledger` holds what was acknowledged and what was seen;
//!   `prove` compares.

mod config;
mod histogram;
mod ledger;
mod offsets;
mod opening;
mod progress;
mod prove;
mod replay;
mod requests;
mod schedule;
mod shop;
mod stream;
mod targets;
mod verdict;

use std::sync::Arc;
use std::time::Instant;

pub use config::{LoadConfig, LoadError};
pub use progress::{Phase, Progress, Step};
pub use shop::{Shop, ShopLine, ShopOrder, ShopProduct};
pub use verdict::{Fault, FaultKind, Latency, ProofFigures, StreamFigures, Verdict};

use souk_client::{Client, Target};

use ledger::{Ledger, SharedLedger};

/// Replays the shop and proves the outcome.
///
/// # Errors
/// [`LoadError::Data`] when the transactions cannot be read, [`LoadError::Setting`] when a URL is not usable,
/// [`LoadError::Unreachable`] when a service cannot be reached, at the start or for longer than
/// [`LoadConfig::patience`] later.
pub async fn run(config: LoadConfig) -> Result<Verdict, LoadError> {
    let progress = Progress::new(config.progress);
    run_watched(config, progress).await
}

/// Tells whether the shop at `config.api` has no products.
///
/// # Errors
/// [`LoadError::Setting`] when the URL is not usable, [`LoadError::Unreachable`] when the api does not answer within
/// [`LoadConfig::patience`].
pub async fn shop_is_empty(config: &LoadConfig) -> Result<bool, LoadError> {
    #[derive(serde::Deserialize)]
    struct Products {
        items: Vec<serde::de::IgnoredAny>,
    }
    let mut client = Client::new(Target::parse("api", &config.api)?, config.patience);
    client.get("/products?limit=1").await?;
    let products: Products = opening::read(&client, "GET /products")?;
    Ok(products.items.is_empty())
}

/// As [`run`], with progress that the caller reads.
///
/// # Errors
/// As for [`run`].
pub async fn run_watched(config: LoadConfig, progress: Progress) -> Result<Verdict, LoadError> {
    config.validate()?;
    let shop = Arc::new(Shop::read(config.data.as_deref(), config.lines_per_request)?);
    let targets = targets::find(&config).await?;

    let ledger: SharedLedger = Arc::new(Ledger::new().into());
    let stream = stream::Reader::start(targets.stream.clone(), ledger.clone(), config.patience).await?;
    let mut analytics = Client::new(targets.analytics.clone(), config.patience);
    let archived_before = prove::flush_archive(&mut analytics, &stream.started_at).await?;

    let run = uuid::Uuid::now_v7().simple().to_string();
    let started = Instant::now();
    progress.begin(Phase::Opening, shop.products.len());
    let mut opening = opening::open_shop(&shop, &targets.api, &config, &run, &ledger, &progress).await?;
    progress.begin(Phase::Replay, shop.lines.len());
    let products = std::mem::take(&mut opening.products);
    let replay = replay::replay(&shop, products, &targets.api, &config, &run, &ledger, &progress).await?;
    let wrote = Instant::now();

    progress.begin(Phase::Proof, replay.adjustments);
    let caught_up = stream.catch_up(config.settle).await?;
    let recent = prove::recent(&mut analytics, &ledger, config.settle).await?;
    let archive = prove::archive(&mut analytics, &archived_before, &stream, config.settle, &ledger).await?;
    prove::stock(&targets.api, &config, &ledger).await?;
    let stream_figures = stream.stop().await;
    progress.end();

    let mut ledger = ledger.lock().expect("no holder of the ledger panics");
    ledger.settle(recent.judged_from(), archive.compared);
    Ok(Verdict {
        run,
        continued: opening.existing > 0,
        products: shop.products.len(),
        products_created: opening.created,
        products_found: opening.existing,
        products_restocked: opening.restocked,
        lines: shop.lines.len(),
        lines_skipped_zero_quantity: shop.skipped_zero_quantity,
        lines_skipped_without_code: shop.skipped_without_code,
        requests: replay.requests,
        adjustments: replay.adjustments,
        opening_seconds: opening.seconds,
        creates_per_second: per_second(opening.created, opening.seconds),
        replay_seconds: replay.seconds,
        adjustments_per_second: per_second(replay.adjustments, replay.seconds),
        latency: Latency::of(&replay.latency, config.rate.is_some()),
        retries: opening.retries + replay.retries,
        stream: StreamFigures { caught_up_seconds: caught_up.as_secs_f64(), ..stream_figures },
        proof: ProofFigures {
            writes_acknowledged: ledger.acknowledged(),
            crossings_expected: ledger.crossings(),
            recent_events: recent.matched,
            recent_covers_all: recent.covered,
            recent_behind: recent.behind,
            archived_rows: archive.rows,
            archived_objects: archive.objects,
            archive_compared: archive.compared,
        },
        total_seconds: started.elapsed().as_secs_f64(),
        proof_seconds: wrote.elapsed().as_secs_f64(),
        faults: ledger.take_faults(),
    })
}

#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^52")]
fn per_second(count: usize, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}
