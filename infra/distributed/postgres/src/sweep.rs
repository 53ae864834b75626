//! Removes answers of idempotency keys that have expired.

use std::sync::Arc;
use std::time::Duration;

use souk_ports::{Clock, PortError};
use tokio_util::sync::CancellationToken;

use crate::connect::{Role, Server};
use crate::failure::port_error;
use crate::keys::KEY_LIFETIME_MS;

/// Time between two looks for old rows.
const PERIOD: Duration = Duration::from_secs(60);
/// Rows removed in one step: a few milliseconds, so that writes hardly notice.
const STEP: i64 = 1000;

/// Works until `stop`.
pub(crate) async fn run(server: Arc<Server>, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let work = async {
        loop {
            tokio::time::sleep(PERIOD).await;
            if let Err(error) = sweep(&server, &*clock).await {
                tracing::warn!(error = %error, "old idempotency keys could not be removed and will be tried again");
            }
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Removes everything that has expired, step by step.
pub(crate) async fn sweep(server: &Server, clock: &dyn Clock) -> Result<(), PortError> {
    let unavailable =
        |error: crate::ConnectError| PortError::new(souk_ports::ErrorKind::Unavailable, error.to_string());
    let session = server.open(Role::Other).await.map_err(unavailable)?;
    let expired = clock.now().millis() - KEY_LIFETIME_MS;
    loop {
        // Those that another instance is just removing, or a batch is replacing, are left to it.
        let sql = "DELETE FROM souk.idempotency_keys WHERE key = ANY(ARRAY(SELECT key FROM souk.idempotency_keys \
                   WHERE stored_at <= $1 ORDER BY stored_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
        let removed = session.client.execute(sql, &[&expired, &STEP]).await.map_err(port_error)?;
        if removed < STEP.unsigned_abs() {
            return Ok(());
        }
    }
}
