//! Runs test programs side by side, and tells of each when it ends.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use super::children::Children;
use super::count::Count;
use super::run::{Outcome, Said};
use super::turns::Turns;

/// After so long without a word we say what runs.
const SILENCE: Duration = Duration::from_secs(30);

/// Runs all of them, unless the children are told to end before; returns what they came to.
///
/// # Errors
/// When one does not start; those that run come to their end.
pub fn run(mut turns: Turns, children: &Children) -> anyhow::Result<Count> {
    let began = Instant::now();
    // What runs alone can be watched.
    let alone = turns.waiting() == 1;
    let (sender, outcomes) = channel();
    let mut running: Vec<(String, Arc<Said>)> = Vec::new();
    let mut all = Count::default();
    let mut fault = None;
    std::thread::scope(|scope| {
        loop {
            while fault.is_none()
                && let Some(job) = turns.begin()
            {
                let (name, said, sender) = (job.name.clone(), Said::new(alone), sender.clone());
                running.push((name.clone(), Arc::clone(&said)));
                scope.spawn(move || {
                    // Nobody hears it only when the loop below has panicked.
                    let _ = sender.send((name, job.run(children, &said)));
                });
            }
            if running.is_empty() {
                break;
            }
            match outcomes.recv_timeout(SILENCE) {
                Ok((name, outcome)) => {
                    turns.ended(&name);
                    running.retain(|(running, _)| *running != name);
                    match outcome {
                        Ok(None) => {}
                        Ok(Some(outcome)) => {
                            print(&outcome);
                            all.take(&name, outcome.count);
                        }
                        Err(error) => {
                            fault.get_or_insert(error);
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => say_what_runs(began, &running, turns.waiting()),
                Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is ours"),
            }
        }
    });
    fault.map_or(Ok(all), Err)
}

/// A closed pipe on our side is no reason to stop testing: what cannot be written is not.
fn print(outcome: &Outcome) {
    let mut screen = std::io::stdout().lock();
    let _ = writeln!(screen, "\n     Running {}: {:.1} s", outcome.name, outcome.took.as_secs_f64());
    for line in &outcome.lines {
        let _ = writeln!(screen, "{line}");
    }
    let _ = screen.flush();
}

fn say_what_runs(began: Instant, running: &[(String, Arc<Said>)], waiting: usize) {
    let tests: Vec<String> = running
        .iter()
        .map(|(name, said)| format!("{name} ({} tests done)", said.tests.load(Ordering::Relaxed)))
        .collect();
    let waiting = if waiting == 0 { String::new() } else { format!("; {waiting} programs wait") };
    eprintln!("after {} s: {}{waiting}", began.elapsed().as_secs(), tests.join(", "));
}
