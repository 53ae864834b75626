//! What became of a transaction whose COMMIT got no reply.
//!
//! Its id tells, unless the server crashed meanwhile: an id that no durable record mentions is given once more after the
//! recovery, so that "committed" may be said of somebody else's transaction. Whatever else is said then means that ours left
//! nothing.

use std::time::Duration;

use souk_ports::fault;
use tokio::time::Instant;
use tokio_postgres::error::SqlState;

use crate::connect::{Role, Server};

/// How long the old server process may go on by itself before it is ended, so that there is an outcome.
const GRACE: Duration = Duration::from_secs(2);
/// Pause between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// What was found out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Resolution {
    Committed,
    RolledBack,
    /// Nothing, with the reason.
    Unknown(String),
}

/// A transaction, by what outlives its session.
#[derive(Debug, Clone)]
pub(crate) struct Trace {
    /// Its id.
    pub xid: String,
    /// The server process that ran it.
    pub pid: i32,
    /// [`crate::connect::Session::incarnation`] of its session.
    pub incarnation: String,
}

/// Asks the server by the transaction's id, over new sessions, until it knows or `patience` is over.
pub(crate) async fn resolve(server: &Server, trace: &Trace, patience: Duration) -> Resolution {
    let end = Instant::now() + patience;
    let end_process = Instant::now() + GRACE;
    let mut why = String::from("the server cannot be asked");
    while Instant::now() < end {
        match tokio::time::timeout_at(end, ask(server, trace, Instant::now() > end_process)).await {
            Ok(Ok(Some(resolution))) => return resolution,
            Ok(Ok(None)) => why = "its transaction is still going on".into(),
            Ok(Err(error)) => why = error,
            Err(_) => break,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Resolution::Unknown(format!("the reply to COMMIT was lost, and {why}"))
}

async fn ask(server: &Server, trace: &Trace, end_process: bool) -> Result<Option<Resolution>, String> {
    let Trace { xid, pid, incarnation } = trace;
    let session = server.open(Role::Other).await.map_err(|error| error.to_string())?;
    let crashed = session.incarnation != *incarnation && !fault::planted("resolve-trusts-ids");
    // A process that hangs on a dead link, or waits for a standby, is ended in the end. Its id may be another's by now: only
    // one that still has this transaction counts. Looked for before the status is: one that ends in between has left it.
    let sql = "SELECT CASE WHEN $3::bool THEN pg_terminate_backend(pid) END FROM pg_stat_activity \
               WHERE pid = $1 AND backend_xid = ($2::text::xid8)::xid";
    let processes = session.client.query(sql, &[pid, xid, &end_process]).await;
    let goes_on = !processes.map_err(|error| error.to_string())?.is_empty()
        && !fault::planted("resolve-overlooks-processes");
    let row = match session.client.query_one("SELECT pg_xact_status($1::text::xid8)", &[xid]).await {
        Ok(row) => row,
        // "transaction ID is in the future": it has not been given once more yet.
        Err(error) if crashed && error.code() == Some(&SqlState::INVALID_PARAMETER_VALUE) => {
            return Ok(Some(Resolution::RolledBack));
        }
        Err(error) => return Err(error.to_string()),
    };
    Ok(match row.get::<_, Option<&str>>(0) {
        Some("committed") if crashed => Some(Resolution::Unknown(
            "the server crashed or was replaced, after which ids of transactions are given once more".into(),
        )),
        Some("committed") => Some(Resolution::Committed),
        Some("aborted") => Some(Resolution::RolledBack),
        // After a crash nothing of before goes on: it is somebody else's. Where its process is still there, nothing crashed:
        // statistics can be reset by hand, too.
        Some(_) if crashed && !goes_on => Some(Resolution::RolledBack),
        Some(_) => None,
        None => Some(Resolution::Unknown("the server does not remember the transaction".into())),
    })
}

#[cfg(test)]
mod tests {
    use souk_conformance::passes_with;

    use super::*;
    use crate::PostgresConfig;
    use crate::connect::Session;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// On the server that the tests talk to.
    fn server() -> Server {
        let url = std::env::var("DATABASE_URL").expect("DATABASE_URL is not set: run `cargo xtask test`");
        Server::new(&PostgresConfig::parse(&url).unwrap())
    }

    /// A transaction that goes on.
    async fn begun(server: &Server) -> (Session, Trace) {
        let session = server.open(Role::Other).await.unwrap();
        session.client.batch_execute("BEGIN").await.unwrap();
        let row = session.client.query_one("SELECT pg_current_xact_id()::text", &[]).await.unwrap();
        let trace = Trace { xid: row.get(0), pid: session.pid, incarnation: session.incarnation.clone() };
        (session, trace)
    }

    /// A transaction that has ended by `end`, and one whose id is still to be given.
    async fn traces(server: &Server, end: &str) -> (Trace, Trace) {
        let (session, ended) = begun(server).await;
        session.client.batch_execute(end).await.unwrap();
        let ahead = (ended.xid.parse::<u64>().unwrap() + 1_000_000_000).to_string();
        (ended.clone(), Trace { xid: ahead, ..ended })
    }

    fn before_a_crash(trace: &Trace) -> Trace {
        Trace { incarnation: "2026-11-22 18:00:00+00".to_owned(), ..trace.clone() }
    }

    #[tokio::test]
    async fn an_id_tells_what_became_of_it() {
        let server = server();
        let (committed, _) = traces(&server, "COMMIT").await;
        assert_eq!(resolve(&server, &committed, PATIENCE).await, Resolution::Committed);
        let (aborted, _) = traces(&server, "ROLLBACK").await;
        assert_eq!(resolve(&server, &aborted, PATIENCE).await, Resolution::RolledBack);
    }

    /// What a kill of Postgres loses of its log has its ids given to others: seen as an acknowledged write that was gone.
    #[tokio::test]
    async fn after_a_crash_an_id_may_be_anothers() {
        let server = server();
        let (committed, ahead) = traces(&server, "COMMIT").await;
        let found = resolve(&server, &before_a_crash(&committed), PATIENCE).await;
        assert!(matches!(&found, Resolution::Unknown(why) if why.contains("given once more")), "{found:?}");
        assert_eq!(resolve(&server, &before_a_crash(&ahead), PATIENCE).await, Resolution::RolledBack);
        let (aborted, _) = traces(&server, "ROLLBACK").await;
        assert_eq!(resolve(&server, &before_a_crash(&aborted), PATIENCE).await, Resolution::RolledBack);
    }

    /// As `pg_stat_reset_shared('wal')` leaves it: an incarnation that is over, and a transaction that is not.
    #[tokio::test]
    async fn what_goes_on_is_not_taken_for_rolled_back() {
        let server = server();
        let (session, trace) = begun(&server).await;
        let reset = before_a_crash(&trace);
        assert_eq!(ask(&server, &reset, false).await, Ok(None));
        assert_eq!(resolve(&server, &reset, PATIENCE).await, Resolution::RolledBack);
        session.client.batch_execute("COMMIT").await.expect_err("it was ended before that was said");
    }

    #[test]
    fn overlooking_its_process_turns_what_goes_on_red() {
        let test = "resolve::tests::what_goes_on_is_not_taken_for_rolled_back";
        assert!(!passes_with("resolve-overlooks-processes", test));
    }
}
