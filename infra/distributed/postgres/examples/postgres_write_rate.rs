//! Measures the write path without HTTP on the server of `DATABASE_URL`, in a database of its own:
//! `cargo run --release -p souk-postgres --example postgres_write_rate [WRITERS] [SECONDS] [COMMITTERS]`.

use std::sync::Arc;
use std::time::Duration;

use souk_conformance::print_write_rate;
use souk_ports::{RandomIds, SystemClock};
use souk_postgres::{Postgres, PostgresConfig};

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
    let what = format!("{writers} writers, {committers} committers");
    print_write_rate(&what, postgres.catalog(), writers, time).await;
    if std::env::var_os("KEEP").is_none() {
        postgres.close().await;
        admin.batch_execute("DROP DATABASE souk_write_rate WITH (FORCE)").await.expect("dropped");
    }
}
