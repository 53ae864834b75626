//! Runs probes beside each other, each within a deadline.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use souk_ports::Finding;
use tokio::sync::mpsc;

use crate::Diagnosis;

/// How long a probe may take: a healthy server answers each question in milliseconds, and a person waits.
pub const DEADLINE: Duration = Duration::from_secs(5);

type Work = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Something to look at.
pub struct Probe {
    name: &'static str,
    /// What to do when it does not answer.
    remedy: String,
    work: Work,
    findings: mpsc::UnboundedReceiver<Finding>,
}

/// Takes a probe's findings.
#[derive(Clone)]
pub struct Teller(mpsc::UnboundedSender<Finding>);

impl Teller {
    /// Tells a finding.
    pub fn tell(&self, finding: Finding) {
        // Nobody listens after the deadline.
        let _ = self.0.send(finding);
    }
}

impl Probe {
    /// Makes a probe that `examine` carries out; `remedy` says what to do when it does not end in time.
    pub fn new<F>(name: &'static str, remedy: impl Into<String>, examine: impl FnOnce(Teller) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, findings) = mpsc::unbounded_channel();
        Self { name, remedy: remedy.into(), work: Box::pin(examine(Teller(sender))), findings }
    }

    async fn run(self, deadline: Duration) -> Vec<Finding> {
        let Self { name, remedy, work, mut findings } = self;
        // A task of its own: one that holds its thread up does not keep the others from their deadlines.
        let mut task = tokio::spawn(work);
        let ended = tokio::time::timeout(deadline, &mut task).await;
        let mut found = Vec::new();
        while let Ok(finding) = findings.try_recv() {
            found.push(finding);
        }
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                let remedy = "this is a fault of souk's: report it with this line";
                found.push(Finding::fail(name, format!("the examination broke down: {error}"), remedy));
            }
            Err(_) => {
                task.abort();
                let after = found.last().map(|last| format!(" after {}", last.name)).unwrap_or_default();
                let detail = format!("no answer within {} s{after}", deadline.as_secs_f32());
                let late = Finding::unreachable(name, detail, remedy);
                // What answered some questions is there, if not well.
                let unreachable = found.iter().all(|finding| finding.unreachable);
                found.push(Finding { unreachable, ..late });
            }
        }
        found
    }
}

/// Carries the probes out beside each other, and returns what they found in the order of probes.
pub async fn examine(probes: Vec<Probe>, deadline: Duration) -> Diagnosis {
    let found = futures_util::future::join_all(probes.into_iter().map(|probe| probe.run(deadline))).await;
    Diagnosis::of(found.into_iter().flatten())
}
