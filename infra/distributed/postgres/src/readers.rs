//! Sessions that read beside the committers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use souk_ports::{ErrorKind, PortError};
use tokio::sync::Semaphore;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use crate::connect::{Role, Server};
use crate::failure::{is_lost, port_error};

/// How long a read may take, waiting for its turn included.
const PATIENCE: Duration = Duration::from_secs(10);

/// A pool of sessions; more reads than sessions wait their turn.
pub(crate) struct Readers {
    server: Arc<Server>,
    idle: Mutex<Vec<Reader>>,
    permits: Semaphore,
}

struct Reader {
    client: Client,
    statements: HashMap<String, Statement>,
}

impl Readers {
    pub fn new(server: Arc<Server>, sessions: usize) -> Self {
        Self { server, idle: Mutex::new(Vec::new()), permits: Semaphore::new(sessions) }
    }

    /// Runs one statement; again on a new session if the one it got turns out to be gone.
    pub async fn query(&self, sql: &str, parameters: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, PortError> {
        let late = || {
            let message = format!("Postgres gave no answer for {} seconds", PATIENCE.as_secs());
            PortError::new(ErrorKind::Unavailable, message)
        };
        tokio::time::timeout(PATIENCE, self.query_patiently(sql, parameters)).await.map_err(|_| late())?
    }

    async fn query_patiently(
        &self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, PortError> {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        loop {
            let idle = self.idle.lock().pop();
            let was_idle = idle.is_some();
            let mut reader = match idle {
                Some(reader) if reader.client.is_closed() => continue,
                Some(reader) => reader,
                None => self.open().await?,
            };
            match reader.query(sql, parameters).await {
                Ok(rows) => {
                    self.idle.lock().push(reader);
                    return Ok(rows);
                }
                // It went away while nobody looked; a fresh one tells whether the server did.
                Err(error) if was_idle && is_lost(&error) => {}
                Err(error) => return Err(port_error(error)),
            }
        }
    }

    async fn open(&self) -> Result<Reader, PortError> {
        match self.server.open(Role::Reader).await {
            Ok(session) => Ok(Reader { client: session.client, statements: HashMap::new() }),
            Err(error) => Err(PortError::new(ErrorKind::Unavailable, error.to_string())),
        }
    }

    /// Closes idle sessions.
    pub fn close(&self) {
        self.idle.lock().clear();
    }
}

impl Reader {
    async fn query(
        &mut self,
        sql: &str,
        parameters: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, tokio_postgres::Error> {
        let statement = match self.statements.get(sql) {
            Some(statement) => statement,
            None => {
                let statement = self.client.prepare(sql).await?;
                // Texts are few: they differ in filters and orders, never in values.
                self.statements.entry(sql.to_owned()).or_insert(statement)
            }
        };
        self.client.query(statement, parameters).await
    }
}
