//! A day: an installation under load, with a reader, and what has to be true at its end.

use std::time::{Duration, Instant};

use crate::book::ledger::Ledger;
use crate::book::operation::Fate;
use crate::book::verdict;
use crate::book::writer::{Shelf, Writer};
use crate::installation::Installation;
use crate::load::{self, Load};
use crate::reader::Reader;
use crate::servers::{Harm, Links, Turn, turn};
use crate::service::Role;

/// How long the stream and analytics may take to catch up at the end of a day, after the worst of them.
const CATCHES_UP_WITHIN: Duration = Duration::from_secs(180);

/// An installation under load.
pub struct Day {
    pub town: Installation,
    pub reader: Reader,
    writers: Vec<Writer>,
    load: Option<Load>,
    shelf: Shelf,
    patience: Duration,
    pub turn: Turn,
}

impl Day {
    /// Starts one of each service, and the load on them.
    pub fn begin(seed: u64, links: Links) -> Self {
        Self::begin_on(turn(links, Harm::Nobody), seed, links, &[])
    }

    /// The same on servers that are to be harmed.
    pub fn begin_alone(seed: u64) -> Self {
        let links = Links::Direct;
        Self::begin_on(turn(links, Harm::Servers), seed, links, &[])
    }

    /// The same with more settings for every service.
    pub fn begin_with(seed: u64, links: Links, more: &[(&str, &str)]) -> Self {
        Self::begin_on(turn(links, Harm::Nobody), seed, links, more)
    }

    fn begin_on(turn: Turn, seed: u64, links: Links, more: &[(&str, &str)]) -> Self {
        let mut town = Installation::new(&turn, links);
        town.settings.extend(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let ports = Role::ALL.map(|role| town.start(role, &[]));
        for port in ports {
            town.service(port).wait_ready();
        }
        let shelf = Shelf::stock(&mut town.api());
        let reader = Reader::begin(&town.streams);
        let mut day = Self {
            writers: load::writers(seed, &shelf),
            load: None,
            town,
            reader,
            shelf,
            patience: CATCHES_UP_WITHIN,
            turn,
        };
        day.work();
        day.goes_on("the day begins");
        day
    }

    /// Gives up sooner: where a planted bug is to be found, something is missing for good.
    #[must_use]
    pub fn impatient(mut self) -> Self {
        self.patience = Duration::from_secs(10);
        self
    }

    /// Sets the writers to work again.
    pub fn work(&mut self) {
        if self.load.is_none() {
            self.load = Some(Load::begin(std::mem::take(&mut self.writers), &self.town.apis));
        }
    }

    /// Has the writers stop.
    pub fn rest(&mut self) {
        if let Some(load) = self.load.take() {
            self.writers = load.end();
        }
    }

    /// Returns how many events the reader has.
    pub fn events(&self) -> u64 {
        self.reader.heard().events
    }

    /// Waits until events that are written from now on come out of the stream: everything in between works.
    pub fn goes_on(&self, when: &str) {
        /// More than what may have been under way.
        const ENOUGH: u64 = 40;
        let before = self.events();
        let began = Instant::now();
        while self.events() < before + ENOUGH {
            assert!(
                began.elapsed() < CATCHES_UP_WITHIN,
                "{when}: after {:?} the stream had {} events more\n{}",
                began.elapsed(),
                self.events() - before,
                self.town.last_words()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Ends the day: all is there, once, and right.
    pub fn end(mut self, what: &str) {
        let findings = self.findings();
        assert!(findings.is_empty(), "{what}: {findings:#?}\n{}", self.town.last_words());
        let answered: usize = self.writers.iter().map(|writer| writer.ledger().acknowledged()).sum();
        assert!(answered > 50, "{what}: the writers got through: {answered} answers");
    }

    /// Has the writers rest until everything is counted and archived.
    pub fn settles(&mut self) {
        let findings = self.settle();
        assert!(findings.is_empty(), "{findings:#?}\n{}", self.town.last_words());
    }

    /// Has the writers rest until the stream has carried all that was answered.
    pub fn is_heard(&mut self) {
        let findings = self.hear();
        assert!(findings.is_empty(), "{findings:#?}\n{}", self.town.last_words());
    }

    fn hear(&mut self) -> Vec<String> {
        self.rest();
        let api = self.town.port_of(Role::Api);
        for writer in &mut self.writers {
            writer.settle(api);
        }
        self.wait_for_stream()
    }

    fn settle(&mut self) -> Vec<String> {
        let mut findings = self.hear();
        findings.extend(self.wait_for_analytics());
        findings
    }

    /// Returns how many requests were once left without an answer.
    pub fn unheard(&self) -> usize {
        self.writers.iter().map(|writer| writer.ledger().unheard()).sum()
    }

    /// Everything that can be said against the installation; the writers rest afterwards.
    pub fn findings(&mut self) -> Vec<String> {
        let mut findings = self.settle();
        let ledgers: Vec<&Ledger> = self.writers.iter().map(Writer::ledger).collect();
        {
            let heard = self.reader.heard();
            let told = heard.told.clone();
            findings.extend(heard.findings.iter().cloned());
            drop(heard);
            findings.extend(verdict::against(told, &mut self.town.api(), &ledgers, &self.shelf));
        }
        findings.extend(ledgers.iter().flat_map(|ledger| ledger.wrong_answers.iter().cloned()));
        findings.extend(self.town.audit());
        findings
    }

    /// Waits until the reader has all that was answered as done.
    fn wait_for_stream(&self) -> Vec<String> {
        let done = || self.writers.iter().flat_map(|writer| &writer.ledger().operations);
        let began = Instant::now();
        loop {
            let missing: Vec<String> = {
                let heard = self.reader.heard();
                done()
                    .filter(|operation| matches!(operation.fate, Fate::Done(_)))
                    .map(verdict::expected)
                    .filter(|(tag, count)| heard.told.get(tag).map_or(0, Vec::len) < *count)
                    .map(|(tag, _)| tag)
                    .collect()
            };
            if missing.is_empty() {
                return Vec::new();
            }
            if began.elapsed() > self.patience {
                let first = &missing[..missing.len().min(5)];
                return vec![format!("the stream lacks {} operations, {first:?} first", missing.len())];
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until each consumer has counted all there is, and the archive holds it.
    fn wait_for_analytics(&self) -> Vec<String> {
        let began = Instant::now();
        let mut instances = self.town.clients_of(Role::Analytics);
        let mut last = String::new();
        while began.elapsed() < self.patience {
            // A flush archives everything, and the owner of a partition moves on to where it was archived when it closes
            // its own file: at its own flush, or at the file's age.
            let flushed: Vec<u16> = instances
                .iter_mut()
                .filter_map(|analytics| analytics.try_call("POST", "/archive/flush", &[], None).ok())
                .map(|reply| reply.status)
                .collect();
            let flushed = if flushed.len() == instances.len() { Some(flushed) } else { None };
            let progress = instances[0].try_call("GET", "/progress", &[], None).ok();
            if let (Some(flushed), Some(progress)) = (flushed, progress) {
                last = format!("flush {flushed:?}, progress {}", progress.text());
                if flushed.iter().all(|status| *status == 200) && progress.status == 200 {
                    let progress = progress.json();
                    let consumers = progress["consumers"].as_array().expect("progress lists consumers");
                    if consumers.iter().all(|consumer| consumer["lagEvents"] == 0) {
                        return Vec::new();
                    }
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        vec![format!("analytics did not catch up within {:?}: {last}", self.patience)]
    }

    /// Waits until a service has come to its end at a crash point.
    pub fn wait_for_crash(&mut self, port: u16, what: &str) {
        let service = self.town.service(port);
        let status = service.wait_within(CATCHES_UP_WITHIN);
        let words = service.last_words();
        let status = status.unwrap_or_else(|| panic!("{what} was never reached:{words}"));
        assert!(crate::service::Service::crashed(status), "{what}: ended with {status}:{words}");
        assert!(service.has_said("crash point"), "{what}: it aborted elsewhere:{words}");
    }
}
