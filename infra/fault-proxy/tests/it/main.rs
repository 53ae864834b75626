//! The proxy in front of a real Postgres: what it claims to have lost really happened, or really did not.

use std::net::ToSocketAddrs as _;

use souk_fault_proxy::{Postgres, PostgresFault, Proxy, Times};
use tokio_postgres::{Client, Config, NoTls};

/// Returns how to log in to the shared Postgres.
fn config() -> Config {
    let url = std::env::var("DATABASE_URL").expect(
        "DATABASE_URL is not set: run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after `cargo \
         xtask services up`",
    );
    url.parse().expect("DATABASE_URL is a URL")
}

async fn connect(port: u16) -> Client {
    let direct = config();
    let mut through = Config::new();
    through.host("127.0.0.1").port(port);
    through.user(direct.get_user().expect("a URL with a user"));
    through.password(direct.get_password().expect("a URL with a password"));
    through.dbname(direct.get_dbname().expect("a URL with a database"));
    let (client, connection) = through.connect(NoTls).await.expect("Postgres answers through the proxy");
    tokio::spawn(connection);
    client
}

fn upstream() -> u16 {
    *config().get_ports().first().expect("a URL with a port")
}

/// Writes a row in a transaction under this fault; returns whether the COMMIT was answered, and whether the row is there.
async fn commit_under(fault: PostgresFault, table: &str) -> (bool, bool) {
    let address = ("127.0.0.1", upstream()).to_socket_addrs().expect("an address").next().expect("one");
    let proxy = Proxy::<Postgres>::start(address).expect("a port");
    let mut client = connect(proxy.port()).await;
    let create = format!("CREATE TABLE {table} (n int)");
    client.batch_execute(&create).await.expect("a table of our own");
    let armed = proxy.arm(fault, Times::Next(1));
    let transaction = client.transaction().await.expect("a transaction");
    transaction.execute(&format!("INSERT INTO {table} VALUES (1)"), &[]).await.expect("a row");
    let answered = transaction.commit().await.is_ok();
    assert_eq!(armed.fired(), 1);
    let again = connect(proxy.port()).await;
    let count: i64 =
        again.query_one(&format!("SELECT count(*) FROM {table}"), &[]).await.expect("a count").get(0);
    again.batch_execute(&format!("DROP TABLE {table}")).await.expect("our table");
    (answered, count == 1)
}

#[tokio::test]
async fn a_lost_commit_reply_leaves_the_row_there() {
    let table = format!("proxy_reply_{}", std::process::id());
    assert_eq!(commit_under(PostgresFault::LoseCommitReply, &table).await, (false, true));
}

#[tokio::test]
async fn a_lost_commit_leaves_nothing() {
    let table = format!("proxy_commit_{}", std::process::id());
    assert_eq!(commit_under(PostgresFault::LoseCommit, &table).await, (false, false));
}
