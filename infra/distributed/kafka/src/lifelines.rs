//! Leads clients back to the brokers of the settings, after trouble.
//!
//! A broker that stood still, or comes back after a kill, answers before its cluster has let it in again, and says that
//! there are no brokers. librdkafka then forgets all that it knows, those of the settings included, and means to begin
//! anew with these (`metadata.recovery.strategy`); yet an answer that comes between the decision and the deed takes back
//! the deed and leaves the decision standing, so that it never decides again (2.12.1: `rd_kafka_rebootstrap_tmr_stop`
//! does not reset `rk_rebootstrap_in_progress`; <https://github.com/confluentinc/librdkafka/issues/5301>). Such a client
//! says "no usable brokers" for ever.

use std::ffi::CString;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use souk_ports::fault;

use crate::native;

/// Pause between two times once brokers answer, and at first while they do not.
const EVERY: Duration = Duration::from_secs(5);
/// Longest pause while they do not: a client keeps a copy of what it is told each time.
const RARELY: Duration = Duration::from_secs(30);
/// How long it goes on after the trouble: each client may hear late that there were no brokers.
const AFTERWARDS: Duration = Duration::from_secs(15);

/// Clients that live long; those that are gone are forgotten.
pub(crate) struct Lifelines {
    brokers: CString,
    clients: Mutex<Vec<Weak<dyn Client>>>,
    trouble: Mutex<Trouble>,
}

#[derive(Default)]
struct Trouble {
    last: Option<Instant>,
    pulled: Option<Instant>,
    /// What the pause has grown to.
    pause: Duration,
}

trait Client: Send + Sync {
    fn begin_anew(&self, brokers: &CString);
}

impl<C: ConsumerContext + 'static> Client for BaseConsumer<C> {
    fn begin_anew(&self, brokers: &CString) {
        native::add_brokers(self.client().native_client(), brokers);
    }
}

impl Lifelines {
    /// For clients of `brokers`, which hold no zero byte: the settings were checked.
    pub fn new(brokers: &str) -> Self {
        Self {
            brokers: CString::new(brokers).unwrap_or_default(),
            clients: Mutex::default(),
            trouble: Mutex::default(),
        }
    }

    /// Looks after a client from now on, for as long as it is there.
    pub fn hold<C: ConsumerContext + 'static>(&self, client: &Arc<BaseConsumer<C>>) {
        let weak: Weak<BaseConsumer<C>> = Arc::downgrade(client);
        let mut clients = self.clients.lock();
        clients.retain(|client| client.strong_count() > 0);
        clients.push(weak);
    }

    /// Leads one client back, now: it is about to end, for which it has to speak with a broker.
    pub fn pull<C: ConsumerContext + 'static>(&self, client: &BaseConsumer<C>) {
        client.begin_anew(&self.brokers);
    }

    /// Takes in whether the brokers answered, each second or so, and leads clients back where it is time.
    pub fn tend(&self, answered: bool) {
        let now = Instant::now();
        let mut trouble = self.trouble.lock();
        if !answered {
            trouble.last = Some(now);
        }
        match trouble.last {
            None => return,
            Some(last) if now - last > AFTERWARDS => {
                *trouble = Trouble::default();
                return;
            }
            Some(_) => {}
        }
        let pause = if answered { EVERY } else { trouble.pause };
        if trouble.pulled.is_some_and(|at| now - at < pause) {
            return;
        }
        trouble.pulled = Some(now);
        trouble.pause = (pause * 2).clamp(EVERY, RARELY);
        drop(trouble);
        if fault::planted("clients-are-left-alone") {
            return;
        }
        let clients: Vec<_> = self.clients.lock().iter().filter_map(Weak::upgrade).collect();
        for client in &clients {
            client.begin_anew(&self.brokers);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KafkaConfig;
    use crate::context::Context;

    /// What has become of a client that heard of no brokers: all it knows leads nowhere.
    #[test]
    fn a_client_that_knows_no_broker_any_more_is_led_back() {
        let brokers = std::env::var("KAFKA_BROKERS").expect(
            "KAFKA_BROKERS is not set: run `cargo xtask test`, or `eval \"$(cargo xtask services env)\"` after \
             `cargo xtask services up`",
        );
        let nowhere = KafkaConfig::new("127.0.0.1:1".to_owned(), "souk-kafka-test");
        let client: BaseConsumer<Context> =
            nowhere.client().create_with_context(Context::default()).expect("a client");
        let client = Arc::new(client);
        let lifelines = Lifelines::new(&brokers);
        lifelines.hold(&client);
        lifelines.tend(true);
        client.fetch_metadata(None, Duration::from_secs(1)).expect_err("nobody is there");
        lifelines.tend(false);
        client.fetch_metadata(None, Duration::from_secs(20)).expect("brokers were told");
    }

    #[test]
    fn a_client_that_is_left_alone_is_noticed() {
        let test = "lifelines::tests::a_client_that_knows_no_broker_any_more_is_led_back";
        let output = std::process::Command::new(std::env::current_exe().expect("this binary"))
            .args(["--exact", test])
            .env("SOUK_PLANTED_BUG", "clients-are-left-alone")
            .output()
            .expect("it runs");
        assert!(
            String::from_utf8_lossy(&output.stdout).contains("running 1 test"),
            "there is no test {test}"
        );
        assert!(!output.status.success(), "the planted bug goes unnoticed");
    }
}
