//! Measures the write path without HTTP: `cargo run --release -p souk-embedded --example write_rate [WRITERS] [SECONDS]`.

use std::sync::Arc;
use std::time::Duration;

use souk_conformance::print_write_rate;
use souk_embedded::{Embedded, EmbeddedConfig};
use souk_ports::{RandomIds, SystemClock};

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1).map(|n| n.parse().expect("a number"));
    let writers: usize = arguments.next().unwrap_or(64);
    let time = Duration::from_secs(arguments.next().unwrap_or(5) as u64);
    let dir = tempfile::tempdir().expect("a temporary folder");
    let embedded =
        Embedded::open(&EmbeddedConfig::new(dir.path()), Arc::new(SystemClock), Arc::new(RandomIds))
            .expect("the folder opens");
    print_write_rate(&format!("{writers} writers"), embedded.catalog(), writers, time).await;
    embedded.close().await;
}
