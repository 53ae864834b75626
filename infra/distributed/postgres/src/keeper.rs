//! Who keeps the products: a row of `souk.meta`, and a lock that makes a change of it exact.
//!
//! Every transaction that writes takes the lock shared when it begins, which costs no row and no disk, and reads the row with
//! the statement that it ends with. Who changes the row takes the lock alone: it waits for the transactions under way, and
//! whichever begins afterwards sees the new row. So no instance, however old its knowledge, commits a write that came too late.

use souk_ports::{ErrorKind, Keeper, PortError};

use crate::connect::{Role, Server};
use crate::failure::port_error;

/// The key of the advisory lock: "soukkeep" in ASCII. A literal: the simple protocol takes no parameters.
pub(crate) const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; \
     SELECT pg_advisory_xact_lock_shared(8317996141000353136)";
const LOCK: &str = "SELECT pg_advisory_xact_lock(8317996141000353136)";

/// Whether it is the other system; nothing there is souk itself. An expression.
pub(crate) const IS_SOURCE: &str = "EXISTS (SELECT FROM souk.meta WHERE key = 'keeper' AND value = 'source')";

/// Makes one of what [`IS_SOURCE`] says.
pub(crate) fn of(is_source: bool) -> Keeper {
    if is_source { Keeper::Source } else { Keeper::Souk }
}

/// Writes it.
pub(crate) async fn store(server: &Server, keeper: Keeper) -> Result<(), PortError> {
    let unavailable =
        |error: &dyn std::fmt::Display| PortError::new(ErrorKind::Unavailable, error.to_string());
    let session = server.open(Role::Other).await.map_err(|error| unavailable(&error))?;
    let value = match keeper {
        Keeper::Souk => "souk",
        Keeper::Source => "source",
    };
    let change = format!(
        "BEGIN; {LOCK}; INSERT INTO souk.meta VALUES ('keeper', '{value}') \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value; COMMIT"
    );
    session.client.batch_execute(&change).await.map_err(port_error)
}
