//! Opens the shop: creates its products, or finds those of an earlier run and brings in what they miss.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use souk_client::{Client, Target};
use tokio::task::JoinSet;

use crate::ledger::SharedLedger;
use crate::progress::Progress;
use crate::requests::{self, AdjustmentAnswer, ProblemAnswer, ProductAnswer};
use crate::shop::Shop;
use crate::{LoadConfig, LoadError};

/// What opening the shop came to.
pub(crate) struct Opening {
    /// For each product of the shop: its number in the ledger and its id.
    pub products: Vec<(usize, uuid::Uuid)>,
    /// Products created.
    pub created: usize,
    /// Products of an earlier run.
    pub existing: usize,
    /// Those of them that got new stock.
    pub restocked: usize,
    /// How long it took.
    pub seconds: f64,
    /// Requests sent again.
    pub retries: u64,
}

struct Work {
    shop: Arc<Shop>,
    next: AtomicUsize,
    run: String,
    ledger: SharedLedger,
    progress: Progress,
}

/// A product's number in the shop, in the ledger, its id, and how it was opened.
struct Opened {
    product: usize,
    number: usize,
    id: uuid::Uuid,
    created: bool,
    restocked: bool,
}

/// Makes sure that every product is there with the stock that all its lines need.
pub(crate) async fn open_shop(
    shop: &Arc<Shop>,
    target: &Target,
    config: &LoadConfig,
    run: &str,
    ledger: &SharedLedger,
    progress: &Progress,
) -> Result<Opening, LoadError> {
    let started = Instant::now();
    let work = Arc::new(Work {
        shop: shop.clone(),
        next: AtomicUsize::new(0),
        run: run.to_owned(),
        ledger: ledger.clone(),
        progress: progress.clone(),
    });
    let mut workers = JoinSet::new();
    for _ in 0..config.concurrency {
        workers.spawn(worker(work.clone(), Client::new(target.clone(), config.patience)));
    }
    let mut opening = Opening {
        products: vec![(0, uuid::Uuid::nil()); shop.products.len()],
        created: 0,
        existing: 0,
        restocked: 0,
        seconds: 0.0,
        retries: 0,
    };
    while let Some(ended) = workers.join_next().await {
        // Dropping the set on an error ends the other workers.
        let (opened, retries) = ended.expect("no worker panics")?;
        opening.retries += retries;
        for Opened { product, number, id, created, restocked } in opened {
            opening.products[product] = (number, id);
            opening.created += usize::from(created);
            opening.existing += usize::from(!created);
            opening.restocked += usize::from(restocked);
        }
    }
    opening.seconds = started.elapsed().as_secs_f64();
    ledger.lock().expect("no holder of the ledger panics").seal();
    Ok(opening)
}

async fn worker(work: Arc<Work>, mut client: Client) -> Result<(Vec<Opened>, u64), LoadError> {
    let (mut opened, mut body, mut request) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        let product = work.next.fetch_add(1, Ordering::Relaxed);
        if product >= work.shop.products.len() {
            return Ok((opened, client.retries));
        }
        opened.push(open(&work, &mut client, product, &mut body, &mut request).await?);
        work.progress.advance(1);
    }
}

async fn open(
    work: &Work,
    client: &mut Client,
    product: usize,
    body: &mut Vec<u8>,
    request: &mut Vec<u8>,
) -> Result<Opened, LoadError> {
    let wanted = &work.shop.products[product];
    requests::product_body(body, wanted);
    requests::post(
        request,
        client.target(),
        "/products",
        &format!("load-{}-product-{product}", work.run),
        body,
    );
    let status = client.send(request).await?.status;
    if status == 201 {
        let answer: ProductAnswer = read(client, "POST /products")?;
        let number = work.ledger.lock().expect("no holder of the ledger panics").open(&answer, true);
        return Ok(Opened { product, number, id: answer.id, created: true, restocked: false });
    }
    let problem = ProblemAnswer::read(client.body());
    let (409, "sku-taken", Some(id)) = (status, problem.code.as_str(), problem.product_id) else {
        let reason = format!("{status} {} for sku {}", requests::problem(client.body()), wanted.sku);
        return Err(client.target().unexpected("POST /products", reason).into());
    };
    client.get(&format!("/products/{id}")).await?;
    let found: ProductAnswer = read(client, "GET /products/{id}")?;
    let number = work.ledger.lock().expect("no holder of the ledger panics").open(&found, false);
    let missing = wanted.opening_stock.get() - found.stock;
    if missing > 0 {
        requests::restock_body(body, missing);
        let (path, key) =
            (format!("/products/{id}/stock-adjustments"), format!("load-{}-restock-{product}", work.run));
        requests::post(request, client.target(), &path, &key, body);
        let status = client.send(request).await?.status;
        if status != 200 {
            let reason = format!("{status} {}", requests::problem(client.body()));
            return Err(client.target().unexpected("POST /products/{id}/stock-adjustments", reason).into());
        }
        let answer: AdjustmentAnswer = read(client, "POST /products/{id}/stock-adjustments")?;
        work.ledger.lock().expect("no holder of the ledger panics").adjusted(number, missing, &answer);
    }
    Ok(Opened { product, number, id, created: false, restocked: missing > 0 })
}

/// Reads the last answer.
pub(crate) fn read<'a, T: serde::Deserialize<'a>>(client: &'a Client, request: &str) -> Result<T, LoadError> {
    serde_json::from_slice(client.body()).map_err(|error| client.target().unexpected(request, error).into())
}
