//! What runs for us, each in a process group of its own: a signal reaches us first, and we end all of them.

use std::collections::BTreeSet;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use souk_servers::end_group;

/// How often it is looked at whether one has ended.
const STEP: Duration = Duration::from_millis(10);

/// Those that run.
#[derive(Debug, Default)]
pub struct Children(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    over: bool,
    groups: BTreeSet<u32>,
}

impl Children {
    /// Starts one; none any more once all were told to end.
    ///
    /// # Errors
    /// Those of spawning.
    pub fn start(&self, command: &mut Command) -> std::io::Result<Option<Child>> {
        let mut state = self.state();
        if state.over {
            return Ok(None);
        }
        let child = command.process_group(0).spawn()?;
        state.groups.insert(child.id());
        Ok(Some(child))
    }

    /// Waits until one has ended by itself or by [`Self::end`].
    ///
    /// # Errors
    /// Those of waiting.
    pub fn wait(&self, child: &mut Child) -> std::io::Result<ExitStatus> {
        loop {
            {
                // At once: after it was waited for, its number may be another's.
                let mut state = self.state();
                if let Some(status) = child.try_wait()? {
                    state.groups.remove(&child.id());
                    return Ok(status);
                }
            }
            std::thread::sleep(STEP);
        }
    }

    /// Ends all of them, for good; tells whether there were any.
    pub fn end(&self) -> bool {
        let groups = {
            let mut state = self.state();
            state.over = true;
            std::mem::take(&mut state.groups)
        };
        // Side by side: each may take seconds.
        std::thread::scope(|scope| {
            for group in &groups {
                scope.spawn(|| end_group(*group));
            }
        });
        !groups.is_empty()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panics while starting or waiting")
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    use super::Children;

    #[test]
    fn all_are_ended_with_what_they_started_and_none_follows() {
        let children = Children::default();
        let start = |script: &str| {
            let child = children.start(Command::new("sh").args(["-c", script])).expect("sh is there");
            child.expect("nothing is over")
        };
        let (mut one, mut other) = (start("sleep 1000; :"), start("sleep 1000; :"));
        let mut ended = start("exit 3");
        assert_eq!(children.wait(&mut ended).expect("it is ours").code(), Some(3));
        assert!(children.end(), "two were there");
        for child in [&mut one, &mut other] {
            assert_eq!(children.wait(child).expect("it is ours").signal(), Some(15));
        }
        assert!(!children.end(), "all have ended");
        assert!(children.start(&mut Command::new("true")).expect("true is there").is_none());
    }
}
