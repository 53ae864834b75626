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
}

const fn takes(seconds: u32, name: &'static str) -> Known {
    Known { name, seconds, apart: None }
}

impl Known {
    const fn apart(self, word: &'static str) -> Self {
        Self { apart: Some(word), ..self }
    }
}

/// These start several sets of servers of their own: one such program at a time, so that memory suffices.
const SERVERS: &str = "servers of its own";

/// The programs that matter to the order; all others take some seconds.
const KNOWN: [Known; 11] = [
    takes(470, "souk tests/bad_days/main.rs").apart(SERVERS),
    takes(420, "souk-distributed tests/it/main.rs"),
    takes(330, "souk tests/it/main.rs"),
    takes(290, "souk tests/browser/main.rs"),
    takes(130, "souk tests/contract/main.rs"),
    takes(200, "souk-postgres tests/it/main.rs"),
    takes(110, "souk-kafka tests/it/main.rs"),
    takes(90, "souk-migrate tests/it/main.rs"),
    takes(80, "souk-aws tests/it/main.rs"),
    takes(60, "souk-servers tests/it/main.rs").apart(SERVERS),
    takes(40, "souk-notifications tests/it/main.rs"),
];

/// The programs that have not run yet, and those that run.
#[derive(Debug)]
pub struct Turns {
    /// The next one last.
    waiting: Vec<Job>,
    running: Vec<String>,
    most: usize,
}

impl Turns {
    /// With `most` at a time.
    pub fn new(mut jobs: Vec<Job>, most: usize) -> Self {
        // Stable, so that others keep the order that cargo has.
        jobs.reverse();
        jobs.sort_by_key(|job| known(&job.name).map_or(0, |known| known.seconds));
        Self { waiting: jobs, running: Vec::new(), most: most.max(1) }
    }

    /// Returns the one to start now; nothing when one that runs has to end first, or none is left.
    pub fn begin(&mut self) -> Option<Job> {
        if self.running.len() >= self.most {
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

    use super::{Job, KNOWN, SERVERS, Turns, apart};

    fn turns(names: &[&str], most: usize) -> Turns {
        let job = |name: &&str| Job { name: (*name).to_owned(), command: Command::new("true") };
        Turns::new(names.iter().map(job).collect(), most)
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

    /// A name that is misspelt would be known of nothing.
    #[test]
    fn each_that_is_known_is_there() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is in the workspace");
        let folder = |package: &str| {
            let name = package.strip_prefix("souk-").unwrap_or(package);
            let folders = ["bin", "apps", "contract", "infra", "infra/distributed"];
            folders.iter().map(|above| root.join(above).join(name)).find(|folder| folder.is_dir())
        };
        for known in &KNOWN {
            let (package, source) = known.name.split_once(' ').expect("a package and a file");
            let folder = folder(package).unwrap_or_else(|| panic!("{package} is no package"));
            assert!(folder.join(source).is_file(), "{} is not there", known.name);
        }
        assert_eq!(apart("souk-domain src/lib.rs"), None);
    }
}
