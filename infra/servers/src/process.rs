//! Processes by their number: what they are, whom they started, and signals to them.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// How often a condition on a process is looked at again.
const STEP: Duration = Duration::from_millis(5);
/// How long a group of processes has to end by itself before it is killed.
const PATIENCE: Duration = Duration::from_secs(5);

/// A process: its number, and when it began, since numbers come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub pid: i32,
    /// In clock ticks since the system started.
    pub began: u64,
}

struct Stat {
    state: char,
    parent: i32,
    began: u64,
}

impl Identity {
    /// Returns the identity of the process `pid`, when there is one.
    pub fn of(pid: i32) -> Option<Self> {
        stat(pid).map(|stat| Self { pid, began: stat.began })
    }

    /// Tells whether it runs; one that ended and was not waited for does not.
    pub fn is_running(self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.began == self.began && !matches!(stat.state, 'Z' | 'X'))
    }

    /// Tells whether it stands still: stopped by a signal, or gone.
    pub fn is_still(self) -> bool {
        !self.is_running() || stat(self.pid).is_none_or(|stat| stat.state == 'T')
    }

    /// Returns all that it started, and what those started; itself first.
    pub fn family(self) -> Vec<Self> {
        let mut family = vec![self];
        let Ok(entries) = std::fs::read_dir("/proc") else { return family };
        let all: Vec<(i32, Stat)> = entries
            .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
            .filter_map(|pid| Some((pid, stat(pid)?)))
            .collect();
        let mut seen = 0;
        while seen < family.len() {
            let parent = family[seen].pid;
            let children = all.iter().filter(|(_, stat)| stat.parent == parent);
            family.extend(children.map(|(pid, stat)| Self { pid: *pid, began: stat.began }));
            seen += 1;
        }
        family
    }

    /// Sends a signal; a process that is gone gets none.
    pub fn signal(self, signal: i32) {
        if self.is_running() {
            send(self.pid, signal);
        }
    }
}

/// Waits until `condition` holds; tells whether it did within `limit`.
pub fn wait_until(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let began = Instant::now();
    loop {
        if condition() {
            return true;
        }
        if began.elapsed() >= limit {
            return false;
        }
        std::thread::sleep(STEP);
    }
}

/// Ends a process group: asks it to, and kills what is left of it when its leader has ended, or after some seconds.
///
/// The leader `pid` must have been started with a process group of its own, and must not have been waited for.
pub fn end_group(pid: u32) {
    let Ok(pid) = i32::try_from(pid) else { return };
    send(-pid, libc::SIGTERM);
    let leader = Identity::of(pid);
    wait_until(PATIENCE, || leader.is_none_or(|leader| !leader.is_running()));
    // One that did not listen would hold the output open that somebody reads to its end.
    send(-pid, libc::SIGKILL);
}

/// Has the command's process receive `signal` (as `libc::SIGKILL`) when the thread that spawned it ends.
///
/// The thread, not the process: spawn from one that lives as long as the process does.
pub fn end_with_parent(command: &mut Command, signal: i32) {
    let parent = std::process::id();
    // What the child asks for happens after its user was changed: changing it would take the request back.
    #[expect(unsafe_code, reason = "there is no safe way to run code between fork and exec")]
    // SAFETY: prctl, getppid and _exit are async-signal-safe, and nothing else is called.
    unsafe {
        command.pre_exec(move || {
            #[cfg(target_os = "linux")]
            libc::prctl(libc::PR_SET_PDEATHSIG, signal);
            #[cfg(not(target_os = "linux"))]
            let _ = signal;
            // The parent may have ended before the request was made.
            if u32::try_from(libc::getppid()) != Ok(parent) {
                libc::_exit(1);
            }
            Ok(())
        });
    }
}

/// Gives the command's process a session of its own: no terminal's Ctrl-C or end reaches it.
pub fn own_session(command: &mut Command) {
    #[expect(unsafe_code, reason = "there is no safe way to run code between fork and exec")]
    // SAFETY: setsid is async-signal-safe, and nothing else is called. It fails only for a group's leader, which a
    // process that was just forked is not.
    unsafe {
        command.pre_exec(|| {
            libc::setsid();
            Ok(())
        });
    }
}

fn send(pid: i32, signal: i32) {
    #[expect(unsafe_code, reason = "the standard library sends no signal but SIGKILL")]
    // SAFETY: kill takes two numbers and touches no memory of ours.
    unsafe {
        libc::kill(pid, signal);
    }
}

/// Reads `/proc/<pid>/stat`, proc(5).
fn stat(pid: i32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, brackets included.
    let (_, rest) = text.rsplit_once(") ")?;
    let mut fields = rest.split(' ');
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of all; the state is field 3.
    let began = fields.nth(17)?.parse().ok()?;
    Some(Stat { state, parent, began })
}

#[cfg(test)]
mod tests {
    use super::{Identity, wait_until};
    use std::io::{BufRead as _, BufReader, Read as _};
    use std::os::unix::process::CommandExt as _;
    use std::process::{Command, Stdio};
    use std::time::Duration;

    fn of(pid: u32) -> Identity {
        Identity::of(i32::try_from(pid).expect("a pid")).expect("it runs")
    }

    #[test]
    fn a_process_is_known_until_it_ends() {
        let mut child = Command::new("sleep").arg("1000").spawn().expect("sleep is there");
        let identity = of(child.id());
        assert!(identity.is_running());
        assert!(!Identity { began: identity.began + 1, ..identity }.is_running(), "another of this number");
        identity.signal(libc::SIGKILL);
        assert!(wait_until(Duration::from_secs(5), || !identity.is_running()), "a zombie does not run");
        child.wait().expect("it was ours");
    }

    #[test]
    fn a_group_ends_with_those_that_do_not_listen() {
        let mut child = Command::new("sh")
            .args(["-c", "(trap '' TERM; echo deaf; sleep 1000) & sleep 1000; :"])
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("sh is there");
        let mut output = BufReader::new(child.stdout.take().expect("a pipe was asked for"));
        let mut text = String::new();
        output.read_line(&mut text).expect("it says that it is deaf");
        super::end_group(child.id());
        output.read_to_string(&mut text).expect("nobody holds its output open");
        assert_eq!(text, "deaf\n");
        child.wait().expect("it was ours");
    }

    #[test]
    fn a_family_holds_grandchildren() {
        let mut child =
            Command::new("sh").args(["-c", "sh -c 'sleep 1000; :' ; :"]).spawn().expect("sh is there");
        let identity = of(child.id());
        assert!(wait_until(Duration::from_secs(5), || identity.family().len() == 3), "sh, sh, sleep");
        for member in identity.family().into_iter().rev() {
            member.signal(libc::SIGKILL);
        }
        child.wait().expect("it was ours");
    }
}
