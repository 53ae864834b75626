//! Every other version of Postgres that souk takes: for each a server, and this program once more with it.

use souk_servers::{Kind, Options, Scratch, Server};
use tokio_postgres::NoTls;

use crate::versions::all_pass_with;

/// Returns the URL of a server.
pub fn url(server: &Server) -> String {
    let (_, url) = server.env().into_iter().find(|(name, _)| *name == "DATABASE_URL").unwrap();
    url
}

async fn run(version: u32) {
    let scratch = Scratch::new("version").unwrap();
    let options = Options { version: Some(version), ..Options::default() };
    let server = Server::start(Kind::Postgres, scratch.folder("postgres"), options).unwrap();
    let url = url(&server);
    // A server that is another one than it should be would make this a test of nothing.
    let (client, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_one("SHOW server_version_num", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0).parse::<u32>().unwrap() / 10_000, version);
    all_pass_with(version, &url);
}

#[tokio::test]
async fn all_pass_with_16() {
    run(16).await;
}

#[tokio::test]
async fn all_pass_with_17() {
    run(17).await;
}

#[tokio::test]
async fn all_pass_with_18() {
    run(18).await;
}
