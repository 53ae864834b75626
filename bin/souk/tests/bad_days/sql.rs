//! Statements of the tests' own, past souk.

use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// A session on Postgres.
pub struct Sql {
    runtime: Runtime,
    client: Client,
}

impl Sql {
    /// Connects to the database at `url`.
    pub fn connect(url: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread");
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(url, NoTls)).expect("Postgres takes a session of ours");
        runtime.spawn(connection);
        Self { runtime, client }
    }

    /// Runs statements, and returns the rows of all as texts.
    pub fn run(&self, statements: &str) -> Vec<Vec<Option<String>>> {
        let messages = self.runtime.block_on(self.client.simple_query(statements));
        let messages = messages.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
        let rows = messages.into_iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        });
        rows.collect()
    }
}
