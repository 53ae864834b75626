//! Which test program runs when: several side by side, those first that take longest, and none beside one that it would
//! disturb.
//!
//! Most of the time the slow ones wait: for servers that they killed to come back, for a lease to end. What they test is
//! right on a busy machine too, since they wait for conditions, not for times; and what they make on servers has names
//! of its own. So nearly everything may run beside everything.

use super::run::Job;

/// What is known of a program beforehand.
#[derive(Debug)]
struct Known {
    name: &'static str,
    /// How long it takes on two cores, roughly.
    seconds: u32,
    /// Of the programs with the same word here, one runs at a time.
    apart: Option<&'static str>,
    /// How many of its tests run at once, where that is not one for each core.
    threads: Option<&'static str>,
}

/// What the test programs themselves look at, unless they are told with `--test-threads`.
const THREADS: &str = "RUST_TEST_THREADS";

const fn takes(seconds: u32, name: &'static str) -> Known {
    Known { name, seconds, apart: None, threads: None }
}

impl Known {
    const fn apart(self, word: &'static str) -> Self {
        Self { apart: Some(word), ..self }
    }

    const fn threads(self, threads: &'static str) -> Self {
        Self { threads: Some(threads), ..self }
    }
}

/// These start several sets of servers of their own: one such program at a time, so that memory suffices.
const SERVERS: &str = "servers of its own";

/// What cargo runs of the documentation.
pub const EXAMPLES: &str = "examples in documentation";

/// The programs that matter to the order; all others take some seconds.
const KNOWN: [Known; 12] = [
    takes(580, "souk tests/it/main.rs"),
    takes(480, "souk-distributed tests/it/main.rs"),
    // Its tests wait, for each other too: two at once would be one for most of the time.
    takes(600, "souk tests/bad_days/main.rs").apart(SERVERS).threads("4"),
    takes(270, "souk tests/browser/main.rs"),
    takes(190, "souk-kafka tests/it/main.rs"),
    takes(140, "souk-postgres tests/it/main.rs"),
    takes(130, "souk-migrate tests/it/main.rs"),
    takes(120, "souk-aws tests/it/main.rs"),
    takes(110, "souk tests/contract/main.rs"),
    takes(60, "souk-servers tests/it/main.rs").apart(SERVERS),
    takes(40, "souk-web tests/it/main.rs"),
    takes(20, EXAMPLES),
];

/// The programs that have not run yet, and those that run.
#[derive(Debug)]
pub struct Turns {
    /// The next one last.
    waiting: Vec<Job>,
    running: Vec<String>,
    most: usize,
    /// How many there have been.
    added: usize,
    /// Whether there are all.
    complete: bool,
}

impl Turns {
    /// With `most` at a time, and half as many for as long as others are being built.
    pub const fn new(most: usize) -> Self {
        Self { waiting: Vec::new(), running: Vec::new(), most, added: 0, complete: false }
    }

    /// Takes one in. Of those that take as long as others, the first one runs first.
    pub fn add(&mut self, mut job: Job) {
        if let Some(threads) = known(&job.name).and_then(|known| known.threads)
            && std::env::var_os(THREADS).is_none()
        {
            job.command.env(THREADS, threads);
        }
        let seconds = |job: &Job| known(&job.name).map_or(0, |known| known.seconds);
        let place = self.waiting.partition_point(|waiting| seconds(waiting) < seconds(&job));
        self.waiting.insert(place, job);
        self.added += 1;
    }

    /// No other will be added.
    pub const fn complete(&mut self) {
        self.complete = true;
    }

    /// Tells whether no other runs, ran, or will run.
    pub const fn is_only_one(&self) -> bool {
        self.complete && self.added == 1
    }

    /// Tells whether nothing runs, and nothing is left.
    pub const fn are_over(&self) -> bool {
        self.complete && self.running.is_empty() && self.waiting.is_empty()
    }

    /// Returns the one to start now; nothing when one that runs has to end first, or none is there.
    pub fn begin(&mut self) -> Option<Job> {
        let most = if self.complete { self.most } else { self.most / 2 };
        if self.running.len() >= most.max(1) {
            return None;
        }
        let place = self.waiting.iter().rposition(|job| {
            let apart = apart(&job.name);
            apart.is_none() || self.running.iter().all(|running| self::apart(running) != apart)
        })?;
        let job = self.waiting.remove(place);
        self.running.push(job.name.clone());
        Some(job)
    }

    /// Takes in that one has ended.
    pub fn ended(&mut self, name: &str) {
        self.running.retain(|running| running != name);
    }

    /// Returns how many have not begun.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

/// Returns what is known of a program, by its package and where its source begins.
fn known(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

fn apart(name: &str) -> Option<&'static str> {
    known(name).and_then(|known| known.apart)
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::{EXAMPLES, Job, KNOWN, SERVERS, Turns, apart};

    fn job(name: &str) -> Job {
        Job { name: name.to_owned(), command: Command::new("true") }
    }

    fn turns(names: &[&str], most: usize) -> Turns {
        let mut turns = Turns::new(most);
        names.iter().for_each(|name| turns.add(job(name)));
        turns.complete();
        turns
    }

    fn next(turns: &mut Turns) -> Option<String> {
        turns.begin().map(|job| job.name)
    }

    /// Two programs that must not run side by side, and one that bears anything.
    fn apart_and_not() -> [&'static str; 3] {
        let mut apart = KNOWN.iter().filter(|known| known.apart == Some(SERVERS)).map(|known| known.name);
        [apart.next().expect("some"), apart.next().expect("two of them"), "souk-domain src/lib.rs"]
    }

    #[test]
    fn those_that_take_longest_come_first_and_others_as_cargo_has_them() {
        let slow = KNOWN.iter().max_by_key(|known| known.seconds).expect("some are known").name;
        let mut turns = turns(&["b src/lib.rs", slow, "a src/lib.rs"], 3);
        for name in [slow, "b src/lib.rs", "a src/lib.rs"] {
            assert_eq!(next(&mut turns).as_deref(), Some(name));
        }
        assert_eq!(next(&mut turns), None);
    }

    #[test]
    fn as_many_run_as_may() {
        let mut turns = turns(&["a", "b", "c"], 2);
        assert_eq!((next(&mut turns), next(&mut turns)), (Some("a".to_owned()), Some("b".to_owned())));
        assert_eq!((next(&mut turns), turns.waiting()), (None, 1));
        turns.ended("a");
        assert_eq!(next(&mut turns).as_deref(), Some("c"));
        assert_eq!(turns.waiting(), 0);
    }

    #[test]
    fn what_would_disturb_waits_and_the_next_one_goes_first() {
        let [one, other, any] = apart_and_not();
        let mut turns = turns(&[one, other, any], 3);
        assert_eq!(next(&mut turns).as_deref(), Some(one));
        assert_eq!(next(&mut turns).as_deref(), Some(any));
        assert_eq!(next(&mut turns), None, "there is room, but not beside the first");
        turns.ended(one);
        assert_eq!(next(&mut turns).as_deref(), Some(other));
    }

    #[test]
    fn at_least_one_runs() {
        assert_eq!(next(&mut turns(&["a"], 0)).as_deref(), Some("a"));
    }

    #[test]
    fn half_as_many_run_while_others_are_built() {
        let mut turns = Turns::new(4);
        assert!(!turns.are_over(), "others are built");
        ["a", "b", "c"].into_iter().for_each(|name| turns.add(job(name)));
        assert_eq!((next(&mut turns), next(&mut turns)), (Some("a".to_owned()), Some("b".to_owned())));
        assert_eq!(next(&mut turns), None);
        turns.complete();
        assert_eq!(next(&mut turns).as_deref(), Some("c"));
        assert!(!turns.are_over() && !turns.is_only_one(), "three run");
        ["a", "b", "c"].into_iter().for_each(|name| turns.ended(name));
        assert!(turns.are_over());
    }

    #[test]
    fn one_that_is_the_only_one_is_known_once_all_are_there() {
        let mut turns = Turns::new(4);
        turns.add(job("a"));
        assert!(!turns.is_only_one());
        turns.complete();
        assert!(turns.is_only_one());
    }

    /// A name that is misspelt would be known of nothing.
    #[test]
    fn each_that_is_known_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace");
        let folder = |package: &str| {
            let name = package.strip_prefix("souk-").unwrap_or(package);
            let folders = ["bin", "apps", "contract", "infra", "infra/distributed"];
            folders.iter().map(|above| root.join(above).join(name)).find(|folder| folder.is_dir())
        };
        for known in KNOWN.iter().filter(|known| known.name != EXAMPLES) {
            let (package, source) = known.name.split_once(' ').expect("a package and a file");
            let folder = folder(package).unwrap_or_else(|| panic!("{package} is no package"));
            assert!(folder.join(source).is_file(), "{} is not there", known.name);
        }
        assert_eq!(apart("souk-domain src/lib.rs"), None);
    }
}
