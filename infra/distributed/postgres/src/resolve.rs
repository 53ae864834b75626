//! What became of a transaction whose COMMIT got no reply.

use std::time::Duration;

use tokio::time::Instant;

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

/// Asks the server by the transaction's id, over new sessions, until it knows or `patience` is over.
pub(crate) async fn resolve(server: &Server, xid: &str, pid: i32, patience: Duration) -> Resolution {
    let end = Instant::now() + patience;
    let end_process = Instant::now() + GRACE;
    let mut why = String::from("the server cannot be asked");
    while Instant::now() < end {
        match tokio::time::timeout_at(end, ask(server, xid, pid, Instant::now() > end_process)).await {
            Ok(Ok(Some(resolution))) => return resolution,
            Ok(Ok(None)) => why = "its transaction is still going on".into(),
            Ok(Err(error)) => why = error,
            Err(_) => break,
        }
        tokio::time::sleep(PAUSE).await;
    }
    Resolution::Unknown(format!("the reply to COMMIT was lost, and {why}"))
}

async fn ask(server: &Server, xid: &str, pid: i32, end_process: bool) -> Result<Option<Resolution>, String> {
    let session = server.open(Role::Other).await.map_err(|error| error.to_string())?;
    if end_process {
        // A process that hangs on a dead link, or waits for a standby. Its id may be another's by now: only one that
        // still has this transaction is ended.
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1 AND backend_xid = \
                   ($2::text::xid8)::xid";
        let _ = session.client.query(sql, &[&pid, &xid]).await;
    }
    let row = session
        .client
        .query_one("SELECT pg_xact_status($1::text::xid8)", &[&xid])
        .await
        .map_err(|error| error.to_string())?;
    Ok(match row.get::<_, Option<&str>>(0) {
        Some("committed") => Some(Resolution::Committed),
        Some("aborted") => Some(Resolution::RolledBack),
        Some(_) => None,
        None => Some(Resolution::Unknown("the server does not remember the transaction".into())),
    })
}
