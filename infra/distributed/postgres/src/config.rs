//! Where the database is, read from a URL as libpq reads it.

use std::fmt;
use std::time::Duration;

use souk_domain::Stock;
use souk_ports::fault;
use tokio_postgres::config::{Host, SslMode};

use crate::tls::{Tls, Verify};

/// How long a session may be quiet before the peer is asked whether it is there.
const QUIET: Duration = Duration::from_secs(10);
/// How long what was sent may stay unacknowledged before the session counts as lost.
const UNHEARD: Duration = Duration::from_secs(30);
/// How long a connection may take to come about when the URL says nothing: a server that is there answers in
/// milliseconds, one behind a lossy link within two retransmissions.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Committers when nothing is said: one commits while the other gathers.
const COMMITTERS: usize = 2;
/// Long enough for a server that restarts or fails over to be asked, short enough for a client to wait.
const OUTCOME_PATIENCE: Duration = Duration::from_secs(15);
/// Longer than any lock of another batch, short enough for whoever waits.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// Connections for reads when nothing is said: a read takes a millisecond, so a few hide each other's waits.
const READERS: usize = 4;

/// How to reach the database, and what with.
#[derive(Clone)]
pub struct PostgresConfig {
    /// The threshold of products that have none of their own.
    pub low_stock_threshold: Stock,
    /// Connections that commit batches of writes, 1 to 4.
    pub committers: usize,
    /// Most connections that read.
    pub readers: usize,
    /// How long the outcome of a commit whose reply was lost is looked into; the client waits meanwhile.
    pub outcome_patience: Duration,
    /// How long the server may take for a batch before its session counts as lost, and for a session that is to commit.
    pub answer_patience: Duration,
    /// What sessions are called in `pg_stat_activity`.
    pub application_name: String,
    /// The setting that the URL came from, as errors name it.
    pub setting: &'static str,
    pub(crate) server: tokio_postgres::Config,
    pub(crate) tls: Tls,
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig")
            .field("address", &self.address())
            .field("committers", &self.committers)
            .field("readers", &self.readers)
            .finish_non_exhaustive()
    }
}

impl PostgresConfig {
    /// Reads `postgres://user:password@host:port/database?sslmode=…&sslrootcert=…`.
    ///
    /// `sslmode` means what libpq means by it: `disable`; `prefer` (the default) encrypts where the server can;
    /// `require` always encrypts, and verifies only if there is a `sslrootcert`; `verify-ca` wants a certificate of an
    /// authority in `sslrootcert` (the system's, when it is not given or `system`); `verify-full` also wants the host's
    /// name in it. `sslcert` and `sslkey` name the client's own.
    ///
    /// # Errors
    /// A text that names what is wrong, and never shows the password.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let rest = base.strip_prefix("postgres://").or_else(|| base.strip_prefix("postgresql://")).ok_or(
            "must begin with postgres:// or postgresql://, as in postgres://user:password@host:5432/database",
        )?;
        if rest.matches('@').count() > 1 {
            return Err(
                "has more than one @: write those of user and password as %40, and likewise / as %2F".into(),
            );
        }
        if query.contains('@') {
            // What stands there may be of a password, so nothing of it is shown.
            return Err(
                "has an @ behind a ?: write those of user and password as %40 and %3F, in parameters @ as %40"
                    .into(),
            );
        }
        let mut options = TlsOptions::default();
        let mut kept = Vec::new();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) =
                pair.split_once('=').ok_or_else(|| format!("has a parameter without a value: {pair}"))?;
            if !options.take(name, value)? {
                kept.push(pair);
            }
        }
        let cleaned = if kept.is_empty() { base.to_owned() } else { format!("{base}?{}", kept.join("&")) };
        let mut server: tokio_postgres::Config = cleaned.parse().map_err(|error| explain(&error))?;
        let (mode, tls) = options.finish()?;
        server.ssl_mode(mode);
        if server.get_hosts().is_empty() && server.get_hostaddrs().is_empty() {
            return Err("names no host, as in postgres://user:password@host:5432/database".into());
        }
        if server.get_connect_timeout().is_none() {
            server.connect_timeout(CONNECT_TIMEOUT);
        }
        // A peer that is gone without a word is noticed within a minute, also while its answer is waited for.
        server.keepalives_idle(QUIET).keepalives_interval(QUIET / 2).keepalives_retries(3);
        server.tcp_user_timeout(UNHEARD);
        Ok(Self {
            low_stock_threshold: Stock::new(5).expect("5 is a stock"),
            committers: COMMITTERS,
            readers: READERS,
            outcome_patience: OUTCOME_PATIENCE,
            answer_patience: ANSWER_PATIENCE,
            application_name: "souk".into(),
            setting: "DATABASE_URL",
            server,
            tls,
        })
    }

    /// Checks what was set by hand.
    ///
    /// # Errors
    /// A text that names the field and its range.
    pub fn validate(&self) -> Result<(), String> {
        if !(1..=4).contains(&self.committers) {
            return Err(format!("{} committers are not possible: choose 1 to 4", self.committers));
        }
        if !(1..=64).contains(&self.readers) {
            return Err(format!("{} readers are not possible: choose 1 to 64", self.readers));
        }
        Ok(())
    }

    /// Returns the URL without its password.
    pub fn address(&self) -> String {
        let mut user = self.server.get_user().map(|user| format!("{user}@")).unwrap_or_default();
        if fault::planted("postgres-shows-password") {
            let password = String::from_utf8_lossy(self.server.get_password().unwrap_or_default());
            user = user.replace('@', &format!(":{password}@"));
        }
        let ports = self.server.get_ports();
        let port = |n: usize| ports.get(n).or(ports.first()).copied().unwrap_or(5432);
        let hosts: Vec<String> = match self.server.get_hosts() {
            [] => self
                .server
                .get_hostaddrs()
                .iter()
                .enumerate()
                .map(|(n, a)| format!("{a}:{}", port(n)))
                .collect(),
            hosts => {
                hosts.iter().enumerate().map(|(n, host)| format!("{}:{}", name(host), port(n))).collect()
            }
        };
        format!("postgres://{user}{}/{}", hosts.join(","), self.database())
    }

    /// Returns the same for another database of the server.
    pub(crate) fn with_database(&self, name: &str) -> Self {
        let mut config = self.clone();
        config.server.dbname(name);
        config
    }

    /// Returns the database's name: by default the user's.
    pub fn database(&self) -> &str {
        self.server.get_dbname().or(self.server.get_user()).unwrap_or_default()
    }
}

fn name(host: &Host) -> String {
    match host {
        Host::Tcp(name) => name.clone(),
        #[cfg(unix)]
        Host::Unix(path) => path.display().to_string(),
    }
}

/// The driver's own words with their reason.
fn explain(error: &tokio_postgres::Error) -> String {
    let reason = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    format!("is not understood{reason}")
}

/// What the URL says about TLS.
#[derive(Default)]
struct TlsOptions {
    mode: Option<String>,
    root: Option<String>,
    certificate: Option<String>,
    key: Option<String>,
}

impl TlsOptions {
    /// Takes a parameter if it is about TLS and not the driver's own.
    fn take(&mut self, name: &str, value: &str) -> Result<bool, String> {
        let field = match name {
            "sslmode" => &mut self.mode,
            "sslrootcert" => &mut self.root,
            "sslcert" => &mut self.certificate,
            "sslkey" => &mut self.key,
            _ => return Ok(false),
        };
        *field = Some(percent_decode(value).ok_or_else(|| format!("has a {name} that is no UTF-8"))?);
        Ok(true)
    }

    fn finish(self) -> Result<(SslMode, Tls), String> {
        // As libpq: the file in the home directory counts as named, if it is there.
        let root = self.root.or_else(|| {
            let file = std::path::Path::new(&std::env::var_os("HOME")?).join(".postgresql/root.crt");
            file.is_file().then(|| file.display().to_string())
        });
        let (mode, verify) = match self.mode.as_deref().unwrap_or("prefer") {
            "disable" => (SslMode::Disable, Verify::Nothing),
            "allow" | "prefer" => (SslMode::Prefer, Verify::Nothing),
            "require" if root.is_some() => (SslMode::Require, Verify::Authority),
            "require" => (SslMode::Require, Verify::Nothing),
            "verify-ca" => (SslMode::Require, Verify::Authority),
            "verify-full" => (SslMode::Require, Verify::AuthorityAndName),
            other => {
                return Err(format!(
                    "has sslmode={other}: choose disable, prefer, require, verify-ca or verify-full"
                ));
            }
        };
        let system = root.as_deref() == Some("system");
        if system && !matches!(verify, Verify::AuthorityAndName) {
            // Anybody can get a certificate from one of them: without the name it proves nothing.
            return Err("has sslrootcert=system, which needs sslmode=verify-full".into());
        }
        let root = if system { None } else { root };
        Ok((mode, Tls { verify, root, certificate: self.certificate, key: self.key }))
    }
}

fn percent_decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(rest.next()?).to_digit(16)?;
        let low = char::from(rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_everything_but_the_password() {
        let config =
            PostgresConfig::parse("postgres://ann:s3cret%40@db.example:6432/shop?sslmode=require").unwrap();
        assert_eq!(config.address(), "postgres://ann@db.example:6432/shop");
        assert!(!format!("{config:?}").contains("s3cret"));
        assert_eq!(PostgresConfig::parse("postgresql://ann@a,b:1/").unwrap().database(), "ann");
    }

    #[test]
    fn ssl_modes_mean_what_libpq_means() {
        let parse = |query: &str| {
            PostgresConfig::parse(&format!("postgres://a@b/c?{query}"))
                .map(|config| (config.server.get_ssl_mode(), config.tls.verify, config.tls.root.is_some()))
        };
        assert_eq!(parse("sslmode=disable"), Ok((SslMode::Disable, Verify::Nothing, false)));
        assert_eq!(parse("connect_timeout=3"), Ok((SslMode::Prefer, Verify::Nothing, false)));
        assert_eq!(parse("sslmode=require"), Ok((SslMode::Require, Verify::Nothing, false)));
        assert_eq!(
            parse("sslmode=require&sslrootcert=%2Fca.pem"),
            Ok((SslMode::Require, Verify::Authority, true))
        );
        assert_eq!(
            parse("sslmode=verify-full&sslrootcert=system"),
            Ok((SslMode::Require, Verify::AuthorityAndName, false))
        );
        assert!(parse("sslmode=require&sslrootcert=system").unwrap_err().contains("verify-full"));
        assert!(parse("sslmode=maybe").unwrap_err().contains("verify-ca"));
    }

    #[test]
    fn what_is_wrong_is_named_and_the_password_is_not() {
        for (url, named) in [
            ("mysql://a:s3cret@b/c", "postgres://"),
            ("postgres://a:s3cret@x@b/c", "%40"),
            ("postgres://a:x?s3cret@b/c", "%3F"),
            ("postgres://a:x@?s3cret=&#@b/c", "%3F"),
            ("postgres://a:s3cret@b/c?colour=red", "colour"),
            ("postgres://a:s3cret@b:port/c", "port"),
            ("postgres:///c", "no host"),
        ] {
            let error = PostgresConfig::parse(url).unwrap_err();
            assert!(error.contains(named), "{url}: {error}");
            assert!(!error.contains("s3cret"), "{error}");
        }
    }
}
