//! Passwords of both databases stay out of every file that a migration writes and of every line that it says, whatever they
//! are made of, and also where something goes wrong with them.

use std::path::{Path, PathBuf};

use tempfile::TempDir;
use uuid::Uuid;

use super::Shop;
use super::backup::files;
use crate::support::{Installation, Output, Running, Start, eventually, run_souk, souk};

/// What URLs, SQL, shells, JSON and TOML each would have to write in another way. How it begins and ends is found however
/// the rest is written.
const ODD: &str = "@:/%?#&='\"\\ é$`";
const OF_THE_SOURCE: [&str; 2] = ["zq7Xkf3", "Vw9JtB8"];
const OF_THE_TARGET: [&str; 2] = ["hL4mPy6", "Rc2SdN5"];

/// Roles with such passwords on the tests' server.
struct Roles {
    server: String,
    names: [String; 2],
}

fn password([begin, end]: [&str; 2]) -> String {
    format!("{begin}{ODD}{end}")
}

fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

impl Roles {
    fn new(shop: &Shop) -> Self {
        let names = ["source", "target"].map(|of| format!("souk_test_{of}_{}", Uuid::now_v7().simple()));
        for (name, parts) in names.iter().zip([OF_THE_SOURCE, OF_THE_TARGET]) {
            let password = password(parts).replace('\'', "''");
            shop.sql(&format!("CREATE ROLE {name} LOGIN SUPERUSER PASSWORD '{password}'"));
        }
        Self { server: shop.server.clone(), names }
    }

    /// Returns `url` with a role and what it gives for its password.
    fn url(&self, role: usize, password: &str, url: &str) -> String {
        let (_, place) = url.rsplit_once('@').expect("the tests' server has users");
        format!("postgresql://{}:{password}@{place}", self.names[role])
    }
}

impl Drop for Roles {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let admin = super::connect(&runtime, &self.server);
        for name in &self.names {
            let dropped = runtime.block_on(admin.batch_execute(&format!("DROP ROLE {name}")));
            dropped.expect("what it owned went with the databases");
        }
    }
}

/// An operator whose URLs have such passwords; the roles go last, since the databases are theirs.
struct Operator {
    shop: Shop,
    servers: Installation,
    /// Where the operator's own file with the URL is: that one has the password.
    desk: TempDir,
    target: String,
    said: Vec<String>,
    roles: Roles,
}

impl Operator {
    fn new() -> Self {
        let (shop, servers) = (Shop::new(60), Installation::new());
        std::fs::remove_file(shop.path().join("source.url")).expect("our own folder");
        let (roles, desk) = (Roles::new(&shop), tempfile::tempdir().expect("a scratch folder"));
        let source = roles.url(0, &encoded(&password(OF_THE_SOURCE)), &shop.url);
        std::fs::write(desk.path().join("source.url"), source).expect("our own folder");
        let target = roles.url(1, &encoded(&password(OF_THE_TARGET)), servers.get("DATABASE_URL"));
        // Whatever is put aside for a moment is looked at, too.
        std::fs::create_dir(shop.path().join("tmp")).expect("our own folder");
        Self { shop, servers, desk, target, said: Vec::new(), roles }
    }

    fn env(&self) -> Vec<(&str, &str)> {
        let mut env = self.servers.env();
        env.retain(|(name, _)| *name != "DATABASE_URL");
        let tmp = self.shop.path().join("tmp");
        env.extend([("DATABASE_URL", self.target.as_str()), ("LOG_LEVEL", "trace")]);
        assert!(tmp.is_dir());
        env
    }

    fn source_file(&self) -> PathBuf {
        self.desk.path().join("source.url")
    }

    fn run(&mut self, args: &[&str], more: &[(&str, &str)]) -> Output {
        let tmp = self.shop.path().join("tmp").display().to_string();
        let env = [&self.env()[..], &[("TMPDIR", tmp.as_str())], more].concat();
        let output = run_souk(self.shop.path(), args, &env);
        self.said.extend([output.stdout.clone(), output.stderr.clone()]);
        output
    }

    fn done(&mut self, step: &[&str]) -> Output {
        let file = self.source_file().display().to_string();
        let output = self.run(&[&["migrate"], step, &["--source-file", &file]].concat(), &[]);
        assert_eq!(output.code, Some(0), "{step:?}: {output:?}");
        output
    }

    /// What has a part of one of the passwords, of all that was written and said.
    fn leaks(&self) -> Vec<String> {
        let parts = [OF_THE_SOURCE, OF_THE_TARGET].concat();
        let has = |text: &str| parts.iter().any(|part| text.contains(part));
        let mut found: Vec<String> = self.said.iter().filter(|said| has(said)).cloned().collect();
        let text = |path: &Path| String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
        let written = files(self.shop.path()).into_iter().filter(|path| has(&text(path)));
        found.extend(written.map(|path| format!("{} has it", path.display())));
        found
    }

    /// Follows until everything is copied, and ends it as an operator does.
    fn follow(&mut self) {
        let mut command = souk();
        command.args(["migrate", "follow", "--source-file"]).arg(self.source_file());
        command.current_dir(self.shop.path()).envs(self.env());
        let mut following = Running::spawn(command);
        let folder = self.shop.path().to_owned();
        eventually("it follows", || {
            assert!(!following.has_ended(), "{:#?}", following.log());
            let status = run_souk(&folder, &["migrate", "status", "--json"], &[]).json();
            (status["follow"]["caughtUp"] == true).then_some(())
        });
        following.signal(libc::SIGTERM);
        assert!(following.wait().success(), "{:#?}", following.log());
        self.said.extend(following.log());
        self.said.push(following.printed());
    }
}

#[test]
fn passwords_are_in_no_file_and_no_line_of_a_migration() {
    let mut it = Operator::new();
    let up = Start::new(it.shop.path()).env("ARCHIVE_MAX_AGE", "1s");
    let souk = it.env().into_iter().fold(up, |up, (name, value)| up.env(name, value)).start();
    it.done(&["plan"]);
    it.done(&["backup", "--into", "kept"]);
    it.done(&["restore", "--from", "kept"]);
    it.done(&["copy"]);
    it.follow();
    it.done(&["cutover", "--within", "120s"]);
    it.done(&["follow", "--once"]);
    it.done(&["rollback", "--within", "120s"]);
    it.done(&["cutover", "--within", "120s"]);
    it.done(&["compare"]);
    let urls = [
        format!("http://localhost:{}", souk.ports.api),
        format!("http://localhost:{}/events/stream", souk.ports.notifications),
        format!("http://localhost:{}", souk.ports.analytics),
    ];
    it.done(&[
        "check",
        "--reads-within",
        "10m",
        "--api",
        &urls[0],
        "--stream",
        &urls[1],
        "--analytics",
        &urls[2],
    ]);
    it.done(&["finish"]);
    for args in
        [&["migrate", "status"][..], &["migrate", "status", "--json"], &["config"], &["doctor"], &["audit"]]
    {
        it.run(args, &[]);
    }
    it.said.extend(souk.log());
    it.said.push(souk.printed());
    assert!(souk.terminate().success());
    assert_eq!(it.leaks(), Vec::<String>::new());
    assert!(
        it.shop.path().join("kept/settings.json").is_file() && it.said.len() > 20,
        "there was something to look at"
    );
}

/// What is wrong with a URL is told without its password: nobody there, another password, one that was not encoded.
#[test]
fn passwords_are_in_no_error_either() {
    let mut it = Operator::new();
    let right = encoded(&password(OF_THE_SOURCE));
    let [source, target] = [it.shop.url.clone(), it.servers.get("DATABASE_URL").to_owned()];
    let (_, place) = source.rsplit_once('@').expect("the tests' server has users");
    let nobody = source.replace(place, "127.0.0.1:9/app");
    let raw = password(OF_THE_SOURCE);
    let wrong = [
        it.roles.url(0, &right, &nobody),
        it.roles.url(0, &format!("{right}x"), &source),
        it.roles.url(0, &raw, &source),
        format!("{raw}@{place}"),
        it.roles.url(0, &right, &format!("{source}?sslmode=no-such")),
    ];
    for url in &wrong {
        let refused = it.run(&["migrate", "plan"], &[("MIGRATE_SOURCE", url)]);
        assert!(matches!(refused.code, Some(2 | 3)), "{url}: {refused:?}");
    }
    let good = it.roles.url(0, &right, &source);
    assert_eq!(it.run(&["migrate", "plan"], &[("MIGRATE_SOURCE", &good)]).code, Some(0));
    let raw = password(OF_THE_TARGET);
    let (_, place) = target.rsplit_once('@').expect("the tests' server has users");
    for url in [
        it.roles.url(1, &raw, &target),
        it.roles.url(1, &format!("{}x", encoded(&raw)), &target),
        format!("{raw}@{place}"),
    ] {
        for args in [&["migrate", "copy"][..], &["doctor"], &["config"]] {
            it.run(args, &[("MIGRATE_SOURCE", &good), ("DATABASE_URL", &url)]);
        }
    }
    assert_eq!(it.leaks(), Vec::<String>::new());
    // The look for it is one that can find something.
    it.run(
        &["migrate", "plan"],
        &[("MIGRATE_SOURCE", &good), ("SOUK_PLANTED_BUG", "postgres-shows-password")],
    );
    assert!(!it.leaks().is_empty());
}
