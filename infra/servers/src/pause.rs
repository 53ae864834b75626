//! Stopping time for a server, such that it goes on whatever becomes of us.

use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::Duration;

use crate::process::{Identity, wait_until};
use crate::{Life, spawn};

/// How long the kernel may take to stop a process: it first returns from what it does for it, such as a write.
const LIMIT: Duration = Duration::from_secs(10);
const POISONED: &str = "nobody panics while pausing";

/// Who is paused.
#[derive(Debug, Default)]
pub struct Pause(Mutex<Option<Paused>>);

#[derive(Debug)]
struct Paused {
    family: Vec<Identity>,
    /// Lets them go on when its input ends, which it does when this process ends, however that ends. Stopped processes
    /// would else stay for ever: what tells them that we ended they would never look at.
    guard: Option<Child>,
}

impl Pause {
    /// Stops `process` and all that it started.
    pub fn begin(&self, process: Identity) {
        let mut paused = self.0.lock().expect(POISONED);
        if paused.is_some() {
            return;
        }
        // The parent first: once it stands still, nothing new is started.
        process.signal(libc::SIGSTOP);
        wait_until(LIMIT, || process.is_still());
        let family = process.family();
        for member in &family {
            member.signal(libc::SIGSTOP);
        }
        let guard = guard(&family);
        wait_until(LIMIT, || family.iter().all(|member| member.is_still()));
        *paused = Some(Paused { family, guard });
    }

    /// Lets them go on.
    pub fn end(&self) {
        let Some(paused) = self.0.lock().expect(POISONED).take() else { return };
        for member in paused.family.iter().rev() {
            member.signal(libc::SIGCONT);
        }
        release(paused.guard);
    }

    /// They are gone: nothing is left to let go on.
    pub fn forget(&self) {
        if let Some(paused) = self.0.lock().expect(POISONED).take() {
            release(paused.guard);
        }
    }
}

fn guard(family: &[Identity]) -> Option<Child> {
    let mut command = Command::new("sh");
    command.args(["-c", "cat >/dev/null; kill -CONT \"$@\" 2>/dev/null", "guard"]);
    command.args(family.iter().map(|member| member.pid.to_string()));
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Without a guard a pause is still a pause.
    spawn::spawn(command, Life::Detached, 0).ok()
}

fn release(guard: Option<Child>) {
    if let Some(mut guard) = guard {
        drop(guard.stdin.take());
        let _ = guard.wait();
    }
}
