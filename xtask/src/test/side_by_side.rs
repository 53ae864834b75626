//! Runs test programs side by side, and tells of each when it ends.

use std::io::Write as _;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use super::children::Children;
use super::count::Count;
use super::run::{Job, Outcome, Said};
use super::turns::Turns;

/// After so long without a word we say what runs.
const SILENCE: Duration = Duration::from_secs(30);

/// What comes in while programs run.
#[derive(Debug)]
pub enum Event {
    /// One more can run.
    Built(Job),
    /// No other will come; nothing went wrong, or this did.
    Complete(anyhow::Result<()>),
    /// One has ended, or did not start.
    Ended(String, anyhow::Result<Option<Outcome>>),
}

/// Runs all programs that come in, unless the children are told to end before; returns what they came to. Each is made
/// `ready` right before it starts.
///
/// # Errors
/// When one cannot be made ready or does not start, or when building them fails: nothing of ours runs on then.
pub fn run(
    mut turns: Turns,
    children: &Children,
    (sender, events): &(Sender<Event>, Receiver<Event>),
    mut ready: impl FnMut(&mut Command) -> anyhow::Result<()>,
) -> anyhow::Result<Count> {
    let began = Instant::now();
    let mut running: Vec<(String, Arc<Said>)> = Vec::new();
    let mut all = Count::default();
    let mut fault = None;
    let mut spoke = began;
    std::thread::scope(|scope| {
        while !turns.are_over() {
            while let Some(mut job) = turns.begin() {
                let (name, said) = (job.name.clone(), Arc::new(Said::default()));
                running.push((name.clone(), Arc::clone(&said)));
                let prepared = if fault.is_none() { ready(&mut job.command) } else { Ok(()) };
                scope.spawn(move || {
                    let outcome = prepared.and_then(|()| job.run(children, &said));
                    sender.send(Event::Ended(name, outcome)).expect("we hold the other end");
                });
            }
            // What runs alone can be watched.
            if turns.is_only_one() {
                running.iter().for_each(|(_, said)| said.pass_on());
            }
            let result = match events.recv_timeout(SILENCE.saturating_sub(spoke.elapsed())) {
                Ok(Event::Built(job)) => {
                    turns.add(job);
                    Ok(())
                }
                Ok(Event::Complete(result)) => {
                    turns.complete();
                    result
                }
                Ok(Event::Ended(name, outcome)) => {
                    turns.ended(&name);
                    running.retain(|(running, _)| *running != name);
                    outcome.map(|outcome| {
                        if let Some(outcome) = outcome {
                            print(&outcome);
                            spoke = Instant::now();
                            all.take(&name, outcome.count);
                        }
                    })
                }
                Err(RecvTimeoutError::Timeout) => {
                    say_what_runs(began, &running, turns.waiting());
                    spoke = Instant::now();
                    Ok(())
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("a sender is ours"),
            };
            if let Err(error) = result {
                fault.get_or_insert(error);
                children.end();
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
    if running.is_empty() {
        // Cargo says what it builds.
        return;
    }
    let tests: Vec<String> = running
        .iter()
        .map(|(name, said)| format!("{name} ({} tests done)", said.tests.load(Ordering::Relaxed)))
        .collect();
    let waiting = if waiting == 0 { String::new() } else { format!("; {waiting} programs wait") };
    eprintln!("after {} s: {}{waiting}", began.elapsed().as_secs(), tests.join(", "));
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc::channel;

    use super::{Children, Count, Event, Job, Turns};

    fn job(name: &str, script: &str) -> Event {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Event::Built(Job { name: name.to_owned(), command })
    }

    fn run(events: Vec<Event>) -> anyhow::Result<Count> {
        let channel = channel();
        events.into_iter().for_each(|event| channel.0.send(event).expect("the other end is here"));
        super::run(Turns::new(4), &Children::default(), &channel, |command| {
            command.env("GIVEN", "3");
            Ok(())
        })
    }

    /// Such that say nothing: what is said here would be counted as ours.
    #[test]
    fn those_that_come_are_made_ready_and_counted() {
        let script = "exit $GIVEN";
        let count = run(vec![job("a", script), job("b", script), Event::Complete(Ok(()))]).expect("both run");
        assert_eq!((count.passed, count.failed), (0, 2));
        let mut failures = count.failures;
        failures.sort();
        assert_eq!(failures, ["no result, exit status: 3 (a)", "no result, exit status: 3 (b)"]);
    }

    #[test]
    fn what_runs_is_ended_when_the_build_breaks() {
        let broken = Event::Complete(Err(anyhow::anyhow!("it does not build")));
        let error =
            run(vec![job("a", "sleep 1000; :"), job("b", "sleep 1000; :"), broken]).expect_err("broken");
        assert_eq!(error.to_string(), "it does not build");
    }
}
