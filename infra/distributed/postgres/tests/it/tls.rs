//! A server that speaks TLS: whom each `sslmode` trusts.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::sync::Arc;

use souk_conformance::{SeededIds, TestClock, all_pass_again, eventually, make, passes_with};
use souk_postgres::{ConnectError, Postgres, PostgresConfig};
use souk_servers::{Kind, Scratch, Server};

use crate::certificates::certificates;
use crate::database::session;
use crate::together::fresh;
use crate::{other_versions, versions};

/// Gives the server the certificate in `store`, and switches TLS on.
async fn secure(server: &Server, store: &Path) {
    let (data, own) = (server.folder().join("data"), "own.pem");
    std::fs::copy(store, data.join(own)).unwrap();
    // The key has to be the server's, and nobody else may read it.
    let owner = std::fs::metadata(&data).unwrap();
    chown(data.join(own), Some(owner.uid()), Some(owner.gid())).unwrap();
    std::fs::set_permissions(data.join(own), Permissions::from_mode(0o600)).unwrap();
    let url = other_versions::url(server);
    for setting in [&*format!("ssl_cert_file = '{own}'"), &*format!("ssl_key_file = '{own}'"), "ssl = on"] {
        session(&url).await.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
    }
    session(&url).await.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    eventually("the server to speak TLS", || async {
        let ssl: String = session(&url).await.query_one("SHOW ssl", &[]).await.unwrap().get(0);
        (ssl == "on").then_some(())
    })
    .await;
}

async fn connect(url: &str) -> Result<Postgres, ConnectError> {
    let config = PostgresConfig::parse(url).unwrap();
    Postgres::connect(config, Arc::new(TestClock::default()), Arc::new(SeededIds::new(1))).await
}

/// Writes over a link, and tells whether it is encrypted.
async fn is_encrypted(url: &str) -> bool {
    let postgres = connect(url).await.unwrap_or_else(|error| panic!("{url}: {error}"));
    postgres.catalog().execute(make::unit([make::create(fresh(), "secret", 1)])).await.unwrap();
    let sql = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let encrypted = postgres.connection().await.unwrap().query_one(sql, &[]).await.unwrap().get(0);
    postgres.close().await;
    encrypted
}

/// Connects in vain, for good; the text names the setting and what in it to look at.
async fn is_refused(url: &str) {
    let Err(error) = connect(url).await else { panic!("{url} should not do") };
    let text = error.to_string();
    assert!(!error.is_retryable(), "waiting does not help: {text}");
    for word in ["DATABASE_URL postgres", "certificate", "sslmode", "sslrootcert"] {
        assert!(text.contains(word), "{url}: {text}");
    }
    assert!(!text.contains(":password@"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_sslmode_trusts_whom_it_should() {
    let scratch = Scratch::new("tls").unwrap();
    let folder = |name: &str| {
        let folder = scratch.folder(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    };
    let ((right, store), (wrong, _)) = (certificates(&folder("ours")), certificates(&folder("others")));
    let server = Server::start(Kind::Postgres, scratch.folder("postgres"), versions::options()).unwrap();
    secure(&server, &store).await;
    let url = |query: &str| format!("{}?{query}", other_versions::url(&server));
    // The same server under a name that is not in its certificate.
    let other_name =
        |query: &str| url(&format!("hostaddr=127.0.0.1&{query}")).replace("@127.0.0.1:", "@db.example:");
    let (right, wrong) =
        (format!("sslrootcert={}", right.display()), format!("sslrootcert={}", wrong.display()));

    assert!(is_encrypted(&url(&format!("sslmode=verify-full&{right}"))).await);
    is_refused(&url(&format!("sslmode=verify-full&{wrong}"))).await;
    is_refused(&other_name(&format!("sslmode=verify-full&{right}"))).await;
    // An authority that no system knows.
    is_refused(&url("sslmode=verify-full&sslrootcert=system")).await;

    assert!(is_encrypted(&other_name(&format!("sslmode=verify-ca&{right}"))).await);
    is_refused(&url(&format!("sslmode=verify-ca&{wrong}"))).await;

    // It always encrypts, and verifies only with a sslrootcert.
    assert!(is_encrypted(&url("sslmode=require")).await);
    assert!(is_encrypted(&other_name(&format!("sslmode=require&{right}"))).await);
    is_refused(&url(&format!("sslmode=require&{wrong}"))).await;

    assert!(is_encrypted(&url("sslmode=prefer")).await, "where the server can");
    assert!(!is_encrypted(&url("sslmode=disable")).await);
}

/// Says to a run of the test below in a process of its own what is to be refused there.
const REFUSED: &str = "SOUK_TEST_REFUSED_URL";
/// And what is not.
const TRUSTED: &str = "SOUK_TEST_TRUSTED_URL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_named_authority_is_trusted_alone() {
    if let (Ok(refused), Ok(trusted)) = (std::env::var(REFUSED), std::env::var(TRUSTED)) {
        assert!(is_encrypted(&trusted).await);
        return is_refused(&refused).await;
    }
    let scratch = Scratch::new("tls-alone").unwrap();
    let folder = |name: &str| {
        let folder = scratch.folder(name);
        std::fs::create_dir(&folder).unwrap();
        folder
    };
    let ((systems, store), (named, _)) = (certificates(&folder("systems")), certificates(&folder("named")));
    let server = Server::start(Kind::Postgres, scratch.folder("postgres"), versions::options()).unwrap();
    secure(&server, &store).await;
    let base = other_versions::url(&server);
    let url = |mode: &str, authority: &str| format!("{base}?sslmode={mode}&sslrootcert={authority}");
    let trusted = url("verify-full", "system");
    for mode in ["verify-full", "verify-ca"] {
        let refused = url(mode, named.to_str().unwrap());
        // Where OpenSSL finds what the system trusts.
        let system = ("SSL_CERT_FILE", systems.to_str().unwrap());
        let env = [system, (REFUSED, &refused), (TRUSTED, &trusted)];
        assert_eq!(all_pass_again(&["--exact", "tls::a_named_authority_is_trusted_alone"], &env), 1);
    }
}

#[test]
fn more_trust_than_was_named_is_noticed() {
    let test = "tls::a_named_authority_is_trusted_alone";
    assert!(!passes_with("trusts-more-than-named", test));
}
