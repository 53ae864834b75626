//! One test program, from its start to its end, and what it said.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use super::children::Children;
use super::count::Count;

/// A test program that is to run.
#[derive(Debug)]
pub struct Job {
    /// What people call it.
    pub name: String,
    pub command: Command,
}

/// What a program that runs says.
#[derive(Debug, Default)]
pub struct Said {
    lines: Mutex<Vec<String>>,
    /// How many of its tests have ended.
    pub tests: AtomicU64,
    /// Whether its lines are passed on as they come.
    at_once: bool,
}

/// What a program left behind.
#[derive(Debug)]
pub struct Outcome {
    pub name: String,
    pub count: Count,
    pub took: Duration,
    /// Both outputs, line by line, but for those that were passed on already.
    pub lines: Vec<String>,
}

impl Said {
    /// What is passed on at once does not come a second time.
    pub fn new(at_once: bool) -> Arc<Self> {
        Arc::new(Self { at_once, ..Self::default() })
    }

    fn take(&self, line: String) {
        if line.starts_with("test ") && line.contains(" ... ") {
            self.tests.fetch_add(1, Ordering::Relaxed);
        }
        if self.at_once {
            // A closed pipe on our side is no reason to stop testing.
            let _ = writeln!(std::io::stdout(), "{line}");
        } else {
            self.lines.lock().expect("nobody panics while taking a line").push(line);
        }
    }

    /// Takes in an output to its end; counts what is no error output.
    fn read(&self, output: impl Read, mut count: Option<&mut Count>) {
        let mut output = BufReader::new(output);
        let mut line = Vec::new();
        // An output that breaks off has ended: how the program did is told by its status.
        while matches!(output.read_until(b'\n', &mut line), Ok(1..)) {
            let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
            if let Some(count) = &mut count {
                count.add(&text);
            }
            self.take(text);
            line.clear();
        }
    }
}

impl Job {
    /// Runs it to its end; not at all once all children were told to end.
    ///
    /// # Errors
    /// When it does not start.
    pub fn run(mut self, children: &Children, said: &Said) -> anyhow::Result<Option<Outcome>> {
        let began = Instant::now();
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = children.start(&mut self.command);
        let Some(mut child) = started.with_context(|| format!("could not start {}", self.name))? else {
            return Ok(None);
        };
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut count = Count::default();
        std::thread::scope(|scope| {
            scope.spawn(|| said.read(stderr.expect("a pipe was asked for"), None));
            said.read(stdout.expect("a pipe was asked for"), Some(&mut count));
        });
        let status = children.wait(&mut child).with_context(|| format!("{} is lost", self.name))?;
        count.end(status);
        let lines = std::mem::take(&mut *said.lines.lock().expect("nobody panics while taking a line"));
        Ok(Some(Outcome { name: self.name, count, took: began.elapsed(), lines }))
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::atomic::Ordering;

    use super::{Children, Job, Said};

    #[test]
    fn both_outputs_are_kept_and_one_is_counted() {
        let script = "echo 'test a::b ... FAILED'; printf '\\377\\n'; echo 'test result: ok. 9 passed' >&2
                      echo; echo 'test result: FAILED. 0 passed; 1 failed; 0 ignored'; exit 101";
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let said = Said::new(false);
        let job = Job { name: "souk src/main.rs".to_owned(), command };
        let outcome = job.run(&Children::default(), &said).expect("sh is there").expect("nothing is over");
        assert_eq!((outcome.count.passed, outcome.count.failed), (0, 1));
        assert_eq!(outcome.count.failures, ["a::b"]);
        assert_eq!(outcome.lines.len(), 5);
        assert!(outcome.lines.contains(&"\u{fffd}".to_owned()), "{:?}", outcome.lines);
        assert_eq!(said.tests.load(Ordering::Relaxed), 1);
    }
}
