//! The same tests with each other version of Postgres that souk takes: this program once more, with a server of that version.

use souk_conformance::all_pass_again;
use souk_servers::{Kind, Options, Scratch, Server};

use crate::database::session;

/// Which major version the tests start themselves; the newest that is installed when it is not set.
const VERSION: &str = "SOUK_TEST_POSTGRES_VERSION";

/// How a test starts a server of its own.
pub fn options() -> Options {
    let version = std::env::var(VERSION).ok().map(|version| version.parse().unwrap());
    Options { version, ..Options::default() }
}

/// Returns the URL of a server.
pub fn url(server: &Server) -> String {
    let (_, url) = server.env().into_iter().find(|(name, _)| *name == "DATABASE_URL").unwrap();
    url
}

async fn all_pass_with(version: u32) {
    let scratch = Scratch::new("version").unwrap();
    let options = Options { version: Some(version), ..Options::default() };
    let server = Server::start(Kind::Postgres, scratch.folder("postgres"), options).unwrap();
    let url = url(&server);
    // A server that is another one than it should be would make this a test of nothing.
    let row = session(&url).await.query_one("SHOW server_version_num", &[]).await.unwrap();
    let number: u32 = row.get::<_, String>(0).parse().unwrap();
    assert_eq!(number / 10_000, version);
    // Whether tests notice what is wrong does not depend on the server.
    let args = ["--skip", "versions::", "--skip", "planted::", "--skip", "are_noticed"];
    let passed = all_pass_again(&args, &[("DATABASE_URL", &url), (VERSION, &version.to_string())]);
    assert!(passed > 50, "{passed} tests with PostgreSQL {version}");
}

#[tokio::test]
async fn all_pass_with_16() {
    all_pass_with(16).await;
}

#[tokio::test]
async fn all_pass_with_17() {
    all_pass_with(17).await;
}

#[tokio::test]
async fn all_pass_with_18() {
    all_pass_with(18).await;
}
