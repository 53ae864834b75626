//! Sends the lines: many orders in flight, each on its worker's connection, those of one product in file order.

use std::sync::Arc;
use std::time::{Duration, Instant};

use souk_client::{Client, Target};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::histogram::Histogram;
use crate::ledger::SharedLedger;
use crate::opening::read;
use crate::progress::Progress;
use crate::requests::{self, AdjustmentAnswer, OrderAnswer};
use crate::schedule::Schedule;
use crate::shop::Shop;
use crate::verdict::FaultKind;
use crate::{LoadConfig, LoadError};

/// How often a paced run releases what is due: as fine as timers go.
const TICK: Duration = Duration::from_millis(1);

/// What sending the lines came to.
pub(crate) struct Replay {
    /// Requests answered.
    pub requests: usize,
    /// Lines acknowledged.
    pub adjustments: usize,
    /// How long it took.
    pub seconds: f64,
    /// Requests sent again.
    pub retries: u64,
    /// Latency of the requests.
    pub latency: Histogram,
}

struct Work {
    shop: Arc<Shop>,
    /// Each product's number in the ledger and its id.
    products: Vec<(usize, Uuid)>,
    schedule: Schedule,
    ledger: SharedLedger,
    run: String,
    /// Whether lines go one by one.
    single: bool,
    pace: Option<Pace>,
    progress: Progress,
}

/// When each line is due.
#[derive(Clone, Copy)]
struct Pace {
    start: Instant,
    rate: f64,
}

impl Pace {
    fn due(self, line: u32) -> Instant {
        self.start + Duration::from_secs_f64(f64::from(line) / self.rate)
    }
}

/// Sends all lines; returns when each is acknowledged or refused.
pub(crate) async fn replay(
    shop: &Arc<Shop>,
    products: Vec<(usize, Uuid)>,
    target: &Target,
    config: &LoadConfig,
    run: &str,
    ledger: &SharedLedger,
    progress: &Progress,
) -> Result<Replay, LoadError> {
    let orders = shop.orders.iter().map(|order| shop.lines[order.range()].iter().map(|line| line.product));
    let schedule = Schedule::new(orders, shop.products.len(), config.rate.is_some());
    let start = Instant::now();
    let work = Arc::new(Work {
        shop: shop.clone(),
        products,
        schedule,
        ledger: ledger.clone(),
        run: run.to_owned(),
        single: config.lines_per_request == 1,
        pace: config.rate.map(|rate| Pace { start, rate }),
        progress: progress.clone(),
    });
    let mut workers = JoinSet::new();
    for _ in 0..config.concurrency {
        workers.spawn(worker(work.clone(), Client::new(target.clone(), config.patience)));
    }
    let pacer = work.pace.map(|pace| tokio::spawn(release(work.clone(), pace)));
    let mut replay =
        Replay { requests: 0, adjustments: 0, seconds: 0.0, retries: 0, latency: Histogram::new() };
    let mut outcome = Ok(());
    while let Some(ended) = workers.join_next().await {
        match ended.expect("no worker panics") {
            Ok(share) => {
                replay.requests += share.requests;
                replay.adjustments += share.adjustments;
                replay.retries += share.retries;
                replay.latency.merge(&share.latency);
            }
            Err(error) => outcome = outcome.and(Err(error)),
        }
    }
    if let Some(pacer) = pacer {
        pacer.abort();
    }
    outcome?;
    replay.seconds = start.elapsed().as_secs_f64();
    Ok(replay)
}

/// Releases each order when it is due.
async fn release(work: Arc<Work>, pace: Pace) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut orders = (0..).zip(&work.shop.orders).peekable();
    while orders.peek().is_some() && !work.schedule.is_over() {
        let now = ticks.tick().await.into_std();
        while let Some((order, _)) = orders.next_if(|(_, order)| pace.due(order.first) <= now) {
            work.schedule.release(order);
        }
    }
}

async fn worker(work: Arc<Work>, mut client: Client) -> Result<Replay, LoadError> {
    let mut share =
        Replay { requests: 0, adjustments: 0, seconds: 0.0, retries: 0, latency: Histogram::new() };
    let (mut body, mut request) = (Vec::new(), Vec::new());
    while let Some(order) = work.schedule.next().await {
        work.compose(order, client.target(), &mut body, &mut request);
        let due =
            work.pace.map_or_else(Instant::now, |pace| pace.due(work.shop.orders[order as usize].first));
        let settled = match client.send(&request).await {
            Ok(reply) => {
                share.latency.record(due.elapsed());
                work.settle(order, reply.status, &client)
            }
            Err(error) => Err(error.into()),
        };
        match settled {
            Ok(adjustments) => {
                share.requests += 1;
                share.adjustments += adjustments;
                work.progress.advance(adjustments);
            }
            Err(error) => {
                work.schedule.give_up();
                return Err(error);
            }
        }
        work.schedule.finish(order);
    }
    share.retries = client.retries;
    Ok(share)
}

impl Work {
    /// Writes the request of an order.
    fn compose(&self, order: u32, target: &Target, body: &mut Vec<u8>, request: &mut Vec<u8>) {
        let shop_order = &self.shop.orders[order as usize];
        let (lines, invoice) = (&self.shop.lines[shop_order.range()], shop_order.invoice.as_ref());
        let key = format!("load-{}-order-{order}", self.run);
        body.clear();
        if self.single {
            let id = self.products[lines[0].product as usize].1;
            requests::line_body(body, &lines[0], None, invoice);
            requests::post(request, target, &format!("/products/{id}/stock-adjustments"), &key, body);
            return;
        }
        body.extend_from_slice(br#"{"items":["#);
        for (index, line) in lines.iter().enumerate() {
            if index > 0 {
                body.push(b',');
            }
            requests::line_body(body, line, Some(self.products[line.product as usize].1), invoice);
        }
        body.extend_from_slice(b"]}");
        requests::post(request, target, "/stock-adjustments", &key, body);
    }

    /// Books an answer; returns how many lines it acknowledges.
    fn settle(&self, order: u32, status: u16, client: &Client) -> Result<usize, LoadError> {
        let shop_order = &self.shop.orders[order as usize];
        let lines = &self.shop.lines[shop_order.range()];
        if status != 200 {
            let mut ledger = self.ledger.lock().expect("no holder of the ledger panics");
            ledger.fault(FaultKind::Refused, || {
                let invoice =
                    shop_order.invoice.as_ref().map_or("without a number", |invoice| invoice.as_str());
                format!("invoice {invoice}: {status} {}", requests::problem(client.body()))
            });
            return Ok(0);
        }
        let items = if self.single {
            vec![read::<AdjustmentAnswer>(client, "POST /products/{id}/stock-adjustments")?]
        } else {
            read::<OrderAnswer>(client, "POST /stock-adjustments")?.items
        };
        if items.len() != lines.len() {
            let reason = format!("{} items for {} lines", items.len(), lines.len());
            return Err(client.target().unexpected("POST /stock-adjustments", reason).into());
        }
        let mut ledger = self.ledger.lock().expect("no holder of the ledger panics");
        for (line, item) in lines.iter().zip(&items) {
            ledger.adjusted(self.products[line.product as usize].0, line.delta.get(), item);
        }
        Ok(lines.len())
    }
}
