//! The door from inside.

use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use souk_ports::UnitOfWork;
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::NAME;
use super::wire::{Answer, Question, Wanted, receive, send};
use crate::committer::Committer;

/// The open door; shut when dropped.
pub(crate) struct Door {
    path: PathBuf,
}

impl Door {
    /// Opens it. Whoever holds the folder's lock may: what lies there from a souk that was killed is replaced.
    pub fn open(
        dir: &Path,
        committer: Arc<Committer>,
        stop: &CancellationToken,
        tasks: &TaskTracker,
    ) -> io::Result<Self> {
        let (path, new) = (dir.join(NAME), dir.join(format!("{NAME}.new")));
        let _ = std::fs::remove_file(&new);
        let listener = reach(&new, |path| std::os::unix::net::UnixListener::bind(path))?;
        listener.set_nonblocking(true)?;
        // Nobody finds it under its name before it is for its owner alone.
        std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&new, &path)?;
        let listener = UnixListener::from_std(listener)?;
        let (stop, visitors) = (stop.clone(), tasks.clone());
        tasks.spawn(async move {
            loop {
                let visitor = tokio::select! {
                    () = stop.cancelled() => return,
                    visitor = listener.accept() => visitor,
                };
                // A visitor who left before he was seen.
                let Ok((stream, _)) = visitor else { continue };
                let (committer, stop) = (committer.clone(), stop.clone());
                visitors.spawn(async move {
                    tokio::select! {
                        () = stop.cancelled() => {}
                        gone = attend(stream, &committer) => {
                            if let Err(error) = gone {
                                tracing::debug!(error = %error, "a visitor of the door was cut off");
                            }
                        }
                    }
                });
            }
        });
        Ok(Self { path })
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

async fn attend(mut stream: UnixStream, committer: &Committer) -> io::Result<()> {
    while let Some(question) = receive(&mut stream).await? {
        let answer = match question {
            Question::Execute(wanted) => {
                let commands = wanted.into_iter().map(Wanted::command).collect();
                Answer::of(committer.execute(UnitOfWork { commands, idempotency: None }).await)
            }
            Question::SetKeeper(keeper) => match committer.set_keeper(keeper).await {
                Ok(()) => Answer::KeeperIsSet,
                Err(error) => Answer::Overloaded(error.to_string()),
            },
        };
        send(&mut stream, &answer).await?;
    }
    Ok(())
}

/// Does `work` with a path to a socket that the system takes: it knows names of about a hundred bytes, folders may be
/// longer.
pub(super) fn reach<T>(path: &Path, work: impl FnOnce(&Path) -> io::Result<T>) -> io::Result<T> {
    const LONGEST: usize = 100;
    if path.as_os_str().len() <= LONGEST || !cfg!(target_os = "linux") {
        return work(path);
    }
    let folder = std::fs::File::open(path.parent().unwrap_or(Path::new(".")))?;
    let name = path.file_name().unwrap_or_default();
    work(&Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name))
}
