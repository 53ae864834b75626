//! What the tests came to, read off libtest's output.

use std::process::ExitStatus;

/// What a program's tests came to, or those of all programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Count {
    pub passed: u64,
    pub failed: u64,
    pub ignored: u64,
    pub failures: Vec<String>,
    /// How often there was a result: a program that says none did not come to its end.
    results: u64,
}

impl Count {
    /// Takes in a line that libtest printed.
    pub fn add(&mut self, line: &str) {
        if let Some(name) = line.strip_prefix("test ").and_then(|rest| rest.strip_suffix(" ... FAILED")) {
            self.failures.push(name.to_owned());
        }
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        let Some((_, counts)) = rest.split_once(". ") else { return };
        self.results += 1;
        for part in counts.split("; ") {
            let Some((number, what)) = part.split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    /// Takes in how the program ended: one that broke off, or failed though no test did, counts as one that failed.
    pub fn end(&mut self, status: ExitStatus) {
        if self.results == 0 {
            self.failures.push(format!("no result, {status}"));
            // Nobody has summed up those that failed before.
            self.failed = self.failures.len() as u64;
        } else if self.failed == 0 && !status.success() {
            self.failed += 1;
            self.failures.push(format!("all tests passed, {status}"));
        }
    }

    /// Takes in what a program came to.
    pub fn take(&mut self, program: &str, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.results += other.results;
        self.failures.extend(other.failures.into_iter().map(|name| format!("{name} ({program})")));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::ExitStatus;

    use super::Count;

    fn count(lines: &[&str], status: i32) -> Count {
        let mut count = Count::default();
        lines.iter().for_each(|line| count.add(line));
        count.end(ExitStatus::from_raw(status));
        count
    }

    /// As wait(2) encodes them.
    const SUCCESS: i32 = 0;
    const FAILURE: i32 = 101 << 8;
    const ABORTED: i32 = 6;

    #[test]
    fn sums_over_programs() {
        let mut all = Count::default();
        all.take(
            "souk src/main.rs",
            count(
                &[
                    "test a::b ... ok",
                    "test a::c ... FAILED",
                    "test result: FAILED. 3 passed; 1 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s",
                ],
                FAILURE,
            ),
        );
        all.take(
            "souk tests/it/main.rs",
            count(
                &["test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s"],
                SUCCESS,
            ),
        );
        assert_eq!((all.passed, all.failed, all.ignored), (7, 1, 2));
        assert_eq!(all.failures, ["a::c (souk src/main.rs)"]);
    }

    #[test]
    fn a_program_that_breaks_off_has_failed() {
        let aborted = count(&["test a::b ... ok"], ABORTED);
        assert_eq!((aborted.passed, aborted.failed), (0, 1));
        assert_eq!(aborted.failures, ["no result, signal: 6 (SIGABRT)"]);
        assert_eq!(count(&["test a::b ... FAILED"], ABORTED).failed, 2, "a test, and the program");
        // A test that ends the program takes the others along.
        assert_eq!(count(&["test a::b ... ok"], SUCCESS).failed, 1);
    }

    #[test]
    fn a_program_that_fails_after_its_tests_has_failed() {
        let late = count(&["test result: ok. 4 passed; 0 failed; 0 ignored; 0 measured"], ABORTED);
        assert_eq!((late.passed, late.failed), (4, 1));
        assert_eq!(late.failures, ["all tests passed, signal: 6 (SIGABRT)"]);
    }
}
