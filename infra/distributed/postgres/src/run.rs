//! Statements of a batch that are sent when there is something for them to do.

use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Error, Row, Statement};

use crate::failure::Failure;
use crate::keeper;

pub(crate) async fn begin(client: &Client, wanted: bool) -> Result<(), Error> {
    if wanted { client.batch_execute(keeper::BEGIN).await } else { Ok(()) }
}

pub(crate) async fn rollback(client: &Client, wanted: bool) -> Result<(), Failure> {
    if wanted {
        client.batch_execute("ROLLBACK").await?;
    }
    Ok(())
}

pub(crate) async fn run<const N: usize>(
    wanted: bool,
    client: &Client,
    statement: &Statement,
    parameters: [&(dyn ToSql + Sync); N],
) -> Result<u64, Error> {
    if wanted { client.execute(statement, &parameters).await } else { Ok(0) }
}

pub(crate) async fn rows_if<const N: usize>(
    wanted: bool,
    client: &Client,
    statement: &Statement,
    parameters: [&(dyn ToSql + Sync); N],
) -> Result<Vec<Row>, Error> {
    if wanted { client.query(statement, &parameters).await } else { Ok(Vec::new()) }
}
