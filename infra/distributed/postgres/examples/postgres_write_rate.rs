//! Measures the write path without HTTP on the server of `DATABASE_URL`, in a database of its own:
//! `cargo run --release -p souk-postgres --example postgres_write_rate [WRITERS] [SECONDS] [COMMITTERS]`.
//!
//! Each writer creates products one after another and waits for each commit.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use souk_domain::{
    Adjustment, Category, Command, Delta, Name, NewProduct, Precondition, ProductId, Reason, Replacement,
    SellerId, Stock,
};
use souk_ports::{Catalog, IdGenerator, RandomIds, SystemClock, UnitOfWork};
use souk_postgres::{Postgres, PostgresConfig};

fn create(id: ProductId) -> Command {
    Command::Create(NewProduct {
        id,
        seller_id: SellerId::new("seller1").expect("valid"),
        fields: Replacement {
            sku: None,
            name: Name::new("Test Product").expect("valid"),
            description: None,
            category: Category::default(),
            price: "99.99".parse().expect("valid"),
            stock: Stock::new(1_000_000).expect("valid"),
            low_stock_threshold: None,
        },
    })
}

fn sell(id: ProductId) -> Command {
    let adjustment =
        Adjustment::new(Delta::new(-1).expect("not 0"), Reason::Sale).expect("a sale is negative");
    Command::AdjustStock { id, precondition: Precondition::None, adjustment }
}

async fn rate(
    catalog: Arc<dyn Catalog>,
    writers: usize,
    time: Duration,
    make: impl Fn(usize, u64) -> Command + Send + Sync + 'static,
) -> f64 {
    let (done, make) = (Arc::new(AtomicU64::new(0)), Arc::new(make));
    let end = Instant::now() + time;
    let tasks: Vec<_> = (0..writers)
        .map(|writer| {
            let (catalog, done, make) = (catalog.clone(), done.clone(), make.clone());
            tokio::spawn(async move {
                let mut step = 0;
                while Instant::now() < end {
                    let unit = UnitOfWork { commands: vec![make(writer, step)], idempotency: None };
                    catalog.execute(unit).await.expect("the write is accepted");
                    done.fetch_add(1, Ordering::Relaxed);
                    step += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a writer does not panic");
    }
    done.load(Ordering::Relaxed) as f64 / time.as_secs_f64()
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|n| n.parse().expect("a number"));
    let writers: usize = arguments.next().unwrap_or(64);
    let time = Duration::from_secs(arguments.next().unwrap_or(5) as u64);
    let committers = arguments.next().unwrap_or(2);
    let url = std::env::var("DATABASE_URL").expect("DATABASE_URL names the server to measure");
    let (server, tls) = (url.clone(), tokio_postgres::NoTls);
    let (admin, connection) = tokio_postgres::connect(&server, tls).await.expect("the server is there");
    tokio::spawn(connection);
    admin.batch_execute("DROP DATABASE IF EXISTS souk_write_rate WITH (FORCE)").await.expect("dropped");
    admin.batch_execute("CREATE DATABASE souk_write_rate").await.expect("created");
    let (front, _) = url.rsplit_once('/').expect("a URL names a database");
    let mut config = PostgresConfig::parse(&format!("{front}/souk_write_rate")).expect("the URL is valid");
    config.committers = committers;
    let postgres = Postgres::connect(config, Arc::new(SystemClock), Arc::new(RandomIds))
        .await
        .expect("the server is there");
    let creates =
        rate(postgres.catalog(), writers, time, |_, _| create(ProductId(RandomIds.next_id()))).await;
    println!("{writers} writers, {committers} committers: {creates:.0} creates/s");
    let products: Vec<ProductId> = (0..1000).map(|_| ProductId(RandomIds.next_id())).collect();
    let commands = products.iter().map(|id| create(*id)).collect();
    postgres.catalog().execute(UnitOfWork { commands, idempotency: None }).await.expect("created");
    let sales = rate(postgres.catalog(), writers, time, move |writer, step| {
        sell(products[(writer * 31 + step as usize * 7) % products.len()])
    })
    .await;
    println!("{writers} writers, {committers} committers: {sales:.0} sales/s over 1,000 products");
    if std::env::var_os("KEEP").is_none() {
        postgres.close().await;
        admin.batch_execute("DROP DATABASE souk_write_rate WITH (FORCE)").await.expect("dropped");
    }
}
