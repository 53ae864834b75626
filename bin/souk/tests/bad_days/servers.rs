//! The servers behind the installations of this file: one of each kind, each with a fault proxy in front of it. Tests
//! that harm no server share a set; the others have one to themselves.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use souk_fault_proxy::{Http, Kafka, Postgres, Proxy};
use souk_servers::{Kind, Options, Scratch, Server};

/// One set for all tests that harm no server; the last one takes it along.
static WHOLE: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
/// Another for those that kill and pause servers, one test at a time.
static HARMED: Mutex<Weak<Servers>> = Mutex::new(Weak::new());
static HARM: Mutex<()> = Mutex::new(());
/// One test at a time breaks links, too: what happens to one, all feel who use it.
static LINKS: Mutex<()> = Mutex::new(());

/// What a server is at, by our doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Up,
    Paused,
    Down,
}

/// The servers and the proxies in front of them.
pub struct Servers {
    servers: Mutex<Vec<(Kind, Server, State)>>,
    pub postgres: Proxy<Postgres>,
    pub kafka: Proxy<Kafka>,
    pub dynamo: Proxy<Http>,
    pub s3: Proxy<Http>,
    /// Where they keep their data.
    _folder: Scratch,
}

/// How an installation reaches the servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Links {
    Direct,
    ThroughProxies,
}

/// What a test does to what it shares with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// Nothing that another installation feels.
    Nobody,
    /// It kills or pauses servers.
    Servers,
}

/// A test's turn: the servers are whole, and what it does to them no other test feels.
pub struct Turn {
    servers: Arc<Servers>,
    _alone: Option<MutexGuard<'static, ()>>,
}

impl std::ops::Deref for Turn {
    type Target = Servers;

    fn deref(&self) -> &Servers {
        &self.servers
    }
}

/// Waits for a test's turn.
pub fn turn(links: Links, harm: Harm) -> Turn {
    let (set, turns) = match (harm, links) {
        (Harm::Servers, _) => (&HARMED, Some(&HARM)),
        (Harm::Nobody, Links::ThroughProxies) => (&WHOLE, Some(&LINKS)),
        (Harm::Nobody, Links::Direct) => (&WHOLE, None),
    };
    // Held while we wait: whoever ends meanwhile does not take them along.
    let servers = {
        let mut set = lock(set);
        set.upgrade().unwrap_or_else(|| {
            let new = Arc::new(Servers::start());
            *set = Arc::downgrade(&new);
            new
        })
    };
    let alone = turns.map(lock);
    if alone.is_some() {
        // What a test that failed left broken is mended.
        servers.mend();
    }
    Turn { servers, _alone: alone }
}

/// A test that failed holds nobody up.
fn lock<T>(mutex: &'static Mutex<T>) -> MutexGuard<'static, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

impl Servers {
    fn start() -> Self {
        let scratch = Scratch::new("bad-days").expect("a folder for servers");
        // Where Kafka's clients are told to come back to has to be known before Kafka starts.
        let kafka = Proxy::<Kafka>::start(local(0)).expect("a port");
        let start = |kind: Kind| {
            let advertise = if kind == Kind::Kafka { vec![kafka.port()] } else { Vec::new() };
            let options = Options { advertise, ..Options::default() };
            Server::start(kind, scratch.folder(kind.name()), options)
                .unwrap_or_else(|error| panic!("{kind} does not start; run `cargo xtask test`: {error:#}"))
        };
        let servers: Vec<_> = Kind::ALL.into_iter().map(|kind| (kind, start(kind), State::Up)).collect();
        let of = |kind| {
            servers.iter().find(|(k, ..)| *k == kind).map(|(_, server, _)| server).expect("all are there")
        };
        let behind = of(Kind::Kafka).behind_proxy()[0];
        kafka.redirect(local(behind));
        let postgres = Proxy::start(local(of(Kind::Postgres).port())).expect("a port");
        let dynamo = Proxy::start(local(of(Kind::Dynamo).port())).expect("a port");
        let s3 = Proxy::start(local(of(Kind::Minio).port())).expect("a port");
        Self { servers: Mutex::new(servers), postgres, kafka, dynamo, s3, _folder: scratch }
    }

    /// Returns the environment of services that use these servers.
    pub fn environment(&self, links: Links) -> Vec<(String, String)> {
        let servers = self.servers.lock().expect("nobody panics holding servers");
        let mut environment: Vec<(String, String)> = servers
            .iter()
            .flat_map(|(_, server, _)| server.env())
            .map(|(name, value)| (name.to_owned(), value))
            .collect();
        if links == Links::Direct {
            return environment;
        }
        for (kind, server, _) in servers.iter() {
            let (name, proxy) = match kind {
                Kind::Postgres => ("DATABASE_URL", self.postgres.port()),
                Kind::Kafka => ("KAFKA_BROKERS", self.kafka.port()),
                Kind::Dynamo => ("DYNAMO_ENDPOINT", self.dynamo.port()),
                Kind::Minio => ("MINIO_ENDPOINT", self.s3.port()),
            };
            for (_, value) in environment.iter_mut().filter(|(n, _)| n == name) {
                *value = value.replace(&format!(":{}", server.port()), &format!(":{proxy}"));
            }
        }
        environment
    }

    /// Kills a server as a power cut would.
    pub fn kill(&self, kind: Kind) {
        self.with(kind, |server, state| {
            server.kill();
            *state = State::Down;
        });
    }

    /// Starts a killed server on its data.
    pub fn restart(&self, kind: Kind) {
        self.with(kind, |server, state| {
            server.restart().unwrap_or_else(|error| panic!("{kind} does not start again: {error:#}"));
            *state = State::Up;
        });
    }

    /// Stops a server in order, has `change` done to its folder, and starts it again.
    pub fn while_stopped(&self, kind: Kind, change: impl FnOnce(&Path)) {
        self.with(kind, |server, state| {
            server.stop().unwrap_or_else(|error| panic!("{kind} does not stop: {error:#}"));
            *state = State::Down;
            change(server.folder());
            server.restart().unwrap_or_else(|error| panic!("{kind} does not start again: {error:#}"));
            *state = State::Up;
        });
    }

    /// Stops a server where it is.
    pub fn pause(&self, kind: Kind) {
        self.with(kind, |server, state| {
            server.pause();
            *state = State::Paused;
        });
    }

    /// Lets a server go on.
    pub fn resume(&self, kind: Kind) {
        self.with(kind, |server, state| {
            server.resume();
            *state = State::Up;
        });
    }

    fn with(&self, kind: Kind, act: impl FnOnce(&mut Server, &mut State)) {
        let mut servers = self.servers.lock().unwrap_or_else(PoisonError::into_inner);
        let (_, server, state) = servers.iter_mut().find(|(k, ..)| *k == kind).expect("all are there");
        act(server, state);
    }

    fn mend(&self) {
        self.postgres.mend();
        self.kafka.mend();
        self.dynamo.mend();
        self.s3.mend();
        for kind in Kind::ALL {
            let mut state = State::Up;
            self.with(kind, |_, now| state = *now);
            match state {
                State::Up => {}
                State::Paused => self.resume(kind),
                State::Down => self.restart(kind),
            }
        }
    }
}
