//! An object under way: encoded and stored in a task of its own, while its consumer reads on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use souk_ports::Partition;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::keeper::{Closing, Keeper};
use super::writer::ClosedFile;
use crate::consumer::ConsumeError;

/// A stored object; else why it is not, with what is encoded already.
type Made = Result<Closing, (ConsumeError, Option<Closing>)>;

/// An object under way. Dropped, it is broken off, which is as if the process had been killed: an object that is there
/// all the same is adopted by whoever comes to it.
pub(super) struct Making {
    /// Whose object it is.
    pub partition: Partition,
    keeper: Keeper,
    task: Option<JoinHandle<Made>>,
    /// While no task has it.
    closing: Option<Closing>,
    /// The task is as good as over.
    ended: Arc<AtomicBool>,
    /// Told when it is.
    wake: Arc<Notify>,
}

impl Making {
    /// Encodes and stores a file of `partition`; `wake` is told when [`Self::stored`] has an answer.
    pub fn begin(keeper: &Keeper, partition: Partition, file: ClosedFile, wake: &Arc<Notify>) -> Self {
        let (keeper, wake, ended) = (keeper.clone(), wake.clone(), Arc::default());
        let mut making = Self { partition, keeper: keeper.clone(), task: None, closing: None, ended, wake };
        making.spawn(async move {
            let closing = keeper.encode(partition, file).await.map_err(|error| (error, None))?;
            store(&keeper, closing).await
        });
        making
    }

    /// Tells whether [`Self::stored`] has an answer.
    pub fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    /// Returns the object once it is there for sure. Cancel-safe; called again after an error, it tries again.
    ///
    /// # Errors
    /// `Restart` when it cannot be encoded, and what [`Keeper::put`] says.
    pub async fn stored(&mut self) -> Result<&Closing, ConsumeError> {
        if let Some(closing) = self.closing.take_if(|closing| closing.stored.is_none()) {
            let keeper = self.keeper.clone();
            self.spawn(async move { store(&keeper, closing).await });
        }
        if let Some(task) = &mut self.task {
            let made = task.await;
            self.task = None;
            match made {
                Ok(Ok(closing)) => self.closing = Some(closing),
                Ok(Err((error, closing))) => {
                    self.closing = closing;
                    return Err(error);
                }
                Err(error) => return Err(ConsumeError::Restart(format!("an object was cut off: {error}"))),
            }
        }
        self.closing.as_ref().ok_or_else(|| ConsumeError::Restart("an object was lost".to_owned()))
    }

    fn spawn(&mut self, work: impl Future<Output = Made> + Send + 'static) {
        let (ended, wake) = (self.ended.clone(), self.wake.clone());
        ended.store(false, Ordering::Release);
        self.task = Some(tokio::spawn(async move {
            let made = work.await;
            ended.store(true, Ordering::Release);
            wake.notify_one();
            made
        }));
    }
}

impl Drop for Making {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
    }
}

async fn store(keeper: &Keeper, mut closing: Closing) -> Made {
    match keeper.put(&mut closing).await {
        Ok(end) => {
            closing.stored = Some(end);
            Ok(closing)
        }
        Err(error) => Err((error, Some(closing))),
    }
}
