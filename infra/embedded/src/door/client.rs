//! The door from outside.

use std::io;
use std::path::{Path, PathBuf};

use parking_lot::Mutex;
use souk_ports::{ErrorKind, ExecuteError, Keeper, Outcome, PortError, UnitOfWork};
use tokio::net::UnixStream;

use super::wire::{Answer, Question, Wanted, receive, send};
use super::{NAME, server::reach};

/// Hands units to the process that has the folder open; as many at once as are asked for.
pub(crate) struct DoorClient {
    path: PathBuf,
    idle: Mutex<Vec<UnixStream>>,
}

/// Why there was no answer.
enum Silence {
    /// Nobody heard the question.
    Closed(io::Error),
    /// It may have been carried out.
    CutOff(io::Error),
}

impl DoorClient {
    /// Looks for the door of a folder: somebody has to be behind it.
    pub fn find(dir: &Path) -> io::Result<Self> {
        let path = dir.join(NAME);
        reach(&path, |path| std::os::unix::net::UnixStream::connect(path))?;
        Ok(Self { path, idle: Mutex::default() })
    }

    async fn ask(&self, question: &Question) -> Result<Answer, Silence> {
        let idle = self.idle.lock().pop();
        if let Some(mut stream) = idle
            && let Ok(answer) = put(&mut stream, question).await
        {
            self.idle.lock().push(stream);
            return Ok(answer);
        }
        // One that lay idle may be of a souk that ended since; what it may have done twice is harmless.
        let connect = reach(&self.path, |path| {
            let stream = std::os::unix::net::UnixStream::connect(path)?;
            stream.set_nonblocking(true)?;
            Ok(stream)
        });
        let mut stream = connect.and_then(UnixStream::from_std).map_err(Silence::Closed)?;
        let answer = put(&mut stream, question).await.map_err(Silence::CutOff)?;
        self.idle.lock().push(stream);
        Ok(answer)
    }

    pub async fn execute(&self, unit: UnitOfWork) -> Result<Outcome, ExecuteError> {
        let wanted = unit.commands.into_iter().map(Wanted::of).collect::<Option<Vec<_>>>();
        let Some(wanted) = wanted.filter(|_| unit.idempotency.is_none()) else {
            let why = "the data folder is open for imports only: another souk has it; use its API";
            return Err(ExecuteError::Overloaded(why.to_owned()));
        };
        match self.ask(&Question::Execute(wanted)).await {
            Ok(answer) => answer.outcome(),
            Err(Silence::Closed(error)) => Err(ExecuteError::Overloaded(self.closed(&error))),
            Err(Silence::CutOff(error)) => Err(ExecuteError::OutcomeUnknown(self.closed(&error))),
        }
    }

    pub async fn set_keeper(&self, keeper: Keeper) -> Result<(), PortError> {
        let unavailable = |why: String| PortError::new(ErrorKind::Unavailable, why);
        match self.ask(&Question::SetKeeper(keeper)).await {
            Ok(Answer::KeeperIsSet) => Ok(()),
            Ok(other) => Err(unavailable(match other.outcome() {
                Err(error) => error.to_string(),
                Ok(_) => "the door answered another question".to_owned(),
            })),
            Err(Silence::Closed(error) | Silence::CutOff(error)) => Err(unavailable(self.closed(&error))),
        }
    }

    fn closed(&self, error: &io::Error) -> String {
        format!("the souk behind {} does not answer ({error}): start it again", self.path.display())
    }
}

async fn put(stream: &mut UnixStream, question: &Question) -> io::Result<Answer> {
    send(stream, question).await?;
    receive(stream).await?.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}
