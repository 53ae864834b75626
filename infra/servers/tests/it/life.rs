//! Beginning and end: several at once, pauses, and nothing left behind.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use souk_servers::{Kind, Life, Options, Scratch, Server, Servers};

use crate::clients::{minio, postgres};

const LIMIT: Duration = Duration::from_secs(30);
/// Names the folder to the process that is to be killed.
const STARTER: &str = "SOUK_SERVERS_TEST_STARTER";

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < LIMIT, "{what} within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Returns the command lines of all processes that name `folder`.
fn processes_of(folder: &Path) -> Vec<String> {
    let folder = folder.to_string_lossy();
    let entries = std::fs::read_dir("/proc").expect("this is Linux");
    let commands = entries.flatten().filter_map(|entry| std::fs::read(entry.path().join("cmdline")).ok());
    commands
        .map(|command| String::from_utf8_lossy(&command).replace('\0', " "))
        .filter(|command| command.contains(&*folder))
        .collect()
}

#[test]
fn several_of_each_kind_run_side_by_side() {
    let scratch = Scratch::new("sets").expect("a folder");
    let kinds = [Kind::Postgres, Kind::Minio];
    let start = |name: &str| Servers::start(&scratch.folder(name), &kinds, |_| Options::default());
    let (first, second) = (start("first").expect("it starts"), start("second").expect("it starts"));
    for kind in kinds {
        let (first, second) = (first.get(kind).expect("asked for"), second.get(kind).expect("asked for"));
        assert_ne!(first.port(), second.port());
        assert!(first.answers() && second.answers());
    }
    drop(first);
    assert!(second.iter().all(Server::answers), "the end of one set is not the other's");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_answers_nothing_and_then_goes_on() {
    let scratch = Scratch::new("pause").expect("a folder");
    let servers = Servers::start(scratch.path(), &[Kind::Postgres, Kind::Minio], |_| Options::default())
        .expect("they start");
    let (database, store) =
        (servers.get(Kind::Postgres).expect("asked for"), servers.get(Kind::Minio).expect("asked for"));
    let session = postgres(&database.env()[0].1).await;
    database.pause();
    store.pause();
    assert!(database.is_running(), "it is there");
    assert!(!database.answers() && !store.answers(), "and answers nobody");
    // The session that is there already has its own process, which stands still as well.
    let mut answer = Box::pin(session.query_one("SELECT 42", &[]));
    let early = tokio::time::timeout(Duration::from_millis(300), &mut answer).await;
    assert!(early.is_err(), "nobody was there to answer");
    database.resume();
    store.resume();
    let row = answer.await.expect("the same session goes on");
    assert_eq!(row.get::<_, i32>(0), 42);
    assert_eq!(minio::put(store.port(), "/bucket", ""), 200);
}

#[test]
fn a_paused_server_can_be_killed_and_restarted() {
    let scratch = Scratch::new("frozen").expect("a folder");
    let mut server =
        Server::start(Kind::Postgres, scratch.folder("server"), Options::default()).expect("it starts");
    server.pause();
    server.kill();
    assert!(!server.is_running());
    server.restart().expect("it comes back");
    assert!(server.answers());
}

#[test]
fn nothing_runs_after_a_drop() {
    let scratch = Scratch::new("drop").expect("a folder");
    let servers = Servers::start(scratch.path(), &Kind::ALL, |_| Options::default()).expect("they start");
    assert!(processes_of(scratch.path()).len() >= 4);
    drop(servers);
    assert_eq!(processes_of(scratch.path()), [""; 0]);
}

/// Also when they were paused at that moment.
#[test]
fn nothing_is_left_when_the_starter_is_killed() {
    if let Some(folder) = std::env::var_os(STARTER) {
        let servers =
            Servers::start(Path::new(&folder), &Kind::ALL, |_| Options::default()).expect("they start");
        servers.iter().for_each(Server::pause);
        println!("\nall are paused");
        std::io::stdout().flush().expect("the test reads");
        loop {
            std::thread::park();
        }
    }
    let scratch = Scratch::new("orphans").expect("a folder");
    let mut starter = Command::new(std::env::current_exe().expect("this is a program"))
        .args(["--exact", "life::nothing_is_left_when_the_starter_is_killed", "--nocapture"])
        .env(STARTER, scratch.path())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the same program starts again");
    let output = BufReader::new(starter.stdout.take().expect("a pipe was asked for"));
    let started = output.lines().map_while(Result::ok).any(|line| line == "all are paused");
    let there = processes_of(scratch.path()).len();
    starter.kill().expect("it is ours");
    starter.wait().expect("it is ours");
    assert!(started && there >= 4, "all have run: {there}");
    eventually("all are gone", || processes_of(scratch.path()).is_empty());
}

#[test]
fn a_detached_server_goes_on_until_somebody_stops_it() {
    let scratch = Scratch::new("detached").expect("a folder");
    let folder = scratch.folder("server");
    let options = Options { life: Life::Detached, ..Options::default() };
    let server = Server::start(Kind::Minio, &folder, options.clone()).expect("it starts");
    let port = server.port();
    drop(server);
    let error = Server::start(Kind::Minio, &folder, options.clone()).expect_err("one runs there");
    assert!(error.to_string().contains("already"), "{error}");
    let mut server = Server::attach(&folder).expect("its record is read").expect("it was started");
    assert!(server.answers() && server.port() == port);
    server.stop().expect("it stops");
    assert!(!server.is_running());
    assert!(Server::attach(&folder).expect("its record is read").is_none(), "it was stopped in order");
}

#[test]
fn a_taken_port_is_named_with_the_servers_own_words() {
    let taken = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = taken.local_addr().expect("it is bound").port();
    let scratch = Scratch::new("taken").expect("a folder");
    let options = Options { port: Some(port), ..Options::default() };
    let error = Server::start(Kind::Postgres, scratch.folder("server"), options).expect_err("it is taken");
    let error = format!("{error:#}");
    assert!(error.contains(&port.to_string()) && error.contains("already in use"), "{error}");
}

#[test]
fn a_servers_own_settings_have_the_last_word() {
    let scratch = Scratch::new("settings").expect("a folder");
    let settings = vec![("listen_addresses".to_owned(), "127.0.0.1, 127.0.0.2".to_owned())];
    let options = Options { settings, ..Options::default() };
    let server = Server::start(Kind::Postgres, scratch.folder("server"), options).expect("it starts");
    let mut stream = TcpStream::connect((Ipv4Addr::new(127, 0, 0, 2), server.port())).expect("it listens");
    // SSLRequest: one byte comes back, "no" here.
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).expect("it reads");
    let mut answer = [0];
    stream.read_exact(&mut answer).expect("it answers");
    assert_eq!(&answer, b"N");
}
