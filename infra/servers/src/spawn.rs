//! Starting processes that end when this one does.
//!
//! The kernel's "tell me when my parent ends" means the thread that spawned. A test runs on a thread of its own, which
//! ends with the test; so one thread that never ends spawns for all.

use std::process::{Child, Command};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, OnceLock};

use crate::Life;
use crate::process;

struct Job {
    command: Command,
    answer: SyncSender<std::io::Result<Child>>,
}

static SPAWNER: OnceLock<Mutex<Sender<Job>>> = OnceLock::new();

/// Starts `command` in a session of its own; with [`Life::Parent`] it receives `end` when this process ends.
///
/// # Errors
/// Those of spawning.
pub fn spawn(mut command: Command, life: Life, end: i32) -> std::io::Result<Child> {
    process::own_session(&mut command);
    if life == Life::Parent {
        process::end_with_parent(&mut command, end);
    }
    let (answer, outcome) = sync_channel(1);
    let spawner = SPAWNER.get_or_init(|| {
        let (sender, jobs) = channel::<Job>();
        std::thread::Builder::new()
            .name("souk-servers".to_owned())
            .spawn(move || {
                for mut job in jobs {
                    // Who asked may have panicked meanwhile; the child then ends with this process.
                    let _ = job.answer.send(job.command.spawn());
                }
            })
            .expect("a thread can be started");
        Mutex::new(sender)
    });
    let sender = spawner.lock().expect("nobody panics while sending").clone();
    sender.send(Job { command, answer }).expect("the spawner never ends");
    outcome.recv().expect("the spawner answers each job")
}
