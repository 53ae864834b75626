//! Sessions with the server: opened, checked, prepared for their role; and why that failed.

use std::error::Error as _;
use std::sync::Arc;

use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{CancelToken, Client, Config};

use crate::config::PostgresConfig;
use crate::tls::Tls;

/// The oldest server: `MERGE`-free, but with what the outbox needs (`xid8`, bottom-up index deletion) and still cared for.
const OLDEST: i32 = 15;
/// The newest server that was tried.
const NEWEST: i32 = 18;

/// Why the database cannot be used; each text names `DATABASE_URL` without its password, and the remedy.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// It is not there now: trying again may help without anybody changing anything.
    #[error("{0}")]
    Unreachable(String),
    /// It says no, and will go on saying so until somebody changes something.
    #[error("{0}")]
    Refused(String),
}

impl ConnectError {
    /// Tells whether trying again may help.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }
}

/// What a session is for: each role has its planner settings, so that plans do not depend on statistics that a young
/// table has not got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Commits batches: everything by index.
    Committer,
    /// Lists and single reads: by the index that has the order.
    Reader,
    /// The search index, the relay, whoever plans for himself.
    Other,
}

/// How to reach the server.
pub(crate) struct Server {
    config: Config,
    tls: Arc<Tls>,
    /// The URL without its password.
    pub address: String,
    database: String,
    /// The setting that the URL came from.
    setting: &'static str,
}

/// An open session; its driver task ends when the client is dropped.
pub(crate) struct Session {
    pub client: Client,
    /// The server process behind it.
    pub pid: i32,
    /// Changes when the server recovers from a crash, and when another server takes over.
    pub incarnation: String,
}

/// Cancels a question that nobody waits for any more: the server would go on with it, and it might take effect late.
pub(crate) struct UnlessAnswered(Option<(CancelToken, Arc<Tls>)>);

impl UnlessAnswered {
    /// There is an answer.
    pub fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for UnlessAnswered {
    fn drop(&mut self) {
        if let (Some((token, tls)), Ok(runtime)) = (self.0.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(async move {
                // Made here, since most questions are answered. A server that is away has nothing to cancel.
                if let Ok(tls) = tls.connector() {
                    drop(token.cancel_query(tls).await);
                }
            });
        }
    }
}

impl Server {
    pub fn new(config: &PostgresConfig) -> Self {
        let mut server = config.server.clone();
        if server.get_application_name().is_none() {
            server.application_name(&config.application_name);
        }
        Self {
            config: server,
            tls: Arc::new(config.tls.clone()),
            address: config.address(),
            database: config.database().to_owned(),
            setting: config.setting,
        }
    }

    /// Opens a session on the current runtime: one attempt.
    pub async fn open(&self, role: Role) -> Result<Session, ConnectError> {
        let client = self.connect().await?;
        let (pid, incarnation) = self.prepare(&client, role).await?;
        Ok(Session { client, pid, incarnation })
    }

    /// Connects and asks for nothing more.
    pub async fn connect(&self) -> Result<Client, ConnectError> {
        let tls = self.tls.connector().map_err(|what| self.refused(&what))?;
        let (client, connection) = self.config.connect(tls).await.map_err(|error| self.explain(&error))?;
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = %error, "a session with Postgres ended");
            }
        });
        Ok(client)
    }

    /// Makes what cancels the session's question when it is dropped before its answer.
    pub fn unless_answered(&self, client: &Client) -> UnlessAnswered {
        UnlessAnswered(Some((client.cancel_token(), self.tls.clone())))
    }

    /// Checks what the server is, and sets what the role needs.
    async fn prepare(&self, client: &Client, role: Role) -> Result<(i32, String), ConnectError> {
        let row = client
            .query_one(
                "SELECT current_setting('server_version_num')::int, pg_backend_pid(), pg_is_in_recovery(), \
                 current_setting('server_encoding'), current_setting('synchronous_commit') = 'off' AND \
                 (SELECT source <> 'client' FROM pg_settings WHERE name = 'synchronous_commit'), \
                 (SELECT coalesce(stats_reset::text, '') FROM pg_stat_wal)",
                &[],
            )
            .await
            .map_err(|error| self.explain(&error))?;
        let version: i32 = row.get::<_, i32>(0) / 10_000;
        if !(OLDEST..=NEWEST).contains(&version) {
            return Err(self.refused(&format!(
                "is Postgres {version}: this souk works with {OLDEST} to {NEWEST}; upgrade {}",
                if version < OLDEST { "the server" } else { "souk" }
            )));
        }
        if row.get::<_, bool>(2) {
            return Err(ConnectError::Unreachable(format!(
                "{} {} is a standby, which takes no writes: name the primary, or both hosts with \
                 target_session_attrs=read-write",
                self.setting, self.address
            )));
        }
        let encoding: String = row.get(3);
        if encoding != "UTF8" {
            return Err(self.refused(&format!(
                "keeps its text as {encoding}: create the database anew with ENCODING 'UTF8' TEMPLATE template0"
            )));
        }
        let mut settings = String::from("SET jit = off;");
        if row.get::<_, bool>(4) {
            // An answer promises durability: whoever wants to give that up has to say so in the URL's options.
            settings.push_str("SET synchronous_commit = on;");
        }
        match role {
            Role::Committer => settings.push_str(
                "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                 SET enable_mergejoin = off; SET enable_bitmapscan = off; \
                 SET idle_in_transaction_session_timeout = '30s'",
            ),
            Role::Reader => settings.push_str(
                "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; \
                 SET enable_mergejoin = off; SET enable_bitmapscan = off; SET enable_sort = off; \
                 SET default_transaction_read_only = on; SET statement_timeout = '30s'",
            ),
            Role::Other => {}
        }
        client.batch_execute(&settings).await.map_err(|error| self.explain(&error))?;
        // Statistics are kept over an ordinary restart, and begin anew after a crash; each server has its own.
        Ok((row.get(1), row.get(5)))
    }

    pub fn refused(&self, what: &str) -> ConnectError {
        ConnectError::Refused(format!("{} {} {what}", self.setting, self.address))
    }

    /// It is there and cannot be used for now.
    pub fn unusable(&self, why: &str) -> ConnectError {
        ConnectError::Unreachable(format!("{} {} cannot be used now: {why}", self.setting, self.address))
    }

    /// Translates an error of the driver.
    pub fn explain(&self, error: &tokio_postgres::Error) -> ConnectError {
        if let Some(db) = error.as_db_error() {
            return match self.remedy(db) {
                Some(remedy) => {
                    self.refused(&format!("is refused by the server ({}): {remedy}", db.message()))
                }
                None => self.unusable(db.message()),
            };
        }
        let reason = reason(error);
        // What lies in the settings, and no network: only the driver's text tells them apart.
        let text = error.to_string();
        if text.contains("TLS") || reason.contains("TLS") || reason.contains("certificate") {
            return self.refused(&format!(
                "cannot be reached over TLS: {reason}; check sslmode and sslrootcert, and that the server has ssl = on"
            ));
        }
        if text.contains("password missing") || reason.contains("password missing") {
            return self.refused("wants a password and has none: write postgres://user:password@…");
        }
        ConnectError::Unreachable(format!(
            "{} {} cannot be reached: {reason}; check host and port, and that the server is running",
            self.setting, self.address
        ))
    }

    /// What somebody has to do; `None` when waiting may do.
    fn remedy(&self, error: &DbError) -> Option<String> {
        let user = self.config.get_user().unwrap_or("the user");
        Some(match error.code() {
            &SqlState::INVALID_PASSWORD => format!("check the password of {user} in {}", self.setting),
            &SqlState::INVALID_AUTHORIZATION_SPECIFICATION => {
                format!("check that the role {user} exists and that pg_hba.conf lets it in from here")
            }
            &SqlState::INVALID_CATALOG_NAME => {
                format!("create it with CREATE DATABASE \"{}\", or name another one", self.database)
            }
            &SqlState::INSUFFICIENT_PRIVILEGE => format!(
                "souk keeps its tables in a schema of its own, for which it needs \
                 GRANT CREATE, CONNECT ON DATABASE \"{}\" TO \"{user}\", and to own what is in the schema souk",
                self.database
            ),
            &SqlState::INVALID_PARAMETER_VALUE
            | &SqlState::UNDEFINED_OBJECT
            | &SqlState::CANT_CHANGE_RUNTIME_PARAM
            | &SqlState::UNDEFINED_FILE => format!("check the options in {}", self.setting),
            _ => return None,
        })
    }
}

/// The innermost words of an error of the driver: the outer ones say only at which step it came.
pub(crate) fn reason(error: &tokio_postgres::Error) -> String {
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner.to_string();
        source = inner.source();
    }
    reason
}
