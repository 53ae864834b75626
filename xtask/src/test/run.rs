//! One test program, from its start to its end, and what it said.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};
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
    lines: Mutex<Lines>,
    /// How many of its tests have ended.
    pub tests: AtomicU64,
}

#[derive(Debug, Default)]
struct Lines {
    kept: Vec<String>,
    /// Whether they are passed on as they come, and not kept.
    pass_on: bool,
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
    /// Passes on what it said, and from now on each line as it comes; none of that comes a second time.
    pub fn pass_on(&self) {
        let mut lines = self.lines();
        lines.kept.drain(..).for_each(|line| show(&line));
        lines.pass_on = true;
    }

    fn take(&self, line: String) {
        if line.starts_with("test ") && line.contains(" ... ") {
            self.tests.fetch_add(1, Ordering::Relaxed);
        }
        let mut lines = self.lines();
        if lines.pass_on {
            show(&line);
        } else {
            lines.kept.push(line);
        }
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().expect("nobody panics while taking a line")
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

/// A closed pipe on our side is no reason to stop testing.
fn show(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
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
        let lines = std::mem::take(&mut said.lines().kept);
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
        let said = Said::default();
        let job = Job { name: "souk src/main.rs".to_owned(), command };
        let outcome = job.run(&Children::default(), &said).expect("sh is there").expect("nothing is over");
        assert_eq!((outcome.count.passed, outcome.count.failed), (0, 1));
        assert_eq!(outcome.count.failures, ["a::b"]);
        assert_eq!(outcome.lines.len(), 5);
        assert!(outcome.lines.contains(&"\u{fffd}".to_owned()), "{:?}", outcome.lines);
        assert_eq!(said.tests.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn what_is_passed_on_is_not_kept() {
        let said = Said::default();
        said.take("before".to_owned());
        said.pass_on();
        said.take("after".to_owned());
        assert!(said.lines().kept.is_empty(), "{:?}", said.lines());
    }
}
